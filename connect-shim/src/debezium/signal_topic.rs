//! Signals through a topic (`signal.enabled.channels = kafka`, `KafkaSignalChannel`): records of its first partition whose
//! key is the connector's logical name. The topic is one of the broker's own, whatever `signal.kafka.bootstrap.servers`
//! says. How far it was read is committed for the consumer group that Debezium uses, so that a real worker goes on from
//! there.

use std::sync::Arc;

use serde_json::Value as Json;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::config::SignalTopicConfig;
use super::error::ConnectorError;
use super::signal::SignalRecord;
use crate::destination::{Destination, DestinationError, StoredRecord, TopicSpec};

/// How many signals wait until the stream takes them.
const WAITING: usize = 16;
/// The partition that is read.
const PARTITION: i32 = 0;

/// The signals of a topic as they come. Reading ends with this value.
#[derive(Debug)]
pub(crate) struct TopicSignals {
    waiting: mpsc::Receiver<(i64, SignalRecord)>,
    /// The offset behind the last signal that was taken.
    taken: Option<i64>,
    place: Place,
    _stop: DropGuard,
}

#[derive(Clone)]
struct Place {
    topics: Arc<dyn Destination>,
    topic: String,
    group: String,
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place").field("topic", &self.topic).field("group", &self.group).finish_non_exhaustive()
    }
}

impl TopicSignals {
    /// Follows the topic from where its group has come to, or from its beginning. It is made if it is not there.
    ///
    /// # Errors
    /// What the broker says.
    pub(crate) async fn follow(
        topics: Arc<dyn Destination>,
        config: &SignalTopicConfig,
        connector: &str,
    ) -> Result<Self, ConnectorError> {
        let place = Place { topics, topic: config.topic.clone(), group: config.group.clone() };
        if place.topics.partition_count(&place.topic).is_none() {
            let spec = TopicSpec { name: place.topic.clone(), partitions: -1, configs: Default::default() };
            place.topics.ensure_topic(&spec).map_err(|error| failed(&place, &error))?;
        }
        let committed = place.topics.committed_offset(&place.group, &place.topic, PARTITION).await;
        let from = committed.map_err(|error| failed(&place, &error))?.unwrap_or(0);
        let (sender, waiting) = mpsc::channel(WAITING);
        let stop = CancellationToken::new();
        tokio::spawn(read(place.clone(), connector.to_owned(), from, sender, stop.clone()));
        tracing::info!(topic = place.topic, from, "subscribing to signals");
        Ok(Self { waiting, taken: None, place, _stop: stop.drop_guard() })
    }

    /// The next signal, waiting for it; `None` if there will be no more. Nothing is lost if the wait is given up.
    pub(crate) async fn next(&mut self) -> Option<SignalRecord> {
        let (offset, signal) = self.waiting.recv().await?;
        self.taken = Some(offset + 1);
        Some(signal)
    }

    /// The next signal if one waits.
    pub(crate) fn waiting(&mut self) -> Option<SignalRecord> {
        let (offset, signal) = self.waiting.try_recv().ok()?;
        self.taken = Some(offset + 1);
        Some(signal)
    }

    /// Commits that the signals which were taken need not come again.
    pub(crate) async fn commit(&mut self) {
        let Some(next) = self.taken.take() else { return };
        let Place { topics, topic, group } = &self.place;
        if let Err(error) = topics.commit_offset(group, topic, PARTITION, next).await {
            tracing::warn!(topic, %error, "signals may come again, since it cannot be committed that they were read");
        }
    }
}

fn failed(place: &Place, error: &DestinationError) -> ConnectorError {
    ConnectorError::Failed(format!("Reading signals from topic '{}' failed: {error}", place.topic))
}

async fn read(
    place: Place,
    connector: String,
    mut from: i64,
    sender: mpsc::Sender<(i64, SignalRecord)>,
    stop: CancellationToken,
) {
    loop {
        let polled = tokio::select! {
            () = stop.cancelled() => return,
            polled = place.topics.poll(&place.topic, PARTITION, from) => polled,
        };
        let (records, next) = match polled {
            Ok(polled) => polled,
            Err(error) => {
                tracing::error!(topic = place.topic, %error, "signals are not read any more");
                return;
            }
        };
        from = next;
        for record in records {
            let Some(signal) = parse(&record, &connector) else { continue };
            if sender.send((record.offset, signal)).await.is_err() {
                return;
            }
        }
    }
}

fn parse(record: &StoredRecord, connector: &str) -> Option<SignalRecord> {
    if record.key.as_deref() != Some(connector.as_bytes()) {
        let key = String::from_utf8_lossy(record.key.as_deref().unwrap_or_default()).into_owned();
        tracing::info!(key, connector, "a signal's key does not match the connector's name");
        return None;
    }
    let value = record.value.as_deref().filter(|value| !value.is_empty())?;
    let Ok(json) = serde_json::from_slice::<Json>(value) else {
        tracing::error!(offset = record.offset, "a signal is skipped, which is not JSON");
        return None;
    };
    let text = |name: &str| json.get(name).and_then(Json::as_str).map(str::to_owned);
    let Some(data) = json.get("data").filter(|data| data.is_object()) else {
        tracing::error!(offset = record.offset, "a signal is skipped, whose data is no object");
        return None;
    };
    Some(SignalRecord {
        id: text("id").unwrap_or_default(),
        kind: text("type").unwrap_or_default(),
        data: data.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn what_has_another_key_is_for_another() {
        let value = r#"{"id":"1","type":"log","data":{"message":"hi"}}"#;
        let record = |key: &'static str| StoredRecord {
            partition: 0,
            offset: 3,
            key: Some(Bytes::from(key)),
            value: Some(Bytes::from(value)),
        };
        assert_eq!(parse(&record("another"), "shop"), None);
        let signal = parse(&record("shop"), "shop").map(|signal| (signal.kind, signal.data));
        assert_eq!(signal, Some(("log".to_owned(), r#"{"message":"hi"}"#.to_owned())));
    }
}
