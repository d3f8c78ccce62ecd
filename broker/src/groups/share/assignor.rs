//! The assignor `simple` (KIP-932; Kafka's `SimpleAssignor`): every partition goes to about as many members as every
//! other, every member has about as many partitions, and what somebody has is moved as little as possible.

use std::collections::{BTreeMap, BTreeSet};

use brooklet_protocol::coordinator::share_group::PartitionsByTopic;
use uuid::Uuid;

/// A member as it matters here.
#[derive(Debug, Clone, Default)]
pub(crate) struct AssignableMember {
    /// The topics that it subscribes to and that exist.
    pub(crate) topics: BTreeSet<Uuid>,
    /// What it is to have up to now.
    pub(crate) assigned: PartitionsByTopic,
}

type TopicPartition = (Uuid, i32);

/// What each member is to have of `partitions`.
pub(crate) fn assign(
    members: &BTreeMap<String, AssignableMember>,
    partitions: &PartitionsByTopic,
) -> BTreeMap<String, PartitionsByTopic> {
    let mut assigned: BTreeMap<String, PartitionsByTopic> =
        members.keys().map(|id| (id.clone(), PartitionsByTopic::new())).collect();
    let mut subscriptions = members.values().map(|member| &member.topics);
    let first = subscriptions.next();
    let alike = subscriptions.all(|topics| Some(topics) == first);
    let mut spread = |targets: &[TopicPartition]| {
        let wants = |topics: &BTreeSet<Uuid>| targets.first().is_some_and(|(topic, _)| topics.contains(topic));
        let subscribed: Vec<_> = members.iter().filter(|(_, member)| wants(&member.topics)).collect();
        let before = subscribed.iter().map(|(_, member)| &member.assigned).collect::<Vec<_>>();
        for ((id, _), targets) in subscribed.iter().zip(balance(targets, &before)) {
            for (topic, partition) in targets {
                assigned.entry((*id).clone()).or_default().entry(topic).or_default().insert(partition);
            }
        }
    };
    let of = |topic: &Uuid| -> Vec<TopicPartition> {
        partitions.get(topic).into_iter().flatten().map(|partition| (*topic, *partition)).collect()
    };
    let all: BTreeSet<Uuid> = members.values().flat_map(|member| member.topics.iter().copied()).collect();
    if alike {
        spread(&all.iter().flat_map(of).collect::<Vec<_>>());
    } else {
        all.iter().for_each(|topic| spread(&of(topic)));
    }
    assigned
}

