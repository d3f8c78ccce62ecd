//! Headers that a deletion and its tombstone share: Connect's record of the one holds those of the other, as long as no
//! transform has copied them.

use std::sync::Arc;

use crate::data::{Header, SourceRecord, Value};

/// What was added to the headers of the last deletion.
#[derive(Debug, Default)]
pub(super) struct SharedHeaders {
    /// Whether records still share their headers when they come.
    pub(super) shares: bool,
    last: Option<(Arc<str>, Value, Vec<Header>)>,
}

impl SharedHeaders {
    /// Notes what a record has got, if a tombstone may follow it.
    pub(super) fn note(&mut self, record: &SourceRecord, added: &[Header]) {
        let deletes = || match &record.value {
            Value::Struct(envelope) => envelope.get("op").and_then(Value::as_str) == Some("d"),
            _ => false,
        };
        self.last = (self.shares && !added.is_empty() && deletes())
            .then(|| (Arc::clone(&record.topic), record.key.clone(), added.to_vec()));
    }

    /// Gives a tombstone what its deletion has got.
    pub(super) fn give(&mut self, tombstone: &mut SourceRecord) {
        if let Some((topic, key, added)) = self.last.take()
            && topic == tombstone.topic
            && key == tombstone.key
        {
            tombstone.headers.extend(added);
        }
    }
}
