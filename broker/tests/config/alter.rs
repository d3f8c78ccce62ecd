//! Changes of configs do what a stock broker, Apache Kafka 4.3.1, was seen to do.

use brooklet::config::{
    AlterError, AlterOp, BrokerLayers, ConfigChange, ConfigMap, DynamicScope, INITIAL_DYNAMIC_DEFAULTS, alter_broker,
    changed_topic, parse_created, parse_replacement, replace_broker, validate_topic,
};
use proptest::prelude::*;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

fn alter_topic(
    overrides: &ConfigMap,
    changes: &[ConfigChange],
    broker: &BrokerLayers,
) -> Result<ConfigMap, AlterError> {
    let altered = changed_topic(overrides, changes)?;
    validate_topic(&altered, broker)?;
    Ok(altered)
}

fn map(settings: &[(&str, &str)]) -> ConfigMap {
    let owned = settings.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    owned.collect()
}

/// A broker as it is after its first start.
fn layers() -> BrokerLayers {
    BrokerLayers {
        dynamic_default: map(&INITIAL_DYNAMIC_DEFAULTS),
        ..BrokerLayers::new(ConfigMap::new()).expect("nothing is set")
    }
}

fn change(op: i8, name: &str, text: &str) -> Vec<ConfigChange> {
    ConfigChange::parse_all([(name, op, Some(text))]).expect("a well-formed change")
}

/// `INVALID_REQUEST` or `INVALID_CONFIG`.
fn code(error: &AlterError) -> &'static str {
    match error {
        AlterError::InvalidRequest(_) => "INVALID_REQUEST",
        AlterError::InvalidConfig(_) => "INVALID_CONFIG",
        AlterError::UnknownOperation(_) => "UNKNOWN_SERVER_ERROR",
    }
}

#[test]
fn a_topic_takes_the_values_a_stock_broker_takes() {
    for (name, text) in [
        ("cleanup.policy", ""),
        ("cleanup.policy", "compact, delete"),
        ("cleanup.policy", "compact,compact"),
        ("compression.gzip.level", "-1"),
        ("internal.segment.bytes", "100"),
        ("leader.replication.throttled.replicas", ""),
        ("leader.replication.throttled.replicas", "*"),
        ("leader.replication.throttled.replicas", "*,"),
        ("leader.replication.throttled.replicas", "0:1,,1:1"),
        ("leader.replication.throttled.replicas", "0:1,0:1"),
        ("local.retention.ms", "100000000000"),
        ("max.message.bytes", "+100"),
        ("max.message.bytes", "0100"),
        ("min.cleanable.dirty.ratio", ".3f"),
        ("min.cleanable.dirty.ratio", "1e-5"),
        ("min.insync.replicas", "3"),
        ("preallocate", "TRUE"),
        ("remote.log.copy.disable", "true"),
        ("retention.bytes", "-5"),
        ("retention.ms", " 100 "),
        ("retention.ms", "-1"),
    ] {
        let outcome = validate_topic(&map(&[(name, text)]), &layers());
        assert!(outcome.is_ok(), "{name}={text}: {outcome:?}");
    }
}

#[test]
fn a_topic_refuses_the_values_a_stock_broker_refuses() {
    for (name, text, reason) in [
        ("cleanup.policy", "Compact", "any of compact, delete"),
        ("cleanup.policy", "compact,", "any of compact, delete"),
        ("compression.gzip.level", "0", "from 1 to 9, or -1"),
        ("compression.gzip.level", "10", "from 1 to 9, or -1"),
        ("compression.lz4.level", "18", "from 1 to 17"),
        ("compression.type", "GZIP", "one of uncompressed"),
        ("compression.type", "none", "one of uncompressed"),
        ("compression.zstd.level", "-200000", "from -131072 to 22"),
        ("foo.bar", "1", "unknown topic config name: foo.bar"),
        ("leader.replication.throttled.replicas", "0:1,*", "partition:broker"),
        ("leader.replication.throttled.replicas", "none", "partition:broker"),
        ("local.retention.ms", "-3", "at least -2"),
        ("max.message.bytes", "99999999999", "not a number of type INT"),
        ("message.timestamp.type", "foo", "CreateTime, LogAppendTime"),
        ("min.cleanable.dirty.ratio", "1.5", "from 0 to 1"),
        ("min.cleanable.dirty.ratio", "abc", "not a number of type DOUBLE"),
        ("min.insync.replicas", "0", "at least 1"),
        ("remote.storage.enable", "true", "tiered storage"),
        ("remote.storage.enable", "yes", "true or false"),
        ("retention.ms", "", "not a number of type LONG"),
        ("retention.ms", "-5", "at least -1"),
        ("segment.bytes", "10", "at least 1048576"),
        ("segment.ms", "0", "at least 1"),
    ] {
        let error = validate_topic(&map(&[(name, text)]), &layers()).expect_err(name);
        assert_eq!(code(&error), "INVALID_CONFIG", "{name}={text}");
        assert!(error.to_string().contains(reason), "{name}={text}: {error}");
        assert!(error.to_string().contains(name), "{name}={text}: {error}");
    }
    let lags = map(&[("max.compaction.lag.ms", "5"), ("min.compaction.lag.ms", "10")]);
    let error = validate_topic(&lags, &layers()).expect_err("the least is above the most");
    assert_eq!(error.to_string(), "min.compaction.lag.ms (10) is above max.compaction.lag.ms (5)");
}

