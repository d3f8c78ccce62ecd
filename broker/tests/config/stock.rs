//! The tables of configs and the answers made from them are those of a stock broker, Apache Kafka 4.3.1.
//!
//! `kafka_topic_configs.tsv` and `kafka_broker_configs.tsv` are its answers to DescribeConfigs, with the settings of
//! its example configuration, ports and the data directory masked.

use std::collections::BTreeMap;
use std::path::Path;

use brooklet::config::{
    BROKER_CONFIGS, BrokerConfig, BrokerLayers, ConfigDef, ConfigEntry, ConfigMap, ConfigSource, ConfigType,
    INITIAL_DYNAMIC_DEFAULTS, INTERNAL_BROKER_CONFIGS, INTERNAL_TOPIC_CONFIGS, OWN_DEFAULTS, TOPIC_CONFIGS,
    broker_config, created_topic, describe_broker, describe_dynamic_default, describe_topic,
};

const TOPIC_FIXTURE: &str = include_str!("../fixtures/kafka_topic_configs.tsv");
const BROKER_FIXTURE: &str = include_str!("../fixtures/kafka_broker_configs.tsv");

/// A line of a fixture, or what ours would be.
#[derive(Debug, Clone, PartialEq)]
struct Shown {
    value: Option<String>,
    ty: String,
    source: String,
    read_only: bool,
    sensitive: bool,
    /// Source, name and value of each.
    synonyms: Vec<(String, String, String)>,
}

fn fixture(text: &str) -> BTreeMap<String, Shown> {
    let text = text.replace("<PORT>", "9092").replace("<CONTROLLER_PORT>", "9093").replace("<DATA>", "/data");
    let lines = text.lines().skip(1);
    let rows = lines.map(|line| {
        let fields: Vec<_> = line.split('\t').collect();
        let [name, value, _, ty, source, read_only, sensitive, synonyms] = fields[..] else {
            panic!("8 fields in {line}");
        };
        let shown = Shown {
            value: (value != "null").then(|| value.to_owned()),
            ty: ty.to_owned(),
            source: source.to_owned(),
            read_only: read_only == "true",
            sensitive: sensitive == "true",
            synonyms: told_synonyms(synonyms),
        };
        (name.to_owned(), shown)
    });
    rows.collect()
}

/// Source, name and value of each in `source:name=value; …`.
fn told_synonyms(text: &str) -> Vec<(String, String, String)> {
    let synonyms = text.split("; ").filter(|synonym| !synonym.is_empty());
    let synonyms = synonyms.map(|synonym| {
        let (source, setting) = synonym.split_once(':').expect("a source");
        let (name, value) = setting.split_once('=').expect("a value");
        (source.to_owned(), name.to_owned(), value.to_owned())
    });
    synonyms.collect()
}

fn source_name(source: ConfigSource) -> &'static str {
    match source {
        ConfigSource::DynamicTopicConfig => "DYNAMIC_TOPIC_CONFIG",
        ConfigSource::DynamicBrokerConfig => "DYNAMIC_BROKER_CONFIG",
        ConfigSource::DynamicDefaultBrokerConfig => "DYNAMIC_DEFAULT_BROKER_CONFIG",
        ConfigSource::StaticBrokerConfig => "STATIC_BROKER_CONFIG",
        ConfigSource::DefaultConfig => "DEFAULT_CONFIG",
        ConfigSource::DynamicBrokerLoggerConfig => "DYNAMIC_BROKER_LOGGER_CONFIG",
        ConfigSource::ClientMetricsConfig => "CLIENT_METRICS_CONFIG",
        ConfigSource::GroupConfig => "GROUP_CONFIG",
    }
}

fn shown(entries: Vec<ConfigEntry>) -> BTreeMap<String, Shown> {
    let rows = entries.into_iter().map(|entry| {
        let synonyms = entry.synonyms.into_iter().map(|synonym| {
            let value = synonym.value.unwrap_or_else(|| "null".to_owned());
            (source_name(synonym.source).to_owned(), synonym.name, value)
        });
        let shown = Shown {
            value: entry.value,
            ty: entry.ty.map_or_else(|| "UNKNOWN".to_owned(), |ty| ty.to_string()),
            source: source_name(entry.source).to_owned(),
            read_only: entry.read_only,
            sensitive: entry.sensitive,
            synonyms: synonyms.collect(),
        };
        (entry.name, shown)
    });
    rows.collect()
}

