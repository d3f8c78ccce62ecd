//! A partition: its log behind a lock, what readers see of it without one, and the fetches that wait for it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::transaction_log::TransactionVersion;
use brooklet_protocol::records::BatchHeader;
use brooklet_protocol::records::validate::ValidBatch;
use brooklet_storage::{
    AppendError, AppendOrigin, Appended, CleanedSegment, CompactionPlan, DataDir, Deadline, Error, LogId, LogView,
    PartitionLog, ProducerStateEntry, VerificationGuard,
};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::fetch_wait::FetchWaiters;
use crate::flusher::{FlushWaiters, Flusher};
use crate::metrics::BrokerTopicMetrics;
use crate::topic_settings::TopicSettings;

/// Epoch of the leader of every partition that was made here: it has been this node from the start and will be to the end.
const LEADER_EPOCH: i32 = 0;
/// Nobody has asked for the leader's epoch yet.
const UNKNOWN_EPOCH: i32 = -1;

/// One partition of a topic. Its log is opened when it is first needed.
#[derive(Debug)]
pub(crate) struct Partition {
    id: LogId,
    data_dir: Arc<DataDir>,
    settings: Arc<ArcSwap<TopicSettings>>,
    /// Boxed: most partitions of most brokers are never opened.
    log: Mutex<Option<Box<PartitionLog>>>,
    /// Set when anybody asks for the log: then it stays open. Not for [`Upkeep`].
    view: OnceLock<Arc<LogView>>,
    waiters: FetchWaiters,
    flusher: Arc<Flusher>,
    flush_waiters: Mutex<FlushWaiters>,
    metrics: Arc<BrokerTopicMetrics>,
    /// A flush will begin when `flush.ms` have passed.
    flush_is_due: AtomicBool,
    /// See [`Partition::leader_epoch`].
    leader_epoch: AtomicI32,
}

impl Partition {
    pub(crate) fn new(
        id: LogId,
        data_dir: Arc<DataDir>,
        settings: Arc<ArcSwap<TopicSettings>>,
        flusher: Arc<Flusher>,
        metrics: Arc<BrokerTopicMetrics>,
    ) -> Self {
        Self {
            id,
            data_dir,
            settings,
            log: Mutex::new(None),
            view: OnceLock::new(),
            waiters: FetchWaiters::default(),
            flusher,
            flush_waiters: Mutex::default(),
            metrics,
            flush_is_due: AtomicBool::new(false),
            leader_epoch: AtomicI32::new(UNKNOWN_EPOCH),
        }
    }

    pub(crate) fn index(&self) -> i32 {
        self.id.partition
    }

    /// What readers see of the log.
    pub(crate) fn view(&self) -> Result<&Arc<LogView>, Error> {
        if let Some(view) = self.view.get() {
            return Ok(view);
        }
        let view = self.with_log(|log| Ok(Arc::clone(log.view())))?;
        Ok(self.view.get_or_init(|| view))
    }

    /// The epoch of the partition's leader: 0, unless Kafka has written the log before. The log need not be opened for it.
    pub(crate) fn leader_epoch(&self) -> i32 {
        let known = self.leader_epoch.load(Ordering::Relaxed);
        if known != UNKNOWN_EPOCH {
            return known;
        }
        let found = match self.view.get() {
            Some(view) => view.leader_epochs().latest(),
            None => self.data_dir.leader_epoch(&self.id).unwrap_or_else(|error| {
                tracing::warn!(%error, "leader epoch not read");
                LEADER_EPOCH
            }),
        };
        self.leader_epoch.store(found, Ordering::Relaxed);
        found
    }

    /// Whether a client that takes `current` for the leader's epoch may be answered; -1 says that it knows none.
    pub(crate) fn check_leader_epoch(&self, current: i32) -> Result<(), ErrorCode> {
        match current.cmp(&self.leader_epoch()) {
            std::cmp::Ordering::Greater => Err(ErrorCode::UnknownLeaderEpoch),
            std::cmp::Ordering::Less if current >= 0 => Err(ErrorCode::FencedLeaderEpoch),
            _ => Ok(()),
        }
    }

