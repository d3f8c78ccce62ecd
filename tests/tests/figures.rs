//! Figures of a build, for whoever asks: `just figures`. They hold for the machine on which they were taken, and say
//! nothing beside those of another broker that were not taken in the same run.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use brooklet_tests::broker::{BrokerProcess, binary, free_port};
use brooklet_tests::wire::WireClient;

#[test]
#[ignore = "figures are taken on demand"]
fn figures() {
    let size = std::fs::metadata(binary()).unwrap().len();
    println!("binary: {:.1} MiB ({})", mib(size), binary().display());
    println!("exec to TCP accept, and to first acknowledged produce (ms, median and range of 21):");
    let mut accepts = Vec::new();
    let mut acks = Vec::new();
    for _ in 0..21 {
        let (accept, ack) = first_ack();
        accepts.push(accept);
        acks.push(ack);
    }
    println!("  {}\n  {}", summary(accepts), summary(acks));

    let broker = BrokerProcess::start(&[]);
    std::thread::sleep(Duration::from_secs(3));
    let (anonymous, file) = broker.resident();
    println!(
        "idle: {:.2} MiB resident, {:.2} of it anonymous and {:.2} of files",
        mib(anonymous + file),
        mib(anonymous),
        mib(file)
    );
}

/// Milliseconds from before the process is made until it accepts, and until a first record is acknowledged: connect,
/// Metadata that makes the topic, Produce with acks=all.
fn first_ack() -> (f64, f64) {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut command = Command::new(binary());
    command.args(["--admin", "off", "--listen", &address.to_string(), "--data-dir"]).arg(dir.path());
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let begun = Instant::now();
    let mut child = command.spawn().unwrap();
    let mut client = loop {
        match WireClient::connect(address) {
            Ok(client) => break client,
            Err(_) => std::hint::spin_loop(),
        }
    };
    let accept = begun.elapsed();
    client.auto_create("t");
    client.produce("t", b"first");
    let ack = begun.elapsed();
    child.kill().unwrap();
    child.wait().unwrap();
    (accept.as_secs_f64() * 1000.0, ack.as_secs_f64() * 1000.0)
}

fn summary(mut times: Vec<f64>) -> String {
    times.sort_by(f64::total_cmp);
    format!("{:.2} ({:.2} to {:.2})", times[times.len() / 2], times[0], times[times.len() - 1])
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
