//! The place of the Confluent-compatible Schema Registry, which will stand here. It knows no broker: what it needs of one
//! is the port [`SchemaLog`], which the broker implements.

pub mod schema_log;

pub use schema_log::{SchemaLog, SchemaLogError};
