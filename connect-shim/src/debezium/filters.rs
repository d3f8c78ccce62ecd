//! Lists of regular expressions that say which tables, columns and messages are meant.

use std::fmt;

use super::relational::TableId;
use crate::java::regex::{JavaRegex, compile_ignoring_case};

/// An expression that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a regular expression: {1}")]
pub(crate) struct BadPattern(String, String);

impl BadPattern {
    /// What Java says of it.
    pub(crate) fn why(&self) -> &str {
        &self.1
    }
}

/// A list of expressions, any of which has to match the whole name, whatever the case of its letters.
#[derive(Clone, Default)]
pub(crate) struct Patterns(Vec<JavaRegex>);

impl fmt::Debug for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(JavaRegex::as_str)).finish()
    }
}

impl Patterns {
    /// Reads a list whose expressions are separated by commas; `\,` is a comma within one.
    pub(crate) fn parse(list: &str) -> Result<Self, BadPattern> {
        split(list).iter().map(|pattern| compile(pattern)).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a name is one of those that are meant.
    pub(crate) fn matches(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| pattern.matches(name))
    }
}

/// One expression that has to match the whole name.
pub(crate) fn compile(pattern: &str) -> Result<JavaRegex, BadPattern> {
    compile_ignoring_case(pattern).map_err(|error| BadPattern(pattern.to_owned(), error.to_string()))
}

/// The parts of a list without the spaces around them.
pub(crate) fn split(list: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = list.chars().peekable();
    while let Some(character) = chars.next() {
        let part = parts.last_mut().expect("there is always a last part");
        match character {
            '\\' if chars.peek() == Some(&',') => {
                chars.next();
                part.push(',');
            }
            ',' => parts.push(String::new()),
            other => part.push(other),
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// Those that are included, or those that are not excluded. All, if nothing is said.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    include: Option<Patterns>,
    exclude: Option<Patterns>,
}

impl Selection {
    /// Reads both lists; either may be missing or empty.
    pub(crate) fn parse(include: Option<&str>, exclude: Option<&str>) -> Result<Self, BadPattern> {
        let read = |list: Option<&str>| list.filter(|list| !list.trim().is_empty()).map(Patterns::parse).transpose();
        Ok(Self { include: read(include)?, exclude: read(exclude)? })
    }

    /// Whether a name is selected.
    pub(crate) fn selects(&self, name: &str) -> bool {
        match (&self.include, &self.exclude) {
            (Some(include), _) => include.matches(name),
            (None, Some(exclude)) => !exclude.matches(name),
            (None, None) => true,
        }
    }
}

/// Which tables are captured.
#[derive(Debug, Clone, Default)]
pub(crate) struct TableFilter {
    /// By `schema.include.list` and `schema.exclude.list`.
    pub(crate) schemas: Selection,
    /// By `table.include.list` and `table.exclude.list`.
    pub(crate) tables: Selection,
    /// Signal tables are captured whatever the lists say.
    pub(crate) signal_tables: Vec<TableId>,
}

impl TableFilter {
    /// Whether a table is captured.
    pub(crate) fn captures(&self, table: &TableId) -> bool {
        let listed = self.schemas.selects(&table.schema) && self.tables.selects(&table.to_string());
        listed || self.signal_tables.contains(table)
    }

    /// Whether it is a table through which signals are given.
    pub(crate) fn is_signal_table(&self, table: &TableId) -> bool {
        self.signal_tables.contains(table)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn patterns_match_whole_names_in_any_case() {
        let patterns = Patterns::parse(r"public\.orders, app.logs_.* ,inv\,x").unwrap();
        assert!(patterns.matches("PUBLIC.Orders"));
        assert!(patterns.matches("app.logs_2024"));
        assert!(patterns.matches("inv,x"));
        assert!(!patterns.matches("public.orders_archive"));
        assert!(Patterns::parse("(").is_err());
    }

    #[test]
    fn signal_tables_are_captured_always() {
        let filter = TableFilter {
            schemas: Selection::default(),
            tables: Selection::parse(Some("public.a"), None).unwrap(),
            signal_tables: vec![TableId::new("public", "signals")],
        };
        assert!(filter.captures(&TableId::new("public", "a")));
        assert!(filter.captures(&TableId::new("public", "signals")));
        assert!(!filter.captures(&TableId::new("public", "b")));
    }
}