#[test]
fn values_that_contradict_those_of_the_broker_are_refused() {
    let mut broker = layers();
    broker.dynamic_broker = map(&[("log.cleaner.max.compaction.lag.ms", "5")]);
    assert!(validate_topic(&ConfigMap::new(), &broker).is_ok());
    let error = validate_topic(&map(&[("min.compaction.lag.ms", "6")]), &broker).expect_err("6 > 5");
    assert_eq!(code(&error), "INVALID_CONFIG");
}

/// Each step changes what the one before it left, as seen of a stock broker.
#[test]
fn lists_change_as_in_a_stock_broker() {
    let name = "cleanup.policy";
    let steps = [
        (APPEND, "compact", Ok(Some("delete,compact"))),
        (APPEND, "compact", Ok(Some("delete,compact"))),
        (APPEND, "", Err("INVALID_CONFIG")),
        (SUBTRACT, "compact", Ok(Some("delete"))),
        (SUBTRACT, "delete", Ok(Some(""))),
        (SUBTRACT, "zork", Ok(Some(""))),
        (APPEND, "zork", Err("INVALID_CONFIG")),
        (APPEND, "compact,", Ok(Some("compact"))),
        (APPEND, "delete,delete", Ok(Some("compact,delete"))),
        (DELETE, "", Ok(None)),
        (SUBTRACT, "zork", Ok(Some("delete"))),
        (SET, "compact,compact, delete", Ok(Some("compact,compact, delete"))),
        (SUBTRACT, "delete", Ok(Some("compact,compact, delete"))),
        (SUBTRACT, "compact", Ok(Some("compact, delete"))),
    ];
    let mut configs = ConfigMap::new();
    for (i, (op, text, expected)) in steps.into_iter().enumerate() {
        let outcome = alter_topic(&configs, &change(op, name, text), &layers());
        match outcome {
            Ok(altered) => {
                assert_eq!(Ok(altered.get(name).map(String::as_str)), expected, "step {i}");
                configs = altered;
            }
            Err(error) => assert_eq!(Err(code(&error)), expected, "step {i}: {error}"),
        }
    }
}

#[test]
fn only_lists_take_elements() {
    for (op, name) in [(APPEND, "retention.ms"), (SUBTRACT, "retention.ms"), (SUBTRACT, "zork")] {
        let error = alter_topic(&ConfigMap::new(), &change(op, name, "5"), &layers()).expect_err(name);
        assert_eq!(code(&error), "INVALID_CONFIG");
    }
    let error = alter_broker(&layers(), DynamicScope::Broker, &change(APPEND, "message.max.bytes", "1"))
        .expect_err("an integer");
    assert_eq!(code(&error), "INVALID_CONFIG");
    let unknown = alter_topic(&ConfigMap::new(), &change(DELETE, "zork", ""), &layers());
    assert_eq!(unknown, Ok(ConfigMap::new()), "nothing is there to delete");
}

