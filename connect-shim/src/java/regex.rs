//! Java's regular expressions and their replacement texts (`java.util.regex`). An automaton follows them where one can;
//! look-around, back references and possessive repetitions take steps back, at most so many, beyond which nothing matches.

use std::fmt::Write;

use fancy_regex::{Captures, Regex};

/// Why an expression is refused, in Java's words where it would refuse it too.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RegexError(String);

/// An expression that must match the whole of a text, as Java's `matches()`.
#[derive(Debug, Clone)]
pub struct JavaRegex {
    whole: Regex,
    anywhere: Regex,
}

impl JavaRegex {
    /// The expression, as it is searched for.
    pub fn as_str(&self) -> &str {
        self.anywhere.as_str()
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &str) -> bool {
        self.whole.is_match(text).unwrap_or_else(|error| given_up(&error))
    }

    /// Whether the expression is found in a text.
    pub fn find(&self, text: &str) -> bool {
        self.anywhere.is_match(text).unwrap_or_else(|error| given_up(&error))
    }

    /// What `matches()` captured.
    pub fn captures<'t>(&self, text: &'t str) -> Option<Captures<'t, str>> {
        self.whole.captures(text).unwrap_or_else(|error| given_up(&error))
    }

    /// Replaces the first place where the expression is found (`Matcher.replaceFirst`).
    ///
    /// # Errors
    /// What Java says of a replacement that names a group that is not there.
    pub fn replace_first(&self, text: &str, replacement: &str) -> Result<String, RegexError> {
        let Some(captures) = self.anywhere.captures(text).unwrap_or_else(|error| given_up(&error)) else {
            return Ok(text.to_owned());
        };
        let Some(found) = captures.get(0) else {
            return Ok(text.to_owned());
        };
        let mut out = text[..found.start()].to_owned();
        append_replacement(&mut out, &captures, replacement, &self.anywhere)?;
        out.push_str(&text[found.end()..]);
        Ok(out)
    }

    /// Replaces every place where the expression is found (`Matcher.replaceAll`).
    ///
    /// # Errors
    /// As for [`replace_first`](Self::replace_first).
    pub fn replace_all(&self, text: &str, replacement: &str) -> Result<String, RegexError> {
        let mut out = String::new();
        let mut from = 0;
        for captures in self.anywhere.captures_iter(text).map_while(Result::ok) {
            let Some(found) = captures.get(0) else {
                continue;
            };
            out.push_str(&text[from..found.start()]);
            append_replacement(&mut out, &captures, replacement, &self.anywhere)?;
            from = found.end();
        }
        out.push_str(&text[from..]);
        Ok(out)
    }
}

/// Reads an expression.
///
/// # Errors
/// That it is none.
pub fn compile(pattern: &str) -> Result<JavaRegex, RegexError> {
    compile_with("", pattern)
}

/// Reads an expression that does not tell small letters from capitals (`Pattern.CASE_INSENSITIVE`).
///
/// # Errors
/// That it is none.
pub fn compile_ignoring_case(pattern: &str) -> Result<JavaRegex, RegexError> {
    compile_with("(?i)", pattern)
}

fn compile_with(flags: &str, pattern: &str) -> Result<JavaRegex, RegexError> {
    check(pattern)?;
    let translated = translate(pattern);
    let build = |text: String| Regex::new(&text).map_err(|error| refusal(pattern, &error));
    Ok(JavaRegex {
        whole: build(format!("{flags}^(?:{translated})$"))?,
        anywhere: build(format!("{flags}{translated}"))?,
    })
}

/// What an expression that takes too many steps back comes to: it does not match.
fn given_up<T: Default>(error: &fancy_regex::Error) -> T {
    tracing::warn!(%error, "a regular expression is given up");
    T::default()
}

fn refusal(pattern: &str, error: &fancy_regex::Error) -> RegexError {
    let reason = error.to_string();
    let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
    RegexError(format!("{reason}: {pattern}"))
}

/// Finds what Java finds: groups and classes that are not closed, repetitions of nothing.
fn check(pattern: &str) -> Result<(), RegexError> {
    let bytes = pattern.as_bytes();
    let (mut groups, mut at, mut repeatable) = (0_usize, 0, false);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if bytes[at..].starts_with(b"\\Q") => {
                at = pattern[at..].find("\\E").map_or(bytes.len(), |end| at + end);
            }
            b'\\' => at += 1,
            b'[' => at = class_end(pattern, at)?,
            b'(' => groups += 1,
            b')' if groups == 0 => return Err(java_error("Unmatched closing ')'", at.saturating_sub(1), pattern)),
            b')' => groups -= 1,
            b'*' | b'+' | b'?' if !(repeatable || at > 0 && bytes[at - 1] == b'(') => {
                let what = format!("Dangling meta character '{}'", char::from(*byte));
                return Err(java_error(&what, at, pattern));
            }
            _ => {}
        }
        repeatable = !matches!(byte, b'(' | b'|');
        at += 1;
    }
    if groups > 0 { Err(java_error("Unclosed group", pattern.len(), pattern)) } else { Ok(()) }
}

fn class_end(pattern: &str, start: usize) -> Result<usize, RegexError> {
    let bytes = pattern.as_bytes();
    let (mut depth, mut at) = (0_usize, start);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            b'[' => depth += 1,
            b']' if depth == 1 && at > start + 1 && !(at == start + 2 && bytes[start + 1] == b'^') => return Ok(at),
            b']' if depth > 1 => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    Err(java_error("Unclosed character class", pattern.len().saturating_sub(1), pattern))
}

