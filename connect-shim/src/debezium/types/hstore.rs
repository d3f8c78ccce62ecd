//! `hstore`: texts by name. Their order is that in which Java's `HashMap` would hand them out, since an event shows it.

use std::fmt::Write as _;

use crate::debezium::hash_order::in_hash_order;

/// Reads `"a"=>"1", "n"=>NULL`.
pub(crate) fn parse(text: &str) -> Option<Vec<(String, Option<String>)>> {
    let mut rest = text.trim_start();
    let mut pairs: Vec<(String, Option<String>)> = Vec::new();
    while !rest.is_empty() {
        let (name, after) = quoted(rest)?;
        let after = after.strip_prefix("=>")?;
        let (value, after) = match after.strip_prefix("NULL") {
            Some(after) => (None, after),
            None => quoted(after).map(|(value, after)| (Some(value), after))?,
        };
        pairs.push((name, value));
        rest = after.strip_prefix(", ").unwrap_or(after);
        if !rest.is_empty() && !rest.starts_with('"') {
            return None;
        }
    }
    in_hash_order(&mut pairs, |(name, _)| name);
    Some(pairs)
}

fn quoted(text: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = text.strip_prefix('"')?.char_indices();
    while let Some((at, character)) = chars.next() {
        match character {
            '"' => return Some((out, &text[at + 2..])),
            '\\' => out.push(chars.next()?.1),
            other => out.push(other),
        }
    }
    None
}

/// The pairs as a JSON object, as Jackson writes it.
pub(crate) fn to_json(pairs: &[(String, Option<String>)]) -> String {
    let mut out = String::from("{");
    for (index, (name, value)) in pairs.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_json_string(name, &mut out);
        out.push(':');
        match value {
            Some(value) => write_json_string(value, &mut out),
            None => out.push_str("null"),
        }
    }
    out.push('}');
    out
}

fn write_json_string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            control if control < ' ' => {
                let _ = write!(out, "\\u{:04X}", control as u32);
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pairs_come_in_the_order_of_a_hash_map() {
        let pairs = parse(r#""a"=>"1", "n"=>NULL, "z"=>"26", "b c"=>"x\"y""#).unwrap();
        assert_eq!(to_json(&pairs), r#"{"a":"1","b c":"x\"y","z":"26","n":null}"#);
        assert_eq!(parse(""), Some(vec![]));
        assert_eq!(parse("a=>1"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[\"\\\\=>NUL, a]{0,24}") {
            let _ = parse(&text);
        }
    }
}
