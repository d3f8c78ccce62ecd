//! How a member comes from what it has to what it is to have: first it gives up, then it is given, and a task only
//! when nobody has it any more (`CurrentAssignmentBuilder`).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::StreamsGroup;
use super::member::{MemberState, StreamsGroupMember};
use super::tasks::{AssignedTasks, TaskEpochs, Tasks, TasksTuple};
use crate::groups::consumer::requests::GroupError;
use brooklet_protocol::ErrorCode;

/// Which instances have which tasks, those with them that members are still to give up.
#[derive(Debug, Default)]
pub(super) struct Ownership<'a> {
    active: HashMap<(&'a str, i32), &'a str>,
    /// Standby and warm-up tasks: an instance has at most one of both.
    copies: HashMap<(&'a str, i32), HashSet<&'a str>>,
}

impl<'a> Ownership<'a> {
    pub(super) fn of(group: &'a StreamsGroup) -> Self {
        let mut ownership = Self::default();
        for member in group.members.values() {
            let process = member.metadata.process_id.as_str();
            for tasks in [&member.assigned, &member.pending_revocation] {
                for (subtopology, partitions) in &tasks.active {
                    let owned = partitions.keys().map(|partition| ((subtopology.as_str(), *partition), process));
                    ownership.active.extend(owned);
                }
                for (subtopology, partitions) in tasks.standby.iter().chain(&tasks.warmup) {
                    for partition in partitions {
                        ownership.copies.entry((subtopology, *partition)).or_default().insert(process);
                    }
                }
            }
        }
        ownership
    }

    fn has_copy(&self, process: &str, task: (&str, i32)) -> bool {
        self.copies.get(&task).is_some_and(|processes| processes.contains(process))
    }

    /// Whether an instance must wait before it may process a task.
    fn blocks_active(&self, process: &str, task: (&str, i32)) -> bool {
        self.active.contains_key(&task) || self.has_copy(process, task)
    }

    /// Whether an instance must wait before it may keep a task's state.
    fn blocks_copy(&self, process: &str, task: (&str, i32)) -> bool {
        self.active.get(&task) == Some(&process) || self.has_copy(process, task)
    }
}

/// The next step of a member towards its target. `owned` is what it says that it has, if it does.
pub(super) fn reconcile(
    member: &StreamsGroupMember,
    target_epoch: i32,
    target: &TasksTuple,
    owned: Option<&TasksTuple>,
    ownership: &Ownership<'_>,
) -> Result<StreamsGroupMember, GroupError> {
    let next = |epoch| next_assignment(member, epoch, target_epoch, target, owned, ownership);
    match member.state {
        MemberState::Stable if member.epoch == target_epoch => Ok(member.clone()),
        MemberState::Stable | MemberState::UnreleasedTasks => Ok(next(member.epoch)),
        MemberState::UnrevokedTasks => match owned {
            Some(owned) if !member.pending_revocation.overlaps(owned) => Ok(next(member.epoch + 1)),
            _ => Ok(member.clone()),
        },
        MemberState::Unknown if owned.is_some_and(|owned| *owned == TasksTuple::default()) => Ok(next(target_epoch)),
        MemberState::Unknown => Err(GroupError::new(
            ErrorCode::FencedMemberEpoch,
            "The streams group member is in a unknown state. The member must abandon all its tasks and rejoin.",
        )),
    }
}

fn next_assignment(
    member: &StreamsGroupMember,
    epoch: i32,
    target_epoch: i32,
    target: &TasksTuple,
    owned: Option<&TasksTuple>,
    ownership: &Ownership<'_>,
) -> StreamsGroupMember {
    let process = member.metadata.process_id.as_str();
    let mut split = Split::default();
    split.active(&member.assigned.active, &target.active, target_epoch, |task| ownership.blocks_active(process, task));
    let blocks_copy = |task: (&str, i32)| ownership.blocks_copy(process, task);
    split.unreleased |= split_copies(
        (&member.assigned.standby, &target.standby),
        (&mut split.kept.standby, &mut split.revoked.standby, &mut split.added.standby),
        blocks_copy,
    );
    split.unreleased |= split_copies(
        (&member.assigned.warmup, &target.warmup),
        (&mut split.kept.warmup, &mut split.revoked.warmup, &mut split.added.warmup),
        blocks_copy,
    );
    let Split { kept, revoked, added, unreleased } = split;
    let must_revoke = !revoked.is_empty() && owned.is_none_or(|owned| revoked.overlaps(owned));
    let (state, epoch, assigned, pending_revocation) = if must_revoke {
        (MemberState::UnrevokedTasks, epoch, kept, revoked)
    } else {
        let state = if unreleased { MemberState::UnreleasedTasks } else { MemberState::Stable };
        (state, target_epoch, kept.merge(added), AssignedTasks::default())
    };
    StreamsGroupMember { state, epoch, previous_epoch: member.epoch, assigned, pending_revocation, ..member.clone() }
}

/// What a member has and is to have, taken apart.
#[derive(Debug, Default)]
struct Split {
    /// It has it and is to have it.
    kept: AssignedTasks,
    /// It has it and is not to have it.
    revoked: AssignedTasks,
    /// It is to have it and can.
    added: AssignedTasks,
    /// It is to have more, which others have.
    unreleased: bool,
}

impl Split {
    fn active(
        &mut self,
        current: &TaskEpochs,
        target: &Tasks,
        target_epoch: i32,
        blocked: impl Fn((&str, i32)) -> bool,
    ) {
        for subtopology in current.keys().chain(target.keys()).collect::<BTreeSet<_>>() {
            let (none, nothing) = (BTreeMap::new(), BTreeSet::new());
            let current = current.get(subtopology).unwrap_or(&none);
            let target = target.get(subtopology).unwrap_or(&nothing);
            let (kept, revoked): (BTreeMap<i32, i32>, BTreeMap<i32, i32>) =
                current.iter().partition(|(partition, _)| target.contains(partition));
            let wanted = target.iter().filter(|partition| !current.contains_key(partition));
            let (blocked, added): (BTreeSet<i32>, BTreeSet<i32>) =
                wanted.partition(|partition| blocked((subtopology, **partition)));
            self.unreleased |= !blocked.is_empty();
            put(&mut self.kept.active, subtopology, kept);
            put(&mut self.revoked.active, subtopology, revoked);
            let added = added.into_iter().map(|partition| (partition, target_epoch)).collect();
            put(&mut self.added.active, subtopology, added);
        }
    }
}

/// Takes standby or warm-up tasks apart: from what there is and is to be, into what is kept, revoked and added.
/// Whether others have more that is to be added.
fn split_copies(
    (current, target): (&Tasks, &Tasks),
    (kept, revoked, added): (&mut Tasks, &mut Tasks, &mut Tasks),
    blocked: impl Fn((&str, i32)) -> bool,
) -> bool {
    let mut unreleased = false;
    for subtopology in current.keys().chain(target.keys()).collect::<BTreeSet<_>>() {
        let nothing = BTreeSet::new();
        let current = current.get(subtopology).unwrap_or(&nothing);
        let target = target.get(subtopology).unwrap_or(&nothing);
        let (waiting, free): (BTreeSet<i32>, BTreeSet<i32>) =
            target.difference(current).partition(|partition| blocked((subtopology, **partition)));
        unreleased |= !waiting.is_empty();
        put_tasks(kept, subtopology, current & target);
        put_tasks(revoked, subtopology, current - target);
        put_tasks(added, subtopology, free);
    }
    unreleased
}

fn put(tasks: &mut TaskEpochs, subtopology: &str, partitions: BTreeMap<i32, i32>) {
    if !partitions.is_empty() {
        tasks.insert(subtopology.to_owned(), partitions);
    }
}

fn put_tasks(tasks: &mut Tasks, subtopology: &str, partitions: BTreeSet<i32>) {
    if !partitions.is_empty() {
        tasks.insert(subtopology.to_owned(), partitions);
    }
}
