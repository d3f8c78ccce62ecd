//! A share partition against a model that knows of each offset who has it, how often it was delivered, and whether its
//! delivery is complete.

use std::collections::BTreeMap;

use brooklet_protocol::coordinator::share_state::SharePartitionKey;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::share::state::shard::{ShareStateShard, StateWrite};

const LIMITS: DeliveryLimits =
    DeliveryLimits { max_delivery_count: 4, max_record_locks: 50, record_lock_duration_ms: 100 };
const MEMBERS: [&str; 3] = ["a", "b", "c"];

#[derive(Debug, Clone)]
enum Step {
    /// A batch of so many records comes into the log.
    Append(i64),
    /// The log begins so many offsets later; what compaction would do to the first batch.
    TrimLog(i64),
    Acquire {
        member: usize,
        record_limit: bool,
        max_records: i64,
        batch_size: i64,
        /// How many batches a read returns.
        read: usize,
    },
    /// Acknowledges part of what the member has, each offset in its own way.
    Acknowledge {
        member: usize,
        skip: usize,
        types: Vec<i8>,
    },
    Release(usize),
    Wait(u64),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (1..9i64).prop_map(Step::Append),
        1 => (1..9i64).prop_map(Step::TrimLog),
        6 => (0..3usize, any::<bool>(), 1..30i64, 1..10i64, 1..5usize).prop_map(
            |(member, record_limit, max_records, batch_size, read)| {
                Step::Acquire { member, record_limit, max_records, batch_size, read }
            }
        ),
        6 => (0..3usize, 0..6usize, prop::collection::vec(0..5i8, 1..12))
            .prop_map(|(member, skip, types)| Step::Acknowledge { member, skip, types }),
        1 => (0..3usize).prop_map(Step::Release),
        2 => (1..150u64).prop_map(Step::Wait),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..80)
}

#[derive(Debug, Clone, Default)]
struct Offset {
    holder: Option<(usize, u64)>,
    deliveries: i16,
    /// What a restart must remember, where it was acknowledged or came back since.
    kept: Option<(i8, i16)>,
    complete: bool,
    delivered: bool,
}

struct Model {
    partition: SharePartition,
    state: ShareStateShard,
    key: SharePartitionKey,
    now: u64,
    log: Vec<FetchedBatch>,
    log_start: i64,
    offsets: BTreeMap<i64, Offset>,
}

impl Model {
    fn new() -> Self {
        let key = SharePartitionKey { group_id: "g".into(), topic_id: Uuid::from_u128(1), partition: 0 };
        // Few updates between snapshots, so that both kinds of records are met.
        let mut state = ShareStateShard::new(3);
        let first = state.initialize(&key, 1, 0, 0).unwrap();
        state.replay(first.key, first.value);
        Self {
            partition: SharePartition::restore(0, &[]).unwrap(),
            state,
            key,
            now: 0,
            log: Vec::new(),
            log_start: 0,
            offsets: BTreeMap::new(),
        }
    }

    fn log_end(&self) -> i64 {
        self.log.last().map_or(0, |batch| batch.last + 1)
    }

    fn keep_and_apply(&mut self, transition: Transition) {
        if !transition.keeps_nothing() {
            let write = StateWrite {
                state_epoch: 1,
                leader_epoch: 0,
                start_offset: self.partition.start_offset(),
                delivery_complete_count: self.partition.delivery_complete_count(&transition),
                state_batches: transition.state_batches(),
            };
            let record = self.state.write(&self.key, write, 0).unwrap();
            self.state.replay(record.key, record.value);
        }
        self.partition.apply(transition);
    }

