//! YAML and JSON with the line of everything, so that whatever is wrong can be named.

mod json;
mod yaml;

pub use json::parse_json;
pub use yaml::parse_yaml;

/// How deep values may lie within each other.
const MOST_NESTED: usize = 64;
/// How many values a document may have, those that aliases repeat included.
const MOST_NODES: usize = 200_000;

/// A value, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// The line that it begins in, from 1.
    pub line: usize,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A single value, as it is written.
    Scalar {
        /// Its text.
        text: String,
        /// Whether it is written without quotes, so that it may be a number, a truth or null.
        plain: bool,
    },
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the text.
    Mapping(Vec<Entry>),
}

/// A name in a mapping, and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub key: String,
    /// The line of the name.
    pub line: usize,
    /// The value.
    pub value: Node,
}

/// A text that is no document, or not one that is read here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct DocumentError {
    /// Line of the mistake, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

impl DocumentError {
    fn new(line: usize, reason: impl Into<String>) -> Self {
        Self { line: line.max(1), reason: reason.into() }
    }
}

impl Node {
    /// The value of a name in the mapping that this is.
    pub fn member(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The entries of the mapping that this is; none if it is something else.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// Whether it is a mapping.
    pub fn is_mapping(&self) -> bool {
        matches!(self.value, Value::Mapping(_))
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// The text of the single value that this is, be it a number or a truth; `None` for null and all else.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } if !self.is_null() => Some(text),
            _ => None,
        }
    }

    /// The whole number that this is. A quoted one is none.
    pub fn integer(&self) -> Option<i64> {
        match &self.value {
            Value::Scalar { text, plain: true } => text.parse().ok(),
            _ => None,
        }
    }

    /// The truth that this is. A quoted one is none.
    pub fn truth(&self) -> Option<bool> {
        match &self.value {
            Value::Scalar { text, plain: true } => match text.as_str() {
                "true" | "True" | "TRUE" => Some(true),
                "false" | "False" | "FALSE" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// What it is, for a message.
    pub fn described(&self) -> &'static str {
        match &self.value {
            _ if self.is_null() => "nothing",
            Value::Scalar { plain: false, .. } => "a text",
            Value::Scalar { .. } if self.integer().is_some() => "a number",
            Value::Scalar { .. } if self.truth().is_some() => "a truth value",
            Value::Scalar { .. } => "a text",
            Value::List(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }

    /// How many values it is made of.
    fn size(&self) -> usize {
        1 + match &self.value {
            Value::Scalar { .. } => 0,
            Value::List(elements) => elements.iter().map(Self::size).sum(),
            Value::Mapping(entries) => entries.iter().map(|entry| entry.value.size()).sum(),
        }
    }
}
