//! A Kafka for development: one small binary, or a broker inside your test.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use brooklet::{Broker, Record};
//!
//! let broker = Broker::builder().ephemeral().start().await?;
//! // Any Kafka client, of any language, can use it now:
//! let servers: &str = broker.bootstrap_servers();
//! assert!(servers.starts_with("127.0.0.1:"));
//!
//! // A test may do without a client:
//! broker.create_topic("orders", 3)?;
//! broker.produce("orders", 0, [Record::new("key", "value")])?;
//! assert_eq!(broker.records("orders")?.len(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! Nothing is global: several brokers in one process know nothing of each other. Nothing is printed either: events go
//! to whatever [`tracing`] subscriber the program has.

mod adapters;
mod adoption;
mod apis;
mod blocking;
mod broker;
mod builder;
mod clock;
pub mod config;
mod coordinator;
mod error;
mod features;
mod fetch_session;
mod fetch_wait;
mod flusher;
mod groups;
mod handlers;
mod in_process;
mod log_manager;
mod loggers;
mod metrics;
mod node;
mod partition;
mod partition_scan;
mod quotas;
mod scram;
mod server;
mod share;
mod topic_settings;
mod topics;
mod txn;

#[cfg(feature = "declare")]
pub use adapters::admin::BrokerAdmin;
#[cfg(all(feature = "connect", feature = "declare"))]
pub use adapters::connectors::WorkerConnectors;
#[cfg(feature = "connect")]
pub use adapters::destination::BrokerDestination;
#[cfg(feature = "schema-registry")]
pub use adapters::schema_log::BrokerSchemaLog;
pub use blocking::BlockingBroker;
pub use broker::{Address, Broker, MetricsSource};
pub use builder::{BrokerBuilder, StartError};
pub use in_process::{ConsumedRecord, Record, RecordsError};
pub use metrics::Exposition;
pub use server::listener::BindError;
