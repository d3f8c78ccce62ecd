//! What a member says of records that it has.

use super::{DeliveryLimits, RecordState, SharePartition, Span, Transition, released};
use crate::coordinator::timer::Millis;

/// The offset is not in the log: there was nothing to process.
const GAP: i8 = 0;
const ACCEPT: i8 = 1;
const RELEASE: i8 = 2;
const REJECT: i8 = 3;
const RENEW: i8 = 4;

/// What a member says of consecutive offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AcknowledgementBatch {
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// One for all, or one for each: 0 gap, 1 accept, 2 release, 3 reject, 4 renew (KIP-1222).
    pub(crate) types: Vec<i8>,
}

/// Why an acknowledgement was refused. Nothing of the request has happened then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidAcknowledgement {
    #[error("the batches of acknowledgements are not well-formed")]
    Malformed,
    #[error("the offsets lie behind all that were acquired")]
    Beyond,
    #[error("the offsets were not acquired")]
    NotAcquired,
    #[error("another member has acquired the offsets")]
    NotOwner,
    #[error("locks are not renewed in this group")]
    RenewDisabled,
}

impl AcknowledgementBatch {
    /// Checks what can be told of acknowledgements for one partition without knowing the partition. `may_renew` tells
    /// whether the request says that it renews locks.
    pub(crate) fn check(batches: &[Self], may_renew: bool) -> Result<(), InvalidAcknowledgement> {
        let mut before = -1;
        for batch in batches {
            let counted = batch.last.checked_sub(batch.first).and_then(|len| usize::try_from(len).ok());
            let matches = match batch.types.len() {
                0 => false,
                1 => true,
                count => counted == Some(count - 1),
            };
            let greatest = if may_renew { RENEW } else { REJECT };
            let known = batch.types.iter().all(|kind| (GAP..=greatest).contains(kind));
            if counted.is_none() || batch.first < before || !matches || !known {
                return Err(InvalidAcknowledgement::Malformed);
            }
            before = batch.last;
        }
        Ok(())
    }

    /// The offsets from `first` to `last`, which must be among the batch's, in runs of one type.
    fn runs(&self, first: i64, last: i64) -> Vec<(i64, i64, i8)> {
        let [kind] = self.types[..] else {
            let mut runs: Vec<(i64, i64, i8)> = Vec::new();
            for offset in first..=last {
                let index = usize::try_from(offset - self.first).unwrap_or(usize::MAX);
                let kind = self.types.get(index).copied().unwrap_or(GAP);
                match runs.last_mut() {
                    Some(run) if run.2 == kind => run.1 = offset,
                    _ => runs.push((offset, offset, kind)),
                }
            }
            return runs;
        };
        vec![(first, last, kind)]
    }
}

impl SharePartition {
    /// What acknowledging would change. The batches have passed [`AcknowledgementBatch::check`].
    pub(crate) fn acknowledge(
        &self,
        member: &str,
        batches: &[AcknowledgementBatch],
        may_renew: bool,
        limits: &DeliveryLimits,
        now: Millis,
    ) -> Result<Transition, InvalidAcknowledgement> {
        let mut transition = Transition::default();
        let mut before = i64::MIN;
        for batch in batches {
            if batch.last < self.start_offset {
                continue;
            }
            if batch.first <= before {
                // An offset that is acknowledged twice is not acquired the second time.
                return Err(InvalidAcknowledgement::NotAcquired);
            }
            before = batch.last;
            let first = batch.first.max(self.start_offset);
            for span in self.acquired_spans(member, first, batch.last)? {
                for (first, last, kind) in batch.runs(span.first, span.last) {
                    let state = match kind {
                        ACCEPT => RecordState::Acknowledged,
                        RELEASE => released(span.delivery_count, limits),
                        GAP | REJECT => RecordState::Archived,
                        RENEW if may_renew => {
                            let until = now.saturating_add(limits.record_lock_duration_ms);
                            transition.renewals.push((first, last, until));
                            continue;
                        }
                        RENEW => return Err(InvalidAcknowledgement::RenewDisabled),
                        _ => return Err(InvalidAcknowledgement::Malformed),
                    };
                    transition.changes.push(Span { first, last, state, delivery_count: span.delivery_count });
                }
            }
        }
        Ok(transition)
    }

    /// The spans between two offsets, cut to them; all must be the member's.
    fn acquired_spans(&self, member: &str, first: i64, last: i64) -> Result<Vec<Span>, InvalidAcknowledgement> {
        let keys = self.batches_between(first, last);
        let end = keys.last().and_then(|key| self.in_flight.get(key)).map(super::InFlightBatch::last);
        match end {
            Some(end) if end >= last => {}
            None if self.in_flight.range(..=first).next().is_none() => {
                return Err(InvalidAcknowledgement::NotAcquired);
            }
            _ => return Err(InvalidAcknowledgement::Beyond),
        }
        let mut spans = Vec::new();
        for span in keys.iter().filter_map(|key| self.in_flight.get(key)).flat_map(super::InFlightBatch::spans) {
            if span.last < first || span.first > last {
                continue;
            }
            match &span.state {
                RecordState::Acquired { member: owner, .. } if &**owner == member => {}
                RecordState::Acquired { .. } => return Err(InvalidAcknowledgement::NotOwner),
                _ => return Err(InvalidAcknowledgement::NotAcquired),
            }
            spans.push(Span { first: span.first.max(first), last: span.last.min(last), ..span.clone() });
        }
        Ok(spans)
    }
}
