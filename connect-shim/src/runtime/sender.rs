//! Sends batches into topics, beside the conversion of what follows them if there is much of it, as the thread of that name
//! in Kafka's producer does (`org.apache.kafka.clients.producer.internals.Sender`).

use std::mem;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::destination::{DestinationError, LargeRecord, OutgoingRecord, TransactionalProducer};

/// Records for one partition.
pub(super) struct Batch {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    pub(super) records: Vec<OutgoingRecord>,
}

/// Why a topic did not take a record.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) topic: Arc<str>,
    pub(super) message: String,
}

/// Sends one batch at a time, in the order in which they are given.
pub(super) struct Sender {
    /// Not here while a batch is sent aside, nor after that has gone wrong in a way that nobody foresaw.
    producer: Option<Box<dyn TransactionalProducer>>,
    aside: Option<JoinHandle<Sent>>,
    /// What was refused and not told yet.
    refused: Vec<Refused>,
    /// Memory of records that were sent, which is of use for others.
    spare: Vec<OutgoingRecord>,
}

/// How it went with a batch.
struct Sent {
    producer: Box<dyn TransactionalProducer>,
    records: Vec<OutgoingRecord>,
    outcome: Result<Vec<Refused>, DestinationError>,
}

impl Sender {
    pub(super) fn new(producer: Box<dyn TransactionalProducer>) -> Self {
        Self { producer: Some(producer), aside: None, refused: Vec::new(), spare: Vec::new() }
    }

    /// An empty list of records, with the memory of an earlier one if there is such.
    pub(super) fn records(&mut self) -> Vec<OutgoingRecord> {
        mem::take(&mut self.spare)
    }

    /// What topics have refused since this was asked last.
    pub(super) fn refused(&mut self) -> Vec<Refused> {
        mem::take(&mut self.refused)
    }

    /// Sends a batch and waits for it.
    ///
    /// # Errors
    /// Of this batch or the one before it. The transaction can only be aborted then.
    pub(super) async fn send(&mut self, batch: Batch) -> Result<(), DestinationError> {
        let producer = self.idle().await?;
        let outcome = send(&mut **producer, &batch).await;
        self.sent(batch.records, outcome)
    }

    /// Sends a batch in a thread of its own. Only the one before it is waited for.
    ///
    /// # Errors
    /// Of the batch before. The transaction can only be aborted then.
    pub(super) async fn send_aside(&mut self, batch: Batch) -> Result<(), DestinationError> {
        self.idle().await?;
        let Some(mut producer) = self.producer.take() else { return Err(lost()) };
        // A task would wait in this worker's queue until the conversion beside which it is to run has to wait for something.
        let runtime = Handle::current();
        self.aside = Some(tokio::task::spawn_blocking(move || {
            let outcome = runtime.block_on(send(&mut *producer, &batch));
            Sent { producer, records: batch.records, outcome }
        }));
        Ok(())
    }

    /// Sends a large record and waits for it.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub(super) async fn send_large(
        &mut self,
        topic: &Arc<str>,
        partition: i32,
        record: LargeRecord,
    ) -> Result<(), DestinationError> {
        match self.idle().await?.append_large(topic, partition, record).await {
            Err(DestinationError::RecordsRefused(message)) => {
                self.refused.push(Refused { topic: Arc::clone(topic), message });
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Waits for what is sent aside.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub(super) async fn settle(&mut self) -> Result<(), DestinationError> {
        self.idle().await.map(|_| ())
    }

    /// Ends the transaction.
    ///
    /// # Errors
    /// As for [`send`](Self::send), or that it is not committed.
    pub(super) async fn commit(&mut self) -> Result<(), DestinationError> {
        self.idle().await?.commit().await
    }

    /// Hides what the transaction has brought.
    ///
    /// # Errors
    /// That it is still open, until a new producer aborts it.
    pub(super) async fn abort(&mut self) -> Result<(), DestinationError> {
        // How the last batch went is of no account any more.
        let _ = self.idle().await;
        self.idle().await?.abort().await
    }

    /// The producer, once it is here again.
    async fn idle(&mut self) -> Result<&mut Box<dyn TransactionalProducer>, DestinationError> {
        // The handle stays until the batch is through, so that whoever gives up waiting loses nothing.
        if let Some(aside) = &mut self.aside {
            let ended = aside.await;
            self.aside = None;
            let Sent { producer, records, outcome } = ended.map_err(|_| lost())?;
            self.producer = Some(producer);
            self.sent(records, outcome)?;
        }
        self.producer.as_mut().ok_or_else(lost)
    }

    fn sent(
        &mut self,
        mut records: Vec<OutgoingRecord>,
        outcome: Result<Vec<Refused>, DestinationError>,
    ) -> Result<(), DestinationError> {
        records.clear();
        self.spare = records;
        self.refused.extend(outcome?);
        Ok(())
    }
}

/// Sends a batch. One that is refused for what its records are is sent in halves, as producers do with one that is too large,
/// until it is clear which of them it is.
async fn send(producer: &mut dyn TransactionalProducer, batch: &Batch) -> Result<Vec<Refused>, DestinationError> {
    let mut refused = Vec::new();
    let mut parts = vec![batch.records.as_slice()];
    while let Some(part) = parts.pop() {
        match producer.append(&batch.topic, batch.partition, part).await {
            Ok(()) => {}
            Err(DestinationError::RecordsRefused(_)) if part.len() > 1 => {
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([second, first]);
            }
            Err(DestinationError::RecordsRefused(message)) => {
                refused.push(Refused { topic: Arc::clone(&batch.topic), message });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(refused)
}

fn lost() -> DestinationError {
    DestinationError::Unavailable("the producer was lost with a batch that it did not end".to_owned())
}
