//! A group changes between the two protocols while its members go on (KIP-848): a classic group becomes one of the
//! consumer protocol with the first member that speaks it, and a classic one again when the last of them has gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::consumer::{self, MemberAssignment, Subscription};
use brooklet_protocol::coordinator::consumer_group::{ClassicMemberMetadata, ClassicProtocol};
use bytes::Bytes;

use super::draft::{Decision, Draft};
use super::member::{ConsumerGroupMember, OwnedAssignment};
use super::requests::GroupError;
use super::{ConsumerGroup, Step};
use crate::groups::assignor::Assignment;
use crate::groups::classic::{self, ClassicGroup};
use crate::groups::requests::Protocol;
use crate::groups::shard::GroupRecord;
use crate::groups::topics_image::TopicsImage;

/// Which changes are allowed (`group.consumer.migration.policy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MigrationPolicy {
    pub(crate) upgrade: bool,
    pub(crate) downgrade: bool,
}

impl MigrationPolicy {
    /// The policy of this name, which the config's table has checked.
    pub(crate) fn from_name(name: &str) -> Self {
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
        let both = is("bidirectional");
        Self { upgrade: both || is("upgrade"), downgrade: both || is("downgrade") }
    }

    /// Whether classic members may be in a group of the consumer protocol.
    pub(super) fn allows_any(self) -> bool {
        self.upgrade || self.downgrade
    }
}

/// A classic group that takes the place of one of the consumer protocol.
#[derive(Debug)]
pub(crate) struct Downgrade {
    pub(crate) group: ClassicGroup,
    /// Its members must join anew: what they have is not what their group's last epoch called for.
    pub(crate) rebalances: bool,
}

impl ConsumerGroup {
    /// A classic group as one of the consumer protocol, with the records that make it so: members keep what they have,
    /// and their generation is their epoch.
    pub(crate) fn upgraded(classic: &ClassicGroup, step: &Step<'_>) -> Result<Draft<'static>, GroupError> {
        let refuse = |reason: &str| {
            let message = format!("group {} cannot become a consumer group: {reason}", classic.id());
            GroupError::new(ErrorCode::GroupIdNotFound, message)
        };
        if !step.settings.migration_policy.upgrade {
            return Err(refuse("group.consumer.migration.policy does not allow it"));
        }
        if classic.protocol_type() != Some(consumer::PROTOCOL_TYPE) {
            return Err(refuse("its members are no consumers"));
        }
        if classic.members().count() > step.settings.max_size {
            return Err(refuse("it has more members than group.consumer.max.size allows"));
        }
        let generation = classic.generation();
        let members: Vec<(ConsumerGroupMember, Assignment)> = classic
            .members()
            .map(|member| upgraded_member(classic, member, step.topics).map_err(&refuse))
            .collect::<Result<_, _>>()?;
        let tombstone = GroupRecord::group(classic.id(), None);
        let mut draft = Draft::new(Self::new(Arc::from(classic.id())), vec![tombstone]);
        for (member, _) in &members {
            draft.put_metadata(member);
        }
        let hash = draft.group.compute_metadata_hash(step.topics);
        draft.put_epoch(generation, hash);
        for (member, target) in &members {
            draft.put_target(&member.id, target);
        }
        draft.put_target_epoch(generation, 0);
        for (member, _) in &members {
            draft.put_assignment(member);
        }
        Ok(draft)
    }

    /// The group without these members as a classic one, if nobody else speaks the consumer protocol.
    pub(super) fn downgrade_without(&self, leaving: &BTreeSet<String>, step: &Step<'_>) -> Option<Decision<()>> {
        let staying: Vec<_> = self.members.values().filter(|member| !leaving.contains(&member.id)).collect();
        let all_classic = staying.iter().all(|member| member.uses_classic_protocol());
        if staying.is_empty() || !all_classic || !self.may_downgrade(staying.len(), step) {
            return None;
        }
        let group = self.as_classic(staying.into_iter().map(|member| (member, member.id.as_str())), step)?;
        let mut records = self.tombstones();
        records.push(group.record());
        Some(Decision { answer: (), records, downgrade: Some(Box::new(Downgrade { group, rebalances: true })) })
    }

    pub(super) fn may_downgrade(&self, members: usize, step: &Step<'_>) -> bool {
        step.settings.migration_policy.downgrade && members <= step.settings.classic_max_size
    }

    /// A classic group of these members, each with what another, or it itself, was to have. `None` if a member's
    /// subscription cannot be read.
    pub(super) fn as_classic<'a>(
        &self,
        members: impl Iterator<Item = (&'a ConsumerGroupMember, &'a str)>,
        step: &Step<'_>,
    ) -> Option<ClassicGroup> {
        let mut classic_members = Vec::new();
        for (member, target_of) in members {
            let known = member.classic.as_ref()?;
            let protocols = known.supported_protocols.iter();
            let protocols =
                protocols.map(|protocol| Protocol { name: protocol.name.clone(), metadata: protocol.metadata.clone() });
            let assignment = assignment_bytes(member, &self.target_of(target_of), step.topics)?;
            classic_members.push(classic::Member {
                id: member.id.clone(),
                group_instance_id: member.instance_id.clone(),
                client_id: member.client_id.clone(),
                client_host: member.client_host.clone(),
                rebalance_timeout_ms: member.rebalance_timeout_ms,
                session_timeout_ms: known.session_timeout_ms,
                protocol_type: consumer::PROTOCOL_TYPE.to_owned(),
                protocols: protocols.collect(),
                assignment,
                awaiting_join: None,
                awaiting_sync: None,
                is_new: false,
            });
        }
        Some(ClassicGroup::assemble(Arc::clone(&self.group_id), self.epoch, classic_members, step.now.wall_ms))
    }
}

