//! The TCP server: listeners, connections, and what they may take.

pub(crate) mod connection;
pub(crate) mod limits;
pub(crate) mod listener;
