//! The task that owns the group coordinator: it takes requests from a mailbox, one after the other, gives the state
//! machine the time, keeps its records, and delivers its answers.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::transaction_log::TransactionVersion;
use brooklet_storage::VerificationGuard;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::classic::{Effect, GroupSettings};
use super::consumer::Decision;
use super::consumer::requests::{
    ConsumerGroupDescription, ConsumerHeartbeatRequest, ConsumerHeartbeatResponse, GroupError,
};
use super::group_configs::GroupConfigs;
use super::offsets_topic::{Kept, OffsetsTopic};
use super::requests::{
    CommitRequest, CommittedOffset, GroupDescription, GroupListing, JoinRequest, JoinResponse, LeavingMember,
    MemberIdentity, SyncRequest, SyncResponse, Token, TransactionalCommit,
};
use super::shard::{GroupRecord, GroupShard, Proposal, Surroundings};
use super::share::ShareCommand;
use super::streams::StreamsDecision;
use super::streams::requests::{StreamsGroupDescription, StreamsHeartbeatRequest, StreamsHeartbeatResponse};
use super::transactional_offsets::Marked;
use crate::clock::Clock;
use crate::share::state::ShareCoordinator;
use crate::topics::Topics;
use crate::txn::markers::Marker;
use crate::txn::requests::ProducerIdAndEpoch;

/// How many requests may wait in the mailbox; whoever sends more waits too.
const MAILBOX: usize = 1024;

/// One outcome for each thing asked for, or one for all of them.
pub(crate) type Outcomes = Result<Vec<ErrorCode>, ErrorCode>;
/// A group's offsets for the partitions asked for, or all it has. One that is not stable is an error, for who asked for
/// stable ones.
pub(crate) type FetchedOffsets = Vec<(String, i32, Result<Option<CommittedOffset>, ErrorCode>)>;
/// The partition of `__consumer_offsets` that a producer's transaction must have a part in, and what its verification began
/// with if it is not known to.
pub(crate) type CommitVerification = Result<(i32, Option<VerificationGuard>), ErrorCode>;

pub(super) enum Command {
    Join(Box<JoinRequest>, oneshot::Sender<JoinResponse>),
    Sync(Box<SyncRequest>, oneshot::Sender<SyncResponse>),
    Heartbeat(MemberIdentity, oneshot::Sender<ErrorCode>),
    Leave(String, Vec<LeavingMember>, oneshot::Sender<Outcomes>),
    Commit(Box<CommitRequest>, oneshot::Sender<Outcomes>),
    VerifyCommit(String, ProducerIdAndEpoch, TransactionVersion, oneshot::Sender<CommitVerification>),
    CommitTransactional(Box<TransactionalCommit>, oneshot::Sender<Outcomes>),
    CompleteTransaction(i32, Marker, oneshot::Sender<Result<(), ErrorCode>>),
    FetchOffsets(OffsetsWanted, oneshot::Sender<Result<FetchedOffsets, ErrorCode>>),
    DeleteOffsets(String, Vec<(String, i32)>, oneshot::Sender<Outcomes>),
    DeleteGroups(Vec<String>, oneshot::Sender<Outcomes>),
    ForgetTopic(String, Uuid),
    List(oneshot::Sender<Vec<GroupListing>>),
    Describe(String, oneshot::Sender<Option<GroupDescription>>),
    ConsumerHeartbeat(Box<ConsumerHeartbeatRequest>, oneshot::Sender<Result<ConsumerHeartbeatResponse, GroupError>>),
    DescribeConsumerGroup(String, oneshot::Sender<Result<ConsumerGroupDescription, GroupError>>),
    StreamsHeartbeat(Box<StreamsHeartbeatRequest>, oneshot::Sender<Result<StreamsHeartbeatResponse, GroupError>>),
    DescribeStreamsGroup(String, oneshot::Sender<Result<StreamsGroupDescription, GroupError>>),
    Share(Box<ShareCommand>),
}

/// Which offsets someone wants to read.
#[derive(Debug, Default)]
pub(crate) struct OffsetsWanted {
    pub(crate) group_id: String,
    /// Who asks, where the request can say (v9+).
    pub(crate) member_id: Option<String>,
    /// -1 for whoever is no member.
    pub(crate) member_epoch: i32,
    /// `None` asks for all of the group's offsets.
    pub(crate) partitions: Option<Vec<(String, i32)>>,
    /// One that a transaction has yet to decide on is an error.
    pub(crate) require_stable: bool,
}

