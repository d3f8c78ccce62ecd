//! Change data capture: Kafka Connect's REST API and worker, and Debezium's Postgres connector. It knows no broker: what it
//! needs of one is the port [`Destination`], which the broker implements.

pub mod connector_config;
pub mod converters;
pub mod data;
pub mod debezium;
pub mod destination;
pub mod java;
pub mod metrics;
pub mod postgres;
pub mod rest;
pub mod runtime;
pub mod source;
pub mod spool;
pub mod transforms;

pub use destination::{
    Destination, DestinationError, LargeRecord, OutgoingHeaders, OutgoingRecord, StoredRecord, TopicSpec,
    TransactionalProducer,
};
