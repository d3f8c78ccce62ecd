//! What is declared, told to the built binary: at start, while it runs, and by hand.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use brooklet_tests::apache_kafka::ApacheKafka;
use brooklet_tests::broker::BrokerProcess;
use brooklet_tests::capture::ids;
use brooklet_tests::command_line::{brooklet, text};
use brooklet_tests::postgres::Postgres;
use brooklet_tests::wait_until;
use serde_json::{Value, json};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

/// A mounted ConfigMap: links that lead through one link into the version that counts.
struct ConfigMap {
    dir: TempDir,
    versions: usize,
}

impl ConfigMap {
    fn mounted(files: &[(&str, &str)]) -> Self {
        let mut map = Self { dir: TempDir::with_prefix("config-map-").unwrap(), versions: 0 };
        map.change(files);
        for (name, _) in files {
            symlink(Path::new("..data").join(name), map.path().join(name)).unwrap();
        }
        map
    }

    fn path(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    /// As the kubelet does it: the new version is written whole, and then the one link is exchanged.
    fn change(&mut self, files: &[(&str, &str)]) {
        self.versions += 1;
        let version = format!("..version-{}", self.versions);
        fs::create_dir(self.path().join(&version)).unwrap();
        for (name, text) in files {
            fs::write(self.path().join(&version).join(name), text).unwrap();
        }
        symlink(&version, self.path().join("..data_tmp")).unwrap();
        fs::rename(self.path().join("..data_tmp"), self.path().join("..data")).unwrap();
    }
}

fn topic(name: &str, spec: &str) -> String {
    format!("---\napiVersion: kafka.strimzi.io/v1\nkind: KafkaTopic\nmetadata: {{name: {name}}}\nspec: {spec}\n")
}

fn declared(broker: &BrokerProcess) -> Value {
    serde_json::from_str(&broker.admin("/declared").1).unwrap()
}

/// Waits until the broker is ready, and returns what it says then.
fn ready(broker: &BrokerProcess) -> Value {
    let mut said = Value::Null;
    wait_until("the broker is ready", PATIENCE, || {
        let (status, body) = broker.admin("/readyz");
        said = serde_json::from_str(&body).unwrap();
        status == 200
    });
    said
}

fn exported(bootstrap: &str) -> String {
    let output = brooklet(&["export", "--bootstrap-server", bootstrap]);
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_config_map_is_followed_and_what_it_declares_no_more_goes() {
    let first = topic("orders", "{partitions: 2, replicas: 3, config: {retention.ms: 1000}}") + &topic("old", "{}");
    let mut map = ConfigMap::mounted(&[("topics.yaml", &first)]);
    let path = map.path().display().to_string();
    let mut broker = BrokerProcess::start(&["--declare", &path, "--prune"]);
    assert_eq!(ready(&broker)["declared"], json!({"ready": 2, "failing": []}));
    let there = exported(&broker.bootstrap());
    assert!(there.contains("partitions: 2\n  config:\n    retention.ms: \"1000\""), "{there}");

    map.change(&[("topics.yaml", &topic("orders", "{partitions: 5, replicas: 3, config: {segment.ms: 7000}}"))]);
    wait_until("the change is followed", PATIENCE, || declared(&broker)["changes"] == 5);
    let there = exported(&broker.bootstrap());
    assert!(
        there.contains("partitions: 5") && there.contains("segment.ms") && !there.contains("retention.ms"),
        "{there}"
    );
    assert!(!there.contains("old"), "{there}");

    // Who is started again knows what was declared before, and has nothing to do.
    broker.stop();
    broker.start_again();
    ready(&broker);
    let again = declared(&broker);
    assert_eq!((&again["changes"], &again["conditions"][0]["reason"]), (&json!(0), &json!("UpToDate")));
    assert_eq!(exported(&broker.bootstrap()), there);
}

#[test]
fn what_is_wrong_is_told_everywhere_and_what_is_right_is_applied() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("topics.yaml");
    fs::write(&file, topic("good", "{partitions: 2}") + &topic("bad", "\n  config:\n    retention.ms: soon")).unwrap();
    fs::write(dir.path().join("broken.json"), "{\"topic\": [\n").unwrap();
    let broker = BrokerProcess::start(&["--declare", dir.path().to_str().unwrap(), "--log-format", "json"]);
    let said = ready(&broker);
    let expected = format!("{}:12: KafkaTopic bad NotReady Refused", file.display());
    assert_eq!(said["declared"]["ready"], 1);
    let failing = said["declared"]["failing"].to_string();
    assert!(failing.contains(&expected) && failing.contains("broken.json:2: NotReady InvalidFile"), "{failing}");
    for line in broker.log().lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }
    assert!(broker.log().contains(&expected), "{}", broker.log());
    assert!(exported(&broker.bootstrap()).contains("name: \"good\""));

