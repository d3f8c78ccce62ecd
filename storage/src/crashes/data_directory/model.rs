//! What a log that is compacted must hold.

use std::collections::BTreeMap;

use brooklet_protocol::records::BatchHeader;

use super::*;
use crate::leader_epochs::LeaderEpochs;

/// Keys that records have.
const KEYS: usize = 4;

/// Whose a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    /// Of a transaction of this producer.
    Of(usize),
    /// The end of one, and whether it was aborted.
    Marker(usize, bool),
}

/// A record as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    key: u8,
    value: Option<Vec<u8>>,
}

#[derive(Debug, Clone)]
struct Batch {
    base_offset: i64,
    next_offset: i64,
    kind: Kind,
    records: Vec<Written>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct LogModel {
    batches: Vec<Batch>,
    /// Where the first of them begins: a log that has lost all begins anew where it began.
    origin: i64,
    /// Up to where it must reach from which moment on when the process dies, and when the machine stops.
    acknowledged: Vec<(usize, i64)>,
    durable: Vec<(usize, i64)>,
    /// Where it begins at the least, from which moment on.
    starts: Vec<(usize, i64)>,
    /// Where it begins at the most.
    last_start: i64,
    pub(super) is_compacted: bool,
    /// When it was opened, and what it may have held until then: what was cut off was on no disk for certain.
    opened: Option<(usize, Vec<Batch>)>,
    /// When its topic began to be deleted.
    deletion_begun: Option<usize>,
    /// Epoch and next sequence of each producer, and whether it has an open transaction.
    producers: [(i16, i32, bool); PRODUCERS],
}

impl LogModel {
    pub(super) fn end(&self) -> i64 {
        self.batches.last().map_or(self.origin, |batch| batch.next_offset)
    }

    /// Something to append that the producers' states allow.
    pub(super) fn next_batch(&self, random: &mut Seeded) -> (ValidBatch, Kind, Vec<Written>) {
        let producer = random.below(PRODUCERS);
        let (epoch, sequence, open) = self.producers[producer];
        let kind = match random.below(3) {
            1 if open => Kind::Marker(producer, random.below(2) == 0),
            0 | 1 => Kind::Of(producer),
            _ => Kind::Plain,
        };
        if let Kind::Marker(_, abort) = kind {
            let marker = EndTransactionMarker { commit: !abort, coordinator_epoch: 0 };
            let batch = marker.batch(1, producer as i64, epoch + 1).unwrap();
            return (ValidBatch::trusted(batch), kind, Vec::new());
        }
        let mut builder = BatchBuilder::new();
        if let Kind::Of(producer) = kind {
            builder = builder.producer(producer as i64, epoch, sequence).transactional();
        }
        let count = if kind == Kind::Plain { 1 + random.below(3) } else { 1 };
        let written: Vec<_> = (0..count).map(|_| written(random)).collect();
        for record in &written {
            builder.push(1, Some(&[record.key]), record.value.as_deref(), &[]);
        }
        (ValidBatch::trusted(builder.finish().unwrap()), kind, written)
    }

    pub(super) fn appended(&mut self, now: usize, kind: Kind, header: BatchHeader, records: Vec<Written>) {
        let base_offset = self.end();
        let next_offset = base_offset + i64::from(header.record_count);
        self.batches.push(Batch { base_offset, next_offset, kind, records });
        self.acknowledged.push((now, next_offset));
        self.follow(kind);
    }

    fn follow(&mut self, kind: Kind) {
        match kind {
            Kind::Plain => {}
            Kind::Of(producer) => {
                let (_, sequence, open) = &mut self.producers[producer];
                (*sequence, *open) = (*sequence + 1, true);
            }
            Kind::Marker(producer, _) => {
                let (epoch, ..) = self.producers[producer];
                self.producers[producer] = (epoch + 1, 0, false);
            }
        }
    }

    pub(super) fn flushed(&mut self, now: usize, upto: i64) {
        self.durable.push((now, upto));
    }

    pub(super) fn start_asked(&mut self, offset: i64) {
        self.last_start = self.last_start.max(offset);
    }

    pub(super) fn start_kept(&mut self, now: usize, offset: i64) {
        self.starts.push((now, offset));
    }

    pub(super) fn deletion_begun(&mut self, now: usize) {
        self.deletion_begun = Some(now);
    }

