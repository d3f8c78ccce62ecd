//! A partition as one share group sees it (KIP-932; Kafka's `SharePartition`): which records are being delivered to
//! whom, how often they were, and from where on delivery is not complete.
//!
//! Time is passed in, nothing is stored here and nothing waits. A change that must survive comes out as a
//! [`Transition`], which the caller keeps and then gives to [`SharePartition::apply`]; in between nothing has happened.
//! Acquiring is not kept: locks do not outlive the process.

mod acknowledge;
mod acquire;
mod in_flight;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use brooklet_protocol::coordinator::share_state::StateBatch;

use crate::coordinator::timer::Millis;
pub(crate) use acknowledge::{AcknowledgementBatch, InvalidAcknowledgement};
pub(crate) use acquire::{AcquireMode, AcquireRequest, AcquiredRecords, FetchedBatch};
use in_flight::InFlightBatch;
pub(crate) use in_flight::{RecordState, Span};

/// The configs that delivery to a group follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DeliveryLimits {
    /// How often a record is delivered before it is given up.
    pub(crate) max_delivery_count: i16,
    /// How many offsets may lie between the start and the end of what is being delivered.
    pub(crate) max_record_locks: i64,
    /// How long a member may keep a record, in milliseconds.
    pub(crate) record_lock_duration_ms: u64,
}

/// A change that is worked out but not made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Transition {
    changes: Vec<Span>,
    /// First and last offsets whose locks begin anew, and when they will end. Nothing of it is kept.
    renewals: Vec<(i64, i64, Millis)>,
}

impl Transition {
    /// What is to be kept of it.
    pub(crate) fn state_batches(&self) -> Vec<StateBatch> {
        self.changes.iter().map(Span::state_batch).collect()
    }

    /// Whether there is nothing to keep.
    pub(crate) fn keeps_nothing(&self) -> bool {
        self.changes.is_empty()
    }
}

