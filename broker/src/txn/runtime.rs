//! The task that owns the transaction coordinator: it takes requests from a mailbox, one after the other, gives the state
//! machine the time, keeps its records, writes the markers and delivers the answers.
//!
//! A decision is kept before anything follows from it, and a transaction's end is answered when its markers stand: who
//! reads after that sees it. Where a marker cannot be written, the answer is given all the same, as nothing can change
//! the decision, and it is tried again.

use std::sync::Arc;

use brooklet_protocol::ErrorCode;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::end::Ending;
use super::markers::MarkerWriter;
use super::metadata::TransactionMetadata;
use super::requests::{
    EndTransaction, InitProducer, PartitionsOfTransaction, ProducerIdAndEpoch, TransactionDescription,
    TransactionListing,
};
use super::shard::{Initialisation, TransactionRecord, TransactionSettings, TransactionShard};
use super::state_topic::StateTopic;
use crate::clock::Clock;
use crate::error::ToErrorCode;
use crate::topics::Topics;

/// How many requests may wait in the mailbox; whoever sends more waits too.
const MAILBOX: usize = 1024;

type Reply<T> = oneshot::Sender<T>;

enum Command {
    InitProducer(Box<InitProducer>, Reply<Result<ProducerIdAndEpoch, ErrorCode>>),
    AddPartitions(Box<PartitionsOfTransaction>, Reply<ErrorCode>),
    VerifyPartitions(Box<PartitionsOfTransaction>, Reply<Result<Vec<ErrorCode>, ErrorCode>>),
    End(Box<EndTransaction>, Reply<Result<ProducerIdAndEpoch, ErrorCode>>),
    Describe(String, Reply<Option<TransactionDescription>>),
    List(Reply<Vec<TransactionListing>>),
}

/// The transaction coordinator as handlers see it.
#[derive(Debug, Clone)]
pub(crate) struct TransactionCoordinator {
    mailbox: mpsc::Sender<Command>,
}

impl TransactionCoordinator {
    /// Starts the coordinator: it first takes in what is kept, then serves until `stop`.
    pub(crate) fn start(
        settings: TransactionSettings,
        topic: StateTopic,
        markers: MarkerWriter,
        clock: Clock,
        stop: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (mailbox, requests) = mpsc::channel(MAILBOX);
        let runtime = Runtime { shard: TransactionShard::new(settings), topic, markers, clock };
        (Self { mailbox }, runtime.run(requests, stop))
    }

    pub(crate) async fn init_producer(&self, request: InitProducer) -> Result<ProducerIdAndEpoch, ErrorCode> {
        self.ask(|reply| Command::InitProducer(Box::new(request), reply)).await?
    }

    /// One outcome for all partitions: they are added together, or none is.
    pub(crate) async fn add_partitions(&self, request: PartitionsOfTransaction) -> ErrorCode {
        self.ask(|reply| Command::AddPartitions(Box::new(request), reply)).await.unwrap_or_else(|error| error)
    }

    /// An outcome for each partition, or one for all.
    pub(crate) async fn verify_partitions(
        &self,
        request: PartitionsOfTransaction,
    ) -> Result<Vec<ErrorCode>, ErrorCode> {
        self.ask(|reply| Command::VerifyPartitions(Box::new(request), reply)).await?
    }

    /// What the producer has from the end of its transaction on.
    pub(crate) async fn end(&self, request: EndTransaction) -> Result<ProducerIdAndEpoch, ErrorCode> {
        self.ask(|reply| Command::End(Box::new(request), reply)).await?
    }

    pub(crate) async fn describe(&self, transactional_id: String) -> Result<Option<TransactionDescription>, ErrorCode> {
        self.ask(|reply| Command::Describe(transactional_id, reply)).await
    }

    pub(crate) async fn list(&self) -> Result<Vec<TransactionListing>, ErrorCode> {
        self.ask(Command::List).await
    }

    /// Waits for an answer, however long the coordinator takes. The error is that it has stopped.
    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, ErrorCode> {
        let (reply, answer) = oneshot::channel();
        let gone = ErrorCode::CoordinatorNotAvailable;
        self.mailbox.send(command(reply)).await.map_err(|_| gone)?;
        answer.await.map_err(|_| gone)
    }
}

struct Runtime {
    shard: TransactionShard,
    topic: StateTopic,
    markers: MarkerWriter,
    clock: Clock,
}

