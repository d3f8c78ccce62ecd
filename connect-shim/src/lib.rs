//! The place of the change data capture: Kafka Connect's REST API and Debezium's Postgres connector, which will stand
//! here. It knows no broker: what it needs of one is the port [`Destination`], which the broker implements.

pub mod destination;

pub use destination::{Destination, DestinationError, OutgoingRecord, StoredRecord, TopicSpec};
