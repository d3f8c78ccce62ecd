//! Takes out of records what differs from run to run: times, places in the log, ids.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value as Json, json};

use super::worker::{Read, loads};

static UUID: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(-open|-close)?$").unwrap()
});
static TIMESTAMP: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^(__)?(source[._])?ts_(ms|us|ns)$").unwrap());
static DIGITS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\d+").unwrap());
static TX: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^(\d+):(\d+)$").unwrap());

/// The records as a golden file has them.
pub(crate) fn normalise(records: &[Read], signal: Option<&str>, collapse: Option<&str>) -> Vec<Json> {
    let signal = signal.map(|pattern| Regex::new(pattern).unwrap());
    let collapse = collapse.map(|pattern| Regex::new(pattern).unwrap());
    let mut ids = BTreeSet::new();
    let mut out = Vec::new();
    for record in records {
        let mut key = loads(record.key.as_deref());
        let mut value = loads(record.value.as_deref());
        let of_signals = signal.as_ref().is_some_and(|signal| signal.is_match(&record.topic));
        if of_signals && is_window(payload(&mut key), payload(&mut value)) {
            continue;
        }
        let collapsed = collapse.as_ref().is_some_and(|pattern| pattern.is_match(&record.topic));
        let mut own = BTreeSet::new();
        let ids = if collapsed { &mut own } else { &mut ids };
        for side in [&mut key, &mut value] {
            change_cloud_event(payload(side), ids);
            change(payload(side), ids);
        }
        let headers: Vec<Json> = record
            .headers
            .iter()
            .map(|(name, bytes)| json!([name, header(name, loads(bytes.as_deref()), ids)]))
            .collect();
        let mut read = json!({
            "topic": record.topic, "partition": record.partition, "key": key, "value": value, "headers": headers,
        });
        if let Some(timestamp) = record.timestamp.filter(|timestamp| (0..1_750_000_000_000).contains(timestamp)) {
            read["timestamp"] = timestamp.into();
        }
        let same_as_before =
            collapsed && out.iter().rev().find(|one: &&Json| one["topic"] == read["topic"]) == Some(&read);
        if !same_as_before {
            out.push(read);
        }
    }
    let ranks: Vec<i64> = ids.into_iter().collect();
    out.iter_mut().for_each(|record| rank(record, &ranks));
    // A consumer reads partition after partition.
    out.sort_by_key(|record| (record["topic"].as_str().unwrap().to_owned(), record["partition"].as_i64()));
    out
}

fn payload(json: &mut Json) -> &mut Json {
    if json.as_object().is_some_and(|map| map.len() == 2 && map.contains_key("schema") && map.contains_key("payload")) {
        &mut json["payload"]
    } else {
        json
    }
}

fn is_window(key: &Json, value: &Json) -> bool {
    let row = if value["after"].is_object() { &value["after"] } else { &value["before"] };
    let window = row["type"].as_str().is_some_and(|kind| kind.starts_with("snapshot-window"));
    window || key["id"].as_str().is_some_and(|id| UUID.is_match(id))
}

fn number(value: &Json) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// Stands for a transaction's id until all are known.
fn tx(id: i64, ids: &mut BTreeSet<i64>) -> Json {
    ids.insert(id);
    json!({ "\u{0}tx": id })
}

fn named_tx(text: &str, ids: &mut BTreeSet<i64>) -> Option<Json> {
    let id: i64 = TX.captures(text)?[1].parse().ok()?;
    ids.insert(id);
    Some(json!({ "\u{0}txl": id }))
}

fn wall_clock(value: &Json) -> bool {
    let Some(value) = value.as_i64() else { return false };
    [1, 1000, 1_000_000].iter().any(|unit| (1_735_689_600_000 * unit..2_208_988_800_000 * unit).contains(&value))
}

