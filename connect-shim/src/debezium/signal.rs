//! Signals: what a connector at work is told to do.

use serde_json::Value as Json;

use super::filters::compile;
use super::relational::TableId;
use super::table_schema::Cell;
use crate::java::regex::JavaRegex;

/// What came through a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignalRecord {
    /// What tells it apart.
    pub(crate) id: String,
    /// What is to be done, such as `execute-snapshot`.
    pub(crate) kind: String,
    /// The rest of it, as JSON.
    pub(crate) data: String,
}

/// What is to be done.
#[derive(Debug, Clone)]
pub(crate) enum Signal {
    /// Something for the log.
    Log(String),
    /// Tables are to be read beside the stream.
    Incremental(SnapshotRequest),
    /// Tables are to be read while the stream waits.
    Blocking(SnapshotRequest),
    /// Tables are not to be read any more; all if none is named.
    Stop(Vec<String>),
    /// Reading waits.
    Pause,
    /// Reading goes on.
    Resume,
    /// The rows of a window have been read from here.
    WindowOpen,
    /// The rows of a window have been read up to here.
    WindowClose,
}

/// Which tables are to be read, and how.
#[derive(Debug, Clone, Default)]
pub(crate) struct SnapshotRequest {
    /// Patterns for their names.
    pub(crate) collections: Vec<String>,
    /// What is read of some of them.
    pub(crate) conditions: Vec<AdditionalCondition>,
    /// The column that tells rows apart, in place of the key.
    pub(crate) surrogate_key: Option<String>,
}

/// What is read of a table.
#[derive(Debug, Clone)]
pub(crate) struct AdditionalCondition {
    /// A table's name, or if the stream goes on a pattern for such.
    table: String,
    pattern: JavaRegex,
    /// A condition for its rows, or a query if the stream waits.
    filter: String,
}

impl SnapshotRequest {
    /// Which rows of a table are read beside the stream.
    pub(crate) fn condition(&self, table: &TableId) -> Option<&str> {
        let name = table.to_string();
        self.conditions.iter().find(|one| one.pattern.matches(&name)).map(|one| one.filter.as_str())
    }

    /// The query that a table is read by while the stream waits. Here Debezium takes no patterns.
    pub(crate) fn select(&self, table: &TableId) -> Option<&str> {
        let found = self.conditions.iter().find(|one| TableId::parse(&one.table).as_ref() == Some(table));
        found.map(|one| one.filter.as_str())
    }
}

impl SignalRecord {
    /// The signal that a new row of a signal table gives: its first three columns are it.
    pub(crate) fn from_row(row: &[Cell<'_>]) -> Option<Self> {
        let text = |place: usize| match row.get(place) {
            Some(Cell::Text(text)) => String::from_utf8(text.to_vec()).ok(),
            _ => None,
        };
        Some(Self { id: text(0)?, kind: text(1)?, data: text(2).unwrap_or_default() })
    }

    /// What is to be done; `None` if it cannot be understood, which the log tells.
    pub(crate) fn parse(&self) -> Option<Signal> {
        let signal = self.understand();
        if signal.is_none() {
            tracing::warn!(id = %self.id, kind = %self.kind, "a signal is not recognized or its data cannot be parsed");
        }
        signal
    }

    fn understand(&self) -> Option<Signal> {
        let data: Json = if self.data.is_empty() { Json::Null } else { serde_json::from_str(&self.data).ok()? };
        if !data.is_object() && !self.data.is_empty() {
            return None;
        }
        // One that is not a text makes the whole signal void.
        let collections = || -> Option<Vec<String>> {
            let list = data.get("data-collections").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
            list.iter().map(|name| Some(name.as_str()?.trim().to_owned())).collect()
        };
        let snapshot = data.get("type").and_then(Json::as_str).unwrap_or("INCREMENTAL").to_uppercase();
        Some(match self.kind.as_str() {
            "log" => Signal::Log(data.get("message").and_then(Json::as_str).unwrap_or_default().to_owned()),
            "execute-snapshot" => {
                let request = request(&data, collections()?)?;
                match snapshot.as_str() {
                    "INCREMENTAL" => Signal::Incremental(request),
                    "BLOCKING" => Signal::Blocking(request),
                    _ => return None,
                }
            }
            "stop-snapshot" if snapshot == "INCREMENTAL" => Signal::Stop(collections()?),
            "pause-snapshot" => Signal::Pause,
            "resume-snapshot" => Signal::Resume,
            "snapshot-window-open" => Signal::WindowOpen,
            "snapshot-window-close" => Signal::WindowClose,
            _ => return None,
        })
    }
}

fn request(data: &Json, collections: Vec<String>) -> Option<SnapshotRequest> {
    if collections.is_empty() {
        return None;
    }
    let mut conditions = Vec::new();
    for condition in data.get("additional-conditions").and_then(Json::as_array).into_iter().flatten() {
        let table = condition.get("data-collection").and_then(Json::as_str)?;
        let filter = condition.get("filter").and_then(Json::as_str)?;
        conditions.push(AdditionalCondition {
            table: table.to_owned(),
            pattern: compile(table).ok()?,
            filter: filter.to_owned(),
        });
    }
    let surrogate_key = data.get("surrogate-key").and_then(Json::as_str).filter(|key| !key.trim().is_empty());
    Some(SnapshotRequest { collections, conditions, surrogate_key: surrogate_key.map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(kind: &str, data: &str) -> Option<Signal> {
        SignalRecord { id: "1".into(), kind: kind.into(), data: data.into() }.parse()
    }

    #[test]
    fn snapshots_are_asked_for_with_conditions() {
        let data = r#"{"data-collections": ["public.a"], "type": "incremental",
            "additional-conditions": [{"data-collection": "public.a", "filter": "x > 0"}]}"#;
        let Some(Signal::Incremental(request)) = parse("execute-snapshot", data) else { panic!("not understood") };
        assert_eq!(request.condition(&TableId::new("public", "a")), Some("x > 0"));
        assert_eq!(request.condition(&TableId::new("public", "b")), None);
    }

    #[test]
    fn only_conditions_beside_the_stream_are_patterns() {
        let data = r#"{"data-collections": ["public.a"], "additional-conditions": [
            {"data-collection": "public.[ab]", "filter": "f"}, {"data-collection": "public.c", "filter": "g"}]}"#;
        let Some(Signal::Incremental(request)) = parse("execute-snapshot", data) else { panic!("not understood") };
        let table = |name| TableId::new("public", name);
        assert_eq!((request.condition(&table("a")), request.select(&table("a"))), (Some("f"), None));
        assert_eq!((request.condition(&table("c")), request.select(&table("c"))), (Some("g"), Some("g")));
    }

    #[test]
    fn what_is_not_understood_is_left() {
        assert!(parse("execute-snapshot", "{}").is_none());
        assert!(parse("execute-snapshot", "{").is_none());
        assert!(parse("dance", "").is_none());
        assert!(parse("execute-snapshot", r#"{"data-collections": ["public.a", 5]}"#).is_none());
        assert!(parse("stop-snapshot", r#"{"type": "blocking"}"#).is_none());
        assert!(matches!(parse("log", r#"{"message": "hello"}"#), Some(Signal::Log(text)) if text == "hello"));
    }
}