    fn acquire(&mut self, member: usize, mode: AcquireMode, max_records: i64, batch_size: i64, read: usize) {
        let could = self.partition.can_acquire(&LIMITS);
        let from = self.partition.next_fetch_offset();
        assert!(from >= self.partition.start_offset());
        let fetched: Vec<_> = self.log.iter().filter(|batch| batch.last >= from).take(read).copied().collect();
        let request = AcquireRequest { member: MEMBERS[member].into(), mode, max_records, batch_size };
        let acquired = self.partition.acquire(&request, from, &fetched, &LIMITS, self.now);
        let count: i64 = acquired.iter().map(AcquiredRecords::len).sum();
        if could && from < self.log_end() {
            assert!(count > 0, "nothing was acquired at {from} though something could be");
        }
        if mode == AcquireMode::RecordLimit {
            assert!(count <= max_records, "{count} records for {max_records}");
        }
        let mut before = -1;
        for records in acquired {
            assert!(records.first > before && records.last >= records.first);
            before = records.last;
            for offset in records.first..=records.last {
                assert!(offset >= self.partition.start_offset() && offset < self.log_end(), "{offset}");
                let known = self.offsets.get_mut(&offset).unwrap();
                assert!(known.holder.is_none(), "{offset} is acquired by two members");
                assert!(!known.complete, "{offset} is delivered again though its delivery is complete");
                known.deliveries += 1;
                known.delivered = true;
                known.holder = Some((member, self.now + LIMITS.record_lock_duration_ms));
                assert_eq!(records.delivery_count, known.deliveries, "{offset}");
                assert!(records.delivery_count <= LIMITS.max_delivery_count);
            }
        }
    }

    fn acknowledge(&mut self, member: usize, skip: usize, types: &[i8]) {
        let mine = |offset: &Offset| offset.holder.is_some_and(|(holder, _)| holder == member);
        let held: Vec<i64> =
            self.offsets.iter().filter(|(_, offset)| mine(offset)).map(|(at, _)| *at).skip(skip).collect();
        let mut batches: Vec<AcknowledgementBatch> = Vec::new();
        for (offset, kind) in held.iter().zip(types) {
            match batches.last_mut() {
                Some(batch) if batch.last + 1 == *offset => {
                    batch.last = *offset;
                    batch.types.push(*kind);
                }
                _ => batches.push(AcknowledgementBatch { first: *offset, last: *offset, types: vec![*kind] }),
            }
        }
        AcknowledgementBatch::check(&batches, true).unwrap();
        let transition = self
            .partition
            .acknowledge(MEMBERS[member], &batches, true, &LIMITS, self.now)
            .expect("they are the member's");
        self.keep_and_apply(transition);
        for (offset, kind) in held.iter().zip(types) {
            let known = self.offsets.get_mut(offset).unwrap();
            if *kind == 4 {
                known.holder = Some((member, self.now + LIMITS.record_lock_duration_ms));
                continue;
            }
            known.holder = None;
            known.complete = *kind != 2 || known.deliveries >= LIMITS.max_delivery_count;
            let id = match kind {
                1 => 2,
                2 if !known.complete => 0,
                _ => 4,
            };
            known.kept = Some((id, known.deliveries));
        }
    }

    /// What a member has lost comes back.
    fn came_back(&mut self, lost: impl Fn(usize, u64) -> bool) {
        for known in self.offsets.values_mut() {
            if known.holder.is_some_and(|(member, until)| lost(member, until)) {
                known.holder = None;
                known.complete = known.deliveries >= LIMITS.max_delivery_count;
                known.kept = Some((if known.complete { 4 } else { 0 }, known.deliveries));
            }
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Append(count) => {
                let first = self.log_end();
                self.log.push(FetchedBatch { first, last: first + count - 1, aborted: false });
                self.offsets.extend((first..first + count).map(|offset| (offset, Offset::default())));
            }
            Step::TrimLog(count) => {
                self.log_start = (self.log_start + count).min(self.log_end());
                self.partition.advance_log_start(self.log_start);
                self.offsets = self.offsets.split_off(&self.log_start);
            }
            Step::Acquire { member, record_limit, max_records, batch_size, read } => {
                let mode = if record_limit { AcquireMode::RecordLimit } else { AcquireMode::BatchOptimized };
                self.acquire(member, mode, max_records, batch_size, read);
            }
            Step::Acknowledge { member, skip, types } => self.acknowledge(member, skip, &types),
            Step::Release(member) => {
                let transition = self.partition.release(MEMBERS[member], &LIMITS);
                self.keep_and_apply(transition);
                self.came_back(|holder, _| holder == member);
            }
            Step::Wait(ms) => {
                self.now += ms;
                let transition = self.partition.expire(self.now, &LIMITS);
                self.keep_and_apply(transition);
                let now = self.now;
                self.came_back(|_, until| until <= now);
            }
            Step::Restart => {
                let kept = self.state.state(&self.key).unwrap();
                self.partition = SharePartition::restore(kept.start_offset, &kept.state_batches).unwrap();
                self.partition.advance_log_start(self.log_start);
                for known in self.offsets.values_mut() {
                    known.holder = None;
                    let (state, deliveries) = known.kept.unwrap_or_default();
                    known.deliveries = deliveries;
                    assert_eq!(known.complete, state != 0, "what was acknowledged is still so");
                }
            }
        }
    }