fn change(payload: &mut Json, ids: &mut BTreeSet<i64>) {
    let Some(map) = payload.as_object_mut() else { return };
    if let Some(source) =
        map.get_mut("source").and_then(Json::as_object_mut).filter(|map| map.contains_key("connector"))
    {
        change_source(source, ids);
    }
    let names: Vec<String> = map.keys().cloned().collect();
    for name in names {
        let value = &map[&name];
        let changed = match name.as_str() {
            _ if (TIMESTAMP.is_match(&name) && number(value).is_some()) || wall_clock(value) => json!("<ts>"),
            "__lsn" | "__source_lsn" | "__source.lsn" if number(value).is_some() => json!("<lsn>"),
            "__txId" | "__source_txId" => match number(value) {
                Some(id) => tx(id, ids),
                None => continue,
            },
            "__version" | "__source_version" if value.is_string() => json!("<version>"),
            _ => continue,
        };
        map.insert(name, changed);
    }
    let id_of = |map: &Map<String, Json>| map.get("id").and_then(Json::as_str).map(str::to_owned);
    if let Some(transaction) = map.get_mut("transaction").and_then(Json::as_object_mut)
        && let Some(changed) = id_of(transaction).and_then(|id| named_tx(&id, ids))
    {
        transaction.insert("id".into(), changed);
    }
    let status = map.get("status").and_then(Json::as_str).is_some_and(|status| ["BEGIN", "END"].contains(&status));
    if (status || map.len() == 1)
        && let Some(changed) = id_of(map).and_then(|id| named_tx(&id, ids))
    {
        map.insert("id".into(), changed);
    }
}

fn change_source(source: &mut Map<String, Json>, ids: &mut BTreeSet<i64>) {
    for name in ["ts_ms", "ts_us", "ts_ns"] {
        if source.get(name).is_some_and(|value| number(value).is_some()) {
            source.insert(name.into(), "<ts>".into());
        }
    }
    for name in ["lsn", "xmin"] {
        if source.get(name).is_some_and(|value| number(value).is_some()) {
            source.insert(name.into(), format!("<{name}>").into());
        }
    }
    let streamed = matches!(source.get("snapshot"), Some(Json::Null) | None) || source["snapshot"] == "false";
    if let Some(id) = source.get("txId").and_then(number) {
        let changed = if streamed { tx(id, ids) } else { json!("<txId>") };
        source.insert("txId".into(), changed);
    }
    if let Some(sequence) = source.get("sequence").and_then(Json::as_str) {
        let changed = DIGITS.replace_all(sequence, "<lsn>").into_owned();
        source.insert("sequence".into(), changed.into());
    }
    if source.contains_key("version") {
        source.insert("version".into(), "<version>".into());
    }
}

/// The attributes of a CloudEvent.
fn change_cloud_event(event: &mut Json, ids: &mut BTreeSet<i64>) {
    let Some(map) = event.as_object_mut().filter(|map| map.contains_key("specversion")) else { return };
    let text = |map: &Map<String, Json>, name: &str| map.get(name).and_then(Json::as_str).map(str::to_owned);
    let id = text(map, "id").unwrap_or_default();
    if let (true, Some((place, sequence))) = (id.starts_with("name:"), id.split_once(";sequence:")) {
        let place = Regex::new(r"lsn:\d+;txId:\d+").unwrap().replace(place, "lsn:<lsn>;txId:<txId>");
        map.insert("id".into(), format!("{place};sequence:{}", DIGITS.replace_all(sequence, "<lsn>")).into());
    }
    let known = [("time", "<ts>"), ("iodebeziumtsms", "<ts>"), ("iodebeziumtsus", "<ts>"), ("iodebeziumtsns", "<ts>")];
    for (name, stand_in) in known.into_iter().chain([("iodebeziumversion", "<version>"), ("iodebeziumlsn", "<lsn>")]) {
        if text(map, name).is_some() {
            map.insert(name.into(), stand_in.into());
        }
    }
    if let Some(sequence) = text(map, "iodebeziumsequence") {
        map.insert("iodebeziumsequence".into(), DIGITS.replace_all(&sequence, "<lsn>").into_owned().into());
    }
    if let Some(id) = map.get("iodebeziumtxId").and_then(number) {
        let changed = if map["iodebeziumsnapshot"] == "false" { tx(id, ids) } else { json!("<txId>") };
        map.insert("iodebeziumtxId".into(), changed);
    }
    if let Some(changed) = text(map, "iodebeziumtxid").and_then(|id| named_tx(&id, ids)) {
        map.insert("iodebeziumtxid".into(), changed);
    }
}