    /// What is told from now on is told of what a crash at `moment` has left.
    pub(super) fn crashed(&mut self, moment: usize, crash: Crash) {
        let kept = match crash {
            Crash::Process => &self.acknowledged,
            Crash::Machine => &self.durable,
        };
        let at_least = last_at(kept, moment).unwrap_or(0);
        let start = last_at(&self.starts, moment).unwrap_or(0);
        (self.acknowledged, self.durable) = (vec![(0, at_least)], vec![(0, at_least)]);
        self.starts = vec![(0, start)];
        if self.deletion_begun.take().is_some_and(|at| at < moment) {
            // What becomes of it is of no interest any more.
            (self.acknowledged, self.durable, self.starts) = Default::default();
            self.last_start = i64::MAX;
        }
        if let Some((_, before)) = self.opened.take_if(|(at, _)| moment < *at) {
            self.batches = before;
        }
        self.opened = None;
    }

    /// The log has been opened and is as `log` says.
    pub(super) fn opened(&mut self, log: &PartitionLog, now: usize) {
        let (start, end) = (log.view().log_start_offset(), log.view().next_offset());
        self.opened = Some((now, self.batches.clone()));
        self.batches.retain(|batch| batch.next_offset <= end);
        if self.end() != end {
            (self.batches, self.origin) = (Vec::new(), end);
        }
        self.acknowledged.push((now, end));
        self.starts.push((now, start));
        self.producers = Default::default();
        // What was deleted may be all that was known of one.
        for (producer, entry) in log.producers() {
            let sequence = entry.batches().last().map_or(0, |last| last.last_sequence + 1);
            self.producers[producer as usize] = (entry.epoch, sequence, entry.current_txn_first_offset.is_some());
        }
    }

    /// Holds a log that was opened against what must be in it.
    pub(super) fn check(&self, log: &PartitionLog) {
        let (start, end) = (log.view().log_start_offset(), log.view().next_offset());
        let at_least = self.acknowledged.last().map_or(0, |(_, end)| *end);
        assert!(end >= at_least, "the log ends at {end}, before {at_least}");
        assert!(
            end == start || self.batches.iter().any(|batch| batch.next_offset == end),
            "it ends at {end} in a batch {:?} {:?}",
            self.batches.iter().map(|b| (b.base_offset, b.next_offset, b.kind)).collect::<Vec<_>>(),
            (start, &self.acknowledged.last(), self.is_compacted)
        );
        let kept = self.starts.last().map_or(0, |(_, start)| *start);
        assert!(start >= kept.min(end), "it begins at {start}, before {kept}");
        assert!(start <= self.last_start, "it begins at {start}, behind {}", self.last_start);
        let found = read(log);
        let records: BTreeMap<i64, (&Written, Kind)> =
            self.records().take_while(|(offset, ..)| *offset < end).collect();
        for (offset, record) in &found {
            assert_eq!(Some(record), records.get(offset).map(|(written, _)| *written), "offset {offset}");
        }
        let aborted = self.aborted(end);
        let known = log.view().aborted_below(end).unwrap();
        let mut last_of: BTreeMap<u8, i64> = BTreeMap::new();
        for (offset, (written, kind)) in &records {
            if !is_aborted(&aborted, *offset, *kind) {
                last_of.insert(written.key, *offset);
            }
        }
        for (offset, (written, kind)) in records.range(start..) {
            let aborted = is_aborted(&aborted, *offset, *kind);
            let is_there = found.contains_key(offset);
            let may_go = self.is_compacted && (aborted || last_of[&written.key] > *offset);
            assert!(is_there || may_go, "offset {offset} of {start}..{end} is gone");
            let told = known.iter().any(|known| {
                *kind == Kind::Of(known.producer_id as usize)
                    && (known.first_offset..known.last_offset).contains(offset)
            });
            assert!(!is_there || told == aborted, "offset {offset}: told that it was aborted: {told}, {known:?}");
        }
        if start == 0 {
            self.check_producers(log, end);
        }
    }

