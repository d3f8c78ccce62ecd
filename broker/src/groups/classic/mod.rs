//! A classic group: the members agree on a protocol, one of them assigns, all learn what they got (KIP-62 and before;
//! the state machine is that of Kafka's `ClassicGroup`).
//!
//! A member's request that cannot be answered yet is kept as its [`Token`]; answers leave as [`Effect`]s. Joining is
//! in `join`, what follows it in `sync`, leaving and silence in `departure`.

mod departure;
mod join;
mod member;
mod sync;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::consumer;
use brooklet_protocol::coordinator::group_metadata::{GroupMetadataValue, MemberMetadata};
use bytes::Bytes;

use super::consumer::{ConsumerGroupSettings, Decision};
use super::offsets::OffsetsAge;
use super::requests::{
    GroupDescription, GroupListing, GroupState, GroupType, JoinResponse, JoinedMember, MemberDescription,
    MemberIdentity, SyncResponse, Token,
};
use super::shard::GroupRecord;
use super::streams::StreamsTimer;
use crate::coordinator::timer::{Millis, TimerQueue};
pub(crate) use member::Member;

/// What a group does to the world.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Answers a waiting join.
    Join(Token, JoinResponse),
    /// Answers a waiting sync.
    Sync(Token, SyncResponse),
    /// Keeps how the group stands now. Not to have kept it costs the members a rebalance after a restart, no more,
    /// so nobody waits for it.
    Persist {
        /// The group.
        group_id: Arc<str>,
        /// Its state.
        value: GroupMetadataValue,
    },
    /// Makes a decision on a consumer group true, and answers the join that it was made for.
    Decide(Box<Decision<Option<(Token, JoinResponse)>>>),
    /// A member of a share group was silent for too long and is to be taken out.
    ShareSessionExpired {
        /// The group.
        group_id: Arc<str>,
        /// The member.
        member_id: String,
    },
}

/// Names a timer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TimerKey {
    pub(crate) group_id: Arc<str>,
    pub(crate) kind: TimerKind,
}

/// What a timer is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum TimerKind {
    /// The join phase ends, whoever has come.
    Join,
    /// Members that have not asked for their assignment are taken out.
    Sync,
    /// A member has been silent for too long.
    Session(String),
    /// A member of a consumer group has not given up partitions in time.
    Revocation(String),
    /// A classic member of a consumer group has not rejoined in time.
    ClassicJoin(String),
    /// A classic member of a consumer group has not asked for its assignment in time.
    ClassicSync(String),
    /// Something that a streams group waits for.
    Streams(StreamsTimer),
}

