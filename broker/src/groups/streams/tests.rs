//! Streams groups without I/O: a coordinator, members that do as they are told (some late, some never), and a log.

use std::collections::{BTreeMap, BTreeSet};

use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::streams_group::{
    CopartitionGroup, Endpoint, Subtopology, TopicInfo, TopologyValue,
};
use proptest::prelude::*;
use uuid::Uuid;

use super::requests::{StatusCode, StreamsHeartbeatRequest, StreamsHeartbeatResponse};
use super::tasks::Tasks;
use super::{StreamsDecision, StreamsGroup};
use crate::config::{BrokerLayers, ConfigMap};
use crate::groups::classic::{Effect, GroupSettings};
use crate::groups::consumer::requests::GroupError;
use crate::groups::group_configs::GroupConfigs;
use crate::groups::requests::{CommitRequest, MemberIdentity, OffsetToCommit};
use crate::groups::shard::{GroupRecord, GroupShard, Now, Surroundings};
use crate::groups::testing::{self, TestTopics};

const GROUP: &str = "app";
const REBALANCE_MS: i32 = 20_000;

/// Configs of the group: assignments come at once.
fn configs(set: &[(&str, u32)]) -> GroupConfigs {
    let at_once = [("streams.assignment.interval.ms", 0)];
    let set = at_once.iter().chain(set).map(|(name, value)| ((*name).to_owned(), value.to_string()));
    let set: ConfigMap = set.collect();
    GroupConfigs::resolve(&BrokerLayers::default(), [(&GROUP.to_owned(), &set)].into_iter()).unwrap()
}

fn topic(name: &str, partitions: i32) -> TopicInfo {
    TopicInfo { name: name.to_owned(), partitions, replication_factor: 0, configs: BTreeMap::new() }
}

fn part(id: &str, sources: &[&str]) -> Subtopology {
    Subtopology {
        id: id.to_owned(),
        source_topics: sources.iter().map(|&name| name.to_owned()).collect(),
        source_topic_regex: Vec::new(),
        state_changelog_topics: Vec::new(),
        repartition_sink_topics: Vec::new(),
        repartition_source_topics: Vec::new(),
        copartition_groups: Vec::new(),
    }
}

/// Words are split, repartitioned and counted.
fn word_count() -> TopologyValue {
    let split = Subtopology { repartition_sink_topics: vec!["repartition".to_owned()], ..part("0", &["lines"]) };
    let count = Subtopology {
        repartition_source_topics: vec![topic("repartition", 0)],
        state_changelog_topics: vec![topic("changelog", 0)],
        ..part("1", &[])
    };
    TopologyValue { epoch: 0, subtopologies: vec![split, count] }
}

#[derive(Debug, Default)]
struct Member {
    epoch: i32,
    /// What it processes.
    active: Tasks,
    standby: Tasks,
    /// What it was told to do last.
    told: Option<(Tasks, Tasks)>,
}

#[derive(Debug)]
struct World {
    shard: GroupShard,
    topics: TestTopics,
    configs: GroupConfigs,
    log: Vec<GroupRecord>,
    now: u64,
    members: BTreeMap<usize, Member>,
}

impl World {
    fn new(set: &[(&str, u32)]) -> Self {
        Self::with_settings(set, testing::settings(0))
    }

    fn with_settings(set: &[(&str, u32)], settings: GroupSettings) -> Self {
        let mut topics = TestTopics::default();
        topics.set("lines", 3);
        Self {
            shard: GroupShard::new(settings),
            topics,
            configs: configs(set),
            log: Vec::new(),
            now: 1_000_000,
            members: BTreeMap::new(),
        }
    }

