//! The broker as its clients see it, over the wire, in this process: a module an area. One program, since each more would be
//! linked with all of the broker.

#[path = "../wire/mod.rs"]
mod wire;

mod config_resources;
mod consumer_groups;
mod durability;
mod every_version;
mod feature_levels;
mod log_cleanup;
mod newest_versions;
mod one_node;
mod produce_and_fetch;
mod quotas;
mod scram_credentials;
mod share_delivery;
mod share_groups;
mod streams_groups;
mod transactional_apis;
mod transactions;
mod without_security;
