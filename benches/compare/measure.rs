//! What is measured, turn by turn: every candidate once, then every candidate again.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::candidate::{Candidate, Running};
use crate::changes::changes;
use crate::clients::{self, Latency, Load, Throughput};
use crate::pages;
use crate::plan::Plan;
use crate::process::{cpu_seconds, resident};
use crate::report::{Better, Report};

type Measure = fn(&Plan, &[Running], &mut Report);

/// What is measured of brokers that run side by side.
const SECTIONS: [(&str, Measure); 6] = [
    ("groups", groups),
    ("latency", latency),
    ("topics", topics),
    ("scale", scale),
    ("produce", produce),
    ("consume", consume),
];

/// Runs the plan's sections.
pub(crate) fn all(plan: &Plan, candidates: &[Candidate], report: &mut Report) {
    if plan.has("start") {
        start(plan, candidates, report);
    }
    let side_by_side = SECTIONS.iter().any(|(section, _)| plan.has(section)) || plan.has("restart");
    let loaded = candidates.iter().copied().filter(|candidate| side_by_side && candidate.under_load());
    let loaded: Vec<Candidate> = loaded.collect();
    let mut running: Vec<Running> = loaded.iter().map(Candidate::start).collect();
    for (section, measure) in SECTIONS {
        if plan.has(section) {
            measure(plan, &running, report);
        }
    }
    if plan.has("produce") || plan.has("consume") {
        for broker in alive(&running) {
            let memory = resident(broker.pid());
            report.add("memory", "resident, after the load", "MiB", Better::Lower, broker.name(), memory.now);
            report.add("memory", "resident, peak under load", "MiB", Better::Lower, broker.name(), memory.peak);
        }
    }
    if plan.has("restart") {
        restart(plan, &mut running, report);
    }
    drop(running);
    if plan.has("changes") {
        changes(plan, report);
    }
}

fn start(plan: &Plan, candidates: &[Candidate], report: &mut Report) {
    for round in 0..plan.rounds {
        for candidate in candidates {
            pages::have_at_hand();
            let mut broker = candidate.start();
            let mut add = |what: &str, unit, value| {
                note(candidate.name(), what, value, unit);
                report.add("start", what, unit, Better::Lower, candidate.name(), value);
            };
            add("exec to first acknowledged record", "ms", broker.first_ack);
            add("processor time to there", "CPU s", cpu_seconds(broker.pid()));
            // Once is enough for what takes the longest to watch.
            if round == 0 {
                std::thread::sleep(Duration::from_secs(plan.idle_seconds));
                let before = cpu_seconds(broker.pid());
                std::thread::sleep(Duration::from_secs(plan.idle_seconds));
                let used = cpu_seconds(broker.pid()) - before;
                add("processor, idle", "% of a core", 100.0 * used / plan.idle_seconds as f64);
                let memory = resident(broker.pid());
                add("resident memory, idle", "MiB", memory.now);
                add("of it anonymous", "MiB", memory.anonymous);
            }
            broker.stop();
        }
    }
}

fn groups(plan: &Plan, running: &[Running], report: &mut Report) {
    for protocol in ["classic", "consumer"] {
        for _ in 0..plan.rounds {
            for broker in alive(running) {
                let what = format!("fresh {protocol} group, first poll to first record");
                let answer = clients::looped(&broker.bootstrap(), &["group", protocol]);
                let Some(answer) = told(broker, &what, answer) else { continue };
                let value = answer["first"].as_f64().unwrap();
                note(broker.name(), &what, value, "ms");
                report.add("groups", &what, "ms", Better::Lower, broker.name(), value);
            }
        }
    }
}

fn latency(plan: &Plan, running: &[Running], report: &mut Report) {
    let seconds = plan.latency_seconds.to_string();
    for _ in 0..plan.rounds {
        for broker in alive(running) {
            for (what, args) in [
                ("one record in flight, to its ack", vec!["acks", &seconds]),
                ("end to end at 1,000 records a second", vec!["end-to-end", &seconds, "1000"]),
            ] {
                let answer = clients::looped(&broker.bootstrap(), &args);
                let Some(answer) = told(broker, what, answer) else { continue };
                let quantile = |name: &str| answer[name].as_f64().unwrap();
                let latency = Latency { p50: quantile("p50"), p99: quantile("p99"), p999: quantile("p999") };
                add_latency(report, broker, what, &latency);
            }
            for (what, rate) in [
                ("bare socket, one record in flight, to its ack", None),
                ("bare socket, acks at 1,000 records a second", Some(1000)),
            ] {
                let measured = clients::bare_socket(&broker.bootstrap(), &topic("wire"), plan.latency_seconds, rate);
                let Some(latency) = told(broker, what, measured) else { continue };
                add_latency(report, broker, what, &latency);
            }
            for rate in [1000, 10_000] {
                let topic = topic("rate");
                let records = rate * u64::from(plan.latency_seconds);
                let bootstrap = broker.bootstrap();
                let load =
                    Load { bootstrap: &bootstrap, topic: &topic, records, size: 100, acks: "all", codec: "none" };
                let what = format!("Java's acks at {rate} records a second");
                let measured = clients::producer_performance(&load, Some(rate));
                let Some((_, latency)) = told(broker, &what, measured) else { continue };
                add_latency(report, broker, &what, &latency);
            }
        }
    }
}

