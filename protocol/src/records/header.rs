//! The fixed header of a record batch.
//!
//! Layout (big-endian; Kafka's documentation, "Record Batch"): base offset 8, batch length 4, partition leader
//! epoch 4, magic 1, CRC-32C 4, attributes 2, last offset delta 4, base timestamp 8, max timestamp 8,
//! producer id 8, producer epoch 2, base sequence 4, record count 4. The CRC covers all from the attributes on,
//! so that the broker may set base offset and leader epoch without touching it.

use super::compression::CompressionType;
use super::{NO_PRODUCER_ID, NO_SEQUENCE};

/// Bytes of the header of a batch.
pub const HEADER_LEN: usize = 61;
/// Bytes before and including the batch length: what the length does not count.
pub const LOG_OVERHEAD: usize = 12;
/// Where the bytes that the CRC covers begin.
pub(super) const CRC_COVERS_FROM: usize = 21;

const MAGIC_AT: usize = 16;

/// Why bytes are no batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Fewer bytes than the header or the announced length needs.
    #[error("batch is cut short: {have} bytes of {need}")]
    Truncated {
        /// Bytes at hand.
        have: usize,
        /// Bytes needed.
        need: usize,
    },
    /// The length is below the header's own size.
    #[error("batch length {0} is too small for a batch header")]
    Length(i32),
    /// Message formats v0 and v1 went with Apache Kafka 4 (KIP-724).
    #[error("record format v{0} is not supported; only v2 is")]
    Magic(i8),
    /// The bytes are not what the producer sent.
    #[error("batch CRC is {computed:#010x}, header says {stored:#010x}")]
    Crc {
        /// In the header.
        stored: u32,
        /// Of the bytes.
        computed: u32,
    },
    /// Attributes name a compression that does not exist.
    #[error("unknown compression codec {0}")]
    Codec(u8),
}

/// How the timestamps of a batch came to be (`message.timestamp.type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimestampType {
    /// Set by the producer.
    #[default]
    CreateTime,
    /// Set by the broker when it appended the batch.
    LogAppendTime,
}

/// The attribute bits of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attributes(pub i16);

impl Attributes {
    const CODEC: i16 = 0x07;
    const LOG_APPEND_TIME: i16 = 0x08;
    const TRANSACTIONAL: i16 = 0x10;
    const CONTROL: i16 = 0x20;
    const DELETE_HORIZON: i16 = 0x40;

    /// Attributes of a batch that a broker or producer makes.
    pub fn new(
        compression: CompressionType,
        timestamp_type: TimestampType,
        transactional: bool,
        control: bool,
    ) -> Self {
        let mut bits = i16::from(compression.id());
        if timestamp_type == TimestampType::LogAppendTime {
            bits |= Self::LOG_APPEND_TIME;
        }
        if transactional {
            bits |= Self::TRANSACTIONAL;
        }
        if control {
            bits |= Self::CONTROL;
        }
        Self(bits)
    }

    /// The compression of the records.
    pub fn compression(self) -> Result<CompressionType, BatchError> {
        let id = (self.0 & Self::CODEC) as u8;
        CompressionType::from_id(id).ok_or(BatchError::Codec(id))
    }

    /// Who set the timestamps.
    pub fn timestamp_type(self) -> TimestampType {
        if self.0 & Self::LOG_APPEND_TIME == 0 { TimestampType::CreateTime } else { TimestampType::LogAppendTime }
    }

    /// The same attributes with another timestamp type.
    #[must_use]
    pub fn with_timestamp_type(self, timestamp_type: TimestampType) -> Self {
        match timestamp_type {
            TimestampType::CreateTime => Self(self.0 & !Self::LOG_APPEND_TIME),
            TimestampType::LogAppendTime => Self(self.0 | Self::LOG_APPEND_TIME),
        }
    }

    /// The same attributes with another codec.
    #[must_use]
    pub fn with_compression(self, compression: CompressionType) -> Self {
        Self((self.0 & !Self::CODEC) | i16::from(compression.id()))
    }

