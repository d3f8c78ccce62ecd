//! The uniform assignor where members subscribe to different topics: what is free goes to whoever has least, then
//! partitions move, topic by topic, from those who have most to those who have least.

mod balancer;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use super::{Assignment, GroupSpec};
use balancer::Balancer;

/// How often all topics are gone over. Where subscriptions overlap without being the same, a round roughly halves
/// what is out of balance; where they do not, one round is enough.
const MAX_ROUNDS: usize = 16;

pub(super) fn assign(group: &GroupSpec) -> BTreeMap<String, Assignment> {
    let mut work = Work::new(group);
    work.assign_free_partitions();
    work.balance();
    work.into_assignments()
}

/// An assignment in the making. Members are known by their index.
struct Work<'a> {
    group: &'a GroupSpec,
    member_ids: Vec<&'a String>,
    subscribers: BTreeMap<Uuid, Vec<usize>>,
    /// The owner of each partition.
    owners: BTreeMap<Uuid, Vec<Option<usize>>>,
    /// How many partitions each member has.
    sizes: Vec<usize>,
}

impl<'a> Work<'a> {
    /// What members keep: all they had of the topics they subscribe to.
    fn new(group: &'a GroupSpec) -> Self {
        let mut subscribers: BTreeMap<Uuid, Vec<usize>> = BTreeMap::new();
        for (index, member) in group.members.values().enumerate() {
            for topic in &member.topics {
                subscribers.entry(*topic).or_default().push(index);
            }
        }
        let owners =
            subscribers.keys().map(|topic| (*topic, vec![None; group.partition_count(*topic).max(0) as usize]));
        let mut work = Self {
            group,
            member_ids: group.members.keys().collect(),
            owners: owners.collect(),
            subscribers,
            sizes: vec![0; group.members.len()],
        };
        for (index, member) in group.members.values().enumerate() {
            for (topic, partitions) in &member.assignment {
                if member.topics.contains(topic) {
                    partitions.iter().for_each(|partition| work.give(*topic, *partition, index));
                }
            }
        }
        work
    }

    fn give(&mut self, topic: Uuid, partition: i32, member: usize) {
        let owner = self.owners.get_mut(&topic).and_then(|owners| owners.get_mut(usize::try_from(partition).ok()?));
        let Some(owner) = owner else {
            return;
        };
        if let Some(before) = owner.replace(member) {
            self.sizes[before] -= 1;
        }
        self.sizes[member] += 1;
    }

    /// Topics with the most partitions for each subscriber first: they are the hardest to share out.
    fn in_order(&self, topics: impl Iterator<Item = Uuid>) -> Vec<Uuid> {
        let mut topics: Vec<Uuid> = topics.collect();
        topics.sort_by(|a, b| {
            let partitions = |topic| u64::try_from(self.group.partition_count(topic)).unwrap_or_default();
            let subscribers = |topic: &Uuid| self.subscribers.get(topic).map_or(0, Vec::len) as u64;
            let more = |a: &Uuid, b: &Uuid| partitions(*a) * subscribers(b);
            Reverse(more(a, b))
                .cmp(&Reverse(more(b, a)))
                .then_with(|| subscribers(a).cmp(&subscribers(b)))
                .then_with(|| a.cmp(b))
        });
        topics
    }

    fn assign_free_partitions(&mut self) {
        let free: BTreeMap<Uuid, Vec<i32>> = self
            .owners
            .iter()
            .map(|(topic, owners)| {
                let free = owners.iter().enumerate().filter(|(_, owner)| owner.is_none());
                (*topic, free.map(|(partition, _)| partition as i32).collect::<Vec<i32>>())
            })
            .filter(|(_, free)| !free.is_empty())
            .collect();
        for topic in self.in_order(free.keys().copied()) {
            let mut balancer = Balancer::new(&self.subscribers[&topic], &self.sizes);
            for partition in &free[&topic] {
                let member = balancer.next_least_loaded(&self.sizes);
                self.give(topic, *partition, member);
            }
        }
    }

    /// Goes over the topics that have a choice until nothing more can be gained.
    fn balance(&mut self) {
        let movable = self.subscribers.iter().filter(|(_, subscribers)| subscribers.len() > 1);
        let movable: BTreeSet<Uuid> = movable.map(|(topic, _)| *topic).collect();
        let topics = self.in_order(movable.into_iter());
        let mut last_changed = None;
        for _ in 0..MAX_ROUNDS {
            for (index, topic) in topics.iter().enumerate() {
                if last_changed == Some(index) {
                    return;
                }
                if self.balance_topic(*topic) || last_changed.is_none() {
                    last_changed = Some(index);
                }
            }
        }
    }

    /// Moves partitions of one topic from those who have most to those who have least; whether any moved.
    fn balance_topic(&mut self, topic: Uuid) -> bool {
        let subscribers = &self.subscribers[&topic];
        let mut balancer = Balancer::new(subscribers, &self.sizes);
        if balancer.imbalance(&self.sizes) <= 1 {
            return false;
        }
        // The last of a member's partitions is the first to go.
        let mut owned: HashMap<usize, Vec<i32>> = HashMap::new();
        for (partition, owner) in self.owners[&topic].iter().enumerate() {
            if let Some(owner) = owner {
                owned.entry(*owner).or_default().push(partition as i32);
            }
        }
        let mut moved = false;
        while !balancer.is_balanced() {
            let partition = loop {
                let Some(member) = balancer.next_most_loaded(&self.sizes) else {
                    return moved;
                };
                match owned.get_mut(&member).and_then(Vec::pop) {
                    Some(partition) => break partition,
                    None => balancer.exclude_most_loaded(),
                }
            };
            let receiver = balancer.next_least_loaded(&self.sizes);
            if balancer.is_balanced() {
                break;
            }
            self.give(topic, partition, receiver);
            moved = true;
        }
        moved
    }

    fn into_assignments(self) -> BTreeMap<String, Assignment> {
        let mut assigned: BTreeMap<String, Assignment> =
            self.member_ids.iter().map(|id| ((*id).clone(), Assignment::new())).collect();
        for (topic, owners) in &self.owners {
            for (partition, owner) in owners.iter().enumerate() {
                if let Some(owner) = owner
                    && let Some(assignment) = assigned.get_mut(self.member_ids[*owner])
                {
                    assignment.entry(*topic).or_default().insert(partition as i32);
                }
            }
        }
        assigned
    }
}
