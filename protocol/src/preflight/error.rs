//! Why a request body was refused, in words for the log: which request, which field, what it asked for and
//! what there was. Nothing here allocates, as the walk itself does not.

use std::fmt;

use thiserror::Error;

use super::MAX_ELEMENTS;
use super::table::Field;

/// A request body that must not be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PreflightError {
    /// The table has no request with this API key.
    #[error("no request has api key {api_key}")]
    UnknownApi {
        /// API key of the request header.
        api_key: i16,
    },
    /// The table has the request, but not at this version.
    #[error("{api} has no version {version}")]
    UnsupportedVersion {
        /// Kafka's name of the API.
        api: &'static str,
        /// Version of the request header.
        version: i16,
    },
    /// The body is not a request of this API and version.
    #[error("{api} v{version}: {field} {fault}")]
    Malformed {
        /// Kafka's name of the API.
        api: &'static str,
        /// Version of the request header.
        version: i16,
        /// Where in the structure the walk stopped.
        field: FieldPath,
        /// What is wrong there.
        fault: Fault,
    },
}

/// What is wrong with a field. `remaining` counts the body's bytes from where the value (after its length or
/// count) should begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Fault {
    /// The body ends within the value, or within its length.
    #[error("takes {wanted} bytes, but {remaining} remain")]
    EndsEarly {
        /// Bytes of the value.
        wanted: usize,
        /// Bytes left in the body.
        remaining: usize,
    },
    /// A length or count below -1.
    #[error("has the length {length}")]
    NegativeLength {
        /// The length as sent.
        length: i32,
    },
    /// Null where the request does not allow it.
    #[error("must not be null")]
    Null,
    /// More array elements than the rest of the body can hold.
    #[error("counts {count} elements of {shortest} or more bytes, but {remaining} bytes remain")]
    Count {
        /// Elements as counted by the sender.
        count: u32,
        /// Bytes of the shortest element.
        shortest: usize,
        /// Bytes left in the body.
        remaining: usize,
    },
    /// More tagged fields than the rest of the body can hold.
    #[error("counts {count} tagged fields, but {remaining} bytes remain")]
    TagCount {
        /// Tagged fields as counted by the sender.
        count: u32,
        /// Bytes left in the body.
        remaining: usize,
    },
    /// A tagged field that this version of the request does not have, though another one does.
    #[error("holds tag {tag}, which is of another version")]
    MisplacedTag {
        /// The tag as sent.
        tag: u32,
    },
    /// More array elements and tagged fields in the whole request than [`MAX_ELEMENTS`].
    #[error("counts {count} more elements, past the {MAX_ELEMENTS} a request may have")]
    TooManyElements {
        /// Elements of the array, or tagged fields, at which the limit is passed.
        count: u32,
    },
}

/// Names of the fields from the body down to a value, such as `Topics.Partitions`.
#[derive(Clone, Copy)]
pub struct FieldPath {
    /// Innermost first, then `None`.
    fields: [Option<&'static Field>; Self::LIMIT],
}

impl FieldPath {
    /// Longest path in the table; the walker asserts it.
    pub(super) const LIMIT: usize = 5;

    pub(super) const fn body() -> Self {
        Self { fields: [None; Self::LIMIT] }
    }

    /// The same value as seen from one level further out, where it lies within `outer`.
    pub(super) fn within(mut self, outer: &'static Field) -> Self {
        if let Some(free) = self.fields.iter_mut().find(|field| field.is_none()) {
            *free = Some(outer);
        }
        self
    }

    /// The names, from the body inwards; none when the body as a whole is meant.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.fields.iter().rev().flatten().map(|field| field.name)
    }
}

impl PartialEq for FieldPath {
    fn eq(&self, other: &Self) -> bool {
        self.names().eq(other.names())
    }
}

impl Eq for FieldPath {}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = self.names();
        f.write_str(names.next().unwrap_or("the body"))?;
        names.try_for_each(|name| write!(f, ".{name}"))
    }
}

impl fmt::Debug for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}
