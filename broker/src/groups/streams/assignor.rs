//! The sticky assignor: tasks stay where they are as far as loads allow, those that move go where their state is, and
//! standby tasks are never in the instance that has the task already (`StickyTaskAssignor`).

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::process_state::{ProcessState, TaskId};
use super::tasks::{Tasks, TasksTuple};
use super::topology::ConfiguredSubtopology;

/// A member as the assignor sees it.
#[derive(Debug, Clone)]
pub(super) struct AssignmentMember<'a> {
    pub(super) id: &'a str,
    pub(super) process_id: &'a str,
    /// What it was to have until now.
    pub(super) target: &'a TasksTuple,
}

/// Spreads all tasks over the members.
pub(super) fn assign(
    members: &[AssignmentMember<'_>],
    subtopologies: &BTreeMap<String, ConfiguredSubtopology>,
    standby_replicas: usize,
) -> BTreeMap<String, TasksTuple> {
    let mut assignor = StickyAssignor::new(members, subtopologies, standby_replicas);
    if !members.is_empty() {
        assignor.assign_active(tasks(subtopologies, |_| true));
        if standby_replicas > 0 {
            assignor.assign_standby(tasks(subtopologies, ConfiguredSubtopology::is_stateful), standby_replicas);
        }
    }
    assignor.finish(members)
}

fn tasks(
    subtopologies: &BTreeMap<String, ConfiguredSubtopology>,
    wanted: impl Fn(&ConfiguredSubtopology) -> bool,
) -> Vec<TaskId> {
    let wanted = subtopologies.iter().filter(|(_, part)| wanted(part));
    let each =
        wanted.flat_map(|(id, part)| (0..part.tasks).map(|partition| TaskId { subtopology: id.clone(), partition }));
    each.collect()
}

/// How many of some tasks a member is to have, and how many are still to be spread.
#[derive(Debug)]
struct Quota {
    tasks: usize,
    members: usize,
}

impl Quota {
    fn per_member(&self) -> usize {
        if self.members == 0 { 0 } else { self.tasks.div_ceil(self.members) }
    }

    /// A member has so many now: if those are all that it is to have, others share the rest.
    fn note(&mut self, count: usize) {
        if count == self.per_member() {
            self.members = self.members.saturating_sub(1);
            self.tasks = self.tasks.saturating_sub(count);
        }
    }
}

/// A member by its instance and its id.
type MemberRef<'a> = (&'a str, &'a str);

struct StickyAssignor<'a> {
    processes: BTreeMap<&'a str, ProcessState>,
    previous_active: HashMap<TaskId, MemberRef<'a>>,
    previous_standby: HashMap<TaskId, Vec<MemberRef<'a>>>,
    active: Quota,
    total: Quota,
}

