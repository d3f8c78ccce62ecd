//! Batches that the broker itself makes: coordinators' records, markers, in-process producers.

use bytes::{BufMut, Bytes, BytesMut};

use super::compression::{Compression, CompressionError};
use super::header::{Attributes, BatchHeader, HEADER_LEN, TimestampType};
use super::{NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, NO_TIMESTAMP};
use crate::cursor::{put_varint, varint_len};

/// From how many bytes on a record's batch is given memory that goes back as soon as it is freed.
const LARGE: usize = 1024 * 1024;
/// Which is so much at least: the GNU C library keeps what is smaller for later. What of it is not used is not there.
const MAPPED: usize = 33 * 1024 * 1024;

/// Builds one batch, record by record. Offsets count from 0; the log sets the base.
#[derive(Debug)]
pub struct BatchBuilder {
    /// The records, behind room for the header, so that a large record is written once.
    whole: BytesMut,
    count: i32,
    base_timestamp: i64,
    max_timestamp: i64,
    producer_id: i64,
    producer_epoch: i16,
    base_sequence: i32,
    transactional: bool,
    control: bool,
    compression: Compression,
}

impl Default for BatchBuilder {
    fn default() -> Self {
        Self {
            whole: BytesMut::zeroed(HEADER_LEN),
            count: 0,
            base_timestamp: NO_TIMESTAMP,
            max_timestamp: NO_TIMESTAMP,
            producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_PRODUCER_EPOCH,
            base_sequence: NO_SEQUENCE,
            transactional: false,
            control: false,
            compression: Compression::default(),
        }
    }
}

impl BatchBuilder {
    /// An empty batch without producer id or compression.
    pub fn new() -> Self {
        Self::default()
    }

    /// Compresses the records with `compression`.
    #[must_use]
    pub fn compression(mut self, compression: impl Into<Compression>) -> Self {
        self.compression = compression.into();
        self
    }

    /// Makes it a batch of an idempotent producer (KIP-98).
    #[must_use]
    pub fn producer(mut self, id: i64, epoch: i16, base_sequence: i32) -> Self {
        (self.producer_id, self.producer_epoch, self.base_sequence) = (id, epoch, base_sequence);
        self
    }

    /// Makes it part of a transaction.
    #[must_use]
    pub fn transactional(mut self) -> Self {
        self.transactional = true;
        self
    }

    /// Makes its records markers for brokers.
    #[must_use]
    pub fn control(mut self) -> Self {
        self.control = true;
        self
    }

    /// Adds a record. `timestamp` is in milliseconds since 1970.
    pub fn push(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&[u8], Option<&[u8]>)],
    ) {
        let written: Result<(), std::convert::Infallible> =
            self.push_with(timestamp, key, value.map(<[u8]>::len), headers, |out| {
                out.put_slice(value.unwrap_or_default());
                Ok(())
            });
        let Ok(()) = written;
    }

    /// Adds a record whose value of `value_len` bytes is appended by `write`: a large one need not be in memory twice. After an
    /// error the builder is of no use any more.
    ///
    /// # Errors
    /// That of `write`.
    pub fn push_with<E>(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value_len: Option<usize>,
        headers: &[(&[u8], Option<&[u8]>)],
        write: impl FnOnce(&mut BytesMut) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.count == 0 {
            self.base_timestamp = timestamp;
        }
        self.max_timestamp = self.max_timestamp.max(timestamp);
        let (delta, count) = (timestamp.wrapping_sub(self.base_timestamp), i64::from(self.count));
        let in_headers = headers.iter().map(|(key, value)| nullable_len(Some(key)) + nullable_len(*value));
        let length = 1
            + varint_len(delta)
            + varint_len(count)
            + nullable_len(key)
            + value_len.map_or(varint_len(-1), |len| varint_len(len as i64) + len)
            + varint_len(headers.len() as i64)
            + in_headers.sum::<usize>();
        let needed = length + varint_len(length as i64);
        if length > LARGE {
            let mut roomy = BytesMut::with_capacity((self.whole.len() + needed).max(MAPPED));
            roomy.put_slice(&self.whole);
            self.whole = roomy;
        }
        let out = &mut self.whole;
        out.reserve(needed);
        put_varint(out, length as i64);
        out.put_u8(0);
        put_varint(out, delta);
        put_varint(out, count);
        put_nullable(out, key);
        put_varint(out, value_len.map_or(-1, |len| len as i64));
        write(out)?;
        put_varint(out, headers.len() as i64);
        for (key, value) in headers {
            put_nullable(out, Some(key));
            put_nullable(out, *value);
        }
        self.count += 1;
        Ok(())
    }

    /// How many records have been added.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether nothing has been added.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of the records so far, before compression.
    pub fn payload_len(&self) -> usize {
        self.whole.len() - HEADER_LEN
    }

    /// The batch's header, with its CRC, and its payload. Fails only where a codec does.
    pub fn finish(self) -> Result<(BatchHeader, Bytes), CompressionError> {
        let (header, whole) = self.seal()?;
        Ok((header, whole.freeze().slice(HEADER_LEN..)))
    }

    /// The batch as bytes, as a producer would send it.
    pub fn build(self) -> Result<Bytes, CompressionError> {
        let (header, mut whole) = self.seal()?;
        whole[..HEADER_LEN].copy_from_slice(&header.encode());
        Ok(whole.freeze())
    }

    /// The header, with its CRC, and the payload behind room for it.
    fn seal(self) -> Result<(BatchHeader, BytesMut), CompressionError> {
        let mut whole = self.whole;
        if self.compression.kind != super::CompressionType::None {
            let compressed = self.compression.compress(&whole[HEADER_LEN..])?;
            whole.truncate(HEADER_LEN);
            whole.put_slice(&compressed);
        }
        let header = BatchHeader {
            base_offset: 0,
            batch_length: 0,
            partition_leader_epoch: 0,
            crc: 0,
            attributes: Attributes::new(
                self.compression.kind,
                TimestampType::CreateTime,
                self.transactional,
                self.control,
            ),
            last_offset_delta: (self.count - 1).max(0),
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            producer_id: self.producer_id,
            producer_epoch: self.producer_epoch,
            base_sequence: self.base_sequence,
            record_count: self.count,
        };
        Ok((header.sealed(&whole[HEADER_LEN..]), whole))
    }
}

