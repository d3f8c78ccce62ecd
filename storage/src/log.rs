//! A partition's log: the writer's side (Kafka's `UnifiedLog` and `LocalLog`, of one node).

mod compacting;
mod condition;
mod config;
mod flushing;
mod opening;
mod retention;

pub use config::LogConfig;
pub use flushing::FlushPlan;
pub(crate) use retention::has_expired;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use brooklet_protocol::coordinator::transaction_log::TransactionVersion;
use brooklet_protocol::records::validate::ValidBatch;
use brooklet_protocol::records::{BatchHeader, ControlRecord, RecordBatch};
use bytes::{Bytes, BytesMut};
use uuid::Uuid;

use crate::disk::Dir;
use crate::error::{AppendError, Error};
use crate::files::{SEGMENT_FILES, segment_file};
use crate::leader_epochs::LeaderEpochs;
use crate::partition_dir;
use crate::producer_snapshot;
use crate::producer_state::{Admission, ProducerStateEntry, ProducerStateManager, VerificationGuard};
use crate::recovery::RecoveredSegment;
use crate::segment::{ActiveSegment, Segment};
use crate::transaction_index::AbortedTransaction;
use crate::view::LogView;
use condition::Condition;
use flushing::NamesOnDisk;
use opening::{OpenedSegments, epochs_of, open_segments};

/// Which partition a log is, for its directory's name and metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogId {
    /// The topic's name.
    pub topic: String,
    /// The topic's id (KIP-516).
    pub topic_id: Uuid,
    /// The partition.
    pub partition: i32,
}

impl LogId {
    /// The name of the partition's directory, as Kafka forms it.
    pub fn dir_name(&self) -> String {
        format!("{}-{}", self.topic, self.partition)
    }
}

/// What is known of a log before its files are looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogOrigin {
    /// Where reading may begin, as last checkpointed.
    pub log_start_offset: i64,
    /// Up to where the log was on disk for certain, as last checkpointed.
    pub recovery_point: i64,
    /// The machine itself may have gone down since the log was last written, so that what lies beyond the recovery point
    /// is believed only if it checks out.
    pub machine_stopped: bool,
}

/// On whose behalf a batch is appended: coordinators' batches have producer ids but no sequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendOrigin {
    /// A producer, in or out of process.
    Client,
    /// A producer in a transaction that the transaction coordinator was asked about, with what that began with.
    VerifiedClient(VerificationGuard),
    /// The group or transaction coordinator.
    Coordinator,
    /// The group coordinator, in a transaction that the transaction coordinator was asked about.
    VerifiedCoordinator(VerificationGuard),
    /// The transaction coordinator, which ends a transaction of this version.
    Marker(TransactionVersion),
}

impl AppendOrigin {
    pub(crate) fn is_client(self) -> bool {
        matches!(self, Self::Client | Self::VerifiedClient(_))
    }

    pub(crate) fn guard(self) -> Option<VerificationGuard> {
        match self {
            Self::VerifiedClient(guard) | Self::VerifiedCoordinator(guard) => Some(guard),
            Self::Client | Self::Coordinator | Self::Marker(_) => None,
        }
    }
}

/// Where a batch stands now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Offset of its first record.
    pub base_offset: i64,
    /// Offset of its last record.
    pub last_offset: i64,
    /// Whether it stood there already: the producer sent it again.
    pub duplicate: bool,
}

/// The one writer of a partition's log. Whoever shares it puts it behind a lock; nothing here waits on anything
/// but the file system.
#[derive(Debug)]
pub struct PartitionLog {
    id: LogId,
    dir: Dir,
    view: Arc<LogView>,
    active: Option<ActiveSegment>,
    producers: ProducerStateManager,
    /// Up to where the newest snapshot covers the producers' state.
    snapshot_offset: i64,
    names_on_disk: NamesOnDisk,
    condition: Condition,
}

impl PartitionLog {
    /// Opens the log of a partition in the data directory `parent`. One that has never been appended to has no
    /// directory, and gets none before it is.
    pub fn open(parent: &Path, id: LogId, config: &LogConfig, origin: LogOrigin) -> Result<Self, Error> {
        Self::open_in(&Dir::of_system(parent), id, config, origin)
    }

