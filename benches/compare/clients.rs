//! The clients that load a broker: Apache Kafka's own tools, kcat, and loops on librdkafka for what takes one record at a
//! time.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use brooklet_tests::java;
use brooklet_tests::log_client::LogClient;
use brooklet_tests::wire::WireClient;
use serde_json::Value;

use crate::candidate::Running;
use crate::process::cpu_seconds;

/// How long one run of a client may take.
const PATIENCE: Duration = Duration::from_secs(900);

/// Throughput in records and bytes per second.
pub(crate) struct Throughput {
    pub(crate) records: f64,
    pub(crate) mb: f64,
}

/// Milliseconds at quantiles of a latency.
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
}

/// A produce run.
pub(crate) struct Load<'a> {
    pub(crate) bootstrap: &'a str,
    pub(crate) topic: &'a str,
    pub(crate) records: u64,
    pub(crate) size: u64,
    pub(crate) acks: &'a str,
    pub(crate) codec: &'a str,
}

/// `kafka-producer-perf-test.sh`, as fast as it can or at a fixed rate (records a second).
pub(crate) fn producer_performance(load: &Load<'_>, rate: Option<u64>) -> Result<(Throughput, Latency), String> {
    let mut command = tool("org.apache.kafka.tools.ProducerPerformance");
    command.args(["--topic", load.topic, "--num-records", &load.records.to_string()]);
    command.args(["--record-size", &load.size.to_string()]);
    command.args(["--throughput", &rate.map_or("-1".to_owned(), |rate| rate.to_string())]);
    command.args(["--bootstrap-server", load.bootstrap, "--command-property"]);
    command.args([format!("acks={}", load.acks), format!("compression.type={}", load.codec)]);
    // More than one batch of the largest record fits, as kafka-producer-perf-test's users set it.
    command.args(["max.request.size=2097152", "buffer.memory=67108864"]);
    let output = run(command)?;
    // "N records sent, R records/sec (M MB/sec), A ms avg latency, X ms max latency, P ms 50th, … 95th, … 99th, … 99.9th."
    let line =
        output.lines().rfind(|line| line.contains("99.9th")).unwrap_or_else(|| panic!("no figures in: {output}"));
    let number = |before: &str| -> f64 {
        let at = line.find(before).unwrap_or_else(|| panic!("no {before} in {line}"));
        let head = line[..at].trim_end();
        let begin = head.rfind([' ', '(']).map_or(0, |at| at + 1);
        head[begin..].parse().unwrap_or_else(|_| panic!("no number before {before} in {line}"))
    };
    let throughput = Throughput { records: number("records/sec"), mb: number("MB/sec") };
    Ok((throughput, Latency { p50: number("ms 50th"), p99: number("ms 99th"), p999: number("ms 99.9th") }))
}

/// `kafka-consumer-perf-test.sh`: how fast it fetches, its joining of a group apart.
pub(crate) fn consumer_performance(bootstrap: &str, topic: &str, records: u64) -> Result<Throughput, String> {
    let mut command = tool("org.apache.kafka.tools.ConsumerPerformance");
    command.args(["--bootstrap-server", bootstrap, "--topic", topic, "--num-records", &records.to_string()]);
    command.args(["--timeout", "60000", "--hide-header"]);
    let output = run(command)?;
    // start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms,
    // fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec
    let line = output.lines().rfind(|line| line.split(", ").count() == 10);
    let line = line.ok_or_else(|| format!("no figures in: {output}"))?;
    let fields: Vec<&str> = line.split(", ").collect();
    Ok(Throughput { records: fields[9].parse().unwrap(), mb: fields[8].parse().unwrap() })
}

/// kcat writes lines that a file holds.
pub(crate) fn kcat_produce(load: &Load<'_>, lines: &PathBuf) -> Result<Throughput, String> {
    let mut command = Command::new("kcat");
    command.args(["-P", "-q", "-b", load.bootstrap, "-t", load.topic, "-p", "0", "-l"]).arg(lines);
    command.args(["-X", &format!("acks={}", load.acks), "-X", &format!("compression.codec={}", load.codec)]);
    command.args(["-X", "queue.buffering.max.messages=1000000", "-X", "message.max.bytes=2097152"]);
    let seconds = timed(command)?;
    Ok(throughput(load.records, load.size, seconds))
}

/// kcat reads a partition from its beginning to its end.
pub(crate) fn kcat_consume(bootstrap: &str, topic: &str, records: u64, size: u64) -> Result<Throughput, String> {
    let mut command = Command::new("kcat");
    command.args(["-C", "-q", "-e", "-u", "-b", bootstrap, "-t", topic, "-p", "0", "-o", "beginning"]);
    command.args(["-c", &records.to_string()]).args(["-f", ""]);
    let seconds = timed(command)?;
    Ok(throughput(records, size, seconds))
}

/// A loop on librdkafka (`loops.py`), which answers with one JSON object.
pub(crate) fn looped(bootstrap: &str, what: &[&str]) -> Result<Value, String> {
    let mut command = Command::new(brooklet_tests::root().join(".tools/venv/bin/python"));
    command.arg(brooklet_tests::root().join("benches/compare/loops.py")).arg(bootstrap).args(what);
    let output = run(command)?;
    let line = output.lines().last().unwrap_or_default();
    serde_json::from_str(line).map_err(|_| format!("{what:?} said: {output}"))
}

