//! Rows of a query's answer.

use bytes::Bytes;

/// A row of a query's answer, as texts.
#[derive(Debug, Clone)]
pub struct Row {
    body: Bytes,
}

impl Row {
    /// The row of a DataRow.
    pub(super) fn new(body: Bytes) -> Self {
        Self { body }
    }

    /// The message that it is.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Its values; `None` is null.
    pub fn values(&self) -> impl Iterator<Item = Option<&[u8]>> {
        let mut rest = self.body.get(2..).unwrap_or_default();
        std::iter::from_fn(move || {
            let (length, after) = rest.split_first_chunk::<4>()?;
            let length = i32::from_be_bytes(*length);
            let Ok(length) = usize::try_from(length) else {
                rest = after;
                return Some(None);
            };
            let (value, after) = after.split_at_checked(length)?;
            rest = after;
            Some(Some(value))
        })
    }
}

/// The answer to a small query, all of it.
#[derive(Debug, Clone, Default)]
pub struct Rows(Vec<Vec<Option<String>>>);

impl Rows {
    /// These rows.
    pub(super) fn new(rows: Vec<Vec<Option<String>>>) -> Self {
        Self(rows)
    }

    /// Its rows.
    pub fn iter(&self) -> impl Iterator<Item = &[Option<String>]> {
        self.0.iter().map(Vec::as_slice)
    }

    /// The first value of the first row.
    pub fn single(&self) -> Option<&str> {
        self.0.first()?.first()?.as_deref()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
