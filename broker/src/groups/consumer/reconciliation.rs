//! How a member comes from what it has to what it is to have: first it gives up what is not to be its any more, at its
//! old epoch, then it goes to the new one with all that others have given up (`CurrentAssignmentBuilder`).

use std::collections::BTreeSet;

use uuid::Uuid;

use super::member::{ConsumerGroupMember, MemberState, OwnedAssignment};
use crate::groups::assignor::Assignment;

/// What a member's next step depends on.
pub(super) struct Reconciliation<'a> {
    /// The epoch of the target assignment.
    pub(super) target_epoch: i32,
    /// What the member is to have.
    pub(super) target: &'a Assignment,
    /// The topics that it subscribes to and that exist.
    pub(super) subscribed: &'a BTreeSet<Uuid>,
    /// It has just changed what it subscribes to.
    pub(super) has_subscription_changed: bool,
    /// What the member says it has; `None` if it did not say.
    pub(super) owned: Option<&'a Assignment>,
    /// Whether anybody has this partition now.
    pub(super) is_owned: &'a dyn Fn(Uuid, i32) -> bool,
}

impl Reconciliation<'_> {
    /// The member one step further, or as it is if it must wait. `None` if it must start anew.
    pub(super) fn advance(&self, member: &ConsumerGroupMember) -> Option<ConsumerGroupMember> {
        Some(match member.state {
            MemberState::Stable if member.epoch != self.target_epoch => self.next(member, member.epoch),
            MemberState::Stable if self.has_subscription_changed => self.drop_unsubscribed(member),
            MemberState::Stable => member.clone(),
            MemberState::UnrevokedPartitions if !self.holds_any(&member.pending_revocation) => {
                self.next(member, member.epoch)
            }
            MemberState::UnrevokedPartitions if self.has_subscription_changed => self.drop_unsubscribed(member),
            MemberState::UnrevokedPartitions => member.clone(),
            MemberState::UnreleasedPartitions => self.next(member, member.epoch),
            MemberState::Unknown if self.owned.is_some_and(Assignment::is_empty) => {
                self.next(member, self.target_epoch)
            }
            MemberState::Unknown => return None,
        })
    }

    /// Whether the member still has any of these. One that does not say still has all.
    fn holds_any(&self, partitions: &OwnedAssignment) -> bool {
        let Some(owned) = self.owned else {
            return true;
        };
        owned.iter().any(|(topic, owned)| {
            partitions.get(topic).is_some_and(|given| owned.iter().any(|partition| given.contains_key(partition)))
        })
    }

    /// Takes away what the member no longer subscribes to, without a look at the target.
    fn drop_unsubscribed(&self, member: &ConsumerGroupMember) -> ConsumerGroupMember {
        let mut next = member.clone();
        let gone = next.assigned.extract_if(.., |topic, _| !self.subscribed.contains(topic));
        let gone: OwnedAssignment = gone.collect();
        if gone.is_empty() {
            return next;
        }
        let mut pending = next.pending_revocation.clone();
        for (topic, partitions) in gone {
            pending.entry(topic).or_default().extend(partitions);
        }
        next.advance(member.epoch);
        if self.holds_any(&pending) {
            next.state = MemberState::UnrevokedPartitions;
            next.pending_revocation = pending;
        }
        next
    }

    fn next(&self, member: &ConsumerGroupMember, epoch: i32) -> ConsumerGroupMember {
        let mut assigned = OwnedAssignment::new();
        let mut pending = OwnedAssignment::new();
        let is_target = |topic: &Uuid, partition: &i32| {
            self.subscribed.contains(topic) && self.target.get(topic).is_some_and(|target| target.contains(partition))
        };
        for (topic, partitions) in &member.assigned {
            for (partition, since) in partitions {
                let kept = if is_target(topic, partition) { &mut assigned } else { &mut pending };
                kept.entry(*topic).or_default().insert(*partition, *since);
            }
        }
        let mut next = member.clone();
        if !pending.is_empty() && self.holds_any(&pending) {
            next.state = MemberState::UnrevokedPartitions;
            next.advance(epoch);
            next.assigned = assigned;
            next.pending_revocation = pending;
            return next;
        }
        let mut waits = false;
        for (topic, target) in self.target.iter().filter(|(topic, _)| self.subscribed.contains(*topic)) {
            let had = member.assigned.get(topic);
            for partition in target.iter().filter(|partition| !had.is_some_and(|had| had.contains_key(*partition))) {
                // What it has yet to give up itself is free for it alone.
                let own = member.pending_revocation.get(topic).is_some_and(|own| own.contains_key(partition));
                if (self.is_owned)(*topic, *partition) && !own {
                    waits = true;
                } else {
                    assigned.entry(*topic).or_default().insert(*partition, self.target_epoch);
                }
            }
        }
        next.state = if waits { MemberState::UnreleasedPartitions } else { MemberState::Stable };
        next.advance(self.target_epoch);
        next.assigned = assigned;
        next.pending_revocation.clear();
        next
    }
}
