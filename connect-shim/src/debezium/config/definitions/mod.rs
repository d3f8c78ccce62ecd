//! Every property of the connector's own, by what it is about.

mod advanced;
mod connection;
mod connector;
mod snapshot;

use super::definition::{Check, Definition, Effect};

/// All of them.
pub(super) static ALL: [&[Definition]; 4] =
    [connection::DEFINITIONS, connector::DEFINITIONS, snapshot::DEFINITIONS, advanced::DEFINITIONS];
