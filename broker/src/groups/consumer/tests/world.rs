//! A coordinator and clients that do what clients of KIP-848 do.

use std::collections::{BTreeMap, BTreeSet};

use brooklet_protocol::ErrorCode;
use uuid::Uuid;

use crate::groups::assignor::Assignment;
use crate::groups::classic::Effect;
use crate::groups::consumer::requests::{ConsumerHeartbeatRequest, ConsumerHeartbeatResponse, GroupError};
use crate::groups::consumer::{ConsumerGroup, Decision};
use crate::groups::group::Group;
use crate::groups::shard::{GroupRecord, GroupShard, Now, Surroundings};
use crate::groups::testing::{TestTopics, settings, with_topics};
use crate::groups::topics_image::TopicsImage;

pub(super) const GROUP: &str = "g";
const TOPICS: [&str; 4] = ["a", "b", "ab", "c"];

/// What happens next.
#[derive(Debug, Clone)]
pub(super) enum Op {
    Heartbeat { client: usize },
    LoseAnswer { client: usize },
    Subscribe { client: usize, subscription: usize },
    Leave { client: usize },
    Vanish { client: usize },
    Topic { topic: usize, partitions: i32 },
    Pass { ms: u64 },
    Restart,
}

/// Names or a pattern.
#[derive(Debug, Clone, Default)]
struct Subscription {
    names: BTreeSet<String>,
    regex: String,
}

impl Subscription {
    fn new(index: usize) -> Self {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let (names, regex) = match index {
            0 => (names(&["a"]), ""),
            1 => (names(&["a", "b"]), ""),
            2 => (names(&["c", "missing"]), ""),
            3 => (names(&[]), "a.*"),
            4 => (names(&["c"]), "b|ab"),
            _ => (names(&[]), ""),
        };
        Self { names, regex: regex.to_owned() }
    }

    fn matches(&self, topic: &str) -> bool {
        let by_regex = match self.regex.as_str() {
            "a.*" => topic.starts_with('a'),
            "b|ab" => matches!(topic, "b" | "ab"),
            _ => false,
        };
        by_regex || self.names.contains(topic)
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct Client {
    /// Empty while it is not in the group.
    pub(super) member_id: String,
    pub(super) epoch: i32,
    /// What it reads.
    pub(super) owned: Assignment,
    instance: Option<String>,
    subscription: Subscription,
    /// It must say everything anew: it has just joined, or an answer was lost.
    full: bool,
}

pub(super) struct World {
    pub(super) shard: GroupShard,
    pub(super) topics: TestTopics,
    pub(super) clients: Vec<Client>,
    now: u64,
    incarnation: u32,
    log: Vec<GroupRecord>,
}

impl World {
    pub(super) fn new() -> Self {
        // The last two are static members.
        let client = |index: usize| Client {
            instance: (index >= 4).then(|| format!("instance-{index}")),
            subscription: Subscription::new(index % 2),
            ..Client::default()
        };
        let mut world = Self {
            shard: GroupShard::new(settings(0)),
            topics: TestTopics::default(),
            clients: (0..6).map(client).collect(),
            now: 1,
            incarnation: 0,
            log: Vec::new(),
        };
        world.topics.set("a", 4);
        world
    }

    pub(super) fn run(&mut self, op: &Op) {
        match *op {
            Op::Heartbeat { client } => self.beat(client),
            Op::LoseAnswer { client } => {
                let request = self.request(client);
                let _ = self.send(&request);
                self.clients[client].full = true;
            }
            Op::Subscribe { client, subscription } => {
                self.clients[client].subscription = Subscription::new(subscription);
                self.clients[client].full = true;
            }
            Op::Leave { client } => {
                if !self.clients[client].member_id.is_empty() {
                    let epoch = if self.clients[client].instance.is_some() { -2 } else { -1 };
                    let request = ConsumerHeartbeatRequest { member_epoch: epoch, ..self.request(client) };
                    let _ = self.send(&request);
                    self.forget(client);
                }
            }
            Op::Vanish { client } => self.forget(client),
            Op::Topic { topic, partitions } => {
                let name = TOPICS[topic];
                // Topics only grow.
                if partitions == 0 || partitions > self.topics.partitions(name) {
                    self.topics.set(name, partitions);
                }
            }
            Op::Pass { ms } => self.pass(ms),
            Op::Restart => self.restart(),
        }
    }

    fn pass(&mut self, ms: u64) {
        self.now += ms;
        let topics = self.topics.clone();
        self.shard.on_time(&self.around(&topics));
        self.take_effects();
    }

    pub(super) fn around<'a>(&self, topics: &'a TestTopics) -> Surroundings<'a> {
        with_topics(self.clock(), topics)
    }

