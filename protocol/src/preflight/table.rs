//! The shape of the generated table: a request is a list of fields, a field has a wire type, and each is
//! present in a range of versions. The grammar is that of Kafka's message definitions.

/// A request as its API key names it.
#[derive(Debug)]
pub struct Request {
    /// API key in the request header.
    pub key: i16,
    /// Kafka's name of the API, without the ending "Request".
    pub name: &'static str,
    /// Versions the table describes.
    pub versions: Versions,
    /// First version in KIP-482's flexible encoding, if any is.
    pub flexible_from: Option<u8>,
    /// Fields of the body, in wire order.
    pub fields: &'static [Field],
}

impl Request {
    pub(crate) const fn new(
        key: i16,
        name: &'static str,
        first: u8,
        last: u8,
        flexible_from: Option<u8>,
        fields: &'static [Field],
    ) -> Self {
        Self { key, name, versions: Versions { first, last }, flexible_from, fields }
    }

    /// Whether `version` has compact lengths and tagged fields (KIP-482).
    pub fn is_flexible(&self, version: u8) -> bool {
        self.flexible_from.is_some_and(|first| version >= first)
    }
}

/// A field of a request or of a struct within one.
#[derive(Debug)]
pub struct Field {
    /// Kafka's name of the field.
    pub name: &'static str,
    /// What its value looks like on the wire.
    pub kind: Kind,
    /// Versions of the request that have the field.
    pub versions: Versions,
    /// Whether the value may be null. Kafka sometimes allows it from a later version than the field's first;
    /// the decoder does not make the difference, so neither does this.
    pub nullable: bool,
    /// The field's tag, when it travels among the tagged fields (KIP-482) and not in its place.
    pub tag: Option<u8>,
}

impl Field {
    pub(crate) const fn new(name: &'static str, first: u8, last: u8, kind: Kind) -> Self {
        Self { name, kind, versions: Versions { first, last }, nullable: false, tag: None }
    }

    pub(crate) const fn or_null(mut self) -> Self {
        self.nullable = true;
        self
    }

    pub(crate) const fn tagged(mut self, tag: u8) -> Self {
        self.tag = Some(tag);
        self
    }
}

/// The wire type of a value.
#[derive(Debug)]
pub enum Kind {
    /// A number, boolean or UUID of so many bytes.
    Fixed(u8),
    /// Text behind a length of two bytes, or a compact one.
    String,
    /// Bytes or records behind a length of four bytes, or a compact one.
    Bytes,
    /// Values of one kind behind a count of four bytes, or a compact one.
    Array(&'static Kind),
    /// The fields one after another, then tagged fields in a flexible version. A nullable one has a byte in
    /// front: 1 when it is there.
    Struct(&'static [Field]),
}

impl Kind {
    /// Bytes of the shortest value of this kind that is not null.
    pub fn shortest(&self, version: u8, flexible: bool) -> usize {
        match self {
            Kind::Fixed(size) => usize::from(*size),
            _ if flexible && !matches!(self, Kind::Struct(_)) => 1,
            Kind::String => 2,
            Kind::Bytes | Kind::Array(_) => 4,
            Kind::Struct(fields) => {
                let present = fields.iter().filter(|field| field.tag.is_none() && field.versions.contains(version));
                let in_place = present.map(|field| match field.kind {
                    Kind::Struct(_) if field.nullable => 1,
                    ref kind => kind.shortest(version, flexible),
                });
                in_place.sum::<usize>() + usize::from(flexible)
            }
        }
    }
}

/// A range of versions, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    /// The lowest version.
    pub first: u8,
    /// The highest version.
    pub last: u8,
}

impl Versions {
    /// Whether `version` lies in the range.
    pub const fn contains(self, version: u8) -> bool {
        self.first <= version && version <= self.last
    }
}
