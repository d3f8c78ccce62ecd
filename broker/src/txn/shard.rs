//! The transaction coordinator as a state machine: all transactional ids. Requests come in with the time; what is to be
//! stored comes out, and counts once [`TransactionShard::replay`] has it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::transaction_log::{
    self, TransactionLogValue, TransactionState, TransactionVersion,
};
use bytes::Bytes;

use super::metadata::{NO_PRODUCER_EPOCH, NO_PRODUCER_ID, TransactionMetadata, is_epoch_exhausted};
use super::requests::{
    InitProducer, OwnerWatch, PartitionsOfTransaction, PendingMarkers, ProducerIdAndEpoch, TopicPartition,
    TransactionDescription, TransactionListing,
};
use crate::coordinator::timer::Millis;
use crate::groups::shard::Now;

/// How long markers that could not be written wait until they are tried again, in milliseconds.
const MARKER_RETRY_MS: Millis = 100;

/// The configs that the coordinator follows.
#[derive(Debug, Clone)]
pub(crate) struct TransactionSettings {
    /// `transaction.max.timeout.ms`.
    pub(crate) max_timeout_ms: i32,
    /// `transactional.id.expiration.ms`.
    pub(crate) id_expiration_ms: i64,
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`.
    pub(crate) abort_interval_ms: Millis,
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`.
    pub(crate) expiration_interval_ms: Millis,
}

/// Where producer ids come from that nobody has had.
pub(crate) type NewProducerId<'a> = &'a mut dyn FnMut() -> Result<i64, ErrorCode>;

/// A record for `__transaction_state`. Without metadata it is a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TransactionRecord {
    pub(crate) transactional_id: Arc<str>,
    pub(crate) metadata: Option<TransactionMetadata>,
}

impl TransactionRecord {
    pub(crate) fn new(transactional_id: impl Into<Arc<str>>, metadata: TransactionMetadata) -> Self {
        Self { transactional_id: transactional_id.into(), metadata: Some(metadata) }
    }

    pub(crate) fn key(&self) -> Bytes {
        transaction_log::encode_key(&self.transactional_id)
    }

    /// At this level of `transaction.version`.
    pub(crate) fn value(&self, level: TransactionVersion) -> Option<Bytes> {
        self.metadata.as_ref().map(|metadata| metadata.to_value().encode(level))
    }
}

/// What a producer that begins is to be told, once the record is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Initialisation {
    /// It may begin.
    Granted(TransactionRecord),
    /// An incarnation before it is in a transaction, which the record aborts. It is to ask again.
    Fences(TransactionRecord),
}

/// All transactional ids.
#[derive(Debug)]
pub(crate) struct TransactionShard {
    settings: TransactionSettings,
    pub(super) transactions: HashMap<Arc<str>, TransactionMetadata>,
    /// Those in an open transaction.
    ongoing: HashSet<Arc<str>>,
    /// Those whose markers are not all written.
    completing: BTreeMap<Arc<str>, Completing>,
    /// Whose producers are in this process. It is not stored: they do not outlive it.
    owned: HashMap<Arc<str>, OwnerWatch>,
    last_abort_check: Millis,
    last_expiration_check: Millis,
}

/// What is left to do for a transaction whose end is decided.
#[derive(Debug)]
struct Completing {
    partitions: BTreeSet<TopicPartition>,
    /// When to try.
    due: Millis,
}

impl TransactionShard {
    pub(crate) fn new(settings: TransactionSettings) -> Self {
        Self {
            settings,
            transactions: HashMap::new(),
            ongoing: HashSet::new(),
            completing: BTreeMap::new(),
            owned: HashMap::new(),
            last_abort_check: 0,
            last_expiration_check: 0,
        }
    }

