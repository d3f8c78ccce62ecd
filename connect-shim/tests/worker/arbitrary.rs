//! Whatever is sent to whatever path, the worker answers, in Connect's manner, and goes on.

use std::sync::Arc;

use brooklet_connect_shim::connector_config::{Plugins, Properties};
use brooklet_connect_shim::debezium::PostgresConnector;
use brooklet_connect_shim::runtime::{Herder, WorkerSettings};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

use super::{CLASS, MemoryDestination, Worker, http};

/// Paths of the API, `{}` being a name.
const PATHS: [&str; 27] = [
    "/",
    "/health",
    "/connectors",
    "/connectors/{}",
    "/connectors/{}/config",
    "/connectors/{}/status",
    "/connectors/{}/tasks",
    "/connectors/{}/tasks/{}/status",
    "/connectors/{}/tasks/{}/restart",
    "/connectors/{}/restart",
    "/connectors/{}/pause",
    "/connectors/{}/resume",
    "/connectors/{}/stop",
    "/connectors/{}/fence",
    "/connectors/{}/topics",
    "/connectors/{}/topics/reset",
    "/connectors/{}/offsets",
    "/connector-plugins",
    "/connector-plugins/{}/config",
    "/connector-plugins/{}/config/validate",
    "/admin/loggers",
    "/admin/loggers/{}",
    "/connectors/{}/{}",
    "/{}",
    "//{}//",
    "/connectors/?expand={}&expand=status",
    "/connectors/{}/restart?includeTasks=true&onlyFailed={}",
];

/// Properties that mean something, with values that do.
const PROPERTIES: [(&str, &[&str]); 24] = [
    ("name", &["a", "b", ""]),
    ("connector.class", &[CLASS, "PostgresConnector", "io.confluent.Nope"]),
    ("tasks.max", &["1", "0", "-1", "99999999999999999999"]),
    ("topic.prefix", &["t", "", "t\n"]),
    ("transforms", &["a", "a,a", "a,b", ","]),
    (
        "transforms.a.type",
        &["io.debezium.transforms.ExtractNewRecordState", "org.apache.kafka.connect.transforms.RegexRouter"],
    ),
    ("transforms.a.regex", &["(", "(.*)", "(?<x>a)"]),
    ("transforms.a.replacement", &["$1", "$99", "\\"]),
    ("transforms.a.predicate", &["p", "q"]),
    ("predicates", &["p", "p,p"]),
    ("predicates.p.type", &["org.apache.kafka.connect.transforms.predicates.TopicNameMatches"]),
    ("predicates.p.pattern", &["(", ".*"]),
    ("key.converter", &["org.apache.kafka.connect.storage.StringConverter", "a.B"]),
    ("value.converter", &["org.apache.kafka.connect.json.JsonConverter", "io.confluent.connect.avro.AvroConverter"]),
    ("errors.tolerance", &["all", "none", "some"]),
    ("topic.creation.groups", &["g", "g,g"]),
    ("topic.creation.default.partitions", &["3", "-1", "0"]),
    ("count.to", &["0", "5", "9223372036854775808"]),
    ("count.batch", &["1", "2"]),
    ("count.fails", &["at once", "for a while"]),
    ("database.password", &["${file:/nope:x}", "${env:PATH}", "${dir:/:x}", "${", "x"]),
    ("table.include.list", &["(", "public.a", "a.b.c"]),
    ("column.mask.with.-3.chars", &["a", "("]),
    ("slot.name", &["UPPER", "s"]),
];

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        select(PROPERTIES.iter().flat_map(|(_, values)| values.iter().copied()).collect::<Vec<_>>())
            .prop_map(Value::from),
    ];
    let names = || prop_oneof![3 => name().prop_map(str::to_owned), 1 => ".{0,8}"];
    leaf.prop_recursive(4, 24, 5, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((names(), inner), 0..5).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Names that bodies have.
fn name() -> impl Strategy<Value = &'static str> {
    let own = ["name", "config", "initial_state", "offsets", "partition", "offset", "level", "server", "lsn", "next"];
    select(own.into_iter().chain(PROPERTIES.map(|(name, _)| name)).collect::<Vec<_>>())
}

