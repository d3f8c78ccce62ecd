//! What a broker checks of a batch before it appends it, and what it may change: Kafka's `LogValidator`.
//!
//! All of it happens before any lock. The result is a header that the log only completes with its offset, and
//! the payload, shared with the request unless the topic's rules made the broker write it anew.

use bytes::Bytes;

use super::batch::RecordBatch;
use super::builder::BatchBuilder;
use super::compression::{Compression, CompressionError, CompressionType};
use super::header::{BatchError, BatchHeader, HEADER_LEN, TimestampType};
use super::scan::{RecordMeta, RecordsError};
use super::{NO_SEQUENCE, NO_TIMESTAMP};

/// The topic configs that decide whether a batch is accepted and how it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchRules {
    /// `cleanup.policy` includes `compact`: every record needs a key.
    pub compacted: bool,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`: how far a record's time may lie behind the broker's.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`: how far it may lie ahead.
    pub timestamp_after_max_ms: i64,
    /// `max.message.bytes`: the greatest size of a batch, header included.
    pub max_message_bytes: usize,
    /// `compression.type` with its level; `None` for `producer`, which keeps what came.
    pub compression: Option<Compression>,
}

/// A batch that may be appended. Base offset and leader epoch are the log's to set.
#[derive(Debug, Clone)]
pub struct ValidBatch {
    /// The header as it will be stored, but for base offset and leader epoch, which the CRC does not cover.
    pub header: BatchHeader,
    /// What follows the header.
    pub payload: Bytes,
}

impl ValidBatch {
    /// A batch that the broker itself made and need not check.
    pub fn trusted((header, payload): (BatchHeader, Bytes)) -> Self {
        Self { header, payload }
    }
}

/// A record that made its batch unacceptable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordError {
    /// Its position in the batch, from 0.
    pub index: i32,
    /// What is wrong with it.
    pub message: String,
}

/// Why a batch is refused. The broker maps each to Kafka's error code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBatch {
    /// No records at all.
    #[error("produce data holds no record batch")]
    Empty,
    /// One batch a partition is what a produce request may hold.
    #[error("produce data holds more than one record batch")]
    MoreThanOne,
    /// Format v0 or v1, or one yet to come.
    #[error("record format v{0} is not accepted; producers must write v2")]
    Magic(i8),
    /// Cut short, a wrong length, a wrong CRC.
    #[error(transparent)]
    Corrupt(BatchError),
    /// A codec id that does not exist.
    #[error("unknown compression codec {0}")]
    Codec(u8),
    /// Beyond `max.message.bytes`.
    #[error("batch of {size} bytes is above max.message.bytes ({max})")]
    TooLarge {
        /// The batch's size in bytes.
        size: usize,
        /// The limit.
        max: usize,
    },
    /// The offsets or counts in the header contradict each other.
    #[error("batch header is inconsistent: {0}")]
    Inconsistent(&'static str),
    /// Control records are brokers' own.
    #[error("clients may not write control records")]
    Control,
    /// An idempotent batch without a sequence.
    #[error("batch of producer {producer_id} has sequence {sequence}")]
    Sequence {
        /// The producer's id.
        producer_id: i64,
        /// The sequence in the header.
        sequence: i32,
    },
    /// The records are not what the header announces.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// Records without a key in a compacted topic.
    #[error("a compacted topic accepts no record without a key")]
    MissingKeys(Vec<RecordError>),
    /// Timestamps outside of what the topic allows.
    #[error("timestamps lie outside of what the topic allows")]
    Timestamps(Vec<RecordError>),
}

/// How many faulty records are named one by one in an answer.
const MAX_RECORD_ERRORS: usize = 1_000;
/// What a payload may decompress to where the broker must hold it whole to write it anew.
const MAX_REWRITE_BYTES: usize = 256 * 1024 * 1024;