fn map(settings: &[(&str, &str)]) -> ConfigMap {
    let owned = settings.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    owned.collect()
}

/// The layers of the broker that made the fixtures.
fn stock_layers() -> BrokerLayers {
    let of_start = fixture(BROKER_FIXTURE)
        .into_iter()
        .filter(|(_, shown)| shown.source == "STATIC_BROKER_CONFIG")
        .map(|(name, shown)| (name, shown.value.expect("a setting has a value")));
    BrokerLayers {
        dynamic_default: map(&INITIAL_DYNAMIC_DEFAULTS),
        ..BrokerLayers::new(of_start.collect()).expect("a stock broker's configuration is accepted")
    }
}

fn assert_same(ours: &BTreeMap<String, Shown>, stock: &BTreeMap<String, Shown>) {
    for (name, stock) in stock {
        assert_eq!(ours.get(name), Some(stock), "{name}");
    }
    assert_eq!(ours.len(), stock.len());
}

#[test]
fn the_tables_have_the_names_of_a_stock_broker() {
    for (table, text, count) in
        [(TOPIC_CONFIGS.as_slice(), TOPIC_FIXTURE, 33), (BROKER_CONFIGS.as_slice(), BROKER_FIXTURE, 340)]
    {
        let ours: Vec<_> = table.iter().map(|def| def.name.to_owned()).collect();
        let stock: Vec<_> = fixture(text).into_keys().collect();
        assert_eq!(ours, stock);
        assert_eq!(ours.len(), count);
        assert!(table.is_sorted_by(|a, b| a.name < b.name));
    }
}

#[test]
fn every_default_is_kafkas_or_listed_as_ours() {
    for (name, stock) in fixture(BROKER_FIXTURE) {
        let ours = broker_config(&name).expect("every name is in the table").default;
        let synonyms = stock.synonyms.iter();
        let kafkas = synonyms
            .filter(|(source, synonym, _)| source == "DEFAULT_CONFIG" && *synonym == name)
            .map(|(_, _, value)| value.as_str())
            .next();
        match OWN_DEFAULTS.iter().find(|own| own.name == name) {
            Some(own) => {
                assert_eq!(own.kafka, kafkas, "{name}");
                assert_ne!(ours, kafkas, "{name} is listed as ours");
            }
            None => assert_eq!(ours, kafkas, "{name}"),
        }
    }
}

#[test]
fn every_row_allows_its_own_default() {
    let tables: [&[&ConfigDef]; 4] =
        [&TOPIC_CONFIGS, &INTERNAL_TOPIC_CONFIGS, &BROKER_CONFIGS, &INTERNAL_BROKER_CONFIGS];
    for def in tables.concat() {
        assert!(!def.doc.is_empty(), "{}", def.name);
        if let Some(text) = def.default {
            let value = def.parse(text).expect(def.name);
            assert_eq!(value.to_string(), text, "{} is not in the form Kafka shows", def.name);
        }
    }
}

#[test]
fn topics_are_described_as_by_a_stock_broker() {
    let ours = shown(describe_topic(&ConfigMap::new(), &stock_layers(), |_| true));
    assert_same(&ours, &fixture(TOPIC_FIXTURE));
}

#[test]
fn the_broker_is_described_as_by_a_stock_broker() {
    let ours = shown(describe_broker(&stock_layers(), |_| true));
    let mut stock = fixture(BROKER_FIXTURE);
    for own in &OWN_DEFAULTS {
        let default = broker_config(own.name).and_then(|def| def.default).expect(own.name);
        let shown = stock.get_mut(own.name).expect(own.name);
        if shown.source == "DEFAULT_CONFIG" {
            shown.value = Some(default.to_owned());
        }
        shown.synonyms.retain(|(source, _, _)| source != "DEFAULT_CONFIG");
        let synonym = ("DEFAULT_CONFIG".to_owned(), own.name.to_owned(), default.to_owned());
        shown.synonyms.push(synonym);
    }
    assert_same(&ours, &stock);
}

