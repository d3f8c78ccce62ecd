//! Base64 with padding, as Java's encoder and Jackson write it: RFC 4648 §4, and §5 for names of files and for URLs.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};

use crate::converters::Output;

/// Bytes that are encoded at a time, a multiple of three, so that padding stands at the end alone.
const AT_ONCE: usize = 768;

/// The text of bytes.
pub(crate) fn encode(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

/// The text of bytes, in the alphabet that is safe in URLs.
pub(crate) fn encode_url_safe(bytes: &[u8]) -> String {
    BASE64_URL_SAFE.encode(bytes)
}

/// The bytes of a text; `None` if it is none of bytes.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(text).ok()
}

/// Appends the text of bytes.
pub(crate) fn append<O: Output>(out: &mut O, bytes: &[u8]) {
    out.reserve(bytes.len().div_ceil(3) * 4);
    let mut text = [0; AT_ONCE / 3 * 4];
    for bytes in bytes.chunks(AT_ONCE) {
        let len = BASE64_STANDARD.encode_slice(bytes, &mut text).expect("four characters for three bytes have room");
        out.put(&text[..len]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_appended_bit_by_bit_is_the_text_of_all() {
        for len in [0, 1, 2, 3, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 5 * AT_ONCE + 2] {
            let content: Vec<u8> = (0..len).map(|at| (at * 7) as u8).collect();
            let mut out = bytes::BytesMut::new();
            append(&mut out, &content);
            assert_eq!(out, encode(&content));
            assert_eq!(decode(&encode(&content)), Some(content));
        }
        assert_eq!(encode(&[0xff, 0xef, 0xbe, 0xff]), "/+++/w==");
        assert_eq!(encode_url_safe(&[0xFB, 0xFF]), "-_8=");
    }
}