impl<'a> StickyAssignor<'a> {
    fn new(
        members: &[AssignmentMember<'a>],
        subtopologies: &BTreeMap<String, ConfiguredSubtopology>,
        standby_replicas: usize,
    ) -> Self {
        let active: usize = tasks(subtopologies, |_| true).len();
        let stateful: usize = tasks(subtopologies, ConfiguredSubtopology::is_stateful).len();
        let mut assignor = Self {
            processes: BTreeMap::new(),
            previous_active: HashMap::new(),
            previous_standby: HashMap::new(),
            active: Quota { tasks: active, members: members.len() },
            total: Quota { tasks: active + stateful * standby_replicas, members: members.len() },
        };
        for member in members {
            assignor.processes.entry(member.process_id).or_default().add_member(member.id);
            let place = (member.process_id, member.id);
            for task in task_ids(&member.target.active) {
                assignor.previous_active.insert(task, place);
            }
            for task in task_ids(&member.target.standby) {
                assignor.previous_standby.entry(task).or_default().push(place);
            }
        }
        assignor
    }

    fn assign_active(&mut self, mut tasks: Vec<TaskId>) {
        tasks.sort_by(by_partition);
        // Where they are.
        tasks.retain(|task| match self.previous_active.get(task).copied() {
            Some(member) => !self.give_active_within_quota(member, task),
            None => true,
        });
        // Where their state is.
        tasks.retain(|task| match self.least_loaded_previous(task, false) {
            Some(member) => !self.give_active_within_quota(member, task),
            None => true,
        });
        // Anywhere.
        tasks.sort();
        for task in tasks {
            let Some(process) = least_loaded(&self.processes, |_| true) else { return };
            if let Some(state) = self.processes.get_mut(process) {
                let count = state.give_to_least_loaded(task, true);
                self.note_active(count);
            }
        }
    }

    fn give_active_within_quota(&mut self, (process, member): MemberRef<'a>, task: &TaskId) -> bool {
        let quota = self.active.per_member();
        match self.processes.get_mut(process) {
            Some(state) if state.count_of(member) < quota => {
                let count = state.give(member, task.clone(), true);
                self.note_active(count);
                true
            }
            _ => false,
        }
    }

    fn note_active(&mut self, count: usize) {
        self.active.note(count);
        self.total.note(count);
    }

    /// Of those that had the task as standby, the one whose instance and itself have least; with `free` only one
    /// whose instance does not have the task.
    fn least_loaded_previous(&self, task: &TaskId, free: bool) -> Option<MemberRef<'a>> {
        let members = self.previous_standby.get(task)?;
        let may = |process: &str| !free || !self.processes[process].has(task);
        let load = |(process, member): MemberRef<'_>| {
            let state = &self.processes[process];
            (state.load(), state.count_of(member))
        };
        let first = *members.first()?;
        let mut best = first;
        for member in members.iter().skip(1).copied().filter(|(process, _)| may(process)) {
            if load(member).0 < load(best).0 && load(member).1 < load(best).1 {
                best = member;
            }
        }
        // As in Kafka, it is the first whose instance must not have the task.
        may(first.0).then_some(best)
    }

    fn assign_standby(&mut self, mut tasks: Vec<TaskId>, replicas: usize) {
        tasks.sort_by(|a, b| by_partition(b, a));
        let mut left = Vec::new();
        for task in tasks {
            for replica in 0..replicas {
                if !self.give_standby_to_previous(&task) {
                    left.push((task, replicas - replica));
                    break;
                }
            }
        }
        left.sort_by(|(a, _), (b, _)| b.cmp(a));
        for (task, replicas) in left {
            for replica in 0..replicas {
                let Some(process) = least_loaded(&self.processes, |state| !state.has(&task)) else {
                    let (subtopology, partition) = (&task.subtopology, task.partition);
                    tracing::debug!(subtopology, partition, "{} standby tasks have no place", replicas - replica);
                    break;
                };
                if let Some(state) = self.processes.get_mut(process) {
                    let count = state.give_to_least_loaded(task.clone(), false);
                    self.total.note(count);
                }
            }
        }
    }

    fn give_standby_to_previous(&mut self, task: &TaskId) -> bool {
        let had_it = self.previous_active.get(task).copied().filter(|(process, _)| !self.processes[process].has(task));
        let quota = self.total.per_member();
        let candidates = [had_it, self.least_loaded_previous(task, true)];
        for (process, member) in candidates.into_iter().flatten() {
            if let Some(state) = self.processes.get_mut(process)
                && !state.has(task)
                && state.count_of(member) < quota
            {
                let count = state.give(member, task.clone(), false);
                self.total.note(count);
                return true;
            }
        }
        false
    }

    fn finish(mut self, members: &[AssignmentMember<'a>]) -> BTreeMap<String, TasksTuple> {
        let each = members.iter().map(|member| {
            let state = self.processes.entry(member.process_id).or_default();
            let tuple = TasksTuple {
                active: by_subtopology(state.active.remove(member.id)),
                standby: by_subtopology(state.standby.remove(member.id)),
                warmup: Tasks::new(),
            };
            (member.id.to_owned(), tuple)
        });
        each.collect()
    }
}

/// The instance with the least for each of its members, among those that `may` take more.
fn least_loaded<'a>(
    processes: &BTreeMap<&'a str, ProcessState>,
    may: impl Fn(&ProcessState) -> bool,
) -> Option<&'a str> {
    let open = processes.iter().filter(|(_, state)| may(state));
    open.min_by(|(_, a), (_, b)| a.load().total_cmp(&b.load())).map(|(process, _)| *process)
}

fn by_partition(a: &TaskId, b: &TaskId) -> Ordering {
    a.partition.cmp(&b.partition).then_with(|| a.subtopology.cmp(&b.subtopology))
}

fn task_ids(tasks: &Tasks) -> impl Iterator<Item = TaskId> {
    tasks.iter().flat_map(|(subtopology, partitions)| {
        partitions.iter().map(|partition| TaskId { subtopology: subtopology.clone(), partition: *partition })
    })
}

