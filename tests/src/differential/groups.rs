//! Groups: members and offsets.

use crate::differential::{Random, Side, Versions, shown};
use brooklet_protocol::StrBytes;
use brooklet_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use brooklet_protocol::messages::leave_group_request::MemberIdentity;
use brooklet_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use brooklet_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use brooklet_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use brooklet_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use brooklet_protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest,
    ListGroupsRequest, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, SyncGroupRequest,
};
use bytes::Bytes;
use uuid::Uuid;

use super::step::{Step, group, text, topic, version};

const GROUPS: [&str; 4] = ["g", "g", "h", ""];
const TOPICS: [&str; 4] = ["grouped", "grouped", "none", ""];
const PARTITIONS: [i32; 4] = [0, 1, 2, -1];
const GENERATIONS: [i32; 6] = [1, 2, 3, 0, -1, 99];

/// A subscription to the topic `grouped`, as members of kind `consumer` send it: version 0, one topic, no user data.
const SUBSCRIPTION: &[u8] = b"\0\0\0\0\0\x01\0\x07grouped\xff\xff\xff\xff";

/// One of the steps of this area.
pub(super) fn draw(random: &mut Random, versions: &Versions) -> Option<Step> {
    match random.below(14) {
        0..=1 => join(random, versions),
        2 => sync(random, versions),
        3 => heartbeat(random, versions),
        4 => leave(random, versions),
        5..=7 => commit(random, versions),
        8..=9 => fetch(random, versions),
        10 => describe(random, versions),
        11 => list(random, versions),
        12 => forget(random, versions),
        _ => delete(random, versions),
    }
}

/// The member that a slot has the id of, or one that nobody knows.
fn member(side: &Side, slot: Option<usize>) -> StrBytes {
    let Some(slot) = slot else {
        return text("");
    };
    side.members.get(&slot).cloned().unwrap_or_else(|| text("nobody"))
}

fn slot(random: &mut Random) -> Option<usize> {
    [None, Some(0), Some(0), Some(0), Some(9)][random.below(5)]
}

fn join(random: &mut Random, versions: &Versions) -> Option<Step> {
    let version = version::<JoinGroupRequest>(random, versions, 0)?;
    let slot = slot(random);
    // One group and one member have generations; a second member would make the first wait.
    let name = random.of(&["g", "g", "g", ""]);
    let session = random.of(&[30_000, 30_000, 30_000, 1, 100_000_000]);
    let kind = random.of(&["consumer", "consumer", "consumer", "other", ""]);
    let protocols = random.of(&[1, 1, 1, 0]);
    let what = format!("v{version} JoinGroup {name:?} as {slot:?}, {session} ms, {kind:?}, {protocols} protocols");
    Some(Step::by_side(what, move |side| {
        let protocol = JoinGroupRequestProtocol::default().with_name(text("range"));
        let protocol = protocol.with_metadata(Bytes::from_static(SUBSCRIPTION));
        let mut request = JoinGroupRequest::default()
            .with_group_id(group(name))
            .with_session_timeout_ms(session)
            .with_member_id(member(side, slot))
            .with_protocol_type(text(kind))
            .with_protocols(vec![protocol; protocols]);
        if version >= 1 {
            request.rebalance_timeout_ms = 1_000;
        }
        let answer = side.ask(version, &request);
        if let Some(answer) = &answer
            && !answer.member_id.is_empty()
            && matches!(answer.error_code, 0 | 79)
        {
            side.members.insert(0, answer.member_id.clone());
        }
        // A group that was only asked for is shown by Kafka once its partition is written for another's sake.
        let offset = OffsetCommitRequestPartition::default().with_partition_index(0);
        let offsets = OffsetCommitRequestTopic::default().with_name(topic("grouped")).with_partitions(vec![offset]);
        let commit = OffsetCommitRequest::default().with_group_id(group(name)).with_topics(vec![offsets]);
        let committed = side.ask(2, &commit.with_generation_id_or_member_epoch(-1));
        let members = answer.as_ref().map(|answer| answer.members.len());
        format!("{members:?} members\n{}\n{}", shown(&answer), shown(&committed))
    }))
}