fn add_latency(report: &mut Report, broker: &Running, what: &str, latency: &Latency) {
    for (quantile, value) in [("p50", latency.p50), ("p99", latency.p99), ("p99.9", latency.p999)] {
        let what = format!("{what}, {quantile}");
        note(broker.name(), &what, value, "ms");
        report.add("latency", &what, "ms", Better::Lower, broker.name(), value);
    }
}

fn topics(plan: &Plan, running: &[Running], report: &mut Report) {
    let what = format!("{} topics one by one", plan.topics);
    for broker in alive(running) {
        let before = cpu_seconds(broker.pid());
        let answer = clients::looped(&broker.bootstrap(), &["topics", &plan.topics.to_string()]);
        let Some(answer) = told(broker, &what, answer) else { continue };
        let value = answer["total"].as_f64().unwrap();
        note(broker.name(), &what, value, "ms");
        report.add("topics", &what, "ms", Better::Lower, broker.name(), value);
        let used = cpu_seconds(broker.pid()) - before;
        report.add("topics", &format!("{what}, processor"), "CPU s", Better::Lower, broker.name(), used);
    }
}

/// Whether a request costs the same however much else there is.
fn scale(plan: &Plan, running: &[Running], report: &mut Report) {
    let partitions = plan.partitions.iter().map(|n| (*n, 0));
    for (partitions, connections) in partitions.chain(plan.connections.iter().map(|n| (1, *n))) {
        for broker in alive(running).filter(|broker| !broker.is_peer()) {
            let what = match connections {
                0 => format!("one record in flight to {partitions} partitions in turn"),
                _ => format!("one record in flight beside {connections} connections"),
            };
            let (latency, cpu) =
                clients::in_turn(broker, &topic("scale"), partitions, connections, plan.latency_seconds);
            let p50 = latency.p50;
            note(broker.name(), &what, p50, "ms");
            report.add("scale", &format!("{what}, p50"), "ms", Better::Lower, broker.name(), p50);
            report.add("scale", &format!("{what}, processor"), "CPU µs", Better::Lower, broker.name(), cpu);
            let (against, count) = match connections {
                0 => ("partitions", partitions),
                _ => ("connections", connections),
            };
            let x = f64::from(count);
            report.add_point("median milliseconds to an ack", against, broker.name(), (x, p50));
            report.add_point("CPU microseconds of a record", against, broker.name(), (x, cpu));
        }
    }
}

fn produce(plan: &Plan, running: &[Running], report: &mut Report) {
    for &size in plan.sizes {
        let records = plan.bytes_a_run / size;
        let lines = Lines::of(size, records);
        for &codec in plan.codecs {
            for acks in ["1", "all"] {
                for client in ["Java", "kcat"] {
                    let row = format!("{client}, {}, acks={acks}, {codec}", bytes(size));
                    for _ in 0..plan.rounds {
                        for broker in
                            alive(running).filter(|broker| !broker.is_peer() || (size == 1024 && codec == "none"))
                        {
                            let (bootstrap, topic) = (broker.bootstrap(), topic("produce"));
                            let load = Load { bootstrap: &bootstrap, topic: &topic, records, size, acks, codec };
                            pages::have_at_hand();
                            let before = cpu_seconds(broker.pid());
                            let measured = match client {
                                "Java" => clients::producer_performance(&load, None).map(|(throughput, _)| throughput),
                                _ => clients::kcat_produce(&load, &lines.path),
                            };
                            let Some(throughput) = told(broker, &row, measured) else { continue };
                            let used = cpu_seconds(broker.pid()) - before;
                            add_throughput(report, "produce", broker, &row, &throughput, used, records * size);
                        }
                    }
                }
            }
        }
    }
}

