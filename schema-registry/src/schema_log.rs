//! Where schemas are kept: a compacted topic of one partition, `_schemas`, as Confluent's registry keeps them, so that
//! either can take over from the other.

use bytes::Bytes;

/// The topic's name.
pub const SCHEMAS_TOPIC: &str = "_schemas";

/// Why the log could not be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{SCHEMAS_TOPIC}: {0}")]
pub struct SchemaLogError(pub String);

/// What the registry needs of a broker.
pub trait SchemaLog: Send + Sync + 'static {
    /// Appends a record and returns its offset; no value takes away what has this key. When this returns, the record
    /// survives the death of the process.
    ///
    /// # Errors
    /// What keeps the broker from storing it.
    fn append(&self, key: Bytes, value: Option<Bytes>) -> Result<i64, SchemaLogError>;

    /// Gives `visit` every record in order: key and value.
    ///
    /// # Errors
    /// What keeps the log from being read.
    fn replay(&self, visit: &mut dyn FnMut(Bytes, Option<Bytes>)) -> Result<(), SchemaLogError>;
}
