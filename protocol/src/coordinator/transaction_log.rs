//! The records of `__transaction_state`: `TransactionLogKey.json` and `TransactionLogValue.json` of Kafka's transaction
//! coordinator.

use bytes::{BufMut, Bytes, BytesMut};

use crate::cursor::{Cursor, Malformed, put_compact_string, put_string, put_unsigned_varint};

/// The record type that stands first in the key.
const KEY_TYPE: i16 = 0;
/// A topic's name and a count with their lengths, at the least.
const MIN_TOPIC_LEN: usize = 2;
const PREVIOUS_PRODUCER_ID: u32 = 0;
const NEXT_PRODUCER_ID: u32 = 1;
const CLIENT_TRANSACTION_VERSION: u32 = 2;
const NO_PRODUCER_ID: i64 = -1;

/// How a client and the brokers go about transactions (the feature `transaction.version`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TransactionVersion {
    /// As it was from the beginning (KIP-98).
    #[default]
    V0,
    /// The coordinator's records have tagged fields.
    V1,
    /// The epoch rises with each transaction, and partitions are added by what is sent to them (KIP-890).
    V2,
}

impl TransactionVersion {
    /// The feature's level.
    pub fn level(self) -> i16 {
        match self {
            Self::V0 => 0,
            Self::V1 => 1,
            Self::V2 => 2,
        }
    }

    /// The version of a level; whatever is above the last that is known counts as that one.
    pub fn from_level(level: i16) -> Self {
        match level {
            ..=0 => Self::V0,
            1 => Self::V1,
            2.. => Self::V2,
        }
    }

    /// Whether each end of a transaction raises the producer's epoch.
    pub fn bumps_epoch(self) -> bool {
        self == Self::V2
    }
}

/// Where a transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransactionState {
    /// The producer is known and has not begun a transaction.
    Empty,
    /// Partitions have been added.
    Ongoing,
    /// It will be committed, whatever happens; markers are on their way.
    PrepareCommit,
    /// It will be aborted, whatever happens; markers are on their way.
    PrepareAbort,
    /// It was committed, and every partition knows.
    CompleteCommit,
    /// It was aborted, and every partition knows.
    CompleteAbort,
    /// The transactional id is about to be forgotten. Kafka never stores it.
    Dead,
    /// The producer is about to be fenced. Kafka never stores it.
    PrepareEpochFence,
}

impl TransactionState {
    /// All states, in the order of their ids.
    pub const ALL: [Self; 8] = [
        Self::Empty,
        Self::Ongoing,
        Self::PrepareCommit,
        Self::PrepareAbort,
        Self::CompleteCommit,
        Self::CompleteAbort,
        Self::Dead,
        Self::PrepareEpochFence,
    ];

    /// Kafka's name of the state.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Ongoing => "Ongoing",
            Self::PrepareCommit => "PrepareCommit",
            Self::PrepareAbort => "PrepareAbort",
            Self::CompleteCommit => "CompleteCommit",
            Self::CompleteAbort => "CompleteAbort",
            Self::Dead => "Dead",
            Self::PrepareEpochFence => "PrepareEpochFence",
        }
    }

    /// The state of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    fn id(self) -> i8 {
        self as i8
    }

    fn from_id(id: i8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.id() == id)
    }
}

/// What is stored of a transactional id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionLogValue {
    /// The producer's id.
    pub producer_id: i64,
    /// The id that it had before, or -1.
    pub previous_producer_id: i64,
    /// The id that it will have once the transaction is complete, where its epochs are used up; -1 otherwise.
    pub next_producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// How long a transaction may take, in milliseconds.
    pub timeout_ms: i32,
    /// Where the transaction stands.
    pub state: TransactionState,
    /// The partitions of the transaction, by topic.
    pub partitions: Vec<(String, Vec<i32>)>,
    /// When any of this last changed, in milliseconds since 1970.
    pub last_update_timestamp: i64,
    /// When the transaction began, in milliseconds since 1970, or -1.
    pub start_timestamp: i64,
    /// How the client that last changed it goes about transactions.
    pub client_transaction_version: TransactionVersion,
}

/// The key's bytes for a transactional id.
pub fn encode_key(transactional_id: &str) -> Bytes {
    let mut out = BytesMut::with_capacity(4 + transactional_id.len());
    out.put_i16(KEY_TYPE);
    put_string(&mut out, transactional_id);
    out.freeze()
}

/// The transactional id in a key; `None` for a kind of record that this version does not know.
pub fn decode_key(bytes: Bytes) -> Result<Option<String>, Malformed> {
    let mut cursor = Cursor::new(bytes);
    match cursor.i16("record type")? {
        KEY_TYPE => cursor.string("transactional id").map(Some),
        _ => Ok(None),
    }
}

