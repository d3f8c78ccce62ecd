//! A connector's one task under supervision: started, tried again while that may help, and otherwise FAILED until somebody
//! acts (`WorkerSourceTask`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::offset_store::OffsetStore;
use super::record_maker::RecordMaker;
use super::record_writer::{Pending, RecordWriter, task_error};
use super::settings::WorkerSettings;
use super::status::{State, Status};
use super::status_store::StatusStore;
use crate::connector_config::{ConnectorPlugin, Properties};
use crate::destination::Destination;
use crate::metrics::TaskMetrics;
use crate::source::{TaskContext, TaskError};

/// The first pause before a task is tried again, unless `errors.retry.delay.initial.ms` says another.
const FIRST_DELAY: Duration = Duration::from_millis(300);
/// The longest one, unless `retriable.restart.connector.wait.ms` or `errors.retry.delay.max.ms` says another: the shorter of
/// them.
const LONGEST_DELAY: Duration = Duration::from_secs(10);
/// A task that ran for so long was well: pauses begin anew.
const WELL_AFTER: Duration = Duration::from_secs(60);
/// How long a task may take to stop (`task.shutdown.graceful.timeout.ms`).
pub(super) const SHUTDOWN: Duration = Duration::from_secs(5);
/// The number of the one task.
pub(super) const TASK: i32 = 0;

/// What a task needs.
#[derive(Clone)]
pub(super) struct TaskRunner {
    pub(super) connector: String,
    /// With what config providers know.
    pub(super) properties: Properties,
    pub(super) plugin: Arc<dyn ConnectorPlugin>,
    pub(super) settings: Arc<WorkerSettings>,
    pub(super) destination: Arc<dyn Destination>,
    pub(super) offsets: OffsetStore,
    pub(super) statuses: StatusStore,
    pub(super) metrics: Arc<TaskMetrics>,
}

/// How a task's run has ended.
struct Run {
    outcome: Result<(), TaskError>,
    has_committed: bool,
}

impl TaskRunner {
    /// Runs the task until `stop`.
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut delays = Delays::new(&self.properties);
        loop {
            self.tell(State::Running, None);
            let started = Instant::now();
            let run = self.run_guarded(&stop).await;
            if stop.is_cancelled() {
                return;
            }
            match run.outcome {
                // The source has no more, as after a snapshot that nothing follows: the task stays, and idles.
                Ok(()) => return stop.cancelled().await,
                Err(TaskError::Failed(trace)) => {
                    tracing::error!(connector = self.connector, trace, "the task has failed");
                    self.tell(State::Failed, Some(trace));
                    return stop.cancelled().await;
                }
                Err(TaskError::Retriable(trace)) => {
                    if run.has_committed || started.elapsed() > WELL_AFTER {
                        delays.begin_anew();
                    }
                    let Some(delay) = delays.next() else {
                        self.tell(State::Failed, Some(trace));
                        return stop.cancelled().await;
                    };
                    tracing::warn!(connector = self.connector, ?delay, trace, "the task is tried again");
                    self.tell(State::Restarting, Some(trace));
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(delay) => {}
                    }
                }
            }
        }
    }

    /// Runs the task once. That it panics is its failure, and nobody else's; that it does not heed `stop` is its end.
    async fn run_guarded(&self, stop: &CancellationToken) -> Run {
        let runner = self.clone();
        let child = stop.child_token();
        let mut running = tokio::spawn(async move { runner.run_once(child).await });
        let ended = tokio::select! {
            ended = &mut running => ended,
            () = stop.cancelled() => match tokio::time::timeout(SHUTDOWN, &mut running).await {
                Ok(ended) => ended,
                Err(_) => {
                    running.abort();
                    tracing::warn!(connector = self.connector, "the task did not stop in time, and was ended");
                    return Run { outcome: Ok(()), has_committed: false };
                }
            },
        };
        ended.unwrap_or_else(|error| Run {
            outcome: Err(TaskError::Failed(format!("org.apache.kafka.connect.errors.ConnectException: {error}\n"))),
            has_committed: false,
        })
    }

    async fn run_once(self, stop: CancellationToken) -> Run {
        let (mut task, mut writer) = match self.begin().await {
            Ok(begun) => begun,
            Err(error) => return Run { outcome: Err(error), has_committed: false },
        };
        let offset = self.offsets.offset(&self.connector, &writer.source_partition);
        let outcome = task.run(offset, &mut writer, stop).await;
        let has_committed = writer.has_committed;
        writer.close().await;
        Run { outcome, has_committed }
    }

    /// Makes the task, and what it writes to. Offsets are read once nobody else can write them any more.
    async fn begin(&self) -> Result<(Box<dyn crate::source::SourceTask>, RecordWriter), TaskError> {
        let config_error = |error: crate::connector_config::ConfigError| {
            TaskError::Failed(format!("org.apache.kafka.common.config.ConfigException: {error}\n"))
        };
        let context = TaskContext { topics: Arc::clone(&self.destination), metrics: Arc::clone(&self.metrics) };
        let task = self.plugin.create_task(&self.properties, context)?;
        let maker = RecordMaker::new(&self.properties, &self.settings).map_err(config_error)?;
        self.offsets.ensure_topic().map_err(task_error)?;
        let transactional_id = self.settings.transactional_id(&self.connector, TASK);
        let producer = self.destination.producer(&transactional_id).await.map_err(task_error)?;
        self.offsets.load_connector(&self.connector).map_err(task_error)?;
        let writer = RecordWriter {
            connector: self.connector.clone(),
            source_partition: task.source_partition(),
            maker,
            destination: Arc::clone(&self.destination),
            producer,
            offsets: self.offsets.clone(),
            statuses: self.statuses.clone(),
            pending: Pending::default(),
            has_committed: false,
        };
        Ok((task, writer))
    }

    fn tell(&self, state: State, trace: Option<String>) {
        let version = Some(self.plugin.version().to_owned());
        let worker_id = self.settings.worker_id.clone();
        self.statuses.set_task(&self.connector, TASK, &Status { state, trace, worker_id, version });
    }
}