    fn check(&self, start_before: i64) {
        assert!(self.partition.start_offset() >= start_before, "the start went back");
        for (offset, known) in self.offsets.range(..self.partition.start_offset()) {
            assert!(known.complete, "the start passed {offset}, which is not complete");
        }
        for span in self.partition.spans() {
            for offset in span.first.max(self.partition.start_offset())..=span.last {
                let known = &self.offsets[&offset];
                assert_eq!(span.state.is_terminal(), known.complete, "{offset}");
                let holder = match &span.state {
                    RecordState::Acquired { member, until } => Some((&**member, *until)),
                    _ => None,
                };
                assert_eq!(holder, known.holder.map(|(member, until)| (MEMBERS[member], until)), "{offset}");
            }
        }
        let deadlines = self.offsets.values().filter_map(|known| known.holder).map(|(_, until)| until);
        assert_eq!(self.partition.next_deadline(), deadlines.min());
        let complete = self.offsets.range(self.partition.start_offset()..).filter(|(_, known)| known.complete).count();
        assert_eq!(self.partition.delivery_complete_count(&Transition::default()), complete as i32);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn records_are_delivered_to_one_member_at_a_time_until_they_are_accepted_or_given_up(steps in steps()) {
        let mut model = Model::new();
        for step in steps {
            let start = model.partition.start_offset();
            model.step(step);
            model.check(start);
        }
        // Whatever has happened, all that is in the log is delivered in the end.
        for round in 0.. {
            assert!(round < 2000, "delivery does not come to an end");
            model.step(Step::Wait(LIMITS.record_lock_duration_ms));
            let start = model.partition.start_offset();
            model.acquire(0, AcquireMode::BatchOptimized, 10, 5, 3);
            model.acknowledge(0, 0, &[1; 200]);
            model.check(start);
            if model.partition.start_offset() == model.log_end().max(model.log_start) {
                break;
            }
        }
        prop_assert!(model.offsets.values().all(|known| known.complete && known.delivered));
    }
}

fn fetched(bounds: &[(i64, i64)]) -> Vec<FetchedBatch> {
    bounds.iter().map(|&(first, last)| FetchedBatch { first, last, aborted: false }).collect()
}

fn request(member: &str, mode: AcquireMode, max_records: i64) -> AcquireRequest {
    AcquireRequest { member: member.into(), mode, max_records, batch_size: 500 }
}

fn bounds(acquired: &[AcquiredRecords]) -> Vec<(i64, i64, i16)> {
    acquired.iter().map(|records| (records.first, records.last, records.delivery_count)).collect()
}

#[test]
fn whole_batches_are_given_unless_the_limit_is_strict() {
    let log = fetched(&[(0, 9), (10, 19), (20, 29)]);
    let mut partition = SharePartition::restore(0, &[]).unwrap();
    let acquired = partition.acquire(&request("a", AcquireMode::BatchOptimized, 12), 0, &log, &LIMITS, 0);
    assert_eq!(bounds(&acquired), [(0, 19, 1)], "up to the end of the batch that holds the twelfth");
    assert_eq!(partition.next_fetch_offset(), 20);
    let acquired = partition.acquire(&request("b", AcquireMode::RecordLimit, 3), 20, &log[2..], &LIMITS, 0);
    assert_eq!(bounds(&acquired), [(20, 22, 1)]);
    assert_eq!(partition.next_fetch_offset(), 23, "the rest of the batch is there for the next");
}

#[test]
fn batches_are_split_at_the_size_the_member_wants() {
    let log = fetched(&[(0, 9), (10, 19), (20, 29)]);
    let mut partition = SharePartition::restore(0, &[]).unwrap();
    let request = AcquireRequest { batch_size: 15, ..request("a", AcquireMode::BatchOptimized, 100) };
    let acquired = partition.acquire(&request, 0, &log, &LIMITS, 0);
    assert_eq!(bounds(&acquired), [(0, 19, 1), (20, 29, 1)]);
}

#[test]
fn records_that_failed_often_go_in_smaller_parts_and_at_last_alone() {
    let log = fetched(&[(0, 7)]);
    let mut partition = SharePartition::restore(0, &[]).unwrap();
    let mut seen = Vec::new();
    for _ in 0..4 {
        let acquired = partition.acquire(&request("a", AcquireMode::BatchOptimized, 100), 0, &log, &LIMITS, 0);
        seen.push(bounds(&acquired));
        let back = partition.release("a", &LIMITS);
        partition.apply(back);
    }
    assert_eq!(seen, [vec![(0, 7, 1)], vec![(0, 7, 2)], vec![(0, 3, 3)], vec![(0, 0, 4)]]);
    assert_eq!(partition.start_offset(), 1, "the first record is given up");
}

#[test]
fn no_more_is_in_flight_than_may_be_locked() {
    let log = fetched(&[(0, 39), (40, 79)]);
    let mut partition = SharePartition::restore(0, &[]).unwrap();
    let all = request("a", AcquireMode::RecordLimit, 1000);
    let acquired = partition.acquire(&all, 0, &log, &LIMITS, 0);
    assert_eq!(bounds(&acquired), [(0, 49, 1)]);
    assert_eq!(partition.next_fetch_offset(), 50, "what is left of the batch is in flight, as available");
    let accept = AcknowledgementBatch { first: 10, last: 10, types: vec![2] };
    let back = partition.acknowledge("a", &[accept], false, &LIMITS, 0).unwrap();
    partition.apply(back);
    let acquired = partition.acquire(&request("b", AcquireMode::BatchOptimized, 1000), 10, &log, &LIMITS, 0);
    assert_eq!(acquired[0], AcquiredRecords { first: 10, last: 10, delivery_count: 2 });
}

#[test]
fn only_who_has_a_record_may_acknowledge_it() {
    let log = fetched(&[(0, 9)]);
    let mut partition = SharePartition::restore(0, &[]).unwrap();
    partition.acquire(&request("a", AcquireMode::BatchOptimized, 100), 0, &log, &LIMITS, 0);
    let ack = |first, last, kind| [AcknowledgementBatch { first, last, types: vec![kind] }];
    let outcome = |partition: &SharePartition, member: &str, batches: &[AcknowledgementBatch], renew| {
        partition.acknowledge(member, batches, renew, &LIMITS, 0).map(|_| ()).unwrap_err()
    };
    assert_eq!(outcome(&partition, "b", &ack(0, 9, 1), false), InvalidAcknowledgement::NotOwner);
    assert_eq!(outcome(&partition, "a", &ack(5, 12, 1), false), InvalidAcknowledgement::Beyond);
    assert_eq!(outcome(&partition, "a", &ack(20, 22, 1), false), InvalidAcknowledgement::Beyond);
    assert_eq!(outcome(&partition, "a", &ack(0, 9, 4), false), InvalidAcknowledgement::RenewDisabled);
    let twice = [ack(0, 5, 1), ack(5, 9, 1)].concat();
    assert_eq!(outcome(&partition, "a", &twice, false), InvalidAcknowledgement::NotAcquired);
    let accepted = partition.acknowledge("a", &ack(3, 5, 1), false, &LIMITS, 0).unwrap();
    partition.apply(accepted);
    assert_eq!(outcome(&partition, "a", &ack(0, 9, 1), false), InvalidAcknowledgement::NotAcquired);
    let empty = SharePartition::restore(5, &[]).unwrap();
    assert_eq!(outcome(&empty, "a", &ack(7, 9, 1), false), InvalidAcknowledgement::NotAcquired);
    assert!(
        empty.acknowledge("a", &ack(0, 4, 1), false, &LIMITS, 0).unwrap().keeps_nothing(),
        "it lies before the start"
    );
}

#[test]
fn malformed_acknowledgements_are_told_by_their_shape() {
    let batch = |first, last, types: &[i8]| AcknowledgementBatch { first, last, types: types.to_vec() };
    let check = |batches: &[AcknowledgementBatch], renew| AcknowledgementBatch::check(batches, renew);
    assert_eq!(check(&[batch(0, 2, &[1]), batch(3, 5, &[1, 2, 3])], false), Ok(()));
    for bad in [
        vec![batch(5, 2, &[1])],
        vec![batch(0, 2, &[])],
        vec![batch(0, 2, &[1, 1])],
        vec![batch(0, 2, &[5])],
        vec![batch(0, 2, &[4])],
        vec![batch(0, 2, &[-1])],
        vec![batch(3, 5, &[1]), batch(0, 2, &[1])],
        vec![batch(i64::MIN, i64::MAX, &[1, 1])],
    ] {
        assert_eq!(check(&bad, false), Err(InvalidAcknowledgement::Malformed), "{bad:?}");
    }
    assert_eq!(check(&[batch(0, 2, &[4])], true), Ok(()));
}

#[test]
fn offsets_that_the_log_does_not_have_hold_nothing_up() {
    let mut partition = SharePartition::restore(0, &[]).unwrap();
    partition.acquire(&request("a", AcquireMode::BatchOptimized, 100), 0, &fetched(&[(0, 4), (5, 9)]), &LIMITS, 0);
    let back = partition.release("a", &LIMITS);
    partition.apply(back);
    // Compaction has taken the first batch away.
    let acquired =
        partition.acquire(&request("a", AcquireMode::BatchOptimized, 100), 0, &fetched(&[(5, 9)]), &LIMITS, 0);
    assert_eq!(bounds(&acquired), [(5, 9, 2)]);
    assert_eq!(partition.start_offset(), 5);
}

#[test]
fn records_of_aborted_transactions_are_not_delivered() {
    let mut log = fetched(&[(0, 4), (5, 9), (10, 10), (11, 12)]);
    log[1].aborted = true;
    let mut partition = SharePartition::restore(0, &[]).unwrap();
    let acquired = partition.acquire(&request("a", AcquireMode::BatchOptimized, 100), 0, &log, &LIMITS, 0);
    assert_eq!(bounds(&acquired), [(0, 4, 1), (10, 12, 1)]);
    let accept = AcknowledgementBatch { first: 0, last: 4, types: vec![1] };
    let accepted = partition.acknowledge("a", &[accept], false, &LIMITS, 0).unwrap();
    partition.apply(accepted);
    assert_eq!(partition.start_offset(), 10);
}

#[test]
fn what_lies_between_stored_batches_is_delivered() {
    let stored = |first_offset, last_offset, delivery_state, delivery_count| StateBatch {
        first_offset,
        last_offset,
        delivery_state,
        delivery_count,
    };
    let partition = SharePartition::restore(5, &[stored(10, 14, 2, 1), stored(20, 24, 0, 2)]).unwrap();
    assert_eq!((partition.start_offset(), partition.next_fetch_offset()), (5, 5));
    assert!(SharePartition::restore(5, &[stored(3, 9, 2, 1)]).is_err());
    assert!(SharePartition::restore(5, &[stored(9, 8, 2, 1)]).is_err());
    assert!(SharePartition::restore(5, &[stored(5, 8, 1, 1)]).is_err());
    assert!(SharePartition::restore(5, &[stored(5, 8, 0, 1), stored(8, 9, 0, 1)]).is_err());
    let done = SharePartition::restore(5, &[stored(5, 9, 2, 1)]).unwrap();
    assert_eq!((done.start_offset(), done.next_fetch_offset()), (10, 10));
}