impl Runtime {
    async fn run(mut self, mut requests: mpsc::Receiver<Command>, stop: CancellationToken) {
        self = self.loaded().await;
        loop {
            self.complete_transactions().await;
            let timer = self.clock.sleep_until(self.shard.next_deadline());
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                command = requests.recv() => match command {
                    Some(command) => self.handle(command).await,
                    None => return,
                },
                () = timer => {}
            }
            self.on_time();
        }
    }

    /// Takes in what is kept, off the runtime's threads: it may be much.
    async fn loaded(mut self) -> Self {
        let load = move || {
            let (shard, now) = (&mut self.shard, self.clock.now());
            self.topic.load(|key, value| shard.load(key, value, now));
            self
        };
        match tokio::task::spawn_blocking(load).await {
            Ok(runtime) => runtime,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }

    async fn handle(&mut self, command: Command) {
        match command {
            Command::InitProducer(request, reply) => {
                let outcome = self.init_producer(&request);
                self.complete_transactions().await;
                deliver(reply, outcome);
            }
            Command::AddPartitions(request, reply) => {
                let outcome = self.add_partitions(&request);
                deliver(reply, outcome.err().unwrap_or_default());
            }
            Command::VerifyPartitions(request, reply) => deliver(reply, self.shard.verify_partitions(&request)),
            Command::End(request, reply) => {
                let outcome = self.end(&request);
                self.complete_transactions().await;
                deliver(reply, outcome);
            }
            Command::Describe(transactional_id, reply) => deliver(reply, self.shard.describe(&transactional_id)),
            Command::List(reply) => deliver(reply, self.shard.list()),
        }
    }

    fn init_producer(&mut self, request: &InitProducer) -> Result<ProducerIdAndEpoch, ErrorCode> {
        let topics = Arc::clone(&self.topic.topics);
        match self
            .shard
            .init_producer(request, topics.transaction_version(), self.clock.now(), &mut || new_producer_id(&topics))?
        {
            Initialisation::Granted(record) => {
                let producer = record.metadata.as_ref().map_or(ProducerIdAndEpoch::NONE, TransactionMetadata::producer);
                self.keep(record)?;
                self.shard.note_owner(&request.transactional_id, request.owner.clone());
                Ok(producer)
            }
            Initialisation::Fences(record) => {
                self.keep(record)?;
                Err(ErrorCode::ConcurrentTransactions)
            }
        }
    }

    fn add_partitions(&mut self, request: &PartitionsOfTransaction) -> Result<(), ErrorCode> {
        match self.shard.add_partitions(request, self.clock.now())? {
            Some(record) => self.keep(record),
            None => Ok(()),
        }
    }

    fn end(&mut self, request: &EndTransaction) -> Result<ProducerIdAndEpoch, ErrorCode> {
        let topics = Arc::clone(&self.topic.topics);
        match self.shard.end(request, self.clock.now(), &mut || new_producer_id(&topics))? {
            Ending::Already(producer) => Ok(producer),
            Ending::Decided(record, producer) => {
                self.keep(record)?;
                Ok(producer)
            }
        }
    }

    fn on_time(&mut self) {
        let topics = Arc::clone(&self.topic.topics);
        for record in
            self.shard.on_time(topics.transaction_version(), self.clock.now(), &mut || new_producer_id(&topics))
        {
            let id = Arc::clone(&record.transactional_id);
            let ends = record.metadata.is_some();
            match self.keep(record) {
                Ok(()) if ends => tracing::info!(transactional_id = &*id, "transaction aborted: it took too long"),
                Ok(()) => {
                    tracing::info!(transactional_id = &*id, "transactional id forgotten: nobody used it for long");
                }
                Err(error) => tracing::warn!(transactional_id = &*id, %error, "not kept; it is tried again later"),
            }
        }
    }

    /// Writes the markers that are due, and keeps that transactions are complete.
    async fn complete_transactions(&mut self) {
        let flusher = Arc::clone(self.topic.topics.flusher());
        for pending in self.shard.due_markers(self.clock.now()) {
            let id = Arc::clone(&pending.transactional_id);
            let seen = flusher.failures_seen();
            // Where somebody waits for the disk, it gets each step before the next one.
            let mut written = match flusher.coordinators_flushed(seen).await {
                true => self.markers.write(pending).await,
                false => Vec::new(),
            };
            if !flusher.coordinators_flushed(seen).await {
                written.clear();
            }
            if let Some(record) = self.shard.markers_written(&id, &written, self.clock.now())
                && let Err(error) = self.keep(record)
            {
                tracing::warn!(transactional_id = &*id, %error, "completion not kept; it is tried again later");
            }
        }
    }

    /// Makes a record true.
    fn keep(&mut self, record: TransactionRecord) -> Result<(), ErrorCode> {
        let now = self.clock.now();
        self.topic.append(&record, now.wall_ms)?;
        self.shard.replay(record, now);
        Ok(())
    }
}

fn new_producer_id(topics: &Topics) -> Result<i64, ErrorCode> {
    topics.next_producer_id().map_err(|error| {
        tracing::error!(%error, "no producer id could be given out");
        error.error_code()
    })
}

/// Answers a request. Its connection may have gone meanwhile.
fn deliver<T>(reply: Reply<T>, answer: T) {
    let _ = reply.send(answer);
}