fn consume(plan: &Plan, running: &[Running], report: &mut Report) {
    for &size in plan.sizes {
        let records = plan.bytes_a_run / size;
        let topic = topic("consume");
        let running: Vec<&Running> = alive(running).filter(|broker| !broker.is_peer() || size == 1024).collect();
        for broker in &running {
            let bootstrap = broker.bootstrap();
            let load = Load { bootstrap: &bootstrap, topic: &topic, records, size, acks: "1", codec: "none" };
            told(broker, "filling a topic", clients::producer_performance(&load, None));
        }
        for client in ["Java", "kcat"] {
            let row = format!("{client}, {}", bytes(size));
            for _ in 0..plan.rounds {
                for broker in &running {
                    pages::have_at_hand();
                    let before = cpu_seconds(broker.pid());
                    let measured = match client {
                        "Java" => clients::consumer_performance(&broker.bootstrap(), &topic, records),
                        _ => clients::kcat_consume(&broker.bootstrap(), &topic, records, size),
                    };
                    let Some(throughput) = told(broker, &row, measured) else { continue };
                    let used = cpu_seconds(broker.pid()) - before;
                    add_throughput(report, "consume", broker, &row, &throughput, used, records * size);
                }
            }
        }
    }
}

fn add_throughput(
    report: &mut Report,
    section: &str,
    broker: &Running,
    row: &str,
    throughput: &Throughput,
    cpu: f64,
    bytes: u64,
) {
    note(broker.name(), &format!("{section} {row} ({:.0} records/s)", throughput.records), throughput.mb, "MiB/s");
    report.add(section, row, "MiB/s", Better::Higher, broker.name(), throughput.mb);
    let a_gb = cpu / (bytes as f64 / 1e9);
    report.add(&format!("{section}, processor"), row, "CPU s/GB", Better::Lower, broker.name(), a_gb);
}

fn restart(plan: &Plan, running: &mut [Running], report: &mut Report) {
    const SIZE: u64 = 10 << 10;
    let gib = plan.restart_bytes as f64 / f64::from(1 << 30);
    for broker in running.iter_mut().filter(|broker| !broker.is_peer()) {
        let (bootstrap, topic) = (broker.bootstrap(), topic("restart"));
        let records = plan.restart_bytes / SIZE;
        let load = Load { bootstrap: &bootstrap, topic: &topic, records, size: SIZE, acks: "1", codec: "none" };
        told(broker, "filling a topic", clients::producer_performance(&load, None));
        for _ in 0..plan.rounds {
            let begun = Instant::now();
            broker.stop();
            let stopped = begun.elapsed().as_secs_f64() * 1000.0;
            report.add("restart", "clean stop", "ms", Better::Lower, broker.name(), stopped);
            broker.start_again();
            let what = format!("with {gib:.0} GiB, after a clean stop, exec to first ack");
            note(broker.name(), &what, broker.first_ack, "ms");
            report.add("restart", &what, "ms", Better::Lower, broker.name(), broker.first_ack);
            broker.kill();
            broker.start_again();
            let what = format!("with {gib:.0} GiB, after kill -9, exec to first ack");
            note(broker.name(), &what, broker.first_ack, "ms");
            report.add("restart", &what, "ms", Better::Lower, broker.name(), broker.first_ack);
        }
    }
}

/// Those that still run: some brokers do not live through all that is asked of them.
fn alive(running: &[Running]) -> impl Iterator<Item = &Running> {
    running.iter().filter(|broker| broker.is_alive())
}

/// A file of random text lines for kcat.
struct Lines {
    path: PathBuf,
    _dir: tempfile::TempDir,
}

impl Lines {
    fn of(size: u64, records: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lines");
        write_lines(&path, usize::try_from(size).unwrap(), records);
        Self { path, _dir: dir }
    }
}

/// Upper-case letters at random, as `ProducerPerformance` fills its records.
fn write_lines(path: &Path, size: usize, records: u64) {
    use std::io::Write;
    let mut file = std::io::BufWriter::with_capacity(1 << 20, std::fs::File::create(path).unwrap());
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut line = vec![b'\n'; size + 1];
    for _ in 0..records {
        for byte in &mut line[..size] {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = b'A' + u8::try_from((state >> 33) % 26).unwrap();
        }
        file.write_all(&line).unwrap();
    }
    file.flush().unwrap();
}

/// A topic that no run before this one has used.
fn topic(what: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{what}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn bytes(size: u64) -> String {
    if size < 1024 { format!("{size} B") } else { format!("{} KiB", size / 1024) }
}

/// What was measured, or nothing where one of the light brokers cannot do it.
fn told<T>(broker: &Running, what: &str, measured: Result<T, String>) -> Option<T> {
    match measured {
        Ok(measured) => Some(measured),
        Err(error) if broker.is_peer() => {
            let first: String = error.chars().take(300).collect();
            eprintln!("{}: {what}: failed: {first}", broker.name());
            None
        }
        Err(error) => panic!("{}: {what}: {error}", broker.name()),
    }
}

fn note(name: &str, what: &str, value: f64, unit: &str) {
    eprintln!("{name}: {what}: {value:.3} {unit}");
}
