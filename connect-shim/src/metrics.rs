//! What a connector's task tells of its work: the figures of Debezium's `SnapshotChangeEventSourceMetricsMXBean` and
//! `StreamingChangeEventSourceMetricsMXBean`, which whoever serves metrics reads.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

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
    /// When the server's log came to where it is not kept here yet, in milliseconds since 1970; `None` if all is kept.
    pub slot_lag_since_ms: Option<i64>,
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
    /// The table that is being read.
    pub table: Option<String>,
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

impl SnapshotState {
    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Skipped => "skipped",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Aborted => "aborted",
        }
    }
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

    /// How long the server's log has been beyond what is kept here, in milliseconds.
    fn slot_lag_ms(&self, now_ms: i64) -> i64 {
        self.slot_lag_since_ms.map_or(0, |since| (now_ms - since).max(0))
    }

    /// How far the snapshot is while it is being taken, and, in `full`, how a past one went and how the stream stands;
    /// `None` if there is nothing to tell.
    pub(crate) fn progress(&self, full: bool, now_ms: i64) -> Option<Value> {
        let mut progress = Map::new();
        if self.snapshot.state == SnapshotState::Running || full && self.snapshot.started_ms.is_some() {
            progress.insert("snapshot".to_owned(), self.snapshot.progress(now_ms));
        }
        if full && self.connected {
            let streaming = json!({
                "milliseconds_behind_source": self.behind_source_ms,
                "slot_lag_bytes": self.slot_lag_bytes,
                "slot_lag_milliseconds": self.slot_lag_ms(now_ms),
            });
            progress.insert("streaming".to_owned(), streaming);
        }
        (!progress.is_empty()).then(|| progress.into())
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
            // Debezium leaves these to those who ask PostgreSQL.
            ("debezium_metrics_SlotLagBytes", count(self.slot_lag_bytes)),
            ("debezium_metrics_SlotLagMilliSeconds", self.slot_lag_ms(now_ms) as f64),
        ];
        figures.extend(self.last_transaction_id.map(|id| ("debezium_metrics_LastTransactionId", id as f64)));
        let sample = |(name, value)| Sample { name, context: "streaming", table: None, value };
        figures.into_iter().map(sample).collect()
    }
}

impl SnapshotFigures {
    /// How many rows were read, of all tables.
    pub fn rows(&self) -> u64 {
        self.rows_scanned.values().sum()
    }

    /// How many rows were read a second.
    pub fn rows_a_second(&self, now_ms: i64) -> u64 {
        self.rows().saturating_mul(1000) / self.duration_ms(now_ms).max(1)
    }

    fn duration_ms(&self, now_ms: i64) -> u64 {
        let duration = self.started_ms.map_or(0, |started| self.ended_ms.unwrap_or(now_ms) - started);
        u64::try_from(duration).unwrap_or(0)
    }

    fn progress(&self, now_ms: i64) -> Value {
        let mut progress = json!({
            "state": self.state.name(),
            "tables": self.tables,
            "tables_done": self.tables - self.remaining_tables.min(self.tables),
            "rows": self.rows(),
            "rows_per_second": self.rows_a_second(now_ms),
            "seconds": self.duration_ms(now_ms) / 1000,
        });
        if let Some(table) = &self.table {
            progress["table"] = table.as_str().into();
        }
        progress
    }

    fn samples(&self, now_ms: i64) -> Vec<Sample> {
        let is = |state| f64::from(u8::from(self.state == state));
        let seconds = self.duration_ms(now_ms) / 1000;
        let figures = [
            ("debezium_metrics_SnapshotRunning", is(SnapshotState::Running)),
            ("debezium_metrics_SnapshotCompleted", is(SnapshotState::Completed)),
            ("debezium_metrics_SnapshotAborted", is(SnapshotState::Aborted)),
            ("debezium_metrics_SnapshotSkipped", is(SnapshotState::Skipped)),
            ("debezium_metrics_SnapshotDurationInSeconds", count(seconds)),
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
        assert_eq!(value("debezium_metrics_SlotLagMilliSeconds"), Some(0.0));
    }

    #[test]
    fn progress_is_told_while_there_is_some() {
        let metrics = TaskMetrics::default();
        assert_eq!(metrics.figures().progress(true, 0), None);
        metrics.update(|figures| {
            figures.snapshot.state = SnapshotState::Running;
            figures.snapshot.started_ms = Some(1_000);
            (figures.snapshot.tables, figures.snapshot.remaining_tables) = (3, 2);
            figures.snapshot.table = Some("public.b".into());
            figures.snapshot.rows_scanned = [("public.a".into(), 300), ("public.b".into(), 100)].into();
        });
        let snapshot = json!({
            "state": "running", "tables": 3, "tables_done": 1, "rows": 400, "rows_per_second": 200, "seconds": 2, "table": "public.b",
        });
        assert_eq!(metrics.figures().progress(false, 3_000), Some(json!({ "snapshot": snapshot })));
        metrics.update(|figures| {
            figures.snapshot.state = SnapshotState::Completed;
            figures.snapshot.ended_ms = Some(2_000);
            figures.snapshot.table = None;
            figures.connected = true;
            (figures.slot_lag_bytes, figures.slot_lag_since_ms) = (512, Some(4_000));
        });
        assert_eq!(metrics.figures().progress(false, 9_000), None);
        let told = metrics.figures().progress(true, 9_000).unwrap_or_default();
        assert_eq!(told["snapshot"]["rows_per_second"], 400);
        let streaming =
            json!({"milliseconds_behind_source": null, "slot_lag_bytes": 512, "slot_lag_milliseconds": 5_000});
        assert_eq!(told["streaming"], streaming);
    }
}
