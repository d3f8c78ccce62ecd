//! Why a value cannot be what it is said to be (`org.apache.kafka.connect.errors.DataException`).

/// What is wrong with a record's data, in Connect's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DataError(String);

impl DataError {
    /// An error that says this.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}