    /// The fetches that wait here.
    pub(crate) fn waiters(&self) -> &FetchWaiters {
        &self.waiters
    }

    /// Appends a batch and wakes who waits for it. When this returns, the batch survives the death of this process. Whether
    /// somebody must wait for more is another question: see [`Partition::must_flush`]; for what coordinators append, the
    /// [`Flusher`] knows.
    pub(crate) fn append(self: &Arc<Self>, batch: &ValidBatch, origin: AppendOrigin) -> Result<Appended, AppendError> {
        let settings = self.settings.load();
        let (appended, stable) = self.with_log(|log| {
            let before = log.view().last_stable_offset();
            let appended = log.append(batch, origin, &settings.log)?;
            Ok::<_, AppendError>((appended, before..log.view().last_stable_offset()))
        })?;
        if !appended.duplicate {
            let size = batch.header.size();
            self.metrics.messages_in.add(u64::try_from(batch.header.record_count).unwrap_or(0));
            self.metrics.bytes_in.add(size as u64);
            let advanced = !stable.is_empty();
            let held_back = stable.start < appended.base_offset;
            self.waiters.appended(size, if advanced && !held_back { size } else { 0 });
            if advanced && held_back {
                self.waiters.stabilised();
            }
            if settings.config.flush_ms < i64::MAX {
                self.flush_in_time(settings.config.flush_ms);
            }
        }
        let of_client = matches!(origin, AppendOrigin::Client | AppendOrigin::VerifiedClient(_));
        if !of_client && self.must_flush(true) {
            self.flusher.note(self);
        }
        Ok(appended)
    }

    /// Whether what has just been appended must be on disk before it is acknowledged: because `flush.messages` has been
    /// reached, or because of `brooklet.flush.before.ack`, which is for producers that want all replicas to have it
    /// (`acks_all`).
    pub(crate) fn must_flush(&self, acks_all: bool) -> bool {
        if acks_all && self.flusher.before_ack() {
            return true;
        }
        let most = self.settings.load().config.flush_messages;
        most < i64::MAX
            && self.view.get().is_some_and(|view| view.next_offset().saturating_sub(view.recovery_point()) >= most)
    }

    /// Waits until all that has been appended is on disk. The error is that it cannot be known to be.
    pub(crate) async fn flushed(self: &Arc<Self>) -> Result<(), Error> {
        let (waiter, outcome) = oneshot::channel();
        if self.flush_waiters.lock().add(waiter) {
            self.flusher.begin(self);
        }
        match outcome.await {
            Ok(outcome) => outcome,
            // The flush has panicked, or the runtime has ended.
            Err(_) => self.flush_appended(),
        }
    }

    /// The flush that `flush.ms` asks for.
    pub(crate) async fn flush_on_time(self: &Arc<Self>) -> Result<(), Error> {
        // Before the flush: who appends from now on may come too late for it.
        self.flush_is_due.store(false, Ordering::Release);
        self.flushed().await
    }

    fn flush_in_time(self: &Arc<Self>, flush_ms: i64) {
        if !self.flush_is_due.swap(true, Ordering::AcqRel) {
            self.flusher.begin_after(self, Duration::from_millis(flush_ms.unsigned_abs()));
        }
    }

    /// Who waits for the next flush.
    pub(crate) fn flush_waiters(&self) -> &Mutex<FlushWaiters> {
        &self.flush_waiters
    }