/// Checks the records that a client sent for one partition. `now_ms` is the broker's time since 1970.
pub fn validate(records: &Bytes, rules: &BatchRules, now_ms: i64) -> Result<ValidBatch, InvalidBatch> {
    let batch = first_batch(records)?;
    only_batch(&batch, records)?;
    let header = *batch.header();
    if header.size() > rules.max_message_bytes {
        return Err(InvalidBatch::TooLarge { size: header.size(), max: rules.max_message_bytes });
    }
    batch.verify_crc().map_err(InvalidBatch::Corrupt)?;
    check_header(&header)?;
    let source = header.attributes.compression().map_err(|_| InvalidBatch::Codec(header.attributes.0 as u8 & 7))?;
    let seen = check_records(&batch, rules, now_ms)?;

    let mut valid = ValidBatch { header, payload: batch.payload() };
    if !seen.offsets_ascend_by_one {
        valid = renumber(&batch, source)?;
    }
    if let Some(target) = rules.compression.filter(|target| target.kind != source) {
        valid = recompress(valid, source, target, rules.max_message_bytes)?;
    }
    stamp(&mut valid, &seen, rules.timestamp_type, now_ms);
    Ok(valid)
}

/// The batch that a producer has sent for a partition, before anything in it is checked.
pub fn first_batch(records: &Bytes) -> Result<RecordBatch, InvalidBatch> {
    if records.is_empty() {
        return Err(InvalidBatch::Empty);
    }
    RecordBatch::parse(records).map_err(|error| match error {
        BatchError::Magic(magic) => InvalidBatch::Magic(magic),
        error => InvalidBatch::Corrupt(error),
    })
}

/// Whether a batch is all that was sent: from Produce v3 on there is one at a time.
pub fn only_batch(batch: &RecordBatch, records: &Bytes) -> Result<(), InvalidBatch> {
    match batch.header().size() < records.len() {
        true => Err(InvalidBatch::MoreThanOne),
        false => Ok(()),
    }
}

fn check_header(header: &BatchHeader) -> Result<(), InvalidBatch> {
    if header.base_offset != 0 {
        return Err(InvalidBatch::Inconsistent("base offset of a produced batch must be 0"));
    }
    if header.record_count <= 0 {
        return Err(InvalidBatch::Inconsistent("record count must be positive"));
    }
    if i64::from(header.last_offset_delta) + 1 != i64::from(header.record_count) {
        return Err(InvalidBatch::Inconsistent("last offset delta does not go with the record count"));
    }
    if header.attributes.is_control() {
        return Err(InvalidBatch::Control);
    }
    if header.has_producer_id() && header.base_sequence < 0 {
        return Err(InvalidBatch::Sequence { producer_id: header.producer_id, sequence: header.base_sequence });
    }
    Ok(())
}

/// What a walk over the records told.
struct Seen {
    max_timestamp: i64,
    offsets_ascend_by_one: bool,
}

fn check_records(batch: &RecordBatch, rules: &BatchRules, now_ms: i64) -> Result<Seen, InvalidBatch> {
    let header = batch.header();
    let mut seen = Seen { max_timestamp: NO_TIMESTAMP, offsets_ascend_by_one: true };
    let (mut missing_keys, mut bad_times) = (Vec::new(), Vec::new());
    let mut index = 0;
    batch.scan(|RecordMeta { timestamp_delta, offset_delta, has_key }| {
        let timestamp = header.base_timestamp.wrapping_add(timestamp_delta);
        seen.max_timestamp = seen.max_timestamp.max(timestamp);
        seen.offsets_ascend_by_one &= offset_delta == index;
        if rules.compacted && !has_key && missing_keys.len() < MAX_RECORD_ERRORS {
            let message = "a compacted topic accepts no record without a key".to_owned();
            missing_keys.push(RecordError { index, message });
        }
        if let Some(message) = timestamp_error(header, timestamp, rules, now_ms)
            && bad_times.len() < MAX_RECORD_ERRORS
        {
            bad_times.push(RecordError { index, message });
        }
        index += 1;
    })?;
    if !missing_keys.is_empty() {
        return Err(InvalidBatch::MissingKeys(missing_keys));
    }
    if !bad_times.is_empty() {
        return Err(InvalidBatch::Timestamps(bad_times));
    }
    Ok(seen)
}

