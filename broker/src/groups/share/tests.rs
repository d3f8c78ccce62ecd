//! A share group as its members see it: every step's records are replayed, and a group loaded from all records ever
//! written is the same group.

use std::collections::{BTreeMap, BTreeSet};

use brooklet_protocol::coordinator::GroupRecordKey;
use brooklet_protocol::coordinator::share_group::TopicPartitionsInfo;
use uuid::Uuid;

use super::requests::{ShareGroupError, ShareHeartbeat, ShareHeartbeatAnswer};
use super::*;
use crate::groups::topics_image::{TopicImage, TopicsImage};

const SETTINGS: ShareGroupSettings = ShareGroupSettings {
    session_timeout_ms: 45_000,
    heartbeat_interval_ms: 5_000,
    assignment_interval_ms: 1_000,
    max_size: 3,
};

/// Id and partitions of topics, by name.
#[derive(Default)]
struct Topics(BTreeMap<String, (u128, i32)>);

impl TopicsImage for Topics {
    fn version(&self) -> u64 {
        1
    }

    fn by_name(&self, name: &str) -> Option<TopicImage> {
        let (id, partitions) = *self.0.get(name)?;
        Some(TopicImage { id: Uuid::from_u128(id), name: name.into(), partitions })
    }

    fn by_id(&self, id: Uuid) -> Option<TopicImage> {
        self.0.keys().filter_map(|name| self.by_name(name)).find(|topic| topic.id == id)
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.0.keys().map(|name| name.as_str().into()).collect()
    }
}

struct Fixture {
    group: ShareGroup,
    log: Vec<GroupRecord>,
    topics: Topics,
    now: i64,
}

impl Fixture {
    fn new(topics: &[(&str, u128, i32)]) -> Self {
        Self {
            group: ShareGroup::new("g".into()),
            log: Vec::new(),
            topics: Topics(topics.iter().map(|&(name, id, count)| (name.to_owned(), (id, count))).collect()),
            now: 1_000_000,
        }
    }

    fn heartbeat(
        &mut self,
        member: &str,
        epoch: i32,
        names: Option<&[&str]>,
    ) -> Result<ShareHeartbeatAnswer, ShareGroupError> {
        let request = ShareHeartbeat {
            group_id: "g".into(),
            member_id: member.into(),
            member_epoch: epoch,
            subscribed_topic_names: names.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
            ..ShareHeartbeat::default()
        };
        self.group.admit(&request, &SETTINGS)?;
        let new = self.group.uninitialized(&self.group.names_with(&request), &self.topics);
        let proposal = self.group.heartbeat(&request, new, &self.topics, &SETTINGS, self.now);
        self.keep(proposal.records);
        Ok(proposal.answer)
    }

    fn leave(&mut self, member: &str) {
        let proposal = self.group.leave(member, &self.topics).unwrap();
        self.keep(proposal.records);
    }

    fn keep(&mut self, records: Vec<GroupRecord>) {
        for record in &records {
            replay(&mut self.group, record);
        }
        self.log.extend(records);
        let mut loaded = ShareGroup::new("g".into());
        self.log.iter().for_each(|record| replay(&mut loaded, record));
        assert_eq!(format!("{loaded:?}"), format!("{:?}", self.group), "as it is loaded");
    }
}

