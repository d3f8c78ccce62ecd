//! The broker as other crates of the workspace need it: each states a port, and here it is implemented. So they know
//! nothing of the broker, and can be tested without one.

#[cfg(feature = "declare")]
pub(crate) mod admin;
#[cfg(all(feature = "connect", feature = "declare"))]
pub(crate) mod connectors;
#[cfg(feature = "connect")]
pub(crate) mod destination;
#[cfg(feature = "schema-registry")]
pub(crate) mod schema_log;
#[cfg(feature = "connect")]
mod transactional_producer;
