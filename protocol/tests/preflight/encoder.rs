//! Writes requests from the table: valid ones by choices read off a tape, and the same with one length, count
//! or marker changed.

use std::cmp::Ordering;

use brooklet_protocol::preflight::table::{Field, Kind, Request};

/// Tag of no field in any request.
const UNKNOWN_TAG: u8 = 100;

/// Decides what an encoding holds: its bytes in turn, then `rest` for ever. Zeros make the shortest request.
#[derive(Clone, Copy)]
pub(crate) struct Tape<'a> {
    bytes: &'a [u8],
    rest: u8,
}

impl<'a> Tape<'a> {
    /// These bytes, then zeros.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, rest: 0 }
    }
}

impl Tape<'static> {
    /// Every nullable value there, every known tag and an unknown one, three of each element.
    pub(crate) const FULL: Self = Self { bytes: &[], rest: 3 };
}

impl Tape<'_> {
    fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else {
            return self.rest;
        };
        self.bytes = rest;
        *first
    }
}

/// A change to a prefix, the number in front of a value: its length or count (-1 for null), a tagged field's
/// size, the marker of a nullable struct.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Edit {
    Set(i64),
    Add(i64),
}

/// A request body that the table says is valid.
pub(crate) fn encoding(request: &Request, version: u8, tape: Tape<'_>) -> Vec<u8> {
    let mut encoder = Encoder::new(request, version, tape);
    encoder.fields(request.fields);
    encoder.body
}

/// The body with `edit` made to its `prefix`th number, or `None` if it has fewer.
pub(crate) fn edited(request: &Request, version: u8, tape: Tape<'_>, prefix: usize, edit: Edit) -> Option<Vec<u8>> {
    let mut encoder = Encoder::new(request, version, tape);
    encoder.edit = Some((prefix, edit));
    encoder.fields(request.fields);
    (prefix < encoder.prefixes).then_some(encoder.body)
}

/// A body of the shortest elements: `count` of them in its `array`th kind of array, one in each array around
/// it, and, if `tagged`, an empty tagged field nobody knows in every struct. `None` if the request has fewer
/// arrays.
pub(crate) fn dense(request: &Request, version: u8, array: usize, count: usize, tagged: bool) -> Option<Vec<u8>> {
    let mut encoder = Encoder::new(request, version, Tape::new(&[]));
    encoder.dense = Some(Dense { array, count, tagged, seen: 0 });
    encoder.fields(request.fields);
    (array < encoder.dense?.seen).then_some(encoder.body)
}

#[derive(Clone, Copy)]
enum Width {
    Byte,
    Two,
    Four,
    Varint,
}

struct Dense {
    array: usize,
    count: usize,
    tagged: bool,
    seen: usize,
}

struct Encoder<'a> {
    version: u8,
    flexible: bool,
    tape: Tape<'a>,
    edit: Option<(usize, Edit)>,
    prefixes: usize,
    dense: Option<Dense>,
    body: Vec<u8>,
}

impl<'a> Encoder<'a> {
    fn new(request: &Request, version: u8, tape: Tape<'a>) -> Self {
        let flexible = request.is_flexible(version);
        Self { version, flexible, tape, edit: None, prefixes: 0, dense: None, body: Vec::new() }
    }

    fn fields(&mut self, fields: &[Field]) {
        let present = fields.iter().filter(|field| field.versions.contains(self.version));
        let (in_place, mut tagged): (Vec<_>, Vec<_>) = present.partition(|field| field.tag.is_none());
        for field in in_place {
            self.value(&field.kind, field.nullable);
        }
        if !self.flexible {
            return;
        }
        tagged.retain(|_| self.tape.next() & 1 == 1);
        let unknown = self.dense.as_ref().is_some_and(|dense| dense.tagged) || self.tape.next() % 4 == 3;
        self.prefix(Width::Varint, (tagged.len() + usize::from(unknown)) as i64);
        for field in tagged {
            let tag = field.tag.expect("partitioned by having a tag");
            // Written twice from the same place on the tape, first to learn its size.
            let start = self.body.len();
            let (tape, prefixes) = (self.tape, self.prefixes);
            self.value(&field.kind, field.nullable);
            let size = self.body.len() - start;
            self.body.truncate(start);
            (self.tape, self.prefixes) = (tape, prefixes);
            self.body.push(tag);
            self.prefix(Width::Varint, size as i64);
            self.value(&field.kind, field.nullable);
        }
        if unknown {
            let size = self.tape.next() % 4;
            self.body.push(UNKNOWN_TAG);
            self.prefix(Width::Varint, i64::from(size));
            self.raw(size.into());
        }
    }

    fn value(&mut self, kind: &Kind, nullable: bool) {
        let null = nullable && self.tape.next() % 8 == 5;
        match kind {
            Kind::Fixed(size) => self.raw((*size).into()),
            Kind::String if null => self.length(Width::Two, -1),
            Kind::String => {
                let length = self.tape.next() % 8;
                self.length(Width::Two, length.into());
                for _ in 0..length {
                    let letter = b'a' + self.tape.next() % 26;
                    self.body.push(letter);
                }
            }
            Kind::Bytes if null => self.length(Width::Four, -1),
            Kind::Bytes => {
                let length = self.tape.next() % 16;
                self.length(Width::Four, length.into());
                self.raw(length.into());
            }
            Kind::Array(_) if null => self.length(Width::Four, -1),
            Kind::Array(element) => self.array(element),
            Kind::Struct(_) if null => self.prefix(Width::Byte, -1),
            Kind::Struct(fields) => {
                if nullable {
                    self.prefix(Width::Byte, 1);
                }
                self.fields(fields);
            }
        }
    }

    fn array(&mut self, element: &Kind) {
        let mut count = usize::from(self.tape.next() % 4);
        if let Some(dense) = &mut self.dense {
            // Arrays are met from the outside in, so those before the wanted one may be around it.
            count = match dense.seen.cmp(&dense.array) {
                Ordering::Less => 1,
                Ordering::Equal => dense.count,
                Ordering::Greater => 0,
            };
            dense.seen += 1;
        }
        self.length(Width::Four, count as i64);
        for _ in 0..count {
            self.value(element, false);
        }
    }

    fn raw(&mut self, length: usize) {
        for _ in 0..length {
            let byte = self.tape.next();
            self.body.push(byte);
        }
    }

    /// A length in the form of the version: `width` bytes, or compact.
    fn length(&mut self, width: Width, length: i64) {
        if self.flexible {
            // Compact lengths are one up, 0 for null. An edit is to the length meant.
            let length = self.next_prefix(length);
            self.varint(length.wrapping_add(1) as u32);
        } else {
            self.prefix(width, length);
        }
    }

    fn prefix(&mut self, width: Width, value: i64) {
        let value = self.next_prefix(value);
        match width {
            Width::Byte => self.body.push(value as u8),
            Width::Two => self.body.extend((value as i16).to_be_bytes()),
            Width::Four => self.body.extend((value as i32).to_be_bytes()),
            Width::Varint => self.varint(value as u32),
        }
    }

    fn next_prefix(&mut self, value: i64) -> i64 {
        let index = self.prefixes;
        self.prefixes += 1;
        match self.edit {
            Some((edited, Edit::Set(other))) if edited == index => other,
            Some((edited, Edit::Add(more))) if edited == index => value + more,
            _ => value,
        }
    }

    fn varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.body.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.body.push(value as u8);
    }
}
