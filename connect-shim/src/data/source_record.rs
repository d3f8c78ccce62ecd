//! What a source task gives out (`org.apache.kafka.connect.source.SourceRecord`).

use std::sync::Arc;

use super::{Schema, Value};

/// A source partition or a source offset: a flat JSON object, as Connect keeps it in its offsets topic.
pub type OffsetMap = serde_json::Map<String, serde_json::Value>;

/// A header of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// Its name.
    pub name: Arc<str>,
    /// What its value is; `None` where that is not known.
    pub schema: Option<Arc<Schema>>,
    /// Its value.
    pub value: Value,
}

/// An event on its way into a topic.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceRecord {
    /// From where in the source to go on once this is written.
    pub offset: Arc<OffsetMap>,
    /// The topic.
    pub topic: Arc<str>,
    /// The partition; `None` leaves it to the key.
    pub partition: Option<i32>,
    /// What the key is; `None` with a key that is null, or that has no schema.
    pub key_schema: Option<Arc<Schema>>,
    /// The key.
    pub key: Value,
    /// What the value is; `None` with a tombstone.
    pub value_schema: Option<Arc<Schema>>,
    /// The value; null is a tombstone.
    pub value: Value,
    /// Milliseconds since 1970; `None` is when it is written.
    pub timestamp: Option<i64>,
    /// Headers in order.
    pub headers: Vec<Header>,
}