fn nullable_len(value: Option<&[u8]>) -> usize {
    value.map_or(varint_len(-1), |value| varint_len(value.len() as i64) + value.len())
}

pub(super) fn put_nullable(out: &mut BytesMut, value: Option<&[u8]>) {
    match value {
        None => put_varint(out, -1),
        Some(value) => {
            put_varint(out, value.len() as i64);
            out.put_slice(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{CompressionType, Record, RecordBatch, RecordHeader};
    use proptest::prelude::*;

    fn bytes() -> impl Strategy<Value = Bytes> {
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from)
    }

    fn records() -> impl Strategy<Value = Vec<Record>> {
        let header = (bytes(), prop::option::of(bytes())).prop_map(|(key, value)| RecordHeader { key, value });
        let record = (
            0i64..4_000_000_000_000,
            prop::option::of(bytes()),
            prop::option::of(bytes()),
            prop::collection::vec(header, 0..4),
        );
        prop::collection::vec(record, 1..30).prop_map(|records| {
            let numbered = records.into_iter().zip(0i64..);
            numbered
                .map(|((timestamp, key, value, headers), offset)| Record { offset, timestamp, key, value, headers })
                .collect()
        })
    }

    fn build(records: &[Record], codec: CompressionType) -> Bytes {
        let mut builder = BatchBuilder::new().compression(codec);
        for record in records {
            let headers: Vec<_> = record.headers.iter().map(|h| (h.key.as_ref(), h.value.as_deref())).collect();
            builder.push(record.timestamp, record.key.as_deref(), record.value.as_deref(), &headers);
        }
        builder.build().unwrap()
    }

    proptest! {
        #[test]
        fn batches_round_trip_in_every_compression(records in records(), codec in 0u8..5) {
            let bytes = build(&records, CompressionType::from_id(codec).unwrap());
            let batch = RecordBatch::parse(&bytes).unwrap();
            batch.verify_crc().unwrap();
            let decoded: Vec<_> = batch.records(1 << 20).unwrap().collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(&decoded, &records);
            let mut seen = Vec::new();
            batch.scan(|meta| seen.push(meta)).unwrap();
            for (meta, record) in seen.iter().zip(&records) {
                prop_assert_eq!(i64::from(meta.offset_delta), record.offset);
                prop_assert_eq!(batch.header().base_timestamp + meta.timestamp_delta, record.timestamp);
                prop_assert_eq!(meta.has_key, record.key.is_some());
            }
            prop_assert_eq!(seen.len(), records.len());
        }

        #[test]
        fn a_damaged_batch_is_noticed_by_its_crc_and_panics_nowhere(
            records in records(), codec in 0u8..5, at: prop::sample::Index, bit in 0u8..8,
        ) {
            let mut bytes = build(&records, CompressionType::from_id(codec).unwrap()).to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let Ok(batch) = RecordBatch::parse(&Bytes::from(bytes)) else { return Ok(()) };
            // Base offset and leader epoch lie outside the CRC: the broker sets them.
            if at >= 17 {
                prop_assert!(batch.verify_crc().is_err());
            }
            let _ = batch.scan(|_| {});
            if let Ok(records) = batch.records(1 << 20) {
                let _ = records.count();
            }
        }

        #[test]
        fn arbitrary_payloads_never_panic(payload: Vec<u8>, count: i32, codec in 0i16..8) {
            let header = BatchHeader {
                record_count: count,
                attributes: Attributes(codec),
                ..BatchHeader::parse(&build(&[], CompressionType::None)).unwrap()
            };
            let mut bytes = header.sealed(&payload).encode().to_vec();
            bytes.extend_from_slice(&payload);
            let batch = RecordBatch::parse(&Bytes::from(bytes)).unwrap();
            let _ = batch.scan(|_| {});
            if let Ok(records) = batch.records(1 << 20) {
                let _ = records.take(10_000).count();
            }
        }
    }

    #[test]
    fn kafka_protocols_own_decoder_reads_what_we_build() {
        // An independent reading of the format: that crate's, uncompressed.
        let records =
            vec![Record { offset: 0, timestamp: 5, key: None, value: Some(Bytes::from("v")), headers: vec![] }];
        let mut bytes = build(&records, CompressionType::None);
        let decoded = kafka_protocol::records::RecordBatchDecoder::decode(&mut bytes).unwrap();
        assert_eq!(decoded.records.len(), 1);
        assert_eq!(decoded.records[0].value, Some(Bytes::from("v")));
        assert_eq!(decoded.records[0].timestamp, 5);
    }
}