    let output = brooklet(&["declared", "--url", &broker.admin_url()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("topics.yaml:12") && text(&output).contains("not a number"), "{}", text(&output));
    assert_eq!(brooklet(&["healthcheck", "--url", &broker.admin_url()]).status.code(), Some(0));

    fs::remove_file(dir.path().join("broken.json")).unwrap();
    fs::write(&file, topic("good", "{partitions: 2}")).unwrap();
    wait_until("the mistakes are gone", PATIENCE, || declared(&broker)["conditions"].as_array().unwrap().len() == 1);
    assert_eq!(brooklet(&["declared", "--url", &broker.admin_url()]).status.code(), Some(0));
}

#[test]
fn by_hand_the_same_is_done_to_any_kafka() {
    let broker = BrokerProcess::start(&[]);
    by_hand(&broker.bootstrap());
    let (status, metrics) = broker.admin("/metrics?partitions=true");
    assert_eq!(status, 200);
    for expected in [
        "# TYPE kafka_server_brokertopicmetrics_messagesin_total counter\nkafka_server_brokertopicmetrics_messagesin_total 1\n",
        "kafka_server_replicamanager_partitioncount 6\n",
        "kafka_network_requestmetrics_requests_total{request=\"CreateTopics\"} ",
        "kafka_controller_kafkacontroller_activecontrollercount 1\n",
        "process_resident_memory_bytes ",
    ] {
        assert!(metrics.contains(expected), "{expected}: {metrics}");
    }
    let (_, few) = broker.admin("/metrics");
    assert!(!few.contains("kafka_log_log_size") && few.lines().filter(|line| !line.starts_with('#')).count() < 60);
}

#[test]
fn a_set_is_described_by_apache_kafka_as_by_brooklet() {
    let broker = BrokerProcess::start(&[]);
    let kafka = ApacheKafka::start(&[]);
    assert_eq!(by_hand(&broker.bootstrap()), by_hand(&kafka.bootstrap()));
}

/// Declares topics by hand, changes them, and returns how they are described in the end.
fn by_hand(bootstrap: &str) -> String {
    assert!(text(&brooklet(&["selftest", "--bootstrap-server", bootstrap])).contains("was written and read"));
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("topics.yaml");
    let remember = dir.path().join("remembered.json");
    let (path, remember) = (file.to_str().unwrap(), remember.to_str().unwrap());
    let cluster = ["--bootstrap-server", bootstrap, "--remember", remember, "--prune"];
    let run = |command: &str| brooklet(&[&[command, "-f", path], &cluster[..]].concat());
    let all = "{partitions: 2, replicas: 1, config: {cleanup.policy: [compact, delete], max.message.bytes: 5000, preallocate: \
               False, min.cleanable.dirty.ratio: 0.50}}";
    fs::write(&file, topic("a", all) + &topic("b-B_1", "{partitions: 1}") + &topic("gone", "{}")).unwrap();
    let output = run("diff");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("+ KafkaTopic a\n    partitions: 2\n"));
    assert_eq!(run("apply").status.code(), Some(0));
    wait_until("the topics are there", PATIENCE, || run("diff").status.code() == Some(0));
    let output = run("apply");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output).matches("UpToDate").count(), 3);

    let less = "{partitions: 5, replicas: 1, config: {cleanup.policy: compact, retention.bytes: 77}}";
    fs::write(&file, topic("a", less) + &topic("b-B_1", "{partitions: 1}")).unwrap();
    let output = text(&run("diff"));
    for expected in
        ["partitions: 2 -> 5", "cleanup.policy: compact,delete -> compact", "- KafkaTopic gone", "5000 -> default"]
    {
        assert!(output.contains(expected), "{expected}: {output}");
    }
    assert_eq!(run("apply").status.code(), Some(0));
    wait_until("the changes are there", PATIENCE, || run("diff").status.code() == Some(0));

    fs::write(&file, topic("a", "{partitions: 3}") + &topic("b-B_1", "{config: {retention.mss: 1}}")).unwrap();
    assert_eq!(run("diff").status.code(), Some(2));
    let output = run("apply");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("FewerPartitions") && text(&output).contains("topics.yaml:10"), "{}", text(&output));
    assert_eq!(brooklet(&["apply", "-f", path, "--bootstrap-server", "127.0.0.1:1"]).status.code(), Some(2));
    exported(bootstrap)
}