    pub(crate) fn open_in(parent: &Dir, id: LogId, config: &LogConfig, origin: LogOrigin) -> Result<Self, Error> {
        let dir = parent.child(id.dir_name());
        let log_start_offset = origin.log_start_offset;
        if !dir.is_there() {
            let epochs = LeaderEpochs::first(log_start_offset);
            let view = Arc::new(LogView::new(Vec::new(), log_start_offset, log_start_offset, epochs));
            view.publish_recovery_point(log_start_offset);
            return Ok(Self {
                id,
                dir,
                view,
                active: None,
                producers: ProducerStateManager::default(),
                snapshot_offset: log_start_offset,
                names_on_disk: NamesOnDisk::default(),
                condition: Condition::default(),
            });
        }
        let opened = open_segments(&dir, config, origin)?.at_or_behind(&dir, log_start_offset)?;
        let OpenedSegments { mut segments, active, next_offset, rebuilt_from, torn } = opened;
        if let Some(active) = &active {
            segments.push(Arc::clone(active.shared()));
        }
        let first = segments.first().map_or(next_offset, |segment| segment.base_offset());
        let log_start_offset = log_start_offset.max(first).min(next_offset);
        let epochs = epochs_of(&dir, &segments, log_start_offset, next_offset)?.within(log_start_offset, next_offset);
        let view = Arc::new(LogView::new(segments, log_start_offset, next_offset, epochs));
        let (snapshot_offset, producers) =
            producer_snapshot::read_newest(&dir, first, rebuilt_from.unwrap_or(next_offset), next_offset)?
                .unwrap_or((first, ProducerStateManager::default()));
        view.publish_recovery_point(origin.recovery_point.min(next_offset));
        let mut log = Self {
            id,
            dir,
            view,
            active,
            producers,
            snapshot_offset,
            names_on_disk: NamesOnDisk::default(),
            condition: Condition::default(),
        };
        log.replay_producers()?;
        if origin.machine_stopped || rebuilt_from.is_some() || torn {
            log.settle_recovered()?;
        }
        log.publish_end(next_offset);
        Ok(log)
    }

    pub(crate) fn id(&self) -> &LogId {
        &self.id
    }

    /// The side that readers share.
    pub fn view(&self) -> &Arc<LogView> {
        &self.view
    }

    /// Appends a batch at the end of the log, unless its producer sent it before. A segment that is full, or too
    /// old for the batch, is ended first.
    ///
    /// After an error the log is as it was. After success the batch survives the death of this process. Where room was
    /// lacking, the next append may find some; after any other failure to write, the log takes no more records
    /// ([`Error::Poisoned`]) and can still be read.
    pub fn append(
        &mut self,
        batch: &ValidBatch,
        origin: AppendOrigin,
        config: &LogConfig,
    ) -> Result<Appended, AppendError> {
        self.condition.admit()?;
        match self.append_batch(batch, origin, config) {
            Err(AppendError::Storage(error)) => Err(self.failed(error).into()),
            appended => {
                self.condition.has_room(&self.id);
                appended
            }
        }
    }

    fn append_batch(
        &mut self,
        batch: &ValidBatch,
        origin: AppendOrigin,
        config: &LogConfig,
    ) -> Result<Appended, AppendError> {
        if batch.header.size() > config.segment_bytes {
            return Err(AppendError::LargerThanSegment { size: batch.header.size(), max: config.segment_bytes });
        }
        let control = control_record(batch);
        let marker = match control {
            Some(ControlRecord::EndTransaction(marker)) => Some(marker),
            _ => None,
        };
        let admission = self.producers.check(&batch.header, marker, origin)?;
        if let Admission::Duplicate { base_offset, last_offset } = admission {
            return Ok(Appended { base_offset, last_offset, duplicate: true });
        }
        let partition_leader_epoch = self.view.leader_epochs().latest();
        let header = BatchHeader { base_offset: self.view.next_offset(), partition_leader_epoch, ..batch.header };
        let aborts = marker.is_some_and(|marker| self.producers.aborts(&header, marker));
        let active = self.segment_for(&header, config)?;
        if aborts {
            // Once the marker stands, its entry must too: room for it comes first.
            active.reserve_aborted()?;
        }
        active.append(&header, &batch.payload, config)?;
        if let Some(aborted) = self.producers.apply(&header, control)
            && let Some(active) = &mut self.active
        {
            active.append_aborted(aborted)?;
        }
        self.publish_end(header.next_offset());
        Ok(Appended { base_offset: header.base_offset, last_offset: header.last_offset(), duplicate: false })
    }

