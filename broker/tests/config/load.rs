//! Settings come from flags, environment and files, and an error says from which.

use std::path::Path;
use std::time::Duration;

use brooklet::config::{BrokerConfig, BrokerLayers, ConfigMap, LoadError, Origin, Settings, resolve_broker_config};
use proptest::prelude::*;

fn file(text: &str) -> Result<Settings, LoadError> {
    Settings::from_file(Path::new("server.properties"), text)
}

fn environment(variables: &[(&str, &str)]) -> Result<Settings, LoadError> {
    let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Settings::from_environment(owned, &["BROOKLET_CONFIG", "BROOKLET_LOG_FORMAT"])
}

fn flag(name: &str, value: &str) -> Settings {
    let mut settings = Settings::default();
    let origin = Origin::Flag(format!("--{name}"));
    settings.set(name.to_owned(), value.to_owned(), origin).expect(name);
    settings
}

fn message<T: std::fmt::Debug>(outcome: Result<T, LoadError>) -> String {
    outcome.expect_err("it is refused").to_string()
}

#[test]
fn flags_come_before_the_environment_and_that_before_the_file() {
    let from_file = file("num.partitions=1\nnode.id=1\nbroker.rack=a").expect("known names");
    let from_environment =
        environment(&[("BROOKLET_NUM_PARTITIONS", "2"), ("BROOKLET_NODE_ID", "2")]).expect("known names");
    let settings = flag("num.partitions", "3").or(from_environment).or(from_file);
    let origins: Vec<_> =
        settings.iter().map(|(name, setting)| format!("{name}={} {}", setting.value, setting.origin)).collect();
    assert_eq!(
        origins,
        [
            "broker.rack=a server.properties:3",
            "node.id=2 environment variable BROOKLET_NODE_ID",
            "num.partitions=3 flag --num.partitions",
        ]
    );
    let config = BrokerConfig::resolve(&settings.layers().expect("allowed")).expect("allowed");
    assert_eq!((config.num_partitions, config.node_id), (3, 2));
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest() {
    for (text, expected) in [
        (
            "\nlisteners=PLAINTEXT://:1\nlog.retention.hour=1",
            "server.properties:3: unknown configuration log.retention.hour, did you mean log.retention.hours?",
        ),
        (
            "segment.bytes=1",
            "server.properties:1: unknown configuration segment.bytes, did you mean log.segment.bytes?",
        ),
        (
            "listener.name.internal.ssl.keystore.locatoin=x",
            "server.properties:1: unknown configuration listener.name.internal.ssl.keystore.locatoin, did you mean ssl.keystore.location?",
        ),
        ("entirely.made.up=1", "server.properties:1: unknown configuration entirely.made.up"),
        (
            "zookeeper.connect=x",
            "server.properties:1: configuration zookeeper.connect is not one of Kafka 4: there is no ZooKeeper, set node.id and process.roles",
        ),
    ] {
        assert_eq!(message(file(text)), expected);
    }
}

#[test]
fn names_of_listeners_and_plugins_are_known() {
    let text = "listener.name.internal.ssl.keystore.location=x\n\
                listener.name.internal.scram-sha-256.sasl.jaas.config=x\n\
                listener.name.internal.plain.sasl.server.callback.handler.class=x\n\
                super.users=User:a;User:b\n\
                allow.everyone.if.no.acl.found=true\n\
                rsm.config.chunk.size=1\n\
                confluent.metrics.reporter.bootstrap.servers=x\n\
                unstable.api.versions.enable=true\n";
    let settings = file(text).expect("every name is known");
    assert_eq!(settings.iter().count(), 8);
}

#[test]
fn a_wrong_value_is_refused_with_its_place() {
    assert_eq!(
        message(file("# x\nnum.partitions = many")),
        "server.properties:2: invalid value many for configuration num.partitions: not a number of type INT"
    );
    assert_eq!(
        message(environment(&[("BROOKLET_LOG_SEGMENT_BYTES", "5")])),
        "environment variable BROOKLET_LOG_SEGMENT_BYTES: invalid value 5 for configuration log.segment.bytes: \
         must be at least 1048576"
    );
    assert_eq!(message(file("a=\\u00")), "server.properties: line 1: \\u must be followed by four hexadecimal digits");
    let at_start = file("listeners=PLAINTEXT://0.0.0.0:9092").expect("a list").layers();
    assert_eq!(
        message(at_start),
        "server.properties:1: invalid value PLAINTEXT://0.0.0.0:9092 for configuration listeners: clients cannot \
         connect to 0.0.0.0, set advertised.listeners to what they can reach"
    );
    let two_dirs = file("\nlog.dirs=/a,/b").expect("a list").layers();
    assert_eq!(
        message(two_dirs),
        "server.properties:2: invalid value /a,/b for configuration log.dirs: must be one directory"
    );
}

#[test]
fn values_that_contradict_each_other_are_refused() {
    for (text, expected) in [
        ("node.id=1\nbroker.id=2", "node.id (1) and broker.id (2) must be the same"),
        (
            "queued.max.request.bytes=5",
            "queued.max.request.bytes (5) must be at least socket.request.max.bytes (104857600)",
        ),
        (
            "connections.max.idle.ms=50",
            "connection.failed.authentication.delay.ms must be below connections.max.idle.ms",
        ),
        ("log.retention.minutes=0", "log.retention.ms must be at least 1, or -1 for no limit"),
        (
            "group.consumer.session.timeout.ms=5000\ngroup.consumer.min.session.timeout.ms=1",
            "group.consumer.heartbeat.interval.ms (5000) must be below group.consumer.session.timeout.ms (5000)",
        ),
        (
            "log.cleaner.threads=128",
            "log.cleaner.dedupe.buffer.size must be above 1 MiB for each of log.cleaner.threads",
        ),
        ("max.connections.per.ip=0", "max.connections.per.ip may be 0 only if max.connections.per.ip.overrides is set"),
    ] {
        assert_eq!(message(file(text).expect("each is allowed").layers()), expected);
    }
}

#[test]
fn variables_have_the_names_of_the_images_of_kafka() {
    let settings = environment(&[
        ("BROOKLET_LISTENER_NAME_MY__NET_SSL_CLIENT_AUTH", "none"),
        ("BROOKLET_LISTENER_NAME_IN_SCRAM___SHA___256_SASL_JAAS_CONFIG", "x"),
        ("BROOKLET_AUTO_CREATE_TOPICS_ENABLE", "false"),
        ("BROOKLET_CONFIG", "/etc/brooklet.yaml"),
        ("KAFKA_NODE_ID", "7"),
    ])
    .expect("known names");
    let names: Vec<_> = settings.iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "auto.create.topics.enable",
            "listener.name.in.scram-sha-256.sasl.jaas.config",
            "listener.name.my_net.ssl.client.auth",
        ]
    );
    for (variable, expected) in [
        (
            "BROOKLET_NUM_PARTITION",
            "unknown environment variable BROOKLET_NUM_PARTITION, did you mean BROOKLET_NUM_PARTITIONS?",
        ),
        ("BROOKLET_CONFIGS", "unknown environment variable BROOKLET_CONFIGS, did you mean BROOKLET_CONFIG?"),
        (
            "BROOKLET_RETENTION_MS",
            "unknown environment variable BROOKLET_RETENTION_MS, did you mean BROOKLET_LOG_RETENTION_MS?",
        ),
        ("BROOKLET_X9", "unknown environment variable BROOKLET_X9"),
    ] {
        assert_eq!(message(environment(&[(variable, "1")])), expected);
    }
}

