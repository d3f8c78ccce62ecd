//! Giving records to a member.

use std::ops::RangeInclusive;

use super::{DeliveryLimits, MemberId, RecordState, SharePartition, Span};
use crate::coordinator::timer::Millis;

/// How a member wants to be given records (KIP-1206).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AcquireMode {
    /// Whole batches, though they be more records than asked for.
    BatchOptimized,
    /// Never more than asked for.
    RecordLimit,
}

impl AcquireMode {
    /// The mode of this number in a ShareFetch request.
    pub(crate) fn from_id(id: i8) -> Option<Self> {
        match id {
            0 => Some(Self::BatchOptimized),
            1 => Some(Self::RecordLimit),
            _ => None,
        }
    }
}

/// What a member asks for.
#[derive(Debug, Clone)]
pub(crate) struct AcquireRequest {
    pub(crate) member: MemberId,
    pub(crate) mode: AcquireMode,
    /// How many records, and where whole batches are given, about how many.
    pub(crate) max_records: i64,
    /// About how many records the member wants to acknowledge together.
    pub(crate) batch_size: i64,
}

/// A batch that was read from the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FetchedBatch {
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// It belongs to a transaction that was aborted, and the group reads only committed records.
    pub(crate) aborted: bool,
}

/// Records that a member has from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AcquiredRecords {
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// How often they were delivered, with this time.
    pub(crate) delivery_count: i16,
}

impl AcquiredRecords {
    pub(crate) fn len(&self) -> i64 {
        self.last - self.first + 1
    }
}

impl SharePartition {
    /// Gives the member records out of `fetched`, which was read from the log at `fetch_offset`, ascending.
    pub(crate) fn acquire(
        &mut self,
        request: &AcquireRequest,
        fetch_offset: i64,
        fetched: &[FetchedBatch],
        limits: &DeliveryLimits,
        now: Millis,
    ) -> Vec<AcquiredRecords> {
        let (Some(head), Some(tail)) = (fetched.first(), fetched.last()) else {
            return Vec::new();
        };
        self.archive_missing(fetch_offset, head.first);
        let Some((budget, last)) = self.budget(request.max_records, fetch_offset, tail.last, limits) else {
            return Vec::new();
        };
        let first = head.first.max(self.start_offset);
        if first > last {
            return Vec::new();
        }
        let until = now.saturating_add(limits.record_lock_duration_ms);
        let mut giving =
            Giving { request, fetched, limits, until, budget, count: 0, acquired: Vec::new(), isolated: false };
        giving.again(self, first..=last);
        if !giving.isolated && giving.count < giving.budget && last >= self.next_offset {
            giving.anew(self, self.next_offset.max(first)..=last);
        }
        let acquired = giving.acquired;
        self.without_aborted(acquired, fetched)
    }

    /// How many records may be acquired, and up to which offset.
    fn budget(&self, max_records: i64, fetch_offset: i64, last: i64, limits: &DeliveryLimits) -> Option<(i64, i64)> {
        if max_records <= 0 || last < self.start_offset {
            return None;
        }
        let room = limits.max_record_locks - self.in_flight_count();
        if room > 0 {
            return Some((max_records.min(room), last));
        }
        // Nothing new, but what has come back may be given again.
        (fetch_offset < self.next_offset)
            .then(|| (max_records.min(self.next_offset - fetch_offset), last.min(self.next_offset - 1)))
    }

    /// Archives what was acquired of aborted transactions, and takes it out of what the member is told.
    fn without_aborted(
        &mut self,
        mut acquired: Vec<AcquiredRecords>,
        fetched: &[FetchedBatch],
    ) -> Vec<AcquiredRecords> {
        for aborted in fetched.iter().filter(|batch| batch.aborted) {
            let mut left = Vec::with_capacity(acquired.len() + 1);
            for records in acquired {
                let (first, last) = (records.first.max(aborted.first), records.last.min(aborted.last));
                if first > last {
                    left.push(records);
                    continue;
                }
                self.update(first, last, |span| {
                    if matches!(span.state, RecordState::Acquired { .. }) {
                        span.state = RecordState::Archived;
                    }
                });
                if records.first < first {
                    left.push(AcquiredRecords { last: first - 1, ..records });
                }
                if records.last > last {
                    left.push(AcquiredRecords { first: last + 1, ..records });
                }
            }
            acquired = left;
        }
        self.advance_start();
        acquired
    }
}

/// A request while it is being served.
struct Giving<'a> {
    request: &'a AcquireRequest,
    fetched: &'a [FetchedBatch],
    limits: &'a DeliveryLimits,
    until: Millis,
    budget: i64,
    count: i64,
    acquired: Vec<AcquiredRecords>,
    /// What was acquired is suspect and goes alone.
    isolated: bool,
}