fn by_subtopology(tasks: Option<BTreeSet<TaskId>>) -> Tasks {
    let mut all = Tasks::new();
    for TaskId { subtopology, partition } in tasks.into_iter().flatten() {
        all.entry(subtopology).or_default().insert(partition);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use brooklet_protocol::coordinator::streams_group::{Subtopology, TopicInfo};
    use proptest::prelude::*;

    fn part(tasks: i32, stateful: bool) -> ConfiguredSubtopology {
        let changelog =
            TopicInfo { name: "c".into(), partitions: tasks, replication_factor: 0, configs: BTreeMap::new() };
        let subtopology = Subtopology {
            id: String::new(),
            source_topics: vec!["s".into()],
            source_topic_regex: vec![],
            state_changelog_topics: if stateful { vec![changelog] } else { vec![] },
            repartition_sink_topics: vec![],
            repartition_source_topics: vec![],
            copartition_groups: vec![],
        };
        ConfiguredSubtopology { tasks, subtopology }
    }

    type Target = BTreeMap<String, TasksTuple>;

    /// Assigns to `members`, each with its instance, who had `before`.
    fn spread(members: &[(String, String)], before: &Target, parts: &[(i32, bool)], replicas: usize) -> Target {
        let none = TasksTuple::default();
        let members: Vec<_> = members
            .iter()
            .map(|(id, process_id)| AssignmentMember { id, process_id, target: before.get(id).unwrap_or(&none) })
            .collect();
        let parts =
            parts.iter().enumerate().map(|(index, (tasks, stateful))| (index.to_string(), part(*tasks, *stateful)));
        assign(&members, &parts.collect(), replicas)
    }

    proptest! {
        #[test]
        fn every_task_has_one_owner_and_standbys_are_elsewhere(
            parts in prop::collection::vec((1..6i32, any::<bool>()), 1..4), first in 1..6usize, second in 1..6usize,
            threads in 1..3usize, replicas in 0..3usize,
        ) {
            let members = |count: usize| -> Vec<(String, String)> {
                (0..count).map(|n| (format!("m{n}"), format!("p{}", n / threads))).collect()
            };
            let before = spread(&members(first), &Target::new(), &parts, replicas);
            let after = spread(&members(second), &before, &parts, replicas);
            let total: i32 = parts.iter().map(|(tasks, _)| *tasks).sum();
            let mut owners = BTreeMap::new();
            for (member, tasks) in &after {
                for task in task_ids(&tasks.active) {
                    prop_assert_eq!(owners.insert(task, member), None);
                }
            }
            prop_assert_eq!(owners.len(), total as usize);
            let process = |member: &String| members(second).into_iter().find(|(id, _)| id == member).unwrap().1;
            let mut copies: BTreeMap<TaskId, BTreeSet<String>> = BTreeMap::new();
            for (member, tasks) in &after {
                for task in task_ids(&tasks.standby) {
                    prop_assert!(parts[task.subtopology.parse::<usize>().unwrap()].1, "only state is copied");
                    prop_assert_ne!(process(member), process(owners[&task]));
                    prop_assert!(copies.entry(task).or_default().insert(process(member)));
                }
            }
            let processes = second.div_ceil(threads);
            let stateful: i32 = parts.iter().filter(|(_, stateful)| *stateful).map(|(tasks, _)| *tasks).sum();
            let expected = stateful as usize * replicas.min(processes - 1);
            prop_assert_eq!(copies.values().map(BTreeSet::len).sum::<usize>(), expected);
        }

        #[test]
        fn members_that_stay_keep_what_they_have_when_nothing_else_changes(
            tasks in 1..12i32, count in 1..5usize, replicas in 0..2usize,
        ) {
            let members: Vec<_> = (0..count).map(|n| (format!("m{n}"), format!("p{n}"))).collect();
            let before = spread(&members, &Target::new(), &[(tasks, true)], replicas);
            let active = |target: &Target| -> Vec<Tasks> { target.values().map(|tasks| tasks.active.clone()).collect() };
            let after = spread(&members, &before, &[(tasks, true)], replicas);
            prop_assert_eq!(active(&after), active(&before));
            let sizes: Vec<usize> = active(&after).iter().map(|tasks| task_ids(tasks).count()).collect();
            prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{:?}", sizes);
        }
    }

    #[test]
    fn a_task_goes_where_its_state_is() {
        let member = |n: usize| (format!("m{n}"), format!("p{n}"));
        let before = spread(&[member(0), member(1), member(2)], &Target::new(), &[(3, true)], 1);
        let lost = &before["m2"].active;
        let heir = before.iter().find(|(_, tasks)| &tasks.standby == lost).unwrap().0.clone();
        let after = spread(&[member(0), member(1)], &before, &[(3, true)], 1);
        assert!(task_ids(lost).all(|task| after[&heir].active[&task.subtopology].contains(&task.partition)));
    }
}
