//! The worker (`org.apache.kafka.connect.runtime`): connectors with a task each, their configs, offsets and states in
//! topics, in Connect's own formats, so that a real worker can take over from this one, and this one from it.
//!
//! [`Herder`] is what the REST API asks. Until the first connector exists it keeps nothing and has no topic.

mod clock;
mod config_state;
mod connector_offsets;
mod error_tolerance;
mod herder;
mod herder_error;
mod offset_store;
mod partitioner;
mod record_maker;
mod record_writer;
mod settings;
mod status;
mod status_store;
mod task_runner;

pub(crate) use clock::now_ms;
pub use herder::{ConnectorInfo, Herder};
pub use herder_error::HerderError;
pub use settings::WorkerSettings;
pub use status::{State, Status, TargetState};
