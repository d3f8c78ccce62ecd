//! The range assignor: of each topic, every subscriber gets a run of partitions, in the order of instance ids and
//! then of member ids, the first ones getting one more where it does not come out even.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{Assignment, GroupSpec};

/// A topic whose partitions are being handed out.
struct Topic {
    partitions: i32,
    subscribers: i32,
    /// How many subscribers have been served.
    served: i32,
    next: i32,
}

impl Topic {
    /// The next subscriber's run.
    fn take(&mut self) -> std::ops::Range<i32> {
        let more = i32::from(self.served < self.partitions % self.subscribers);
        let from = self.next;
        self.next = (from + self.partitions / self.subscribers + more).min(self.partitions);
        self.served += 1;
        from..self.next
    }
}

pub(super) fn assign(group: &GroupSpec) -> BTreeMap<String, Assignment> {
    let mut topics: BTreeMap<Uuid, Topic> = BTreeMap::new();
    for topic in group.members.values().flat_map(|member| &member.topics) {
        let partitions = group.partition_count(*topic);
        let topic = topics.entry(*topic).or_insert(Topic { partitions, subscribers: 0, served: 0, next: 0 });
        topic.subscribers += 1;
    }
    let mut members: Vec<_> = group.members.iter().collect();
    // Static members first: they keep their place when they come back with another member id.
    members.sort_by_key(|(id, member)| (member.instance_id.is_none(), member.instance_id.clone(), (*id).clone()));
    let mut assigned = BTreeMap::new();
    for (member_id, member) in members {
        let mut assignment = Assignment::new();
        for id in &member.topics {
            let run = topics.get_mut(id).map(Topic::take).unwrap_or_default();
            if !run.is_empty() {
                assignment.insert(*id, run.collect());
            }
        }
        assigned.insert(member_id.clone(), assignment);
    }
    assigned
}