    /// Lets the coordinator act, and look at what is around it.
    fn act<T>(&mut self, act: impl FnOnce(&mut GroupShard, &Surroundings<'_>) -> T) -> T {
        let around = Surroundings { now: self.now(), topics: &self.topics, configs: &self.configs };
        act(&mut self.shard, &around)
    }

    fn now(&self) -> Now {
        Now { monotonic: self.now, wall_ms: self.now as i64 }
    }

    fn keep(&mut self, records: Vec<GroupRecord>) {
        for record in records {
            self.shard.replay(&record, self.now());
            self.log.push(record);
        }
    }

    fn ask(&mut self, request: &StreamsHeartbeatRequest) -> Result<StreamsHeartbeatResponse, GroupError> {
        let StreamsDecision { answer, records, changes } =
            self.act(|shard, around| shard.streams_heartbeat(request, around))?;
        self.keep(records);
        self.shard.follow_streams(&request.group_id, changes);
        for topic in &answer.topics_to_create {
            self.topics.set(&topic.name, topic.partitions);
        }
        Ok(answer)
    }

    fn pass(&mut self, ms: u64) {
        self.now += ms;
        self.act(GroupShard::on_time);
        for effect in self.shard.take_effects() {
            let Effect::Decide(decision) = effect else { continue };
            self.keep(decision.records);
        }
        // Whoever was not heard for too long knows that it has been taken out.
        let known = self.known();
        for (id, member) in &mut self.members {
            if !known.contains(&format!("m{id}")) {
                *member = Member::default();
            }
        }
    }

    /// The members that the group has.
    fn known(&self) -> BTreeSet<String> {
        let members = self.group().into_iter().flat_map(|group| group.members);
        members.map(|member| member.member.id).collect()
    }

    /// A member sends a heartbeat, with what it has if `reports`.
    fn beat(&mut self, id: usize, reports: bool) {
        let Some(member) = self.members.get(&id) else { return };
        let request = if member.epoch == 0 {
            joining(id)
        } else {
            let mut request = beating(id, member.epoch);
            if reports {
                request = owning(request, member.active.clone(), member.standby.clone());
            }
            request
        };
        let answer = self.ask(&request);
        let member = self.members.get_mut(&id).unwrap();
        match answer {
            Ok(answer) => {
                member.epoch = answer.member_epoch;
                if let Some(tasks) = answer.tasks {
                    member.told = Some((tasks.active, tasks.standby));
                }
            }
            // It gives up what it has, and begins anew.
            Err(_) => *member = Member::default(),
        }
    }

    /// A member does what it was told: gives up first, and takes on at the same time what is new.
    fn obey(&mut self, id: usize) {
        if let Some(member) = self.members.get_mut(&id)
            && let Some((active, standby)) = member.told.take()
        {
            member.active = active;
            member.standby = standby;
        }
    }

    fn leave(&mut self, id: usize) {
        if self.members.remove(&id).is_some_and(|member| member.epoch > 0) {
            let _ = self.ask(&beating(id, -1));
        }
    }

    fn group(&self) -> Option<super::requests::StreamsGroupDescription> {
        self.shard.describe_streams_group(GROUP).ok()
    }

    fn check_one_owner(&self) -> Result<(), TestCaseError> {
        let mut owners = BTreeMap::new();
        for (id, member) in &self.members {
            for (subtopology, partitions) in &member.active {
                for partition in partitions {
                    let other = owners.insert((subtopology, partition), id);
                    prop_assert_eq!(other, None, "task {}_{} is processed twice", subtopology, partition);
                }
            }
        }
        Ok(())
    }
}

fn beating(id: usize, epoch: i32) -> StreamsHeartbeatRequest {
    StreamsHeartbeatRequest {
        group_id: GROUP.to_owned(),
        member_id: format!("m{id}"),
        member_epoch: epoch,
        endpoint_information_epoch: 0,
        group_instance_id: None,
        rack_id: None,
        rebalance_timeout_ms: None,
        topology: None,
        owned_active: None,
        owned_standby: None,
        owned_warmup: None,
        process_id: None,
        user_endpoint: None,
        client_tags: None,
        has_task_offsets: false,
        shutdown_application: false,
        client_id: "client".to_owned(),
        client_host: "/127.0.0.1".to_owned(),
    }
}

fn owning(request: StreamsHeartbeatRequest, active: Tasks, standby: Tasks) -> StreamsHeartbeatRequest {
    StreamsHeartbeatRequest {
        owned_active: Some(active),
        owned_standby: Some(standby),
        owned_warmup: Some(Tasks::new()),
        ..request
    }
}

/// Members 0 and 1 are threads of one instance, 2 and 3 of another, and so on.
fn joining(id: usize) -> StreamsHeartbeatRequest {
    let request = StreamsHeartbeatRequest {
        rebalance_timeout_ms: Some(REBALANCE_MS),
        topology: Some(word_count()),
        process_id: Some(format!("p{}", id / 2)),
        ..beating(id, 0)
    };
    owning(request, Tasks::new(), Tasks::new())
}

#[derive(Debug, Clone)]
enum Action {
    Join(usize),
    Beat(usize, bool),
    Obey(usize),
    Leave(usize),
    /// It is gone without a word.
    Die(usize),
    Pass(u64),
}

fn action() -> impl Strategy<Value = Action> {
    let id = 0..5usize;
    prop_oneof![
        2 => id.clone().prop_map(Action::Join),
        8 => (id.clone(), prop::bool::weighted(0.9)).prop_map(|(id, reports)| Action::Beat(id, reports)),
        5 => id.clone().prop_map(Action::Obey),
        1 => id.clone().prop_map(Action::Leave),
        1 => id.prop_map(Action::Die),
        2 => (1..REBALANCE_MS as u64).prop_map(Action::Pass),
    ]
}

proptest! {
    #[test]
    fn no_task_has_two_owners_and_in_the_end_each_has_one(
        actions in prop::collection::vec(action(), 0..60), replicas in 0..2u32, delay in prop::sample::select(vec![0u32, 3000]),
    ) {
        let mut world = World::new(&[
            ("streams.num.standby.replicas", replicas),
            ("streams.initial.rebalance.delay.ms", delay),
        ]) ;
        for action in actions {
            match action {
                Action::Join(id) => {
                    world.members.entry(id).or_default();
                    world.beat(id, true);
                }
                Action::Beat(id, reports) => world.beat(id, reports),
                Action::Obey(id) => world.obey(id),
                Action::Leave(id) => world.leave(id),
                Action::Die(id) => {
                    world.members.remove(&id);
                }
                Action::Pass(ms) => world.pass(ms),
            }
            world.check_one_owner()?;
        }
        // Those that died are found out, all others answer and do as they are told.
        world.members.entry(0).or_default();
        for _ in 0..40 {
            world.pass(5000);
            for id in world.members.keys().copied().collect::<Vec<_>>() {
                world.beat(id, true);
                world.obey(id);
                world.check_one_owner()?;
            }
        }
        let group = world.group().unwrap();
        prop_assert_eq!(group.state, "Stable");
        prop_assert_eq!(group.members.len(), world.members.len());
        let active: usize = world.members.values().flat_map(|member| member.active.values()).map(BTreeSet::len).sum();
        prop_assert_eq!(active, 6, "three tasks of each subtopology");
        let processes: BTreeSet<usize> = world.members.keys().map(|id| id / 2).collect();
        let standby: usize = world.members.values().flat_map(|member| member.standby.values()).map(BTreeSet::len).sum();
        prop_assert_eq!(standby, if processes.len() > 1 { 3 * replicas as usize } else { 0 });
        // What is stored gives the same group, whoever reads it.
        let mut restored = GroupShard::new(testing::settings(0));
        for record in &world.log {
            restored.load(record.key.clone(), record.value.clone(), world.now());
        }
        let restored = restored.describe_streams_group(GROUP).unwrap();
        prop_assert_eq!(restored.members, group.members);
        prop_assert_eq!((restored.state, restored.epoch), (group.state, group.epoch));
        prop_assert_eq!(restored.assignment_epoch, group.assignment_epoch);
    }
}

fn codes(answer: &StreamsHeartbeatResponse) -> Vec<StatusCode> {
    answer.statuses.iter().map(|status| status.code).collect()
}

#[test]
fn internal_topics_are_asked_for_and_then_tasks_are_given() {
    let mut world = World::new(&[]);
    let first = world.ask(&joining(0)).unwrap();
    assert_eq!(codes(&first), [StatusCode::MissingInternalTopics]);
    let mut asked: Vec<_> =
        first.topics_to_create.iter().map(|topic| (topic.name.as_str(), topic.partitions)).collect();
    asked.sort_unstable();
    assert_eq!(asked, [("changelog", 3), ("repartition", 3)]);
    assert_eq!((first.member_epoch, first.tasks.unwrap().active.len()), (2, 0));
    assert_eq!(world.group().unwrap().state, "NotReady");

    let second = world.ask(&owning(beating(0, 2), Tasks::new(), Tasks::new())).unwrap();
    assert_eq!((codes(&second), second.member_epoch), (vec![], 3));
    let active = second.tasks.unwrap().active;
    assert_eq!(active, Tasks::from([("0".into(), BTreeSet::from([0, 1, 2])), ("1".into(), BTreeSet::from([0, 1, 2]))]));
    let group = world.group().unwrap();
    assert_eq!((group.state, group.topology.subtopologies[1].state_changelog_topics[0].partitions), ("Stable", 3));
    assert_eq!(world.ask(&beating(0, 3)).unwrap().tasks, None, "nothing new is not told again");
}

#[test]
fn topics_that_do_not_fit_are_told() {
    let mut world = World::new(&[]);
    world.topics.set("lines", 0);
    let missing = world.ask(&joining(0)).unwrap();
    assert_eq!(codes(&missing), [StatusCode::MissingSourceTopics]);
    world.topics.set("lines", 2);
    world.topics.set("changelog", 5);
    let wrong = world.ask(&beating(0, missing.member_epoch)).unwrap();
    assert_eq!(codes(&wrong), [StatusCode::IncorrectlyPartitionedTopics]);
    world.topics.set("changelog", 0);
    let right = world.ask(&beating(0, wrong.member_epoch)).unwrap();
    assert_eq!(codes(&right), [StatusCode::MissingInternalTopics]);
}

#[test]
fn co_partitioned_topics_must_have_as_many_partitions_as_each_other() {
    let mut world = World::new(&[]);
    world.topics.set("other", 4);
    let both = CopartitionGroup {
        source_topics: vec![0, 1],
        source_topic_regex: Vec::new(),
        repartition_source_topics: Vec::new(),
    };
    let join = Subtopology { copartition_groups: vec![both], ..part("0", &["lines", "other"]) };
    let topology = TopologyValue { epoch: 0, subtopologies: vec![join] };
    let request = StreamsHeartbeatRequest { topology: Some(topology), ..joining(0) };
    let answer = world.ask(&request).unwrap();
    assert_eq!(codes(&answer), [StatusCode::IncorrectlyPartitionedTopics]);
    world.topics.set("other", 3);
    let answer = world.ask(&beating(0, answer.member_epoch)).unwrap();
    assert_eq!(codes(&answer), []);
    assert_eq!(answer.tasks.unwrap().active["0"].len(), 3);
}

#[test]
fn topologies_that_make_no_sense_and_others_than_the_groups_are_refused() {
    let mut world = World::new(&[]);
    let code = |world: &mut World, topology: TopologyValue| {
        let request = StreamsHeartbeatRequest { topology: Some(topology), ..joining(0) };
        world.ask(&request).unwrap_err().code
    };
    let nothing_writes = Subtopology { repartition_source_topics: vec![topic("r", 0)], ..part("0", &["lines"]) };
    let fixed_changelog = Subtopology { state_changelog_topics: vec![topic("c", 3)], ..part("0", &["lines"]) };
    let in_a_circle = Subtopology {
        repartition_source_topics: vec![topic("r", 0)],
        repartition_sink_topics: vec!["r".to_owned()],
        ..part("0", &[])
    };
    for part in [nothing_writes, fixed_changelog, in_a_circle] {
        let topology = TopologyValue { epoch: 0, subtopologies: vec![part] };
        assert_eq!(code(&mut world, topology), ErrorCode::StreamsInvalidTopology);
    }
    assert!(world.group().is_none(), "what is refused leaves nothing behind");
    world.ask(&joining(0)).unwrap();
    let other = TopologyValue { epoch: 1, subtopologies: vec![part("0", &["lines"])] };
    assert_eq!(code(&mut world, other), ErrorCode::InvalidRequest);
}

#[test]
fn epochs_fence_members_but_a_lost_answer_does_not() {
    let mut world = World::new(&[]);
    world.ask(&joining(0)).unwrap();
    let tasks = world.ask(&beating(0, 2)).unwrap().tasks.unwrap();
    assert_eq!(world.ask(&beating(0, 9)).unwrap_err().code, ErrorCode::FencedMemberEpoch);
    assert_eq!(world.ask(&beating(0, 2)).unwrap_err().code, ErrorCode::FencedMemberEpoch);
    let again = owning(beating(0, 2), tasks.active, Tasks::new());
    assert_eq!(world.ask(&again).unwrap().member_epoch, 3);
    assert_eq!(world.ask(&beating(7, 3)).unwrap_err().code, ErrorCode::UnknownMemberId);
    let strange = owning(beating(0, 3), Tasks::from([("9".into(), BTreeSet::from([0]))]), Tasks::new());
    assert_eq!(world.ask(&strange).unwrap_err().code, ErrorCode::InvalidRequest);
}

#[test]
fn a_member_that_does_not_give_up_tasks_in_time_is_taken_out() {
    let mut world = World::new(&[]);
    for id in [0, 2] {
        world.members.insert(id, Member::default());
        world.beat(id, true);
        world.obey(id);
        world.beat(0, true);
        world.obey(0);
    }
    // The first still has all that it had, and says so.
    let kept = Tasks::from([("0".into(), BTreeSet::from([0, 1, 2])), ("1".into(), BTreeSet::from([0, 1, 2]))]);
    world.members.get_mut(&0).unwrap().active = kept;
    let mut taken_out = false;
    for _ in 0..10 {
        world.beat(0, true);
        world.beat(2, true);
        world.pass(4000);
        taken_out |= !world.known().contains("m0");
    }
    assert!(taken_out);
    assert!(world.known().contains("m2"), "the other is heard");
}

#[test]
fn endpoints_tell_where_state_can_be_asked_for() {
    let mut world = World::new(&[]);
    world.topics.set("changelog", 3);
    world.topics.set("repartition", 3);
    let at = Endpoint { host: "h".to_owned(), port: 8080 };
    let first = world.ask(&StreamsHeartbeatRequest { user_endpoint: Some(at.clone()), ..joining(0) }).unwrap();
    let endpoints = first.endpoints.unwrap();
    assert_eq!(endpoints[0].endpoint, at);
    assert_eq!(endpoints[0].active, [("lines".to_owned(), vec![0, 1, 2]), ("repartition".to_owned(), vec![0, 1, 2])]);
    assert_eq!(first.endpoint_information_epoch, 0, "a new group's epoch is not known yet");
    let second = world.ask(&beating(0, first.member_epoch)).unwrap();
    assert_eq!((second.endpoint_information_epoch, second.endpoints.is_some()), (1, true));
    let told = StreamsHeartbeatRequest { endpoint_information_epoch: 1, ..beating(0, first.member_epoch) };
    assert_eq!(world.ask(&told).unwrap().endpoints, None);
}

#[test]
fn a_shutdown_is_told_to_all_until_the_group_is_empty() {
    let mut world = World::new(&[]);
    let epochs = [0, 2].map(|id| world.ask(&joining(id)).unwrap().member_epoch);
    let last = StreamsHeartbeatRequest { shutdown_application: true, ..beating(0, epochs[0]) };
    assert!(codes(&world.ask(&last).unwrap()).contains(&StatusCode::ShutdownApplication));
    assert!(codes(&world.ask(&beating(2, epochs[1])).unwrap()).contains(&StatusCode::ShutdownApplication));
    for id in [0, 2] {
        world.ask(&beating(id, -1)).unwrap();
    }
    assert_eq!(world.group().unwrap().state, "Empty");
    assert!(!codes(&world.ask(&joining(0)).unwrap()).contains(&StatusCode::ShutdownApplication));
}

#[test]
fn the_first_assignment_waits_for_more_members_if_told_so() {
    let mut world = World::new(&[("streams.initial.rebalance.delay.ms", 3000)]);
    world.topics.set("changelog", 3);
    world.topics.set("repartition", 3);
    let first = world.ask(&joining(0)).unwrap();
    assert_eq!((codes(&first), first.member_epoch), (vec![StatusCode::AssignmentDelayed], 1));
    world.ask(&joining(2)).unwrap();
    assert_eq!(world.group().unwrap().state, "Assigning");
    world.pass(3001);
    for id in [0, 2] {
        let tasks = world.ask(&owning(beating(id, 1), Tasks::new(), Tasks::new())).unwrap().tasks.unwrap();
        assert_eq!(tasks.active.values().map(BTreeSet::len).sum::<usize>(), 3);
    }
}

fn commit(member_epoch: i32, topic: &str, partition: i32) -> CommitRequest {
    let member = MemberIdentity {
        group_id: GROUP.to_owned(),
        member_id: if member_epoch < 0 { String::new() } else { "m0".to_owned() },
        group_instance_id: None,
        generation: member_epoch,
    };
    let metadata = String::new();
    let (topic, topic_id) = (topic.to_owned(), Uuid::nil());
    let offset = OffsetToCommit { topic, topic_id, partition, offset: 1, leader_epoch: 0, metadata };
    CommitRequest { member, knows_group_id_not_found: true, retention_ms: None, offsets: vec![offset] }
}

#[test]
fn offsets_are_committed_by_members_at_epochs_at_which_they_had_the_task() {
    let mut world = World::new(&[]);
    world.topics.set("changelog", 3);
    world.topics.set("repartition", 3);
    world.members.insert(0, Member::default());
    world.beat(0, true);
    world.obey(0);
    let first = world.members[&0].epoch;
    let commit = |world: &mut World, epoch, topic: &str| {
        world.act(|shard, around| shard.commit(&commit(epoch, topic, 0), around)).map(|proposal| proposal.outcomes)
    };
    assert_eq!(commit(&mut world, first, "lines"), Ok(vec![ErrorCode::None]));
    assert_eq!(commit(&mut world, first + 1, "lines"), Err(ErrorCode::StaleMemberEpoch));
    assert_eq!(commit(&mut world, -1, "lines"), Err(ErrorCode::UnknownMemberId));
    // Another member comes, and the first goes on to the next epoch: with the one before it may still commit what
    // it had then and has now.
    world.members.insert(2, Member::default());
    for _ in 0..4 {
        for id in [2, 0] {
            world.beat(id, true);
            world.obey(id);
        }
    }
    assert!(world.members[&0].epoch > first);
    let has_first = world.members[&0].active.get("0").is_some_and(|partitions| partitions.contains(&0));
    let expected = if has_first { Ok(vec![ErrorCode::None]) } else { Err(ErrorCode::StaleMemberEpoch) };
    assert_eq!(commit(&mut world, first, "lines"), expected);
    assert_eq!(commit(&mut world, first, "elsewhere"), Err(ErrorCode::StaleMemberEpoch));

    assert_eq!(world.shard.delete_groups(&[GROUP.to_owned()]).outcomes, [ErrorCode::NonEmptyGroup]);
    let subscribed = world.shard.delete_offsets(GROUP, &[("lines".to_owned(), 0)]).unwrap();
    assert_eq!(subscribed.outcomes, [ErrorCode::GroupSubscribedToTopic]);
    world.leave(0);
    world.leave(2);
    assert_eq!(commit(&mut world, -1, "lines"), Ok(vec![ErrorCode::None]));
    let deletion = world.shard.delete_groups(&[GROUP.to_owned()]);
    assert_eq!(deletion.outcomes, [ErrorCode::None]);
    world.keep(deletion.records);
    assert!(world.group().is_none());
    let mut restored = GroupShard::new(testing::settings(0));
    for record in &world.log {
        restored.load(record.key.clone(), record.value.clone(), world.now());
    }
    assert!(restored.list().is_empty(), "nothing of a deleted group comes back");
}

#[test]
fn a_group_is_full_at_its_greatest_size() {
    let mut world = World::with_settings(&[], GroupSettings { streams_max_size: 1, ..testing::settings(0) });
    world.ask(&joining(0)).unwrap();
    assert_eq!(world.ask(&joining(1)).unwrap_err().code, ErrorCode::GroupMaxSizeReached);
}

#[test]
fn requests_that_contradict_themselves_are_refused() {
    let code = |request: StreamsHeartbeatRequest| request.check().unwrap_err().code;
    let invalid = ErrorCode::InvalidRequest;
    assert_eq!(code(StreamsHeartbeatRequest { member_id: String::new(), ..joining(0) }), invalid);
    assert_eq!(code(StreamsHeartbeatRequest { topology: None, ..joining(0) }), invalid);
    assert_eq!(code(StreamsHeartbeatRequest { rebalance_timeout_ms: None, ..joining(0) }), invalid);
    assert_eq!(code(StreamsHeartbeatRequest { owned_standby: None, ..joining(0) }), invalid);
    assert_eq!(code(StreamsHeartbeatRequest { group_instance_id: Some("i".into()), ..joining(0) }), invalid);
    assert_eq!(code(StreamsHeartbeatRequest { topology: Some(word_count()), ..beating(0, 3) }), invalid);
    assert_eq!(code(beating(0, -3)), invalid);
    assert_eq!(code(beating(0, -2)), invalid);
    let group = StreamsGroup::new(GROUP.into());
    assert_eq!((group.state(), group.is_empty()), ("Empty", true));
}