/// The configs that groups follow.
#[derive(Debug, Clone)]
pub(crate) struct GroupSettings {
    /// `group.min.session.timeout.ms`.
    pub(crate) min_session_timeout_ms: i32,
    /// `group.max.session.timeout.ms`.
    pub(crate) max_session_timeout_ms: i32,
    /// `group.initial.rebalance.delay.ms`.
    pub(crate) initial_rebalance_delay_ms: u64,
    /// `group.max.size`.
    pub(crate) max_size: usize,
    /// `offset.metadata.max.bytes`.
    pub(crate) offset_metadata_max_bytes: usize,
    /// `offsets.retention.minutes`.
    pub(crate) offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`.
    pub(crate) offsets_retention_check_interval_ms: u64,
    /// Those of consumer groups.
    pub(crate) consumer: ConsumerGroupSettings,
    /// `group.streams.max.size`.
    pub(crate) streams_max_size: usize,
    /// `group.share.max.size`.
    pub(crate) share_max_size: usize,
}

/// How long a new member may wait in a join: it has no session yet and cannot be heard.
const NEW_MEMBER_JOIN_TIMEOUT_MS: u64 = 5 * 60 * 1000;

/// One step of the coordinator: when it happens, by which rules, and what comes of it.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    pub(crate) now: Millis,
    /// Milliseconds since 1970, for what is stored.
    pub(crate) wall_ms: i64,
    pub(crate) settings: &'a GroupSettings,
    pub(crate) timers: &'a mut TimerQueue<TimerKey>,
    pub(crate) effects: &'a mut Vec<Effect>,
}

/// A classic group.
#[derive(Debug)]
pub(crate) struct ClassicGroup {
    group_id: Arc<str>,
    state: GroupState,
    /// The state from which it went to prepare a rebalance: from empty, it waits for more members to come.
    was_empty: bool,
    generation: i32,
    protocol_type: Option<String>,
    protocol: Option<String>,
    leader: Option<String>,
    members: BTreeMap<String, Member>,
    static_members: HashMap<String, String>,
    /// Ids given out to members that have yet to come with them.
    pending_joins: BTreeSet<String>,
    /// Members that have joined this generation and not asked for their assignment.
    pending_syncs: BTreeSet<String>,
    /// Of the first rebalance: a member came while it was delayed.
    new_member_added: bool,
    /// What is left of the first rebalance's delay, in milliseconds.
    delay_left: u64,
    state_changed_ms: i64,
    /// Something of it was kept, be it only an offset.
    is_kept: bool,
}

impl ClassicGroup {
    pub(crate) fn new(group_id: Arc<str>, wall_ms: i64) -> Self {
        Self {
            group_id,
            state: GroupState::Empty,
            was_empty: true,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            static_members: HashMap::new(),
            pending_joins: BTreeSet::new(),
            pending_syncs: BTreeSet::new(),
            new_member_added: false,
            delay_left: 0,
            state_changed_ms: wall_ms,
            is_kept: false,
        }
    }

    /// A group as it was stored. Its members are expected to go on; those that do not are found out by their
    /// sessions, which [`ClassicGroup::resume`] starts.
    pub(crate) fn restore(group_id: Arc<str>, value: GroupMetadataValue) -> Self {
        let mut group = Self::new(group_id, value.current_state_timestamp);
        group.is_kept = true;
        group.generation = value.generation;
        group.protocol_type = Some(value.protocol_type).filter(|name| !name.is_empty());
        group.protocol = value.protocol;
        group.leader = value.leader;
        for metadata in value.members {
            let protocol = group.protocol.clone().unwrap_or_default();
            let protocol_type = group.protocol_type.clone().unwrap_or_default();
            let member = Member::restore(metadata, protocol_type, protocol);
            group.insert(member);
        }
        group.state = if group.members.is_empty() { GroupState::Empty } else { GroupState::Stable };
        group
    }

    /// A group whose members have what they were assigned elsewhere.
    pub(crate) fn assemble(group_id: Arc<str>, generation: i32, members: Vec<Member>, wall_ms: i64) -> Self {
        let mut group = Self::new(group_id, wall_ms);
        group.generation = generation;
        group.leader = members.first().map(|member| member.id.clone());
        members.into_iter().for_each(|member| group.insert(member));
        group.protocol = group.select_protocol();
        group.state = GroupState::Stable;
        group.was_empty = false;
        group
    }

    /// Its members go on in a group of another kind: who waits is told to come again.
    pub(crate) fn abandon(&mut self, turn: &mut Turn<'_>) {
        for kind in [TimerKind::Join, TimerKind::Sync] {
            turn.timers.disarm(&self.timer(kind));
        }
        for member_id in std::mem::take(&mut self.pending_joins) {
            turn.timers.disarm(&self.session_key(&member_id));
        }
        for member in self.members.values_mut() {
            if let Some(token) = member.awaiting_join.take() {
                let response = JoinResponse::error(ErrorCode::RebalanceInProgress, member.id.as_str());
                turn.effects.push(Effect::Join(token, response));
            }
            if let Some(token) = member.awaiting_sync.take() {
                turn.effects.push(Effect::Sync(token, SyncResponse::error(ErrorCode::RebalanceInProgress)));
            }
        }
    }

    pub(crate) fn id(&self) -> &str {
        &self.group_id
    }

    pub(crate) fn generation(&self) -> i32 {
        self.generation
    }

    pub(crate) fn protocol_type(&self) -> Option<&str> {
        self.protocol_type.as_deref()
    }

    /// Its members, by id.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// No members have a part in it, even if some are on the way.
    pub(crate) fn is_empty(&self) -> bool {
        self.state == GroupState::Empty
    }

    /// The record of how it stands now.
    pub(crate) fn record(&self) -> GroupRecord {
        GroupRecord::group(&self.group_id, Some(&self.metadata_value()))
    }

    /// Since when its offsets age (`OffsetExpirationCondition`); `None` while they do not.
    pub(crate) fn offsets_age(&self) -> Option<OffsetsAge> {
        match (&self.protocol_type, self.state) {
            (None, _) => Some(OffsetsAge::SinceCommit),
            (Some(_), GroupState::Empty) if self.state_changed_ms >= 0 => {
                Some(OffsetsAge::Since(self.state_changed_ms))
            }
            (Some(_), GroupState::Empty) => Some(OffsetsAge::SinceCommit),
            (Some(kind), GroupState::Stable) if kind == consumer::PROTOCOL_TYPE => Some(OffsetsAge::SinceCommit),
            (Some(_), _) => None,
        }
    }

    /// Begins the sessions of a restored group's members.
    pub(crate) fn resume(&self, turn: &mut Turn<'_>) {
        for member in self.members.values() {
            self.arm_session(member, u64::from(member.session_timeout_ms.unsigned_abs()), turn);
        }
    }

    /// Nobody is a member, and nobody has ever been.
    pub(crate) fn is_vacant(&self) -> bool {
        self.members.is_empty() && self.generation == 0 && self.state == GroupState::Empty
    }

    /// An offset of it was kept.
    pub(crate) fn keep(&mut self) {
        self.is_kept = true;
    }

    /// Whether there is anything to know of it. Somebody asking to join does not make it a group.
    pub(crate) fn is_shown(&self) -> bool {
        self.is_kept || !self.is_vacant()
    }

    pub(crate) fn listing(&self) -> GroupListing {
        GroupListing {
            group_id: self.group_id.to_string(),
            kind: GroupType::Classic,
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            state: self.state.name(),
        }
    }

    pub(crate) fn describe(&self) -> GroupDescription {
        // Metadata and assignments mean nothing until the members have agreed.
        let stable = self.state == GroupState::Stable;
        let members = self.members.values().map(|member| MemberDescription {
            member_id: member.id.clone(),
            group_instance_id: member.group_instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: if stable { self.metadata_of(member) } else { Bytes::new() },
            assignment: if stable { member.assignment.clone() } else { Bytes::new() },
        });
        GroupDescription {
            state: self.state,
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol: if stable { self.protocol.clone().unwrap_or_default() } else { String::new() },
            members: members.collect(),
        }
    }

    /// Whether any member of a consumer group subscribes to `topic`. A subscription that cannot be read, or is not
    /// known yet, counts as one to every topic.
    pub(crate) fn subscribes_to(&self, topic: &str) -> bool {
        if self.members.is_empty() {
            return false;
        }
        self.members.values().flat_map(|member| &member.protocols).any(|protocol| {
            consumer::subscribed_topics(protocol.metadata.clone())
                .map_or(true, |topics| topics.iter().any(|name| name == topic))
        })
    }

    /// Only an empty group may be deleted.
    pub(crate) fn check_delete(&self) -> Result<(), ErrorCode> {
        if self.state == GroupState::Empty { Ok(()) } else { Err(ErrorCode::NonEmptyGroup) }
    }

    /// What members of another type than consumers subscribe to is not known: their offsets stay while they are there.
    pub(crate) fn check_offset_delete(&self) -> Result<(), ErrorCode> {
        let knows_subscriptions = self.protocol_type.as_deref() == Some(consumer::PROTOCOL_TYPE);
        if self.state == GroupState::Empty || knows_subscriptions { Ok(()) } else { Err(ErrorCode::NonEmptyGroup) }
    }

    /// Whether this member may commit offsets now; a stable member's session begins anew with it.
    pub(crate) fn admit_commit(&mut self, member: &MemberIdentity, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
        let anonymous = member.generation < 0 && member.member_id.is_empty() && member.group_instance_id.is_none();
        if self.state == GroupState::Empty && member.generation < 0 {
            return Ok(());
        }
        if anonymous {
            return Err(ErrorCode::UnknownMemberId);
        }
        self.validate_member(&member.member_id, member.group_instance_id.as_deref())?;
        if member.generation != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        if self.state == GroupState::CompletingRebalance {
            return Err(ErrorCode::RebalanceInProgress);
        }
        self.renew_session(&member.member_id, turn);
        Ok(())
    }

    /// Whether offsets may be committed in a transaction. Producers of old name no member; who does must be it. The state
    /// of the group does not matter.
    pub(crate) fn admit_transactional_commit(&self, member: &MemberIdentity) -> Result<(), ErrorCode> {
        let anonymous = member.generation < 0 && member.member_id.is_empty() && member.group_instance_id.is_none();
        if anonymous || (self.state == GroupState::Empty && member.generation < 0) {
            return Ok(());
        }
        self.validate_member(&member.member_id, member.group_instance_id.as_deref())?;
        if member.generation != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        Ok(())
    }

    /// How the group is to be stored, with what each member is assigned.
    fn metadata_value(&self) -> GroupMetadataValue {
        let members = self.members.values().map(|member| MemberMetadata {
            member_id: member.id.clone(),
            group_instance_id: member.group_instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            session_timeout_ms: member.session_timeout_ms,
            subscription: self.metadata_of(member),
            assignment: member.assignment.clone(),
        });
        GroupMetadataValue {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            current_state_timestamp: self.state_changed_ms,
            members: members.collect(),
        }
    }

    fn persist(&self, turn: &mut Turn<'_>) {
        turn.effects.push(Effect::Persist { group_id: Arc::clone(&self.group_id), value: self.metadata_value() });
    }

    fn transition(&mut self, state: GroupState, turn: &Turn<'_>) {
        self.state = state;
        self.state_changed_ms = turn.wall_ms;
    }

    fn insert(&mut self, member: Member) {
        if let Some(instance) = &member.group_instance_id {
            self.static_members.insert(instance.clone(), member.id.clone());
        }
        self.pending_joins.remove(&member.id);
        self.protocol_type.get_or_insert_with(|| member.protocol_type.clone());
        self.members.insert(member.id.clone(), member);
    }

    /// Takes a member out, whatever it waits for being answered, and its timers with it.
    fn remove(&mut self, member_id: &str, turn: &mut Turn<'_>) {
        turn.timers.disarm(&self.session_key(member_id));
        self.pending_joins.remove(member_id);
        self.pending_syncs.remove(member_id);
        let Some(member) = self.members.remove(member_id) else {
            return;
        };
        if let Some(token) = member.awaiting_join {
            turn.effects.push(Effect::Join(token, JoinResponse::error(ErrorCode::UnknownMemberId, "")));
        }
        if let Some(token) = member.awaiting_sync {
            turn.effects.push(Effect::Sync(token, SyncResponse::error(ErrorCode::UnknownMemberId)));
        }
        if let Some(instance) = &member.group_instance_id
            && self.static_members.get(instance).is_some_and(|current| *current == member.id)
        {
            self.static_members.remove(instance);
        }
        if self.leader.as_deref() == Some(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
    }

    /// Whether the group knows this member, and by the instance id that it gives (KIP-345).
    fn validate_member(&self, member_id: &str, group_instance_id: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance) = group_instance_id {
            match self.static_members.get(instance) {
                None => return Err(ErrorCode::UnknownMemberId),
                Some(current) if current != member_id => return Err(ErrorCode::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(ErrorCode::UnknownMemberId) }
    }

    fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    /// What a member says of itself for the protocol that the group has agreed on.
    pub(crate) fn metadata_of(&self, member: &Member) -> Bytes {
        self.protocol.as_deref().map(|name| member.metadata(name)).unwrap_or_default()
    }

    /// All members with their metadata, as the leader needs them.
    fn joined_members(&self) -> Vec<JoinedMember> {
        let members = self.members.values().map(|member| JoinedMember {
            member_id: member.id.clone(),
            group_instance_id: member.group_instance_id.clone(),
            metadata: self.metadata_of(member),
        });
        members.collect()
    }

    /// The longest that any member may take to rejoin.
    fn rebalance_timeout_ms(&self) -> u64 {
        let longest = self.members.values().map(|member| member.rebalance_timeout_ms).max();
        u64::from(longest.unwrap_or(0).max(0).unsigned_abs())
    }

    fn has_all_joined(&self) -> bool {
        self.pending_joins.is_empty() && self.members.values().all(|member| member.awaiting_join.is_some())
    }

    fn session_key(&self, member_id: &str) -> TimerKey {
        self.timer(TimerKind::Session(member_id.to_owned()))
    }

    fn timer(&self, kind: TimerKind) -> TimerKey {
        TimerKey { group_id: Arc::clone(&self.group_id), kind }
    }

    fn arm_session(&self, member: &Member, timeout_ms: u64, turn: &mut Turn<'_>) {
        turn.timers.arm(self.session_key(&member.id), turn.now + timeout_ms);
    }

    /// The member has been heard: its session begins anew.
    fn renew_session(&self, member_id: &str, turn: &mut Turn<'_>) {
        if let Some(member) = self.members.get(member_id) {
            self.arm_session(member, u64::from(member.session_timeout_ms.unsigned_abs()), turn);
        }
    }
}
