//! Texts. A large one is not copied out of the message in which it came.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;

/// From how many bytes on a value is large: worth to share the memory that it came in, and to keep that memory for it.
pub const LARGE: usize = 256 * 1024;

/// A text, cheap to clone.
#[derive(Clone)]
pub struct Text(Kept);

#[derive(Clone)]
enum Kept {
    Own(Arc<str>),
    /// UTF-8, which it was found to be when it was taken.
    Shared(Bytes),
}

impl Text {
    /// The text that these bytes are, without a copy; `None` if they are not UTF-8.
    pub fn sharing(bytes: Bytes) -> Option<Self> {
        std::str::from_utf8(&bytes).ok()?;
        Some(Self(Kept::Shared(bytes)))
    }

    /// How many bytes it has in UTF-8.
    pub fn size(&self) -> usize {
        match &self.0 {
            Kept::Own(text) => text.len(),
            Kept::Shared(bytes) => bytes.len(),
        }
    }

    /// Its bytes in UTF-8; those of a large text without a copy.
    pub fn to_bytes(&self) -> Bytes {
        match &self.0 {
            Kept::Own(text) => Bytes::copy_from_slice(text.as_bytes()),
            Kept::Shared(bytes) => bytes.clone(),
        }
    }

    /// The text in memory of its own.
    pub fn to_own(&self) -> Arc<str> {
        match &self.0 {
            Kept::Own(text) => Arc::clone(text),
            Kept::Shared(_) => (**self).into(),
        }
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.0 {
            Kept::Own(text) => text,
            Kept::Shared(bytes) => std::str::from_utf8(bytes).expect("it was looked at when it was taken"),
        }
    }
}

impl<T: Into<Arc<str>>> From<T> for Text {
    fn from(text: T) -> Self {
        Self(Kept::Own(text.into()))
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_text_is_the_same_wherever_it_is_kept() {
        let shared = Text::sharing(Bytes::from_static("grün".as_bytes())).unwrap();
        assert_eq!(shared, Text::from("grün"));
        assert_eq!((&*shared.to_own(), shared.to_bytes()), ("grün", Text::from("grün").to_bytes()));
        assert!(Text::sharing(Bytes::from_static(&[0xff])).is_none());
    }
}