/// What was stored is not the state of a share partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stored state of a share partition: {0}")]
pub(crate) struct InvalidState(&'static str);

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct SharePartition {
    /// The first offset whose delivery is not complete (SPSO).
    start_offset: i64,
    /// The first offset that was never acquired (one behind Kafka's SPEO).
    next_offset: i64,
    /// By first offset. Nothing that lies before the start is acquired or available.
    in_flight: BTreeMap<i64, InFlightBatch>,
}

impl SharePartition {
    /// A share partition as it was stored. Offsets between stored batches were acquired and never acknowledged: they
    /// are available as if they had not been delivered.
    pub(crate) fn restore(start_offset: i64, batches: &[StateBatch]) -> Result<Self, InvalidState> {
        let mut restored = Self { start_offset, next_offset: start_offset, in_flight: BTreeMap::new() };
        for batch in batches {
            if batch.first_offset < restored.next_offset || batch.last_offset < batch.first_offset {
                return Err(InvalidState("its batches overlap or begin before its start"));
            }
            if batch.last_offset == i64::MAX {
                return Err(InvalidState("its batches end where no offset follows"));
            }
            let state = RecordState::from_id(batch.delivery_state).ok_or(InvalidState("unknown delivery state"))?;
            if batch.first_offset > restored.next_offset {
                let (first, last) = (restored.next_offset, batch.first_offset - 1);
                restored.insert(Span { first, last, state: RecordState::Available, delivery_count: 0 });
            }
            restored.insert(Span {
                first: batch.first_offset,
                last: batch.last_offset,
                state,
                delivery_count: batch.delivery_count,
            });
            restored.next_offset = batch.last_offset + 1;
        }
        restored.advance_start();
        Ok(restored)
    }

    pub(crate) fn start_offset(&self) -> i64 {
        self.start_offset
    }

    /// Where to read records that can be acquired: at the first that is available, or behind all that were.
    pub(crate) fn next_fetch_offset(&self) -> i64 {
        let available = self.spans().find(|span| span.state == RecordState::Available);
        available.map_or(self.next_offset, |span| span.first)
    }

    /// Whether anything may be acquired now, if the log has it.
    pub(crate) fn can_acquire(&self, limits: &DeliveryLimits) -> bool {
        self.next_fetch_offset() < self.next_offset || self.in_flight_count() < limits.max_record_locks
    }

    /// Of the offsets from the start on, how many are complete, also counting those that `transition` completes.
    pub(crate) fn delivery_complete_count(&self, transition: &Transition) -> i32 {
        let complete = |span: &&Span| span.state.is_terminal();
        let from_start = |span: &Span| (span.last - span.first.max(self.start_offset) + 1).max(0);
        let now: i64 = self.spans().filter(complete).map(from_start).sum();
        let then: i64 = transition.changes.iter().filter(complete).map(from_start).sum();
        i32::try_from(now + then).unwrap_or(i32::MAX)
    }

    /// When the first lock ends.
    pub(crate) fn next_deadline(&self) -> Option<Millis> {
        self.spans()
            .filter_map(|span| if let RecordState::Acquired { until, .. } = span.state { Some(until) } else { None })
            .min()
    }

    /// Takes back what a member has, as when its session ends.
    pub(crate) fn release(&self, member: &str, limits: &DeliveryLimits) -> Transition {
        self.take_back(limits, |owner, _| owner == member)
    }

    /// Takes back what was kept for too long.
    pub(crate) fn expire(&self, now: Millis, limits: &DeliveryLimits) -> Transition {
        self.take_back(limits, |_, until| until <= now)
    }

    fn take_back(&self, limits: &DeliveryLimits, whose: impl Fn(&str, Millis) -> bool) -> Transition {
        let mut transition = Transition::default();
        for span in self.spans() {
            if let RecordState::Acquired { member, until } = &span.state
                && whose(member, *until)
            {
                let state = released(span.delivery_count, limits);
                transition.changes.push(Span { state, ..span.clone() });
            }
        }
        transition
    }

    /// Makes a change that is kept.
    pub(crate) fn apply(&mut self, transition: Transition) {
        for change in transition.changes {
            self.update(change.first, change.last, |span| span.state = change.state.clone());
        }
        for (first, last, at) in transition.renewals {
            self.update(first, last, |span| {
                if let RecordState::Acquired { until, .. } = &mut span.state {
                    *until = at;
                }
            });
        }
        self.advance_start();
    }

    /// The log begins later than it did: what lies before is not delivered again, and acknowledging it is of no
    /// consequence.
    pub(crate) fn advance_log_start(&mut self, log_start_offset: i64) {
        if log_start_offset <= self.start_offset {
            return;
        }
        self.start_offset = log_start_offset;
        self.next_offset = self.next_offset.max(log_start_offset);
        while let Some(entry) = self.in_flight.first_entry() {
            if *entry.key() >= log_start_offset {
                break;
            }
            let mut batch = entry.remove();
            if batch.cut_before(log_start_offset) {
                self.in_flight.insert(batch.first(), batch);
                break;
            }
        }
        self.advance_start();
    }

    /// The log has no records from `from` up to `upto`: what of them is available will never be delivered.
    fn archive_missing(&mut self, from: i64, upto: i64) {
        if from < upto {
            self.update(from, upto - 1, |span| {
                if span.state == RecordState::Available {
                    span.state = RecordState::Archived;
                }
            });
            self.advance_start();
        }
    }

    /// Moves the start over all whose delivery is complete.
    fn advance_start(&mut self) {
        while let Some(entry) = self.in_flight.first_entry() {
            if let Some(open) = entry.get().spans().iter().find(|span| !span.state.is_terminal()) {
                self.start_offset = self.start_offset.max(open.first);
                return;
            }
            entry.remove();
            // Between two batches there may be offsets that the log does not have.
            let next = self.in_flight.first_key_value().map_or(self.next_offset, |(first, _)| *first);
            self.start_offset = self.start_offset.max(next);
        }
    }

    fn in_flight_count(&self) -> i64 {
        if self.in_flight.is_empty() { 0 } else { self.next_offset - self.start_offset }
    }

    fn spans(&self) -> impl Iterator<Item = &Span> {
        self.in_flight.values().flat_map(InFlightBatch::spans)
    }

    fn insert(&mut self, span: Span) {
        self.in_flight.insert(span.first, InFlightBatch::new(span));
    }

    /// The first offsets of the batches that have any of these.
    fn batches_between(&self, first: i64, last: i64) -> Vec<i64> {
        let before = self.in_flight.range(..first).next_back().filter(|(_, batch)| batch.last() >= first);
        let from = before.map_or(first, |(key, _)| *key);
        if from > last { Vec::new() } else { self.in_flight.range(from..=last).map(|(key, _)| *key).collect() }
    }

    fn update(&mut self, first: i64, last: i64, mut change: impl FnMut(&mut Span)) {
        for key in self.batches_between(first, last) {
            if let Some(batch) = self.in_flight.get_mut(&key) {
                batch.update(first, last, &mut change);
            }
        }
    }
}

/// What becomes of a record that comes back: it is offered again, unless it was too often.
fn released(delivery_count: i16, limits: &DeliveryLimits) -> RecordState {
    if delivery_count >= limits.max_delivery_count { RecordState::Archived } else { RecordState::Available }
}

/// What a member gets: its name is kept with every span, so it is shared.
pub(crate) type MemberId = Arc<str>;
