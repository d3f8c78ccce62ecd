//! What handlers ask of the group coordinator about share groups, and how its task does it: here the group's records
//! and the share coordinator's meet.

use std::collections::{BTreeMap, BTreeSet};

use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::share_group::TopicPartitionsInfo;
use brooklet_protocol::coordinator::share_state::SharePartitionKey;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::requests::{
    LEAVE_EPOCH, ShareGroupDescription, ShareGroupError, ShareHeartbeat, ShareHeartbeatAnswer, ShareOffsetsToSet,
    ShareProposal, StatePartitions,
};
use crate::error::ToErrorCode;
use crate::groups::runtime::{Command, GroupCoordinator, Runtime, deliver};
use crate::share::state::shard::{NO_START_OFFSET, ShareStateError};

/// How it went for each partition.
pub(crate) type SetOffsets = BTreeMap<(Uuid, i32), Result<(), ShareStateError>>;
/// How it went for each topic that had share state.
pub(crate) type DeletedOffsets = BTreeMap<Uuid, Result<(), ShareStateError>>;

type Reply<T> = oneshot::Sender<Result<T, ShareGroupError>>;

/// A request about a share group.
pub(crate) enum ShareCommand {
    Heartbeat(ShareHeartbeat, Reply<ShareHeartbeatAnswer>),
    Describe(String, Reply<ShareGroupDescription>),
    Initialized(String, oneshot::Sender<StatePartitions>),
    SetOffsets(ShareOffsetsToSet, Reply<SetOffsets>),
    DeleteOffsets(String, Vec<Uuid>, Reply<DeletedOffsets>),
}

impl GroupCoordinator {
    pub(crate) async fn share_heartbeat(
        &self,
        request: ShareHeartbeat,
    ) -> Result<ShareHeartbeatAnswer, ShareGroupError> {
        self.ask_share(|reply| ShareCommand::Heartbeat(request, reply)).await
    }

    pub(crate) async fn share_describe(&self, group_id: String) -> Result<ShareGroupDescription, ShareGroupError> {
        self.ask_share(|reply| ShareCommand::Describe(group_id, reply)).await
    }

    /// The partitions that have share state for a group.
    pub(crate) async fn share_initialized(&self, group_id: String) -> Result<StatePartitions, ErrorCode> {
        self.ask(|reply| Command::Share(Box::new(ShareCommand::Initialized(group_id, reply)))).await
    }

    /// Sets the start offsets of a group without members, which need not exist.
    pub(crate) async fn share_set_offsets(&self, offsets: ShareOffsetsToSet) -> Result<SetOffsets, ShareGroupError> {
        self.ask_share(|reply| ShareCommand::SetOffsets(offsets, reply)).await
    }

    /// Ends the share state of topics for a group without members. Topics that had none are not in the answer.
    pub(crate) async fn share_delete_offsets(
        &self,
        group_id: String,
        topics: Vec<Uuid>,
    ) -> Result<DeletedOffsets, ShareGroupError> {
        self.ask_share(|reply| ShareCommand::DeleteOffsets(group_id, topics, reply)).await
    }

    async fn ask_share<T>(&self, command: impl FnOnce(Reply<T>) -> ShareCommand) -> Result<T, ShareGroupError> {
        let answer = self.ask(|reply| Command::Share(Box::new(command(reply)))).await;
        answer.map_err(ShareGroupError::NotKept)?
    }
}

impl Runtime {
    pub(in crate::groups) fn handle_share(&mut self, command: ShareCommand) {
        match command {
            ShareCommand::Heartbeat(request, reply) => {
                let answer = match request.member_epoch {
                    LEAVE_EPOCH => self.share_leave(&request.group_id, &request.member_id),
                    _ => self.share_heartbeat(&request),
                };
                deliver(reply, answer);
            }
            ShareCommand::Describe(group_id, reply) => deliver(reply, self.shard.share_describe(&group_id)),
            ShareCommand::Initialized(group_id, reply) => deliver(reply, self.shard.share_initialized(&group_id)),
            ShareCommand::SetOffsets(offsets, reply) => deliver(reply, self.share_set_offsets(offsets)),
            ShareCommand::DeleteOffsets(group_id, topics, reply) => {
                deliver(reply, self.share_delete_offsets(&group_id, &topics));
            }
        }
    }

    /// A member was not heard of for as long as its session lasts.
    pub(in crate::groups) fn share_session_expired(&mut self, group_id: &str, member_id: &str) {
        tracing::debug!(group_id, member_id, "a share group's member was silent for too long");
        if let Err(error) = self.share_leave(group_id, member_id) {
            tracing::warn!(%error, group_id, member_id, "a silent member stays in its share group");
            self.act(|shard, around| shard.share_member_heard(group_id, member_id, around));
        }
    }

