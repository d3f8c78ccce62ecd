//! The group coordinator: who is in which group, who reads what, and how far they have come.
//!
//! [`shard::GroupShard`] is the state machine: no I/O, no clock. [`runtime::GroupCoordinator`] is the task that owns
//! it, with a mailbox for handlers, and that keeps its records in `__consumer_offsets`.

pub(crate) mod assignor;
pub(crate) mod classic;
pub(crate) mod consumer;
pub(crate) mod group;
pub(crate) mod group_configs;
pub(crate) mod offsets;
pub(crate) mod offsets_topic;
pub(crate) mod requests;
pub(crate) mod runtime;
pub(crate) mod shard;
pub(crate) mod share;
pub(crate) mod streams;
pub(crate) mod subscription_regex;
#[cfg(test)]
mod testing;
pub(crate) mod topics_image;
pub(crate) mod transactional_offsets;