fn upgraded_member(
    classic: &ClassicGroup,
    member: &classic::Member,
    topics: &dyn TopicsImage,
) -> Result<(ConsumerGroupMember, Assignment), &'static str> {
    const MALFORMED: &str = "what its members say of themselves cannot be read";
    let generation = classic.generation();
    let mut target = Assignment::new();
    // Who has just joined has nothing yet.
    if !member.assignment.is_empty() {
        let assigned = MemberAssignment::decode(member.assignment.clone()).map_err(|_| MALFORMED)?;
        if assigned.has_user_data {
            return Err("its members use an assignor of their own");
        }
        target = by_id(&assigned.partitions, topics);
    }
    let subscription = Subscription::decode(classic.metadata_of(member)).map_err(|_| MALFORMED)?;
    let protocols = member.protocols.iter();
    let protocols =
        protocols.map(|protocol| ClassicProtocol { name: protocol.name.clone(), metadata: protocol.metadata.clone() });
    let mut upgraded = ConsumerGroupMember::new(&member.id);
    (upgraded.epoch, upgraded.previous_epoch) = (generation, generation);
    upgraded.assigned = with_epoch(&target, generation);
    upgraded.instance_id.clone_from(&member.group_instance_id);
    upgraded.rack_id = subscription.rack_id.filter(|rack| !rack.is_empty());
    upgraded.client_id.clone_from(&member.client_id);
    upgraded.client_host.clone_from(&member.client_host);
    upgraded.rebalance_timeout_ms = member.rebalance_timeout_ms;
    upgraded.subscribed_topic_names = subscription.topics.into_iter().collect();
    upgraded.classic = Some(ClassicMemberMetadata {
        session_timeout_ms: member.session_timeout_ms,
        supported_protocols: protocols.collect(),
    });
    Ok((upgraded, target))
}

/// What a classic member is told that it has, in the version that it speaks.
pub(super) fn assignment_bytes(
    member: &ConsumerGroupMember,
    assignment: &Assignment,
    topics: &dyn TopicsImage,
) -> Option<Bytes> {
    let protocol = member.classic.as_ref()?.supported_protocols.first()?;
    let version = Subscription::decode(protocol.metadata.clone()).ok()?.version;
    let named = assignment.iter().filter_map(|(topic, partitions)| {
        Some((topics.by_id(*topic)?.name.to_string(), partitions.iter().copied().collect()))
    });
    Some(consumer::encode_assignment(version, &named.collect()))
}

/// Partitions of topics that exist, by the topics' ids.
pub(super) fn by_id(named: &consumer::NamedPartitions, topics: &dyn TopicsImage) -> Assignment {
    let mut assignment = Assignment::new();
    for (name, partitions) in named.iter().filter(|(_, partitions)| !partitions.is_empty()) {
        if let Some(topic) = topics.by_name(name) {
            assignment.entry(topic.id).or_default().extend(partitions);
        }
    }
    assignment
}

fn with_epoch(assignment: &Assignment, epoch: i32) -> OwnedAssignment {
    let of_topic = |partitions: &BTreeSet<i32>| -> BTreeMap<i32, i32> {
        partitions.iter().map(|partition| (*partition, epoch)).collect()
    };
    assignment.iter().map(|(topic, partitions)| (*topic, of_topic(partitions))).collect()
}