/// The group coordinator as handlers see it.
#[derive(Debug, Clone)]
pub(crate) struct GroupCoordinator {
    mailbox: mpsc::Sender<Command>,
}

impl GroupCoordinator {
    /// Starts the coordinator: it first takes in what is kept, then serves until `stop`.
    pub(crate) fn start(
        settings: GroupSettings,
        topic: OffsetsTopic,
        configs: Arc<ArcSwap<GroupConfigs>>,
        share_state: Arc<ShareCoordinator>,
        clock: Clock,
        stop: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (mailbox, requests) = mpsc::channel(MAILBOX);
        let runtime = Runtime {
            shard: GroupShard::new(settings),
            topic,
            configs,
            share_state,
            clock,
            next_token: 0,
            joins: Waiting::default(),
            syncs: Waiting::default(),
        };
        (Self { mailbox }, runtime.run(requests, stop))
    }

    pub(crate) async fn join(&self, request: JoinRequest) -> Result<JoinResponse, ErrorCode> {
        self.ask(|reply| Command::Join(Box::new(request), reply)).await
    }

    pub(crate) async fn sync(&self, request: SyncRequest) -> Result<SyncResponse, ErrorCode> {
        self.ask(|reply| Command::Sync(Box::new(request), reply)).await
    }

    pub(crate) async fn heartbeat(&self, member: MemberIdentity) -> Result<ErrorCode, ErrorCode> {
        self.ask(|reply| Command::Heartbeat(member, reply)).await
    }

    pub(crate) async fn leave(&self, group_id: String, members: Vec<LeavingMember>) -> Outcomes {
        self.ask(|reply| Command::Leave(group_id, members, reply)).await?
    }

    pub(crate) async fn commit(&self, request: CommitRequest) -> Outcomes {
        self.ask(|reply| Command::Commit(Box::new(request), reply)).await?
    }

    /// Begins to verify that a producer may commit offsets for the group in its transaction.
    pub(crate) async fn verify_commit(
        &self,
        group_id: String,
        producer: ProducerIdAndEpoch,
        version: TransactionVersion,
    ) -> CommitVerification {
        self.ask(|reply| Command::VerifyCommit(group_id, producer, version, reply)).await?
    }

    pub(crate) async fn commit_transactional(&self, request: TransactionalCommit) -> Outcomes {
        self.ask(|reply| Command::CommitTransactional(Box::new(request), reply)).await?
    }

    /// Writes the end of a transaction into a partition of `__consumer_offsets`, and lets its offsets count or not.
    pub(crate) async fn complete_transaction(&self, partition: i32, marker: Marker) -> Result<(), ErrorCode> {
        self.ask(|reply| Command::CompleteTransaction(partition, marker, reply)).await?
    }

    pub(crate) async fn fetch_offsets(&self, wanted: OffsetsWanted) -> Result<FetchedOffsets, ErrorCode> {
        self.ask(|reply| Command::FetchOffsets(wanted, reply)).await?
    }

    pub(crate) async fn delete_offsets(&self, group_id: String, partitions: Vec<(String, i32)>) -> Outcomes {
        self.ask(|reply| Command::DeleteOffsets(group_id, partitions, reply)).await?
    }

    pub(crate) async fn delete_groups(&self, group_ids: Vec<String>) -> Outcomes {
        self.ask(|reply| Command::DeleteGroups(group_ids, reply)).await?
    }

    /// A topic has been deleted: its offsets mean nothing any more.
    pub(crate) async fn forget_topic(&self, topic: String, id: Uuid) {
        // A coordinator that has stopped has nothing to forget.
        let _ = self.mailbox.send(Command::ForgetTopic(topic, id)).await;
    }

    pub(crate) async fn list(&self) -> Result<Vec<GroupListing>, ErrorCode> {
        self.ask(Command::List).await
    }

    pub(crate) async fn describe(&self, group_id: String) -> Result<Option<GroupDescription>, ErrorCode> {
        self.ask(|reply| Command::Describe(group_id, reply)).await
    }