    /// Whether the batch belongs to a transaction.
    pub fn is_transactional(self) -> bool {
        self.0 & Self::TRANSACTIONAL != 0
    }

    /// Whether the records are markers for brokers, not data for applications.
    pub fn is_control(self) -> bool {
        self.0 & Self::CONTROL != 0
    }

    /// Whether the base timestamp is a delete horizon set by the cleaner (KIP-534).
    pub fn has_delete_horizon(self) -> bool {
        self.0 & Self::DELETE_HORIZON != 0
    }

    /// The same attributes, saying whether the base timestamp is a delete horizon.
    #[must_use]
    pub fn with_delete_horizon(self, is_set: bool) -> Self {
        Self((self.0 & !Self::DELETE_HORIZON) | if is_set { Self::DELETE_HORIZON } else { 0 })
    }
}

/// A batch's header, decoded. Offsets are absolute once the log has set the base offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record.
    pub base_offset: i64,
    /// Bytes that follow the length field.
    pub batch_length: i32,
    /// Epoch of the leader that appended it.
    pub partition_leader_epoch: i32,
    /// CRC-32C of all that follows the CRC.
    pub crc: u32,
    /// Compression, timestamp type, transactional and control bits.
    pub attributes: Attributes,
    /// Last offset less base offset.
    pub last_offset_delta: i32,
    /// Milliseconds since 1970 of the first record, or a delete horizon.
    pub base_timestamp: i64,
    /// The greatest timestamp in the batch, in milliseconds since 1970.
    pub max_timestamp: i64,
    /// The producer's id, or -1.
    pub producer_id: i64,
    /// The producer's epoch, or -1.
    pub producer_epoch: i16,
    /// Sequence of the first record, or -1.
    pub base_sequence: i32,
    /// How many records the batch says it holds.
    pub record_count: i32,
}

impl BatchHeader {
    /// Reads the header at the front of `bytes`. The announced length may go beyond `bytes`; the CRC is not checked.
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        let Some(raw) = bytes.first_chunk::<HEADER_LEN>() else {
            return Err(BatchError::Truncated { have: bytes.len(), need: HEADER_LEN });
        };
        // Length and magic stand at the same place in all formats, so judge the magic first: an old client
        // deserves the message about its format.
        let magic = raw[MAGIC_AT] as i8;
        if magic != 2 {
            return Err(BatchError::Magic(magic));
        }
        let batch_length = i32_at(raw, 8);
        if batch_length < (HEADER_LEN - LOG_OVERHEAD) as i32 {
            return Err(BatchError::Length(batch_length));
        }
        Ok(Self {
            base_offset: i64_at(raw, 0),
            batch_length,
            partition_leader_epoch: i32_at(raw, 12),
            crc: i32_at(raw, 17) as u32,
            attributes: Attributes(i16_at(raw, 21)),
            last_offset_delta: i32_at(raw, 23),
            base_timestamp: i64_at(raw, 27),
            max_timestamp: i64_at(raw, 35),
            producer_id: i64_at(raw, 43),
            producer_epoch: i16_at(raw, 51),
            base_sequence: i32_at(raw, 53),
            record_count: i32_at(raw, 57),
        })
    }

    /// The header's 61 bytes.
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut raw = [0; HEADER_LEN];
        raw[0..8].copy_from_slice(&self.base_offset.to_be_bytes());
        raw[8..12].copy_from_slice(&self.batch_length.to_be_bytes());
        raw[12..16].copy_from_slice(&self.partition_leader_epoch.to_be_bytes());
        raw[MAGIC_AT] = 2;
        raw[17..21].copy_from_slice(&self.crc.to_be_bytes());
        raw[21..23].copy_from_slice(&self.attributes.0.to_be_bytes());
        raw[23..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        raw[27..35].copy_from_slice(&self.base_timestamp.to_be_bytes());
        raw[35..43].copy_from_slice(&self.max_timestamp.to_be_bytes());
        raw[43..51].copy_from_slice(&self.producer_id.to_be_bytes());
        raw[51..53].copy_from_slice(&self.producer_epoch.to_be_bytes());
        raw[53..57].copy_from_slice(&self.base_sequence.to_be_bytes());
        raw[57..61].copy_from_slice(&self.record_count.to_be_bytes());
        raw
    }

    /// The same header with the CRC that fits it and `payload`, the bytes that follow the header.
    #[must_use]
    pub fn sealed(mut self, payload: &[u8]) -> Self {
        self.batch_length = (HEADER_LEN - LOG_OVERHEAD + payload.len()) as i32;
        let head = crc32c::crc32c(&self.encode()[CRC_COVERS_FROM..]);
        self.crc = crc32c::crc32c_append(head, payload);
        self
    }

    /// Bytes of the whole batch, header included.
    pub fn size(&self) -> usize {
        LOG_OVERHEAD + self.batch_length as usize
    }

    /// Offset of the last record.
    pub fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta))
    }

    /// The offset that follows the batch.
    pub fn next_offset(&self) -> i64 {
        self.last_offset().saturating_add(1)
    }

    /// From when on the tombstones or the marker in it may go, in milliseconds since 1970, if the cleaner has said so
    /// (KIP-534).
    pub fn delete_horizon(&self) -> Option<i64> {
        self.attributes.has_delete_horizon().then_some(self.base_timestamp)
    }

    /// Whether an idempotent or transactional producer wrote it.
    pub fn has_producer_id(&self) -> bool {
        self.producer_id > NO_PRODUCER_ID
    }

    /// Sequence of the last record: sequences wrap from 2^31 - 1 to 0 (KIP-98).
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence == NO_SEQUENCE {
            return NO_SEQUENCE;
        }
        add_sequence(self.base_sequence, self.last_offset_delta)
    }
}

