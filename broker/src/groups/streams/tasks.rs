//! Sets of tasks: what a member owns, what it is to have, what it has.

use brooklet_protocol::coordinator::streams_group::TargetAssignmentMemberValue;
pub(crate) use brooklet_protocol::coordinator::streams_group::{TaskEpochs, Tasks};

/// Tasks by what is done for them (`TasksTuple`).
pub(crate) type TasksTuple = TargetAssignmentMemberValue;

/// Tasks by what is done for them, active ones with the epoch in which they were assigned (`TasksTupleWithEpochs`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AssignedTasks {
    pub(crate) active: TaskEpochs,
    pub(crate) standby: Tasks,
    pub(crate) warmup: Tasks,
}

impl AssignedTasks {
    pub(crate) fn is_empty(&self) -> bool {
        self.active.is_empty() && self.standby.is_empty() && self.warmup.is_empty()
    }

    /// Takes in others, of which none is here yet.
    pub(crate) fn merge(mut self, others: Self) -> Self {
        for (subtopology, partitions) in others.active {
            self.active.entry(subtopology).or_default().extend(partitions);
        }
        for (mine, others) in [(&mut self.standby, others.standby), (&mut self.warmup, others.warmup)] {
            for (subtopology, partitions) in others {
                mine.entry(subtopology).or_default().extend(partitions);
            }
        }
        self
    }

    /// The active tasks without their epochs.
    pub(crate) fn active_tasks(&self) -> Tasks {
        let tasks = self.active.iter();
        tasks.map(|(subtopology, partitions)| (subtopology.clone(), partitions.keys().copied().collect())).collect()
    }

    /// Whether any of these is among `owned`, and for the same purpose.
    pub(crate) fn overlaps(&self, owned: &TasksTuple) -> bool {
        let common = |mine: &Tasks, owned: &Tasks| {
            let both = mine.iter().filter_map(|(subtopology, partitions)| Some((partitions, owned.get(subtopology)?)));
            both.into_iter().any(|(mine, owned)| !mine.is_disjoint(owned))
        };
        common(&self.active_tasks(), &owned.active)
            || common(&self.standby, &owned.standby)
            || common(&self.warmup, &owned.warmup)
    }

    /// Whether all of `owned` are among these, for the same purpose.
    pub(crate) fn contains_all(&self, owned: &TasksTuple) -> bool {
        let contained = |owned: &Tasks, mine: &Tasks| {
            owned
                .iter()
                .all(|(subtopology, partitions)| mine.get(subtopology).is_some_and(|mine| partitions.is_subset(mine)))
        };
        contained(&owned.active, &self.active_tasks())
            && contained(&owned.standby, &self.standby)
            && contained(&owned.warmup, &self.warmup)
    }
}