#[test]
fn the_settings_of_a_stock_broker_make_a_configuration() {
    let config = BrokerConfig::resolve(&stock_layers()).expect("the settings are allowed");
    let names: Vec<_> = config.listeners.iter().map(|listener| listener.name.as_str()).collect();
    assert_eq!(names, ["PLAINTEXT"], "the controller's listener is not served");
    assert_eq!(config.node_id, 1);
    assert_eq!(config.log_dir, Path::new("/data"));
}

/// What `line` says in the form `name=value TYPE SOURCE ro sensitive [synonyms]`.
fn observed(line: &str) -> (String, Shown) {
    let (setting, synonyms) = line.split_once(" [").expect("synonyms");
    let mut words = setting.rsplitn(5, ' ');
    let mut word = || words.next().expect("a word").to_owned();
    let (sensitive, read_only, source, ty, setting) = (word(), word(), word(), word(), word());
    let (name, value) = setting.split_once('=').expect("a value");
    let shown = Shown {
        value: (value != "null").then(|| value.to_owned()),
        ty,
        source,
        read_only: read_only == "ro=true",
        sensitive: sensitive == "sens=true",
        synonyms: told_synonyms(synonyms.trim_end_matches(']')),
    };
    (name.to_owned(), shown)
}

fn assert_observed(ours: &BTreeMap<String, Shown>, lines: &[&str]) {
    for line in lines {
        let (name, stock) = observed(line);
        assert_eq!(ours.get(&name), Some(&stock), "{name}");
    }
}

/// Settings that a stock broker was started with to see how it shows them.
fn odd_layers() -> BrokerLayers {
    BrokerLayers {
        static_configs: map(&[
            ("broker.rack", ""),
            ("listener.name.plaintext.max.connections", "0100"),
            ("listener.name.plaintext.plain.sasl.jaas.config", "x"),
            ("listener.name.plaintext.ssl.keystore.password", "secret"),
            ("log.cleaner.min.cleanable.ratio", "0.50"),
            ("log.cleanup.policy", "compact, compact,delete"),
            ("log.flush.scheduler.interval.ms", "5000"),
            ("log.message.timestamp.type", "LogAppendTime "),
            ("log.retention.hours", "100"),
            ("log.roll.hours", "24"),
            ("log.segment.bytes", "1073741824"),
            ("message.max.bytes", "+2000"),
            ("metric.reporters", ""),
            ("ssl.keystore.password", "secret"),
            ("super.users", "User:a"),
            ("unstable.api.versions.enable", "TRUE"),
        ]),
        dynamic_default: map(&INITIAL_DYNAMIC_DEFAULTS),
        ..BrokerLayers::default()
    }
}

