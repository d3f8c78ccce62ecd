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
    digits.chunks(2).map(|pair| Some(value(pair[0])? << 4 | value(pair[1])?)).collect()
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

/// Base64 with padding, in the alphabet of URLs if `url_safe`.
pub(crate) fn to_base64(bytes: &[u8], url_safe: bool) -> String {
    const PLAIN: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = |value: u32| match (value & 63, url_safe) {
        (62, true) => '-',
        (63, true) => '_',
        (value, _) => char::from(PLAIN[value as usize]),
    };
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            if place <= chunk.len() {
                out.push(letter(bits >> (18 - 6 * place)));
            } else {
                out.push('=');
            }
        }
    }
    out
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
        assert_eq!(to_base64(b"", false), "");
        assert_eq!(to_base64(&[0xFB, 0xFF], false), "+/8=");
        assert_eq!(to_base64(&[0xFB, 0xFF], true), "-_8=");
        assert_eq!(to_base64(b"abc", false), "YWJj");
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
