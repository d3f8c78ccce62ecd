//! Patterns that members subscribe by (KIP-848). Kafka evaluates them with RE2/J; the `regex` crate is of the same
//! family, linear in time whatever the pattern, and differs in little that a topic's name could show. What RE2 takes
//! and the crate does not is rewritten: `\Q…\E`, and characters within brackets that mean something only to the crate.

use regex::{Regex, RegexBuilder};

/// The most memory that a compiled pattern may take, in bytes.
const SIZE_LIMIT: usize = 1 << 20;
/// How deep its parentheses may be nested.
const NEST_LIMIT: u32 = 100;

/// A pattern for whole names of topics.
#[derive(Debug, Clone)]
pub(crate) struct SubscriptionRegex(Regex);

impl SubscriptionRegex {
    /// Compiles a pattern. The error says in one line what is wrong with it.
    pub(crate) fn new(pattern: &str) -> Result<Self, String> {
        // On its own first: what is not balanced must not be made so by what is put around it.
        compile(&rewritten(pattern))?;
        compile(&format!(r"\A(?:{})\z", rewritten(pattern))).map(Self)
    }

    pub(crate) fn matches(&self, topic: &str) -> bool {
        self.0.is_match(topic)
    }
}

fn compile(pattern: &str) -> Result<Regex, String> {
    let compiled = RegexBuilder::new(pattern).size_limit(SIZE_LIMIT).nest_limit(NEST_LIMIT).build();
    compiled.map_err(|error| {
        let text = error.to_string();
        let last = text.lines().last().unwrap_or_default();
        last.trim().trim_start_matches("error: ").to_owned()
    })
}

/// RE2's syntax in that of the crate.
fn rewritten(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    let mut in_class = false;
    while let Some(next) = rest.chars().next() {
        if let Some(quoted) = rest.strip_prefix(r"\Q").filter(|_| !in_class) {
            let (literal, after) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
            out.push_str(&regex::escape(literal));
            rest = after;
            continue;
        }
        let mut len = next.len_utf8();
        match next {
            // An escaped character stays as it is.
            '\\' => {
                len += rest[len..].chars().next().map_or(0, char::len_utf8);
                out.push_str(&rest[..len]);
            }
            '[' if in_class && rest.starts_with("[:") => match rest.find(":]") {
                Some(end) => {
                    len = end + 2;
                    out.push_str(&rest[..len]);
                }
                None => out.push_str(r"\["),
            },
            '[' if in_class => out.push_str(r"\["),
            '[' => {
                in_class = true;
                // A bracket that closes stands for itself where the class begins.
                let opening = ["[^]", "[]", "[^"].into_iter().find(|opening| rest.starts_with(opening));
                len = opening.map_or(1, str::len);
                out.push_str(match opening {
                    Some("[^]") => r"[^\]",
                    Some("[]") => r"[\]",
                    Some(other) => other,
                    None => "[",
                });
            }
            ']' => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class => out.extend(['\\', next]),
            other => out.push(other),
        }
        rest = &rest[len..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, topic: &str) -> bool {
        SubscriptionRegex::new(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}")).matches(topic)
    }

    #[test]
    fn whole_names_are_matched() {
        for (pattern, topic) in [
            ("foo.*", "foo-1"),
            ("foo|bar", "bar"),
            (r"\Qa.b\E-\d+", "a.b-17"),
            (r"\Qa.b", "a.b"),
            ("[[:alpha:]]+", "abc"),
            ("[a[&&]+", "a"),
            ("(?i)FOO", "foo"),
            (r"\pL+", "abc"),
            (r"\p{Greek}|x", "x"),
            ("[]a]", "a"),
            ("[^]]+", "ab"),
            (r"[\w.-]+", "a.b-c_d"),
            ("^t$", "t"),
            ("(?P<name>a)b", "ab"),
        ] {
            assert!(matches(pattern, topic), "{pattern} should match {topic}");
        }
        for (pattern, topic) in [("foo", "foo-1"), ("foo|bar", "foobar"), (r"\Qa.b\E", "axb"), ("[^a]", "a")] {
            assert!(!matches(pattern, topic), "{pattern} should not match {topic}");
        }
    }

    #[test]
    fn what_is_no_pattern_or_too_large_is_refused_with_a_reason() {
        for pattern in ["[", "a)", "(", ")(", "*", r"(a)\1", "(?=a)", "(((a{1000}){1000}){1000})", &"(".repeat(5000)] {
            let error = SubscriptionRegex::new(pattern).unwrap_err();
            assert!(!error.is_empty() && !error.contains('\n'), "{pattern}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_pattern_or_is_not(pattern in ".{0,40}", topic in "[a-z.]{0,9}") {
            if let Ok(regex) = SubscriptionRegex::new(&pattern) {
                let _ = regex.matches(&topic);
            }
        }

        #[test]
        fn a_quoted_name_matches_itself_alone(name in "[a-zA-Z0-9._-]{1,20}", other in "[a-zA-Z0-9._-]{1,20}") {
            let pattern = format!(r"\Q{name}\E");
            prop_assert!(matches(&pattern, &name));
            prop_assert_eq!(matches(&pattern, &other), name == other);
        }
    }
}