fn timestamp_error(header: &BatchHeader, timestamp: i64, rules: &BatchRules, now_ms: i64) -> Option<String> {
    if header.attributes.timestamp_type() == TimestampType::LogAppendTime {
        return Some("a producer may not set the timestamp type to LogAppendTime".to_owned());
    }
    if rules.timestamp_type == TimestampType::LogAppendTime || timestamp == NO_TIMESTAMP {
        return None;
    }
    let earliest = now_ms.saturating_sub(rules.timestamp_before_max_ms);
    let latest = now_ms.saturating_add(rules.timestamp_after_max_ms);
    if (earliest..=latest).contains(&timestamp) {
        return None;
    }
    Some(format!("timestamp {timestamp} is not within [{earliest}, {latest}], the topic's message.timestamp limits"))
}

/// Writes the records anew with offsets 0, 1, 2 …: some old clients number them otherwise within a batch.
fn renumber(batch: &RecordBatch, source: CompressionType) -> Result<ValidBatch, InvalidBatch> {
    let header = batch.header();
    let mut builder = BatchBuilder::new().compression(source).producer(
        header.producer_id,
        header.producer_epoch,
        header.base_sequence,
    );
    if header.attributes.is_transactional() {
        builder = builder.transactional();
    }
    for record in batch.records(MAX_REWRITE_BYTES)? {
        let record = record?;
        let headers: Vec<_> = record.headers.iter().map(|h| (h.key.as_ref(), h.value.as_deref())).collect();
        builder.push(record.timestamp, record.key.as_deref(), record.value.as_deref(), &headers);
    }
    let (header, payload) = builder.finish().map_err(RecordsError::from)?;
    Ok(ValidBatch { header, payload })
}

fn recompress(
    valid: ValidBatch,
    source: CompressionType,
    target: Compression,
    max: usize,
) -> Result<ValidBatch, InvalidBatch> {
    let plain = match source {
        CompressionType::None => valid.payload,
        codec => {
            // What will be stored as it is cannot be above the limit; what is compressed again may pass through.
            let limit = if target.kind == CompressionType::None { max } else { MAX_REWRITE_BYTES };
            let plain = codec.decompress(&valid.payload, limit).map_err(|error| match error {
                CompressionError::TooLarge { limit } => InvalidBatch::TooLarge { size: limit + 1, max },
                broken @ CompressionError::Broken { .. } => RecordsError::from(broken).into(),
            })?;
            Bytes::from(plain)
        }
    };
    let payload = match target.kind {
        CompressionType::None => plain,
        _ => Bytes::from(target.compress(&plain).map_err(RecordsError::from)?),
    };
    let size = HEADER_LEN + payload.len();
    if size > max {
        return Err(InvalidBatch::TooLarge { size, max });
    }
    let attributes = valid.header.attributes.with_compression(target.kind);
    let header = BatchHeader { attributes, ..valid.header }.sealed(&payload);
    Ok(ValidBatch { header, payload })
}

/// Sets timestamp type and greatest timestamp, and the CRC if that changed either.
fn stamp(valid: &mut ValidBatch, seen: &Seen, timestamp_type: TimestampType, now_ms: i64) {
    let max_timestamp = match timestamp_type {
        TimestampType::CreateTime => seen.max_timestamp,
        TimestampType::LogAppendTime => now_ms,
    };
    let attributes = valid.header.attributes.with_timestamp_type(timestamp_type);
    if valid.header.max_timestamp != max_timestamp || valid.header.attributes != attributes {
        valid.header = BatchHeader { max_timestamp, attributes, ..valid.header }.sealed(&valid.payload);
    }
}