/// `PatternSyntaxException.getMessage`.
fn java_error(what: &str, index: usize, pattern: &str) -> RegexError {
    let mut message = format!("{what} near index {index}\n{pattern}");
    if index < pattern.len() {
        let _ = write!(message, "\n{}^", " ".repeat(index));
    }
    RegexError(message)
}

/// Rewrites what Java spells in another way: quotations, and classes that mean ASCII there.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let (mut rest, mut class_depth) = (pattern, 0_usize);
    while let Some(next) = rest.chars().next() {
        if let Some(quoted) = rest.strip_prefix("\\Q") {
            let (text, after) = quoted.split_once("\\E").unwrap_or((quoted, ""));
            out.push_str(&regex::escape(text));
            rest = after;
            continue;
        }
        let mut taken = next.len_utf8();
        match next {
            '\\' => {
                let escaped = rest[1..].chars().next();
                taken += escaped.map_or(0, char::len_utf8);
                match (escaped, class_depth > 0) {
                    (Some('d'), true) => out.push_str("0-9"),
                    (Some('d'), false) => out.push_str("[0-9]"),
                    (Some('D'), false) => out.push_str("[^0-9]"),
                    (Some('w'), true) => out.push_str("a-zA-Z0-9_"),
                    (Some('w'), false) => out.push_str("[a-zA-Z0-9_]"),
                    (Some('W'), false) => out.push_str("[^a-zA-Z0-9_]"),
                    (Some('Z'), false) => out.push_str("\\z"),
                    (Some('h'), false) => out.push_str("[ \\t]"),
                    _ => out.push_str(&rest[..taken]),
                }
            }
            '[' => {
                class_depth += 1;
                out.push('[');
            }
            ']' => {
                class_depth = class_depth.saturating_sub(1);
                out.push(']');
            }
            other => out.push(other),
        }
        rest = &rest[taken..];
    }
    out
}

/// `Matcher.appendReplacement`: `$1`, `${name}`, and a backslash before what is meant as it stands.
fn append_replacement(
    out: &mut String,
    captures: &Captures<'_, str>,
    replacement: &str,
    regex: &Regex,
) -> Result<(), RegexError> {
    let mut chars = replacement.chars().peekable();
    while let Some(next) = chars.next() {
        match next {
            '\\' => match chars.next() {
                Some(literal) => out.push(literal),
                None => return Err(RegexError("character to be escaped is missing".to_owned())),
            },
            '$' if chars.peek() == Some(&'{') => {
                chars.next();
                let name: String = chars.by_ref().take_while(|c| *c != '}').collect();
                if !regex.capture_names().flatten().any(|known| known == name) {
                    return Err(RegexError(format!("No group with name {{{name}}}")));
                }
                out.push_str(captures.name(&name).map_or("", |group| group.as_str()));
            }
            '$' => {
                let Some(mut group) = chars.next().and_then(|c| c.to_digit(10)) else {
                    return Err(RegexError("Illegal group reference".to_owned()));
                };
                if group as usize >= regex.captures_len() {
                    return Err(RegexError(format!("No group {group}")));
                }
                while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
                    let longer = group * 10 + digit;
                    if longer as usize >= regex.captures_len() {
                        break;
                    }
                    group = longer;
                    chars.next();
                }
                out.push_str(captures.get(group as usize).map_or("", |found| found.as_str()));
            }
            literal => out.push(literal),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_match_is_of_the_whole_text() {
        let regex = compile("public\\.(a|ab)").unwrap();
        assert!(regex.matches("public.ab"));
        assert!(!regex.matches("xpublic.ab"));
        assert!(regex.find("xpublic.abc"));
    }

    #[test]
    fn replacements_are_javas() {
        let regex = compile("([^.]+)\\.([^.]+)\\.(?<table>.+)").unwrap();
        assert_eq!(regex.replace_first("a.b.c", "$3").unwrap(), "c");
        assert_eq!(regex.replace_first("a.b.c", "x.${table}.$10").unwrap(), "x.c.a0");
        assert_eq!(regex.replace_first("a.b.c", "\\$1").unwrap(), "$1");
        assert!(regex.replace_first("a.b.c", "$7").is_err());
    }

    #[test]
    fn what_java_refuses_is_refused_in_its_words() {
        assert_eq!(compile("public.(t").unwrap_err().to_string(), "Unclosed group near index 9\npublic.(t");
        assert_eq!(compile("*a").unwrap_err().to_string(), "Dangling meta character '*' near index 0\n*a\n^");
        assert_eq!(compile("a[bc").unwrap_err().to_string(), "Unclosed character class near index 3\na[bc\n   ^");
    }

    #[test]
    fn what_is_around_counts() {
        let regex = compile_ignoring_case("public\\.(?!tmp_).*(?<!_old)").unwrap();
        let matched = ["public.a", "PUBLIC.A", "public.tmp_a", "public.a_old"].map(|name| regex.matches(name));
        assert_eq!(matched, [true, true, false, false]);
        assert!(compile("(a)\\1").unwrap().matches("aa"));
        // Whoever would go on for ages is stopped.
        assert!(!compile("(?=(a+)+$)(a|aa)+b").unwrap().matches(&"a".repeat(200)));
    }

    #[test]
    fn classes_mean_ascii() {
        assert!(!compile("\\d+").unwrap().matches("٣"));
        assert!(compile("[\\w-]+").unwrap().matches("a-1"));
        assert!(compile("\\Qa.b\\E.*").unwrap().matches("a.bc"));
    }

    proptest::proptest! {
        #[test]
        fn no_pattern_panics(pattern in ".{0,40}", text in ".{0,20}", replacement in ".{0,10}") {
            if let Ok(regex) = compile(&pattern) {
                let _ = regex.replace_all(&text, &replacement);
            }
        }
    }
}
