//! A source connector as the worker sees it (`SourceConnector` and `SourceTask` of Connect's API).

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::data::{OffsetMap, SourceRecord};
use crate::destination::Destination;
use crate::metrics::TaskMetrics;

/// A future whose kind the caller need not know.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a task has ended, in the words in which its status says so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskError {
    /// It may go by itself: the worker tries again after a while.
    #[error("{0}")]
    Retriable(String),
    /// Somebody has to do something: the task's status becomes FAILED, with this as its trace.
    #[error("{0}")]
    Failed(String),
}

/// What a task may use beside the sink of its records.
#[derive(Clone)]
pub struct TaskContext {
    /// The broker's topics, from one of which signals may come.
    pub topics: Arc<dyn Destination>,
    /// Where it tells its figures.
    pub metrics: Arc<TaskMetrics>,
}

impl fmt::Debug for TaskContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskContext").field("metrics", &self.metrics).finish_non_exhaustive()
    }
}

/// Takes what a task gives out. Records are converted, transformed and written as they come, in a transaction that
/// readers see once [`commit`](Self::commit) is done, together with the offset up to which the source was read.
pub trait RecordSink: Send {
    /// Writes records behind those that were sent before.
    ///
    /// # Errors
    /// What the converters, the transforms or the broker refuse, as the connector's `errors.tolerance` has it.
    fn send(&mut self, records: Vec<SourceRecord>) -> BoxFuture<'_, Result<(), TaskError>>;

    /// Shows readers what was sent, and keeps `offset` as the place from which to go on. When this returns, both survive
    /// the death of the process, so that the source may forget what lies before.
    ///
    /// # Errors
    /// As for `send`; nothing sent since the last commit is seen then by readers of what is committed.
    fn commit(&mut self, offset: &OffsetMap) -> BoxFuture<'_, Result<(), TaskError>>;
}

/// A task at work.
pub trait SourceTask: Send {
    /// What in the source it reads: the key of its offsets, `{"server":"…"}` of Debezium's.
    fn source_partition(&self) -> OffsetMap;

    /// Reads the source from `offset`, or from its beginning, until `stop` or an error. Each call begins anew.
    ///
    /// # Errors
    /// Why it cannot go on.
    fn run<'a>(
        &'a mut self,
        offset: Option<OffsetMap>,
        sink: &'a mut dyn RecordSink,
        stop: CancellationToken,
    ) -> BoxFuture<'a, Result<(), TaskError>>;
}
