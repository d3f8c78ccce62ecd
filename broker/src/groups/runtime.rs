//! The task that owns the group coordinator: it takes requests from a mailbox, one after the other, gives the state
//! machine the time, keeps its records, and delivers its answers.

use std::collections::HashMap;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::transaction_log::TransactionVersion;
use brooklet_storage::VerificationGuard;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::classic::{Effect, GroupSettings};
use super::offsets_topic::{Kept, OffsetsTopic};
use super::requests::{
    CommitRequest, CommittedOffset, GroupDescription, GroupListing, JoinRequest, JoinResponse, LeavingMember,
    MemberIdentity, SyncRequest, SyncResponse, Token, TransactionalCommit,
};
use super::shard::{GroupRecord, GroupShard, Proposal};
use super::transactional_offsets::Marked;
use crate::clock::Clock;
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

enum Command {
    Join(Box<JoinRequest>, oneshot::Sender<JoinResponse>),
    Sync(Box<SyncRequest>, oneshot::Sender<SyncResponse>),
    Heartbeat(MemberIdentity, oneshot::Sender<ErrorCode>),
    Leave(String, Vec<LeavingMember>, oneshot::Sender<Outcomes>),
    Commit(Box<CommitRequest>, oneshot::Sender<Outcomes>),
    VerifyCommit(String, ProducerIdAndEpoch, TransactionVersion, oneshot::Sender<CommitVerification>),
    CommitTransactional(Box<TransactionalCommit>, oneshot::Sender<Outcomes>),
    CompleteTransaction(i32, Marker, oneshot::Sender<Result<(), ErrorCode>>),
    /// `None` asks for all of the group's offsets.
    FetchOffsets(String, Option<Vec<(String, i32)>>, /* only stable ones */ bool, oneshot::Sender<FetchedOffsets>),
    DeleteOffsets(String, Vec<(String, i32)>, oneshot::Sender<Outcomes>),
    DeleteGroups(Vec<String>, oneshot::Sender<Outcomes>),
    ForgetTopic(String),
    List(oneshot::Sender<Vec<GroupListing>>),
    Describe(String, oneshot::Sender<Option<GroupDescription>>),
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
        clock: Clock,
        stop: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (mailbox, requests) = mpsc::channel(MAILBOX);
        let runtime = Runtime {
            shard: GroupShard::new(settings),
            topic,
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

    pub(crate) async fn fetch_offsets(
        &self,
        group_id: String,
        partitions: Option<Vec<(String, i32)>>,
        require_stable: bool,
    ) -> Result<FetchedOffsets, ErrorCode> {
        self.ask(|reply| Command::FetchOffsets(group_id, partitions, require_stable, reply)).await
    }

    pub(crate) async fn delete_offsets(&self, group_id: String, partitions: Vec<(String, i32)>) -> Outcomes {
        self.ask(|reply| Command::DeleteOffsets(group_id, partitions, reply)).await?
    }

    pub(crate) async fn delete_groups(&self, group_ids: Vec<String>) -> Outcomes {
        self.ask(|reply| Command::DeleteGroups(group_ids, reply)).await?
    }

    /// A topic has been deleted: its offsets mean nothing any more.
    pub(crate) async fn forget_topic(&self, topic: String) {
        // A coordinator that has stopped has nothing to forget.
        let _ = self.mailbox.send(Command::ForgetTopic(topic)).await;
    }

    pub(crate) async fn list(&self) -> Result<Vec<GroupListing>, ErrorCode> {
        self.ask(Command::List).await
    }

    pub(crate) async fn describe(&self, group_id: String) -> Result<Option<GroupDescription>, ErrorCode> {
        self.ask(|reply| Command::Describe(group_id, reply)).await
    }

    /// Waits for an answer, however long the coordinator takes. The error is that it has stopped.
    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, ErrorCode> {
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

struct Runtime {
    shard: GroupShard,
    topic: OffsetsTopic,
    clock: Clock,
    next_token: Token,
    joins: Waiting<JoinResponse>,
    syncs: Waiting<SyncResponse>,
}

impl Runtime {
    async fn run(mut self, mut requests: mpsc::Receiver<Command>, stop: CancellationToken) {
        self = self.loaded().await;
        loop {
            let deadline = self.shard.next_deadline().map(|at| self.clock.instant_at(at));
            let timer = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                command = requests.recv() => match command {
                    Some(command) => self.handle(command),
                    None => return,
                },
                () = timer => {}
            }
            self.shard.on_time(self.clock.now());
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
            shard.loaded(self.clock.now());
            self
        };
        match tokio::task::spawn_blocking(load).await {
            Ok(runtime) => runtime,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }

    fn handle(&mut self, command: Command) {
        let now = self.clock.now();
        match command {
            Command::Join(request, reply) => {
                let token = self.token();
                self.joins.add(token, reply);
                self.shard.join(token, &request, now);
            }
            Command::Sync(request, reply) => {
                let token = self.token();
                self.syncs.add(token, reply);
                self.shard.sync(token, &request, now);
            }
            Command::Heartbeat(member, reply) => deliver(reply, self.shard.heartbeat(&member, now)),
            Command::Leave(group_id, members, reply) => {
                deliver(reply, self.shard.leave(&group_id, &members, now));
            }
            Command::Commit(request, reply) => {
                let proposal = self.shard.commit(&request, now);
                deliver(reply, self.carry_out(proposal));
            }
            Command::VerifyCommit(group_id, producer, version, reply) => {
                deliver(reply, self.topic.begin_verification(&group_id, producer, version, now.wall_ms));
            }
            Command::CommitTransactional(request, reply) => deliver(reply, self.commit_transactional(&request)),
            Command::CompleteTransaction(partition, marker, reply) => {
                deliver(reply, self.complete_transaction(partition, marker));
            }
            Command::FetchOffsets(group_id, partitions, require_stable, reply) => {
                deliver(reply, self.fetch_offsets(&group_id, partitions, require_stable));
            }
            Command::DeleteOffsets(group_id, partitions, reply) => {
                let proposal = self.shard.delete_offsets(&group_id, &partitions);
                deliver(reply, self.carry_out(proposal));
            }
            Command::DeleteGroups(group_ids, reply) => {
                let proposal = self.shard.delete_groups(&group_ids);
                deliver(reply, self.carry_out(Ok(proposal)));
            }
            Command::ForgetTopic(topic) => {
                let records = self.shard.forget_topic(&topic);
                if let Err(error) = self.keep(&records) {
                    tracing::warn!(%error, topic, "offsets of a deleted topic remain");
                }
            }
            Command::List(reply) => deliver(reply, self.shard.list()),
            Command::Describe(group_id, reply) => deliver(reply, self.shard.describe(&group_id)),
        }
    }

    /// Makes a proposal true, or tells why it is not: then nothing of it is.
    fn carry_out(&mut self, proposal: Result<Proposal, ErrorCode>) -> Outcomes {
        let Proposal { outcomes, records } = proposal?;
        self.keep(&records)?;
        Ok(outcomes)
    }

    fn keep(&mut self, records: &[GroupRecord]) -> Result<(), ErrorCode> {
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
        let Proposal { outcomes, records } = self.shard.commit_transactional(commit, now)?;
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

    fn fetch_offsets(
        &self,
        group_id: &str,
        partitions: Option<Vec<(String, i32)>>,
        require_stable: bool,
    ) -> FetchedOffsets {
        let found: Vec<_> = match partitions {
            None => {
                let all = self.shard.all_offsets(group_id).into_iter();
                all.map(|(topic, partition, offset)| (topic, partition, Some(offset))).collect()
            }
            Some(partitions) => {
                let offsets = self.shard.offsets(group_id, &partitions);
                let found = partitions.into_iter().zip(offsets);
                found.map(|((topic, partition), offset)| (topic, partition, offset)).collect()
            }
        };
        let told = found.into_iter().map(|(topic, partition, offset)| {
            let offset = match require_stable {
                true => self.shard.stable_offset(group_id, &topic, partition, offset),
                false => Ok(offset),
            };
            (topic, partition, offset)
        });
        told.collect()
    }

    fn take_effects(&mut self) {
        for effect in self.shard.take_effects() {
            match effect {
                Effect::Join(token, response) => self.joins.answer(token, response),
                Effect::Sync(token, response) => self.syncs.answer(token, response),
                Effect::Persist { group_id, value } => {
                    let record = GroupRecord::group(&group_id, Some(&value));
                    if let Err(error) = self.topic.append(&[record], self.clock.wall_ms()) {
                        tracing::warn!(%error, group = %group_id, "a group's state is not kept; it rebalances after a restart");
                    }
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
fn deliver<T>(reply: oneshot::Sender<T>, answer: T) {
    let _ = reply.send(answer);
}