/// Pauses between tries, each twice as long as the one before.
struct Delays {
    first: Duration,
    next: Duration,
    longest: Duration,
    /// `errors.max.retries`; `None` is without end.
    most: Option<u64>,
    tries: u64,
}

impl Delays {
    fn new(properties: &Properties) -> Self {
        let number = |name: &str| properties.value(name).and_then(|text| text.trim().parse::<i64>().ok());
        let delay =
            |name: &str| number(name).and_then(|ms| u64::try_from(ms).ok()).map(|ms| Duration::from_millis(ms.max(1)));
        let limits = ["retriable.restart.connector.wait.ms", "errors.retry.delay.max.ms"].map(delay);
        let longest = limits.into_iter().flatten().min().unwrap_or(LONGEST_DELAY);
        let first = delay("errors.retry.delay.initial.ms").unwrap_or(FIRST_DELAY).min(longest);
        let most = number("errors.max.retries").and_then(|most| u64::try_from(most).ok());
        Self { first, next: first, longest, most, tries: 0 }
    }

    fn begin_anew(&mut self) {
        self.next = self.first;
        self.tries = 0;
    }

    /// The next pause; `None` if there shall be no more tries.
    fn next(&mut self) -> Option<Duration> {
        self.tries += 1;
        if self.most.is_some_and(|most| self.tries > most) {
            return None;
        }
        let delay = self.next;
        self.next = (delay * 2).min(self.longest);
        Some(delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest_and_end_where_they_are_told() {
        let config = [("errors.max.retries", "7"), ("errors.retry.delay.max.ms", "2000")].into_iter().collect();
        let mut delays = Delays::new(&config);
        let pauses: Vec<_> = std::iter::from_fn(|| delays.next()).map(|delay| delay.as_millis()).collect();
        assert_eq!(pauses, [300, 600, 1200, 2000, 2000, 2000, 2000]);
        delays.begin_anew();
        assert_eq!(delays.next(), Some(FIRST_DELAY));
        let longer = [("errors.retry.delay.initial.ms", "20000"), ("retriable.restart.connector.wait.ms", "30000")];
        let mut delays = Delays::new(&longer.into_iter().collect());
        let pauses: Vec<_> = std::iter::from_fn(|| delays.next()).take(3).map(|delay| delay.as_secs()).collect();
        assert_eq!(pauses, [20, 30, 30]);
        let mut none = Delays::new(&[("errors.max.retries", "0")].into_iter().collect());
        assert_eq!(none.next(), None);
        let mut endless = Delays::new(&Properties::new());
        assert_eq!((0..20).filter_map(|_| endless.next()).last(), Some(LONGEST_DELAY));
    }
}
