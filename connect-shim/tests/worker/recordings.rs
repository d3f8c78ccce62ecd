//! What a real worker was recorded to answer, where the recordings are at hand: refusals that do not depend on a database,
//! and what classes say of themselves.

use std::path::PathBuf;

use serde_json::Value;

use super::{MemoryDestination, Worker};

/// The recordings; `None` where there are none.
fn recording(name: &str) -> Option<Value> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/connect/rest").join(name);
    let text = std::fs::read_to_string(path).ok()?;
    Some(serde_json::from_str(&text).unwrap())
}

/// Cases whose answer rests on what this worker's connector does not have: Debezium's properties and a database.
const OF_DEBEZIUM: [&str; 8] = [
    "'snapshot.mode'",
    "'topic.prefix'",
    "'database.",
    "'slot.name'",
    "'table.",
    "while validating connector config",
    "available connectors are",
    "stale configuration",
];

#[tokio::test]
async fn refusals_are_those_of_a_real_worker() {
    let worker = Worker::start(MemoryDestination::default()).await;
    worker.create("c1", &[]).await;
    worker.create("c2", &[]).await;
    let (mut compared, mut differing) = (0, Vec::new());
    for name in [
        "connectors_post.json",
        "connector_config_put.json",
        "connector_config_patch.json",
        "connector_config_get.json",
        "connector_get.json",
        "connector_offsets.json",
        "connector_plugins.json",
        "connector_status.json",
        "connector_tasks.json",
        "task_status.json",
        "config_validate.json",
        "lifecycle.json",
        "admin_loggers.json",
        "root.json",
        "internal.json",
    ] {
        let Some(recorded) = recording(name) else {
            return;
        };
        for case in recorded["cases"].as_array().unwrap() {
            let (request, response) = (&case["request"], &case["response"]);
            let status = response["status"].as_u64().unwrap();
            let message = response["body"].to_string();
            let skipped = OF_DEBEZIUM.iter().any(|word| message.contains(word));
            if status < 400 || skipped || !response["body"].is_object() || message.contains("STOPPED state") {
                continue;
            }
            let body = match request.get("raw_body") {
                Some(raw) => raw.as_str().unwrap_or_default().to_owned(),
                None => request.get("body").map(python_json).unwrap_or_default(),
            };
            let method = request["method"].as_str().unwrap();
            let kind = match case["case"].as_str().unwrap() {
                "content-type missing" => "",
                _ => "application/json",
            };
            let headers = [("content-type", kind)];
            let headers = if kind.is_empty() { &headers[..0] } else { &headers[..] };
            let reply = worker.send_with(method, request["path"].as_str().unwrap(), headers, &body).await;
            let case = format!("{name}: {}", case["case"]);
            // The members of a body come in another order here, so that values stand elsewhere.
            let told = |body: &Value| match request.get("raw_body") {
                Some(_) => body.clone(),
                None => without_columns(body),
            };
            if u64::from(reply.status) != status || told(&reply.json()) != told(&response["body"]) {
                differing.push(format!(
                    "{case}\n  there {status} {}\n  here {} {}",
                    response["body"], reply.status, reply.body
                ));
            }
            compared += 1;
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    assert!(compared > 40, "only {compared} refusals were compared");
}

/// JSON with the blanks that the recorder wrote: messages tell columns.
fn python_json(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let member =
                |(name, value): (&String, &Value)| format!("{}: {}", Value::from(name.as_str()), python_json(value));
            format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(python_json).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

#[tokio::test]
async fn classes_say_of_themselves_what_they_say_in_a_real_worker() {
    let Some(recorded) = recording("connector_plugins.json") else {
        return;
    };
    let worker = Worker::start(MemoryDestination::default()).await;
    let mut compared = 0;
    for case in recorded["cases"].as_array().unwrap() {
        let path = case["request"]["path"].as_str().unwrap();
        let told = &case["response"]["body"];
        if !path.ends_with("/config") || !told.is_array() || path.contains("FileStream") {
            continue;
        }
        assert_eq!(without_texts(&worker.get(path).await), without_texts(told), "{path}");
        compared += 1;
    }
    assert_eq!(compared, 4);

    // Everything that is listed here is listed there.
    let listed = worker.get("/connector-plugins?connectorsOnly=false").await;
    let there = &recorded["cases"][1]["response"]["body"];
    for class in listed.as_array().unwrap() {
        assert!(there.as_array().unwrap().contains(class), "{class}");
    }
}

#[tokio::test]
async fn the_properties_of_all_connectors_are_validated_as_in_a_real_worker() {
    let Some(recorded) = recording("config_validate_full.json") else {
        return;
    };
    let worker = Worker::start(MemoryDestination::default()).await;
    let case = &recorded["cases"][0];
    let path = case["request"]["path"].as_str().unwrap();
    let answer = worker.send("PUT", path, &case["request"]["body"].to_string()).await.json();
    let own = |answer: &Value| {
        let configs = answer["configs"].as_array().unwrap().iter();
        let end = "offsets.storage.topic";
        let at = configs.clone().position(|config| config["definition"]["name"] == end).unwrap();
        let mut configs: Vec<Value> = configs.take(at + 1).cloned().collect();
        for config in &mut configs {
            config["definition"] = without_texts(&config["definition"]);
        }
        configs
    };
    for (ours, theirs) in own(&answer).iter().zip(own(&case["response"]["body"])) {
        assert_eq!(*ours, theirs);
    }
    let groups = |answer: &Value| answer["groups"].as_array().unwrap()[..8].to_vec();
    assert_eq!(groups(&answer)[..7], groups(&case["response"]["body"])[..7]);
}

fn without_columns(body: &Value) -> Value {
    let mut body = body.clone();
    let message = body["message"].as_str().unwrap_or_default();
    let parts = message.split("column: ").enumerate();
    let without: String = parts
        .map(|(at, part)| if at == 0 { part } else { part.trim_start_matches(|c: char| c.is_ascii_digit()) })
        .collect();
    body["message"] = without.into();
    body
}

/// Without what is told in words of one's own.
fn without_texts(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .filter(|(name, _)| *name != "documentation")
            .map(|(name, value)| (name.clone(), without_texts(value)))
            .collect(),
        Value::Array(items) => items.iter().map(without_texts).collect(),
        other => other.clone(),
    }
}
