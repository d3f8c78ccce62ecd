//! Cases whose events a real Debezium 3.7 has written: replayed against a real PostgreSQL and compared in full, keys, values,
//! schemas, headers and order.
//!
//! Cases stand in `tests/cases`; `GOLDEN_CASES` names further directories, `GOLDEN_ONLY` the cases to replay.
#![allow(clippy::unwrap_used)]

#[path = "golden/case.rs"]
mod case;
#[path = "golden/normalise.rs"]
mod normalise;
#[path = "golden/postgres.rs"]
mod postgres;
#[path = "golden/worker.rs"]
mod worker;

use std::path::{Path, PathBuf};

use case::Case;
use postgres::Postgres;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_those_of_debezium() {
    let Some(postgres) = Postgres::start() else {
        eprintln!(
            "PostgreSQL IS NOT INSTALLED: NO EVENT HAS BEEN COMPARED WITH DEBEZIUM'S. Run scripts/setup postgres."
        );
        return;
    };
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let more = std::env::var("GOLDEN_CASES").unwrap_or_default();
    let directories: Vec<PathBuf> = std::iter::once(own).chain(std::env::split_paths(&more)).collect();
    let only = std::env::var("GOLDEN_ONLY").unwrap_or_default();
    let wanted = |case: &Case| only.is_empty() || only.split(',').any(|name| name == case.name);
    let version: u32 = postgres.psql("postgres", "show server_version_num").trim().parse().unwrap();
    let mut failures = Vec::new();
    let mut count = 0;
    for case in directories.iter().filter(|path| path.is_dir()).flat_map(|path| Case::all(path)).filter(wanted) {
        if version < 140_000 && case.script().contains("pg_logical_emit_message") {
            eprintln!("{} IS LEFT OUT: this server's stream has no messages", case.name);
            continue;
        }
        match case.replay(&postgres).await {
            // The cases are of version 15.
            Err(found) if version < 150_000 && found.starts_with(case::REFUSED) => {
                eprintln!("{} IS LEFT OUT: {found}", case.name);
                continue;
            }
            Err(found) => failures.push(format!("{}:\n{found}", case.name)),
            Ok(()) => {}
        }
        count += 1;
    }
    assert!(failures.is_empty(), "{} of {count} cases differ\n{}", failures.len(), failures.join("\n"));
    eprintln!("{count} cases are as Debezium has them");
}
