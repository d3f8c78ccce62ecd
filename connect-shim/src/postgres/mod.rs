//! PostgreSQL as a source of changes: connections, the catalog, slots, publications and the logical replication stream.
//!
//! One small client speaks the protocol, since the stream needs what ordinary drivers do not have. Everything else is asked
//! through the simple query protocol, whose values are the same texts that the stream has.

mod authentication;
mod catalog;
mod connection;
mod connection_config;
mod error;
mod lsn;
pub mod pgoutput;
mod publication;
mod quote;
mod replication;
mod row;
mod slot;
#[cfg(feature = "tls")]
mod tls;
mod type_registry;

pub use catalog::{Catalog, CatalogColumn, CatalogTable};
pub use connection::Connection;
pub use connection_config::{ConnectionConfig, SslMode};
pub use error::{PostgresError, SqlState};
pub use lsn::{Lsn, NotAnLsn};
pub use publication::{AutocreateMode, Publication, PublicationError};
pub use quote::{identifier, literal};
pub use replication::{ReplicationEvent, ReplicationStream};
pub use row::{Row, Rows};
pub use slot::{CreatedSlot, ReplicationSlot, SlotState};
pub use type_registry::{PostgresType, TypeRegistry};
