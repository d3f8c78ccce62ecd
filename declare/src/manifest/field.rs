//! Fields of a manifest, each of its type, or what is wrong with it and where.

use super::{ConfigText, Configs};
use crate::document::{Entry, Node, Value};

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FieldError {
    pub(super) line: usize,
    pub(super) reason: String,
}

impl FieldError {
    pub(super) fn new(line: usize, reason: impl Into<String>) -> Self {
        Self { line, reason: reason.into() }
    }
}

/// What goes wrong with one is told; with more than one, the first.
pub(super) type Field<T> = Result<T, FieldError>;

/// The value of a field that may be left out, or be null.
pub(super) fn optional<'a>(node: &'a Node, name: &str) -> Option<&'a Node> {
    node.member(name).filter(|value| !value.is_null())
}

/// A text.
pub(super) fn text<'a>(node: &'a Node, name: &str) -> Field<Option<&'a str>> {
    match optional(node, name) {
        None => Ok(None),
        Some(value) => match value.text() {
            Some(text) => Ok(Some(text)),
            None => Err(mismatch(value, name, "a text")),
        },
    }
}

/// A whole number of at least 1.
pub(super) fn count<T: TryFrom<i64>>(node: &Node, name: &str) -> Field<Option<T>> {
    let Some(value) = optional(node, name) else {
        return Ok(None);
    };
    let number = value.integer().ok_or_else(|| mismatch(value, name, "a whole number"))?;
    let counted = Some(number).filter(|number| *number >= 1).and_then(|number| T::try_from(number).ok());
    match counted {
        Some(number) => Ok(Some(number)),
        None => Err(FieldError::new(value.line, format!("{name} cannot be {number}"))),
    }
}

/// A truth.
pub(super) fn truth(node: &Node, name: &str) -> Field<Option<bool>> {
    match optional(node, name) {
        None => Ok(None),
        Some(value) => match value.truth() {
            Some(truth) => Ok(Some(truth)),
            None => Err(mismatch(value, name, "true or false")),
        },
    }
}

/// A mapping.
pub(super) fn mapping<'a>(node: &'a Node, name: &str) -> Field<Option<&'a Node>> {
    match optional(node, name) {
        None => Ok(None),
        Some(value) if value.is_mapping() => Ok(Some(value)),
        Some(value) => Err(mismatch(value, name, "a mapping")),
    }
}

/// Configs: single values as they are written, lists with commas.
pub(super) fn configs(node: &Node) -> Field<Configs> {
    let mut configs = Configs::new();
    for Entry { key, line, value } in node.entries() {
        configs.insert(key.clone(), ConfigText { text: config_text(key, value)?, line: *line });
    }
    Ok(configs)
}

fn config_text(name: &str, value: &Node) -> Field<String> {
    if let Some(text) = value.text() {
        return Ok(text.to_owned());
    }
    if let Value::List(elements) = &value.value {
        let element =
            |element: &Node| element.text().map(str::to_owned).ok_or_else(|| mismatch(element, name, "a value"));
        return Ok(elements.iter().map(element).collect::<Field<Vec<_>>>()?.join(","));
    }
    Err(mismatch(value, name, "a value or a list of values"))
}

/// Refuses fields that there are none of.
pub(super) fn only(node: &Node, within: &str, known: &[&str]) -> Field<()> {
    match node.entries().iter().find(|entry| !known.contains(&entry.key.as_str())) {
        None => Ok(()),
        Some(Entry { key, line, .. }) => {
            Err(FieldError::new(*line, format!("{within} has no field {key}, only {}", known.join(", "))))
        }
    }
}

fn mismatch(value: &Node, name: &str, wanted: &str) -> FieldError {
    FieldError::new(value.line, format!("{name} must be {wanted}, not {}", value.described()))
}
