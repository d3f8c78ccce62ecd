//! Debezium's Postgres connector as tests configure it, and what it has written.

use serde_json::{Value, json};

use crate::connect_rest::ConnectRest;
use crate::log_client::LogClient;
use crate::postgres::Postgres;

/// A config of the connector, with JSON that does without schemas; `more` stands above it.
pub fn postgres_config(postgres: &Postgres, prefix: &str, more: &[(&str, &str)]) -> Value {
    let converter = "org.apache.kafka.connect.json.JsonConverter";
    let mut config = json!({
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "tasks.max": "1", "plugin.name": "pgoutput",
        "database.hostname": "127.0.0.1", "database.port": postgres.port().to_string(),
        "database.user": "postgres", "database.password": "", "database.dbname": "postgres",
        "topic.prefix": prefix, "slot.name": prefix,
        "key.converter": converter, "key.converter.schemas.enable": "false",
        "value.converter": converter, "value.converter.schemas.enable": "false",
        "errors.retry.delay.max.ms": "500",
    });
    for (name, value) in more {
        config[*name] = Value::from(*value);
    }
    config
}

/// Creates or changes a connector.
///
/// # Panics
/// If it is refused.
pub fn put(rest: ConnectRest, name: &str, config: &Value) {
    let said = rest.request("PUT", &format!("/connectors/{name}/config"), &config.to_string());
    let (status, body) = said.expect("an answer");
    assert!(matches!(status, 200 | 201), "{status} {body}");
}

/// The state of a connector's task, and its trace.
pub fn task_state(rest: ConnectRest, name: &str) -> (String, String) {
    let (_, body) = rest.request("GET", &format!("/connectors/{name}/status"), "").expect("an answer");
    let status: Value = serde_json::from_str(&body).unwrap();
    let text = |field: &str| status["tasks"][0][field].as_str().unwrap_or_default().to_owned();
    (text("state"), text("trace"))
}

/// Key and value of each event in a topic's only partition, as readers of what is committed see them.
pub fn events(bootstrap: &str, topic: &str) -> Vec<(Value, Value)> {
    let mut client = LogClient::connect(bootstrap);
    if client.topic_id(topic).is_none() {
        return Vec::new();
    }
    let json = |bytes: Option<&[u8]>| bytes.map_or(Value::Null, |bytes| serde_json::from_slice(bytes).unwrap());
    let records = client.read_committed(topic, 0).into_iter();
    records.map(|record| (json(record.key.as_deref()), json(record.value.as_deref()))).collect()
}

/// The ids of the rows after each change that a topic tells of, in order.
pub fn ids(bootstrap: &str, topic: &str) -> Vec<i64> {
    events(bootstrap, topic).iter().filter_map(|(_, event)| event["after"]["id"].as_i64()).collect()
}
