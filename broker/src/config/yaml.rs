//! Configuration in YAML: a mapping whose keys are names of configs, whole or in parts.
//!
//! ```yaml
//! listeners: PLAINTEXT://:9092
//! log:
//!   retention.ms: 3600000
//!   cleanup.policy: [compact, delete]
//! ```

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};
use thiserror::Error;

use super::properties::Property;

/// A text that is no YAML, or no configuration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {reason}")]
pub struct YamlError {
    /// Line of the mistake, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

impl YamlError {
    fn new(line: usize, reason: impl Into<String>) -> Self {
        Self { line, reason: reason.into() }
    }
}

/// Reads a mapping. Mappings inside it add their keys to its names, with dots between; a list becomes text with
/// commas between; any other value is the text that is written, so that `1_000` and `yes` stay what they are.
///
/// # Errors
/// Anything that is no YAML of one document, a name that is given twice, a value that is missing, an alias or an
/// anchor, a comma inside an element of a list, or mappings nested more than 32 deep.
pub fn parse_yaml(text: &str) -> Result<Vec<Property>, YamlError> {
    let mut reader = Reader { events: Parser::new_from_str(text), properties: Vec::new(), lines: BTreeMap::new() };
    reader.document()?;
    Ok(reader.properties)
}

/// How deep mappings may be nested.
const MOST_NESTED: usize = 32;

struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
    properties: Vec<Property>,
    /// Where each name was given.
    lines: BTreeMap<String, usize>,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<(), YamlError> {
        let mut documents = 0;
        loop {
            let (event, line) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
                Event::DocumentStart(_) if documents == 1 => {
                    return Err(YamlError::new(line, "only one document is read"));
                }
                Event::DocumentStart(_) => documents += 1,
                Event::StreamEnd => return Ok(()),
                Event::MappingStart(0, _) => self.mapping("", 1)?,
                // A file of nothing but comments sets nothing.
                Event::Scalar(text, ScalarStyle::Plain, 0, _) if is_null(&text) => {}
                other => return Err(unexpected(&other, line, "a mapping of names to values")),
            }
        }
    }

    /// Reads a mapping whose start has been read, `prefix` being the names around it.
    fn mapping(&mut self, prefix: &str, depth: usize) -> Result<(), YamlError> {
        loop {
            let (event, line) = self.next()?;
            let key = match event {
                Event::MappingEnd => return Ok(()),
                Event::Scalar(key, _, 0, _) => key,
                other => return Err(unexpected(&other, line, "a name")),
            };
            let name = match prefix {
                "" => key.into_owned(),
                prefix => format!("{prefix}.{key}"),
            };
            let (event, value_line) = self.next()?;
            let value = match event {
                Event::MappingStart(0, _) if depth == MOST_NESTED => {
                    return Err(YamlError::new(value_line, "mappings are nested too deep"));
                }
                Event::MappingStart(0, _) => {
                    self.mapping(&name, depth + 1)?;
                    continue;
                }
                Event::SequenceStart(0, _) => self.list(&name)?,
                event => scalar(event, value_line, &name)?,
            };
            if let Some(first) = self.lines.insert(name.clone(), line) {
                return Err(YamlError::new(line, format!("{name} is set in line {first} already")));
            }
            self.properties.push(Property { key: name, value, line });
        }
    }

    /// Reads a list whose start has been read.
    fn list(&mut self, name: &str) -> Result<String, YamlError> {
        let mut elements = Vec::new();
        loop {
            let (event, line) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(elements.join(","));
            }
            let element = scalar(event, line, name)?;
            if element.contains(',') {
                let reason = format!("an element of {name} has a comma, which separates elements");
                return Err(YamlError::new(line, reason));
            }
            elements.push(element);
        }
    }

    /// The next event and its line.
    fn next(&mut self) -> Result<(Event<'a>, usize), YamlError> {
        match self.events.next() {
            Some(Ok((event, span))) => Ok((event, span.start.line())),
            Some(Err(error)) => Err(YamlError::new(error.marker().line(), error.info())),
            None => Ok((Event::StreamEnd, 0)),
        }
    }
}