#[cfg(feature = "cli")]
#[test]
fn yaml_is_read_by_the_name_of_its_file() {
    let text = "listeners: [PLAINTEXT://:9092]\nlog:\n  retention.ms: 5\n";
    let settings = Settings::from_file(Path::new("a/b.yaml"), text).expect("known names");
    let setting = settings.get("log.retention.ms").expect("it is set");
    assert_eq!((setting.value.as_str(), setting.origin.to_string().as_str()), ("5", "a/b.yaml:3"));
    let wrong = Settings::from_file(Path::new("b.yml"), "log:\n  dir: /x\n  dirss: /x\n");
    assert_eq!(message(wrong), "b.yml:3: unknown configuration log.dirss, did you mean log.dirs?");
    let twice = Settings::from_file(Path::new("b.yml"), "node.id: 1\nnode.id: 1\n");
    assert_eq!(message(twice), "b.yml: line 2: node.id is set in line 1 already");
}

#[test]
fn without_settings_the_broker_listens_to_this_machine_alone() {
    let config = BrokerConfig::default();
    assert_eq!(config, BrokerConfig::resolve(&Settings::default().layers().expect("allowed")).expect("allowed"));
    let [listener] = &config.listeners[..] else {
        panic!("one listener in {:?}", config.listeners);
    };
    assert_eq!(listener.bind_host.as_deref(), Some("127.0.0.1"));
    assert_eq!(listener.bind_port, 9092);
    assert_eq!(config.log_dir, Path::new("./brooklet-data"));
    assert_eq!(config.group_initial_rebalance_delay, Duration::ZERO);
    assert_eq!(config.node_id, 1);
    assert_eq!(config.connections_max_idle, Some(Duration::from_mins(10)));
    assert_eq!(config.queued_max_request_bytes, None);
    assert_eq!(config.socket_request_max_bytes, 100 << 20);
    assert_eq!(config.producer_id_expiration, Duration::from_hours(24));
}

