//! Brooklet beside Apache Kafka and the light brokers: the same clients, the same machine, one run, turn by turn.
//!
//! `just compare` runs everything; `just compare --quick` a few minutes' worth; `--only SECTION` one part. The result is a table of
//! medians with their spread and of ratios (`comparison.md`), the samples (`comparison.json`) and plots (`*.svg`).
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on should stop")]

mod candidate;
mod changes;
mod clients;
mod measure;
mod pages;
mod plan;
mod plots;
mod process;
mod report;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;

use candidate::{Candidate, Kind};
use plan::Plan;
use report::Report;

const USAGE: &str = "compare [--quick] [--rounds N] [--only SECTION]... [--peers] [--out DIR]

  --quick     less data and fewer rounds: a look, not a result
  --rounds N  how often each figure is taken, turn by turn
  --only S    start, groups, latency, topics, scale, produce, consume, restart, changes
  --peers     the light brokers too, where scripts/setup peers has installed them
  --out DIR   where the result goes (default: target/comparison)";

fn main() {
    let mut plan = Plan::full();
    let mut out = brooklet_tests::root().join("target/comparison");
    let mut peers = false;
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().unwrap_or_else(|| stop(&format!("{arg} needs a value")));
        match arg.as_str() {
            "--quick" => plan = Plan { only: plan.only, ..Plan::quick() },
            "--rounds" => plan.rounds = value().parse().unwrap_or_else(|_| stop("--rounds needs a number")),
            "--only" => plan.only.push(value()),
            "--out" => out = PathBuf::from(value()),
            "--peers" => peers = true,
            "--help" => {
                println!("{USAGE}");
                return;
            }
            _ => stop(&format!("unknown argument {arg}")),
        }
    }
    let mut candidates = vec![
        Candidate::new(Kind::Brooklet),
        Candidate::new(Kind::ApacheKafka { name: "Apache Kafka", heap: &["-Xmx1G", "-Xms1G"], under_load: true }),
        Candidate::new(Kind::ApacheKafka { name: "Apache Kafka, small heap", heap: &["-Xmx256M"], under_load: false }),
    ];
    if peers {
        candidates.extend(Candidate::installed_peers());
    }
    let mut report = Report::new(&candidates);
    let measured = catch_unwind(AssertUnwindSafe(|| measure::all(&plan, &candidates, &mut report)));
    // An hour's figures are worth keeping when a later one cannot be had.
    std::fs::create_dir_all(&out).unwrap();
    report.write(&out);
    plots::write(&report, &out);
    println!("{}", out.join("comparison.md").display());
    if let Err(failure) = measured {
        resume_unwind(failure);
    }
}

fn stop(what: &str) -> ! {
    eprintln!("{what}\n\n{USAGE}");
    std::process::exit(64);
}
