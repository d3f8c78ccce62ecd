//! Signals in a file (`signal.enabled.channels = file`): a JSON object a line, taken away once read.

use serde_json::Value as Json;

use super::signal::SignalRecord;

/// Takes the signals that the file holds, and empties it. A file that is not there holds none.
pub(crate) async fn take(path: &str) -> Vec<SignalRecord> {
    let path = path.to_owned();
    let read = move || {
        let text = std::fs::read_to_string(&path).ok().filter(|text| !text.is_empty())?;
        std::fs::write(&path, "").ok()?;
        Some(text)
    };
    let text = tokio::task::spawn_blocking(read).await.ok().flatten().unwrap_or_default();
    text.lines().filter_map(parse).collect()
}

fn parse(line: &str) -> Option<SignalRecord> {
    let line = line.trim();
    if line.is_empty() {
        return None;
    }
    let Ok(json) = serde_json::from_str::<Json>(line) else {
        tracing::warn!("a line of the signal file is not JSON");
        return None;
    };
    // All three have to be there; numbers and truths are taken for their text, as Jackson does.
    let text = |name: &str| json.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    let (Some(id), Some(kind), Some(data)) = (text("id"), text("type"), json.get("data")) else {
        tracing::warn!("a line of the signal file lacks an id, a type or data");
        return None;
    };
    Some(SignalRecord { id, kind, data: data.to_string() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_line_is_a_signal() {
        let signal = parse(r#"{"id":"1","type":"log","data":{"message":"hi"}}"#).unwrap();
        assert_eq!((signal.kind.as_str(), signal.data.as_str()), ("log", r#"{"message":"hi"}"#));
        assert_eq!(parse("not json"), None);
        assert_eq!(parse(r#"{"id":5,"type":"log","data":{}}"#).map(|signal| signal.id), Some("5".to_owned()));
        assert_eq!(parse(r#"{"id":"1","type":"pause-snapshot"}"#), None, "data has to be there");
        assert_eq!(parse(r#"{"id":"1","data":{}}"#), None);
    }
}
