//! JSON's strings as Jackson writes them: UTF-8 as it is, a backslash only where JSON demands it.

use super::Output;

/// Appends a string with its quotes.
pub(crate) fn write_string<O: Output>(out: &mut O, text: &str) {
    out.reserve(text.len() + 2);
    out.put(b"\"");
    let bytes = text.as_bytes();
    let mut from = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if *byte >= 0x20 && *byte != b'"' && *byte != b'\\' {
            continue;
        }
        out.put(&bytes[from..at]);
        from = at + 1;
        match byte {
            b'"' => out.put(b"\\\""),
            b'\\' => out.put(b"\\\\"),
            b'\n' => out.put(b"\\n"),
            b'\r' => out.put(b"\\r"),
            b'\t' => out.put(b"\\t"),
            0x08 => out.put(b"\\b"),
            0x0c => out.put(b"\\f"),
            control => {
                const HEX: &[u8; 16] = b"0123456789ABCDEF";
                let digits = [HEX[usize::from(control >> 4)], HEX[usize::from(control & 15)]];
                out.put(b"\\u00");
                out.put(&digits);
            }
        }
    }
    out.put(&bytes[from..]);
    out.put(b"\"");
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    proptest::proptest! {
        #[test]
        fn strings_read_back(text in "\\PC*|[\\x00-\\x20\"\\\\]*") {
            let mut out = BytesMut::new();
            write_string(&mut out, &text);
            proptest::prop_assert_eq!(serde_json::from_slice::<String>(&out).ok(), Some(text));
        }
    }
}
