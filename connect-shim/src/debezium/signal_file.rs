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
    let text = |name: &str| json.get(name).and_then(Json::as_str).map(str::to_owned);
    let data = json.get("data").map(|data| data.as_str().map_or_else(|| data.to_string(), str::to_owned));
    Some(SignalRecord { id: text("id")?, kind: text("type")?, data: data.unwrap_or_default() })
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
    }
}
