//! Requests that are not carried out, and what Connect says to them.

use serde_json::json;

use super::{CLASS, MemoryDestination, Worker};

#[tokio::test]
async fn what_is_not_there_is_told_in_connects_words() {
    let worker = Worker::start(MemoryDestination::default()).await;
    for (method, path, status, message) in [
        ("GET", "/connectors/none", 404, "Connector none not found"),
        ("DELETE", "/connectors/none", 404, "Connector none not found"),
        ("GET", "/connectors/none/status", 404, "No status found for connector none"),
        ("PUT", "/connectors/none/pause", 404, "Unknown connector none"),
        ("POST", "/connectors/none/restart", 404, "Unknown connector: none"),
        ("GET", "/connectors/none/tasks/0/status", 404, "No status found for task none-0"),
        ("GET", "/connectors/none/tasks/x/status", 404, "HTTP 404 Not Found"),
        ("GET", "/nope", 404, "HTTP 404 Not Found"),
        ("PUT", "/connectors", 405, "HTTP 405 Method Not Allowed"),
        ("GET", "/connector-plugins/com.example.Nope/config", 404, "Unknown plugin com.example.Nope."),
        ("GET", "/admin/loggers/com.example.nope", 404, "Logger com.example.nope not found."),
        ("PUT", "/connectors/none/fence", 400, "Internal request missing required signature"),
    ] {
        let reply = worker.send(method, path, "").await;
        assert_eq!((reply.status, reply.json()), (status, json!({"error_code": status, "message": message})), "{path}");
    }
    let slash = worker.send("GET", "/connectors/a%2Fb", "").await;
    assert_eq!((slash.status, slash.header("content-type")), (400, Some("text/html;charset=iso-8859-1")));
}

