//! The coordinator against its promises: producers in both versions, zombies among them, partitions that take markers or
//! do not, and a process that dies after any single thing it has made durable.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, HashMap, HashSet};

use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::transaction_log::{TransactionState, TransactionVersion};
use proptest::prelude::*;

use super::end::Ending;
use super::requests::{
    EndTransaction, InitProducer, Owner, PartitionsOfTransaction, PendingMarkers, ProducerIdAndEpoch, TopicPartition,
};
use super::shard::{Initialisation, TransactionRecord, TransactionSettings, TransactionShard};
use crate::groups::shard::Now;

const IDS: usize = 2;
const PRODUCERS: usize = 3;
const PARTITIONS: i32 = 3;
const TIMEOUT_MS: i32 = 5_000;

fn settings() -> TransactionSettings {
    TransactionSettings {
        max_timeout_ms: 60_000,
        id_expiration_ms: 100_000,
        abort_interval_ms: 1_000,
        expiration_interval_ms: 10_000,
    }
}

fn at(monotonic: u64) -> Now {
    Now { monotonic, wall_ms: monotonic as i64 }
}

/// The process has died: what was made durable is there, and nobody got an answer.
#[derive(Debug, PartialEq)]
struct Died;

/// What one of a producer's transactions wrote, to be recognised.
type Tag = u32;

#[derive(Debug)]
enum Entry {
    Record(ProducerIdAndEpoch, Tag),
    Marker(i64, /* commit */ bool),
}

/// A partition, as far as transactions go.
#[derive(Debug, Default)]
struct Log {
    entries: Vec<Entry>,
    epochs: HashMap<i64, i16>,
    open: HashSet<i64>,
    /// It takes no markers just now.
    refuses_markers: bool,
}

impl Log {
    fn is_ongoing(&self, producer: ProducerIdAndEpoch) -> bool {
        self.open.contains(&producer.producer_id)
            && self.epochs.get(&producer.producer_id) == Some(&producer.producer_epoch)
    }

    fn check_epoch(&self, producer: ProducerIdAndEpoch) -> Result<(), ErrorCode> {
        let newer = self.epochs.get(&producer.producer_id).is_some_and(|epoch| *epoch > producer.producer_epoch);
        if newer { Err(ErrorCode::InvalidProducerEpoch) } else { Ok(()) }
    }

    fn write(&mut self, producer: ProducerIdAndEpoch, tag: Tag) {
        self.epochs.insert(producer.producer_id, producer.producer_epoch);
        self.open.insert(producer.producer_id);
        self.entries.push(Entry::Record(producer, tag));
    }

    /// As a partition admits markers. One that is too late has nothing to end.
    fn mark(&mut self, producer: ProducerIdAndEpoch, version: TransactionVersion, commit: bool) {
        let ProducerIdAndEpoch { producer_id, producer_epoch } = producer;
        let current = self.epochs.get(&producer_id).copied().unwrap_or(-1);
        let admitted = match version.bumps_epoch() {
            true => producer_epoch > current || (producer_epoch == current && !self.open.contains(&producer_id)),
            false => producer_epoch >= current,
        };
        assert!(admitted, "marker of epoch {producer_epoch} where {current} is open: {:?}", self.open);
        self.epochs.insert(producer_id, producer_epoch);
        self.open.remove(&producer_id);
        self.entries.push(Entry::Marker(producer_id, commit));
    }

    /// What who reads committed records gets, and what is hidden from him for good.
    fn outcomes(&self) -> (Vec<Tag>, Vec<Tag>) {
        let (mut visible, mut hidden) = (Vec::new(), Vec::new());
        let mut open: HashMap<i64, Vec<Tag>> = HashMap::new();
        for entry in &self.entries {
            match entry {
                Entry::Record(producer, tag) => open.entry(producer.producer_id).or_default().push(*tag),
                Entry::Marker(producer_id, commit) => {
                    let ended = open.remove(producer_id).unwrap_or_default();
                    if *commit { visible.extend(ended) } else { hidden.extend(ended) }
                }
            }
        }
        (visible, hidden)
    }
}

/// A client with a transactional id.
#[derive(Debug, Clone)]
struct Producer {
    id: usize,
    version: TransactionVersion,
    has: Option<ProducerIdAndEpoch>,
    tag: Tag,
    /// Partitions that it has written to, or added, in this transaction.
    added: HashSet<i32>,
    /// The end that it is waiting for.
    ending: Option<bool>,
}