/// A bare socket: one record of 100 bytes after the other, each waited for, as fast as it goes or at a rate (records a second). Here the
/// broker is nearly all that takes time.
pub(crate) fn bare_socket(bootstrap: &str, topic: &str, seconds: u32, rate: Option<u32>) -> Result<Latency, String> {
    let mut client = WireClient::connect(bootstrap.parse().unwrap()).map_err(|error| error.to_string())?;
    let begun = Instant::now();
    while let Err(error) = client.write_first(topic) {
        if begun.elapsed() > PATIENCE {
            return Err(error.to_string());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    for _ in 0..1000 {
        produced(&mut client, topic, 0);
    }
    let mut times = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(seconds.into()) {
        if let Some(rate) = rate {
            let due = Duration::from_secs_f64(times.len() as f64 / f64::from(rate));
            std::thread::sleep(due.saturating_sub(begun.elapsed()));
        }
        times.push(produced(&mut client, topic, 0));
    }
    Ok(quantiles(times))
}

/// Records that a partition has before its cost is measured: so many have an entry in its index, whose file is made then.
const WARM_UP: usize = 30;

/// The same to so many partitions in turn, beside so many connections that have written once and wait. With the broker's processor
/// time for a record, in microseconds.
pub(crate) fn in_turn(
    broker: &Running,
    topic: &str,
    partitions: u32,
    connections: u32,
    seconds: u32,
) -> (Latency, f64) {
    let bootstrap = broker.bootstrap();
    let mut admin = LogClient::connect(&bootstrap);
    let mut places = Vec::new();
    // Apache Kafka makes fewer than 10,000 at a time.
    for first in (0..partitions).step_by(1000) {
        let (topic, count) = (format!("{topic}-{first}"), i32::try_from((partitions - first).min(1000)).unwrap());
        admin.create(&topic, count, &[]);
        places.extend((0..count).map(|partition| (topic.clone(), partition)));
    }
    let connect = || WireClient::connect(bootstrap.parse().unwrap()).unwrap();
    let one = |client: &mut WireClient, at: usize| {
        let (topic, partition) = &places[at % places.len()];
        produced(client, topic, *partition)
    };
    let beside: Vec<WireClient> = (0..connections)
        .map(|at| {
            let mut client = connect();
            one(&mut client, at as usize);
            client
        })
        .collect();
    let mut client = connect();
    for at in 0..(WARM_UP * places.len()).clamp(1000, 30_000) {
        one(&mut client, at);
    }
    let mut times = Vec::new();
    let (begun, before) = (Instant::now(), cpu_seconds(broker.pid()));
    while begun.elapsed() < Duration::from_secs(seconds.into()) {
        times.push(one(&mut client, times.len()));
    }
    let cpu = (cpu_seconds(broker.pid()) - before) / times.len() as f64 * 1e6;
    drop(beside);
    (quantiles(times), cpu)
}

/// Writes one record of 100 bytes; how many milliseconds it takes until that is answered.
fn produced(client: &mut WireClient, topic: &str, partition: i32) -> f64 {
    let begun = Instant::now();
    client.produce_to(topic, partition, &[b'x'; 100]);
    begun.elapsed().as_secs_f64() * 1000.0
}

fn quantiles(mut times: Vec<f64>) -> Latency {
    times.sort_by(f64::total_cmp);
    let quantile = |of: f64| times[((times.len() - 1) as f64 * of) as usize];
    Latency { p50: quantile(0.5), p99: quantile(0.99), p999: quantile(0.999) }
}

fn throughput(records: u64, size: u64, seconds: f64) -> Throughput {
    let bytes = (records * size) as f64;
    Throughput { records: records as f64 / seconds, mb: bytes / f64::from(1 << 20) / seconds }
}

/// One of Apache Kafka's tools with the memory that its scripts give it.
fn tool(class: &str) -> Command {
    let mut command = Command::new("java");
    command.args(["-Xmx512M", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"]);
    command.args(["-cp", &java::class_path(&["kafka"]), class]);
    command
}

fn run(mut command: Command) -> Result<String, String> {
    let output = within(&mut command)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        return Err(format!("{command:?}: {text}{}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(text)
}

fn timed(mut command: Command) -> Result<f64, String> {
    let begun = Instant::now();
    let output = within(&mut command)?;
    let seconds = begun.elapsed().as_secs_f64();
    if !output.status.success() {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(seconds)
}

/// Runs a client, which is killed if it does not end: some brokers leave theirs waiting for ever.
fn within(command: &mut Command) -> Result<Output, String> {
    let mut patient = Command::new("timeout");
    patient.args(["--kill-after=5", &PATIENCE.as_secs().to_string()]).arg(command.get_program());
    patient.args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            patient.env(name, value);
        }
    }
    patient.stdin(Stdio::null()).output().map_err(|error| error.to_string())
}