fn sync(random: &mut Random, versions: &Versions) -> Option<Step> {
    let version = version::<SyncGroupRequest>(random, versions, 0)?;
    let (slot, name, generation) = (slot(random), random.of(&GROUPS), random.of(&GENERATIONS));
    let what = format!("v{version} SyncGroup {name:?} as {slot:?} of generation {generation}");
    Some(Step::by_side(what, move |side| {
        let member = member(side, slot);
        let of = SyncGroupRequestAssignment::default().with_member_id(member.clone());
        let of = of.with_assignment(Bytes::from_static(b"\0\0\0\0\0\0\xff\xff\xff\xff"));
        let mut request = SyncGroupRequest::default()
            .with_group_id(group(name))
            .with_generation_id(generation)
            .with_member_id(member)
            .with_assignments(vec![of]);
        if version >= 5 {
            request.protocol_type = Some(text("consumer"));
            request.protocol_name = Some(text("range"));
        }
        shown(&side.ask(version, &request))
    }))
}

fn heartbeat(random: &mut Random, versions: &Versions) -> Option<Step> {
    let version = version::<HeartbeatRequest>(random, versions, 0)?;
    let (slot, name, generation) = (slot(random), random.of(&GROUPS), random.of(&GENERATIONS));
    let what = format!("v{version} Heartbeat {name:?} as {slot:?} of generation {generation}");
    Some(Step::by_side(what, move |side| {
        let request = HeartbeatRequest::default().with_group_id(group(name)).with_generation_id(generation);
        let request = request.with_member_id(member(side, slot));
        shown(&side.ask(version, &request))
    }))
}

fn leave(random: &mut Random, versions: &Versions) -> Option<Step> {
    let version = version::<LeaveGroupRequest>(random, versions, 0)?;
    let (slot, name) = (slot(random), random.of(&GROUPS));
    Some(Step::by_side(format!("v{version} LeaveGroup {name:?} as {slot:?}"), move |side| {
        let mut request = LeaveGroupRequest::default().with_group_id(group(name));
        if version >= 3 {
            request.members = vec![MemberIdentity::default().with_member_id(member(side, slot))];
        } else {
            request.member_id = member(side, slot);
        }
        let answer = side.ask(version, &request);
        let codes: Vec<i16> = answer.iter().flat_map(|answer| &answer.members).map(|of| of.error_code).collect();
        format!("{codes:?}\n{}", shown(&answer))
    }))
}

fn commit(random: &mut Random, versions: &Versions) -> Option<Step> {
    let version = version::<OffsetCommitRequest>(random, versions, 0)?;
    let (name, named) = (random.of(&GROUPS), random.of(&TOPICS));
    let (slot, generation) = if random.once_in(2) { (None, -1) } else { (slot(random), random.of(&GENERATIONS)) };
    let of = OffsetCommitRequestPartition::default()
        .with_partition_index(random.of(&PARTITIONS))
        .with_committed_offset(random.of(&[0, 5, 1_000, -1, -2]))
        .with_committed_metadata([None, Some(text("m")), Some(text(&"m".repeat(5_000)))][random.below(3)].clone());
    let of = if version >= 6 { of.with_committed_leader_epoch(random.of(&[-1, 0, 7])) } else { of };
    let what = format!("v{version} OffsetCommit {name:?} as {slot:?} of generation {generation}: {named:?} {of:?}");
    Some(Step::by_side(what, move |side| {
        let mut partitions = vec![of.clone()];
        if of.committed_metadata.as_ref().is_some_and(|metadata| metadata.len() > 4_096) {
            // With nothing to keep, Kafka makes a group that those who write see, and those who read do not.
            partitions.push(OffsetCommitRequestPartition::default().with_partition_index(0));
        }
        let mut topics = OffsetCommitRequestTopic::default().with_partitions(partitions);
        if version >= 10 {
            topics.topic_id = side.topic_ids.get(named).copied().unwrap_or(Uuid::from_u128(7));
        } else {
            topics.name = topic(named);
        }
        let request = OffsetCommitRequest::default()
            .with_group_id(group(name))
            .with_generation_id_or_member_epoch(generation)
            .with_member_id(member(side, slot))
            .with_topics(vec![topics]);
        shown(&side.ask(version, &request))
    }))
}