    fn clock(&self) -> Now {
        Now { monotonic: self.now, wall_ms: self.now as i64 }
    }

    /// A heartbeat, and what a client makes of the answer.
    pub(super) fn beat(&mut self, client: usize) {
        let request = self.request(client);
        let before = self.clients[client].clone();
        match self.send(&request) {
            Ok(response) => {
                assert_eq!(response.member_id, request.member_id);
                assert!(
                    response.member_epoch >= before.epoch,
                    "the epoch of a member fell from {} to {}",
                    before.epoch,
                    response.member_epoch
                );
                let client = &mut self.clients[client];
                client.epoch = response.member_epoch;
                client.full = false;
                if let Some(assignment) = response.assignment {
                    client.owned = assignment;
                }
            }
            Err(GroupError { code, .. }) => match code {
                ErrorCode::UnreleasedInstanceId => {}
                ErrorCode::FencedMemberEpoch | ErrorCode::UnknownMemberId | ErrorCode::FencedInstanceId => {
                    self.forget(client);
                }
                ErrorCode::GroupIdNotFound => self.forget(client),
                other => panic!("{other:?}"),
            },
        }
    }

    fn forget(&mut self, client: usize) {
        let client = &mut self.clients[client];
        (client.member_id, client.epoch, client.owned) = (String::new(), 0, Assignment::new());
    }

    fn request(&mut self, client: usize) -> ConsumerHeartbeatRequest {
        if self.clients[client].member_id.is_empty() {
            self.incarnation += 1;
            self.clients[client].member_id = format!("{client}-{}", self.incarnation);
            self.clients[client].full = true;
        }
        let Client { member_id, epoch, owned, instance, subscription, full } = self.clients[client].clone();
        ConsumerHeartbeatRequest {
            group_id: GROUP.to_owned(),
            member_id,
            member_epoch: epoch,
            instance_id: instance,
            rebalance_timeout_ms: full.then_some(20_000),
            subscribed_topic_names: full.then(|| subscription.names.clone()),
            subscribed_topic_regex: full.then(|| subscription.regex.clone()),
            owned: Some(owned),
            client_id: format!("client-{client}"),
            client_host: "/127.0.0.1".to_owned(),
            requires_member_id: true,
            ..ConsumerHeartbeatRequest::default()
        }
    }

    pub(super) fn send(&mut self, request: &ConsumerHeartbeatRequest) -> Result<ConsumerHeartbeatResponse, GroupError> {
        let topics = self.topics.clone();
        let around = self.around(&topics);
        let decision = self.shard.consumer_heartbeat(request, &around)?;
        let answer = self.make_true(decision);
        self.take_effects();
        Ok(answer)
    }

    pub(super) fn make_true<T>(&mut self, decision: Decision<T>) -> T {
        for record in &decision.records {
            self.shard.replay(record, self.clock());
        }
        self.log.extend(decision.records);
        if let Some(downgrade) = decision.downgrade {
            let topics = self.topics.clone();
            self.shard.downgrade(*downgrade, &self.around(&topics));
        }
        decision.answer
    }