/// Spreads partitions over members, all of whom may have all of them: for each member, what it gets.
fn balance(targets: &[TopicPartition], before: &[&PartitionsByTopic]) -> Vec<BTreeSet<TopicPartition>> {
    let (count, members) = (targets.len(), before.len());
    if count == 0 || members == 0 {
        return vec![BTreeSet::new(); members];
    }
    // So many members share each partition, and so many places there are in all.
    let sharing = members.div_ceil(count);
    let places = sharing * count;
    let upto = |member: usize| (places * member).div_ceil(members);
    let desired: Vec<usize> = (0..members).map(|member| upto(member + 1) - upto(member)).collect();

    let mut sharers: BTreeMap<TopicPartition, usize> = targets.iter().map(|target| (*target, 0)).collect();
    let mut assigned: Vec<BTreeSet<TopicPartition>> = Vec::with_capacity(members);
    for (member, before) in before.iter().enumerate() {
        let mut kept = BTreeSet::new();
        let had = before.iter().flat_map(|(topic, partitions)| partitions.iter().map(move |index| (*topic, *index)));
        for target in had {
            if let Some(sharers) = sharers.get_mut(&target)
                && *sharers < sharing
                && kept.len() < desired[member]
            {
                *sharers += 1;
                kept.insert(target);
            }
        }
        assigned.push(kept);
    }

    let mut unfilled: Vec<usize> = (0..members).filter(|member| assigned[*member].len() < desired[*member]).collect();
    let mut turn = 0;
    for (target, sharers) in sharers {
        let mut passed = 0;
        let mut missing = sharing - sharers;
        while missing > 0 && passed < unfilled.len() {
            turn %= unfilled.len();
            let member = unfilled[turn];
            if !assigned[member].insert(target) {
                turn += 1;
                passed += 1;
                continue;
            }
            missing -= 1;
            passed = 0;
            if assigned[member].len() < desired[member] {
                turn += 1;
            } else {
                unfilled.remove(turn);
            }
        }
    }
    assigned
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn topic(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn counts(assigned: &BTreeMap<String, PartitionsByTopic>) -> Vec<usize> {
        assigned.values().map(|topics| topics.values().map(BTreeSet::len).sum()).collect()
    }

    fn round(
        members: &BTreeMap<String, BTreeSet<Uuid>>,
        partitions: &PartitionsByTopic,
        before: &BTreeMap<String, PartitionsByTopic>,
    ) -> BTreeMap<String, PartitionsByTopic> {
        let member = |(id, topics): (&String, &BTreeSet<Uuid>)| {
            let assigned = before.get(id).cloned().unwrap_or_default();
            (id.clone(), AssignableMember { topics: topics.clone(), assigned })
        };
        assign(&members.iter().map(member).collect(), partitions)
    }

    fn groups() -> impl Strategy<Value = (BTreeMap<String, BTreeSet<Uuid>>, PartitionsByTopic)> {
        let members = prop::collection::btree_map(
            "[a-z]{1,3}",
            prop::collection::btree_set((0..4u128).prop_map(topic), 1..4),
            1..8,
        );
        let partitions = prop::collection::btree_map((0..4u128).prop_map(topic), 1..7i32, 0..5);
        (members, any::<bool>(), partitions).prop_map(|(mut members, alike, partitions)| {
            if alike && let Some(topics) = members.values().next().cloned() {
                members.values_mut().for_each(|other| *other = topics.clone());
            }
            (members, partitions.into_iter().map(|(topic, count)| (topic, (0..count).collect())).collect())
        })
    }

    proptest! {
        #[test]
        fn every_partition_is_shared_evenly_by_who_subscribes_to_it((first, partitions) in groups(), (second, _) in groups()) {
            let mut before = BTreeMap::new();
            for members in [&first, &second, &second] {
                let assigned = round(members, &partitions, &before);
                let alike = members.values().all(|topics| Some(topics) == members.values().next());
                for (topic, indexes) in &partitions {
                    let subscribed = members.values().filter(|topics| topics.contains(topic)).count();
                    for index in indexes {
                        let has = |topics: &&PartitionsByTopic| topics.get(topic).is_some_and(|has| has.contains(index));
                        let sharers = assigned.values().filter(has).count();
                        prop_assert_eq!(sharers > 0, subscribed > 0, "partition {} of {}", index, topic);
                    }
                }
                for (id, topics) in &assigned {
                    prop_assert!(topics.keys().all(|topic| members[id].contains(topic)));
                }
                if alike {
                    let counts = counts(&assigned);
                    let most = counts.iter().max().copied().unwrap_or(0);
                    let least = counts.iter().min().copied().unwrap_or(0);
                    prop_assert!(most - least <= 1, "{:?}", counts);
                }
                before = assigned;
            }
            let again = round(&second, &partitions, &before);
            prop_assert_eq!(again, before, "without a change nothing moves");
        }
    }

    #[test]
    fn who_comes_gets_a_share_and_the_others_keep_most_of_theirs() {
        let topics = BTreeSet::from([topic(1)]);
        let partitions = PartitionsByTopic::from([(topic(1), (0..6).collect())]);
        let mut members = BTreeMap::from([("a".to_owned(), topics.clone())]);
        let alone = round(&members, &partitions, &BTreeMap::new());
        assert_eq!(counts(&alone), [6]);
        members.insert("b".to_owned(), topics.clone());
        let two = round(&members, &partitions, &alone);
        assert_eq!(counts(&two), [3, 3]);
        assert!(two["a"][&topic(1)].is_subset(&alone["a"][&topic(1)]));
        members.insert("c".to_owned(), topics);
        let one = PartitionsByTopic::from([(topic(1), BTreeSet::from([0]))]);
        assert_eq!(counts(&round(&members, &one, &two)), [1, 1, 1], "fewer partitions than members are shared");
    }
}