/// Adds to a sequence number, wrapping from 2^31 - 1 to 0.
pub(crate) fn add_sequence(sequence: i32, increment: i32) -> i32 {
    (i64::from(sequence) + i64::from(increment)).rem_euclid(1 << 31) as i32
}

fn i16_at(raw: &[u8; HEADER_LEN], at: usize) -> i16 {
    i16::from_be_bytes([raw[at], raw[at + 1]])
}

fn i32_at(raw: &[u8; HEADER_LEN], at: usize) -> i32 {
    i32::from_be_bytes([raw[at], raw[at + 1], raw[at + 2], raw[at + 3]])
}

fn i64_at(raw: &[u8; HEADER_LEN], at: usize) -> i64 {
    (i64::from(i32_at(raw, at)) << 32) | i64::from(i32_at(raw, at + 4) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_parses_encodes_to_the_same_bytes(mut bytes in prop::collection::vec(any::<u8>(), HEADER_LEN)) {
            bytes[MAGIC_AT] = 2;
            bytes[8] &= 0x7f;
            bytes[9] |= 1;
            let header = BatchHeader::parse(&bytes).unwrap();
            prop_assert_eq!(&header.encode()[..], &bytes[..]);
        }
    }

    #[test]
    fn sequences_wrap_to_zero() {
        assert_eq!(add_sequence(i32::MAX, 1), 0);
        assert_eq!(add_sequence(i32::MAX - 1, 3), 1);
        assert_eq!(add_sequence(5, 0), 5);
    }

    #[test]
    fn old_formats_and_impossible_lengths_are_named() {
        let mut raw = [0; HEADER_LEN];
        raw[MAGIC_AT] = 1;
        assert_eq!(BatchHeader::parse(&raw), Err(BatchError::Magic(1)));
        raw[MAGIC_AT] = 2;
        assert_eq!(BatchHeader::parse(&raw), Err(BatchError::Length(0)));
        assert_eq!(BatchHeader::parse(&raw[..60]), Err(BatchError::Truncated { have: 60, need: 61 }));
    }
}