#[test]
fn odd_settings_are_described_as_by_a_stock_broker() {
    let broker = odd_layers();
    assert_observed(
        &shown(describe_broker(&broker, |_| true)),
        &[
            "broker.rack= STRING STATIC_BROKER_CONFIG ro=true sens=false [STATIC_BROKER_CONFIG:broker.rack=]",
            "listener.name.plaintext.max.connections=0100 INT STATIC_BROKER_CONFIG ro=true sens=false [STATIC_BROKER_CONFIG:listener.name.plaintext.max.connections=0100; DEFAULT_CONFIG:max.connections=2147483647]",
            "listener.name.plaintext.plain.sasl.jaas.config=null PASSWORD STATIC_BROKER_CONFIG ro=true sens=true [STATIC_BROKER_CONFIG:listener.name.plaintext.plain.sasl.jaas.config=null]",
            "listener.name.plaintext.ssl.keystore.password=null PASSWORD STATIC_BROKER_CONFIG ro=true sens=true [STATIC_BROKER_CONFIG:listener.name.plaintext.ssl.keystore.password=null; STATIC_BROKER_CONFIG:ssl.keystore.password=null]",
            "log.cleaner.min.cleanable.ratio=0.5 DOUBLE STATIC_BROKER_CONFIG ro=false sens=false [STATIC_BROKER_CONFIG:log.cleaner.min.cleanable.ratio=0.50; DEFAULT_CONFIG:log.cleaner.min.cleanable.ratio=0.5]",
            "log.cleanup.policy=compact,delete LIST STATIC_BROKER_CONFIG ro=false sens=false [STATIC_BROKER_CONFIG:log.cleanup.policy=compact, compact,delete; DEFAULT_CONFIG:log.cleanup.policy=delete]",
            "log.flush.interval.ms=null LONG DEFAULT_CONFIG ro=false sens=false []",
            "log.flush.scheduler.interval.ms=5000 LONG STATIC_BROKER_CONFIG ro=true sens=false [STATIC_BROKER_CONFIG:log.flush.scheduler.interval.ms=5000; DEFAULT_CONFIG:log.flush.scheduler.interval.ms=9223372036854775807]",
            "log.message.timestamp.type=LogAppendTime STRING STATIC_BROKER_CONFIG ro=false sens=false [STATIC_BROKER_CONFIG:log.message.timestamp.type=LogAppendTime ; DEFAULT_CONFIG:log.message.timestamp.type=CreateTime]",
            "log.retention.ms=null LONG DEFAULT_CONFIG ro=false sens=false []",
            "log.retention.minutes=null INT DEFAULT_CONFIG ro=true sens=false []",
            "log.retention.hours=100 INT STATIC_BROKER_CONFIG ro=true sens=false [STATIC_BROKER_CONFIG:log.retention.hours=100; DEFAULT_CONFIG:log.retention.hours=168]",
            "message.max.bytes=2000 INT STATIC_BROKER_CONFIG ro=false sens=false [STATIC_BROKER_CONFIG:message.max.bytes=+2000; DEFAULT_CONFIG:message.max.bytes=1048588]",
            "metric.reporters= LIST STATIC_BROKER_CONFIG ro=false sens=false [STATIC_BROKER_CONFIG:metric.reporters=; DEFAULT_CONFIG:metric.reporters=org.apache.kafka.common.metrics.JmxReporter]",
            "ssl.keystore.password=null PASSWORD STATIC_BROKER_CONFIG ro=false sens=true [STATIC_BROKER_CONFIG:ssl.keystore.password=null]",
            "super.users=null UNKNOWN STATIC_BROKER_CONFIG ro=true sens=true [STATIC_BROKER_CONFIG:super.users=null]",
            "unstable.api.versions.enable=TRUE BOOLEAN STATIC_BROKER_CONFIG ro=true sens=false [STATIC_BROKER_CONFIG:unstable.api.versions.enable=TRUE; DEFAULT_CONFIG:unstable.api.versions.enable=false]",
        ],
    );
    assert_observed(
        &shown(describe_topic(&ConfigMap::new(), &broker, |_| true)),
        &[
            "cleanup.policy=compact,delete LIST STATIC_BROKER_CONFIG ro=false sens=false [STATIC_BROKER_CONFIG:log.cleanup.policy=compact, compact,delete; DEFAULT_CONFIG:log.cleanup.policy=delete]",
            "flush.ms=5000 LONG DEFAULT_CONFIG ro=false sens=false []",
            "max.message.bytes=2000 INT STATIC_BROKER_CONFIG ro=false sens=false [STATIC_BROKER_CONFIG:message.max.bytes=+2000; DEFAULT_CONFIG:message.max.bytes=1048588]",
            "retention.ms=360000000 LONG DEFAULT_CONFIG ro=false sens=false []",
            "segment.ms=86400000 LONG DEFAULT_CONFIG ro=false sens=false []",
        ],
    );
}

