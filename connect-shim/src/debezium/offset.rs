//! How far the source has been read: the offset in the form in which Debezium keeps it, so that either can go on where the
//! other stopped.

use serde_json::Value as Json;

use crate::data::OffsetMap;
use crate::postgres::Lsn;

/// What kind of message was read last (`ReplicationMessage.Operation`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MessageType {
    /// A row is new.
    Insert,
    /// A row has changed.
    Update,
    /// A row is gone.
    Delete,
    /// A table is empty now.
    Truncate,
    /// An application's message.
    Message,
    /// A transaction begins.
    Begin,
    /// A transaction ends.
    Commit,
}

const MESSAGE_TYPES: [(&str, MessageType); 7] = [
    ("INSERT", MessageType::Insert),
    ("UPDATE", MessageType::Update),
    ("DELETE", MessageType::Delete),
    ("TRUNCATE", MessageType::Truncate),
    ("MESSAGE", MessageType::Message),
    ("BEGIN", MessageType::Begin),
    ("COMMIT", MessageType::Commit),
];

/// An offset.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Offset {
    /// When the last transaction was committed, in microseconds since 1970.
    pub(crate) ts_usec: Option<i64>,
    /// The last transaction.
    pub(crate) tx_id: Option<i64>,
    /// The place of what was read last.
    pub(crate) lsn: Option<Lsn>,
    /// The slot's `catalog_xmin`.
    pub(crate) xmin: Option<i64>,
    /// The place up to which all has been read.
    pub(crate) lsn_proc: Option<Lsn>,
    /// The end of the last transaction that was read whole.
    pub(crate) lsn_commit: Option<Lsn>,
    /// What was read last.
    pub(crate) message_type: Option<MessageType>,
    /// How many events at `lsn` have been read.
    pub(crate) lsn_events_processed: i64,
    /// Whether a snapshot has begun, and whether it is complete.
    pub(crate) snapshot: Option<bool>,
    /// What an incremental snapshot that is under way keeps.
    pub(crate) incremental: OffsetMap,
}

impl Offset {
    /// Reads what was kept, by Debezium or by us.
    pub(crate) fn load(map: &OffsetMap) -> Self {
        let number = |name: &str| map.get(name).and_then(Json::as_i64);
        let lsn = |name: &str| number(name).map(Lsn::from).filter(|lsn| lsn.is_valid());
        let message_type = map.get("messageType").and_then(Json::as_str);
        // An offset of Debezium's before 2.x says `true` for a snapshot.
        let in_snapshot = map.get("snapshot").is_some_and(|value| {
            value.as_bool().unwrap_or_else(|| {
                value.as_str().is_some_and(|name| name.eq_ignore_ascii_case("INITIAL") || name == "true")
            })
        });
        let completed = map.get("snapshot_completed").and_then(Json::as_bool).unwrap_or(false);
        let last_record = map.get("last_snapshot_record").and_then(Json::as_bool).unwrap_or(false);
        let lsn_proc = lsn("lsn_proc");
        Self {
            ts_usec: number("ts_usec"),
            tx_id: number("txId"),
            lsn: lsn("lsn"),
            xmin: number("xmin"),
            lsn_proc,
            lsn_commit: lsn("lsn_commit").or(lsn_proc),
            message_type: message_type
                .and_then(|name| MESSAGE_TYPES.iter().find(|(other, _)| *other == name))
                .map(|(_, found)| *found),
            lsn_events_processed: number("lsn_events_processed").unwrap_or(0),
            snapshot: in_snapshot.then_some(completed || last_record),
            incremental: map
                .iter()
                .filter(|(name, _)| name.starts_with("incremental_snapshot"))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        }
    }

    /// In the form in which it is kept.
    pub(crate) fn store(&self) -> OffsetMap {
        let mut map = OffsetMap::new();
        let mut put = |name: &str, value: Option<i64>| {
            if let Some(value) = value {
                map.insert(name.to_owned(), value.into());
            }
        };
        put("ts_usec", self.ts_usec);
        put("txId", self.tx_id);
        put("lsn", self.lsn.map(Lsn::as_i64));
        put("xmin", self.xmin);
        put("lsn_proc", self.lsn_proc.map(Lsn::as_i64));
        put("lsn_commit", self.lsn_commit.map(Lsn::as_i64));
        put("lsn_events_processed", Some(self.lsn_events_processed).filter(|count| *count > 0));
        if let Some((name, _)) = MESSAGE_TYPES.iter().find(|(_, found)| Some(*found) == self.message_type) {
            map.insert("messageType".into(), (*name).into());
        }
        if let Some(completed) = self.snapshot {
            map.insert("snapshot".into(), "INITIAL".into());
            map.insert("last_snapshot_record".into(), completed.into());
            map.insert("snapshot_completed".into(), completed.into());
        }
        map.extend(self.incremental.iter().map(|(name, value)| (name.clone(), value.clone())));
        map
    }

    /// Whether the first snapshot had begun and was not complete.
    pub(crate) fn in_snapshot(&self) -> bool {
        self.snapshot == Some(false)
    }

    /// From where the stream has to begin for nothing to be missed.
    pub(crate) fn start(&self) -> Option<Lsn> {
        self.lsn_commit.or(self.lsn_proc).or(self.lsn)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn debeziums_offset_goes_through() {
        let text = r#"{"transaction_id":null,"lsn_proc":34100000,"messageType":"INSERT","lsn_commit":34099000,
            "lsn":34100000,"txId":751,"ts_usec":1700000000000000,"lsn_events_processed":2}"#;
        let offset = Offset::load(&serde_json::from_str(text).unwrap());
        assert_eq!(offset.start(), Some(Lsn(34_099_000)));
        assert_eq!(offset.message_type, Some(MessageType::Insert));
        assert_eq!(Offset::load(&offset.store()), offset);
    }

    #[test]
    fn a_snapshot_that_broke_off_is_seen() {
        let map = |text: &str| serde_json::from_str(text).unwrap();
        assert!(Offset::load(&map(r#"{"snapshot":"INITIAL","snapshot_completed":false,"lsn":1}"#)).in_snapshot());
        assert!(!Offset::load(&map(r#"{"snapshot":"INITIAL","last_snapshot_record":true,"lsn":1}"#)).in_snapshot());
        assert!(!Offset::load(&map(r#"{"lsn":1}"#)).in_snapshot());
    }
}
