//! A walk over the records of a batch that keeps none of them: enough to check their structure and to find
//! one by time, in the memory of one buffer whatever the payload decompresses to.

use std::io::Read;

use super::compression::{CompressionError, CompressionType};
use crate::cursor::unzigzag;

/// What the walk tells of each record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordMeta {
    /// Milliseconds after the batch's base timestamp.
    pub timestamp_delta: i64,
    /// Offset less the batch's base offset.
    pub offset_delta: i32,
    /// Whether the record has a key; an empty key is one.
    pub has_key: bool,
}

/// Why the records of a batch are not what its header says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordsError {
    /// A record's fields do not fit its length, or the payload.
    #[error("record {index} is malformed: {what}")]
    Malformed {
        /// Position in the batch, from 0.
        index: i32,
        /// Which field.
        what: &'static str,
    },
    /// The header counts more records than there are.
    #[error("batch announces {announced} records and holds {found}")]
    TooFew {
        /// In the header.
        announced: i32,
        /// In the payload.
        found: i32,
    },
    /// Bytes are left behind the last record.
    #[error("bytes remain behind the {announced} records that the batch announces")]
    TooMany {
        /// In the header.
        announced: i32,
    },
    /// The payload does not decompress.
    #[error(transparent)]
    Compression(#[from] CompressionError),
}

/// Walks `count` records in `payload`, calling `visit` for each.
pub(super) fn scan(
    compression: CompressionType,
    payload: &[u8],
    count: i32,
    visit: impl FnMut(RecordMeta),
) -> Result<(), RecordsError> {
    match compression {
        CompressionType::None => scan_source(Slice { rest: payload }, count, visit),
        codec => {
            let reader = codec.reader(payload)?;
            scan_source(Stream { reader, codec, buffer: [0; STREAM_BUFFER_LEN], start: 0, end: 0 }, count, visit)
        }
    }
}

fn scan_source<S: Source>(mut source: S, count: i32, mut visit: impl FnMut(RecordMeta)) -> Result<(), RecordsError> {
    for index in 0..count {
        if source.at_end()? {
            return Err(RecordsError::TooFew { announced: count, found: index });
        }
        let meta = scan_record(&mut source).map_err(|stop| match stop {
            Stop::Malformed(what) => RecordsError::Malformed { index, what },
            Stop::Compression(error) => error.into(),
        })?;
        visit(meta);
    }
    if source.at_end()? { Ok(()) } else { Err(RecordsError::TooMany { announced: count }) }
}

fn scan_record<S: Source>(source: &mut S) -> Result<RecordMeta, Stop> {
    let len = Fields { source, left: u64::MAX }.varint("length")?;
    let left = u64::try_from(len).map_err(|_| Stop::Malformed("negative length"))?;
    let mut fields = Fields { source, left };
    fields.skip(1, "attributes")?;
    let timestamp_delta = fields.varlong("timestamp delta")?;
    let offset_delta = fields.varint("offset delta")?;
    let has_key = fields.skip_nullable("key")?;
    fields.skip_nullable("value")?;
    let headers = fields.varint("header count")?;
    if headers < 0 {
        return Err(Stop::Malformed("negative header count"));
    }
    for _ in 0..headers {
        if !fields.skip_nullable("header key")? {
            return Err(Stop::Malformed("null header key"));
        }
        fields.skip_nullable("header value")?;
    }
    if fields.left != 0 {
        return Err(Stop::Malformed("length beyond its fields"));
    }
    Ok(RecordMeta { timestamp_delta, offset_delta, has_key })
}

enum Stop {
    Malformed(&'static str),
    Compression(CompressionError),
}

trait Source {
    fn at_end(&mut self) -> Result<bool, CompressionError>;
    /// The next byte, or `None` at the end.
    fn byte(&mut self) -> Result<Option<u8>, CompressionError>;
    /// Passes over `len` bytes; `false` if the end comes first.
    fn skip(&mut self, len: u64) -> Result<bool, CompressionError>;
}

/// The fields of one record: no read goes beyond its length.
struct Fields<'a, S> {
    source: &'a mut S,
    left: u64,
}

impl<S: Source> Fields<'_, S> {
    fn byte(&mut self, what: &'static str) -> Result<u8, Stop> {
        if self.left == 0 {
            return Err(Stop::Malformed(what));
        }
        self.left -= 1;
        self.source.byte().map_err(Stop::Compression)?.ok_or(Stop::Malformed(what))
    }

    fn varlong(&mut self, what: &'static str) -> Result<i64, Stop> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = self.byte(what)?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(unzigzag(value));
            }
        }
        Err(Stop::Malformed(what))
    }

    fn varint(&mut self, what: &'static str) -> Result<i32, Stop> {
        i32::try_from(self.varlong(what)?).map_err(|_| Stop::Malformed(what))
    }

    fn skip(&mut self, len: u64, what: &'static str) -> Result<(), Stop> {
        if len > self.left {
            return Err(Stop::Malformed(what));
        }
        self.left -= len;
        if self.source.skip(len).map_err(Stop::Compression)? { Ok(()) } else { Err(Stop::Malformed(what)) }
    }

    /// Passes over bytes with a length; `false` where they are null.
    fn skip_nullable(&mut self, what: &'static str) -> Result<bool, Stop> {
        match self.varint(what)? {
            -1 => Ok(false),
            len => {
                let len = u64::try_from(len).map_err(|_| Stop::Malformed(what))?;
                self.skip(len, what)?;
                Ok(true)
            }
        }
    }
}

struct Slice<'a> {
    rest: &'a [u8],
}

impl Source for Slice<'_> {
    #[inline]
    fn at_end(&mut self) -> Result<bool, CompressionError> {
        Ok(self.rest.is_empty())
    }

    #[inline]
    fn byte(&mut self) -> Result<Option<u8>, CompressionError> {
        let Some((&byte, rest)) = self.rest.split_first() else {
            return Ok(None);
        };
        self.rest = rest;
        Ok(Some(byte))
    }

    #[inline]
    fn skip(&mut self, len: u64) -> Result<bool, CompressionError> {
        let Some((_, rest)) = usize::try_from(len).ok().and_then(|len| self.rest.split_at_checked(len)) else {
            return Ok(false);
        };
        self.rest = rest;
        Ok(true)
    }
}

const STREAM_BUFFER_LEN: usize = 4096;

struct Stream<'a> {
    reader: Box<dyn Read + 'a>,
    codec: CompressionType,
    buffer: [u8; STREAM_BUFFER_LEN],
    start: usize,
    end: usize,
}

impl Stream<'_> {
    /// Makes sure that the buffer is not empty; `false` at the end.
    fn fill(&mut self) -> Result<bool, CompressionError> {
        if self.start == self.end {
            self.start = 0;
            self.end = self.reader.read(&mut self.buffer).map_err(|error| self.codec.broken(&error))?;
        }
        Ok(self.end > 0)
    }
}

impl Source for Stream<'_> {
    fn at_end(&mut self) -> Result<bool, CompressionError> {
        Ok(!self.fill()?)
    }

    #[inline]
    fn byte(&mut self) -> Result<Option<u8>, CompressionError> {
        if !self.fill()? {
            return Ok(None);
        }
        let byte = self.buffer[self.start];
        self.start += 1;
        Ok(Some(byte))
    }

    fn skip(&mut self, mut len: u64) -> Result<bool, CompressionError> {
        while len > 0 {
            if !self.fill()? {
                return Ok(false);
            }
            let step = len.min((self.end - self.start) as u64);
            self.start += step as usize;
            len -= step;
        }
        Ok(true)
    }
}
