//! Files in the format of `java.util.Properties`, which Kafka's `server.properties` has.

use thiserror::Error;

/// A key with its value, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// The key, without escapes.
    pub key: String,
    /// The value, without escapes.
    pub value: String,
    /// Line of the key, from 1.
    pub line: usize,
}

/// A text that is no properties file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {reason}")]
pub struct PropertiesError {
    /// Line of the mistake, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// Reads a properties file: `key=value`, `key: value` or `key value` on each line, comments after `#` or `!`, a
/// backslash at the end to go on with the next line, and escapes as in Java's strings.
///
/// A key that is repeated comes repeatedly, in order; Java keeps the last.
///
/// # Errors
/// A `\u` without four hexadecimal digits, or one that is half of a character.
pub fn parse_properties(text: &str) -> Result<Vec<Property>, PropertiesError> {
    let mut properties = Vec::new();
    for (line, logical) in logical_lines(text) {
        let (key, value) = split_key(&logical);
        properties.push(Property { key: unescape(key, line)?, value: unescape(value, line)?, line });
    }
    Ok(properties)
}

/// Lines joined where a backslash ends one, without white space before them, comments and blank lines; with the
/// number of the first of each.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    // As in Java, a lone carriage return ends a line too.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines = text.split('\n').zip(1..);
    let mut joined = Vec::new();
    while let Some((line, number)) = lines.next() {
        let line = line.trim_start_matches(is_space);
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let mut whole = line.to_owned();
        while ends_in_escape(&whole) {
            whole.pop();
            match lines.next() {
                Some((next, _)) => whole.push_str(next.trim_start_matches(is_space)),
                None => break,
            }
        }
        if !whole.is_empty() {
            joined.push((number, whole));
        }
    }
    joined
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\x0c')
}

/// Whether the text ends in a backslash that nothing escapes.
fn ends_in_escape(text: &str) -> bool {
    let backslashes = text.bytes().rev().take_while(|b| *b == b'\\').count();
    backslashes % 2 == 1
}

/// Splits a line at its first `=`, `:` or white space that nothing escapes.
fn split_key(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|c| {
        let ends = !escaped && (is_space(c) || matches!(c, '=' | ':'));
        escaped = !escaped && c == '\\';
        ends
    });
    let Some(end) = end else {
        return (line, "");
    };
    let (key, rest) = line.split_at(end);
    let rest = rest.trim_start_matches(is_space);
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, value.trim_start_matches(is_space))
}

fn unescape(text: &str, line: usize) -> Result<String, PropertiesError> {
    if !text.contains('\\') {
        return Ok(text.to_owned());
    }
    let error = |reason| PropertiesError { line, reason };
    // Java's escapes are UTF-16, so that a character may take two.
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            units.extend(c.encode_utf16(&mut [0; 2]).iter());
            continue;
        }
        match chars.next() {
            Some('t') => units.push(0x09),
            Some('n') => units.push(0x0a),
            Some('f') => units.push(0x0c),
            Some('r') => units.push(0x0d),
            Some('u') => {
                let mut unit = 0;
                for _ in 0..4 {
                    let digit = chars.next().and_then(|c| c.to_digit(16));
                    let digit = digit.ok_or_else(|| error("\\u must be followed by four hexadecimal digits"))?;
                    unit = unit << 4 | digit as u16;
                }
                units.push(unit);
            }
            Some(other) => units.extend(other.encode_utf16(&mut [0; 2]).iter()),
            None => {}
        }
    }
    String::from_utf16(&units).map_err(|_| error("\\u escapes must come in pairs where one is half a character"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Vec<(String, String)> {
        let properties = parse_properties(text).expect(text);
        properties.into_iter().map(|p| (p.key, p.value)).collect()
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    /// Results of `java.util.Properties.load`.
    #[test]
    fn reads_what_java_reads() {
        for (text, key, value) in [
            ("a=b", "a", "b"),
            ("  a = b ", "a", "b "),
            ("a:b", "a", "b"),
            ("a b", "a", "b"),
            ("a \t: b=c", "a", "b=c"),
            ("a", "a", ""),
            ("a=", "a", ""),
            ("=b", "", "b"),
            ("a==b", "a", "=b"),
            ("a\\=b=c", "a=b", "c"),
            ("a\\ b c", "a b", "c"),
            ("a=b\\\n   c", "a", "bc"),
            ("a=b\\\\\nc=d", "a", "b\\"),
            ("a=b\\", "a", "b"),
            ("a=\\u00e9\\t\\q", "a", "\u{e9}\tq"),
            ("a=\\ud83d\\ude00", "a", "\u{1f600}"),
            ("a=#b", "a", "#b"),
            ("a\r=b", "a", ""),
            ("a=b\\\n#c=d\ne=f", "a", "b#c=d"),
            ("a=b\\\n\nc=d", "a", "b"),
            (" \\\n a=b", "a", "b"),
            ("\\\n\nb=c", "b", "c"),
            ("a\\tb=c", "a\tb", "c"),
        ] {
            assert_eq!(parsed(text)[0], pair(key, value), "{text:?}");
        }
        assert_eq!(parsed("# a=b\n! c=d\n\n \t\n#e\\\nf=g"), [pair("f", "g")]);
    }

    #[test]
    fn keeps_the_line_of_a_key() {
        let properties = parse_properties("a=1\n\n# x\nb=2\\\n3\r\nc=4").expect("it is well-formed");
        let lines: Vec<_> = properties.iter().map(|p| (p.key.as_str(), p.line)).collect();
        assert_eq!(lines, [("a", 1), ("b", 4), ("c", 6)]);
    }

    #[test]
    fn says_where_an_escape_is_wrong() {
        for text in ["a=1\nb=\\u12", "a=1\nb=\\u12x4", "a=1\nb=\\ud83d"] {
            assert_eq!(parse_properties(text).map_err(|error| error.line), Err(2), "{text:?}");
        }
    }

    fn escaped(text: &str) -> String {
        text.chars()
            .map(|c| match c {
                '\n' => "\\n".to_owned(),
                '\r' => "\\r".to_owned(),
                '\t' | '\x0c' | ' ' | '=' | ':' | '#' | '!' | '\\' => format!("\\{c}"),
                c => c.to_string(),
            })
            .collect()
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(?s).{0,200}") {
            let _ = parse_properties(&text);
        }

        #[test]
        fn what_is_escaped_reads_back_the_same(key in "(?s).{1,20}", value in "(?s).{0,20}") {
            let text = format!("{} = {}", escaped(&key), escaped(&value));
            prop_assert_eq!(parsed(&text), [(key, value)]);
        }
    }
}
