//! Why a value cannot be what it is said to be (`org.apache.kafka.connect.errors.DataException`, mostly).

/// What is wrong with a record's data, in Connect's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DataError {
    class: &'static str,
    message: String,
}

impl DataError {
    /// An error that says this.
    pub fn new(message: impl Into<String>) -> Self {
        Self::of("org.apache.kafka.connect.errors.DataException", message)
    }

    /// One that is another of Java's exceptions.
    pub fn of(class: &'static str, message: impl Into<String>) -> Self {
        Self { class, message: message.into() }
    }

    /// The Java exception that it is.
    pub fn class(&self) -> &'static str {
        self.class
    }
}
