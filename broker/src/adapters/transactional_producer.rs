//! A producer in this process that writes in transactions: what the coordinator and the logs ask of one that comes over the
//! network holds for it too (KIP-890's second version).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use brooklet_connect_shim::source::BoxFuture;
use brooklet_connect_shim::{DestinationError, LargeRecord, OutgoingRecord, TransactionalProducer};
use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::transaction_log::TransactionVersion;
use brooklet_protocol::records::{BatchBuilder, validate};
use brooklet_storage::{AppendError, AppendOrigin};
use bytes::Bytes;

use crate::error::ToErrorCode;
use crate::node::Node;
use crate::txn::requests::{EndTransaction, InitProducer, Owner, ProducerIdAndEpoch, TopicPartition};
use crate::txn::verification::TransactionSupport;

/// How long a transaction of before may take to be completed.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(5);

/// A producer with a transactional id.
pub(super) struct BrokerProducer {
    node: Arc<Node>,
    transactional_id: String,
    producer: ProducerIdAndEpoch,
    /// As long as this is here, a transaction may take its time.
    _owner: Owner,
    /// The next sequence number by partition, in the open transaction.
    sequences: HashMap<TopicPartition, i32>,
}

impl BrokerProducer {
    /// Begins to use a transactional id, and waits until what was left open under it is aborted.
    pub(super) async fn begin(node: Arc<Node>, transactional_id: &str) -> Result<Self, DestinationError> {
        // It cannot be lost while its coordinator lives, as one on the network can: a transaction of the database's may take
        // hours. The timeout is for what a broker finds that is started after a crash.
        let owner = Owner::default();
        let timeout_ms = node.config().broker.transaction_max_timeout_ms;
        let started = Instant::now();
        let producer = loop {
            let request = InitProducer {
                transactional_id: transactional_id.to_owned(),
                timeout_ms,
                expected: None,
                owner: Some(owner.watch()),
            };
            match node.transactions.init_producer(request).await {
                Ok(producer) => break producer,
                Err(ErrorCode::ConcurrentTransactions) if started.elapsed() < PATIENCE => {
                    tokio::time::sleep(PAUSE).await;
                }
                Err(code) => return Err(refusal(code, transactional_id)),
            }
        };
        let transactional_id = transactional_id.to_owned();
        Ok(Self { node, transactional_id, producer, _owner: owner, sequences: HashMap::new() })
    }

    /// Appends what `fill` puts into a batch.
    async fn append_batch(
        &mut self,
        topic: &str,
        partition: i32,
        fill: impl FnOnce(&mut BatchBuilder) -> std::io::Result<()> + Send,
    ) -> Result<(), DestinationError> {
        let unknown = || DestinationError::UnknownPartition { topic: topic.to_owned(), partition };
        let found = self.node.topics.by_name(topic).ok_or_else(unknown)?;
        let log = found.partition(partition).ok_or_else(unknown)?;
        let place = TopicPartition::new(topic, partition);
        let sequence = self.sequences.get(&place).copied().unwrap_or(0);
        let ProducerIdAndEpoch { producer_id, producer_epoch } = self.producer;
        let mut builder = BatchBuilder::new().producer(producer_id, producer_epoch, sequence).transactional();
        fill(&mut builder).map_err(|error| DestinationError::Unavailable(error.to_string()))?;
        let count = i32::try_from(builder.len()).unwrap_or(i32::MAX);
        let refused = |error: &dyn std::fmt::Display| DestinationError::RecordsRefused(error.to_string());
        let bytes = builder.build().map_err(|error| refused(&error))?;
        let now_ms = self.node.clock.wall_ms();
        let batch = validate::validate(&bytes, &found.settings().rules, now_ms).map_err(|error| refused(&error))?;

        let failed = |error: AppendError, id: &str| match &error {
            AppendError::LargerThanSegment { .. } => DestinationError::RecordsRefused(error.to_string()),
            AppendError::Producer(_) => refusal(error.error_code(), id),
            AppendError::Deleted | AppendError::Storage(_) => DestinationError::Unavailable(error.to_string()),
        };
        let started = Instant::now();
        let origin = loop {
            let guard = log.begin_verification(&batch.header, TransactionVersion::V2, now_ms);
            let Some(guard) = guard.map_err(|error| failed(error, &self.transactional_id))? else {
                break AppendOrigin::Client;
            };
            match self.admit(place.clone()).await {
                ErrorCode::None => break AppendOrigin::VerifiedClient(guard),
                // The transaction before is being completed, which is over soon.
                ErrorCode::ConcurrentTransactions if started.elapsed() < PATIENCE => {
                    tokio::time::sleep(PAUSE).await;
                }
                code => return Err(refusal(code, &self.transactional_id)),
            }
        };
        log.append(&batch, origin).map_err(|error| failed(error, &self.transactional_id))?;
        // After the last number comes 0.
        self.sequences.insert(place, sequence.wrapping_add(count) & i32::MAX);
        Ok(())
    }