#[test]
fn a_dynamic_config_supersedes_its_synonyms_as_in_a_stock_broker() {
    let broker = BrokerLayers {
        dynamic_broker: map(&[
            ("log.flush.interval.ms", "88"),
            ("log.retention.ms", "1000"),
            ("message.max.bytes", " 0100"),
            ("zork", "5"),
        ]),
        dynamic_default: map(&[
            ("leader.replication.throttled.rate", "5"),
            ("log.retention.ms", " 02000"),
            ("min.insync.replicas", "1"),
        ]),
        ..odd_layers()
    };
    assert_observed(
        &shown(describe_broker(&broker, |_| true)),
        &[
            "log.flush.interval.ms=88 LONG DYNAMIC_BROKER_CONFIG ro=false sens=false [DYNAMIC_BROKER_CONFIG:log.flush.interval.ms=88; STATIC_BROKER_CONFIG:log.flush.scheduler.interval.ms=5000; DEFAULT_CONFIG:log.flush.scheduler.interval.ms=9223372036854775807]",
            "log.flush.scheduler.interval.ms=9223372036854775807 LONG STATIC_BROKER_CONFIG ro=true sens=false [STATIC_BROKER_CONFIG:log.flush.scheduler.interval.ms=5000; DEFAULT_CONFIG:log.flush.scheduler.interval.ms=9223372036854775807]",
            "log.retention.hours=168 INT STATIC_BROKER_CONFIG ro=true sens=false [STATIC_BROKER_CONFIG:log.retention.hours=100; DEFAULT_CONFIG:log.retention.hours=168]",
            "log.retention.ms=1000 LONG DYNAMIC_BROKER_CONFIG ro=false sens=false [DYNAMIC_BROKER_CONFIG:log.retention.ms=1000; DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms= 02000; STATIC_BROKER_CONFIG:log.retention.hours=100; DEFAULT_CONFIG:log.retention.hours=168]",
            "leader.replication.throttled.rate=5 LONG DYNAMIC_DEFAULT_BROKER_CONFIG ro=false sens=false [DYNAMIC_DEFAULT_BROKER_CONFIG:leader.replication.throttled.rate=5]",
            "zork=null UNKNOWN DYNAMIC_BROKER_CONFIG ro=true sens=true [DYNAMIC_BROKER_CONFIG:zork=null]",
        ],
    );
    let overrides = map(&[
        ("cleanup.policy", "compact,compact, delete"),
        ("internal.segment.bytes", "500"),
        ("min.cleanable.dirty.ratio", "1e-5"),
        ("preallocate", "TRUE"),
        ("retention.ms", " +100 "),
    ]);
    assert_observed(
        &shown(describe_topic(&overrides, &broker, |_| true)),
        &[
            "cleanup.policy=compact,delete LIST DYNAMIC_TOPIC_CONFIG ro=false sens=false [DYNAMIC_TOPIC_CONFIG:cleanup.policy=compact,delete; STATIC_BROKER_CONFIG:log.cleanup.policy=compact, compact,delete; DEFAULT_CONFIG:log.cleanup.policy=delete]",
            "flush.ms=88 LONG DYNAMIC_BROKER_CONFIG ro=false sens=false [DYNAMIC_BROKER_CONFIG:log.flush.interval.ms=88; STATIC_BROKER_CONFIG:log.flush.scheduler.interval.ms=5000; DEFAULT_CONFIG:log.flush.scheduler.interval.ms=9223372036854775807]",
            "internal.segment.bytes=500 INT DYNAMIC_TOPIC_CONFIG ro=false sens=false [DYNAMIC_TOPIC_CONFIG:internal.segment.bytes=500]",
            "max.message.bytes=100 INT DYNAMIC_BROKER_CONFIG ro=false sens=false [DYNAMIC_BROKER_CONFIG:message.max.bytes= 0100; STATIC_BROKER_CONFIG:message.max.bytes=+2000; DEFAULT_CONFIG:message.max.bytes=1048588]",
            "min.cleanable.dirty.ratio=1.0E-5 DOUBLE DYNAMIC_TOPIC_CONFIG ro=false sens=false [DYNAMIC_TOPIC_CONFIG:min.cleanable.dirty.ratio=1.0E-5; STATIC_BROKER_CONFIG:log.cleaner.min.cleanable.ratio=0.50; DEFAULT_CONFIG:log.cleaner.min.cleanable.ratio=0.5]",
            "preallocate=true BOOLEAN DYNAMIC_TOPIC_CONFIG ro=false sens=false [DYNAMIC_TOPIC_CONFIG:preallocate=true; DEFAULT_CONFIG:log.preallocate=false]",
            "retention.ms=100 LONG DYNAMIC_TOPIC_CONFIG ro=false sens=false [DYNAMIC_TOPIC_CONFIG:retention.ms=100; DYNAMIC_BROKER_CONFIG:log.retention.ms=1000; DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms= 02000; STATIC_BROKER_CONFIG:log.retention.hours=100; DEFAULT_CONFIG:log.retention.hours=168]",
        ],
    );
}

