//! A look at a request body before `kafka-protocol` decodes it. That crate reserves room for as many array
//! elements as the body says there are, so that five bytes can ask it for 154 GB and abort the process.
//! [`check`] walks the body over a table of all requests, generated from Kafka's message definitions, and
//! refuses what cannot be there. It allocates nothing, and it recurses only as deep as the table.

mod error;
pub mod table;

pub use error::{Fault, FieldPath, PreflightError};

use crate::schema::REQUESTS;
use table::{Field, Kind, Request};

/// Most array elements and tagged fields in one request, all levels together.
///
/// A fetch of 100,000 partitions takes less than half of them. The limit is for the decoded size: a decoder
/// makes up to 300 bytes of an element or tag that took two or three, so that no request decodes into more
/// than 80 MB beside its own bytes, whatever size of frame is allowed.
pub const MAX_ELEMENTS: usize = 262_144;

/// Checks that `body` has the structure of a request `api_key` at `version`, so that decoding it allocates no
/// more than a bounded multiple of the body.
///
/// `body` begins behind the request header. Bytes behind the request are no fault, as a stock broker ignores
/// them. Text is not checked to be UTF-8; the decoder does that.
///
/// # Errors
///
/// [`PreflightError`] if there is no such request or version, or with the first field that cannot be as the
/// body has it.
pub fn check(api_key: i16, version: i16, body: &[u8]) -> Result<(), PreflightError> {
    let request = request(api_key).ok_or(PreflightError::UnknownApi { api_key })?;
    let api = request.name;
    let in_table = u8::try_from(version).ok().filter(|version| request.versions.contains(*version));
    let known = in_table.ok_or(PreflightError::UnsupportedVersion { api, version })?;

    let mut walk =
        Walk { rest: body, version: known, flexible: request.is_flexible(known), elements_left: MAX_ELEMENTS };
    walk.fields(request.fields).map_err(|Trouble { field, fault }| PreflightError::Malformed {
        api,
        version,
        field,
        fault,
    })
}

/// All requests that [`check`] knows, by ascending API key.
pub fn requests() -> &'static [Request] {
    REQUESTS
}

fn request(api_key: i16) -> Option<&'static Request> {
    let index = REQUESTS.binary_search_by_key(&api_key, |request| request.key).ok()?;
    Some(&REQUESTS[index])
}

/// The part of a body not yet seen, and what is needed to read it.
struct Walk<'a> {
    rest: &'a [u8],
    version: u8,
    flexible: bool,
    elements_left: usize,
}