    /// Begins to verify that a producer's transaction has a part in this partition, before a batch with this header is
    /// appended to it: whoever calls this asks the transaction coordinator next, and appends with the guard. `None` if
    /// nobody needs to be asked, because records of the transaction are here already. `now_ms` is in milliseconds since
    /// 1970.
    ///
    /// # Errors
    /// A newer incarnation of the producer has written.
    pub fn begin_verification(
        &mut self,
        header: &BatchHeader,
        transaction_version: TransactionVersion,
        now_ms: i64,
    ) -> Result<Option<VerificationGuard>, AppendError> {
        Ok(self.producers.begin_verification(header, transaction_version, now_ms)?)
    }

    /// Moves the log's start to `offset`, which must not lie beyond its end, and removes the segments that lie
    /// wholly below it. Moving it back is not possible and does nothing.
    pub fn advance_start(&mut self, offset: i64) -> Result<(), Error> {
        if offset <= self.view.log_start_offset() {
            return Ok(());
        }
        self.view.publish_start(offset.min(self.view.next_offset()));
        self.publish_end(self.view.next_offset());
        let segments = self.view.segments();
        let gone = segments.windows(2).take_while(|pair| pair[1].base_offset() <= offset).count();
        if gone > 0 {
            self.cover_producers_below(segments[gone].base_offset())?;
            self.view.publish_segments(segments[gone..].to_vec());
            for segment in &segments[..gone] {
                segment.remove()?;
            }
        }
        Ok(())
    }

    /// Before the batches below `offset` go: whoever opens the log again replays what is left, on top of a snapshot that covers
    /// what is gone. There is one since the last segment was begun, unless the log was made whole after a machine stopped.
    fn cover_producers_below(&mut self, offset: i64) -> Result<(), Error> {
        if self.snapshot_offset >= offset {
            return Ok(());
        }
        self.snapshot_producers()?;
        producer_snapshot::flush(&self.dir)?;
        self.dir.disk.sync_file(&self.dir)
    }

    /// What is known of each producer that has written here, by producer id.
    pub fn producers(&self) -> Vec<(i64, ProducerStateEntry)> {
        self.producers.entries().map(|(id, entry)| (id, entry.clone())).collect()
    }

    /// Forgets producers that have not written since `before`, in milliseconds since 1970.
    pub fn expire_producers(&mut self, before: i64) {
        self.producers.expire(before);
    }

    /// Ends the files as a clean stop leaves them: exact lengths, whole indexes, producer state on disk. The log may
    /// be appended to afterwards.
    pub fn close(&mut self) -> Result<(), Error> {
        match &self.condition {
            Condition::Deleted => return Ok(()),
            Condition::Poisoned(error) => return Err(error.clone()),
            Condition::Good | Condition::Starved => {}
        }
        if let Some(active) = &mut self.active {
            active.seal()?;
        }
        self.snapshot_producers()
    }

    /// Takes the partition away: its directory is renamed at once, so that the name is free, and the returned path is
    /// what remains to be removed, if anything. Readers finish with what they have.
    pub fn delete(&mut self) -> Result<Option<PathBuf>, Error> {
        self.condition = Condition::Deleted;
        self.active = None;
        if !self.dir.is_there() {
            return Ok(None);
        }
        partition_dir::put_aside(&*self.dir.disk, &self.dir, partition_dir::DELETED).map(Some)
    }

    /// The segment to append this batch to.
    fn segment_for(&mut self, header: &BatchHeader, config: &LogConfig) -> Result<&mut ActiveSegment, Error> {
        if self.active.as_ref().is_some_and(|active| active.must_roll_for(header, config)) {
            self.roll()?;
        }
        // Made when the topic's segments were smaller, and left empty.
        if self.active.as_ref().is_some_and(|active| active.is_too_small_for(header.size())) {
            self.active = None;
            let segments = self.view.segments();
            self.view.publish_segments(segments[..segments.len() - 1].to_vec());
        }
        match self.active {
            Some(ref mut active) => Ok(active),
            None => {
                let active = self.create_segment(header.base_offset, config)?;
                Ok(self.active.insert(active))
            }
        }
    }