#[test]
fn the_dynamic_defaults_are_described_as_by_a_stock_broker() {
    let broker = BrokerLayers {
        dynamic_default: map(&[
            ("listener.name.plaintext.max.connections", "100"),
            ("log.retention.ms", " 02000"),
            ("min.insync.replicas", "1"),
            ("zork", "1"),
        ]),
        ..stock_layers()
    };
    let ours = shown(describe_dynamic_default(&broker, |_| true));
    assert_observed(
        &ours,
        &[
            "listener.name.plaintext.max.connections=100 INT DYNAMIC_DEFAULT_BROKER_CONFIG ro=true sens=false [DYNAMIC_DEFAULT_BROKER_CONFIG:listener.name.plaintext.max.connections=100]",
            "log.retention.ms= 02000 LONG DYNAMIC_DEFAULT_BROKER_CONFIG ro=false sens=false [DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms= 02000]",
            "min.insync.replicas=1 INT DYNAMIC_DEFAULT_BROKER_CONFIG ro=false sens=false [DYNAMIC_DEFAULT_BROKER_CONFIG:min.insync.replicas=1]",
            "zork=null UNKNOWN DYNAMIC_DEFAULT_BROKER_CONFIG ro=true sens=true [DYNAMIC_DEFAULT_BROKER_CONFIG:zork=null]",
        ],
    );
    assert_eq!(ours.len(), 4);
}

/// CreateTopics shows values as they were set, and knows that hours set a topic's milliseconds.
#[test]
fn created_topics_are_shown_as_by_a_stock_broker() {
    let broker = BrokerLayers { dynamic_broker: map(&[("log.roll.ms", " 05000")]), ..odd_layers() };
    let overrides = map(&[("cleanup.policy", "compact,compact, delete"), ("retention.bytes", "7")]);
    let entries = created_topic(&overrides, &broker);
    assert_eq!(entries.len(), 33);
    for (name, value, source) in [
        ("cleanup.policy", "compact,compact, delete", "DYNAMIC_TOPIC_CONFIG"),
        ("flush.ms", "5000", "STATIC_BROKER_CONFIG"),
        ("max.message.bytes", "+2000", "STATIC_BROKER_CONFIG"),
        ("min.cleanable.dirty.ratio", "0.50", "STATIC_BROKER_CONFIG"),
        ("min.insync.replicas", "1", "DYNAMIC_DEFAULT_BROKER_CONFIG"),
        ("retention.bytes", "7", "DYNAMIC_TOPIC_CONFIG"),
        ("retention.ms", "360000000", "STATIC_BROKER_CONFIG"),
        ("segment.bytes", "1073741824", "STATIC_BROKER_CONFIG"),
        ("segment.jitter.ms", "0", "DEFAULT_CONFIG"),
        ("segment.ms", " 05000", "DYNAMIC_BROKER_CONFIG"),
    ] {
        let entry = entries.iter().find(|entry| entry.name == name).expect(name);
        assert_eq!(entry.value.as_deref(), Some(value), "{name}");
        assert_eq!(source_name(entry.source), source, "{name}");
        assert!(entry.synonyms.is_empty(), "{name}");
    }
}

/// `DescribeConfigsResponse.ConfigType` and `ConfigSource`.
#[test]
fn types_and_sources_have_the_codes_of_the_protocol() {
    let types = ConfigType::ALL.map(|ty| (ty.to_string(), ty.code()));
    let expected =
        ["BOOLEAN", "STRING", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS", "PASSWORD"].into_iter().zip(1..);
    assert!(types.iter().map(|(name, code)| (name.as_str(), *code)).eq(expected));
    let unknown = describe_broker(&odd_layers(), |name| name == "super.users");
    assert_eq!(unknown[0].type_code(), 0);
    let sources = [
        ConfigSource::DynamicTopicConfig,
        ConfigSource::DynamicBrokerConfig,
        ConfigSource::DynamicDefaultBrokerConfig,
        ConfigSource::StaticBrokerConfig,
        ConfigSource::DefaultConfig,
    ];
    assert!(sources.map(ConfigSource::code).into_iter().eq(1..=5));
}
