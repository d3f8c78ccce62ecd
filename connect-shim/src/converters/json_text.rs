//! JSON's strings as Jackson writes them: UTF-8 as it is, a backslash only where JSON demands it.

use super::Output;

/// What is put out at once: of most strings all.
const SHORT: usize = 64;

/// Appends a field's name and what follows it, with a comma before it unless it is the first.
pub(crate) fn write_name<O: Output>(out: &mut O, name: &str, is_first: bool) {
    if try_write_short(out, if is_first { b"" } else { b"," }, name, b":") {
        return;
    }
    if !is_first {
        out.put(b",");
    }
    write_string(out, name);
    out.put(b":");
}

/// Appends a string with its quotes.
pub(crate) fn write_string<O: Output>(out: &mut O, text: &str) {
    if !try_write_short(out, b"", text, b"") {
        write_escaped(out, text);
    }
}

/// Appends a string that is short and needs no backslash, with a byte or none before and behind it, at once.
fn try_write_short<O: Output>(out: &mut O, before: &[u8], text: &str, behind: &[u8]) -> bool {
    let bytes = text.as_bytes();
    // Without an early end, so that many bytes are looked at together.
    let needs_escape = |any, byte: &u8| any | (*byte < 0x20) | (*byte == b'"') | (*byte == b'\\');
    if bytes.len() > SHORT - 4 || bytes.iter().fold(false, needs_escape) {
        return false;
    }
    let mut buffer = [b'"'; SHORT];
    let mut end = before.len();
    buffer[..end].copy_from_slice(before);
    end += 1;
    buffer[end..end + bytes.len()].copy_from_slice(bytes);
    end += bytes.len() + 1;
    buffer[end..end + behind.len()].copy_from_slice(behind);
    out.put(&buffer[..end + behind.len()]);
    true
}

fn write_escaped<O: Output>(out: &mut O, text: &str) {
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
            proptest::prop_assert_eq!(serde_json::from_slice::<String>(&out).ok(), Some(text.clone()));
            let mut object = BytesMut::from(&b"{"[..]);
            write_name(&mut object, "_", true);
            write_string(&mut object, &text);
            write_name(&mut object, &text, false);
            object.extend_from_slice(b"1}");
            let read: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&object).unwrap_or_default();
            proptest::prop_assert!(text == "_" || read["_"] == *text && read[&text] == 1, "{:?}", object);
        }
    }
}