    /// Gives a producer its id and epoch, and fences whoever had the transactional id before. `level` is that of
    /// `transaction.version`.
    pub(crate) fn init_producer(
        &self,
        request: &InitProducer,
        level: TransactionVersion,
        now: Now,
        new_id: NewProducerId<'_>,
    ) -> Result<Initialisation, ErrorCode> {
        let InitProducer { transactional_id, timeout_ms, expected, .. } = request;
        if transactional_id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        if !(1..=self.settings.max_timeout_ms).contains(timeout_ms) {
            return Err(ErrorCode::InvalidTransactionTimeout);
        }
        let (id, wall_ms): (&str, _) = (transactional_id, now.wall_ms);
        let Some(current) = self.transactions.get(id) else {
            let first = TransactionMetadata::new(new_id()?, *timeout_ms, wall_ms);
            let granted = first.with_next_epoch(*timeout_ms, NO_PRODUCER_EPOCH, wall_ms);
            return Ok(Initialisation::Granted(TransactionRecord::new(id, granted)));
        };
        if current.is_completing() {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        if !expected.is_none_or(|expected| may_go_on(current, expected)) {
            return Err(ErrorCode::ProducerFenced);
        }
        if current.state == TransactionState::Ongoing {
            let aborted = fenced(current, level, now, new_id)?;
            return Ok(Initialisation::Fences(TransactionRecord::new(id, aborted)));
        }
        let granted = next_incarnation(current, request, now, new_id)?;
        Ok(Initialisation::Granted(TransactionRecord::new(id, granted)))
    }

    /// The record that adds partitions to a producer's transaction; `None` if they are in it already.
    pub(crate) fn add_partitions(
        &self,
        request: &PartitionsOfTransaction,
        now: Now,
    ) -> Result<Option<TransactionRecord>, ErrorCode> {
        let current = self.transaction_of(&request.transactional_id)?;
        if current.is_completing() {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        check_producer(current, request.producer)?;
        let known = |partition| current.partitions.contains(partition);
        if current.state == TransactionState::Ongoing && request.partitions.iter().all(known) {
            return Ok(None);
        }
        let next = current.with_partitions(&request.partitions, request.version, now.wall_ms);
        Ok(Some(TransactionRecord::new(request.transactional_id.as_str(), next)))
    }

    /// Whether each partition is part of the producer's transaction.
    pub(crate) fn verify_partitions(&self, request: &PartitionsOfTransaction) -> Result<Vec<ErrorCode>, ErrorCode> {
        let current = self.transaction_of(&request.transactional_id)?;
        check_producer(current, request.producer)?;
        if current.is_completing() {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        let outcome = |partition| match current.partitions.contains(partition) {
            true => ErrorCode::None,
            false => ErrorCode::TransactionAbortable,
        };
        Ok(request.partitions.iter().map(outcome).collect())
    }

    /// The metadata of an id that a producer gives.
    pub(super) fn transaction_of(&self, transactional_id: &str) -> Result<&TransactionMetadata, ErrorCode> {
        if transactional_id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        self.transactions.get(transactional_id).ok_or(ErrorCode::InvalidProducerIdMapping)
    }

    /// What is due by now: transactions that have taken too long are aborted, ids that nobody uses forgotten. `level` is
    /// that of `transaction.version`.
    pub(crate) fn on_time(
        &mut self,
        level: TransactionVersion,
        now: Now,
        new_id: NewProducerId<'_>,
    ) -> Vec<TransactionRecord> {
        let mut records = Vec::new();
        if now.monotonic >= next_check(self.last_abort_check, self.settings.abort_interval_ms) {
            self.last_abort_check = now.monotonic;
            for id in &self.ongoing {
                let overdue = self.transactions.get(id).filter(|current| current.is_overdue(now.wall_ms));
                let overdue = overdue.filter(|_| !self.is_owned(id));
                // Without a producer id there is a next time.
                if let Some(Ok(aborted)) = overdue.map(|current| fenced(current, level, now, &mut *new_id)) {
                    records.push(TransactionRecord::new(Arc::clone(id), aborted));
                }
            }
        }
        if now.monotonic >= next_check(self.last_expiration_check, self.settings.expiration_interval_ms) {
            self.last_expiration_check = now.monotonic;
            let before = now.wall_ms.saturating_sub(self.settings.id_expiration_ms);
            let expired =
                |current: &TransactionMetadata| current.may_expire() && current.last_update_timestamp <= before;
            let expired = self.transactions.iter().filter(|(_, current)| expired(current));
            records
                .extend(expired.map(|(id, _)| TransactionRecord { transactional_id: Arc::clone(id), metadata: None }));
        }
        records
    }

    /// A producer was told that it may begin: what it belongs to, if it is in this process.
    pub(crate) fn note_owner(&mut self, transactional_id: &str, owner: Option<OwnerWatch>) {
        match owner {
            Some(owner) => self.owned.insert(transactional_id.into(), owner),
            None => self.owned.remove(transactional_id),
        };
    }

    /// Whether the producer of a transaction lives in this process: it ends its transaction, however long that takes.
    fn is_owned(&self, id: &str) -> bool {
        self.owned.get(id).is_some_and(OwnerWatch::is_alive)
    }

    /// When there is something to do next, by [`TransactionShard::on_time`] or [`TransactionShard::due_markers`].
    pub(crate) fn next_deadline(&self) -> Option<Millis> {
        let abort =
            (!self.ongoing.is_empty()).then(|| next_check(self.last_abort_check, self.settings.abort_interval_ms));
        let expiration = (!self.transactions.is_empty())
            .then(|| next_check(self.last_expiration_check, self.settings.expiration_interval_ms));
        let markers = self.completing.values().map(|completing| completing.due).min();
        [abort, expiration, markers].into_iter().flatten().min()
    }

    /// The markers to be written now.
    pub(crate) fn due_markers(&self, now: Now) -> Vec<PendingMarkers> {
        let due = self.completing.iter().filter(|(_, completing)| completing.due <= now.monotonic);
        due.filter_map(|(id, completing)| {
            let current = self.transactions.get(id)?;
            Some(current.markers(Arc::clone(id), completing.partitions.iter().cloned().collect()))
        })
        .collect()
    }

    /// Markers were written to these partitions, or need not be. Returns the record of the transaction's completion if
    /// that was all. Until that is stored, or where some are left, it is tried again later.
    pub(crate) fn markers_written(
        &mut self,
        transactional_id: &Arc<str>,
        partitions: &[TopicPartition],
        now: Now,
    ) -> Option<TransactionRecord> {
        let completing = self.completing.get_mut(transactional_id)?;
        for partition in partitions {
            completing.partitions.remove(partition);
        }
        completing.due = now.monotonic + MARKER_RETRY_MS;
        if !completing.partitions.is_empty() {
            return None;
        }
        let completed = self.transactions.get(transactional_id)?.completed(now.wall_ms);
        Some(TransactionRecord::new(Arc::clone(transactional_id), completed))
    }

    pub(crate) fn describe(&self, transactional_id: &str) -> Option<TransactionDescription> {
        let current = self.transactions.get(transactional_id)?;
        Some(TransactionDescription {
            producer: current.producer(),
            state: current.state,
            timeout_ms: current.timeout_ms,
            start_timestamp: current.start_timestamp,
            partitions: current.partitions.iter().cloned().collect(),
        })
    }

    pub(crate) fn list(&self) -> Vec<TransactionListing> {
        let listing = |(id, current): (&Arc<str>, &TransactionMetadata)| TransactionListing {
            transactional_id: Arc::clone(id),
            producer_id: current.producer_id,
            state: current.state,
            start_timestamp: current.start_timestamp,
        };
        self.transactions.iter().map(listing).collect()
    }

    /// Takes in a record that is stored.
    pub(crate) fn replay(&mut self, record: TransactionRecord, now: Now) {
        let TransactionRecord { transactional_id: id, metadata } = record;
        self.ongoing.remove(&id);
        self.completing.remove(&id);
        let Some(metadata) = metadata else {
            self.owned.remove(&id);
            self.transactions.remove(&id);
            return;
        };
        if metadata.state == TransactionState::Ongoing {
            self.ongoing.insert(Arc::clone(&id));
        }
        if metadata.is_completing() {
            let completing = Completing { partitions: metadata.partitions.clone(), due: now.monotonic };
            self.completing.insert(Arc::clone(&id), completing);
        }
        self.transactions.insert(id, metadata);
    }

    /// Takes in a record at start.
    pub(crate) fn load(&mut self, key: Bytes, value: Option<Bytes>, now: Now) {
        let taken = transaction_log::decode_key(key).and_then(|id| {
            let Some(id) = id else { return Ok(()) };
            let metadata = value.map(TransactionLogValue::decode).transpose()?.map(TransactionMetadata::from_value);
            self.replay(TransactionRecord { transactional_id: id.into(), metadata }, now);
            Ok(())
        });
        if let Err(error) = taken {
            tracing::warn!(%error, "a record in __transaction_state is passed over");
        }
    }
}

/// The abort of an open transaction that its producer did not ask for: with the epoch that it brings, the producer is
/// fenced. Before the second version the end itself brings none, so that the producer is given the next one here.
fn fenced(
    current: &TransactionMetadata,
    level: TransactionVersion,
    now: Now,
    new_id: NewProducerId<'_>,
) -> Result<TransactionMetadata, ErrorCode> {
    if !level.bumps_epoch() {
        let producer_epoch = current.producer_epoch.saturating_add(1);
        let aborted = current.prepared(false, TransactionVersion::V0, NO_PRODUCER_ID, now.wall_ms);
        return Ok(TransactionMetadata { producer_epoch, last_producer_epoch: NO_PRODUCER_EPOCH, ..aborted });
    }
    let next_id = super::end::next_producer_id(current, new_id)?;
    Ok(current.prepared(false, TransactionVersion::V2, next_id, now.wall_ms))
}

/// Whether a producer that has this id and epoch may go on: it has what is current, or what was before the ids were
/// exchanged and the answer to that was lost (KIP-360). The epoch is looked at later.
fn may_go_on(current: &TransactionMetadata, expected: ProducerIdAndEpoch) -> bool {
    current.producer_epoch == NO_PRODUCER_EPOCH
        || expected.producer_id == current.producer_id
        || (expected.producer_id == current.previous_producer_id && is_epoch_exhausted(expected.producer_epoch))
}

fn next_incarnation(
    current: &TransactionMetadata,
    request: &InitProducer,
    now: Now,
    new_id: NewProducerId<'_>,
) -> Result<TransactionMetadata, ErrorCode> {
    let (timeout_ms, wall_ms) = (request.timeout_ms, now.wall_ms);
    let expected = request.expected.map(|expected| expected.producer_epoch);
    if is_epoch_exhausted(current.producer_epoch) && expected.is_none_or(|epoch| epoch == current.producer_epoch) {
        let last_epoch = expected.unwrap_or(NO_PRODUCER_EPOCH);
        return Ok(current.with_producer_id(new_id()?, timeout_ms, last_epoch, wall_ms));
    }
    match expected {
        None => Ok(current.with_next_epoch(timeout_ms, NO_PRODUCER_EPOCH, wall_ms)),
        Some(epoch) if epoch == current.producer_epoch => Ok(current.with_next_epoch(timeout_ms, epoch, wall_ms)),
        // The answer to the same request was lost: nobody else has come since, or there would be no last epoch.
        Some(epoch) if epoch == current.last_producer_epoch => Ok(current.initialised(timeout_ms, wall_ms)),
        Some(_) => Err(ErrorCode::ProducerFenced),
    }
}

pub(super) fn check_producer(current: &TransactionMetadata, producer: ProducerIdAndEpoch) -> Result<(), ErrorCode> {
    if current.producer_id != producer.producer_id {
        return Err(ErrorCode::InvalidProducerIdMapping);
    }
    if current.producer_epoch != producer.producer_epoch {
        return Err(ErrorCode::ProducerFenced);
    }
    Ok(())
}

/// Checks are made at multiples of their interval.
fn next_check(last: Millis, interval: Millis) -> Millis {
    let interval = interval.max(1);
    (last / interval + 1).saturating_mul(interval)
}