#[test]
fn malformed_requests_are_refused() {
    for (requested, reason) in [
        (vec![("retention.ms", SET, Some("1")), ("retention.ms", SET, Some("2"))], "retention.ms is named twice"),
        (vec![("retention.ms", SET, None)], "null value not supported for retention.ms"),
        (vec![("cleanup.policy", APPEND, None)], "null value not supported for cleanup.policy"),
    ] {
        let error = ConfigChange::parse_all(requested).expect_err(reason);
        assert_eq!(code(&error), "INVALID_REQUEST");
        assert!(error.to_string().contains(reason), "{error}");
    }
    let unknown = ConfigChange::parse_all([("retention.ms", 9, Some("1"))]);
    assert_eq!(unknown, Err(AlterError::UnknownOperation(9)));
    let deleted = ConfigChange::parse_all([("retention.ms", DELETE, None)]).expect("a deletion has no value");
    assert_eq!(deleted[0].op, AlterOp::Delete);
    assert!(parse_replacement([("a", Some("1")), ("a", Some("2"))]).is_err());
    let error = parse_replacement([("a", None)]).expect_err("null");
    assert_eq!(code(&error), "INVALID_REQUEST");
    let error = parse_created([("a", None)]).expect_err("null");
    assert_eq!(code(&error), "INVALID_CONFIG");
    assert_eq!(parse_created([("a", Some("1"))]), Ok(map(&[("a", "1")])));
}

#[test]
fn a_value_may_not_be_longer_than_a_metadata_record() {
    let replicas = "0:1,".repeat(8191) + "0:1";
    let long = map(&[("leader.replication.throttled.replicas", &replicas)]);
    assert!(validate_topic(&long, &layers()).is_ok(), "{} bytes", replicas.len());
    let longer = map(&[("leader.replication.throttled.replicas", &(replicas + ",1:1"))]);
    let error = validate_topic(&longer, &layers()).expect_err("too long");
    assert_eq!(code(&error), "INVALID_CONFIG");
}

#[test]
fn the_broker_takes_the_changes_a_stock_broker_takes() {
    for (scope, name, text) in [
        (DynamicScope::Broker, "listener.name.plaintext.max.connections", "100"),
        (DynamicScope::Broker, "listener.name.plaintext.ssl.keystore.password", "secret"),
        (DynamicScope::Broker, "listener.name.plaintext.zork", "100"),
        (DynamicScope::Broker, "log.cleanup.policy", ""),
        (DynamicScope::Broker, "log.flush.interval.ms", "77"),
        (DynamicScope::Broker, "message.max.bytes", " 0100"),
        (DynamicScope::Broker, "zork", "5"),
        (DynamicScope::Default, "leader.replication.throttled.rate", "5"),
        (DynamicScope::Default, "listener.name.plaintext.max.connections", "100"),
        (DynamicScope::Default, "log.retention.ms", " 02000"),
        (DynamicScope::Default, "min.insync.replicas", "2"),
    ] {
        let (altered, _) = alter_broker(&layers(), scope, &change(SET, name, text))
            .unwrap_or_else(|error| panic!("{name}={text}: {error}"));
        let layer = match scope {
            DynamicScope::Broker => &altered.dynamic_broker,
            DynamicScope::Default => &altered.dynamic_default,
        };
        assert_eq!(layer.get(name).map(String::as_str), Some(text));
        let (restored, _) = alter_broker(&altered, scope, &change(SET, name, text)).expect("it is no change");
        assert_eq!(restored, altered);
    }
}