#[test]
fn the_old_name_of_the_node_id_stands_for_the_new() {
    for (text, id) in [("broker.id=7", "7"), ("node.id=7", "7"), ("", "1")] {
        let layers = file(text).expect("known names").layers().expect("allowed");
        assert_eq!(layers.static_configs["node.id"], id);
        assert_eq!(layers.static_configs["broker.id"], id);
    }
}

#[test]
fn settings_without_effect_are_named_with_the_reason() {
    let layers = file("num.io.threads=3\nnum.partitions=3\nssl.keystore.type=PEM").expect("known names").layers();
    let layers = layers.expect("allowed");
    let inert: Vec<_> = layers.inert().map(|(name, _)| name).collect();
    assert_eq!(inert, ["num.io.threads", "ssl.keystore.type"]);
    assert!(layers.inert().all(|(_, reason)| !reason.is_empty()));
}

#[test]
fn dynamic_changes_of_connection_limits_are_read() {
    let layers = BrokerLayers {
        dynamic_broker: [("max.connections.per.ip.overrides".to_owned(), "::1:5, host:7".to_owned())].into(),
        ..BrokerLayers::new(ConfigMap::new()).expect("nothing is set")
    };
    let config = BrokerConfig::resolve(&layers).expect("allowed");
    let limits: Vec<_> = config.max_connections_per_ip_overrides.into_iter().collect();
    assert_eq!(limits, [("::1".to_owned(), 5), ("host".to_owned(), 7)]);
}

proptest! {
    #[test]
    fn any_file_is_read_or_refused(text in "(?s)([a-z.]{1,12}[=:]?.{0,20}\n){0,5}|.{0,100}") {
        if let Ok(settings) = file(&text) {
            let _ = settings.layers();
        }
    }

    #[test]
    fn any_name_is_known_or_refused(name in "(?s).{0,300}|listener\\.name\\.[a-z.]{0,40}") {
        let _ = resolve_broker_config(&name);
    }

    #[test]
    fn any_variable_is_known_or_refused(name in "[A-Z_]{0,60}|(?s).{0,30}") {
        let variable = format!("BROOKLET_{name}");
        let _ = environment(&[(variable.as_str(), "1")]);
    }
}