/// A config that is nearly one.
fn config() -> impl Strategy<Value = Value> {
    let property = select(&PROPERTIES[..]).prop_flat_map(|(name, values)| {
        let value =
            prop_oneof![5 => select(values).prop_map(Value::from), 1 => ".{0,16}".prop_map(Value::from), 1 => json()];
        (Just(name.to_owned()), value)
    });
    (any::<bool>(), vec(property, 0..8)).prop_map(|(whole, properties)| {
        let base = json!({"connector.class": CLASS, "topic.prefix": "t"});
        let base = if whole { base.as_object().cloned().unwrap() } else { Map::new() };
        Value::Object(base.into_iter().chain(properties).collect())
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let text = |json: Value| json.to_string().into_bytes();
    let create = (
        prop_oneof![select(&["a", "b", "", "a/b", "ž\u{1}"][..]).prop_map(Value::from), json()],
        config(),
        json(),
        any::<bool>(),
    );
    let create = create
        .prop_map(|(name, config, state, plain)| match plain {
            true => json!({"name": name, "config": config}),
            false => json!({"name": name, "config": config, "initial_state": state}),
        })
        .boxed();
    let offsets = (json(), json())
        .prop_map(|(partition, offset)| json!({"offsets": [{"partition": partition, "offset": offset}]}));
    let level = select(&["DEBUG", "debug", "LOUD", ""][..]).prop_map(|level| json!({"level": level}));
    let cut = (create.clone(), any::<proptest::sample::Index>(), any::<u8>()).prop_map(|(body, at, byte)| {
        let mut bytes = body.to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if byte % 2 == 0 { bytes.split_off(at) } else { bytes }
    });
    prop_oneof![
        4 => create.prop_map(text),
        4 => config().prop_map(text),
        2 => offsets.prop_map(text),
        1 => level.prop_map(text),
        2 => json().prop_map(text),
        2 => cut,
        1 => any::<Vec<u8>>(),
        1 => (0..3000usize).prop_map(|depth| "[".repeat(depth).into_bytes()),
    ]
}

#[derive(Debug, Clone)]
struct Sent {
    method: String,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

fn request() -> impl Strategy<Value = Sent> {
    const METHODS: [&str; 9] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "BREW"];
    let segment = || {
        let known = select(
            &[
                "a",
                "b",
                "0",
                "1",
                "config",
                "PostgresConnector",
                "root",
                "io.debezium",
                "%2F",
                "%",
                "%zz",
                "a%20b",
                "-1",
            ][..],
        );
        prop_oneof![6 => known.prop_map(str::to_owned), 1 => "[!-~]{1,8}".prop_map(|text| text.replace(['?', '#'], "")), 1 => "(%[0-9A-F]{2}){1,4}"]
    };
    let path = (select(&PATHS[..]), segment(), segment(), "[ -~]{0,6}").prop_map(|(path, one, other, query)| {
        let path = path.replacen("{}", &one, 1).replacen("{}", &other, 1);
        let query: String = query.chars().filter(|character| *character != ' ' && *character != '#').collect();
        if query.is_empty() || path.contains('?') { path } else { format!("{path}?{query}") }
    });
    let kind = select(&["application/json", "application/json; charset=utf-8", "text/plain", ""][..]);
    let accept = select(&["*/*", "application/json", "application/json;q=0.1, text/html", "text/html", ",;"][..]);
    (
        select(&METHODS[..]),
        path,
        proptest::option::weighted(0.95, kind),
        proptest::option::weighted(0.3, accept),
        body(),
    )
        .prop_map(|(method, path, kind, accept, body)| {
            let headers =
                kind.map(|kind| ("content-type", kind)).into_iter().chain(accept.map(|accept| ("accept", accept)));
            Sent {
                method: method.to_owned(),
                path,
                headers: headers.map(|(name, value)| (name, value.to_owned())).collect(),
                body,
            }
        })
}

/// What there is to say against an answer.
fn complaint(sent: &Sent, status: u16, body: &[u8]) -> Option<String> {
    if !(200..=599).contains(&status) {
        return Some("no status of HTTP's".to_owned());
    }
    if status < 400 || sent.method == "HEAD" {
        return None;
    }
    // What Jetty refuses before Connect sees it has a page of its own.
    if body.starts_with(b"<html>") {
        return (status != 400 || !sent.path.contains('%')).then(|| "a page".to_owned());
    }
    let Ok(json) = serde_json::from_slice::<Value>(body) else { return Some("no JSON".to_owned()) };
    let is_refusal = json["error_code"] == status && json["message"].is_string();
    (!is_refusal).then(|| "not in Connect's manner".to_owned())
}

#[test]
fn any_request_is_answered() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let worker = runtime.block_on(Worker::start(MemoryDestination::default()));
    let mut runner = TestRunner::new(config_of_runs());
    let outcome = runner.run(&vec(request(), 1..8), |requests| {
        // What is no URI never comes as far as the API.
        for sent in requests.into_iter().filter(|sent| sent.path.parse::<axum::http::Uri>().is_ok()) {
            let headers: Vec<(&str, &str)> = sent.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let reply =
                runtime.block_on(http::try_request(&worker.address, &sent.method, &sent.path, &headers, &sent.body));
            let (status, _, body) = reply.map_err(|error| TestCaseError::fail(format!("{sent:?}: {error}")))?;
            let complaint = complaint(&sent, status, &body);
            prop_assert!(
                complaint.is_none(),
                "{:?}: {:?}\n{} {}",
                sent,
                complaint,
                status,
                String::from_utf8_lossy(&body)
            );
        }
        let health = runtime.block_on(worker.get("/health"));
        prop_assert_eq!(&health["status"], "healthy");
        Ok(())
    });
    // Whatever was made meanwhile can be taken away again.
    runtime.block_on(async {
        let names = worker.get("/connectors").await;
        for name in names.as_array().unwrap() {
            worker.herder.delete(name.as_str().unwrap()).await.unwrap();
        }
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn any_config_is_validated() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let plugins = Plugins::new(vec![Arc::new(PostgresConnector)]);
    let topics = Arc::new(MemoryDestination::default());
    let herder = runtime.block_on(Herder::start(topics, plugins, WorkerSettings::new("w"))).unwrap();
    let connector = herder.plugins().connector("PostgresConnector").unwrap().config_def();
    // Without a host nobody is asked.
    let names = connector.keys().iter().map(|key| key.name.to_string()).filter(|name| name != "database.hostname");
    const KNOWN: [&str; 11] =
        ["", "true", "1", "-1", "all", "none", "a,b", "(", "a:b;c:d", "99999999999999999999", "1.5e400"];
    let value = prop_oneof![4 => select(&KNOWN[..]).prop_map(str::to_owned), 2 => ".{0,24}", 1 => any::<String>()];
    let properties = vec((select(names.collect::<Vec<_>>()), value), 0..12);
    let mut runner = TestRunner::new(config_of_runs());
    let outcome = runner.run(&properties, |properties| {
        let base = [("connector.class", "PostgresConnector"), ("name", "n")];
        let mut config: Properties = base.into_iter().collect();
        for (name, value) in &properties {
            config.set(name.as_str(), value.as_str());
        }
        if let Ok(infos) = runtime.block_on(herder.validate(&config)) {
            let told = infos.to_json();
            prop_assert!(told["error_count"].as_u64() > Some(0), "{}", told);
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

/// As many runs as are asked for; what fails is told in full, and not kept.
fn config_of_runs() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}