    /// Flushes what has been appended until now. Others may append meanwhile.
    pub(crate) fn flush_appended(&self) -> Result<(), Error> {
        let plan = match &*self.log.lock() {
            Some(log) => match (log.poisoned(), log.flush_plan(false)) {
                (Some(error), _) => return Err(error.clone()),
                (None, Some(plan)) => plan,
                (None, None) => return Ok(()),
            },
            None => return Ok(()),
        };
        let outcome = plan.carry_out(&Deadline::never());
        let (flushed, poisoned) = match &mut *self.log.lock() {
            Some(log) => (log.flushed(&plan, outcome), log.poisoned().is_some()),
            None => (outcome, false),
        };
        if flushed.is_err() {
            self.flusher.failed();
        }
        self.distrust_if(poisoned);
        flushed.map(|_| ())
    }

    /// Whether nobody has to wait for a flush any more: all is on disk, or nobody can say what is.
    pub(crate) fn is_flushed(&self) -> bool {
        let slot = self.log.lock();
        slot.as_ref().is_none_or(|log| log.recovery_point() >= log.view().next_offset() || log.poisoned().is_some())
    }

    /// Up to where the log is on disk, if it was opened.
    pub(crate) fn recovery_point(&self) -> Option<i64> {
        self.view.get().map(|view| view.recovery_point())
    }

    /// See [`PartitionLog::begin_verification`].
    pub(crate) fn begin_verification(
        &self,
        header: &BatchHeader,
        transaction_version: TransactionVersion,
        now_ms: i64,
    ) -> Result<Option<VerificationGuard>, AppendError> {
        self.with_log(|log| log.begin_verification(header, transaction_version, now_ms))
    }

    /// What is known of each producer that has written here, by producer id.
    pub(crate) fn producers(&self) -> Result<Vec<(i64, ProducerStateEntry)>, Error> {
        self.with_log(|log| Ok(log.producers()))
    }

    /// Moves the log's start, and remembers it.
    pub(crate) fn advance_start(&self, offset: i64) -> Result<(), Error> {
        let start = self.with_log(|log| {
            log.advance_start(offset)?;
            Ok::<_, Error>(log.view().log_start_offset())
        })?;
        self.data_dir.set_log_start_offset(&self.id.topic, self.id.partition, start)
    }

    /// Whether anyone has read it or written to it since the start.
    pub(crate) fn is_open(&self) -> bool {
        self.view.get().is_some()
    }

    /// Whether it has files that nobody has looked at since the start.
    pub(crate) fn is_unopened(&self) -> bool {
        !self.is_open() && self.data_dir.path().join(self.id.dir_name()).exists()
    }