#[test]
fn a_connectors_config_map_is_edited_while_it_runs() {
    let postgres = Postgres::start();
    postgres.execute("create table item (id int primary key); insert into item values (1)");
    let secrets = TempDir::new().unwrap();
    let password = secrets.path().join("pg.properties");
    fs::write(&password, "password=correct-horse\n").unwrap();
    let config = |tables: &str| {
        format!(
            "{{\"name\": \"items\", \"config\": {{\n\"connector.class\": \
             \"io.debezium.connector.postgresql.PostgresConnector\",\n\"plugin.name\": \"pgoutput\", \
             \"database.hostname\": \"127.0.0.1\", \"database.port\": \"{}\", \"database.user\": \"postgres\",\n\
             \"database.password\": \"${{file:{}:password}}\", \"database.dbname\": \"postgres\",\n\
             \"topic.prefix\": \"shop\", \"table.include.list\": \"{tables}\"}}}}",
            postgres.port(),
            password.display()
        )
    };
    let mut map = ConfigMap::mounted(&[("items.json", &config("public.item"))]);
    let broker = BrokerProcess::with_connect(&["--declare", map.path().to_str().unwrap()]);
    let connect = broker.connect();
    assert_eq!(ready(&broker)["declared"], json!({"ready": 1, "failing": []}));
    connect.wait_until_running("items");
    wait_until("the snapshot arrives", PATIENCE, || exported(&broker.bootstrap()).contains("shop.public.item"));

    map.change(&[("items.json", &config("public.item,public.other"))]);
    wait_until("the change is followed", PATIENCE, || declared(&broker)["changes"] == 2);
    connect.wait_until_running("items");
    let info = connect.request("GET", "/connectors/items", "").unwrap().1;
    assert!(info.contains("public.other") && info.contains("${file:"), "{info}");
    // Neither a version that says the same nor time makes another change.
    map.change(&[("items.json", &config("public.item,public.other"))]);
    let passes = declared(&broker)["passes"].as_u64();
    wait_until("the same is looked at", PATIENCE, || declared(&broker)["passes"].as_u64() > passes);
    assert_eq!(declared(&broker)["changes"], 2);
    assert_eq!(broker.log().matches("declared connector items: table.include.list changed").count(), 1);
    for told in [broker.log(), broker.admin("/declared").1, info] {
        assert!(!told.contains("correct-horse"), "{told}");
    }
    let metrics = broker.admin("/metrics").1;
    for expected in [
        "kafka_connect_connector_status{connector=\"items\",status=\"running\"} 1\n",
        "debezium_metrics_SnapshotRunning{plugin=\"postgres\",connector=\"items\",task=\"0\",name=\"shop\",context=\"snapshot\"} 0\n",
        "brooklet_declared_resources{status=\"ready\"} 1\n",
    ] {
        assert!(metrics.contains(expected), "{expected}: {metrics}");
    }
    let output = brooklet(&["export", "--bootstrap-server", &broker.bootstrap(), "--connect-url", &connect.url()]);
    assert!(text(&output).contains("kind: KafkaConnector\nmetadata:\n  name: \"items\""), "{}", text(&output));
}