    pub(crate) async fn consumer_heartbeat(
        &self,
        request: ConsumerHeartbeatRequest,
    ) -> Result<ConsumerHeartbeatResponse, GroupError> {
        self.ask(|reply| Command::ConsumerHeartbeat(Box::new(request), reply)).await?
    }

    pub(crate) async fn describe_consumer_group(
        &self,
        group_id: String,
    ) -> Result<ConsumerGroupDescription, GroupError> {
        self.ask(|reply| Command::DescribeConsumerGroup(group_id, reply)).await?
    }

    pub(crate) async fn streams_heartbeat(
        &self,
        request: StreamsHeartbeatRequest,
    ) -> Result<StreamsHeartbeatResponse, GroupError> {
        self.ask(|reply| Command::StreamsHeartbeat(Box::new(request), reply)).await?
    }

    pub(crate) async fn describe_streams_group(&self, group_id: String) -> Result<StreamsGroupDescription, GroupError> {
        self.ask(|reply| Command::DescribeStreamsGroup(group_id, reply)).await?
    }

    /// Waits for an answer, however long the coordinator takes. The error is that it has stopped.
    pub(super) async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, ErrorCode> {
        let (reply, answer) = oneshot::channel();
        let gone = ErrorCode::CoordinatorNotAvailable;
        self.mailbox.send(command(reply)).await.map_err(|_| gone)?;
        answer.await.map_err(|_| gone)
    }
}

/// Requests that wait for an answer from the state machine.
#[derive(Debug)]
struct Waiting<T>(HashMap<Token, oneshot::Sender<T>>);

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T> Waiting<T> {
    fn add(&mut self, token: Token, reply: oneshot::Sender<T>) {
        self.0.insert(token, reply);
    }

    fn answer(&mut self, token: Token, answer: T) {
        if let Some(reply) = self.0.remove(&token) {
            deliver(reply, answer);
        }
    }
}

pub(super) struct Runtime {
    pub(super) shard: GroupShard,
    pub(super) topic: OffsetsTopic,
    configs: Arc<ArcSwap<GroupConfigs>>,
    pub(super) share_state: Arc<ShareCoordinator>,
    pub(super) clock: Clock,
    next_token: Token,
    joins: Waiting<JoinResponse>,
    syncs: Waiting<SyncResponse>,
}