    fn take_effects(&mut self) {
        for effect in self.shard.take_effects() {
            match effect {
                Effect::Decide(decision) => assert_eq!(self.make_true(*decision), None),
                other => panic!("no classic member is here: {other:?}"),
            }
        }
    }

    pub(super) fn group(&self) -> Option<&ConsumerGroup> {
        self.shard.group(GROUP).and_then(Group::consumer)
    }

    fn restart(&mut self) {
        let compacted = self.compacted();
        self.shard = self.loaded(compacted.iter());
    }

    /// The last record of each key, where it stands.
    fn compacted(&self) -> Vec<GroupRecord> {
        let last: BTreeMap<_, usize> =
            self.log.iter().enumerate().map(|(at, record)| (record.key.clone(), at)).collect();
        let kept: BTreeSet<usize> = last.into_values().collect();
        kept.into_iter().map(|at| self.log[at].clone()).collect()
    }

    fn loaded<'a>(&self, log: impl Iterator<Item = &'a GroupRecord>) -> GroupShard {
        let mut shard = GroupShard::new(settings(0));
        for record in log {
            shard.load(record.key.clone(), record.value.clone(), self.clock());
        }
        shard.loaded(&self.around(&self.topics));
        shard
    }

    pub(super) fn check(&self) {
        self.check_owners();
        let live = self.group().map(stored);
        for (log, what) in [(self.log.clone(), "records"), (self.compacted(), "compacted records")] {
            let loaded = self.loaded(log.iter());
            let loaded = loaded.group(GROUP).and_then(Group::consumer).map(stored);
            assert_eq!(loaded, live, "the {what} give another group");
        }
    }

    /// Of the clients that the coordinator counts as members, no two read the same partition.
    fn check_owners(&self) {
        let mut readers: BTreeMap<(Uuid, i32), usize> = BTreeMap::new();
        for (index, client) in self.clients.iter().enumerate().filter(|(_, client)| self.is_member(client)) {
            for (topic, partition) in partitions(&client.owned) {
                if let Some(other) = readers.insert((topic, partition), index) {
                    panic!("{other} and {index} both read partition {partition}");
                }
            }
        }
    }

    fn is_member(&self, client: &Client) -> bool {
        self.group().is_some_and(|group| group.members.contains_key(&client.member_id))
    }

    /// Everyone comes and does what is asked of him; in the end every partition is read, and nothing is left to do.
    pub(super) fn settle(&mut self) {
        // Those who vanished are found out.
        for _ in 0..60 {
            self.pass(1_000);
            for client in 0..self.clients.len() {
                self.beat(client);
            }
            self.check_owners();
        }
        let group = self.group().expect("there are members");
        assert_eq!(group.state().name(), "Stable");
        for client in &self.clients {
            assert!(self.is_member(client));
            assert_eq!(client.epoch, group.epoch);
        }
        let mut read: BTreeMap<(Uuid, i32), &Client> = BTreeMap::new();
        for client in &self.clients {
            read.extend(partitions(&client.owned).map(|partition| (partition, client)));
        }
        for name in TOPICS {
            let wanted = self.clients.iter().any(|client| client.subscription.matches(name));
            let Some(topic) = self.topics.by_name(name).filter(|_| wanted) else {
                continue;
            };
            for partition in 0..topic.partitions {
                let reader = read.remove(&(topic.id, partition));
                assert!(reader.is_some_and(|reader| reader.subscription.matches(name)), "{name}-{partition}");
            }
        }
        assert!(read.is_empty(), "what is read is wanted and exists");
    }
}

/// The group without what is not stored.
fn stored(group: &ConsumerGroup) -> ConsumerGroup {
    let mut group = group.clone();
    group.has_seen_topics(0);
    group
}

fn partitions(assignment: &Assignment) -> impl Iterator<Item = (Uuid, i32)> {
    assignment.iter().flat_map(|(topic, partitions)| partitions.iter().map(|partition| (*topic, *partition)))
}