/// Whether a batch carries a sequence that the log must check.
pub fn is_idempotent(header: &BatchHeader) -> bool {
    header.has_producer_id() && header.base_sequence != NO_SEQUENCE
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn rules() -> BatchRules {
        BatchRules {
            compacted: false,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: 3_600_000,
            max_message_bytes: 1_048_588,
            compression: None,
        }
    }

    fn batch(codec: CompressionType, times: &[i64]) -> Bytes {
        let mut builder = BatchBuilder::new().compression(codec);
        for &time in times {
            builder.push(time, Some(b"k"), Some(b"some value, some value, some value"), &[]);
        }
        builder.build().unwrap()
    }

    fn reread(valid: &ValidBatch) -> RecordBatch {
        let mut bytes = valid.header.encode().to_vec();
        bytes.extend_from_slice(&valid.payload);
        let batch = RecordBatch::parse(&Bytes::from(bytes)).unwrap();
        batch.verify_crc().unwrap();
        batch
    }

    fn altered(bytes: &Bytes, change: impl FnOnce(&mut BatchHeader)) -> Bytes {
        let mut header = BatchHeader::parse(bytes).unwrap();
        change(&mut header);
        let payload = &bytes[HEADER_LEN..];
        let mut out = header.sealed(payload).encode().to_vec();
        out.extend_from_slice(payload);
        Bytes::from(out)
    }

    #[test]
    fn a_good_batch_passes_without_a_copy() {
        for codec in CompressionType::ALL {
            let bytes = batch(codec, &[NOW - 5, NOW, NOW - 3]);
            let valid = validate(&bytes, &rules(), NOW).unwrap();
            assert_eq!(valid.header, BatchHeader::parse(&bytes).unwrap());
            assert_eq!(valid.payload.as_ptr(), bytes[HEADER_LEN..].as_ptr());
        }
    }

    #[test]
    fn each_fault_of_the_bytes_is_told_apart() {
        let good = batch(CompressionType::None, &[NOW]);
        let check = |bytes: Bytes| validate(&bytes, &rules(), NOW).unwrap_err();
        assert_eq!(check(Bytes::new()), InvalidBatch::Empty);
        assert_eq!(check(Bytes::from([&good[..], &good[..]].concat())), InvalidBatch::MoreThanOne);
        assert!(matches!(check(good.slice(..good.len() - 1)), InvalidBatch::Corrupt(BatchError::Truncated { .. })));
        let mut flipped = good.to_vec();
        *flipped.last_mut().unwrap() ^= 1;
        assert!(matches!(check(Bytes::from(flipped)), InvalidBatch::Corrupt(BatchError::Crc { .. })));
        let mut old = good.to_vec();
        old[16] = 1;
        assert_eq!(check(Bytes::from(old)), InvalidBatch::Magic(1));
        assert!(matches!(check(altered(&good, |h| h.base_offset = 7)), InvalidBatch::Inconsistent(_)));
        assert!(matches!(check(altered(&good, |h| h.last_offset_delta = 3)), InvalidBatch::Inconsistent(_)));
        assert!(matches!(
            check(altered(&good, |h| (h.record_count, h.last_offset_delta) = (2, 1))),
            InvalidBatch::Records(RecordsError::TooFew { announced: 2, found: 1 })
        ));
        let two = batch(CompressionType::Zstd, &[NOW, NOW]);
        assert!(matches!(
            check(altered(&two, |h| (h.record_count, h.last_offset_delta) = (1, 0))),
            InvalidBatch::Records(RecordsError::TooMany { announced: 1 })
        ));
        assert_eq!(check(altered(&good, |h| h.attributes.0 |= 0x20)), InvalidBatch::Control);
        assert_eq!(check(altered(&good, |h| h.attributes.0 |= 6)), InvalidBatch::Codec(6));
        assert_eq!(
            check(altered(&good, |h| h.producer_id = 5)),
            InvalidBatch::Sequence { producer_id: 5, sequence: -1 }
        );
    }

    #[test]
    fn topic_rules_are_kept() {
        let old = NOW - 10_000;
        let bytes = batch(CompressionType::Lz4, &[NOW, old]);
        let strict = BatchRules { timestamp_before_max_ms: 5_000, ..rules() };
        let Err(InvalidBatch::Timestamps(errors)) = validate(&bytes, &strict, NOW) else {
            panic!("a time before the limit was accepted");
        };
        assert_eq!(errors.iter().map(|e| e.index).collect::<Vec<_>>(), [1]);
        let ahead = batch(CompressionType::None, &[NOW + 3_600_001]);
        assert!(matches!(validate(&ahead, &rules(), NOW), Err(InvalidBatch::Timestamps(_))));

        let mut keyless = BatchBuilder::new();
        keyless.push(NOW, Some(b""), None, &[]);
        keyless.push(NOW, None, Some(b"v"), &[]);
        let keyless = keyless.build().unwrap();
        let Err(InvalidBatch::MissingKeys(errors)) =
            validate(&keyless, &BatchRules { compacted: true, ..rules() }, NOW)
        else {
            panic!("a record without key was accepted");
        };
        assert_eq!(errors.iter().map(|e| e.index).collect::<Vec<_>>(), [1]);

        let small = BatchRules { max_message_bytes: 80, ..rules() };
        assert!(matches!(validate(&bytes, &small, NOW), Err(InvalidBatch::TooLarge { max: 80, .. })));
    }

    #[test]
    fn log_append_time_replaces_the_producers_and_keeps_the_crc_right() {
        let bytes = batch(CompressionType::Gzip, &[5, 6]);
        let rules = BatchRules { timestamp_type: TimestampType::LogAppendTime, ..rules() };
        let valid = validate(&bytes, &rules, NOW).unwrap();
        let stored = reread(&valid);
        assert_eq!(stored.header().attributes.timestamp_type(), TimestampType::LogAppendTime);
        let times: Vec<_> = stored.records(1000).unwrap().map(|r| r.unwrap().timestamp).collect();
        assert_eq!(times, [NOW, NOW]);
    }

    #[test]
    fn a_greatest_timestamp_that_lies_is_put_right() {
        let bytes = altered(&batch(CompressionType::None, &[NOW - 5, NOW]), |h| {
            h.max_timestamp = NOW - 5;
        });
        let valid = validate(&bytes, &rules(), NOW).unwrap();
        assert_eq!(reread(&valid).header().max_timestamp, NOW);
    }

    #[test]
    fn the_topics_compression_replaces_the_producers() {
        for from in CompressionType::ALL {
            for to in CompressionType::ALL {
                let bytes = batch(from, &[NOW, NOW - 1]);
                let rules = BatchRules { compression: Some(to.into()), ..rules() };
                let stored = reread(&validate(&bytes, &rules, NOW).unwrap());
                assert_eq!(stored.header().attributes.compression(), Ok(to));
                assert_eq!(stored.records(10_000).unwrap().filter_map(Result::ok).count(), 2);
            }
        }
    }

    #[test]
    fn records_numbered_otherwise_are_numbered_anew() {
        let bytes = batch(CompressionType::None, &[NOW, NOW]);
        let mut raw = bytes.to_vec();
        // The second record's offset delta: one byte behind its length, attributes and timestamp delta.
        let record_len = (bytes.len() - HEADER_LEN) / 2;
        raw[HEADER_LEN + record_len + 3] = 8;
        let raw = altered(&Bytes::from(raw), |_| {});
        let stored = reread(&validate(&raw, &rules(), NOW).unwrap());
        let offsets: Vec<_> = stored.records(1000).unwrap().map(|r| r.unwrap().offset).collect();
        assert_eq!(offsets, [0, 1]);
    }
}
