//! What a connector's task tells of its work: the figures of Debezium's `SnapshotChangeEventSourceMetricsMXBean` and
//! `StreamingChangeEventSourceMetricsMXBean`, which whoever serves metrics reads.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A task's figures, which the task sets and anybody reads.
#[derive(Debug, Default)]
pub struct TaskMetrics(Mutex<TaskFigures>);

/// A task's figures at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskFigures {
    /// The server's logical name: `topic.prefix`.
    pub server: String,
    /// Whether the stream is connected.
    pub connected: bool,
    /// How many events the stream has brought.
    pub events: EventCounts,
    /// When the last of them came, in milliseconds since 1970.
    pub last_event_ms: Option<i64>,
    /// How long after its commit it came, in milliseconds.
    pub behind_source_ms: Option<i64>,
    /// How many transactions were read to their end.
    pub committed_transactions: u64,
    /// The last of them.
    pub last_transaction_id: Option<i64>,
    /// How many bytes of the server's log lie between what is kept here and its end, as far as the server has told.
    pub slot_lag_bytes: u64,
    /// The last snapshot.
    pub snapshot: SnapshotFigures,
}

/// Events by what they tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EventCounts {
    /// Rows that are new.
    pub creates: u64,
    /// Rows that have changed.
    pub updates: u64,
    /// Rows that are gone.
    pub deletes: u64,
    /// What else there is: truncations and messages.
    pub others: u64,
}

/// How far a snapshot is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SnapshotFigures {
    /// What has become of it.
    pub state: SnapshotState,
    /// When it began, in milliseconds since 1970.
    pub started_ms: Option<i64>,
    /// When it ended, in milliseconds since 1970.
    pub ended_ms: Option<i64>,
    /// How many tables it pictures.
    pub tables: u64,
    /// How many of them are still to be read.
    pub remaining_tables: u64,
    /// How many rows were read, by table.
    pub rows_scanned: BTreeMap<String, u64>,
}

/// What becomes of a snapshot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SnapshotState {
    /// There was none yet.
    #[default]
    None,
    /// There was no need for one.
    Skipped,
    /// It is being taken.
    Running,
    /// It was taken.
    Completed,
    /// Something went wrong.
    Aborted,
}

/// A figure under its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Debezium's name of it, as the usual configuration of Prometheus' JMX exporter has it:
    /// `debezium_metrics_MilliSecondsBehindSource`.
    pub name: &'static str,
    /// `snapshot` or `streaming`.
    pub context: &'static str,
    /// The table that it is of, if it is of one.
    pub table: Option<String>,
    /// Its value.
    pub value: f64,
}

impl TaskMetrics {
    /// The figures as they are now.
    pub fn figures(&self) -> TaskFigures {
        self.lock().clone()
    }

