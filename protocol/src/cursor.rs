//! Reading and writing of Kafka's primitive types, bounded by what is there: for the few structures that are
//! not messages of `kafka-protocol` (coordinator records, subscriptions, record bodies).

use bytes::{BufMut, Bytes};
use uuid::Uuid;

/// The bytes ended before the value did, or a length in them makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed {0}")]
pub struct Malformed(pub &'static str);

/// A reader over bytes that came from elsewhere. Every read names what it reads, for the error.
#[derive(Debug, Clone)]
pub(crate) struct Cursor {
    bytes: Bytes,
}

impl Cursor {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self { bytes }
    }

    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn take(&mut self, len: usize, what: &'static str) -> Result<Bytes, Malformed> {
        if len > self.bytes.len() {
            return Err(Malformed(what));
        }
        Ok(self.bytes.split_to(len))
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Malformed> {
        let bytes = self.take(N, what)?;
        let mut out = [0; N];
        out.copy_from_slice(&bytes);
        Ok(out)
    }

    pub(crate) fn i8(&mut self, what: &'static str) -> Result<i8, Malformed> {
        self.array(what).map(i8::from_be_bytes)
    }

    pub(crate) fn i16(&mut self, what: &'static str) -> Result<i16, Malformed> {
        self.array(what).map(i16::from_be_bytes)
    }

    pub(crate) fn i32(&mut self, what: &'static str) -> Result<i32, Malformed> {
        self.array(what).map(i32::from_be_bytes)
    }

    pub(crate) fn i64(&mut self, what: &'static str) -> Result<i64, Malformed> {
        self.array(what).map(i64::from_be_bytes)
    }

    /// A string with a 16-bit length; `None` for length -1.
    pub(crate) fn nullable_string(&mut self, what: &'static str) -> Result<Option<String>, Malformed> {
        let len = self.i16(what)?;
        if len == -1 {
            return Ok(None);
        }
        let len = usize::try_from(len).map_err(|_| Malformed(what))?;
        let bytes = self.take(len, what)?;
        String::from_utf8(bytes.to_vec()).map(Some).map_err(|_| Malformed(what))
    }

    pub(crate) fn string(&mut self, what: &'static str) -> Result<String, Malformed> {
        self.nullable_string(what)?.ok_or(Malformed(what))
    }

    /// A string whose length, plus one, is a varint.
    pub(crate) fn compact_string(&mut self, what: &'static str) -> Result<String, Malformed> {
        self.compact_nullable_string(what)?.ok_or(Malformed(what))
    }

    /// [`Self::compact_string`]; `None` for length 0.
    pub(crate) fn compact_nullable_string(&mut self, what: &'static str) -> Result<Option<String>, Malformed> {
        let Some(len) = self.unsigned_varint(what)?.checked_sub(1) else {
            return Ok(None);
        };
        let bytes = self.take(len as usize, what)?;
        String::from_utf8(bytes.to_vec()).map(Some).map_err(|_| Malformed(what))
    }

    /// Bytes whose length, plus one, is a varint; shared with the input.
    pub(crate) fn compact_bytes(&mut self, what: &'static str) -> Result<Bytes, Malformed> {
        let len = self.unsigned_varint(what)?.checked_sub(1).ok_or(Malformed(what))?;
        self.take(len as usize, what)
    }

    /// Elements behind a count that, plus one, is a varint. Each takes at least `min_element` bytes.
    pub(crate) fn compact_array<T>(
        &mut self,
        min_element: usize,
        what: &'static str,
        mut element: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = self.unsigned_varint(what)?.checked_sub(1).ok_or(Malformed(what))? as usize;
        if count > self.remaining() / min_element {
            return Err(Malformed(what));
        }
        (0..count).map(|_| element(self)).collect()
    }

    /// Reads the tagged fields at the end of a struct (KIP-482): each as its tag and its bytes.
    pub(crate) fn tagged_fields(
        &mut self,
        mut field: impl FnMut(u32, Cursor) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        for _ in 0..self.unsigned_varint("tagged fields")? {
            let tag = self.unsigned_varint("tag")?;
            let size = self.unsigned_varint("tagged field")?;
            field(tag, Cursor::new(self.take(size as usize, "tagged field")?))?;
        }
        Ok(())
    }

    /// Passes over the tagged fields at the end of a struct that has none of its own.
    pub(crate) fn no_tagged_fields(&mut self) -> Result<(), Malformed> {
        self.tagged_fields(|_, _| Ok(()))
    }

    pub(crate) fn uuid(&mut self, what: &'static str) -> Result<Uuid, Malformed> {
        self.array(what).map(Uuid::from_bytes)
    }

    /// Bytes with a 32-bit length, shared with the input. Length -1 reads as empty.
    pub(crate) fn byte_array(&mut self, what: &'static str) -> Result<Bytes, Malformed> {
        let len = self.i32(what)?;
        if len == -1 {
            return Ok(Bytes::new());
        }
        let len = usize::try_from(len).map_err(|_| Malformed(what))?;
        self.take(len, what)
    }

    /// The count of an array whose elements take at least `min_element` bytes each. Null reads as empty.
    pub(crate) fn count(&mut self, min_element: usize, what: &'static str) -> Result<usize, Malformed> {
        let count = self.i32(what)?;
        if count == -1 {
            return Ok(0);
        }
        let count = usize::try_from(count).map_err(|_| Malformed(what))?;
        if count > self.remaining() / min_element {
            return Err(Malformed(what));
        }
        Ok(count)
    }

    /// As [`Cursor::count`], for an array whose count, plus one, is a varint.
    pub(crate) fn compact_count(&mut self, min_element: usize, what: &'static str) -> Result<usize, Malformed> {
        let count = self.unsigned_varint(what)?.saturating_sub(1) as usize;
        if count > self.remaining() / min_element {
            return Err(Malformed(what));
        }
        Ok(count)
    }

    /// Passes over tagged fields (KIP-482).
    pub(crate) fn skip_tags(&mut self, what: &'static str) -> Result<(), Malformed> {
        for _ in 0..self.unsigned_varint(what)? {
            let _tag = self.unsigned_varint(what)?;
            let len = self.unsigned_varint(what)?;
            self.take(len as usize, what)?;
        }
        Ok(())
    }

    /// An unsigned varint of at most 32 bits.
    pub(crate) fn unsigned_varint(&mut self, what: &'static str) -> Result<u32, Malformed> {
        let (value, used) = unsigned_varint(&self.bytes).ok_or(Malformed(what))?;
        let _ = self.bytes.split_to(used);
        Ok(value)
    }
}

/// Decodes an unsigned varint of at most 32 bits from the front of `bytes`: the value and the bytes it took.
pub(crate) fn unsigned_varint(bytes: &[u8]) -> Option<(u32, usize)> {
    let mut value = 0u32;
    for (index, &byte) in bytes.iter().take(5).enumerate() {
        let shift = 7 * index;
        if index == 4 && byte > 0x0f {
            return None;
        }
        value |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value, index + 1));
        }
    }
    None
}

