//! The target assignment: made anew for an epoch of the group, as soon as that is due (`TargetAssignmentBuilder`).

use std::collections::BTreeMap;

use super::draft::Draft;
use super::{ConsumerGroup, ConsumerGroupSettings, Step};
use crate::groups::assignor::{Assignor, GroupSpec, MemberSpec};
use crate::groups::topics_image::TopicsImage;

impl Draft<'_> {
    /// Makes the target assignment for the group's epoch if there is none yet. Soon after the last it waits, so that
    /// members that come together are served together (KIP-1263).
    pub(super) fn update_target_assignment(&mut self, step: &Step<'_>) {
        let group = &self.group;
        if group.assignment_epoch >= group.epoch {
            return;
        }
        let interval_ms = step.configs.of(&group.group_id).consumer_assignment_interval_ms;
        let due = group.assignment_timestamp.saturating_add(i64::from(interval_ms));
        if group.assignment_timestamp != 0 && interval_ms != 0 && step.now.wall_ms < due {
            return;
        }
        let assignor = group.assignor(step.settings);
        let assigned = assignor.assign(&group.spec(step.topics));
        tracing::debug!(
            group = %group.group_id, epoch = group.epoch, assignor = assignor.name(), "a target assignment is made"
        );
        let epoch = group.epoch;
        let changed: Vec<_> = assigned
            .into_iter()
            .filter(|(member_id, assignment)| group.target_assignment.get(member_id) != Some(assignment))
            .collect();
        for (member_id, assignment) in changed {
            self.put_target(&member_id, &assignment);
        }
        self.put_target_epoch(epoch, step.now.wall_ms);
    }
}

impl ConsumerGroup {
    /// The assignor that most members want.
    pub(super) fn assignor(&self, settings: &ConsumerGroupSettings) -> Assignor {
        let mut wanted: BTreeMap<&str, usize> = BTreeMap::new();
        for name in self.members.values().filter_map(|member| member.server_assignor.as_deref()) {
            *wanted.entry(name).or_default() += 1;
        }
        let most = wanted.into_iter().max_by_key(|(_, members)| *members);
        most.and_then(|(name, _)| Assignor::from_name(name)).unwrap_or_else(|| settings.default_assignor())
    }

    fn spec(&self, topics: &dyn TopicsImage) -> GroupSpec {
        let member = |member: &super::ConsumerGroupMember| MemberSpec {
            instance_id: member.instance_id.clone(),
            topics: self.subscribed_topics(member, topics),
            assignment: self.target_of(&member.id),
        };
        let members: BTreeMap<String, MemberSpec> =
            self.members.iter().map(|(id, known)| (id.clone(), member(known))).collect();
        let ids = members.values().flat_map(|member| &member.topics);
        let partition_counts = ids.filter_map(|id| Some((*id, topics.by_id(*id)?.partitions))).collect();
        GroupSpec { members, subscriptions: self.subscription_type(), partition_counts }
    }
}