struct World {
    shard: TransactionShard,
    /// Of `transaction.version`. A client's version may be above it.
    level: TransactionVersion,
    now: u64,
    stored: Vec<TransactionRecord>,
    logs: Vec<Log>,
    producers: Vec<Producer>,
    next_producer_id: i64,
    next_tag: Tag,
    /// How many more things can be made durable before the process dies.
    fuel: Option<u32>,
    /// Who was told that it is committed, and who that it is not.
    told: BTreeMap<Tag, bool>,
    /// How many records each wrote.
    written: BTreeMap<Tag, usize>,
}

impl World {
    fn new(versions: [bool; PRODUCERS], level: TransactionVersion) -> Self {
        let producer = |(index, second): (usize, bool)| Producer {
            id: index % IDS,
            version: if second { TransactionVersion::V2 } else { TransactionVersion::V0 },
            has: None,
            tag: index as Tag,
            added: HashSet::new(),
            ending: None,
        };
        Self {
            shard: TransactionShard::new(settings()),
            level,
            now: 0,
            stored: Vec::new(),
            logs: (0..PARTITIONS).map(|_| Log::default()).collect(),
            producers: versions.into_iter().enumerate().map(producer).collect(),
            next_producer_id: 0,
            next_tag: PRODUCERS as Tag,
            fuel: None,
            told: BTreeMap::new(),
            written: BTreeMap::new(),
        }
    }

