//! Bytes, and bits, and how they are written as text.

use std::fmt::Write as _;

use bytes::Bytes;

/// How `bytea` is shown (`binary.handling.mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum BinaryMode {
    /// As bytes.
    #[default]
    Bytes,
    /// As text in Base64.
    Base64,
    /// As text in the Base64 of URLs.
    Base64UrlSafe,
    /// As hexadecimal text.
    Hex,
}

/// Two hexadecimal digits a byte.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    // As much room as is needed and no more: a large one does not grow by being copied.
    let mut bytes = Vec::with_capacity(digits.len() / 2);
    for pair in digits.chunks_exact(2) {
        bytes.push(value(pair[0])? << 4 | value(pair[1])?);
    }
    Some(bytes)
}

/// What `bytea_output = hex` writes.
pub(crate) fn from_bytea(text: &str) -> Option<Vec<u8>> {
    from_hex(text.strip_prefix("\\x")?)
}

/// Hexadecimal digits, in lower case.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// `101` as bytes, the last bit first, without bytes of zeros at the end (Java's `BitSet.toByteArray`).
pub(crate) fn from_bits(text: &str) -> Option<Bytes> {
    let mut bytes = vec![0u8; text.len().div_ceil(8)];
    for (index, bit) in text.bytes().rev().enumerate() {
        match bit {
            b'0' => {}
            b'1' => bytes[index / 8] |= 1 << (index % 8),
            _ => return None,
        }
    }
    let length = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    bytes.truncate(length);
    Some(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_text() {
        assert_eq!(to_hex(&[0, 0xAB]), "00ab");
        assert_eq!(from_bytea("\\xdeadbeef"), Some(vec![0xDE, 0xAD, 0xBE, 0xEF]));
        assert_eq!(from_bytea("deadbeef"), None);
    }

    #[test]
    fn bits_are_counted_from_the_right() {
        assert_eq!(from_bits("101").as_deref(), Some(&[5][..]));
        assert_eq!(from_bits("100000001").as_deref(), Some(&[1, 1][..]));
        assert_eq!(from_bits("0000").as_deref(), Some(&[][..]));
        assert_eq!(from_bits("12"), None);
    }
}
