//! Which batches belong to aborted transactions, and which markers have nothing left to end, as a log is read from its
//! beginning (Kafka's `CleanedTransactionMetadata`).

use std::collections::{HashMap, HashSet, VecDeque};

use brooklet_protocol::records::{BatchHeader, ControlRecord, EndTransactionMarker};

use crate::transaction_index::AbortedTransaction;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct CleanedTransactions {
    /// Transactions that are known to abort and have not begun yet, by first offset.
    ahead: VecDeque<AbortedTransaction>,
    /// Aborted transactions that have begun, by producer: whether a batch of theirs has been seen.
    aborted: HashMap<i64, (AbortedTransaction, bool)>,
    /// Producers with data of transactions that are not aborted.
    committed: HashSet<i64>,
}

/// What becomes of a marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MarkerFate {
    /// Data of its transaction remains, so it does.
    Needed,
    /// It ends nothing any more.
    Discardable,
    /// It ends an aborted transaction that still had data: it stays this time, with its index entry.
    EndsAborted(AbortedTransaction),
}

impl CleanedTransactions {
    /// For a log, or a part of it, in which these transactions were aborted.
    pub(super) fn new(aborted: &[AbortedTransaction]) -> Self {
        let mut ahead = aborted.to_vec();
        ahead.sort_unstable_by_key(|one| one.first_offset);
        Self { ahead: ahead.into(), ..Self::default() }
    }

    /// Whether a data batch belongs to an aborted transaction.
    pub(super) fn is_aborted(&mut self, header: &BatchHeader) -> bool {
        self.begin_up_to(header.last_offset());
        if !header.attributes.is_transactional() {
            return false;
        }
        match self.aborted.get_mut(&header.producer_id) {
            Some((_, seen)) => {
                *seen = true;
                true
            }
            None => {
                self.committed.insert(header.producer_id);
                false
            }
        }
    }

    /// What becomes of a control batch, whose first record is `control`.
    pub(super) fn on_marker(&mut self, header: &BatchHeader, control: Option<ControlRecord>) -> MarkerFate {
        self.begin_up_to(header.last_offset());
        match control {
            Some(ControlRecord::EndTransaction(EndTransactionMarker { commit: false, .. })) => {
                match self.aborted.remove(&header.producer_id) {
                    Some((aborted, true)) => MarkerFate::EndsAborted(aborted),
                    _ => MarkerFate::Discardable,
                }
            }
            Some(ControlRecord::EndTransaction(_)) => match self.committed.remove(&header.producer_id) {
                true => MarkerFate::Needed,
                false => MarkerFate::Discardable,
            },
            Some(ControlRecord::Other(_)) => MarkerFate::Needed,
            // A batch that was emptied before.
            None => MarkerFate::Discardable,
        }
    }

    fn begin_up_to(&mut self, offset: i64) {
        while let Some(aborted) = self.ahead.pop_front_if(|one| one.first_offset <= offset) {
            self.aborted.entry(aborted.producer_id).or_insert((aborted, false));
        }
    }
}