    /// Something has been made durable, and the process may be dead.
    fn burn(&mut self) -> Result<(), Died> {
        match &mut self.fuel {
            None => Ok(()),
            Some(0 | 1) => Err(Died),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    fn keep(&mut self, record: TransactionRecord) -> Result<(), Died> {
        self.stored.push(record.clone());
        self.burn()?;
        self.shard.replay(record, at(self.now));
        Ok(())
    }

    /// As the runtime does after each step.
    fn complete(&mut self) -> Result<(), Died> {
        for pending in self.shard.due_markers(at(self.now)) {
            let PendingMarkers { transactional_id, producer, commit, version, partitions } = pending;
            let mut written = Vec::new();
            for partition in partitions {
                let log = &mut self.logs[partition.partition as usize];
                if !log.refuses_markers {
                    log.mark(producer, version, commit);
                    written.push(partition);
                    self.burn()?;
                }
            }
            if let Some(record) = self.shard.markers_written(&transactional_id, &written, at(self.now)) {
                self.keep(record)?;
            }
        }
        Ok(())
    }

    /// The process starts again with what it had made durable.
    fn restart(&mut self) {
        self.fuel = None;
        self.shard = TransactionShard::new(settings());
        for record in &self.stored {
            self.shard.load(record.key(), record.value(self.level), at(self.now));
        }
        assert_eq!(self.complete(), Ok(()));
    }

    fn pass(&mut self, ms: u64) -> Result<(), Died> {
        self.now += ms;
        let next = &mut self.next_producer_id;
        let mut new_id = || {
            *next += 1;
            Ok(*next)
        };
        for record in self.shard.on_time(self.level, at(self.now), &mut new_id) {
            self.keep(record)?;
        }
        self.complete()
    }

    fn init(&mut self, index: usize, goes_on: bool) -> Result<(), Died> {
        let producer = self.producers[index].clone();
        let request = InitProducer {
            transactional_id: format!("id-{}", producer.id),
            timeout_ms: TIMEOUT_MS,
            expected: producer.has.filter(|_| goes_on),
            owner: None,
        };
        let next = &mut self.next_producer_id;
        let mut new_id = || {
            *next += 1;
            Ok(*next)
        };
        match self.shard.init_producer(&request, self.level, at(self.now), &mut new_id) {
            Ok(Initialisation::Granted(record)) => {
                let granted = record.metadata.as_ref().unwrap().producer();
                self.keep(record)?;
                let tag = self.new_tag();
                let ending = None;
                self.producers[index] = Producer { has: Some(granted), tag, added: HashSet::new(), ending, ..producer };
            }
            Ok(Initialisation::Fences(record)) => {
                self.keep(record)?;
                self.complete()?;
            }
            Err(ErrorCode::ConcurrentTransactions) => {}
            Err(ErrorCode::ProducerFenced) => self.producers[index].has = None,
            Err(other) => panic!("{other}"),
        }
        Ok(())
    }

    fn new_tag(&mut self) -> Tag {
        self.next_tag += 1;
        self.next_tag
    }

    fn write(&mut self, index: usize, partition: i32) -> Result<(), Died> {
        let Producer { id, version, has: Some(producer), tag, ending: None, added } = self.producers[index].clone()
        else {
            return Ok(());
        };
        let request = PartitionsOfTransaction {
            transactional_id: format!("id-{id}"),
            producer,
            partitions: vec![TopicPartition::new("t", partition)],
            version,
        };
        let log = &self.logs[partition as usize];
        let admitted = match log.check_epoch(producer) {
            // Who does not rely on the broker adds each partition itself, once in a transaction.
            Ok(()) if !version.bumps_epoch() && !added.contains(&partition) => self.add(&request)?,
            Ok(()) if log.is_ongoing(producer) => Ok(()),
            Ok(()) if version.bumps_epoch() => self.add(&request)?,
            Ok(()) => self.shard.verify_partitions(&request).and_then(|outcomes| match outcomes[0] {
                ErrorCode::None => Ok(()),
                error => Err(error),
            }),
            other => other,
        };
        match admitted {
            Ok(()) => {
                self.producers[index].added.insert(partition);
                self.logs[partition as usize].write(producer, tag);
                *self.written.entry(tag).or_default() += 1;
                self.burn()?;
            }
            Err(ErrorCode::ConcurrentTransactions) => {}
            Err(
                ErrorCode::InvalidProducerEpoch
                | ErrorCode::ProducerFenced
                | ErrorCode::InvalidProducerIdMapping
                | ErrorCode::TransactionAbortable,
            ) => self.producers[index].has = None,
            Err(other) => panic!("{other}"),
        }
        Ok(())
    }

    /// What a broker does before the first record, in either version.
    fn add(&mut self, request: &PartitionsOfTransaction) -> Result<Result<(), ErrorCode>, Died> {
        match self.shard.add_partitions(request, at(self.now)) {
            Ok(Some(record)) => self.keep(record)?,
            Ok(None) => {}
            Err(error) => return Ok(Err(error)),
        }
        let verified = self.shard.verify_partitions(request);
        assert_eq!(verified, Ok(vec![ErrorCode::None]));
        Ok(Ok(()))
    }

    fn end(&mut self, index: usize, commit: bool) -> Result<(), Died> {
        let producer = self.producers[index].clone();
        let Some(has) = producer.has.filter(|_| !producer.added.is_empty() || producer.ending.is_some()) else {
            return Ok(());
        };
        // Who got no answer asks again for the same.
        let commit = producer.ending.unwrap_or(commit);
        self.producers[index].ending = Some(commit);
        let request = EndTransaction {
            transactional_id: format!("id-{}", producer.id),
            producer: has,
            commit,
            version: producer.version,
        };
        let next = &mut self.next_producer_id;
        let mut new_id = || {
            *next += 1;
            Ok(*next)
        };
        let now_has = match self.shard.end(&request, at(self.now), &mut new_id) {
            Ok(Ending::Already(now_has)) => now_has,
            Ok(Ending::Decided(record, now_has)) => {
                self.keep(record)?;
                self.complete()?;
                now_has
            }
            Err(ErrorCode::ConcurrentTransactions) => return Ok(()),
            Err(ErrorCode::ProducerFenced | ErrorCode::InvalidProducerIdMapping | ErrorCode::InvalidTxnState) => {
                let tag = self.new_tag();
                let fenced = Producer { has: None, tag, added: HashSet::new(), ending: None, ..producer };
                self.producers[index] = fenced;
                return Ok(());
            }
            Err(other) => panic!("{other}"),
        };
        assert_eq!(self.told.insert(producer.tag, commit), None, "a transaction ends once");
        let tag = self.new_tag();
        let has = if producer.version.bumps_epoch() { now_has } else { has };
        self.producers[index] = Producer { has: Some(has), tag, added: HashSet::new(), ending: None, ..producer };
        Ok(())
    }

    /// Gives everything the time it needs, and holds what came of it against what was told.
    fn settle(&mut self) {
        self.logs.iter_mut().for_each(|log| log.refuses_markers = false);
        for _ in 0..20 {
            self.pass(1_000).unwrap();
        }
        for (index, log) in self.logs.iter().enumerate() {
            assert!(log.open.is_empty(), "open in partition {index}: {:?}", log.open);
        }
        for listed in self.shard.list() {
            let complete = matches!(
                listed.state,
                TransactionState::Empty | TransactionState::CompleteCommit | TransactionState::CompleteAbort
            );
            assert!(complete, "{listed:?}");
        }
        let mut visible: BTreeMap<Tag, usize> = BTreeMap::new();
        let mut hidden: BTreeMap<Tag, usize> = BTreeMap::new();
        for log in &self.logs {
            let (of_visible, of_hidden) = log.outcomes();
            of_visible.into_iter().for_each(|tag| *visible.entry(tag).or_default() += 1);
            of_hidden.into_iter().for_each(|tag| *hidden.entry(tag).or_default() += 1);
        }
        for (tag, written) in &self.written {
            let visible = visible.get(tag).copied().unwrap_or(0);
            let hidden = hidden.get(tag).copied().unwrap_or(0);
            assert_eq!(visible + hidden, *written, "all of {tag} has an outcome");
            assert!(visible == 0 || hidden == 0, "all of {tag} has the same outcome: {visible} against {hidden}");
            match self.told.get(tag) {
                Some(true) => assert_eq!(visible, *written, "{tag} was told to be committed"),
                Some(false) => assert_eq!(visible, 0, "{tag} was told to be aborted"),
                None => {}
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Op {
    Init(usize, bool),
    Write(usize, i32),
    End(usize, bool),
    Pass(u64),
    RefuseMarkers(i32, bool),
}

fn ops() -> impl Strategy<Value = Vec<(Op, Option<u32>)>> {
    let op = prop_oneof![
        2 => (0..PRODUCERS, any::<bool>()).prop_map(|(producer, goes_on)| Op::Init(producer, goes_on)),
        6 => (0..PRODUCERS, 0..PARTITIONS).prop_map(|(producer, partition)| Op::Write(producer, partition)),
        4 => (0..PRODUCERS, any::<bool>()).prop_map(|(producer, commit)| Op::End(producer, commit)),
        1 => (1u64..4_000).prop_map(Op::Pass),
        1 => (0..PARTITIONS, any::<bool>()).prop_map(|(partition, refuses)| Op::RefuseMarkers(partition, refuses)),
    ];
    // Every so often the process dies, after the first, second … thing that the operation makes durable.
    let dies = prop_oneof![6 => Just(None), 1 => (1u32..6).prop_map(Some)];
    prop::collection::vec((op, dies), 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn every_transaction_ends_as_its_producer_was_told(versions: [bool; PRODUCERS], level in 0i16..3, ops in ops()) {
        let mut world = World::new(versions, TransactionVersion::from_level(level));
        for index in 0..PRODUCERS {
            world.init(index, false).unwrap();
        }
        for (op, fuel) in ops {
            world.fuel = fuel;
            let outcome = match op {
                Op::Init(producer, goes_on) => world.init(producer, goes_on),
                Op::Write(producer, partition) => world.write(producer, partition),
                Op::End(producer, commit) => world.end(producer, commit),
                Op::Pass(ms) => world.pass(ms),
                Op::RefuseMarkers(partition, refuses) => {
                    world.logs[partition as usize].refuses_markers = refuses;
                    Ok(())
                }
            };
            world.fuel = None;
            if outcome == Err(Died) {
                world.restart();
            }
        }
        world.settle();
    }
}

/// A shard with one transactional id, `id`, whose producer has just begun.
fn begun() -> (TransactionShard, ProducerIdAndEpoch) {
    let mut shard = TransactionShard::new(settings());
    let granted = init(&mut shard, None).unwrap();
    (shard, granted)
}

fn init(shard: &mut TransactionShard, expected: Option<ProducerIdAndEpoch>) -> Result<ProducerIdAndEpoch, ErrorCode> {
    let request = InitProducer { transactional_id: "id".to_owned(), timeout_ms: TIMEOUT_MS, expected, owner: None };
    match shard.init_producer(&request, TransactionVersion::V2, at(1), &mut || Ok(7_000))? {
        Initialisation::Granted(record) => {
            let granted = record.metadata.as_ref().unwrap().producer();
            shard.replay(record, at(1));
            Ok(granted)
        }
        Initialisation::Fences(record) => {
            shard.replay(record, at(1));
            complete(shard);
            Err(ErrorCode::ConcurrentTransactions)
        }
    }
}

fn complete(shard: &mut TransactionShard) {
    for pending in shard.due_markers(at(1)) {
        let record = shard.markers_written(&pending.transactional_id, &pending.partitions, at(1)).unwrap();
        shard.replay(record, at(1));
    }
}

fn add(shard: &mut TransactionShard, producer: ProducerIdAndEpoch) -> Result<(), ErrorCode> {
    let request = PartitionsOfTransaction {
        transactional_id: "id".to_owned(),
        producer,
        partitions: vec![TopicPartition::new("t", 0)],
        version: TransactionVersion::V2,
    };
    if let Some(record) = shard.add_partitions(&request, at(1))? {
        shard.replay(record, at(1));
    }
    Ok(())
}

fn end(
    shard: &mut TransactionShard,
    producer: ProducerIdAndEpoch,
    commit: bool,
    version: TransactionVersion,
) -> Result<ProducerIdAndEpoch, ErrorCode> {
    let request = EndTransaction { transactional_id: "id".to_owned(), producer, commit, version };
    match shard.end(&request, at(1), &mut || Ok(8_000))? {
        Ending::Already(has) => Ok(has),
        Ending::Decided(record, has) => {
            shard.replay(record, at(1));
            complete(shard);
            Ok(has)
        }
    }
}

/// The table in Kafka's `TransactionCoordinator`, for transactions of the second version.
#[test]
fn what_is_asked_again_is_told_from_what_is_asked_next() {
    use ErrorCode::{InvalidTxnState, ProducerFenced};
    use TransactionVersion::V2;
    let bumped = |of: ProducerIdAndEpoch| ProducerIdAndEpoch { producer_epoch: of.producer_epoch + 1, ..of };
    let before = |of: ProducerIdAndEpoch| ProducerIdAndEpoch { producer_epoch: of.producer_epoch - 1, ..of };

    let (mut empty, has) = begun();
    assert_eq!(end(&mut empty, before(has), false, V2), Err(ProducerFenced));
    assert_eq!(end(&mut empty, before(has), true, V2), Err(ProducerFenced));
    assert_eq!(end(&mut empty, has, true, V2), Err(InvalidTxnState));
    assert_eq!(end(&mut empty, has, false, V2), Ok(bumped(has)));

    for committed in [true, false] {
        let ended = || {
            let (mut shard, has) = begun();
            add(&mut shard, has).unwrap();
            let next = end(&mut shard, has, committed, V2).unwrap();
            assert_eq!(next, bumped(has));
            (shard, has, next)
        };
        let (mut shard, has, next) = ended();
        assert_eq!(end(&mut shard, has, committed, V2), Ok(next), "the same again");
        assert_eq!(end(&mut shard, has, !committed, V2), Err(InvalidTxnState));
        assert_eq!(end(&mut shard, next, true, V2), Err(InvalidTxnState), "nothing was written");
        assert_eq!(end(&mut shard, next, false, V2), Ok(bumped(next)));
        assert_eq!(end(&mut shard, has, false, V2), Err(ProducerFenced), "two epochs behind");
    }
}

#[test]
fn transactions_of_the_first_version_keep_their_epoch() {
    use TransactionVersion::V0;
    let (mut shard, has) = begun();
    assert_eq!(end(&mut shard, has, true, V0), Err(ErrorCode::InvalidTxnState), "none was begun");
    add(&mut shard, has).unwrap();
    assert_eq!(end(&mut shard, has, true, V0), Ok(has));
    assert_eq!(end(&mut shard, has, true, V0), Ok(has), "the same again");
    assert_eq!(end(&mut shard, has, false, V0), Err(ErrorCode::InvalidTxnState));
    let other = ProducerIdAndEpoch { producer_id: has.producer_id + 1, ..has };
    assert_eq!(end(&mut shard, other, true, V0), Err(ErrorCode::InvalidProducerIdMapping));
    let newer = ProducerIdAndEpoch { producer_epoch: has.producer_epoch + 1, ..has };
    assert_eq!(end(&mut shard, newer, true, V0), Err(ErrorCode::ProducerFenced));
}

#[test]
fn who_goes_on_gets_the_next_epoch_once_however_often_it_asks() {
    let (mut shard, first) = begun();
    let second = init(&mut shard, Some(first)).unwrap();
    assert_eq!(second.producer_epoch, first.producer_epoch + 1);
    assert_eq!(init(&mut shard, Some(first)), Ok(second), "the answer was lost");
    let third = init(&mut shard, None).unwrap();
    assert_eq!(init(&mut shard, Some(second)), Err(ErrorCode::ProducerFenced), "another has come since");
    assert_eq!(init(&mut shard, Some(third)).unwrap().producer_epoch, third.producer_epoch + 1);
}

#[test]
fn a_new_incarnation_aborts_the_transaction_of_the_old_and_fences_it() {
    let (mut shard, old) = begun();
    add(&mut shard, old).unwrap();
    assert_eq!(init(&mut shard, None), Err(ErrorCode::ConcurrentTransactions));
    assert_eq!(shard.describe("id").unwrap().state, TransactionState::CompleteAbort);
    let new = init(&mut shard, None).unwrap();
    assert_eq!(new.producer_epoch, old.producer_epoch + 2);
    assert_eq!(add(&mut shard, old), Err(ErrorCode::ProducerFenced));
}

#[test]
fn a_producer_whose_epochs_are_used_up_gets_another_id() {
    let (mut shard, _) = begun();
    let mut current = shard.describe("id").unwrap().producer;
    while current.producer_epoch < i16::MAX - 1 {
        current = init(&mut shard, None).unwrap();
    }
    add(&mut shard, current).unwrap();
    let next = end(&mut shard, current, true, TransactionVersion::V2).unwrap();
    assert_eq!(next, ProducerIdAndEpoch { producer_id: 8_000, producer_epoch: 0 });
    let again = end(&mut shard, current, true, TransactionVersion::V2);
    assert_eq!(again, Ok(next), "the answer was lost");
    add(&mut shard, next).unwrap();

    let (mut idle, _) = begun();
    let mut current = idle.describe("id").unwrap().producer;
    while current.producer_epoch < i16::MAX - 1 {
        current = init(&mut idle, None).unwrap();
    }
    let exchanged = init(&mut idle, Some(current)).unwrap();
    assert_eq!(exchanged.producer_epoch, 0);
    assert_eq!(init(&mut idle, Some(current)), Ok(exchanged), "the answer was lost");
}

#[test]
fn timeouts_must_be_within_what_the_broker_allows() {
    let shard = TransactionShard::new(settings());
    for timeout_ms in [0, -1, 60_001] {
        let request = InitProducer { transactional_id: "id".to_owned(), timeout_ms, expected: None, owner: None };
        let refused = shard.init_producer(&request, TransactionVersion::V2, at(0), &mut || Ok(1));
        assert_eq!(refused, Err(ErrorCode::InvalidTransactionTimeout), "{timeout_ms}");
    }
}

#[test]
fn a_producer_in_this_process_may_take_its_time_as_long_as_it_lives() {
    let mut shard = TransactionShard::new(settings());
    let owner = Owner::default();
    let request = InitProducer {
        transactional_id: "id".to_owned(),
        timeout_ms: TIMEOUT_MS,
        expected: None,
        owner: Some(owner.watch()),
    };
    let granted = shard.init_producer(&request, TransactionVersion::V2, at(0), &mut || Ok(7)).unwrap();
    let Initialisation::Granted(record) = granted else { panic!("nobody had it") };
    let has = record.metadata.as_ref().unwrap().producer();
    shard.replay(record, at(0));
    shard.note_owner("id", request.owner.clone());
    add(&mut shard, has).unwrap();
    let late = at(1_000 * u64::try_from(TIMEOUT_MS).unwrap());
    assert_eq!(shard.on_time(TransactionVersion::V2, late, &mut || Ok(8)), []);
    drop(owner);
    let later = at(2_000 * u64::try_from(TIMEOUT_MS).unwrap());
    let aborted = shard.on_time(TransactionVersion::V2, later, &mut || Ok(8));
    assert_eq!(aborted[0].metadata.as_ref().unwrap().state, TransactionState::PrepareAbort);
}

#[test]
fn ids_that_nobody_uses_are_forgotten() {
    let (mut shard, has) = begun();
    assert!(shard.on_time(TransactionVersion::V2, at(100_000), &mut || Ok(1)).is_empty(), "not yet");
    add(&mut shard, has).unwrap();
    end(&mut shard, has, true, TransactionVersion::V2).unwrap();
    for record in shard.on_time(TransactionVersion::V2, at(110_001), &mut || Ok(1)) {
        assert_eq!(record.metadata, None);
        shard.replay(record, at(110_001));
    }
    assert!(shard.list().is_empty());
    assert_eq!(shard.next_deadline(), None);
}
