//! What an assignor promises: every partition that someone subscribes to has one owner, who subscribes to it; shares
//! are even; and nobody loses without need what he had.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use uuid::Uuid;

use super::{Assignment, Assignor, GroupSpec, MemberSpec, SubscriptionType};

const TOPICS: u128 = 4;

fn topic(index: u128) -> Uuid {
    Uuid::from_u128(index + 1)
}

/// Members with subscriptions as bits, and partition counts of topics.
fn group(subscriptions: &[u8], counts: &[i32]) -> GroupSpec {
    let members: BTreeMap<String, MemberSpec> = subscriptions
        .iter()
        .enumerate()
        .map(|(index, bits)| {
            let topics = (0..TOPICS).filter(|at| bits >> at & 1 == 1).map(topic).collect();
            (format!("m{index:02}"), MemberSpec { topics, ..MemberSpec::default() })
        })
        .collect();
    let same = subscriptions.windows(2).all(|two| two[0] == two[1]);
    GroupSpec {
        members,
        subscriptions: if same { SubscriptionType::Homogeneous } else { SubscriptionType::Heterogeneous },
        partition_counts: counts.iter().enumerate().map(|(index, count)| (topic(index as u128), *count)).collect(),
    }
}

/// The group as it is once members have what they were assigned.
fn after(mut group: GroupSpec, assigned: &BTreeMap<String, Assignment>) -> GroupSpec {
    for (member_id, member) in &mut group.members {
        member.assignment = assigned.get(member_id).cloned().unwrap_or_default();
    }
    group
}

fn size(assignment: &Assignment) -> usize {
    assignment.values().map(BTreeSet::len).sum()
}

fn check_ownership(group: &GroupSpec, assigned: &BTreeMap<String, Assignment>) {
    assert_eq!(assigned.len(), group.members.len(), "every member is told something");
    let mut owned = BTreeSet::new();
    for (member_id, assignment) in assigned {
        for (topic, partitions) in assignment {
            assert!(group.members[member_id].topics.contains(topic), "{member_id} does not subscribe");
            assert!(!partitions.is_empty(), "no topic without partitions");
            for partition in partitions {
                assert!(owned.insert((*topic, *partition)), "{topic}-{partition} has two owners");
            }
        }
    }
    for (topic, count) in &group.partition_counts {
        let wanted = group.members.values().any(|member| member.topics.contains(topic));
        let has = owned.iter().filter(|(owned, _)| owned == topic).count();
        assert_eq!(has, if wanted { *count as usize } else { 0 }, "{topic}");
    }
}

fn moved(before: &BTreeMap<String, Assignment>, now: &BTreeMap<String, Assignment>) -> usize {
    let of = |all: &BTreeMap<String, Assignment>| -> BTreeMap<(Uuid, i32), String> {
        let each = all.iter().flat_map(|(member_id, assignment)| {
            assignment.iter().flat_map(move |(topic, partitions)| {
                partitions.iter().map(move |partition| ((*topic, *partition), member_id.clone()))
            })
        });
        each.collect()
    };
    let (before, now) = (of(before), of(now));
    before.iter().filter(|(partition, owner)| now.get(partition).is_some_and(|new| new != *owner)).count()
}

fn counts() -> impl Strategy<Value = Vec<i32>> {
    prop::collection::vec(0i32..12, TOPICS as usize)
}