impl Runtime {
    async fn run(mut self, mut requests: mpsc::Receiver<Command>, stop: CancellationToken) {
        self.share_state.load().await;
        self = self.loaded().await;
        loop {
            let timer = self.clock.sleep_until(self.shard.next_deadline());
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                command = requests.recv() => match command {
                    Some(command) => self.handle(command),
                    None => return,
                },
                () = timer => {}
            }
            self.act(GroupShard::on_time);
            self.take_effects();
        }
    }

    /// Takes in what is kept, off the runtime's threads: it may be much.
    async fn loaded(mut self) -> Self {
        let load = move || {
            let (shard, topic, now) = (&mut self.shard, &self.topic, self.clock.now());
            topic.load(|kept| match kept {
                Kept::Record(key, value) => shard.load(key, value, now),
                Kept::Transactional(marked, key, value) => shard.replay_transactional(marked, key, value, now),
                Kept::Marker(marked, committed) => shard.end_transaction(marked, committed),
            });
            self.act(GroupShard::loaded);
            self
        };
        match tokio::task::spawn_blocking(load).await {
            Ok(runtime) => runtime,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }

    /// Lets the state machine act, and look at what is around it.
    pub(super) fn act<T>(&mut self, act: impl FnOnce(&mut GroupShard, &Surroundings<'_>) -> T) -> T {
        let topics: Arc<Topics> = Arc::clone(&self.topic.topics);
        let configs = self.configs.load();
        act(&mut self.shard, &Surroundings { now: self.clock.now(), topics: &*topics, configs: &configs })
    }

    fn handle(&mut self, command: Command) {
        match command {
            Command::Join(request, reply) => {
                let token = self.token();
                self.joins.add(token, reply);
                self.act(|shard, around| shard.join(token, &request, around));
            }
            Command::Sync(request, reply) => {
                let token = self.token();
                self.syncs.add(token, reply);
                self.act(|shard, around| shard.sync(token, &request, around));
            }
            Command::Heartbeat(member, reply) => {
                deliver(reply, self.act(|shard, around| shard.heartbeat(&member, around)));
            }
            Command::Leave(group_id, members, reply) => {
                let decision = self.act(|shard, around| shard.leave(&group_id, &members, around));
                deliver(reply, decision.and_then(|decision| self.make_true(decision)));
            }
            Command::Commit(request, reply) => {
                let proposal = self.act(|shard, around| shard.commit(&request, around));
                deliver(reply, self.carry_out(proposal));
            }
            Command::VerifyCommit(group_id, producer, version, reply) => {
                deliver(reply, self.topic.begin_verification(&group_id, producer, version, self.clock.wall_ms()));
            }
            Command::CommitTransactional(request, reply) => deliver(reply, self.commit_transactional(&request)),
            Command::CompleteTransaction(partition, marker, reply) => {
                deliver(reply, self.complete_transaction(partition, marker));
            }
            Command::FetchOffsets(wanted, reply) => deliver(reply, self.fetch_offsets(wanted)),
            Command::DeleteOffsets(group_id, partitions, reply) => {
                let proposal = self.shard.delete_offsets(&group_id, &partitions);
                deliver(reply, self.carry_out(proposal));
            }
            Command::DeleteGroups(group_ids, reply) => {
                deliver(reply, self.delete_groups(&group_ids));
            }
            Command::ForgetTopic(topic, id) => {
                let records = self.shard.forget_topic(&topic, id);
                if let Err(error) = self.keep(&records) {
                    tracing::warn!(%error, topic, "offsets of a deleted topic remain");
                }
            }
            Command::List(reply) => deliver(reply, self.shard.list()),
            Command::Describe(group_id, reply) => deliver(reply, self.shard.describe(&group_id)),
            Command::ConsumerHeartbeat(request, reply) => {
                let decision = self.act(|shard, around| shard.consumer_heartbeat(&request, around));
                deliver(reply, decision.and_then(|decision| self.make_true(decision).map_err(GroupError::from)));
            }
            Command::DescribeConsumerGroup(group_id, reply) => {
                deliver(reply, self.shard.describe_consumer_group(&group_id));
            }
            Command::StreamsHeartbeat(request, reply) => {
                let decision = self.act(|shard, around| shard.streams_heartbeat(&request, around));
                deliver(reply, decision.and_then(|decision| self.make_true_for_streams(&request.group_id, decision)));
            }
            Command::DescribeStreamsGroup(group_id, reply) => {
                deliver(reply, self.shard.describe_streams_group(&group_id));
            }
            Command::Share(command) => self.handle_share(*command),
        }
    }

    fn delete_groups(&mut self, group_ids: &[String]) -> Outcomes {
        // Share state goes first: a group that is gone could not say what there is of it.
        let failed = self.end_share_state(group_ids);
        let others: Vec<String> = group_ids.iter().filter(|id| !failed.contains_key(*id)).cloned().collect();
        let proposal = self.shard.delete_groups(&others);
        let mut outcomes = self.carry_out(Ok(proposal))?.into_iter();
        let outcome = |id| failed.get(id).copied().or_else(|| outcomes.next()).unwrap_or_default();
        Ok(group_ids.iter().map(outcome).collect())
    }

    /// Makes a proposal true, or tells why it is not: then nothing of it is.
    fn carry_out(&mut self, proposal: Result<Proposal, ErrorCode>) -> Outcomes {
        let Proposal { outcomes, records } = proposal?;
        self.keep(&records)?;
        Ok(outcomes)
    }

    /// Makes a decision true, and gives the answer that follows from it.
    fn make_true<T>(&mut self, decision: Decision<T>) -> Result<T, ErrorCode> {
        self.keep(&decision.records)?;
        if let Some(downgrade) = decision.downgrade {
            self.act(|shard, around| shard.downgrade(*downgrade, around));
        }
        Ok(decision.answer)
    }

    /// Keeps what a step of a streams group decided, and lets the group follow it; then it may be answered.
    fn make_true_for_streams<T>(&mut self, group_id: &str, decision: StreamsDecision<T>) -> Result<T, GroupError> {
        let StreamsDecision { answer, records, changes } = decision;
        self.keep(&records)?;
        self.shard.follow_streams(group_id, changes);
        Ok(answer)
    }

    pub(super) fn keep(&mut self, records: &[GroupRecord]) -> Result<(), ErrorCode> {
        let now = self.clock.now();
        self.topic.append(records, now.wall_ms)?;
        for record in records {
            self.shard.replay(record, now);
        }
        Ok(())
    }

    fn commit_transactional(&mut self, request: &TransactionalCommit) -> Outcomes {
        let TransactionalCommit { commit, producer, guard } = request;
        let now = self.clock.now();
        let proposal = self.act(|shard, around| shard.commit_transactional(commit, around));
        let Proposal { outcomes, records } = proposal?;
        if records.is_empty() {
            return Ok(outcomes);
        }
        let group_id = &commit.member.group_id;
        let partition = self.topic.append_transactional(group_id, &records, *producer, *guard, now.wall_ms)?;
        let marked = Marked { partition, producer_id: producer.producer_id };
        for record in records {
            self.shard.replay_transactional(marked, record.key, record.value, now);
        }
        Ok(outcomes)
    }

    fn complete_transaction(&mut self, partition: i32, marker: Marker) -> Result<(), ErrorCode> {
        self.topic.append_marker(partition, marker, self.clock.wall_ms())?;
        let marked = Marked { partition, producer_id: marker.producer.producer_id };
        self.shard.end_transaction(marked, marker.end.commit);
        Ok(())
    }

    fn fetch_offsets(&self, wanted: OffsetsWanted) -> Result<FetchedOffsets, ErrorCode> {
        let OffsetsWanted { group_id, member_id, member_epoch, partitions, require_stable } = wanted;
        self.shard.admit_fetch(&group_id, member_id.as_deref(), member_epoch)?;
        let found: Vec<_> = match partitions {
            None => {
                let all = self.shard.all_offsets(&group_id).into_iter();
                all.map(|(topic, partition, offset)| (topic, partition, Some(offset))).collect()
            }
            Some(partitions) => {
                let offsets = self.shard.offsets(&group_id, &partitions);
                let found = partitions.into_iter().zip(offsets);
                found.map(|((topic, partition), offset)| (topic, partition, offset)).collect()
            }
        };
        let told = found.into_iter().map(|(topic, partition, offset)| {
            let offset = match require_stable {
                true => self.shard.stable_offset(&group_id, &topic, partition, offset),
                false => Ok(offset),
            };
            (topic, partition, offset)
        });
        Ok(told.collect())
    }

    fn take_effects(&mut self) {
        // What one brings about may bring about others.
        loop {
            let effects = self.shard.take_effects();
            if effects.is_empty() {
                return;
            }
            effects.into_iter().for_each(|effect| self.take_effect(effect));
        }
    }

    fn take_effect(&mut self, effect: Effect) {
        match effect {
            Effect::Join(token, response) => self.joins.answer(token, response),
            Effect::Sync(token, response) => self.syncs.answer(token, response),
            Effect::ShareSessionExpired { group_id, member_id } => self.share_session_expired(&group_id, &member_id),
            Effect::Persist { group_id, value } => {
                let record = GroupRecord::group(&group_id, Some(&value));
                if let Err(error) = self.topic.append(&[record], self.clock.wall_ms()) {
                    tracing::warn!(%error, group = %group_id, "a group's state is not kept; it rebalances after a restart");
                }
            }
            Effect::Decide(decision) => {
                let waits = decision.answer.as_ref().map(|(token, response)| (*token, response.member_id.clone()));
                match (self.make_true(*decision), waits) {
                    (Ok(Some((token, response))), _) => self.joins.answer(token, response),
                    (Ok(None), _) => {}
                    (Err(error), Some((token, member_id))) => {
                        self.joins.answer(token, JoinResponse::error(error, member_id));
                    }
                    (Err(error), None) => tracing::warn!(%error, "groups could not be changed"),
                }
            }
        }
    }

    fn token(&mut self) -> Token {
        self.next_token += 1;
        self.next_token
    }
}

/// Answers a request. Its connection may have gone meanwhile.
pub(super) fn deliver<T>(reply: oneshot::Sender<T>, answer: T) {
    let _ = reply.send(answer);
}
