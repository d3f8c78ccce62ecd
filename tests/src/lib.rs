//! What the end-to-end tests stand on: the built binary as a process, and real clients as drivers.
//!
//! The clients are installed by `scripts/setup`; `tests/clients/README.md` says what each can do.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

pub mod admin_tools;
pub mod apache_kafka;
pub mod broker;
pub mod capture;
pub mod change_load;
pub mod client;
pub mod command_line;
pub mod connect;
pub mod connect_rest;
pub mod differential;
pub mod http;
pub mod java;
pub mod log_client;
pub mod matrix;
pub mod postgres;
pub mod process;
pub mod subject;
pub mod wire;

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The top of the repository.
pub fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("the crate lies in the repository").to_owned()
}

/// Asks until the answer is yes.
///
/// # Panics
/// If it is not within `limit`; `what` says what was waited for.
pub fn wait_until(what: &str, limit: Duration, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
