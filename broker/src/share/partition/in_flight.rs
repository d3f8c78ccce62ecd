//! Records that are being delivered: a batch of consecutive offsets, in spans of one state each.

use std::sync::Arc;

use brooklet_protocol::coordinator::share_state::StateBatch;

use crate::coordinator::timer::Millis;

/// Where the delivery of a record stands (Kafka's `RecordState`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RecordState {
    /// Whoever asks next gets it.
    Available,
    /// A member has it until then.
    Acquired {
        /// The member.
        member: Arc<str>,
        /// When its lock ends.
        until: Millis,
    },
    /// It was processed.
    Acknowledged,
    /// It is not delivered again: rejected, given up or not in the log.
    Archived,
}

impl RecordState {
    /// Whether its delivery has come to an end.
    pub(crate) fn is_terminal(&self) -> bool {
        matches!(self, Self::Acknowledged | Self::Archived)
    }

    /// The number of a state that is stored. One that is acquired is stored as available: a lock does not outlive the
    /// process.
    pub(crate) fn id(&self) -> i8 {
        match self {
            Self::Available | Self::Acquired { .. } => 0,
            Self::Acknowledged => 2,
            Self::Archived => 4,
        }
    }

    pub(super) fn from_id(id: i8) -> Option<Self> {
        match id {
            0 => Some(Self::Available),
            2 => Some(Self::Acknowledged),
            4 => Some(Self::Archived),
            _ => None,
        }
    }
}

/// Consecutive offsets of one state and delivery count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) state: RecordState,
    pub(crate) delivery_count: i16,
}

impl Span {
    pub(super) fn state_batch(&self) -> StateBatch {
        StateBatch {
            first_offset: self.first,
            last_offset: self.last,
            delivery_state: self.state.id(),
            delivery_count: self.delivery_count,
        }
    }
}

/// Offsets that were acquired together. The bounds stay as they were, because clients get redelivered records in the
/// same batches.
#[derive(Debug, Clone)]
pub(super) struct InFlightBatch {
    /// Ascending, without gaps; never empty.
    spans: Vec<Span>,
}

impl InFlightBatch {
    pub(super) fn new(span: Span) -> Self {
        Self { spans: vec![span] }
    }

    pub(super) fn spans(&self) -> &[Span] {
        &self.spans
    }

    pub(super) fn first(&self) -> i64 {
        self.spans[0].first
    }

    pub(super) fn last(&self) -> i64 {
        self.spans[self.spans.len() - 1].last
    }

    pub(super) fn len(&self) -> i64 {
        self.last() - self.first() + 1
    }

    /// Changes the spans between `first` and `last`, which are split at these bounds. What has become alike afterwards
    /// is one span.
    pub(super) fn update(&mut self, first: i64, last: i64, mut change: impl FnMut(&mut Span)) {
        let mut updated: Vec<Span> = Vec::with_capacity(self.spans.len() + 2);
        let mut push = |span: Span| match updated.last_mut() {
            Some(before) if before.state == span.state && before.delivery_count == span.delivery_count => {
                before.last = span.last;
            }
            _ => updated.push(span),
        };
        for span in self.spans.drain(..) {
            if span.last < first || span.first > last {
                push(span);
                continue;
            }
            if span.first < first {
                push(Span { last: first - 1, ..span.clone() });
            }
            let mut inner = Span { first: span.first.max(first), last: span.last.min(last), ..span.clone() };
            change(&mut inner);
            push(inner);
            if span.last > last {
                push(Span { first: last + 1, ..span });
            }
        }
        self.spans = updated;
    }

    /// Takes away what lies before `offset`. Returns whether anything is left.
    pub(super) fn cut_before(&mut self, offset: i64) -> bool {
        self.spans.retain(|span| span.last >= offset);
        match self.spans.first_mut() {
            Some(span) => {
                span.first = span.first.max(offset);
                true
            }
            None => false,
        }
    }
}
