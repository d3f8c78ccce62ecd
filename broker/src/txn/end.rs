//! How a transaction ends when its producer says so, in either version, and what is answered to who asks again.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::transaction_log::{TransactionState, TransactionVersion};

use super::metadata::{NO_PRODUCER_ID, TransactionMetadata, is_epoch_exhausted};
use super::requests::{EndTransaction, ProducerIdAndEpoch};
use super::shard::{NewProducerId, TransactionRecord, TransactionShard, check_producer};
use crate::groups::shard::Now;

/// What comes of the wish to end a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It has ended so already, and this is what the producer has from then on.
    Already(ProducerIdAndEpoch),
    /// It is decided once the record is stored. Then this is what the producer has from then on.
    Decided(TransactionRecord, ProducerIdAndEpoch),
}

impl TransactionShard {
    /// Ends a producer's transaction.
    pub(crate) fn end(
        &self,
        request: &EndTransaction,
        now: Now,
        new_id: NewProducerId<'_>,
    ) -> Result<Ending, ErrorCode> {
        let current = self.transaction_of(&request.transactional_id)?;
        match request.version.bumps_epoch() {
            true => end_with_epoch(current, request, now, new_id),
            false => end_as_it_is(current, request, now),
        }
    }
}

/// A transaction of the first version: the producer keeps its epoch.
fn end_as_it_is(current: &TransactionMetadata, request: &EndTransaction, now: Now) -> Result<Ending, ErrorCode> {
    check_producer(current, request.producer)?;
    match (current.state, request.commit) {
        (TransactionState::PrepareCommit | TransactionState::PrepareAbort, _) => Err(ErrorCode::ConcurrentTransactions),
        (TransactionState::Ongoing, commit) => {
            let next = current.prepared(commit, TransactionVersion::V0, NO_PRODUCER_ID, now.wall_ms);
            Ok(decided(request, next, now))
        }
        (TransactionState::CompleteCommit, true) | (TransactionState::CompleteAbort, false) => {
            Ok(Ending::Already(current.producer()))
        }
        _ => Err(ErrorCode::InvalidTxnState),
    }
}

/// A transaction of the second version (KIP-890): its end raises the epoch, so that a request with the epoch before is
/// the last one again, and one with the epoch that is current is of the next transaction. Of that one the coordinator
/// may not know yet, as nothing was written in it; it may be aborted all the same, not committed.
fn end_with_epoch(
    current: &TransactionMetadata,
    request: &EndTransaction,
    now: Now,
    new_id: NewProducerId<'_>,
) -> Result<Ending, ErrorCode> {
    use TransactionState::{CompleteAbort, CompleteCommit, Empty, Ongoing};
    if current.is_completing() {
        return Err(ErrorCode::ConcurrentTransactions);
    }
    let ProducerIdAndEpoch { producer_id, producer_epoch } = request.producer;
    let again_after_exchange =
        current.previous_producer_id == producer_id && producer_epoch == i16::MAX - 1 && current.producer_epoch == 0;
    let again = again_after_exchange || i32::from(current.producer_epoch) == i32::from(producer_epoch) + 1;
    if current.producer_id != producer_id && !again_after_exchange {
        return Err(ErrorCode::InvalidProducerIdMapping);
    }
    let may_be_again = matches!(current.state, CompleteCommit | CompleteAbort);
    if current.producer_epoch != producer_epoch && !(may_be_again && again) {
        return Err(ErrorCode::ProducerFenced);
    }
    match (current.state, request.commit) {
        (Ongoing, _) => {}
        (CompleteCommit, true) | (CompleteAbort, false) if again => return Ok(Ending::Already(current.producer())),
        (Empty | CompleteCommit | CompleteAbort, false) if !again => {}
        _ => return Err(ErrorCode::InvalidTxnState),
    }
    let next_id = next_producer_id(current, new_id)?;
    let next = current.prepared(request.commit, request.version, next_id, now.wall_ms);
    Ok(decided(request, next, now))
}

fn decided(request: &EndTransaction, next: TransactionMetadata, now: Now) -> Ending {
    let producer = next.completed(now.wall_ms).producer();
    Ending::Decided(TransactionRecord::new(request.transactional_id.as_str(), next), producer)
}

/// The id that a producer has from the end of its transaction on, where its epochs are used up; -1 where it stays.
pub(super) fn next_producer_id(current: &TransactionMetadata, new_id: NewProducerId<'_>) -> Result<i64, ErrorCode> {
    match is_epoch_exhausted(current.producer_epoch) {
        true => new_id(),
        false => Ok(NO_PRODUCER_ID),
    }
}