fn scalar(event: Event<'_>, line: usize, name: &str) -> Result<String, YamlError> {
    match event {
        Event::Scalar(text, ScalarStyle::Plain, 0, _) if is_null(&text) => {
            Err(YamlError::new(line, format!("{name} has no value, an empty text is \"\"")))
        }
        Event::Scalar(text, _, 0, _) => Ok(text.into_owned()),
        other => Err(unexpected(&other, line, &format!("a value or a list of values for {name}"))),
    }
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

fn unexpected(event: &Event<'_>, line: usize, wanted: &str) -> YamlError {
    let found = match event {
        Event::Alias(_) => "an alias, which is not supported",
        Event::Scalar(_, _, 1.., _) | Event::SequenceStart(1.., _) | Event::MappingStart(1.., _) => {
            "an anchor, which is not supported"
        }
        Event::Scalar(..) => "a single value",
        Event::SequenceStart(..) => "a list",
        Event::MappingStart(..) => "a mapping",
        _ => "the end",
    };
    YamlError::new(line, format!("expected {wanted}, found {found}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Vec<(String, String)> {
        let properties = parse_yaml(text).expect(text);
        properties.into_iter().map(|p| (p.key, p.value)).collect()
    }

    #[test]
    fn joins_names_with_dots_and_lists_with_commas() {
        let text = "---\n# a comment\nlisteners: PLAINTEXT://:9092\nlog:\n  dirs: [ ./data ]\n  retention:\n    ms: 1_000\n  cleanup.policy:\n  - compact\n  - delete\nnode: {id: 007}\nbroker.rack: ''\nflag: yes\n";
        let expected = [
            ("listeners", "PLAINTEXT://:9092"),
            ("log.dirs", "./data"),
            ("log.retention.ms", "1_000"),
            ("log.cleanup.policy", "compact,delete"),
            ("node.id", "007"),
            ("broker.rack", ""),
            ("flag", "yes"),
        ];
        assert_eq!(parsed(text), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(parsed("# nothing\n"), []);
        assert_eq!(parsed(""), []);
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        for (text, line, reason) in [
            ("a: 1\na: 2", 2, "a is set in line 1 already"),
            ("a: {b: 1}\na.b: 2", 2, "a.b is set in line 1 already"),
            ("a: 1\nb:\nc: 3", 2, "b has no value"),
            ("a: 1\nb: [~]", 2, "b has no value"),
            ("a: ['x,y']", 1, "has a comma"),
            ("a: [[1]]", 1, "found a list"),
            ("a: [{b: 1}]", 1, "found a mapping"),
            ("[1, 2]", 1, "found a list"),
            ("just text", 1, "found a single value"),
            ("a: &x 1\nb: *x", 1, "anchor"),
            ("a: 1\n---\nb: 2", 2, "one document"),
            ("a: 1\n b: 2", 2, ""),
            ("a: [1", 1, ""),
        ] {
            let error = parse_yaml(text).expect_err(text);
            assert!(error.reason.contains(reason), "{text:?}: {error}");
            assert!(error.line >= line, "{text:?}: {error}");
        }
        let deep = "{a: ".repeat(40) + "1" + &"}".repeat(40);
        assert!(parse_yaml(&deep).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(?s)([-:,{}\\[\\]&*!|>'\"%@`# \\n\\ta-c~.?]|.){0,60}") {
            let _ = parse_yaml(&text);
        }

        #[test]
        fn quoted_values_read_back_the_same(value in "\\PC{0,30}") {
            let text = format!("name: '{}'", value.replace('\'', "''"));
            prop_assert_eq!(parsed(&text), [("name".to_owned(), value)]);
        }
    }
}
