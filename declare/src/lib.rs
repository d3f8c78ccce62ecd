//! Declared resources: topics and connectors as they stand in production's Git, brought about. It knows no broker: what
//! it needs of one are the ports [`Admin`] and [`Connect`], which the broker implements for itself, and which a client
//! implements for any other Kafka.
//!
//! [`source`] finds files, [`document`] reads them with the line of everything, [`manifest`] says what they declare,
//! [`reconcile`] what is to be done about it, and [`watch`] does so again whenever a file has changed.

pub mod admin;
pub mod condition;
pub mod document;
pub mod export;
pub mod manifest;
pub mod reconcile;
pub mod secrets;
pub mod source;
pub mod watch;

pub use admin::{Admin, AdminError, ConfigChanges, Connect, ConnectorState, NewTopic, RunState, TopicState};
pub use condition::{Condition, Place, Reason, Status};
pub use manifest::{Declared, DeclaredConnector, DeclaredTopic, Resource};
pub use reconcile::{Plan, Reconciler, Remembered, Report};
pub use secrets::Secrets;
pub use source::{Loaded, load};
