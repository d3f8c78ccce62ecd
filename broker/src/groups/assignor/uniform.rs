//! The uniform assignor where all members subscribe to the same topics: sizes differ by one at most, and a partition
//! moves only when its owner has too many.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::{Assignment, GroupSpec};

pub(super) fn assign(group: &GroupSpec) -> BTreeMap<String, Assignment> {
    let Some(first) = group.members.values().next() else {
        return BTreeMap::new();
    };
    let topics = &first.topics;
    let mut free = unassigned(group, topics);
    let total: usize = topics.iter().map(|topic| group.partition_count(*topic).max(0) as usize).sum();
    let mut assigned = BTreeMap::new();
    let mut unfilled = Vec::new();

    // Every member keeps what it has, up to its share. `extra` members have one more than the least.
    let least = total / group.members.len();
    let mut extra = total % group.members.len();
    for (index, (member_id, member)) in group.members.iter().enumerate() {
        let may_have_extra = extra > 0;
        let share = least + usize::from(may_have_extra);
        let mut kept = Assignment::new();
        let mut room = share;
        for (topic, partitions) in &member.assignment {
            if !topics.contains(topic) {
                continue;
            }
            let keeps = partitions.len().min(room);
            room -= keeps;
            let (keep, surplus): (Vec<_>, Vec<_>) = partitions.iter().enumerate().partition(|(at, _)| *at < keeps);
            free.extend(surplus.into_iter().map(|(_, partition)| (*topic, *partition)));
            if !keep.is_empty() {
                kept.insert(*topic, keep.into_iter().map(|(_, partition)| *partition).collect());
            }
        }
        // Who has room left leaves the extra one to others, as long as there are others to take it.
        let leaves_extra = may_have_extra && room > 0 && group.members.len() - index > extra;
        room -= usize::from(leaves_extra);
        extra -= usize::from(may_have_extra && !leaves_extra);
        if room > 0 {
            unfilled.push((member_id.clone(), room));
        }
        assigned.insert(member_id.clone(), kept);
    }

    let mut free = free.into_iter();
    for (member_id, room) in unfilled {
        let assignment: &mut Assignment = assigned.entry(member_id).or_default();
        for (topic, partition) in free.by_ref().take(room) {
            assignment.entry(topic).or_default().insert(partition);
        }
    }
    assigned
}

/// Partitions that nobody has, by topic.
fn unassigned(group: &GroupSpec, topics: &BTreeSet<Uuid>) -> Vec<(Uuid, i32)> {
    let mut owned: BTreeMap<Uuid, BTreeSet<i32>> = BTreeMap::new();
    for (topic, partitions) in group.members.values().flat_map(|member| &member.assignment) {
        owned.entry(*topic).or_default().extend(partitions);
    }
    let nobodys = |topic: Uuid, partition: i32| !owned.get(&topic).is_some_and(|owned| owned.contains(&partition));
    topics
        .iter()
        .flat_map(|topic| (0..group.partition_count(*topic)).map(|partition| (*topic, partition)))
        .filter(|(topic, partition)| nobodys(*topic, *partition))
        .collect()
}
