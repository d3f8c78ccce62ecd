//! A connector whose events go into a broker's topics: what a reader of what is committed sees of them, whatever ends the
//! worker.

#![cfg(feature = "connect")]
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use brooklet::{Broker, BrokerDestination};
use brooklet_connect_shim::Destination;
use brooklet_connect_shim::connector_config::{
    ConfigDef, ConfigInfo, ConfigKey, ConfigType, ConnectorPlugin, Importance, Plugins, Properties,
};
use brooklet_connect_shim::data::{OffsetMap, Schema, SchemaType, SourceRecord, Value};
use brooklet_connect_shim::runtime::{Herder, WorkerSettings};
use brooklet_connect_shim::source::{BoxFuture, RecordSink, SourceTask, TaskContext, TaskError};
use tokio_util::sync::CancellationToken;

const CLASS: &str = "org.example.CountingConnector";

/// A source of which every event is the next number.
struct CountingConnector;

impl ConnectorPlugin for CountingConnector {
    fn class(&self) -> &'static str {
        CLASS
    }

    fn task_class(&self) -> &'static str {
        "org.example.CountingTask"
    }

    fn version(&self) -> &'static str {
        "1"
    }

    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
            .define(ConfigKey::new("count.to", ConfigType::Int, Importance::High, "Where it ends.").or("100"))
    }

    fn validate<'a>(&'a self, properties: &'a Properties) -> BoxFuture<'a, Vec<ConfigInfo>> {
        Box::pin(async { self.config_def().validate(properties) })
    }

    fn create_task(&self, properties: &Properties, _: TaskContext) -> Result<Box<dyn SourceTask>, TaskError> {
        let config = self.config_def().parse(properties).map_err(|error| TaskError::Failed(error.to_string()))?;
        Ok(Box::new(CountingTask { to: config.number("count.to").unwrap() }))
    }
}

struct CountingTask {
    to: i64,
}

impl SourceTask for CountingTask {
    fn source_partition(&self) -> OffsetMap {
        [("server".to_owned(), "n".into())].into_iter().collect()
    }

    fn run<'a>(
        &'a mut self,
        offset: Option<OffsetMap>,
        sink: &'a mut dyn RecordSink,
        stop: CancellationToken,
    ) -> BoxFuture<'a, Result<(), TaskError>> {
        Box::pin(async move {
            let schema = Arc::new(Schema::of(SchemaType::Int64));
            let record = |n: i64| SourceRecord {
                offset: Arc::default(),
                topic: format!("numbers-{}", n % 2).into(),
                partition: None,
                key_schema: Some(Arc::clone(&schema)),
                key: Value::Int64(n),
                value_schema: Some(Arc::clone(&schema)),
                value: Value::Int64(n),
                timestamp: None,
                headers: Vec::new(),
            };
            let mut next = offset.and_then(|offset| offset["next"].as_i64()).unwrap_or(0);
            while next < self.to && !stop.is_cancelled() {
                let end = (next + 7).min(self.to);
                sink.send((next..end).map(record).collect()).await?;
                next = end;
                sink.commit(&[("next".to_owned(), next.into())].into_iter().collect()).await?;
            }
            stop.cancelled().await;
            Ok(())
        })
    }
}

async fn worker(destination: &BrokerDestination) -> Herder {
    let plugins = Plugins::new(vec![Arc::new(CountingConnector)]);
    Herder::start(Arc::new(destination.clone()), plugins, WorkerSettings::new("127.0.0.1:8083")).await.unwrap()
}

/// What a reader of what is committed sees.
fn numbers(destination: &BrokerDestination) -> Vec<i64> {
    let mut numbers = Vec::new();
    for topic in ["numbers-0", "numbers-1"] {
        let visit = &mut |record: brooklet_connect_shim::StoredRecord| {
            numbers.push(std::str::from_utf8(&record.value.unwrap()).unwrap().parse().unwrap());
        };
        if destination.partition_count(topic).is_some() {
            destination.read(topic, visit).unwrap();
        }
    }
    numbers.sort_unstable();
    numbers
}

async fn counted_to(destination: &BrokerDestination, end: i64) {
    let started = Instant::now();
    while numbers(destination).len() < usize::try_from(end).unwrap() {
        assert!(started.elapsed() < Duration::from_secs(30), "it counts no further");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(numbers(destination), (0..end).collect::<Vec<_>>(), "no event is lost, none doubled");
}

fn config(to: i64) -> Properties {
    let plain = [("key.converter.schemas.enable", "false"), ("value.converter.schemas.enable", "false")];
    let mut config: Properties = plain.into_iter().collect();
    config.set("name", "n");
    config.set("connector.class", CLASS);
    config.set("count.to", to.to_string());
    config
}

#[tokio::test]
async fn workers_that_follow_each_other_lose_and_double_nothing() {
    let broker = Broker::builder().ephemeral().without_listeners().start().await.unwrap();
    let destination = broker.destination();
    let first = worker(&destination).await;
    first.put_config("n", config(100), None, false).await.unwrap();
    counted_to(&destination, 100).await;
    // One that is not told to stop is fenced by the next.
    first.put_config("n", config(100_000), None, true).await.unwrap();
    let second = worker(&destination).await;
    second.put_config("n", config(400), None, true).await.unwrap();
    second.shutdown().await;
    let third = worker(&destination).await;
    let reached = i64::try_from(numbers(&destination).len()).unwrap();
    let end = reached.max(400) + 50;
    third.put_config("n", config(end), None, true).await.unwrap();
    counted_to(&destination, end).await;
    assert_eq!(third.connectors(), ["n"]);
}
