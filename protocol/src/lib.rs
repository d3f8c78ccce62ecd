//! Kafka's wire protocol, without I/O, clock or runtime: frames, request and response codecs, record
//! batches viewed in place, and the records that coordinators keep in internal topics.

pub mod error_code;
pub mod preflight;
mod schema;