fn replay(group: &mut ShareGroup, record: &GroupRecord) {
    match GroupRecordKey::decode(record.key.clone()).unwrap() {
        GroupRecordKey::ShareGroup(key) => group.replay(&key, record.value.clone()).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn all_of(topic: u128, partitions: std::ops::Range<i32>) -> PartitionsByTopic {
    BTreeMap::from([(Uuid::from_u128(topic), partitions.collect::<BTreeSet<i32>>())])
}

#[test]
fn the_first_member_gets_all_partitions_at_once() {
    let mut fixture = Fixture::new(&[("t", 1, 3)]);
    let answer = fixture.heartbeat("a", 0, Some(&["t"])).unwrap();
    assert_eq!((answer.member_epoch, answer.heartbeat_interval_ms), (1, 5_000));
    assert_eq!(answer.assignment, Some(all_of(1, 0..3)));
    let written = fixture.log.len();
    let again = fixture.heartbeat("a", 1, None).unwrap();
    assert_eq!((again.member_epoch, again.assignment), (1, None));
    assert_eq!(fixture.log.len(), written, "a heartbeat that changes nothing writes nothing");
}

#[test]
fn a_second_member_shares_and_assignments_are_not_worked_out_too_often() {
    let mut fixture = Fixture::new(&[("t", 1, 2)]);
    fixture.heartbeat("a", 0, Some(&["t"])).unwrap();
    fixture.now += 500;
    let early = fixture.heartbeat("b", 0, Some(&["t"])).unwrap();
    assert_eq!((early.member_epoch, early.assignment), (1, Some(PartitionsByTopic::new())));
    fixture.now += 500;
    let b = fixture.heartbeat("b", 1, None).unwrap();
    assert_eq!(b.member_epoch, 2);
    let a = fixture.heartbeat("a", 1, None).unwrap();
    let counts = [a, b].map(|answer| answer.assignment.unwrap().values().map(BTreeSet::len).sum::<usize>());
    assert_eq!(counts, [1, 1]);
}

#[test]
fn members_are_told_of_topics_and_partitions_that_come_later() {
    let mut fixture = Fixture::new(&[]);
    let answer = fixture.heartbeat("a", 0, Some(&["t"])).unwrap();
    assert_eq!(answer.assignment, Some(PartitionsByTopic::new()));
    fixture.now += 1000;
    fixture.topics.0.insert("t".into(), (1, 1));
    let answer = fixture.heartbeat("a", answer.member_epoch, None).unwrap();
    assert_eq!(answer.assignment, Some(all_of(1, 0..1)));
    fixture.now += 1000;
    fixture.topics.0.insert("t".into(), (1, 4));
    let answer = fixture.heartbeat("a", answer.member_epoch, None).unwrap();
    assert_eq!(answer.assignment, Some(all_of(1, 0..4)));
    // The topic is deleted and made again.
    fixture.now += 1000;
    let forgotten = fixture.group.forget_topic(Uuid::from_u128(1)).into_iter().collect();
    fixture.keep(forgotten);
    fixture.topics.0.insert("t".into(), (2, 1));
    let answer = fixture.heartbeat("a", answer.member_epoch, None).unwrap();
    assert_eq!(answer.assignment, Some(all_of(2, 0..1)));
}

#[test]
fn epochs_fence_and_the_last_but_one_is_let_pass() {
    let mut fixture = Fixture::new(&[("t", 1, 1), ("u", 2, 1)]);
    fixture.heartbeat("a", 0, Some(&["t"])).unwrap();
    fixture.now += 1000;
    let second = fixture.heartbeat("a", 1, Some(&["t", "u"])).unwrap();
    assert_eq!(second.member_epoch, 2);
    assert_eq!(fixture.heartbeat("a", 1, None).unwrap().member_epoch, 2, "the answer was lost");
    let fenced = fixture.heartbeat("a", 3, None).unwrap_err();
    assert_eq!(fenced, ShareGroupError::FencedEpoch { received: 3, known: 2 });
    let unknown = fixture.heartbeat("b", 2, None).unwrap_err();
    assert!(matches!(unknown, ShareGroupError::UnknownMember { .. }));
}

#[test]
fn who_leaves_makes_room_and_its_partitions_go_to_the_others() {
    let mut fixture = Fixture::new(&[("t", 1, 2)]);
    for member in ["a", "b", "c"] {
        fixture.heartbeat(member, 0, Some(&["t"])).unwrap();
        fixture.now += 1000;
    }
    assert_eq!(fixture.heartbeat("d", 0, Some(&["t"])).unwrap_err(), ShareGroupError::Full(3));
    let epoch = fixture.group.epoch;
    fixture.leave("a");
    fixture.leave("b");
    assert_eq!(fixture.group.epoch, epoch + 2);
    let c = fixture.group.members["c"].epoch;
    assert_eq!(fixture.heartbeat("c", c, None).unwrap().assignment, Some(all_of(1, 0..2)));
    assert_eq!(fixture.group.check_delete(), Err(ErrorCode::NonEmptyGroup));
    fixture.leave("c");
    assert_eq!((fixture.group.state(), fixture.group.check_delete()), ("Empty", Ok(())));
    assert!(
        fixture
            .group
            .initialized()
            .values()
            .eq([&TopicPartitionsInfo { topic_name: "t".into(), partitions: BTreeSet::from([0, 1]) }])
    );
}
