//! Connectors made, paused, resumed, restarted, stopped, deleted, and taken over by the next worker.

use serde_json::{Value, json};

use super::{CLASS, MemoryDestination, Worker, eventually};

#[tokio::test]
async fn a_worker_without_connectors_keeps_nothing() {
    let worker = Worker::start(MemoryDestination::default()).await;
    assert_eq!(worker.get("/connectors").await, json!([]));
    assert_eq!(worker.get("/connectors/").await, json!([]));
    assert!(worker.topics.topic_names().is_empty());
}

#[tokio::test]
async fn events_come_with_their_offset() {
    let worker = Worker::start(MemoryDestination::default()).await;
    let reply = worker.create("n", &[("count.to", "12")]).await;
    assert_eq!(reply.status, 201);
    assert_eq!(reply.json()["tasks"], json!([]));
    assert!(reply.header("location").unwrap().ends_with("/connectors/n"));
    worker.counted_to("n", 12).await;
    eventually(|| async {
        worker.get("/connectors/n/offsets").await
            == json!({"offsets": [{"partition": {"server": "n"}, "offset": {"next": 12}}]})
    })
    .await;
    assert_eq!(worker.states("n").await, ("RUNNING".into(), Some("RUNNING".into())));
    assert_eq!(worker.get("/connectors/n/topics").await, json!({"n": {"topics": ["n.numbers"]}}));
    let tasks = worker.get("/connectors/n/tasks").await;
    assert_eq!(tasks[0]["id"], json!({"connector": "n", "task": 0}));
    assert_eq!(tasks[0]["config"]["task.class"], "io.debezium.connector.postgresql.PostgresConnectorTask");
    let offsets = worker.topics.records("connect-offsets");
    assert_eq!(offsets.last().unwrap(), &(r#"["n",{"server":"n"}]"#.to_owned(), Some(r#"{"next":12}"#.to_owned())));
}

#[tokio::test]
async fn a_connector_pauses_resumes_and_stops() {
    let worker = Worker::start(MemoryDestination::default()).await;
    worker.create("n", &[("count.to", "1000000")]).await;
    eventually(|| async { !worker.numbers("n").is_empty() }).await;
    assert_eq!(worker.send("PUT", "/connectors/n/pause", "").await.status, 202);
    assert_eq!(worker.states("n").await, ("PAUSED".into(), Some("PAUSED".into())));
    let paused = worker.numbers("n").len();
    assert_eq!(worker.send("POST", "/connectors/n/restart", "").await.status, 204);
    assert_eq!(worker.states("n").await, ("PAUSED".into(), Some("PAUSED".into())));
    assert_eq!(worker.numbers("n").len(), paused);
    assert_eq!(worker.send("PUT", "/connectors/n/resume", "").await.status, 202);
    eventually(|| async { worker.numbers("n").len() > paused }).await;
    assert_eq!(worker.send("PUT", "/connectors/n/stop", "").await.status, 204);
    assert_eq!(worker.states("n").await, ("STOPPED".into(), None));
    assert_eq!(worker.get("/connectors/n/tasks").await, json!([]));
    let end = worker.numbers("n").len() as i64;
    worker.counted_to("n", end).await;
    assert_eq!(worker.send("PUT", "/connectors/n/pause", "").await.status, 202);
    assert_eq!(worker.states("n").await, ("PAUSED".into(), None));
}

#[tokio::test]
async fn a_converter_sees_the_headers_that_transforms_add() {
    let worker = Worker::start(MemoryDestination::default()).await;
    let insert = "org.apache.kafka.connect.transforms.InsertHeader";
    let properties = [
        ("value.converter", "io.debezium.converters.CloudEventsConverter"),
        ("value.converter.metadata.source", "header"),
        ("header.converter", "org.apache.kafka.connect.json.JsonConverter"),
        ("transforms", "source,op"),
        ("transforms.source.type", insert),
        ("transforms.source.header", "source"),
        ("transforms.source.value.literal", "no struct"),
        ("transforms.op.type", insert),
        ("transforms.op.header", "op"),
        ("transforms.op.value.literal", "c"),
    ];
    worker.create("n", &properties).await;
    eventually(|| async { worker.states("n").await.1.as_deref() == Some("FAILED") }).await;
    let trace = worker.get("/connectors/n/tasks/0/status").await["trace"].to_string();
    let refused = "class java.lang.String cannot be cast to class org.apache.kafka.connect.data.Struct";
    assert!(trace.contains(refused), "{trace}");
}

#[tokio::test]
async fn a_restart_says_what_it_restarts() {
    let worker = Worker::start(MemoryDestination::default()).await;
    worker.create("n", &[]).await;
    worker.create("bad", &[("count.fails", "at once")]).await;
    eventually(|| async { worker.states("bad").await.1.as_deref() == Some("FAILED") }).await;
    let status = worker.get("/connectors/bad/tasks/0/status").await;
    assert_eq!(status["trace"], "io.debezium.DebeziumException: no slot");
    let restart = |path: &'static str| async { worker.send("POST", path, "").await };
    let both = restart("/connectors/n/restart?includeTasks=true").await;
    assert_eq!(both.status, 202);
    assert_eq!(both.json()["connector"]["state"], "RESTARTING");
    assert_eq!(both.json()["tasks"][0]["state"], "RESTARTING");
    let failed = restart("/connectors/bad/restart?includeTasks=true&onlyFailed=true").await.json();
    assert_eq!(failed["connector"]["state"], "RUNNING");
    assert_eq!(failed["tasks"][0]["state"], "RESTARTING");
    assert_eq!(failed["tasks"][0]["trace"], "io.debezium.DebeziumException: no slot");
    assert_eq!(restart("/connectors/n/tasks/0/restart").await.status, 204);
    worker.counted_to("n", 10).await;
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let topics = MemoryDestination::default();
    topics.refuse_commits(2);
    let worker = Worker::start(topics).await;
    worker.create("n", &[("errors.retry.delay.max.ms", "20"), ("count.fails", "for a while")]).await;
    eventually(|| async { worker.states("n").await.1.as_deref() == Some("RESTARTING") }).await;
    let status = worker.get("/connectors/n/tasks/0/status").await;
    assert!(status["trace"].as_str().is_some(), "the status says why");
    worker.create("m", &[("errors.retry.delay.max.ms", "20")]).await;
    worker.counted_to("m", 10).await;
}

#[tokio::test]
async fn a_task_that_panics_has_failed_and_nothing_else() {
    let worker = Worker::start(MemoryDestination::default()).await;
    worker.create("bad", &[("count.fails", "panicking")]).await;
    eventually(|| async { worker.states("bad").await.1.as_deref() == Some("FAILED") }).await;
    worker.create("n", &[]).await;
    worker.counted_to("n", 10).await;
}

#[tokio::test]
async fn a_task_that_has_failed_stays_so_until_it_is_restarted() {
    let worker = Worker::start(MemoryDestination::default()).await;
    worker.create("bad", &[("count.fails", "panicking")]).await;
    let failed = || async { worker.states("bad").await.1.as_deref() == Some("FAILED") };
    eventually(failed).await;
    worker.send("PUT", "/connectors/bad/pause", "").await;
    assert_eq!(worker.states("bad").await, ("PAUSED".into(), Some("FAILED".into())));
    worker.send("PUT", "/connectors/bad/resume", "").await;
    assert_eq!(worker.states("bad").await, ("RUNNING".into(), Some("FAILED".into())));
    worker.send("PUT", "/connectors/bad/stop", "").await;
    assert_eq!(worker.states("bad").await, ("STOPPED".into(), None));
    worker.send("PUT", "/connectors/bad/resume", "").await;
    eventually(failed).await;
}

#[tokio::test]
async fn groups_of_topics_that_will_not_do_fail_the_connector() {
    let worker = Worker::start(MemoryDestination::default()).await;
    let made = worker.create("n", &[("topic.creation.default.partitions", "1")]).await;
    assert_eq!(made.status, 201);
    assert_eq!(worker.states("n").await, ("FAILED".into(), None));
    let trace = worker.get("/connectors/n/status").await["connector"]["trace"].as_str().unwrap().to_owned();
    assert!(trace.contains("Missing required configuration \"replication.factor\""), "{trace}");
}

#[tokio::test]
async fn a_record_that_cannot_be_transformed_ends_the_task_or_is_left_out() {
    let worker = Worker::start(MemoryDestination::default()).await;
    let cast = [
        ("transforms", "c"),
        ("transforms.c.type", "org.apache.kafka.connect.transforms.ValueToKey"),
        ("transforms.c.fields", "nope"),
    ];
    worker.create("bad", &cast).await;
    eventually(|| async { worker.states("bad").await.1.as_deref() == Some("FAILED") }).await;
    let trace = worker.get("/connectors/bad/tasks/0/status").await["trace"].as_str().unwrap().to_owned();
    assert!(trace.starts_with("org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded"), "{trace}");
    assert!(trace.contains("Field does not exist: nope"), "{trace}");
    assert!(worker.topics.records("bad.numbers").is_empty(), "what was sent before is not seen");

    worker.create("kind", &[&cast[..], &[("errors.tolerance", "all")]].concat()).await;
    eventually(|| async {
        worker.get("/connectors/kind/offsets").await["offsets"][0]["offset"] == json!({"next": 10})
    })
    .await;
    assert!(worker.numbers("kind").is_empty());
}

#[tokio::test]
async fn a_record_that_its_topic_refuses_ends_the_task_or_is_left_out() {
    let worker = Worker::start(MemoryDestination::default()).await;
    worker.topics.refuse_value(r#"{"n":7}"#);
    let plain = [("value.converter.schemas.enable", "false"), ("count.to", "20"), ("count.batch", "10")];
    worker.create("strict", &plain).await;
    eventually(|| async { worker.states("strict").await.1.as_deref() == Some("FAILED") }).await;
    let trace = worker.get("/connectors/strict/status").await["tasks"][0]["trace"].as_str().unwrap().to_owned();
    assert!(trace.contains("Unrecoverable exception from producer send callback"), "{trace}");
    assert!(trace.contains("a batch is above max.message.bytes"), "{trace}");
    assert_eq!(worker.numbers("strict"), [] as [i64; 0], "nothing of its transaction is seen");

    let told = ("errors.log.enable", "true");
    worker.create("kind", &[&plain[..], &[("errors.tolerance", "all"), told]].concat()).await;
    eventually(|| async { worker.numbers("kind").len() == 19 }).await;
    assert_eq!(worker.numbers("kind"), (0..20).filter(|n| *n != 7).collect::<Vec<_>>(), "the others are there");
    assert_eq!(worker.states("kind").await.1.as_deref(), Some("RUNNING"));
}

#[tokio::test]
async fn a_transaction_of_many_batches_keeps_its_order_and_tells_what_is_refused_of_it() {
    let worker = Worker::start(MemoryDestination::default()).await;
    // Some megabytes, most of which are written before the commit.
    let long = [("value.converter.schemas.enable", "false"), ("count.to", "12000"), ("count.batch", "12000")];
    worker.create("n", &long).await;
    eventually(|| async { worker.topics.records("n.numbers").len() == 12_000 }).await;
    let values = worker.topics.records("n.numbers").into_iter().map(|(_, value)| value.unwrap());
    assert!(values.eq((0..12_000).map(|n| format!(r#"{{"n":{n}}}"#))), "in the order in which they came");

    worker.topics.refuse_value(r#"{"n":7}"#);
    worker.create("strict", &long).await;
    eventually(|| async { worker.states("strict").await.1.as_deref() == Some("FAILED") }).await;
    assert_eq!(worker.numbers("strict"), [] as [i64; 0], "nothing of its transaction is seen");
    worker.create("kind", &[&long[..], &[("errors.tolerance", "all")]].concat()).await;
    eventually(|| async { worker.numbers("kind").len() == 11_999 }).await;
    assert_eq!(worker.numbers("kind"), (0..12_000).filter(|n| *n != 7).collect::<Vec<_>>());
}

#[tokio::test]
async fn topics_are_made_by_the_connectors_rules() {
    let worker = Worker::start(MemoryDestination::default()).await;
    let rules = [
        ("topic.creation.default.partitions", "3"),
        ("topic.creation.default.replication.factor", "1"),
        ("topic.creation.default.cleanup.policy", "compact"),
        ("key.converter.schemas.enable", "false"),
        ("count.to", "40"),
    ];
    worker.create("n", &rules).await;
    worker.counted_to("n", 40).await;
    let spec = worker.topics.spec("n.numbers").unwrap();
    assert_eq!((spec.partitions, spec.configs["cleanup.policy"].as_str()), (3, "compact"));
    let keys: Vec<String> = worker.topics.records("n.numbers").into_iter().map(|(key, _)| key).collect();
    assert!(keys.contains(&r#"{"n":39}"#.to_owned()));
    assert_ne!(keys.iter().position(|key| key == r#"{"n":1}"#), Some(1), "keys are spread over partitions");
}

#[tokio::test]
async fn the_next_worker_goes_on() {
    let topics = MemoryDestination::default();
    let worker = Worker::start(topics.clone()).await;
    worker.create("n", &[("count.to", "1000000"), ("count.batch", "3")]).await;
    worker.create("paused", &[]).await;
    worker.send("PUT", "/connectors/paused/pause", "").await;
    worker.create("gone", &[]).await;
    worker.send("DELETE", "/connectors/gone", "").await;
    eventually(|| async { worker.numbers("n").len() > 20 }).await;
    // The first one is not stopped: it is fenced.
    let next = Worker::start(topics).await;
    let before = next.numbers("n").len();
    eventually(|| async { next.numbers("n").len() > before + 30 }).await;
    next.send("PUT", "/connectors/n/stop", "").await;
    let end = next.numbers("n").len() as i64;
    next.counted_to("n", end).await;
    assert_eq!(next.get("/connectors").await, json!(["n", "paused"]));
    assert_eq!(next.states("paused").await, ("PAUSED".into(), Some("PAUSED".into())));
    assert_eq!(next.send("GET", "/connectors/gone/status", "").await.status, 404);
    eventually(|| async { worker.states("n").await.1.as_deref() == Some("FAILED") }).await;
}

#[tokio::test]
async fn offsets_of_a_stopped_connector_can_be_altered() {
    let worker = Worker::start(MemoryDestination::default()).await;
    worker.create("n", &[("count.to", "6")]).await;
    worker.counted_to("n", 6).await;
    let patch = json!({"offsets": [{"partition": {"server": "n"}, "offset": {"next": 2}}]}).to_string();
    let refused = worker.send("PATCH", "/connectors/n/offsets", &patch).await;
    assert_eq!(refused.status, 400);
    assert!(refused.json()["message"].as_str().unwrap().starts_with("Connectors must be in the STOPPED state"));
    worker.send("PUT", "/connectors/n/stop", "").await;
    assert_eq!(worker.send("PATCH", "/connectors/n/offsets", &patch).await.status, 200);
    worker.send("PUT", "/connectors/n/resume", "").await;
    eventually(|| async { worker.numbers("n").len() == 10 }).await;
    assert_eq!(worker.numbers("n"), [0, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
    worker.send("PUT", "/connectors/n/stop", "").await;
    assert_eq!(worker.send("DELETE", "/connectors/n/offsets", "").await.status, 200);
    let shown = worker.get("/connectors/n/offsets").await;
    assert_eq!(shown, json!({"offsets": [{"partition": {"server": "n"}, "offset": null}]}));
    let last = worker.topics.records("connect-offsets");
    assert!(last.contains(&(r#"["n",{"server":"n"}]"#.to_owned(), None)));
}

#[tokio::test]
async fn a_config_is_put_only_when_it_differs() {
    let worker = Worker::start(MemoryDestination::default()).await;
    let config = json!({"connector.class": CLASS, "topic.prefix": "n"});
    assert_eq!(worker.send("PUT", "/connectors/n/config", &config.to_string()).await.status, 201);
    let records = worker.topics.records("connect-configs").len();
    let again = worker.send("PUT", "/connectors/n/config", &config.to_string()).await;
    assert_eq!((again.status, again.json()["tasks"].clone()), (200, json!([{"connector": "n", "task": 0}])));
    assert_eq!(worker.topics.records("connect-configs").len(), records, "nothing is written when nothing changes");
    let patched = worker.send("PATCH", "/connectors/n/config", r#"{"count.to": 3, "x": "y"}"#).await.json();
    assert_eq!(patched["config"]["count.to"], "3");
    let patched = worker.send("PATCH", "/connectors/n/config", r#"{"x": null}"#).await.json();
    assert_eq!(patched["config"].get("x"), None);
    let kept: Value = worker
        .topics
        .records("connect-configs")
        .into_iter()
        .rfind(|(key, _)| key == "connector-n")
        .map(|(_, value)| serde_json::from_str(&value.unwrap()).unwrap())
        .unwrap();
    assert_eq!(kept["properties"], worker.get("/connectors/n/config").await);
}

#[tokio::test]
async fn an_ended_worker_starts_anew_from_what_it_kept() {
    let topics = MemoryDestination::default();
    let worker = Worker::start(topics.clone()).await;
    worker.create("n", &[("count.to", "30")]).await;
    worker.counted_to("n", 30).await;
    worker.herder.shutdown().await;
    drop(worker);
    let worker = Worker::start(topics).await;
    let raised = r#"{"count.to": "45"}"#;
    assert_eq!(worker.send("PATCH", "/connectors/n/config", raised).await.status, 200);
    worker.counted_to("n", 45).await;
}
