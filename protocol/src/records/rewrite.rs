//! Batches written anew with fewer records, as compaction needs them: offsets, producer and sequence stay what they were.

use bytes::{BufMut, Bytes, BytesMut};

use super::NO_TIMESTAMP;
use super::batch::RecordBatch;
use super::builder::put_nullable;
use super::compression::{Compression, CompressionError, CompressionType};
use super::header::{Attributes, BatchError, BatchHeader, TimestampType};
use super::record::Record;
use crate::cursor::{put_unsigned_varint, put_varint};

/// Why a batch could not be written anew.
#[derive(Debug, thiserror::Error)]
pub enum RewriteError {
    /// The batch's codec does not exist.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The codec failed.
    #[error(transparent)]
    Compression(#[from] CompressionError),
}

impl RecordBatch {
    /// The batch with these of its records only, in its own compression. `delete_horizon`, in milliseconds since 1970, is
    /// from when on tombstones or the marker in it may go (KIP-534); it is kept in place of the base timestamp.
    pub fn rewrite(&self, kept: &[Record], delete_horizon: Option<i64>) -> Result<(BatchHeader, Bytes), RewriteError> {
        let header = self.header();
        let first_timestamp = kept.first().map_or(NO_TIMESTAMP, |record| record.timestamp);
        let base_timestamp = delete_horizon.unwrap_or(first_timestamp);
        let mut records = BytesMut::new();
        let mut body = BytesMut::new();
        for record in kept {
            body.clear();
            body.put_u8(0);
            put_varint(&mut body, record.timestamp.wrapping_sub(base_timestamp));
            put_varint(&mut body, record.offset - header.base_offset);
            put_nullable(&mut body, record.key.as_deref());
            put_nullable(&mut body, record.value.as_deref());
            put_varint(&mut body, record.headers.len() as i64);
            for field in &record.headers {
                put_nullable(&mut body, Some(&field.key));
                put_nullable(&mut body, field.value.as_deref());
            }
            put_unsigned_varint(&mut records, (body.len() as u64) << 1);
            records.put_slice(&body);
        }
        let codec = header.attributes.compression()?;
        let payload = match codec {
            CompressionType::None => records.freeze(),
            codec => Bytes::from(Compression::from(codec).compress(&records)?),
        };
        let max_timestamp = match header.attributes.timestamp_type() {
            TimestampType::LogAppendTime => header.max_timestamp,
            TimestampType::CreateTime => kept.iter().map(|record| record.timestamp).max().unwrap_or(NO_TIMESTAMP),
        };
        let rewritten = BatchHeader {
            attributes: header.attributes.with_delete_horizon(delete_horizon.is_some()),
            base_timestamp,
            max_timestamp,
            record_count: kept.len() as i32,
            ..*header
        };
        Ok((rewritten.sealed(&payload), payload))
    }

    /// The batch without any record: what remains is where it ended and who wrote it.
    pub fn emptied(&self) -> BatchHeader {
        let header = self.header();
        let attributes = Attributes::new(
            CompressionType::None,
            header.attributes.timestamp_type(),
            header.attributes.is_transactional(),
            header.attributes.is_control(),
        );
        BatchHeader { attributes, base_timestamp: NO_TIMESTAMP, record_count: 0, ..*header }.sealed(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BatchBuilder, CompressionType, HEADER_LEN};
    use super::*;

    fn batch(compression: CompressionType) -> RecordBatch {
        let mut builder = BatchBuilder::new().compression(compression).producer(7, 3, 40);
        for n in 0..5i64 {
            let (key, value) = (format!("k{n}"), format!("v{n}"));
            let header: (&[u8], Option<&[u8]>) = (b"h", None);
            builder.push(100 + n, Some(key.as_bytes()), Some(value.as_bytes()), &[header, header]);
        }
        let (header, payload) = builder.finish().unwrap();
        whole(BatchHeader { base_offset: 1000, ..header }, &payload)
    }

    fn whole(header: BatchHeader, payload: &[u8]) -> RecordBatch {
        let bytes = [&header.encode()[..], payload].concat();
        RecordBatch::parse(&Bytes::from(bytes)).unwrap()
    }

    fn records(batch: &RecordBatch) -> Vec<Record> {
        batch.records(1 << 20).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn what_is_kept_keeps_offset_time_key_value_and_headers() {
        for compression in [CompressionType::None, CompressionType::Gzip, CompressionType::Zstd] {
            let original = batch(compression);
            let kept: Vec<Record> = records(&original).into_iter().filter(|record| record.offset % 2 == 1).collect();
            for horizon in [None, Some(5_000_000)] {
                let (header, payload) = original.rewrite(&kept, horizon).unwrap();
                let rewritten = whole(header, &payload);
                rewritten.verify_crc().unwrap();
                assert_eq!(records(&rewritten), kept);
                assert_eq!(header.last_offset(), original.header().last_offset());
                assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (7, 3, 40));
                assert_eq!(header.last_sequence(), original.header().last_sequence());
                assert_eq!(header.delete_horizon(), horizon);
                assert_eq!(header.max_timestamp, 103);
            }
        }
    }

    #[test]
    fn an_emptied_batch_still_says_where_it_ended() {
        let original = batch(CompressionType::Lz4);
        let emptied = whole(original.emptied(), &[]);
        emptied.verify_crc().unwrap();
        assert_eq!(emptied.bytes().len(), HEADER_LEN);
        assert_eq!(records(&emptied), Vec::new());
        assert_eq!(emptied.header().next_offset(), 1005);
        assert_eq!(emptied.header().last_sequence(), 44);
    }
}