fn fetch(random: &mut Random, versions: &Versions) -> Option<Step> {
    let version = version::<OffsetFetchRequest>(random, versions, 1)?;
    let (name, named) = (random.of(&GROUPS), random.of(&TOPICS));
    let all = version >= 2 && random.once_in(3);
    let partitions = vec![random.of(&PARTITIONS), random.of(&PARTITIONS)];
    let what = format!("v{version} OffsetFetch {name:?}: {named:?} {partitions:?}, all: {all}");
    Some(Step::by_side(what, move |side| {
        let mut request = OffsetFetchRequest::default();
        if version >= 8 {
            let mut of = OffsetFetchRequestTopics::default().with_partition_indexes(partitions.clone());
            if version >= 10 {
                of.topic_id = side.topic_ids.get(named).copied().unwrap_or(Uuid::from_u128(7));
            } else {
                of.name = topic(named);
            }
            let topics = (!all).then(|| vec![of]);
            request.groups = vec![OffsetFetchRequestGroup::default().with_group_id(group(name)).with_topics(topics)];
        } else {
            request.group_id = group(name);
            let of = OffsetFetchRequestTopic::default().with_name(topic(named));
            request.topics = (!all).then(|| vec![of.with_partition_indexes(partitions.clone())]);
        }
        let mut answer = side.ask(version, &request);
        if let Some(answer) = &mut answer {
            answer.topics.iter_mut().for_each(|of| of.partitions.sort_by_key(|of| of.partition_index));
            for topics in answer.groups.iter_mut().map(|of| &mut of.topics) {
                topics.sort_by_key(|of| of.name.to_string());
                topics.iter_mut().for_each(|of| of.partitions.sort_by_key(|of| of.partition_index));
            }
        }
        shown(&answer)
    }))
}

fn describe(random: &mut Random, versions: &Versions) -> Option<Step> {
    let version = version::<DescribeGroupsRequest>(random, versions, 0)?;
    let request = DescribeGroupsRequest::default().with_groups(vec![group(random.of(&GROUPS)), group("unknown")]);
    let what = format!("v{version} {request:?}");
    Some(Step::by_side(what, move |side| {
        let mut answer = side.ask(version, &request);
        if let Some(answer) = &mut answer {
            // Kafka gathers them from the coordinators' partitions, in no order that a client could know.
            answer.groups.sort_by(|one, other| one.group_id.cmp(&other.group_id));
        }
        let members: Vec<usize> = answer.iter().flat_map(|answer| &answer.groups).map(|of| of.members.len()).collect();
        format!("{members:?} members\n{}", shown(&answer))
    }))
}

fn list(random: &mut Random, versions: &Versions) -> Option<Step> {
    let version = version::<ListGroupsRequest>(random, versions, 0)?;
    let mut request = ListGroupsRequest::default();
    if version >= 4 && random.once_in(2) {
        request.states_filter = vec![text(random.of(&["Empty", "stable", "Nothing"]))];
    }
    if version >= 5 && random.once_in(2) {
        request.types_filter = vec![text(random.of(&["classic", "Consumer", "Nothing"]))];
    }
    let what = format!("v{version} {request:?}");
    Some(Step::by_side(what, move |side| {
        let mut answer = side.ask(version, &request);
        answer.iter_mut().for_each(|answer| answer.groups.sort_by_key(|of| of.group_id.to_string()));
        shown(&answer)
    }))
}

fn forget(random: &mut Random, versions: &Versions) -> Option<Step> {
    let version = version::<OffsetDeleteRequest>(random, versions, 0)?;
    let of = OffsetDeleteRequestPartition::default().with_partition_index(random.of(&PARTITIONS));
    let of = OffsetDeleteRequestTopic::default().with_name(topic(random.of(&TOPICS))).with_partitions(vec![of]);
    let request = OffsetDeleteRequest::default().with_group_id(group(random.of(&GROUPS))).with_topics(vec![of]);
    Some(Step::same(version, request))
}

fn delete(random: &mut Random, versions: &Versions) -> Option<Step> {
    let version = version::<DeleteGroupsRequest>(random, versions, 0)?;
    Some(Step::same(version, DeleteGroupsRequest::default().with_groups_names(vec![group(random.of(&GROUPS))])))
}