pub(crate) fn put_unsigned_varint(out: &mut impl BufMut, mut value: u64) {
    while value >= 0x80 {
        out.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

/// A signed varint in zig-zag form, as record bodies use.
pub(crate) fn put_varint(out: &mut impl BufMut, value: i64) {
    put_unsigned_varint(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// How many bytes [`put_varint`] writes.
pub(crate) fn varint_len(value: i64) -> usize {
    let zigzag = ((value << 1) ^ (value >> 63)) as u64;
    (64 - (zigzag | 1).leading_zeros() as usize).div_ceil(7)
}

/// Undoes zig-zag.
pub(crate) fn unzigzag(value: u64) -> i64 {
    ((value >> 1) as i64) ^ -((value & 1) as i64)
}

/// A string with a 16-bit length. Names that reach this point were read from the wire by the same rule, so
/// they fit; a longer one is cut at 32,767 bytes on a character boundary.
pub(crate) fn put_string(out: &mut impl BufMut, value: &str) {
    let mut end = value.len().min(i16::MAX as usize);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    out.put_i16(end as i16);
    out.put_slice(&value.as_bytes()[..end]);
}

/// A string whose length, plus one, is a varint.
pub(crate) fn put_compact_string(out: &mut impl BufMut, value: &str) {
    put_unsigned_varint(out, value.len() as u64 + 1);
    out.put_slice(value.as_bytes());
}

pub(crate) fn put_nullable_string(out: &mut impl BufMut, value: Option<&str>) {
    match value {
        Some(value) => put_string(out, value),
        None => out.put_i16(-1),
    }
}

/// [`put_compact_string`], with length 0 for `None`.
pub(crate) fn put_compact_nullable_string(out: &mut impl BufMut, value: Option<&str>) {
    match value {
        Some(value) => put_compact_string(out, value),
        None => out.put_u8(0),
    }
}

/// Bytes whose length, plus one, is a varint.
pub(crate) fn put_compact_bytes(out: &mut impl BufMut, value: &[u8]) {
    put_compact_count(out, value.len());
    out.put_slice(value);
}

/// The count of an array's elements, plus one, as a varint.
pub(crate) fn put_compact_count(out: &mut impl BufMut, count: usize) {
    put_unsigned_varint(out, count as u64 + 1);
}

/// A tagged field: its tag, its length and its bytes. How many there are is written before the first.
pub(crate) fn put_tagged_field(out: &mut impl BufMut, tag: u32, value: &[u8]) {
    put_unsigned_varint(out, u64::from(tag));
    put_unsigned_varint(out, value.len() as u64);
    out.put_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn varints_round_trip(value: i64, small: u32) {
            let mut out = Vec::new();
            put_unsigned_varint(&mut out, u64::from(small));
            prop_assert_eq!(unsigned_varint(&out), Some((small, out.len())));
            prop_assert_eq!(unzigzag(((value << 1) ^ (value >> 63)) as u64), value);
        }

        #[test]
        fn a_varint_never_reads_past_five_bytes(bytes: Vec<u8>) {
            if let Some((_, used)) = unsigned_varint(&bytes) {
                prop_assert!(used <= 5 && used <= bytes.len());
            }
        }
    }
}
