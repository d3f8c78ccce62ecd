//! An instance of the application while tasks are being assigned: its members, and what they have been given.

use std::collections::{BTreeMap, BTreeSet};

/// A task: a partition of a subtopology.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct TaskId {
    pub(super) subtopology: String,
    pub(super) partition: i32,
}

/// What the members of one instance have been given so far (`ProcessState`).
#[derive(Debug, Default)]
pub(super) struct ProcessState {
    /// How many tasks each member has.
    counts: BTreeMap<String, usize>,
    tasks: BTreeSet<TaskId>,
    given: usize,
    pub(super) active: BTreeMap<String, BTreeSet<TaskId>>,
    pub(super) standby: BTreeMap<String, BTreeSet<TaskId>>,
}

impl ProcessState {
    pub(super) fn add_member(&mut self, member: &str) {
        self.counts.insert(member.to_owned(), 0);
    }

    /// Tasks for each member.
    pub(super) fn load(&self) -> f64 {
        self.given as f64 / self.counts.len().max(1) as f64
    }

    pub(super) fn has(&self, task: &TaskId) -> bool {
        self.tasks.contains(task)
    }

    pub(super) fn count_of(&self, member: &str) -> usize {
        self.counts.get(member).copied().unwrap_or(0)
    }

    /// Gives a task to a member, and returns how many that has now.
    pub(super) fn give(&mut self, member: &str, task: TaskId, active: bool) -> usize {
        self.given += 1;
        self.tasks.insert(task.clone());
        let tasks = if active { &mut self.active } else { &mut self.standby };
        tasks.entry(member.to_owned()).or_default().insert(task);
        let count = self.counts.entry(member.to_owned()).or_default();
        *count += 1;
        *count
    }

    /// Gives a task to the member that has the fewest.
    pub(super) fn give_to_least_loaded(&mut self, task: TaskId, active: bool) -> usize {
        let least = self.counts.iter().min_by_key(|(_, count)| **count).map(|(member, _)| member.clone());
        least.map_or(0, |member| self.give(&member, task, active))
    }
}
