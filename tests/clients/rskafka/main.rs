//! rskafka behind the drivers' common command line; see `../README.md`.
//!
//! rskafka writes and reads partitions and knows no groups. It is not idempotent, and it keeps a record's headers in
//! a map: names are sorted and of two equal ones the last stays.

use std::collections::BTreeMap;
use std::env;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use chrono::DateTime;
use futures::StreamExt;
use futures::stream::select_all;
use rskafka::BackoffConfig;
use rskafka::client::consumer::{StartOffset, StreamConsumerBuilder};
use rskafka::client::partition::{Compression, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::{Record, RecordAndOffset};
use serde_json::{Value, json};
use tokio::time::timeout;

const VERSION: &str = "0.6.0"; // the pin in Cargo.toml
const IDLE_LIMIT: Duration = Duration::from_secs(30);
/// The client sends what one call gives it as one batch.
const RECORDS_PER_BATCH: usize = 500;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match args.as_slice() {
        ["versions"] => versions(),
        ["create", bootstrap, topic, partitions] => create(bootstrap, topic, partitions).await,
        ["produce", bootstrap, topic, load @ ..] => produce(bootstrap, topic, load).await,
        ["consume", bootstrap, topic, partitions, count] => {
            consume(bootstrap, topic, partitions, count).await
        }
        _ => {
            eprintln!("unsupported");
            return ExitCode::from(64);
        }
    };
    if let Err(error) = outcome {
        eprintln!("{error:#}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn emit(line: &Value) -> Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    Ok(stdout.flush()?)
}

fn versions() -> Result<()> {
    emit(&json!({
        "client": "rskafka", "version": VERSION,
        "compressions": ["none", "gzip", "snappy", "lz4", "zstd"],
        "idempotent": false, "headers": true, "duplicate_headers": false, "timestamps": true, "groups": false,
    }))
}

async fn connect(bootstrap: &str) -> Result<Client> {
    let retries = BackoffConfig {
        max_backoff: Duration::from_secs(2), // its default grows to 500 s
        deadline: Some(Duration::from_secs(120)),
        ..BackoffConfig::default()
    };
    let client = ClientBuilder::new(vec![bootstrap.to_owned()]).backoff_config(retries);
    Ok(client.build().await?)
}

async fn create(bootstrap: &str, topic: &str, partitions: &str) -> Result<()> {
    let controller = connect(bootstrap).await?.controller_client()?;
    // A replication factor of -1 is the broker's default.
    controller
        .create_topic(topic, partitions.parse()?, -1, 5_000)
        .await?;
    emit(&json!({"created": topic}))
}

async fn produce(bootstrap: &str, topic: &str, load: &[&str]) -> Result<()> {
    let [partitions, compression, first, count, base_ms @ ..] = load else {
        bail!("usage: produce BOOTSTRAP TOPIC PARTITIONS COMPRESSION FIRST COUNT [BASE_MS]");
    };
    let partitions: usize = partitions.parse()?;
    let first: usize = first.parse()?;
    let count: usize = count.parse()?;
    let base_ms: i64 = base_ms.first().map_or(Ok(1_700_000_000_000), |ms| ms.parse())?;
    let compression = match *compression {
        "none" => Compression::NoCompression,
        "gzip" => Compression::Gzip,
        "snappy" => Compression::Snappy,
        "lz4" => Compression::Lz4,
        "zstd" => Compression::Zstd,
        other => bail!("unknown compression {other}"),
    };

    let client = connect(bootstrap).await?;
    let mut offsets = BTreeMap::new();
    for partition in 0..partitions {
        let numbers: Vec<usize> = (first..first + count)
            .filter(|i| i % partitions == partition)
            .collect();
        let writer = client
            .partition_client(topic, i32::try_from(partition)?, UnknownTopicHandling::Retry)
            .await?;
        for batch in numbers.chunks(RECORDS_PER_BATCH) {
            let records = batch.iter().map(|&i| record(i, base_ms)).collect::<Result<_>>()?;
            let acked = writer.produce(records, compression).await?; // always with acks=all
            let (Some(&low), Some(&high)) = (acked.iter().min(), acked.iter().max()) else {
                bail!("no offsets for {} records", batch.len());
            };
            offsets.entry(partition.to_string()).or_insert([low, high])[1] = high;
        }
    }
    emit(&json!({"produced": count, "offsets": offsets}))
}

fn record(i: usize, base_ms: i64) -> Result<Record> {
    let timestamp = base_ms + i64::try_from(i)?;
    Ok(Record {
        key: Some(format!("k-{i}").into_bytes()),
        value: Some(format!("v-{i}-{}", "x".repeat(i % 200)).into_bytes()),
        headers: BTreeMap::from([
            ("i".to_owned(), i.to_string().into_bytes()),
            ("dup".to_owned(), b"b".to_vec()),
            ("empty".to_owned(), Vec::new()),
        ]),
        timestamp: DateTime::from_timestamp_millis(timestamp).context("timestamp out of range")?,
    })
}

async fn consume(bootstrap: &str, topic: &str, partitions: &str, count: &str) -> Result<()> {
    let count: usize = count.parse()?;
    let client = connect(bootstrap).await?;
    let mut streams = Vec::new();
    for partition in 0..partitions.parse()? {
        let reader = client
            .partition_client(topic, partition, UnknownTopicHandling::Retry)
            .await?;
        let stream = StreamConsumerBuilder::new(Arc::new(reader), StartOffset::Earliest).build();
        streams.push(
            stream
                .map(move |item| item.map(|(record, _high_watermark)| (partition, record)))
                .boxed(),
        );
    }
    let mut records = select_all(streams);
    for read in 0..count {
        let next = timeout(IDLE_LIMIT, records.next()).await;
        let (partition, record) = next
            .with_context(|| format!("no record for {IDLE_LIMIT:?}, {read} of {count} read"))?
            .context("the streams ended")??;
        emit_record(partition, &record)?;
    }
    Ok(())
}

fn emit_record(partition: i32, RecordAndOffset { record, offset }: &RecordAndOffset) -> Result<()> {
    let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
    let headers: Vec<_> = record
        .headers
        .iter()
        .map(|(name, value)| [name.clone(), text(value)])
        .collect();
    emit(&json!({
        "p": partition, "o": offset,
        "k": record.key.as_ref().map(text), "v": record.value.as_ref().map(text),
        "h": headers, "t": record.timestamp.timestamp_millis(),
    }))
}