proptest! {
    #[test]
    fn uniform_is_even_and_moves_no_more_than_it_must(
        members in 1usize..9, bits in 1u8..16, counts in counts(), gone in 0usize..9, come in 0usize..4,
    ) {
        let spec = group(&vec![bits; members], &counts);
        let first = Assignor::Uniform.assign(&spec);
        check_ownership(&spec, &first);
        let sizes: Vec<usize> = first.values().map(size).collect();
        prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{sizes:?}");

        // The same again: nothing moves.
        let spec = after(spec, &first);
        prop_assert_eq!(&Assignor::Uniform.assign(&spec), &first);

        // One goes: the others keep all they had.
        let mut without = spec.clone();
        if members > 1 {
            without.members.remove(&format!("m{:02}", gone % members));
            let second = Assignor::Uniform.assign(&without);
            check_ownership(&without, &second);
            prop_assert_eq!(moved(&first, &second), total_of(&first, &format!("m{:02}", gone % members)));
        }

        // Others come: only what they get moves.
        let mut with = spec;
        for index in 0..come {
            let newcomer = MemberSpec { topics: with.members["m00"].topics.clone(), ..MemberSpec::default() };
            with.members.insert(format!("n{index}"), newcomer);
        }
        let third = Assignor::Uniform.assign(&with);
        check_ownership(&with, &third);
        let new: usize = third.iter().filter(|(id, _)| id.starts_with('n')).map(|(_, assignment)| size(assignment)).sum();
        prop_assert_eq!(moved(&first, &third), new);
    }

    #[test]
    fn uniform_with_different_subscriptions_is_as_even_as_it_can_be(
        subscriptions in prop::collection::vec(0u8..16, 2..7), counts in counts(),
        changed in prop::collection::vec(0u8..16, 2..7),
    ) {
        let spec = GroupSpec { subscriptions: SubscriptionType::Heterogeneous, ..group(&subscriptions, &counts) };
        let first = Assignor::Uniform.assign(&spec);
        check_ownership(&spec, &first);
        check_balance(&spec, &first);
        let spec = after(spec, &first);
        prop_assert_eq!(&Assignor::Uniform.assign(&spec), &first, "nothing moves when nothing has changed");

        // Members change what they subscribe to, and some come or go.
        let mut other = group(&changed, &counts);
        other.subscriptions = SubscriptionType::Heterogeneous;
        let other = after(other, &first);
        let second = Assignor::Uniform.assign(&other);
        check_ownership(&other, &second);
        check_balance(&other, &second);
    }

    #[test]
    fn range_gives_runs_in_order(subscriptions in prop::collection::vec(0u8..16, 1..7), counts in counts()) {
        let spec = group(&subscriptions, &counts);
        let assigned = Assignor::Range.assign(&spec);
        check_ownership(&spec, &assigned);
        for (topic, count) in &spec.partition_counts {
            let subscribers: Vec<_> = spec.members.iter().filter(|(_, member)| member.topics.contains(topic)).collect();
            let mut next = 0;
            for (index, (member_id, _)) in subscribers.iter().enumerate() {
                let run: Vec<i32> = assigned[*member_id].get(topic).into_iter().flatten().copied().collect();
                let least = *count / subscribers.len() as i32;
                let more = i32::from((index as i32) < *count % subscribers.len() as i32);
                prop_assert_eq!(run, (next..next + least + more).collect::<Vec<_>>());
                next += least + more;
            }
        }
    }
}

fn total_of(assigned: &BTreeMap<String, Assignment>, member_id: &str) -> usize {
    size(&assigned[member_id])
}

/// Among the subscribers of a topic nobody has two more than another, if he could give one of the topic away.
fn check_balance(group: &GroupSpec, assigned: &BTreeMap<String, Assignment>) {
    for topic in group.partition_counts.keys() {
        let subscribers: Vec<_> = group.members.iter().filter(|(_, member)| member.topics.contains(topic)).collect();
        let least = subscribers.iter().map(|(id, _)| size(&assigned[*id])).min().unwrap_or(0);
        for (member_id, _) in &subscribers {
            let own = &assigned[*member_id];
            assert!(
                size(own) <= least + 1 || !own.contains_key(topic),
                "{member_id} has {} and another subscriber of {topic} {least}: {assigned:?}",
                size(own)
            );
        }
    }
}

#[test]
fn static_members_come_first_in_ranges_whatever_their_member_ids() {
    let mut spec = group(&[1, 1, 1], &[3, 0, 0, 0]);
    for (member_id, instance_id) in [("m02", "a"), ("m01", "b")] {
        spec.members.get_mut(member_id).unwrap().instance_id = Some(instance_id.to_owned());
    }
    let assigned = Assignor::Range.assign(&spec);
    let partition = |member_id: &str| assigned[member_id][&topic(0)].iter().copied().collect::<Vec<_>>();
    assert_eq!((partition("m02"), partition("m01"), partition("m00")), (vec![0], vec![1], vec![2]));
}

#[test]
fn topics_of_the_same_size_are_shared_out_in_the_same_way_by_range() {
    let assigned = Assignor::Range.assign(&group(&[3, 3], &[3, 3, 0, 0]));
    for assignment in assigned.values() {
        assert_eq!(assignment[&topic(0)], assignment[&topic(1)]);
    }
}