    /// Ends the share state of groups that are to be deleted, as far as it may be. Those for which it could not are
    /// returned.
    pub(in crate::groups) fn end_share_state(&mut self, group_ids: &[String]) -> BTreeMap<String, ErrorCode> {
        let mut failed = BTreeMap::new();
        for group_id in group_ids {
            for key in self.shard.deletable_share_partitions(group_id) {
                match self.share_state.delete(&key) {
                    // A topic that is gone has taken its state along.
                    Ok(()) | Err(ShareStateError::UnknownPartition) => {}
                    Err(error) => {
                        failed.insert(group_id.clone(), error.error_code());
                    }
                }
            }
        }
        failed
    }

    fn share_heartbeat(&mut self, request: &ShareHeartbeat) -> Result<ShareHeartbeatAnswer, ShareGroupError> {
        let (epoch, missing) = self.act(|shard, around| shard.admit_share_heartbeat(request, around))?;
        let new = self.initialize(&request.group_id, epoch, missing);
        let proposal = self.act(|shard, around| shard.share_heartbeat(request, new, around))?;
        let answer = self.keep_share(proposal)?;
        self.act(|shard, around| shard.share_member_heard(&request.group_id, &request.member_id, around));
        Ok(answer)
    }

    fn share_leave(&mut self, group_id: &str, member_id: &str) -> Result<ShareHeartbeatAnswer, ShareGroupError> {
        let proposal = self.act(|shard, around| shard.share_leave(group_id, member_id, around))?;
        let answer = self.keep_share(proposal)?;
        self.shard.share_member_left(group_id, member_id);
        Ok(answer)
    }

    /// Makes share state for partitions that have none. What could not be made is tried again at the next heartbeat.
    fn initialize(&self, group_id: &str, epoch: i32, missing: StatePartitions) -> StatePartitions {
        let mut made = StatePartitions::new();
        for (topic_id, TopicPartitionsInfo { topic_name, partitions }) in missing {
            let of = |partition: i32| SharePartitionKey { group_id: group_id.to_owned(), topic_id, partition };
            let initialized = |partition: &i32| {
                let outcome = self.share_state.initialize(&of(*partition), epoch, NO_START_OFFSET);
                outcome
                    .inspect_err(|error| tracing::warn!(%error, group_id, topic_name, partition, "no share state"))
                    .is_ok()
            };
            let partitions: BTreeSet<i32> = partitions.into_iter().filter(initialized).collect();
            if !partitions.is_empty() {
                made.insert(topic_id, TopicPartitionsInfo { topic_name, partitions });
            }
        }
        made
    }

    fn share_set_offsets(&mut self, offsets: ShareOffsetsToSet) -> Result<SetOffsets, ShareGroupError> {
        let ShareOffsetsToSet { group_id, topics } = offsets;
        let epoch = self.shard.admit_share_offsets(&group_id)?;
        let mut outcomes = SetOffsets::new();
        let mut made = StatePartitions::new();
        for (topic_name, topic_id, partitions) in topics {
            for (partition, offset) in partitions {
                let key = SharePartitionKey { group_id: group_id.clone(), topic_id, partition };
                let outcome = self.share_state.initialize(&key, epoch, offset);
                outcomes.insert((topic_id, partition), outcome);
                if outcome.is_ok() {
                    let topic = made.entry(topic_id).or_default();
                    topic.topic_name.clone_from(&topic_name);
                    topic.partitions.insert(partition);
                }
            }
        }
        if !made.is_empty() {
            let records = self.shard.share_offsets_set(&group_id, made)?;
            self.keep_share(ShareProposal { answer: (), records })?;
        }
        Ok(outcomes)
    }

    fn share_delete_offsets(&mut self, group_id: &str, topics: &[Uuid]) -> Result<DeletedOffsets, ShareGroupError> {
        let known = self.shard.admit_share_offset_delete(group_id, topics)?;
        let mut outcomes = DeletedOffsets::new();
        for (topic_id, topic) in known {
            let of = |partition: i32| SharePartitionKey { group_id: group_id.to_owned(), topic_id, partition };
            let outcome =
                topic.partitions.into_iter().try_for_each(|partition| self.share_state.delete(&of(partition)));
            outcomes.insert(topic_id, outcome);
        }
        let gone = outcomes.iter().filter(|(_, outcome)| outcome.is_ok()).map(|(id, _)| *id).collect();
        let records = self.shard.share_offsets_deleted(group_id, &gone);
        self.keep_share(ShareProposal { answer: (), records })?;
        Ok(outcomes)
    }

    fn keep_share<T>(&mut self, proposal: ShareProposal<T>) -> Result<T, ShareGroupError> {
        self.keep(&proposal.records).map_err(ShareGroupError::NotKept)?;
        Ok(proposal.answer)
    }
}
