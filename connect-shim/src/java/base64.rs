//! Base64 with padding (RFC 4648 §4), as Java's encoder and Jackson write it.

use crate::converters::Output;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The same for names of files and for URLs (RFC 4648 §5).
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Gives `out` the text of bytes, four characters at a time.
fn encode_to(alphabet: &[u8; 64], bytes: &[u8], mut out: impl FnMut([u8; 4])) {
    let sextet = |group: u32, shift: u32| alphabet[(group >> shift) as usize & 63];
    let mut groups = bytes.chunks_exact(3);
    for group in &mut groups {
        let group = u32::from(group[0]) << 16 | u32::from(group[1]) << 8 | u32::from(group[2]);
        out([sextet(group, 18), sextet(group, 12), sextet(group, 6), sextet(group, 0)]);
    }
    match *groups.remainder() {
        [one] => {
            let group = u32::from(one) << 16;
            out([sextet(group, 18), sextet(group, 12), b'=', b'=']);
        }
        [one, two] => {
            let group = u32::from(one) << 16 | u32::from(two) << 8;
            out([sextet(group, 18), sextet(group, 12), sextet(group, 6), b'=']);
        }
        _ => {}
    }
}

/// The text of bytes.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    encode_to(ALPHABET, bytes, |four| text.extend(four.map(char::from)));
    text
}

/// The text of bytes, in the alphabet that is safe in URLs.
pub(crate) fn encode_url_safe(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    encode_to(URL_SAFE, bytes, |four| text.extend(four.map(char::from)));
    text
}

/// Appends the text of bytes.
pub(crate) fn append<O: Output>(out: &mut O, bytes: &[u8]) {
    out.reserve(bytes.len().div_ceil(3) * 4);
    encode_to(ALPHABET, bytes, |four| out.put(&four));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_the_rfc() {
        let cases =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")];
        for (plain, encoded) in cases {
            assert_eq!(encode(plain.as_bytes()), encoded);
        }
        assert_eq!(encode(&[0xff, 0xef, 0xbe]), "/+++");
        assert_eq!(encode_url_safe(&[0xFB, 0xFF]), "-_8=");
    }
}
