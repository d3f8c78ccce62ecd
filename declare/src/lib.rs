//! The place of declared resources: topics and connectors as they stand in production's Git, brought about here. It knows
//! no broker: what it needs of one is the port [`Admin`], which the broker implements, and which a client of any other
//! Kafka can.

pub mod admin;

pub use admin::{Admin, AdminError, TopicState};
