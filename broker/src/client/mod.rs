//! The binary as a client of any other Kafka, or of another Brooklet: what `apply`, `diff`, `export` and `selftest` need,
//! over the ordinary protocols. The broker itself uses none of it.

mod admin;
mod connect_rest;
mod connection;
mod http;
mod sasl;
mod settings;
mod transport;

pub(crate) use admin::KafkaAdmin;
pub(crate) use connect_rest::ConnectRest;
pub(crate) use connection::{KafkaConnection, topic_name};
pub(crate) use http::{Url, request};
pub(crate) use settings::ClientSettings;
