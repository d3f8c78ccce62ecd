//! A share partition as fetches and acknowledgements use it: the state machine behind a lock, with the log that it
//! reads, the state that it keeps, and the fetches that wait for it.

use std::sync::Arc;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::share_state::SharePartitionKey;
use brooklet_protocol::records::batches;
use brooklet_storage::{AbortedTransaction, LogView, ReadError};
use bytes::Bytes;
use parking_lot::Mutex;

use super::partition::{
    AcknowledgementBatch, AcquireRequest, AcquiredRecords, DeliveryLimits, FetchedBatch, InvalidAcknowledgement,
    SharePartition, Transition,
};
use super::state::ShareCoordinator;
use super::state::shard::{NO_START_OFFSET, ShareStateError, StateWrite};
use crate::config::{ShareAutoOffsetReset, ShareGroupConfig};
use crate::coordinator::timer::Millis;
use crate::error::ToErrorCode;
use crate::fetch_wait::FetchWaiters;
use crate::partition::Partition;

/// Why what a member has could not be changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeliveryError {
    #[error(transparent)]
    Acknowledgement(#[from] InvalidAcknowledgement),
    #[error(transparent)]
    State(#[from] ShareStateError),
    #[error("the share partition has begun anew: its records must be fetched again")]
    Fenced,
}

/// Records that a member has from now on.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    pub(crate) acquired: Vec<AcquiredRecords>,
    /// Whole batches, shared with the log, in which they stand.
    pub(crate) records: Bytes,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct DeliveredPartition {
    key: SharePartitionKey,
    partition: Arc<Partition>,
    view: Arc<LogView>,
    /// The epoch of its state: if that begins anew, nothing of what is known here holds.
    state_epoch: i32,
    /// `None` once that has happened.
    delivery: Mutex<Option<SharePartition>>,
    waiters: FetchWaiters,
}

impl DeliveredPartition {
    /// The share partition as it was kept.
    pub(super) fn load(
        key: SharePartitionKey,
        partition: Arc<Partition>,
        state: &ShareCoordinator,
        config: &ShareGroupConfig,
        wall_ms: i64,
    ) -> Result<Self, ErrorCode> {
        let view = Arc::clone(partition.view().map_err(|error| error.error_code())?);
        let kept = state.read(&key, partition.leader_epoch()).map_err(ShareStateError::seen_by_member)?;
        let start_offset = match kept.start_offset {
            NO_START_OFFSET => first_offset(&view, config.auto_offset_reset, wall_ms)?,
            offset => offset,
        };
        let delivery = SharePartition::restore(start_offset, &kept.state_batches).map_err(|error| {
            tracing::error!(%error, ?key, "share partition not loaded");
            ErrorCode::UnknownServerError
        })?;
        Ok(Self {
            key,
            partition,
            view,
            state_epoch: kept.state_epoch,
            delivery: Mutex::new(Some(delivery)),
            waiters: FetchWaiters::default(),
        })
    }

    pub(crate) fn key(&self) -> &SharePartitionKey {
        &self.key
    }

    /// The partition in whose log the records stand.
    pub(crate) fn partition(&self) -> &Partition {
        &self.partition
    }

    /// The fetches that wait until records come back.
    pub(crate) fn waiters(&self) -> &FetchWaiters {
        &self.waiters
    }

    /// Whether records may be acquired now, if the log has them.
    pub(crate) fn can_acquire(&self, config: &ShareGroupConfig) -> bool {
        let limits = limits(config);
        self.delivery.lock().as_ref().is_some_and(|delivery| delivery.can_acquire(&limits))
    }

    /// The bytes that lie ready to be acquired, up to `max_bytes` of them.
    pub(crate) fn available_bytes(&self, max_bytes: usize, config: &ShareGroupConfig) -> usize {
        let Some(from) = self.delivery.lock().as_ref().map(SharePartition::next_fetch_offset) else {
            return 0;
        };
        // What cannot be read is told when it is to be acquired.
        self.view.read(from, self.upto(config), max_bytes, true).map_or(0, |slice| slice.records.len())
    }

    /// Gives the member records from the log, at most `max_bytes` of batches, but with `at_least_one` a first batch of
    /// any size.
    pub(crate) fn acquire(
        &self,
        request: &AcquireRequest,
        max_bytes: usize,
        at_least_one: bool,
        config: &ShareGroupConfig,
        now: Millis,
    ) -> Result<Delivery, ErrorCode> {
        let limits = limits(config);
        let mut locked = self.delivery.lock();
        let Some(delivery) = locked.as_mut() else {
            return Ok(Delivery::default());
        };
        delivery.advance_log_start(self.view.log_start_offset());
        if !delivery.can_acquire(&limits) {
            return Ok(Delivery::default());
        }
        let from = delivery.next_fetch_offset();
        let slice = match self.view.read(from, self.upto(config), max_bytes, at_least_one) {
            Ok(slice) => slice,
            // The start was set to where the log has not come yet.
            Err(ReadError::OutOfRange { .. }) => return Ok(Delivery::default()),
            Err(error) => {
                tracing::error!(%error, key = ?self.key, "log not read");
                return Err(error.error_code());
            }
        };
        let aborted = match config.committed_only {
            true => self.view.aborted_in(from, &slice).map_err(|error| error.error_code())?,
            false => Vec::new(),
        };
        let fetched = fetched_batches(&slice.records, &aborted)?;
        let acquired = delivery.acquire(request, from, &fetched, &limits, now);
        let records = around(&slice.records, &acquired);
        Ok(Delivery { acquired, records })
    }

    /// Does what a member says of records that it has.
    pub(crate) fn acknowledge(
        &self,
        member: &str,
        acknowledgements: &[AcknowledgementBatch],
        state: &ShareCoordinator,
        config: &ShareGroupConfig,
        now: Millis,
    ) -> Result<(), DeliveryError> {
        let limits = limits(config);
        self.change(state, |delivery| {
            delivery.acknowledge(member, acknowledgements, config.renew_acknowledge_enable, &limits, now)
        })
    }

    /// Takes back all that a member has.
    pub(super) fn release(
        &self,
        member: &str,
        state: &ShareCoordinator,
        config: &ShareGroupConfig,
    ) -> Result<(), DeliveryError> {
        self.change(state, |delivery| Ok(delivery.release(member, &limits(config))))
    }

    /// When the first lock ends.
    pub(super) fn next_deadline(&self) -> Option<Millis> {
        self.delivery.lock().as_ref()?.next_deadline()
    }

    /// Takes back what was kept for too long, even if that cannot be kept.
    pub(super) fn expire(&self, now: Millis, state: &ShareCoordinator, config: &ShareGroupConfig) {
        {
            let mut locked = self.delivery.lock();
            let Some(delivery) = locked.as_mut() else {
                return;
            };
            let transition = delivery.expire(now, &limits(config));
            if let Err(error) = self.keep(delivery, &transition, state) {
                tracing::warn!(%error, key = ?self.key, "that locks have ended is not kept");
            }
            delivery.apply(transition);
        }
        self.waiters.wake_all();
    }

    /// What is known here no longer holds.
    pub(super) fn fence(&self) {
        *self.delivery.lock() = None;
        self.waiters.wake_all();
    }

    /// Whether it no longer holds.
    pub(crate) fn is_fenced(&self) -> bool {
        self.delivery.lock().is_none()
    }

    fn change(
        &self,
        state: &ShareCoordinator,
        plan: impl FnOnce(&SharePartition) -> Result<Transition, InvalidAcknowledgement>,
    ) -> Result<(), DeliveryError> {
        {
            let mut locked = self.delivery.lock();
            let delivery = locked.as_mut().ok_or(DeliveryError::Fenced)?;
            let transition = plan(delivery)?;
            self.keep(delivery, &transition, state)?;
            delivery.apply(transition);
        }
        // Records have come back, or the start has moved and made room.
        self.waiters.wake_all();
        Ok(())
    }

    fn keep(
        &self,
        delivery: &SharePartition,
        transition: &Transition,
        state: &ShareCoordinator,
    ) -> Result<(), ShareStateError> {
        if transition.keeps_nothing() {
            return Ok(());
        }
        let write = StateWrite {
            state_epoch: self.state_epoch,
            leader_epoch: self.partition.leader_epoch(),
            start_offset: delivery.start_offset(),
            delivery_complete_count: delivery.delivery_complete_count(transition),
            state_batches: transition.state_batches(),
        };
        state.write(&self.key, write)
    }

    fn upto(&self, config: &ShareGroupConfig) -> i64 {
        if config.committed_only { self.view.last_stable_offset() } else { self.view.next_offset() }
    }
}

fn limits(config: &ShareGroupConfig) -> DeliveryLimits {
    DeliveryLimits {
        max_delivery_count: config.delivery_count_limit,
        max_record_locks: i64::from(config.partition_max_record_locks),
        record_lock_duration_ms: u64::try_from(config.record_lock_duration.as_millis()).unwrap_or(u64::MAX),
    }
}

/// Where a group begins that has read nothing of a log.
fn first_offset(view: &LogView, reset: ShareAutoOffsetReset, wall_ms: i64) -> Result<i64, ErrorCode> {
    match reset {
        ShareAutoOffsetReset::Latest => Ok(view.next_offset()),
        ShareAutoOffsetReset::Earliest => Ok(view.log_start_offset()),
        ShareAutoOffsetReset::ByDuration(age) => {
            let since = wall_ms.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
            let found = view.first_at_or_after(since).map_err(|error| error.error_code())?;
            Ok(found.map_or_else(|| view.next_offset(), |found| found.offset))
        }
    }
}

/// The batches of what was read, with those that an aborted transaction has among them.
fn fetched_batches(records: &Bytes, aborted: &[AbortedTransaction]) -> Result<Vec<FetchedBatch>, ErrorCode> {
    let fetched = batches(records.clone()).map(|batch| {
        let batch = batch.map_err(|_| ErrorCode::CorruptMessage)?;
        let header = batch.header();
        let is_data = header.attributes.is_transactional() && !header.attributes.is_control();
        Ok(FetchedBatch {
            first: header.base_offset,
            last: header.next_offset() - 1,
            aborted: is_data && aborted.iter().any(|transaction| transaction.covers(header)),
        })
    });
    fetched.collect()
}

/// Of the batches, those that have what was acquired, from the first of them to the last.
fn around(records: &Bytes, acquired: &[AcquiredRecords]) -> Bytes {
    let (Some(first), Some(last)) = (acquired.first(), acquired.last()) else {
        return Bytes::new();
    };
    let (mut from, mut to) = (0, 0);
    for batch in batches(records.clone()).flatten() {
        let header = batch.header();
        if header.next_offset() <= first.first {
            from += header.size();
            to = from;
        } else if header.base_offset <= last.last {
            to += header.size();
        } else {
            break;
        }
    }
    records.slice(from..to)
}
