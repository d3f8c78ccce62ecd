//! What becomes of a record that cannot be transformed, converted or written: the task ends with it, or it is left out
//! (`errors.tolerance`), and the log tells of it if it shall (`RetryWithToleranceOperator`, `LogReporter`).
//!
//! `errors.retry.timeout` is for errors that may go by themselves. No transform or converter has one: they ask nobody. What
//! the broker cannot do now is tried again with the whole task.

use crate::connector_config::Config;
use crate::converters::write_java_text;
use crate::data::{DataError, OffsetMap, Schema, SourceRecord, Value};
use crate::source::TaskError;

/// Where a record was when something went wrong (`Stage`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// In a transform.
    Transformation,
    /// In the converter of headers.
    HeaderConverter,
    /// In the converter of keys.
    KeyConverter,
    /// In the converter of values.
    ValueConverter,
    /// On its way into its topic.
    KafkaProduce,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Transformation => "TRANSFORMATION",
            Self::HeaderConverter => "HEADER_CONVERTER",
            Self::KeyConverter => "KEY_CONVERTER",
            Self::ValueConverter => "VALUE_CONVERTER",
            Self::KafkaProduce => "KAFKA_PRODUCE",
        }
    }
}

/// What went wrong with a record.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) stage: Stage,
    /// The Java class that was at work.
    pub(super) class: String,
    /// The Java exception that it is.
    pub(super) exception: &'static str,
    /// In its words.
    pub(super) message: String,
}

impl Failure {
    pub(super) fn new(stage: Stage, class: &str, error: &DataError) -> Self {
        Self { stage, class: class.to_owned(), exception: error.class(), message: error.to_string() }
    }

    /// The trace of the task that this ends.
    fn trace(&self) -> String {
        let Self { stage, exception, message, .. } = self;
        let what = match stage {
            Stage::KafkaProduce => "Unrecoverable exception from producer send callback",
            _ => "Tolerance exceeded in error handler",
        };
        format!("org.apache.kafka.connect.errors.ConnectException: {what}\nCaused by: {exception}: {message}\n")
    }
}

/// A connector's `errors.tolerance`, `errors.log.enable` and `errors.log.include.messages`.
#[derive(Debug, Clone)]
pub(super) struct ErrorTolerance {
    tolerates: bool,
    logs: bool,
    with_records: bool,
}

impl ErrorTolerance {
    pub(super) fn new(config: &Config) -> Self {
        let logs = config.is("errors.log.enable");
        Self {
            tolerates: config.string("errors.tolerance") == "all",
            logs,
            with_records: logs && config.is("errors.log.include.messages"),
        }
    }

    /// What the log is to say of a record should it fail, as the connector gave it out; `None` where it says nothing.
    pub(super) fn description(&self, record: &SourceRecord, source_partition: &OffsetMap) -> Option<String> {
        self.with_records.then(|| describe(record, source_partition))
    }

    /// Decides what a failure means: that the record is left out, or the error that ends the task. The log tells of it in
    /// both cases.
    pub(super) fn meet(&self, task: &str, failure: &Failure, record: Option<&str>) -> Result<(), TaskError> {
        if self.logs {
            let Failure { stage, class, message, .. } = failure;
            let record = record.map(|record| format!(", where source record is = {record}")).unwrap_or_default();
            tracing::error!(
                "Error encountered in task {task}. Executing stage '{}' with class '{class}'{record}. {message}",
                stage.name()
            );
        }
        if self.tolerates { Ok(()) } else { Err(TaskError::Failed(failure.trace())) }
    }
}

/// As `SourceRecord.toString` has it.
fn describe(record: &SourceRecord, source_partition: &OffsetMap) -> String {
    let map = |map: &OffsetMap| {
        let entry = |(name, value): (&String, &serde_json::Value)| match value.as_str() {
            Some(text) => format!("{name}={text}"),
            None => format!("{name}={value}"),
        };
        format!("{{{}}}", map.iter().map(entry).collect::<Vec<_>>().join(", "))
    };
    let partition = record.partition.map_or_else(|| "null".to_owned(), |partition| partition.to_string());
    let timestamp = record.timestamp.map_or_else(|| "null".to_owned(), |timestamp| timestamp.to_string());
    let text = |schema: Option<&Schema>, value: &Value| {
        let mut out = String::new();
        write_java_text(&mut out, schema, value);
        out
    };
    format!(
        "SourceRecord{{sourcePartition={}, sourceOffset={}}} ConnectRecord{{topic='{}', kafkaPartition={partition}, key={}, \
         value={}, timestamp={timestamp}}}",
        map(source_partition),
        map(&record.offset),
        record.topic,
        text(record.key_schema.as_deref(), &record.key),
        text(record.value_schema.as_deref(), &record.value),
    )
}
