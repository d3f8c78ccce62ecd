//! Debezium's Postgres connector: its configuration, its events, and the task that makes them of what PostgreSQL streams.
//!
//! What events look like is Debezium's down to the names of schemas, so that who reads them cannot tell. From bottom to top:
//! `types` makes values of texts, `table_schema` keys and rows of values, `event` records of rows; `snapshot` and `streaming`
//! read, `task` decides what is read when.

mod blocking;
mod chunk_bounds;
mod column_mapper;
pub mod config;
mod connection_check;
mod error;
mod event;
mod filters;
mod hash_order;
mod heartbeat;
mod incremental;
mod logical_message;
pub(crate) mod name_adjustment;
mod naming;
mod notification;
mod offset;
mod plugin;
mod preparation;
mod relational;
mod resume;
mod schemas;
mod signal;
mod signal_file;
mod signal_topic;
mod slot_lag;
mod snapshot;
mod source_info;
mod streaming;
mod table_schema;
mod task;
mod transaction;
mod types;

pub use config::{ConfigError, PostgresConnectorConfig};
pub use plugin::PostgresConnector;
pub use source_info::{CONNECTOR_NAME, DEBEZIUM_VERSION};
pub use task::PostgresConnectorTask;