#[tokio::test]
async fn what_is_no_config_is_refused() {
    let worker = Worker::start(MemoryDestination::default()).await;
    let wrong = "Connector configuration is invalid and contains the following";
    let config = |more: serde_json::Value| {
        let mut config = json!({"connector.class": CLASS, "topic.prefix": "n"});
        for (name, value) in more.as_object().unwrap() {
            config[name] = value.clone();
        }
        json!({"name": "x", "config": config}).to_string()
    };
    for (body, status, message) in [
        (
            r#"{"name": "x"}"#.to_owned(),
            500,
            "Cannot invoke \"java.util.Map.get(Object)\" because \"connectorConfig\" is null",
        ),
        (
            r#"{"name": "x", "#.to_owned(),
            500,
            "Unexpected end-of-input within/between Object entries\n at [Source: REDACTED",
        ),
        (r#"{"name": "x", "config": {}}"#.to_owned(), 400, "Connector config {name=x} contains no connector type"),
        (
            config(json!({"connector.class": "a.B"})),
            400,
            "Failed to find any class that implements Connector and which name matches a.B",
        ),
        (
            config(json!({"tasks.max": "0"})),
            400,
            "1 error(s):\nInvalid value 0 for configuration tasks.max: Value must be at least 1\n",
        ),
        (
            config(json!({"tasks.max": "x"})),
            400,
            "Invalid value x for configuration tasks.max: Not a number of type INT\n",
        ),
        (
            config(json!({"transforms": "a"})),
            400,
            "Missing required configuration \"transforms.a.type\" which has no default value.\n",
        ),
        (
            config(json!({"transforms": "a", "transforms.a.type": "com.example.NoSmt"})),
            400,
            "1 error(s):\nInvalid value com.example.NoSmt for configuration transforms.a.type: Class com.example.NoSmt could not be found.\n",
        ),
        (
            config(json!({"name": "y"})),
            400,
            "Connector name configuration (y) doesn't match connector name in the URL (x)",
        ),
        (config(json!({"x": {}})), 500, "Cannot deserialize value of type `java.lang.String` from Object value"),
        (
            config(json!({"value.converter": "a.B"})),
            400,
            "Invalid value a.B for configuration value.converter: Class a.B could not be found.\n",
        ),
        (config(json!({"config.action.reload": "x"})), 400, "String must be one of: none, restart\n"),
        (config(json!({"database.password": "${file:/nope:pw}"})), 500, "Could not read properties from file /nope"),
    ] {
        let reply = worker.send("POST", "/connectors", &body).await;
        let told = reply.json()["message"].as_str().unwrap().to_owned();
        assert_eq!(reply.status, status, "{body}: {told}");
        assert!(told.contains(message), "{body}: {told}");
        assert!(status != 400 || !told.contains("error(s)") || told.starts_with(wrong), "{told}");
    }
    assert_eq!(worker.get("/connectors").await, json!([]));
    assert!(worker.topics.topic_names().is_empty());
}

#[tokio::test]
async fn offsets_that_will_not_do_are_refused() {
    let worker = Worker::start(MemoryDestination::default()).await;
    worker.create("n", &[]).await;
    worker.send("PUT", "/connectors/n/stop", "").await;
    let entity = "org.apache.kafka.connect.runtime.rest.entities.ConnectorOffset";
    for (body, status, message) in [
        (r#"{"offsets":[]}"#, 400, "Partitions / offsets need to be provided for an alter offsets request".to_owned()),
        (
            r#"{"offsets":[{"partition":{"server":{"a":1}},"offset":{"next":[1]}}]}"#,
            500,
            "Offsets may only contain primitive types as values, but field server contains MAP".to_owned(),
        ),
        (r#"{"offsets":[null]}"#, 500, format!("Cannot invoke \"{entity}.partition()\" because \"offset\" is null")),
        (
            r#"{"offsets":"x"}"#,
            500,
            format!("Cannot deserialize value of type `java.util.ArrayList<{entity}>` from String value"),
        ),
        (
            r#"{"offsets":[{"partition":"x"}]}"#,
            500,
            "Cannot construct instance of `java.util.LinkedHashMap` (although at least one Creator exists)".to_owned(),
        ),
        (
            r#"{"offsets":[{"partition":{"server":"rc"},"offset":{"lsn":1},"extra":1}]}"#,
            500,
            format!("Unrecognized field \"extra\" (class {entity}), not marked as ignorable"),
        ),
    ] {
        let reply = worker.send("PATCH", "/connectors/n/offsets", body).await;
        let told = reply.json()["message"].as_str().unwrap().to_owned();
        assert_eq!(reply.status, status, "{body}: {told}");
        assert!(told.starts_with(&message), "{body}: {told}");
    }
}

#[tokio::test]
async fn media_types_are_heeded() {
    let worker = Worker::start(MemoryDestination::default()).await;
    let body = json!({"name": "n", "config": {"connector.class": CLASS, "topic.prefix": "n"}}).to_string();
    let plain = worker.send_with("POST", "/connectors", &[("content-type", "text/plain")], &body).await;
    assert_eq!(plain.status, 415);
    let charset = [("content-type", "application/json; charset=utf-8")];
    assert_eq!(worker.send_with("POST", "/connectors", &charset, &body).await.status, 201);
    assert_eq!(worker.send("POST", "/connectors", &body).await.status, 409);
    assert_eq!(worker.send_with("GET", "/", &[("accept", "text/html")], "").await.status, 406);
    let options = worker.send("OPTIONS", "/", "").await;
    assert_eq!((options.status, options.header("allow")), (200, Some("HEAD,GET,OPTIONS")));
    assert_eq!(worker.send("HEAD", "/", "").await.status, 200);
}

#[tokio::test]
async fn secrets_are_hidden_where_connect_hides_them() {
    let worker = Worker::start(MemoryDestination::default()).await;
    let config = json!({"connector.class": CLASS, "topic.prefix": "n", "database.password": "hush-hush"}).to_string();
    let path = "/connector-plugins/PostgresConnector/config/validate";
    let reply = worker.send("PUT", path, &config).await;
    assert_eq!(reply.status, 200);
    assert!(reply.body.contains("[hidden]") && !reply.body.contains("hush"), "{}", reply.body);
}

#[tokio::test]
async fn a_converter_that_needs_avro_is_refused_before_its_task_fails() {
    let worker = Worker::start(MemoryDestination::default()).await;
    let class = "io.debezium.converters.CloudEventsConverter";
    let config = json!({
        "name": "n", "connector.class": CLASS, "value.converter": class, "value.converter.serializer.type": "avro",
        "value.converter.data.serializer.type": "avro", "key.converter": class,
    });
    let refused = worker.send("POST", "/connectors", &json!({"name": "n", "config": config}).to_string()).await;
    assert_eq!(refused.status, 400);
    for name in ["serializer.type", "data.serializer.type"] {
        let message = format!("Invalid value avro for configuration {name}: Avro is not available");
        assert!(refused.body.contains(&message), "{}", refused.body);
    }
    // As in a real worker, it tells of no properties.
    assert_eq!(worker.get(&format!("/connector-plugins/{class}/config")).await, json!([]));
}

#[tokio::test]
async fn levels_of_loggers_are_set_with_those_below() {
    let worker = Worker::start(MemoryDestination::default()).await;
    let changed = worker.send("PUT", "/admin/loggers/io.debezium", r#"{"level": "debug"}"#).await.json();
    assert!(changed.as_array().unwrap().contains(&json!("io.debezium.connector.common.BaseSourceTask")), "{changed}");
    assert_eq!(worker.get("/admin/loggers/io.debezium").await["level"], "DEBUG");
    assert_eq!(worker.get("/admin/loggers/root").await, json!({"level": "INFO", "last_modified": null}));
    let again = worker.send("PUT", "/admin/loggers/io.debezium?scope=bogus", r#"{"level": "DEBUG"}"#).await;
    assert_eq!(again.json(), json!([]));
    let cluster = worker.send("PUT", "/admin/loggers/io.debezium?scope=cluster", r#"{"level": "WARN"}"#).await;
    assert_eq!((cluster.status, cluster.body.as_str()), (204, ""));
    assert_eq!(worker.send("PUT", "/admin/loggers/io.debezium", r#"{"level": "LOUD"}"#).await.status, 404);
}