    /// Changes figures.
    pub(crate) fn update(&self, change: impl FnOnce(&mut TaskFigures)) {
        change(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, TaskFigures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventCounts {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.creates + self.updates + self.deletes + self.others
    }
}

impl TaskFigures {
    /// Every figure under Debezium's name, at this time (milliseconds since 1970).
    pub fn samples(&self, now_ms: i64) -> Vec<Sample> {
        let mut samples = self.streaming(now_ms);
        samples.extend(self.snapshot.samples(now_ms));
        samples
    }

    fn streaming(&self, now_ms: i64) -> Vec<Sample> {
        let since_last = self.last_event_ms.map_or(-1, |at| (now_ms - at).max(0));
        let mut figures = vec![
            ("debezium_metrics_Connected", f64::from(u8::from(self.connected))),
            ("debezium_metrics_TotalNumberOfEventsSeen", count(self.events.total())),
            ("debezium_metrics_TotalNumberOfCreateEventsSeen", count(self.events.creates)),
            ("debezium_metrics_TotalNumberOfUpdateEventsSeen", count(self.events.updates)),
            ("debezium_metrics_TotalNumberOfDeleteEventsSeen", count(self.events.deletes)),
            ("debezium_metrics_NumberOfCommittedTransactions", count(self.committed_transactions)),
            ("debezium_metrics_MilliSecondsSinceLastEvent", since_last as f64),
            ("debezium_metrics_MilliSecondsBehindSource", self.behind_source_ms.unwrap_or(-1) as f64),
            // Debezium leaves this one to those who ask PostgreSQL.
            ("debezium_metrics_SlotLagBytes", count(self.slot_lag_bytes)),
        ];
        figures.extend(self.last_transaction_id.map(|id| ("debezium_metrics_LastTransactionId", id as f64)));
        let sample = |(name, value)| Sample { name, context: "streaming", table: None, value };
        figures.into_iter().map(sample).collect()
    }
}

impl SnapshotFigures {
    fn samples(&self, now_ms: i64) -> Vec<Sample> {
        let is = |state| f64::from(u8::from(self.state == state));
        let seconds = self.started_ms.map_or(0, |started| (self.ended_ms.unwrap_or(now_ms) - started).max(0) / 1000);
        let figures = [
            ("debezium_metrics_SnapshotRunning", is(SnapshotState::Running)),
            ("debezium_metrics_SnapshotCompleted", is(SnapshotState::Completed)),
            ("debezium_metrics_SnapshotAborted", is(SnapshotState::Aborted)),
            ("debezium_metrics_SnapshotSkipped", is(SnapshotState::Skipped)),
            ("debezium_metrics_SnapshotDurationInSeconds", seconds as f64),
            ("debezium_metrics_TotalTableCount", count(self.tables)),
            ("debezium_metrics_RemainingTableCount", count(self.remaining_tables)),
        ];
        let sample = |(name, value)| Sample { name, context: "snapshot", table: None, value };
        let rows = self.rows_scanned.iter().map(|(table, rows)| Sample {
            name: "debezium_metrics_RowsScanned",
            context: "snapshot",
            table: Some(table.clone()),
            value: count(*rows),
        });
        figures.into_iter().map(sample).chain(rows).collect()
    }
}

/// The figures of connectors' tasks, each under its connector's name, in the text format of Prometheus, at this time
/// (milliseconds since 1970).
pub fn exposition(tasks: &[(String, TaskFigures)], now_ms: i64) -> String {
    let mut by_name: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (connector, figures) in tasks {
        for Sample { name, context, table, value } in figures.samples(now_ms) {
            let mut labels = vec![
                ("plugin", "postgres"),
                ("connector", connector),
                ("task", "0"),
                ("name", &figures.server),
                ("context", context),
            ];
            labels.extend(table.as_deref().map(|table| ("table", table)));
            let label = |(label, text): (&str, &str)| {
                format!("{label}=\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
            };
            let labels = labels.into_iter().map(label).collect::<Vec<_>>().join(",");
            by_name.entry(name).or_default().push(format!("{name}{{{labels}}} {value}\n"));
        }
    }
    by_name.into_iter().map(|(name, samples)| format!("# TYPE {name} gauge\n{}", samples.concat())).collect()
}

fn count(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_debeziums_names() {
        let metrics = TaskMetrics::default();
        metrics.update(|figures| {
            figures.behind_source_ms = Some(7);
            figures.last_event_ms = Some(1_000);
            figures.snapshot.started_ms = Some(500);
            figures.snapshot.rows_scanned.insert("public.a".into(), 3);
        });
        let samples = metrics.figures().samples(4_000);
        let value = |name: &str| samples.iter().find(|sample| sample.name == name).map(|sample| sample.value);
        assert_eq!(value("debezium_metrics_MilliSecondsBehindSource"), Some(7.0));
        assert_eq!(value("debezium_metrics_MilliSecondsSinceLastEvent"), Some(3_000.0));
        assert_eq!(value("debezium_metrics_SnapshotDurationInSeconds"), Some(3.0));
        assert_eq!(value("debezium_metrics_RowsScanned"), Some(3.0));
        assert_eq!(value("debezium_metrics_LastTransactionId"), None);
        let text = exposition(&[("a\"b".to_owned(), metrics.figures())], 4_000);
        let rows = "# TYPE debezium_metrics_RowsScanned gauge\ndebezium_metrics_RowsScanned{plugin=\"postgres\",\
                    connector=\"a\\\"b\",task=\"0\",name=\"\",context=\"snapshot\",table=\"public.a\"} 3\n";
        assert!(text.contains(rows), "{text}");
    }
}