    /// There was one leader from the beginning, as the log says, and its file. `found` is what the file said before the log
    /// was opened: that is all that Kafka would have.
    pub(super) fn check_leader_epochs(
        &self,
        log: &PartitionLog,
        found: Option<&LeaderEpochs>,
        kept: Option<&LeaderEpochs>,
    ) {
        let (start, end) = (log.view().log_start_offset(), log.view().next_offset());
        assert_eq!(log.view().leader_epochs(), &LeaderEpochs::first(start));
        let is_known = |kept: Option<&LeaderEpochs>| kept.is_some_and(|kept| kept.at(start) == Some(0));
        assert!(end == start || is_known(kept), "the file of leader epochs says {kept:?}");
        let has_records = self.acknowledged.last().is_some_and(|(_, end)| *end > start);
        assert!(!has_records || is_known(found), "the file of leader epochs said {found:?}");
    }

    fn check_producers(&self, log: &PartitionLog, end: i64) {
        let mut model = Self::default();
        let mut open = [None; PRODUCERS];
        for batch in self.batches.iter().filter(|batch| batch.next_offset <= end) {
            model.follow(batch.kind);
            match batch.kind {
                Kind::Plain => {}
                Kind::Of(producer) => drop(open[producer].get_or_insert(batch.base_offset)),
                Kind::Marker(producer, _) => open[producer] = None,
            }
        }
        assert_eq!(log.view().last_stable_offset(), open.iter().copied().flatten().min().unwrap_or(end));
        let found: BTreeMap<_, _> = log.producers().into_iter().collect();
        for (producer, (epoch, sequence, _)) in model.producers.into_iter().enumerate() {
            let Some(entry) = found.get(&(producer as i64)) else {
                assert_eq!((epoch, sequence), (0, 0), "producer {producer} is forgotten");
                continue;
            };
            assert_eq!(entry.epoch, epoch, "producer {producer}");
            if sequence > 0 {
                assert_eq!(entry.batches().last().map(|batch| batch.last_sequence), Some(sequence - 1));
            }
        }
    }

    fn records(&self) -> impl Iterator<Item = (i64, (&Written, Kind))> {
        self.batches
            .iter()
            .flat_map(|batch| (batch.base_offset..).zip(batch.records.iter().map(|record| (record, batch.kind))))
    }

    /// Producers, first offsets and markers' offsets of the transactions that were aborted before `end`.
    fn aborted(&self, end: i64) -> Vec<(usize, i64, i64)> {
        let mut open = [None; PRODUCERS];
        let mut aborted = Vec::new();
        for batch in self.batches.iter().filter(|batch| batch.next_offset <= end) {
            match batch.kind {
                Kind::Plain => {}
                Kind::Of(producer) => drop(open[producer].get_or_insert(batch.base_offset)),
                Kind::Marker(producer, abort) => {
                    let first = open[producer].take();
                    aborted.extend(first.filter(|_| abort).map(|first| (producer, first, batch.base_offset)));
                }
            }
        }
        aborted
    }
}

fn is_aborted(aborted: &[(usize, i64, i64)], offset: i64, kind: Kind) -> bool {
    aborted.iter().any(|(producer, first, last)| kind == Kind::Of(*producer) && (*first..*last).contains(&offset))
}

fn written(random: &mut Seeded) -> Written {
    let size = match random.below(5) {
        0 => 2100 + random.below(500),
        _ => random.below(200),
    };
    let value = (0..size).map(|_| random.below(256) as u8).collect();
    Written { key: random.below(KEYS) as u8, value: Some(value).filter(|_| random.below(8) > 0) }
}

/// All records for applications that are there.
fn read(log: &PartitionLog) -> BTreeMap<i64, Written> {
    let view = log.view();
    let mut found = BTreeMap::new();
    let mut offset = view.log_start_offset();
    let start = offset;
    loop {
        let slice = view.read(offset, i64::MAX, 1 << 20, true).unwrap();
        if slice.is_empty() {
            return found;
        }
        for batch in batches(slice.records) {
            let batch = batch.unwrap();
            batch.verify_crc().unwrap();
            if !batch.header().attributes.is_control() {
                for record in batch.records(1 << 20).unwrap() {
                    let record = record.unwrap();
                    let written =
                        Written { key: record.key.unwrap()[0], value: record.value.map(|value| value.to_vec()) };
                    if record.offset >= start {
                        found.insert(record.offset, written);
                    }
                }
            }
            offset = batch.header().next_offset();
        }
    }
}
