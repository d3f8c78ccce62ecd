//! A source that counts: every event is the next number.

use std::sync::Arc;
use std::time::Duration;

use brooklet_connect_shim::connector_config::{
    ConfigDef, ConfigInfo, ConfigKey, ConfigType, ConnectorPlugin, Importance, Properties, Validator, Width,
};
use brooklet_connect_shim::data::{Field, OffsetMap, Schema, SchemaType, SourceRecord, Struct, Value};
use brooklet_connect_shim::source::{BoxFuture, RecordSink, SourceTask, TaskContext, TaskError};
use serde_json::json;
use tokio_util::sync::CancellationToken;

pub(crate) const CLASS: &str = "io.debezium.connector.postgresql.PostgresConnector";

/// Counts to `count.to`, in transactions of `count.batch`, to a topic named after `topic.prefix`.
pub(crate) struct CountingConnector;

impl ConnectorPlugin for CountingConnector {
    fn class(&self) -> &'static str {
        CLASS
    }

    fn task_class(&self) -> &'static str {
        "io.debezium.connector.postgresql.PostgresConnectorTask"
    }

    fn version(&self) -> &'static str {
        "3.7.0.Final"
    }

    fn config_def(&self) -> ConfigDef {
        let prefix = ConfigKey::new("topic.prefix", ConfigType::String, Importance::High, "Where it counts.");
        let password = ConfigKey::new("database.password", ConfigType::Password, Importance::High, "A secret.");
        let number = |name, default| ConfigKey::new(name, ConfigType::Int, Importance::Low, "A number.").or(default);
        ConfigDef::new()
            .define(prefix.valid(Validator::NonEmptyString).group("CONNECTOR", 1, Width::Medium, "Topic prefix"))
            .define(password.optional())
            .define(number("count.to", "10"))
            .define(number("count.batch", "5"))
            .define(ConfigKey::new("count.fails", ConfigType::String, Importance::Low, "How it fails.").optional())
    }

    fn validate<'a>(&'a self, properties: &'a Properties) -> BoxFuture<'a, Vec<ConfigInfo>> {
        Box::pin(async { self.config_def().validate(properties) })
    }

    fn create_task(&self, properties: &Properties, _: TaskContext) -> Result<Box<dyn SourceTask>, TaskError> {
        let config = self.config_def().parse(properties).map_err(|error| TaskError::Failed(error.to_string()))?;
        let field = |name: &str, kind| Field { name: name.into(), schema: Arc::new(Schema::of(kind)) };
        let schema = Arc::new(Schema::structure("n.Value", vec![field("n", SchemaType::Int64)]));
        Ok(Box::new(CountingTask {
            prefix: config.string("topic.prefix"),
            to: config.number("count.to").unwrap(),
            batch: config.number("count.batch").unwrap(),
            fails: config.text("count.fails").map(str::to_owned),
            schema,
        }))
    }
}

struct CountingTask {
    prefix: String,
    to: i64,
    batch: i64,
    fails: Option<String>,
    schema: Arc<Schema>,
}

impl CountingTask {
    fn record(&self, n: i64) -> SourceRecord {
        let value = || Value::Struct(Struct::new(Arc::clone(&self.schema), vec![Value::Int64(n)]));
        SourceRecord {
            offset: Arc::default(),
            topic: format!("{}.numbers", self.prefix).into(),
            partition: None,
            key_schema: Some(Arc::clone(&self.schema)),
            key: value(),
            value_schema: Some(Arc::clone(&self.schema)),
            value: value(),
            timestamp: None,
            headers: Vec::new(),
        }
    }
}

impl SourceTask for CountingTask {
    fn source_partition(&self) -> OffsetMap {
        [("server".to_owned(), json!(self.prefix))].into_iter().collect()
    }

    fn run<'a>(
        &'a mut self,
        offset: Option<OffsetMap>,
        sink: &'a mut dyn RecordSink,
        stop: CancellationToken,
    ) -> BoxFuture<'a, Result<(), TaskError>> {
        Box::pin(async move {
            let mut next = offset.and_then(|offset| offset["next"].as_i64()).unwrap_or(0);
            match self.fails.as_deref() {
                Some("at once") => return Err(TaskError::Failed("io.debezium.DebeziumException: no slot".into())),
                Some("panicking") => panic!("a bug in a connector"),
                Some("for a while") if next == 0 => {
                    self.fails = None;
                    return Err(TaskError::Retriable("Connection to 127.0.0.1:1 refused".into()));
                }
                _ => {}
            }
            while next < self.to && !stop.is_cancelled() {
                let end = (next + self.batch).min(self.to);
                sink.send((next..end).map(|n| self.record(n)).collect()).await?;
                next = end;
                sink.commit(&[("next".to_owned(), json!(next))].into_iter().collect()).await?;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            stop.cancelled().await;
            Ok(())
        })
    }
}
