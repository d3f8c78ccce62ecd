//! Arrays as PostgreSQL writes them.

use std::borrow::Cow;

/// An element of an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Element<'a> {
    /// Null.
    Null,
    /// A value's text.
    Text(Cow<'a, str>),
    /// An array within the array.
    Nested,
}

/// Reads `{1,NULL,"a b"}`, or `[0:1]={1,2}` whose bounds are left out. `;` separates boxes, `,` all else.
pub(crate) fn parse(text: &str, separator: char) -> Option<Vec<Element<'_>>> {
    let text = if text.starts_with('[') { text.split_once('=')?.1 } else { text };
    let body = text.strip_prefix('{')?.strip_suffix('}')?;
    let mut elements = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let (element, after) = match rest.as_bytes()[0] {
            b'"' => quoted(&rest[1..])?,
            b'{' => (Element::Nested, skip_nested(rest)?),
            _ => {
                let end = rest.find(separator).unwrap_or(rest.len());
                let (plain, after) = rest.split_at(end);
                let null = plain.eq_ignore_ascii_case("null");
                (if null { Element::Null } else { Element::Text(plain.into()) }, after)
            }
        };
        elements.push(element);
        rest = match after.strip_prefix(separator) {
            Some("") => return None,
            Some(next) => next,
            None if after.is_empty() => after,
            None => return None,
        };
    }
    Some(elements)
}

fn quoted(text: &str) -> Option<(Element<'_>, &str)> {
    let mut escaped = false;
    let mut any = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => {
                escaped = true;
                any = true;
            }
            b'"' => {
                let inner = &text[..at];
                let value = if any { Cow::Owned(unescape(inner)) } else { Cow::Borrowed(inner) };
                return Some((Element::Text(value), &text[at + 1..]));
            }
            _ => {}
        }
    }
    None
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(character) = chars.next() {
        out.push(if character == '\\' { chars.next().unwrap_or('\\') } else { character });
    }
    out
}

/// What follows the array that `text` begins with.
fn skip_nested(text: &str) -> Option<&str> {
    let (mut depth, mut in_quotes, mut escaped) = (0usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_quotes = !in_quotes,
            b'{' if !in_quotes => depth += 1,
            b'}' if !in_quotes => {
                depth -= 1;
                if depth == 0 {
                    return Some(&text[at + 1..]);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn elements_are_told_apart() {
        let text = |text: &str| Element::Text(text.to_owned().into());
        let elements = parse(r#"{a,"b c",NULL,"q\"x","","NULL",{1,"}"}}"#, ',').unwrap();
        assert_eq!(
            elements,
            [text("a"), text("b c"), Element::Null, text("q\"x"), text(""), text("NULL"), Element::Nested]
        );
        assert_eq!(parse("{}", ','), Some(vec![]));
        assert_eq!(parse("[0:1]={1,2}", ','), Some(vec![text("1"), text("2")]));
        assert_eq!(parse("{1,}", ','), None);
        assert_eq!(parse("1", ','), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[{}\",\\\\a1=ž]{0,24}") {
            let _ = parse(&text, ',');
        }

        #[test]
        fn texts_go_through(values: Vec<String>) {
            let quoted: Vec<String> =
                values.iter().map(|value| format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))).collect();
            let text = format!("{{{}}}", quoted.join(","));
            let read = parse(&text, ',').unwrap();
            let expected: Vec<Element<'_>> = values.iter().map(|value| Element::Text(value.as_str().into())).collect();
            prop_assert_eq!(read, expected);
        }
    }
}
