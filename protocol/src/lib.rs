//! Kafka's wire protocol, without I/O, clock or runtime: frames, request and response codecs, record
//! batches viewed in place, and the records that coordinators keep in internal topics.
//!
//! Messages come from the `kafka-protocol` crate, re-exported in [`messages`] together with those that it
//! lacks. What a broker needs beside them stands here: limits on what a peer may send ([`frame`], [`preflight`]), headers and responses
//! ([`request`], [`response`]), a fetch response that copies no record ([`fetch_response`]), and
//! [`records`], since batches are stored and served as the bytes that arrived.

mod cursor;

pub mod consumer;
pub mod coordinator;
pub mod error_code;
pub mod fetch_response;
pub mod frame;
pub mod kafka_uuid;
pub mod messages;
pub mod metadata_log;
pub mod preflight;
pub mod records;
pub mod request;
pub mod response;
mod schema;
pub mod share_fetch_response;

pub use error_code::ErrorCode;
pub use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Message, Request, StrBytes};
