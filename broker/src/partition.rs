//! A partition: its log behind a lock, what readers see of it without one, and the fetches that wait for it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use arc_swap::ArcSwap;
use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::transaction_log::TransactionVersion;
use brooklet_protocol::records::BatchHeader;
use brooklet_protocol::records::validate::ValidBatch;
use brooklet_storage::{
    AppendError, AppendOrigin, Appended, CleanedSegment, CompactionPlan, DataDir, Error, LogId, LogView, PartitionLog,
    ProducerStateEntry, VerificationGuard,
};
use parking_lot::Mutex;

use crate::fetch_wait::FetchWaiters;
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
    view: OnceLock<Arc<LogView>>,
    waiters: FetchWaiters,
    /// See [`Partition::leader_epoch`].
    leader_epoch: AtomicI32,
}

impl Partition {
    pub(crate) fn new(id: LogId, data_dir: Arc<DataDir>, settings: Arc<ArcSwap<TopicSettings>>) -> Self {
        Self {
            id,
            data_dir,
            settings,
            log: Mutex::new(None),
            view: OnceLock::new(),
            waiters: FetchWaiters::default(),
            leader_epoch: AtomicI32::new(UNKNOWN_EPOCH),
        }
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

    /// The fetches that wait here.
    pub(crate) fn waiters(&self) -> &FetchWaiters {
        &self.waiters
    }

    /// Appends a batch and wakes who waits for it. When this returns, the batch survives the death of this process.
    pub(crate) fn append(&self, batch: &ValidBatch, origin: AppendOrigin) -> Result<Appended, AppendError> {
        let settings = self.settings.load();
        let (appended, stable) = self.with_log(|log| {
            let before = log.view().last_stable_offset();
            let appended = log.append(batch, origin, &settings.log)?;
            Ok::<_, AppendError>((appended, before..log.view().last_stable_offset()))
        })?;
        if !appended.duplicate {
            let size = batch.header.size();
            let advanced = !stable.is_empty();
            let held_back = stable.start < appended.base_offset;
            self.waiters.appended(size, if advanced && !held_back { size } else { 0 });
            if advanced && held_back {
                self.waiters.stabilised();
            }
        }
        Ok(appended)
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

    /// Removes the segments that the topic's configs do not keep. A log that nobody has opened is opened only if something
    /// is to go. The files are what remains to be removed.
    pub(crate) fn retain(&self, now_ms: i64) -> Result<Vec<PathBuf>, Error> {
        let settings = self.settings.load();
        if !self.is_open() && !self.data_dir.has_expired(&self.id, &settings.log, now_ms)? {
            return Ok(Vec::new());
        }
        self.with_log(|log| log.retain(&settings.log, now_ms))
    }

    /// See [`PartitionLog::compaction_plan`].
    pub(crate) fn compaction_plan(&self, upto: Option<i64>, now_ms: i64) -> Result<Option<CompactionPlan>, Error> {
        let settings = self.settings.load();
        self.with_log(|log| log.compaction_plan(upto, &settings.log, now_ms))
    }

    /// See [`PartitionLog::replace_segments`].
    pub(crate) fn replace_segments(&self, cleaned: &CleanedSegment) -> Result<Option<Vec<PathBuf>>, Error> {
        self.with_log(|log| log.replace_segments(cleaned))
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
    pub(crate) fn flush(&self, deadline: Instant) -> Result<Option<i64>, Error> {
        self.log.lock().as_mut().map(|log| log.flush(deadline)).transpose()
    }

    /// Takes the partition's files away. The path is what remains to be removed.
    pub(crate) fn delete(&self) -> Result<Option<PathBuf>, Error> {
        let remains = self.with_log(brooklet_storage::PartitionLog::delete)?;
        self.waiters.wake_all();
        Ok(remains)
    }

    fn with_log<T, E: From<Error>>(&self, act: impl FnOnce(&mut PartitionLog) -> Result<T, E>) -> Result<T, E> {
        let mut slot = self.log.lock();
        let log = match &mut *slot {
            Some(log) => log,
            empty => {
                let opened = self.data_dir.open_log(self.id.clone(), &self.settings.load().log)?;
                let _ = self.view.set(Arc::clone(opened.view()));
                empty.insert(Box::new(opened))
            }
        };
        act(log)
    }
}