    /// Opens the log for work that nobody has asked for.
    pub(crate) fn upkeep(&self) -> Result<Upkeep<'_>, Error> {
        self.with_unasked(|_| Ok(Upkeep(self)))
    }

    /// Removes the segments that the topic's configs do not keep. A log that nobody has opened is opened only if something
    /// is to go, and not kept open. The files are what remains to be removed.
    pub(crate) fn retain(&self, now_ms: i64) -> Result<Vec<PathBuf>, Error> {
        let settings = self.settings.load();
        if !self.is_open() && !self.data_dir.has_expired(&self.id, &settings.log, now_ms)? {
            return Ok(Vec::new());
        }
        self.upkeep()?.0.with_unasked(|log| log.retain(&settings.log, now_ms))
    }

    /// Whether compaction may be due, as far as that can be told without opening the log.
    pub(crate) fn may_be_due(&self, now_ms: i64) -> Result<bool, Error> {
        self.data_dir.may_be_due(&self.id, &self.settings.load().log, now_ms)
    }

    /// Forgets producers that have been silent since `before_ms`, in milliseconds since 1970.
    pub(crate) fn expire_producers(&self, before_ms: i64) {
        if let Some(log) = &mut *self.log.lock() {
            log.expire_producers(before_ms);
        }
    }

    /// Leaves the files as a clean stop does.
    pub(crate) fn close(&self) -> Result<(), Error> {
        match &mut *self.log.lock() {
            Some(log) => log.close(),
            None => Ok(()),
        }
    }

    /// Hands what was appended to the disk until `deadline` has passed. Returns up to where the log is there now, or
    /// `None` if it was not opened.
    pub(crate) fn flush(&self, deadline: &Deadline) -> Result<Option<i64>, Error> {
        let mut slot = self.log.lock();
        let Some(log) = &mut *slot else {
            return Ok(None);
        };
        let flushed = log.flush(deadline);
        self.distrust_if(log.poisoned().is_some());
        flushed.map(Some)
    }

    /// Lets the next start believe only what is on disk for certain.
    fn distrust_if(&self, poisoned: bool) {
        if poisoned && let Err(error) = self.data_dir.distrust() {
            tracing::error!(%error, "the next start will not know that a flush has failed");
        }
    }

    /// Opens the log to have it checked after the machine has stopped, if nobody has yet. It is not kept open.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let slot = self.log.lock();
        match &*slot {
            Some(_) => Ok(()),
            None => self.open().map(|_| ()),
        }
    }

    /// Takes the partition's files away. The path is what remains to be removed.
    pub(crate) fn delete(&self) -> Result<Option<PathBuf>, Error> {
        let remains = self.with_log(brooklet_storage::PartitionLog::delete)?;
        self.waiters.wake_all();
        Ok(remains)
    }

    /// For who has asked for the log: from now on it stays open.
    fn with_log<T, E: From<Error>>(&self, act: impl FnOnce(&mut PartitionLog) -> Result<T, E>) -> Result<T, E> {
        self.with_unasked(|log| {
            self.view.get_or_init(|| Arc::clone(log.view()));
            act(log)
        })
    }

    fn with_unasked<T, E: From<Error>>(&self, act: impl FnOnce(&mut PartitionLog) -> Result<T, E>) -> Result<T, E> {
        let mut slot = self.log.lock();
        let log = match &mut *slot {
            Some(log) => log,
            empty => empty.insert(Box::new(self.open()?)),
        };
        act(log)
    }

    fn open(&self) -> Result<PartitionLog, Error> {
        self.data_dir.open_log(self.id.clone(), &self.settings.load().log)
    }
}

/// A log that is open for work that nobody has asked for. If nobody asks for it meanwhile, it is closed with this: a broker
/// must not have all logs open because it has looked at all of them.
#[derive(Debug)]
pub(crate) struct Upkeep<'a>(&'a Partition);

impl Upkeep<'_> {
    /// See [`PartitionLog::compaction_plan`].
    pub(crate) fn compaction_plan(&self, upto: Option<i64>, now_ms: i64) -> Result<Option<CompactionPlan>, Error> {
        let settings = self.0.settings.load();
        self.0.with_unasked(|log| log.compaction_plan(upto, &settings.log, now_ms))
    }

    /// See [`PartitionLog::replace_segments`].
    pub(crate) fn replace_segments(&self, cleaned: &CleanedSegment) -> Result<Option<Vec<PathBuf>>, Error> {
        self.0.with_unasked(|log| log.replace_segments(cleaned))
    }

    /// Flushes what has been appended until now. Returns up to where the log is on disk.
    pub(crate) fn flush(&self) -> Result<i64, Error> {
        self.0.flush_appended()?;
        self.0.with_unasked(|log| Ok(log.recovery_point()))
    }
}

impl Drop for Upkeep<'_> {
    fn drop(&mut self) {
        let mut slot = self.0.log.lock();
        if self.0.is_open() {
            return;
        }
        match slot.as_mut().map(|log| log.close()) {
            Some(Err(error)) => {
                // What has failed here must be known to whoever asks for the log next, and at the stop.
                tracing::error!(%error, log = %self.0.id.dir_name(), "log not closed");
                if let Some(log) = &*slot {
                    self.0.view.get_or_init(|| Arc::clone(log.view()));
                }
            }
            Some(Ok(())) | None => *slot = None,
        }
    }
}