impl Walk<'_> {
    /// The fields of the body or of a struct in it.
    fn fields(&mut self, fields: &'static [Field]) -> Result<(), Trouble> {
        for field in fields {
            if field.tag.is_none() && field.versions.contains(self.version) {
                self.value(&field.kind, field.nullable).map_err(|trouble| trouble.within(field))?;
            }
        }
        if self.flexible {
            self.tagged_fields(fields)?;
        }
        Ok(())
    }

    // Inlined, and its failures kept out of line: a fetch comes here eight times a partition.
    #[inline(always)]
    fn value(&mut self, kind: &'static Kind, nullable: bool) -> Result<(), Trouble> {
        match kind {
            Kind::Fixed(size) => self.skip(usize::from(*size))?,
            Kind::String => {
                let length = self.string_length()?;
                self.skip(present(length, nullable)?)?;
            }
            Kind::Bytes => {
                let length = self.length()?;
                self.skip(present(length, nullable)?)?;
            }
            Kind::Array(element) => self.array(element, nullable)?,
            Kind::Struct(fields) => {
                // Kafka reads a struct behind any marker that is not negative; the decoder, which must be
                // followed, only behind 1.
                if !nullable || self.take::<1>()? == [1] {
                    self.fields(fields)?;
                }
            }
        }
        Ok(())
    }

    fn array(&mut self, element: &'static Kind, nullable: bool) -> Result<(), Trouble> {
        let length = self.length()?;
        let count = present(length, nullable)?;
        let shortest = element.shortest(self.version, self.flexible).max(1);
        if count > self.rest.len() / shortest {
            return Err(Fault::Count { count: count as u32, shortest, remaining: self.rest.len() }.into());
        }
        self.spend(count)?;
        match element {
            Kind::Fixed(size) => self.skip(count * usize::from(*size))?,
            _ => {
                for _ in 0..count {
                    self.value(element, false)?;
                }
            }
        }
        Ok(())
    }

    /// The tagged fields (KIP-482) that end every struct of a flexible version.
    fn tagged_fields(&mut self, fields: &'static [Field]) -> Result<(), Trouble> {
        let count = self.varint()?;
        // A tag and a size of a byte each, at least.
        if count as usize > self.rest.len() / 2 {
            return Err(Fault::TagCount { count, remaining: self.rest.len() }.into());
        }
        self.spend(count as usize)?;
        for _ in 0..count {
            let tag = self.varint()?;
            let size = self.varint()?;
            let Some(field) = fields.iter().find(|field| field.tag.is_some_and(|known| u32::from(known) == tag)) else {
                self.skip(size as usize)?;
                continue;
            };
            if !field.versions.contains(self.version) {
                return Err(Fault::MisplacedTag { tag }.into());
            }
            // Kafka and the decoder alike read the value of a tag they know and disregard its size.
            self.value(&field.kind, field.nullable).map_err(|trouble| trouble.within(field))?;
        }
        Ok(())
    }

    fn spend(&mut self, elements: usize) -> Result<(), Fault> {
        self.elements_left =
            self.elements_left.checked_sub(elements).ok_or(Fault::TooManyElements { count: elements as u32 })?;
        Ok(())
    }

    /// The length of a string; `None` for null.
    fn string_length(&mut self) -> Result<Option<usize>, Fault> {
        if self.flexible {
            return self.length();
        }
        signed_length(i32::from(i16::from_be_bytes(self.take()?)))
    }

    /// The length of bytes or the count of an array; `None` for null.
    fn length(&mut self) -> Result<Option<usize>, Fault> {
        if self.flexible {
            return Ok(self.varint()?.checked_sub(1).map(|length| length as usize));
        }
        signed_length(i32::from_be_bytes(self.take()?))
    }

    /// An unsigned varint, of which the decoder reads five bytes at most whatever the fifth says.
    fn varint(&mut self) -> Result<u32, Fault> {
        let mut value = 0;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.take()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        Ok(value)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let Some((taken, rest)) = self.rest.split_first_chunk() else {
            return Err(Fault::EndsEarly { wanted: N, remaining: self.rest.len() });
        };
        self.rest = rest;
        Ok(*taken)
    }

    fn skip(&mut self, wanted: usize) -> Result<(), Fault> {
        let remaining = self.rest.len();
        self.rest = self.rest.get(wanted..).ok_or(Fault::EndsEarly { wanted, remaining })?;
        Ok(())
    }
}

fn signed_length(length: i32) -> Result<Option<usize>, Fault> {
    match length {
        -1 => Ok(None),
        _ => usize::try_from(length).map(Some).map_err(|_| Fault::NegativeLength { length }),
    }
}

/// The length itself, or nothing to skip if null is allowed.
fn present(length: Option<usize>, nullable: bool) -> Result<usize, Fault> {
    match length {
        None if !nullable => Err(Fault::Null),
        _ => Ok(length.unwrap_or(0)),
    }
}

/// A fault on its way out of the structs it lies in, each of which adds its name.
struct Trouble {
    field: FieldPath,
    fault: Fault,
}

impl Trouble {
    #[cold]
    fn within(self, field: &'static Field) -> Self {
        Self { field: self.field.within(field), fault: self.fault }
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self { field: FieldPath::body(), fault }
    }
}

const _: () = {
    let mut index = 0;
    while index < REQUESTS.len() {
        assert!(depth(REQUESTS[index].fields) <= FieldPath::LIMIT);
        index += 1;
    }
};

/// Levels of fields in a struct: 1 if none of them is a struct.
const fn depth(fields: &[Field]) -> usize {
    let mut deepest = 0;
    let mut index = 0;
    while index < fields.len() {
        let mut kind = &fields[index].kind;
        while let Kind::Array(element) = kind {
            kind = element;
        }
        let below = if let Kind::Struct(inner) = kind { depth(inner) } else { 0 };
        if below > deepest {
            deepest = below;
        }
        index += 1;
    }
    deepest + 1
}