impl Giving<'_> {
    /// Gives what was given before and has come back.
    fn again(&mut self, partition: &mut SharePartition, offsets: RangeInclusive<i64>) {
        for key in partition.batches_between(*offsets.start(), *offsets.end()) {
            if self.count >= self.budget {
                return;
            }
            let Some(batch) = partition.in_flight.get_mut(&key) else {
                continue;
            };
            let available = |span: &&Span| {
                span.state == RecordState::Available && span.last >= *offsets.start() && span.first <= *offsets.end()
            };
            let most = batch.spans().iter().filter(available).map(|span| span.delivery_count).max();
            // Records that have failed before go in smaller and smaller parts, so that one bad record does not use up
            // the deliveries of those beside it.
            let suspect = most.is_some_and(|most| most >= self.suspicious_from());
            if suspect && self.count > 0 {
                self.isolated = true;
                return;
            }
            let taken = self.take(batch.spans(), batch.len(), &offsets);
            let before = self.acquired.len();
            for records in taken {
                let state = self.held();
                batch.update(records.first, records.last, |span| {
                    span.state = state.clone();
                    span.delivery_count = records.delivery_count;
                });
                self.count += records.len();
                match self.acquired[before..].last_mut() {
                    Some(last) if last.last + 1 == records.first && last.delivery_count == records.delivery_count => {
                        last.last = records.last;
                    }
                    _ => self.acquired.push(records),
                }
            }
            if suspect && self.acquired.len() > before {
                self.isolated = true;
                return;
            }
        }
    }

    /// What of a batch's spans the member gets.
    fn take(&self, spans: &[Span], batch_len: i64, offsets: &RangeInclusive<i64>) -> Vec<AcquiredRecords> {
        let mut taken = Vec::new();
        let mut count = 0;
        let mut suspects_at_most = None;
        for span in spans.iter().filter(|span| span.state == RecordState::Available) {
            let (first, mut last) = (span.first.max(*offsets.start()), span.last.min(*offsets.end()));
            if first > last {
                continue;
            }
            let is_last_chance =
                self.isolates_last_chance() && span.delivery_count == self.limits.max_delivery_count - 1;
            if is_last_chance {
                if count > 0 {
                    break;
                }
                last = first;
            }
            if span.delivery_count >= self.suspicious_from() {
                let halvings = u32::from((span.delivery_count - self.suspicious_from() + 1).unsigned_abs());
                suspects_at_most.get_or_insert((batch_len >> halvings.min(62)).max(1));
            }
            let mut room = i64::MAX;
            if let Some(most) = suspects_at_most {
                room = room.min(most - count);
            }
            let left = self.budget - self.count - count;
            if self.request.mode == AcquireMode::RecordLimit {
                room = room.min(left);
            } else if span.delivery_count == 0 {
                room = room.min(self.up_to_batch_end(first, left) - first + 1);
            }
            if room <= 0 {
                break;
            }
            last = last.min(first.saturating_add(room - 1));
            count += last - first + 1;
            taken.push(AcquiredRecords { first, last, delivery_count: span.delivery_count.saturating_add(1) });
            if is_last_chance {
                break;
            }
        }
        taken
    }

    /// Gives what was never given.
    fn anew(&mut self, partition: &mut SharePartition, offsets: RangeInclusive<i64>) {
        let (first, mut last) = (*offsets.start(), *offsets.end());
        let left = self.budget - self.count;
        if last - first + 1 > left {
            last = self.up_to_batch_end(first, left).min(last);
        }
        if partition.in_flight.is_empty() {
            partition.start_offset = first;
        }
        partition.next_offset = last + 1;
        if self.request.mode == AcquireMode::RecordLimit {
            let given_last = last.min(first + left - 1);
            partition.insert(Span { first, last, state: RecordState::Available, delivery_count: 0 });
            let state = self.held();
            partition.update(first, given_last, |span| {
                span.state = state.clone();
                span.delivery_count = 1;
            });
            self.acquired.push(AcquiredRecords { first, last: given_last, delivery_count: 1 });
            return;
        }
        let mut from = first;
        let bounds = self.fetched.iter().map(|batch| batch.first).filter(|base| *base <= last);
        let mut ends: Vec<i64> = Vec::new();
        for base in bounds {
            if base - from >= self.request.batch_size.max(1) {
                ends.push(base - 1);
                from = base;
            }
        }
        ends.push(last);
        let mut from = first;
        for end in ends {
            partition.insert(Span { first: from, last: end, state: self.held(), delivery_count: 1 });
            self.acquired.push(AcquiredRecords { first: from, last: end, delivery_count: 1 });
            from = end + 1;
        }
    }

    /// The last offset of the fetched batch in which the `count`th offset from `first` on lies.
    fn up_to_batch_end(&self, first: i64, count: i64) -> i64 {
        let wanted = first.saturating_add(count.max(1) - 1);
        let holder = self.fetched.iter().rev().find(|batch| batch.first <= wanted);
        holder.map_or(wanted, |batch| batch.last.max(wanted))
    }

    fn held(&self) -> RecordState {
        RecordState::Acquired { member: self.request.member.clone(), until: self.until }
    }

    /// The delivery count from which on a record is suspected to be the one that fails.
    fn suspicious_from(&self) -> i16 {
        (self.limits.max_delivery_count / 2 + self.limits.max_delivery_count % 2).max(2)
    }

    /// Whether a record that will not be delivered again if it fails once more goes alone.
    fn isolates_last_chance(&self) -> bool {
        self.limits.max_delivery_count > 2
    }
}