fn header(name: &str, mut value: Json, ids: &mut BTreeSet<i64>) -> Json {
    let base = name.strip_prefix("__").unwrap_or(name);
    let inner = payload(&mut value);
    if let Some(source) = inner.as_object_mut().filter(|map| map.contains_key("connector")) {
        change_source(source, ids);
        return value;
    }
    let changed = match base {
        "transaction" => match inner["id"].as_str().and_then(|id| named_tx(id, ids)) {
            Some(changed) => {
                inner["id"] = changed;
                return value;
            }
            None => return value,
        },
        _ if TIMESTAMP.is_match(base) && number(inner).is_some() => json!("<ts>"),
        "lsn" | "source_lsn" | "source.lsn" if number(inner).is_some() => json!("<lsn>"),
        "txId" | "source_txId" if number(inner).is_some() => tx(number(inner).unwrap(), ids),
        "version" | "source_version" => json!("<version>"),
        _ if name == "__debezium.context.runId" => json!("<runId>"),
        _ => return value,
    };
    *inner = changed;
    value
}

fn rank(json: &mut Json, ranks: &[i64]) {
    let place = |id: i64| {
        ranks.iter().position(|other| *other == id).map_or_else(|| "Id".to_owned(), |at| (at + 1).to_string())
    };
    let replaced = match json {
        Json::Array(items) => return items.iter_mut().for_each(|item| rank(item, ranks)),
        Json::Object(map) => match (map.get("\u{0}tx"), map.get("\u{0}txl")) {
            (Some(id), _) => format!("tx{}", place(id.as_i64().unwrap())),
            (_, Some(id)) => format!("tx{}:<lsn>", place(id.as_i64().unwrap())),
            _ => return map.values_mut().for_each(|value| rank(value, ranks)),
        },
        _ => return,
    };
    *json = replaced.into();
}

/// Where two values differ first; numbers are equal whatever they are written as.
pub(crate) fn difference(golden: &Json, got: &Json, path: &str) -> Option<String> {
    match (golden, got) {
        (Json::Object(golden), Json::Object(got)) => {
            let names: BTreeSet<&String> = golden.keys().chain(got.keys()).collect();
            names.into_iter().find_map(|name| {
                let path = format!("{path}.{name}");
                match (golden.get(name), got.get(name)) {
                    (Some(golden), Some(got)) => difference(golden, got, &path),
                    (Some(golden), None) => Some(format!("{path}: only in golden: {}", brief(golden))),
                    (_, got) => Some(format!("{path}: only in got: {}", got.map(brief).unwrap_or_default())),
                }
            })
        }
        (Json::Array(golden), Json::Array(got)) => {
            let item = |at: usize| difference(&golden[at], &got[at], &format!("{path}[{at}]"));
            let first = (0..golden.len().min(got.len())).find_map(item);
            first.or_else(|| {
                (golden.len() != got.len()).then(|| format!("{path}: {} items, got {}", golden.len(), got.len()))
            })
        }
        (Json::Number(one), Json::Number(other)) if one.as_f64() == other.as_f64() => None,
        (golden, got) if golden == got => None,
        (golden, got) => Some(format!("{path}: golden {} got {}", brief(golden), brief(got))),
    }
}

fn brief(json: &Json) -> String {
    json.to_string().chars().take(300).collect()
}