    /// Has the coordinator add a partition to the transaction.
    async fn admit(&self, place: TopicPartition) -> ErrorCode {
        let support = TransactionSupport::AddsPartitions;
        let outcomes = self.node.transactions.admit(&self.transactional_id, self.producer, vec![place], support).await;
        outcomes.into_iter().next().unwrap_or(ErrorCode::UnknownServerError)
    }

    async fn end(&mut self, commit: bool) -> Result<(), DestinationError> {
        if self.sequences.is_empty() {
            return Ok(());
        }
        let started = Instant::now();
        loop {
            let end = EndTransaction {
                transactional_id: self.transactional_id.clone(),
                producer: self.producer,
                commit,
                version: TransactionVersion::V2,
            };
            match self.node.transactions.end(end).await {
                Ok(next) => {
                    self.producer = next;
                    self.sequences.clear();
                    return Ok(());
                }
                Err(ErrorCode::ConcurrentTransactions) if started.elapsed() < PATIENCE => {
                    tokio::time::sleep(PAUSE).await;
                }
                Err(code) => return Err(refusal(code, &self.transactional_id)),
            }
        }
    }
}

impl TransactionalProducer for BrokerProducer {
    fn append<'a>(
        &'a mut self,
        topic: &'a str,
        partition: i32,
        records: &'a [OutgoingRecord],
    ) -> BoxFuture<'a, Result<(), DestinationError>> {
        Box::pin(async move {
            if records.is_empty() {
                return Ok(());
            }
            let fill = |builder: &mut BatchBuilder| {
                // Records that follow each other share their headers, most often.
                let mut shared = None;
                let mut headers = Vec::new();
                for record in records {
                    if !shared.is_some_and(|shared| Arc::ptr_eq(shared, &record.headers)) {
                        shared = Some(&record.headers);
                        headers = header_slices(&record.headers);
                    }
                    builder.push(record.timestamp, record.key.as_deref(), record.value.as_deref(), &headers);
                }
                Ok(())
            };
            self.append_batch(topic, partition, fill).await
        })
    }

    fn append_large<'a>(
        &'a mut self,
        topic: &'a str,
        partition: i32,
        record: LargeRecord,
    ) -> BoxFuture<'a, Result<(), DestinationError>> {
        Box::pin(async move {
            let LargeRecord { key, mut value, headers, timestamp } = record;
            let fill = |builder: &mut BatchBuilder| {
                let (len, headers) = (value.len(), header_slices(&headers));
                builder.push_with(timestamp, key.as_deref(), Some(len), &headers, |out| value.copy_to(out))
            };
            self.append_batch(topic, partition, fill).await
        })
    }

    fn commit(&mut self) -> BoxFuture<'_, Result<(), DestinationError>> {
        Box::pin(self.end(true))
    }

    fn abort(&mut self) -> BoxFuture<'_, Result<(), DestinationError>> {
        Box::pin(self.end(false))
    }
}

fn header_slices(headers: &[(String, Option<Bytes>)]) -> Vec<(&[u8], Option<&[u8]>)> {
    headers.iter().map(|(key, value)| (key.as_bytes(), value.as_deref())).collect()
}

/// What a code of the coordinator's means to the shim: that somebody else has the id, that it may pass, or that it will
/// not.
fn refusal(code: ErrorCode, transactional_id: &str) -> DestinationError {
    match code {
        ErrorCode::ProducerFenced | ErrorCode::InvalidProducerEpoch | ErrorCode::InvalidProducerIdMapping => {
            DestinationError::Fenced(transactional_id.to_owned())
        }
        code if code.is_retriable() || code == ErrorCode::TransactionAbortable => {
            DestinationError::Unavailable(format!("the transaction coordinator answers {code}"))
        }
        code => DestinationError::Refused(format!("the transaction coordinator answers {code}")),
    }
}