    fn roll(&mut self) -> Result<(), Error> {
        if let Some(active) = &mut self.active {
            active.seal()?;
        }
        self.snapshot_producers()?;
        if let Some(active) = self.active.take() {
            active.shared().release();
        }
        Ok(())
    }

    fn create_segment(&self, base_offset: i64, config: &LogConfig) -> Result<ActiveSegment, Error> {
        if !self.dir.is_there() {
            // Not its parents: a data directory that is gone is not to come back for one partition.
            self.dir.disk.create_dir(&self.dir).map_err(Error::io("create", &self.dir))?;
        }
        partition_dir::claim(&self.dir, self.id.topic_id)?;
        if LeaderEpochs::read(&self.dir)?.is_none() {
            self.view.leader_epochs().write(&self.dir)?;
        }
        let active = ActiveSegment::open(&self.dir, base_offset, config, &RecoveredSegment::empty(base_offset))?;
        let mut segments = self.view.segments().to_vec();
        segments.push(Arc::clone(active.shared()));
        self.view.publish_segments(segments);
        Ok(active)
    }

    fn snapshot_producers(&mut self) -> Result<(), Error> {
        let next_offset = self.view.next_offset();
        if next_offset > self.snapshot_offset {
            producer_snapshot::write(&self.dir, next_offset, &self.producers)?;
            self.snapshot_offset = next_offset;
        }
        Ok(())
    }

    /// Applies the batches that follow the snapshot, and completes the indexes of aborted transactions by them.
    fn replay_producers(&mut self) -> Result<(), Error> {
        let segments = self.view.segments();
        let first = segments.partition_point(|segment| segment.base_offset() <= self.snapshot_offset);
        for segment in &segments[first.saturating_sub(1)..] {
            let files = segment.files()?;
            let mut aborted = Vec::new();
            let mut next = files.batch_at_or_after(segment, self.snapshot_offset);
            while let Some((position, header)) = next {
                let control = match header.attributes.is_control() {
                    true => files.batch_at(position).as_ref().and_then(ControlRecord::of),
                    false => None,
                };
                aborted.extend(self.producers.apply(&header, control));
                let position = position + header.size();
                next = files.header_at(position).map(|header| (position, header));
            }
            files.intact()?;
            self.complete_aborted(segment, &aborted)?;
        }
        Ok(())
    }

    /// Adds to a segment's index what it lacks of `aborted`, which are all of the segment, or the last of them.
    fn complete_aborted(&mut self, segment: &Segment, aborted: &[AbortedTransaction]) -> Result<(), Error> {
        match &mut self.active {
            Some(active) if active.shared().base_offset() == segment.base_offset() => {
                let known = segment.aborted()?.last_offset().unwrap_or(-1);
                let mut lacking = aborted.iter().filter(|aborted| aborted.last_offset > known);
                lacking.try_for_each(|aborted| active.append_aborted(*aborted))
            }
            // It was read from its beginning: what was found is all there is.
            _ if self.snapshot_offset <= segment.base_offset() => segment.set_aborted(aborted),
            _ => Ok(()),
        }
    }

    /// Hands to the disk what recovery has changed below the recovery point, where a later start looks no more: what was
    /// taken away since it was not whole, which must not stand behind what is appended from now on, nor index entries that
    /// point at it, and entries of aborted transactions that were made anew.
    fn settle_recovered(&self) -> Result<(), Error> {
        if let Some(active) = &self.active {
            let path = |extension| segment_file(&self.dir, active.shared().base_offset(), extension);
            for extension in SEGMENT_FILES {
                self.dir.disk.sync_if_present(&path(extension))?;
            }
        }
        self.dir.disk.sync_file(&self.dir)
    }

    /// Makes readable what stands below `next_offset`, and stable what stands below the first open transaction.
    fn publish_end(&self, next_offset: i64) {
        let stable = self.producers.first_unstable_offset().unwrap_or(next_offset);
        self.view.publish_end(next_offset, stable.max(self.view.log_start_offset()));
    }
}

fn control_record(batch: &ValidBatch) -> Option<ControlRecord> {
    if !batch.header.attributes.is_control() {
        return None;
    }
    let mut bytes = BytesMut::from(&batch.header.encode()[..]);
    bytes.extend_from_slice(&batch.payload);
    let bytes: Bytes = bytes.freeze();
    ControlRecord::of(&RecordBatch::parse(&bytes).ok()?)
}
