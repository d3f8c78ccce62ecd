//! Single turns of a group's life, as Kafka takes them.

use brooklet_protocol::ErrorCode;

use super::world::{GROUP, Op, World};
use crate::groups::consumer::requests::ConsumerHeartbeatRequest;
use crate::groups::requests::MemberIdentity;

fn sizes(world: &World) -> Vec<usize> {
    world.clients.iter().map(|client| client.owned.values().map(std::collections::BTreeSet::len).sum()).collect()
}

#[test]
fn a_first_member_has_everything_with_its_first_heartbeat() {
    let mut world = World::new();
    world.beat(0);
    assert_eq!((world.clients[0].epoch, sizes(&world)[0]), (2, 4));
    assert_eq!(world.group().unwrap().state().name(), "Stable");
}

#[test]
fn a_second_member_waits_until_the_first_has_given_up_its_half() {
    let mut world = World::new();
    world.beat(0);
    world.run(&Op::Pass { ms: 1_000 });
    world.beat(1);
    assert_eq!(sizes(&world)[..2], [4, 0]);
    assert_eq!((world.clients[0].epoch, world.clients[1].epoch), (2, 3), "who gives up stays behind");
    world.beat(0);
    assert_eq!(sizes(&world)[..2], [2, 0]);
    world.beat(1);
    assert_eq!(sizes(&world)[..2], [2, 0], "it was told to, but has not said that it did");
    world.beat(0);
    world.beat(1);
    assert_eq!((sizes(&world)[0], sizes(&world)[1]), (2, 2));
    assert_eq!((world.clients[0].epoch, world.clients[1].epoch), (3, 3));
}

#[test]
fn a_member_that_does_not_give_up_in_time_is_fenced() {
    let mut world = World::new();
    world.beat(0);
    world.run(&Op::Pass { ms: 1_000 });
    world.beat(1);
    world.beat(0);
    // It lives but never says that it has given up.
    for _ in 0..5 {
        world.run(&Op::Pass { ms: 5_000 });
        world.beat(1);
    }
    assert_eq!(world.group().unwrap().members.len(), 1);
    world.run(&Op::Pass { ms: 1_000 });
    world.beat(1);
    assert_eq!(sizes(&world)[1], 4);
}

#[test]
fn a_new_topic_is_seen_with_the_next_heartbeat_by_names_and_by_patterns() {
    let mut world = World::new();
    world.run(&Op::Subscribe { client: 0, subscription: 3 });
    world.beat(0);
    assert_eq!(sizes(&world)[0], 4);
    world.run(&Op::Pass { ms: 2_000 });
    world.topics.set("ab", 3);
    world.beat(0);
    assert_eq!((world.clients[0].epoch, sizes(&world)[0]), (3, 7));
    world.run(&Op::Pass { ms: 2_000 });
    world.topics.set("a", 6);
    world.beat(0);
    assert_eq!((world.clients[0].epoch, sizes(&world)[0]), (4, 9));
    world.run(&Op::Pass { ms: 2_000 });
    world.topics.set("a", 0);
    world.beat(0);
    world.beat(0);
    assert_eq!(sizes(&world)[0], 3);
    world.run(&Op::Pass { ms: 2_000 });
    let epoch = world.clients[0].epoch;
    world.topics.set("unrelated", 3);
    world.beat(0);
    assert_eq!(world.clients[0].epoch, epoch, "a topic that nobody wants changes nothing");
}

#[test]
fn a_static_member_that_comes_back_has_what_it_had_without_a_new_epoch() {
    let mut world = World::new();
    world.beat(4);
    let before = world.clients[4].clone();
    world.run(&Op::Leave { client: 4 });
    assert_eq!(world.group().unwrap().members[&before.member_id].epoch, -2);
    world.beat(4);
    let after = &world.clients[4];
    assert_ne!(after.member_id, before.member_id);
    assert_eq!((after.epoch, &after.owned), (before.epoch, &before.owned));

    // While it is there, nobody else may have its instance id.
    let mut other = ConsumerHeartbeatRequest {
        group_id: GROUP.into(),
        member_id: "other".into(),
        instance_id: Some("instance-4".into()),
        rebalance_timeout_ms: Some(1000),
        subscribed_topic_names: Some(std::collections::BTreeSet::new()),
        owned: Some(crate::groups::assignor::Assignment::new()),
        requires_member_id: true,
        ..ConsumerHeartbeatRequest::default()
    };
    assert_eq!(world.send(&other).unwrap_err().code, ErrorCode::UnreleasedInstanceId);
    other.member_epoch = before.epoch;
    assert_eq!(world.send(&other).unwrap_err().code, ErrorCode::FencedInstanceId);
}

#[test]
fn epochs_that_are_not_the_members_are_refused() {
    let mut world = World::new();
    world.beat(0);
    let request = |epoch, owned| ConsumerHeartbeatRequest {
        group_id: GROUP.into(),
        member_id: "0-1".into(),
        member_epoch: epoch,
        owned,
        ..ConsumerHeartbeatRequest::default()
    };
    assert_eq!(world.send(&request(3, None)).unwrap_err().code, ErrorCode::FencedMemberEpoch);
    assert_eq!(world.send(&request(1, None)).unwrap_err().code, ErrorCode::FencedMemberEpoch);
    assert!(world.send(&request(2, None)).unwrap().assignment.is_none(), "nothing has changed");
    let unknown = ConsumerHeartbeatRequest { member_id: "nobody".into(), ..request(2, None) };
    assert_eq!(world.send(&unknown).unwrap_err().code, ErrorCode::UnknownMemberId);
    let elsewhere = ConsumerHeartbeatRequest { group_id: "elsewhere".into(), ..request(2, None) };
    assert_eq!(world.send(&elsewhere).unwrap_err().code, ErrorCode::GroupIdNotFound);
}

#[test]
fn members_commit_for_partitions_that_were_theirs_at_the_epoch_they_come_with() {
    let mut world = World::new();
    world.beat(0);
    world.run(&Op::Pass { ms: 2_000 });
    world.topics.set("a", 5);
    world.beat(0);
    let group = world.group().unwrap();
    let topic = *world.clients[0].owned.keys().next().unwrap();
    let identity = |generation| MemberIdentity {
        group_id: GROUP.into(),
        member_id: "0-1".into(),
        group_instance_id: None,
        generation,
    };
    assert_eq!(group.admit_commit(&identity(3), true).unwrap().check(|| None, 0), Ok(()));
    assert_eq!(group.admit_commit(&identity(4), true).unwrap_err(), ErrorCode::StaleMemberEpoch);
    assert_eq!(group.admit_commit(&identity(3), false).unwrap_err(), ErrorCode::UnsupportedVersion);
    let late = group.admit_commit(&identity(2), true).unwrap();
    assert_eq!(late.check(|| Some(topic), 0), Ok(()), "it had this one then");
    assert_eq!(late.check(|| Some(topic), 4), Err(ErrorCode::StaleMemberEpoch), "but not this one");
    let stranger = MemberIdentity { member_id: "nobody".into(), ..identity(2) };
    assert_eq!(group.admit_commit(&stranger, true).unwrap_err(), ErrorCode::UnknownMemberId);
    assert_eq!(group.admit_fetch(Some("0-1"), 2), Err(ErrorCode::StaleMemberEpoch));
    assert_eq!(group.admit_fetch(Some("0-1"), 3), Ok(()));
    assert_eq!(group.admit_fetch(None, -1), Ok(()));
}
