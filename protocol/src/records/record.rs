//! Records, decoded.

use bytes::Bytes;

use super::batch::RecordBatch;
use super::compression::CompressionType;
use super::header::TimestampType;
use super::scan::{self, RecordMeta, RecordsError};
use crate::cursor::unzigzag;

/// One record. Keys, values and headers share the batch's bytes, or what they decompressed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its offset in the partition.
    pub offset: i64,
    /// Milliseconds since 1970: the producer's, or the broker's if the topic says LogAppendTime; -1 for none.
    pub timestamp: i64,
    /// The key; `None` for null.
    pub key: Option<Bytes>,
    /// The value; `None` for null, which a compacted topic reads as a deletion.
    pub value: Option<Bytes>,
    /// Headers in order; a key may occur more than once.
    pub headers: Vec<RecordHeader>,
}

/// A record's header (KIP-82).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordHeader {
    /// UTF-8 by convention; kept as bytes, as brokers do.
    pub key: Bytes,
    /// `None` for null.
    pub value: Option<Bytes>,
}

impl RecordBatch {
    /// Walks the records without keeping them; an error if they are not what the header says.
    pub fn scan(&self, visit: impl FnMut(RecordMeta)) -> Result<(), RecordsError> {
        let header = self.header();
        let compression = header.attributes.compression().map_err(|_| unknown_codec())?;
        scan::scan(compression, &self.bytes()[super::HEADER_LEN..], header.record_count, visit)
    }

    /// The records. A compressed payload is decompressed whole, to at most `limit` bytes.
    pub fn records(&self, limit: usize) -> Result<RecordIter, RecordsError> {
        let header = self.header();
        let payload = match header.attributes.compression().map_err(|_| unknown_codec())? {
            CompressionType::None => self.payload(),
            codec => Bytes::from(codec.decompress(&self.payload(), limit)?),
        };
        let append_time = match header.attributes.timestamp_type() {
            TimestampType::CreateTime => None,
            TimestampType::LogAppendTime => Some(header.max_timestamp),
        };
        Ok(RecordIter {
            rest: payload,
            base_offset: header.base_offset,
            base_timestamp: header.base_timestamp,
            append_time,
            next: 0,
            count: header.record_count.max(0),
        })
    }
}

fn unknown_codec() -> RecordsError {
    RecordsError::Malformed { index: 0, what: "unknown compression codec" }
}

/// See [`RecordBatch::records`].
#[derive(Debug)]
pub struct RecordIter {
    rest: Bytes,
    base_offset: i64,
    base_timestamp: i64,
    append_time: Option<i64>,
    next: i32,
    count: i32,
}

impl Iterator for RecordIter {
    type Item = Result<Record, RecordsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.count {
            return None;
        }
        let index = self.next;
        let record = self.decode().map_err(|what| RecordsError::Malformed { index, what });
        self.next = if record.is_ok() { index + 1 } else { self.count };
        Some(record)
    }
}

impl RecordIter {
    fn decode(&mut self) -> Result<Record, &'static str> {
        let len = usize::try_from(varint(&mut self.rest)?).map_err(|_| "negative length")?;
        let mut body = split(&mut self.rest, len)?;
        split(&mut body, 1)?;
        let timestamp_delta = varlong(&mut body)?;
        let offset_delta = varint(&mut body)?;
        let key = nullable(&mut body)?;
        let value = nullable(&mut body)?;
        let count = usize::try_from(varint(&mut body)?).map_err(|_| "negative header count")?;
        if count > body.len() / 2 {
            return Err("header count beyond the record");
        }
        let mut headers = Vec::with_capacity(count);
        for _ in 0..count {
            let key = nullable(&mut body)?.ok_or("null header key")?;
            headers.push(RecordHeader { key, value: nullable(&mut body)? });
        }
        Ok(Record {
            offset: self.base_offset.wrapping_add(i64::from(offset_delta)),
            timestamp: self.append_time.unwrap_or_else(|| self.base_timestamp.wrapping_add(timestamp_delta)),
            key,
            value,
            headers,
        })
    }
}

fn split(bytes: &mut Bytes, len: usize) -> Result<Bytes, &'static str> {
    if len > bytes.len() {
        return Err("field beyond the record");
    }
    Ok(bytes.split_to(len))
}

fn nullable(bytes: &mut Bytes) -> Result<Option<Bytes>, &'static str> {
    match varint(bytes)? {
        -1 => Ok(None),
        len => split(bytes, usize::try_from(len).map_err(|_| "negative length")?).map(Some),
    }
}

fn varint(bytes: &mut Bytes) -> Result<i32, &'static str> {
    i32::try_from(varlong(bytes)?).map_err(|_| "varint beyond 32 bits")
}

fn varlong(bytes: &mut Bytes) -> Result<i64, &'static str> {
    let mut value = 0u64;
    for (index, &byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let _ = bytes.split_to(index + 1);
            return Ok(unzigzag(value));
        }
    }
    Err("varint without an end")
}