#[test]
fn a_secret_that_changes_restarts_its_connector_once() {
    let postgres = Postgres::start();
    postgres.execute("create role cdc login superuser password 'first-horse'");
    postgres.execute("create table item (id int primary key); insert into item values (1)");
    postgres.ask_for_password_of("cdc");
    let properties = |password: &str| format!("# rotated by night\npassword={password}\n");
    let mut secret = ConfigMap::mounted(&[("pg.properties", &properties("first-horse")), ("user", "cdc")]);
    let mounted = secret.path().display().to_string();
    let config = format!(
        "{{\"name\": \"items\", \"config\": {{\"connector.class\": \
         \"io.debezium.connector.postgresql.PostgresConnector\", \"plugin.name\": \"pgoutput\", \
         \"database.hostname\": \"127.0.0.1\", \"database.port\": \"{}\", \"database.user\": \"${{dir:{mounted}:user}}\",\
         \"database.password\": \"${{file:{mounted}/pg.properties:password}}\", \"database.dbname\": \"postgres\", \
         \"topic.prefix\": \"shop\", \"key.converter.schemas.enable\": \"false\", \
         \"value.converter.schemas.enable\": \"false\"}}}}",
        postgres.port(),
    );
    let map = ConfigMap::mounted(&[("items.json", &config)]);
    let broker = BrokerProcess::with_connect(&["--declare", map.path().to_str().unwrap()]);
    let connect = broker.connect();
    let captured = |expected: &[i64]| {
        wait_until("changes are captured", PATIENCE, || ids(&broker.bootstrap(), "shop.public.item") == expected);
    };
    let sender = || {
        let mut pid = String::new();
        wait_until("the slot is read", PATIENCE, || {
            pid = postgres.execute("select active_pid from pg_replication_slots where active");
            !pid.trim().is_empty()
        });
        pid
    };
    assert_eq!(ready(&broker)["declared"], json!({"ready": 1, "failing": []}));
    captured(&[1]);
    let first = sender();

    // The connection that there is does not mind; only one that is made with the new password shows that it came in.
    postgres.execute("alter role cdc password 'second-horse'");
    secret.change(&[("pg.properties", &properties("second-horse")), ("user", "cdc")]);
    wait_until("the change is followed", PATIENCE, || declared(&broker)["changes"] == 2);
    connect.wait_until_running("items");
    let second = sender();
    assert_ne!(first, second);
    postgres.execute("insert into item values (2)");
    captured(&[1, 2]);

    // A new version of the same files, as with each change of another key, restarts nothing.
    let passes = declared(&broker)["passes"].as_u64();
    secret.change(&[("pg.properties", &properties("second-horse")), ("user", "cdc")]);
    wait_until("the same is looked at", PATIENCE, || declared(&broker)["passes"].as_u64() > passes);
    assert_eq!((declared(&broker)["changes"].as_u64(), sender()), (Some(2), second));
    assert_eq!(broker.log().matches("declared connector items: restarted, since a secret has changed").count(), 1);
    for told in [broker.log(), broker.admin("/declared").1, connect.request("GET", "/connectors/items", "").unwrap().1]
    {
        assert!(!told.contains("-horse"), "{told}");
    }
}