#[test]
fn the_broker_refuses_the_changes_a_stock_broker_refuses() {
    use DynamicScope::{Broker, Default};
    for (scope, name, text, code_wanted, reason) in [
        (Broker, "compression.type", "zork", "INVALID_REQUEST", "one of uncompressed"),
        (Broker, "group.consumer.assignment.interval.ms", "20000", "INVALID_REQUEST", "at most"),
        (Broker, "internal.metadata.delete.delay.millis", "1", "INVALID_REQUEST", "dynamically"),
        (Broker, "listeners", "PLAINTEXT://127.0.0.1:1", "INVALID_REQUEST", "restart the broker"),
        (Broker, "log.cleanup.policy", "delete,", "INVALID_REQUEST", "any of compact, delete"),
        (Broker, "log.retention.hours", "1", "INVALID_REQUEST", "dynamically"),
        (Broker, "log.retention.ms", "0", "INVALID_REQUEST", "log.retention.ms"),
        (Broker, "log.roll.ms", "0", "INVALID_REQUEST", "log.roll.ms"),
        (Broker, "log.segment.bytes", "5", "INVALID_REQUEST", "at least 1048576"),
        (Broker, "max.connections.per.ip", "0", "INVALID_REQUEST", "overrides"),
        (Broker, "max.connections.per.ip.overrides", "a:b", "INVALID_REQUEST", "host:count"),
        (Broker, "message.max.bytes", "-1", "INVALID_REQUEST", "at least 0"),
        (Broker, "message.max.bytes", "x", "INVALID_REQUEST", "not a number of type INT"),
        (Broker, "min.insync.replicas", "2", "INVALID_CONFIG", "for one broker"),
        (Broker, "node.id", "3", "INVALID_REQUEST", "dynamically"),
        (Broker, "ssl.client.auth", "bad", "INVALID_REQUEST", "ssl.client.auth"),
        (Broker, "ssl.client.auth", "required", "INVALID_REQUEST", "restart the broker"),
        (Broker, "ssl.keystore.type", "JKS", "INVALID_REQUEST", "prefix"),
        (Broker, "unstable.api.versions.enable", "true", "INVALID_REQUEST", "dynamically"),
        (Default, "listener.name.plaintext.ssl.keystore.type", "JKS", "INVALID_REQUEST", "only for one"),
        (Default, "listeners", "PLAINTEXT://:9", "INVALID_REQUEST", "only for one"),
        (Default, "sasl.enabled.mechanisms", "PLAIN", "INVALID_REQUEST", "only for one"),
        (Default, "ssl.keystore.type", "JKS", "INVALID_REQUEST", "prefix"),
    ] {
        let error = alter_broker(&layers(), scope, &change(SET, name, text)).expect_err(name);
        assert_eq!(code(&error), code_wanted, "{name}={text}: {error}");
        assert!(error.to_string().contains(reason), "{name}={text}: {error}");
    }
    let removed = alter_broker(&layers(), Default, &change(DELETE, "min.insync.replicas", ""));
    assert_eq!(code(&removed.expect_err("it is the cluster's")), "INVALID_CONFIG");
    let nothing_set = alter_broker(&layers(), Broker, &change(DELETE, "node.id", ""));
    assert_eq!(nothing_set.expect("nothing is there to delete").0, layers());
}

#[test]
fn a_change_takes_effect_in_the_typed_configuration() {
    let (altered, config) =
        alter_broker(&layers(), DynamicScope::Default, &change(SET, "max.connections", "7")).expect("a dynamic config");
    assert_eq!(config.max_connections, 7);
    let (_, config) =
        replace_broker(&altered, DynamicScope::Broker, map(&[("max.connections", "3")])).expect("a dynamic config");
    assert_eq!(config.max_connections, 3, "this broker's comes before all brokers'");
    let topic = validate_topic(&ConfigMap::new(), &{
        let (altered, _) = alter_broker(&altered, DynamicScope::Broker, &change(SET, "message.max.bytes", "99"))
            .expect("a dynamic config");
        altered
    });
    assert_eq!(topic.expect("nothing is set").max_message_bytes, 99);
}

proptest! {
    #[test]
    fn elements_are_a_set_in_order(
        start in proptest::collection::vec("[a-d]", 0..4),
        ops in proptest::collection::vec((any::<bool>(), proptest::collection::vec("[a-f]", 1..4)), 0..6),
    ) {
        let name = "metric.reporters";
        let mut model: Vec<String> = Vec::new();
        for element in start {
            if !model.contains(&element) {
                model.push(element);
            }
        }
        let mut layers = layers();
        layers.dynamic_broker.insert(name.to_owned(), model.join(","));
        for (add, elements) in ops {
            let op = if add { APPEND } else { SUBTRACT };
            for element in &elements {
                match model.iter().position(|kept| kept == element) {
                    None if add => model.push(element.clone()),
                    Some(at) if !add => {
                        model.remove(at);
                    }
                    _ => {}
                }
            }
            let changes = change(op, name, &elements.join(","));
            layers = alter_broker(&layers, DynamicScope::Broker, &changes).expect("any list is allowed").0;
            prop_assert_eq!(&layers.dynamic_broker[name], &model.join(","));
        }
    }

    #[test]
    fn any_change_is_made_or_refused(op in 0i8..5, name in "[a-z.]{1,20}|cleanup.policy|log.cleanup.policy|listener.name.[a-z.]{0,30}", text in "(?s).{0,40}") {
        if let Ok(changes) = ConfigChange::parse_all([(name.as_str(), op, Some(text.as_str()))]) {
            let _ = alter_topic(&ConfigMap::new(), &changes, &layers());
            for scope in [DynamicScope::Broker, DynamicScope::Default] {
                let _ = alter_broker(&layers(), scope, &changes);
            }
        }
    }
}
