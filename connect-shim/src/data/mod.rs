//! Connect's data model: what a source task gives out, before a converter has made bytes of it
//! (`org.apache.kafka.connect.data`).
//!
//! Logical types are not values of their own: a `Date` is an `int32` whose schema has Connect's name for dates. So a value
//! is always one of Kafka Connect's primitive types or made of them.

mod data_error;
pub mod logical;
mod schema;
mod schema_cache;
mod source_record;
mod text;
mod value;

pub use data_error::DataError;
pub use schema::{Field, Schema, SchemaType};
pub(crate) use schema_cache::SchemaCache;
pub use source_record::{Header, OffsetMap, SourceRecord};
pub use text::{LARGE, Text};
pub use value::{Struct, Value};