impl TransactionLogValue {
    /// Reads a value of version 0 or 1.
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(bytes);
        let flexible = match cursor.i16("value version")? {
            0 => false,
            1 => true,
            _ => return Err(Malformed("transaction log value version")),
        };
        let producer_id = cursor.i64("producer id")?;
        let producer_epoch = cursor.i16("producer epoch")?;
        let timeout_ms = cursor.i32("timeout")?;
        let state = TransactionState::from_id(cursor.i8("state")?).ok_or(Malformed("state"))?;
        let count = match flexible {
            true => cursor.compact_count(MIN_TOPIC_LEN, "topics")?,
            false => cursor.count(MIN_TOPIC_LEN, "topics")?,
        };
        let partitions = (0..count).map(|_| decode_topic(&mut cursor, flexible)).collect::<Result<_, _>>()?;
        let mut value = Self {
            producer_id,
            previous_producer_id: NO_PRODUCER_ID,
            next_producer_id: NO_PRODUCER_ID,
            producer_epoch,
            timeout_ms,
            state,
            partitions,
            last_update_timestamp: cursor.i64("last update")?,
            start_timestamp: cursor.i64("start")?,
            client_transaction_version: TransactionVersion::V0,
        };
        if flexible {
            value.decode_tags(&mut cursor)?;
        }
        Ok(value)
    }

    fn decode_tags(&mut self, cursor: &mut Cursor) -> Result<(), Malformed> {
        for _ in 0..cursor.unsigned_varint("tags")? {
            let tag = cursor.unsigned_varint("tag")?;
            let len = cursor.unsigned_varint("tag length")?;
            let mut field = Cursor::new(cursor.take(len as usize, "tagged field")?);
            match tag {
                PREVIOUS_PRODUCER_ID => self.previous_producer_id = field.i64("previous producer id")?,
                NEXT_PRODUCER_ID => self.next_producer_id = field.i64("next producer id")?,
                CLIENT_TRANSACTION_VERSION => {
                    let level = field.i16("client transaction version")?;
                    self.client_transaction_version = TransactionVersion::from_level(level);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The value's bytes, as a coordinator of that level of `transaction.version` writes them: in version 1, or at level 0
    /// in version 0, which lacks what a later level needs (the ids before and after, the client's version).
    pub fn encode(&self, level: TransactionVersion) -> Bytes {
        if level == TransactionVersion::V0 {
            return self.encode_without_tags();
        }
        let mut out = BytesMut::new();
        out.put_i16(1);
        out.put_i64(self.producer_id);
        out.put_i16(self.producer_epoch);
        out.put_i32(self.timeout_ms);
        out.put_i8(self.state.id());
        // A producer without a transaction has no partitions at all, which is something else than none of them.
        match self.state {
            TransactionState::Empty => out.put_u8(0),
            _ => {
                put_unsigned_varint(&mut out, self.partitions.len() as u64 + 1);
                for (topic, partitions) in &self.partitions {
                    put_compact_string(&mut out, topic);
                    put_unsigned_varint(&mut out, partitions.len() as u64 + 1);
                    partitions.iter().for_each(|partition| out.put_i32(*partition));
                    out.put_u8(0);
                }
            }
        }
        out.put_i64(self.last_update_timestamp);
        out.put_i64(self.start_timestamp);
        self.encode_tags(&mut out);
        out.freeze()
    }

    fn encode_without_tags(&self) -> Bytes {
        let mut out = BytesMut::new();
        out.put_i16(0);
        out.put_i64(self.producer_id);
        out.put_i16(self.producer_epoch);
        out.put_i32(self.timeout_ms);
        out.put_i8(self.state.id());
        match self.state {
            TransactionState::Empty => out.put_i32(-1),
            _ => {
                put_count(&mut out, self.partitions.len());
                for (topic, partitions) in &self.partitions {
                    put_string(&mut out, topic);
                    put_count(&mut out, partitions.len());
                    partitions.iter().for_each(|partition| out.put_i32(*partition));
                }
            }
        }
        out.put_i64(self.last_update_timestamp);
        out.put_i64(self.start_timestamp);
        out.freeze()
    }

    /// The tagged fields that differ from their defaults.
    fn encode_tags(&self, out: &mut BytesMut) {
        let ids = [(PREVIOUS_PRODUCER_ID, self.previous_producer_id), (NEXT_PRODUCER_ID, self.next_producer_id)];
        let ids = ids.into_iter().filter(|(_, id)| *id != NO_PRODUCER_ID);
        let version = Some(self.client_transaction_version).filter(|version| *version != TransactionVersion::V0);
        put_unsigned_varint(out, ids.clone().count() as u64 + u64::from(version.is_some()));
        for (tag, id) in ids {
            put_unsigned_varint(out, u64::from(tag));
            put_unsigned_varint(out, 8);
            out.put_i64(id);
        }
        if let Some(version) = version {
            put_unsigned_varint(out, u64::from(CLIENT_TRANSACTION_VERSION));
            put_unsigned_varint(out, 2);
            out.put_i16(version.level());
        }
    }
}

/// The count of an array's elements. A transaction has fewer partitions than would not fit.
fn put_count(out: &mut BytesMut, count: usize) {
    out.put_i32(i32::try_from(count).unwrap_or(i32::MAX));
}

fn decode_topic(cursor: &mut Cursor, flexible: bool) -> Result<(String, Vec<i32>), Malformed> {
    let (topic, count) = match flexible {
        true => (cursor.compact_string("topic")?, cursor.compact_count(4, "partitions")?),
        false => (cursor.string("topic")?, cursor.count(4, "partitions")?),
    };
    let partitions = (0..count).map(|_| cursor.i32("partition")).collect::<Result<_, _>>()?;
    if flexible {
        cursor.skip_tags("topic's tags")?;
    }
    Ok((topic, partitions))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn example() -> TransactionLogValue {
        TransactionLogValue {
            producer_id: 7,
            previous_producer_id: 7,
            next_producer_id: -1,
            producer_epoch: 3,
            timeout_ms: 60_000,
            state: TransactionState::Ongoing,
            partitions: vec![("t".to_owned(), vec![0, 2])],
            last_update_timestamp: 258,
            start_timestamp: 257,
            client_transaction_version: TransactionVersion::V2,
        }
    }

    #[test]
    fn keys_and_values_have_kafkas_bytes() {
        assert_eq!(encode_key("id")[..], [0, 0, 0, 2, b'i', b'd']);
        assert_eq!(decode_key(encode_key("id")), Ok(Some("id".to_owned())));
        let bytes = [
            &[0, 1][..],
            &[0, 0, 0, 0, 0, 0, 0, 7],
            &[0, 3],
            &[0, 0, 0xea, 0x60],
            &[1],
            &[2, 2, b't', 3, 0, 0, 0, 0, 0, 0, 0, 2, 0],
            &[0, 0, 0, 0, 0, 0, 1, 2],
            &[0, 0, 0, 0, 0, 0, 1, 1],
            &[2, 0, 8, 0, 0, 0, 0, 0, 0, 0, 7, 2, 2, 0, 2],
        ]
        .concat();
        assert_eq!(example().encode(TransactionVersion::V1)[..], bytes[..]);
        assert_eq!(example().encode(TransactionVersion::V2)[..], bytes[..]);
    }

    #[test]
    fn values_without_tagged_fields_are_those_of_level_0() {
        let bytes = [
            &[0, 0][..],
            &[0, 0, 0, 0, 0, 0, 0, 7],
            &[0, 3],
            &[0, 0, 0xea, 0x60],
            &[1],
            &[0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2],
            &[0, 0, 0, 0, 0, 0, 1, 2],
            &[0, 0, 0, 0, 0, 0, 1, 1],
        ]
        .concat();
        assert_eq!(example().encode(TransactionVersion::V0)[..], bytes[..]);
        let expected = TransactionLogValue {
            previous_producer_id: -1,
            client_transaction_version: TransactionVersion::V0,
            ..example()
        };
        assert_eq!(TransactionLogValue::decode(Bytes::from(bytes)), Ok(expected));
    }

    proptest! {
        #[test]
        fn values_round_trip(
            producer_id: i64, previous_producer_id: i64, next_producer_id: i64, producer_epoch: i16, timeout_ms: i32,
            state in 0usize..8, partitions in prop::collection::vec(("[a-z]{1,9}", prop::collection::vec(any::<i32>(), 0..4)), 0..4),
            last_update_timestamp: i64, start_timestamp: i64, version in 0i16..3,
        ) {
            let state = TransactionState::ALL[state];
            let partitions = if state == TransactionState::Empty { Vec::new() } else { partitions };
            let value = TransactionLogValue {
                producer_id, previous_producer_id, next_producer_id, producer_epoch, timeout_ms, state, partitions,
                last_update_timestamp, start_timestamp,
                client_transaction_version: TransactionVersion::from_level(version),
            };
            let without_tags = TransactionLogValue {
                previous_producer_id: NO_PRODUCER_ID, next_producer_id: NO_PRODUCER_ID,
                client_transaction_version: TransactionVersion::V0, ..value.clone()
            };
            prop_assert_eq!(TransactionLogValue::decode(value.encode(TransactionVersion::V0)), Ok(without_tags));
            prop_assert_eq!(TransactionLogValue::decode(value.encode(TransactionVersion::V2)), Ok(value));
        }

        #[test]
        fn arbitrary_records_never_panic(key: Vec<u8>, value: Vec<u8>) {
            let _ = decode_key(Bytes::from(key));
            for version in [0, 1] {
                let _ = TransactionLogValue::decode(Bytes::from([&[0, version], &value[..]].concat()));
            }
        }
    }
}
