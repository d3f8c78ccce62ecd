//! The connector's configuration, from the properties that production has.

mod definition;
mod definitions;
mod enums;
mod properties;

use std::collections::BTreeMap;
use std::time::Duration;

pub use definition::{Check, Definition, Effect, all, config_def, validate};
pub(crate) use enums::*;
use properties::{Properties, error};

use super::column_mapper::{ColumnMapper, ColumnMappers, HashAlgorithm, HashInput};
use super::filters::{Selection, TableFilter, compile, split};
use super::name_adjustment::NameAdjustment;
use super::naming::{NamingStrategy, RenamingRule, TopicNaming};
use super::relational::TableId;
use super::types::{ConversionOptions, DecimalMode, HstoreMode, IntervalMode};
use crate::connector_config::class_not_found;
use crate::java::regex::JavaRegex;
use crate::postgres::{AutocreateMode, ConnectionConfig};

/// A property whose value will not do, in the words of Connect's validation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The '{property}' value is invalid: {message}")]
pub struct ConfigError {
    /// The property.
    pub property: String,
    /// What is wrong with it.
    pub message: String,
}

/// The connector's configuration.
#[derive(Debug, Clone)]
pub struct PostgresConnectorConfig {
    pub(crate) connection: ConnectionConfig,
    pub(crate) slot_name: String,
    pub(crate) slot_drop_on_stop: bool,
    pub(crate) slot_failover: bool,
    pub(crate) slot_max_retries: u32,
    pub(crate) slot_retry_delay: Duration,
    pub(crate) slot_stream_params: Vec<(String, String)>,
    pub(crate) publication_name: String,
    pub(crate) publication_mode: AutocreateMode,
    pub(crate) publish_via_partition_root: bool,
    /// Whether `skipped.operations` was said, which a publication that is made then follows.
    pub(crate) skipped_operations_given: bool,
    pub(crate) skipped_operations: Vec<Operation>,
    pub(crate) replica_identities: Vec<(JavaRegex, String)>,
    pub(crate) tables: TableFilter,
    pub(crate) columns: Selection,
    pub(crate) message_prefixes: Selection,
    pub(crate) message_key_columns: Vec<JavaRegex>,
    pub(crate) mappers: ColumnMappers,
    pub(crate) conversion: ConversionOptions,
    pub(crate) converting_failures: FailureHandling,
    pub(crate) processing_failures: FailureHandling,
    pub(crate) topics: TopicNaming,
    pub(crate) schema_names: NameAdjustment,
    pub(crate) field_names: NameAdjustment,
    pub(crate) extended_headers: bool,
    pub(crate) tombstones_on_delete: bool,
    pub(crate) skip_messages_without_change: bool,
    pub(crate) provide_transaction_metadata: bool,
    pub(crate) heartbeat_interval: Option<Duration>,
    pub(crate) heartbeat_action_query: Option<String>,
    pub(crate) snapshot: SnapshotConfig,
    pub(crate) streaming_delay: Duration,
    pub(crate) max_batch_size: usize,
    pub(crate) status_update_interval: Duration,
    pub(crate) xmin_fetch_interval: Option<Duration>,
    pub(crate) lsn_flush_mode: LsnFlushMode,
    pub(crate) log_position_check: bool,
    pub(crate) signal_channels: Vec<String>,
    pub(crate) signal_file: String,
    pub(crate) signal_poll_interval: Duration,
    /// Where signals come from, if they come from a topic.
    pub(crate) signal_topic: Option<SignalTopicConfig>,
    pub(crate) notification_channels: Vec<String>,
    pub(crate) notification_topic: Option<String>,
    /// Whether incremental snapshots do without writing to a signal table.
    pub(crate) read_only: bool,
    pub(crate) incremental_chunk_size: u32,
    pub(crate) watermarking: WatermarkingStrategy,
    pub(crate) guardrail: Option<(usize, bool)>,
    /// Which columns are read again from the tables.
    pub(crate) reselect: Option<ReselectConfig>,
    pub(crate) retry_delay: Duration,
}

/// How the first picture of the tables is taken.
#[derive(Debug, Clone)]
pub(crate) struct SnapshotConfig {
    pub(crate) mode: SnapshotMode,
    pub(crate) based: ConfigurationBased,
    pub(crate) isolation: SnapshotIsolation,
    pub(crate) lock: bool,
    pub(crate) lock_timeout: Duration,
    pub(crate) include: Option<Vec<JavaRegex>>,
    pub(crate) overrides: BTreeMap<String, String>,
    pub(crate) order_by_row_count: Option<bool>,
    pub(crate) delay: Duration,
}

/// A post-processor that reads columns again of which the stream does not tell.
#[derive(Debug, Clone)]
pub(crate) struct ReselectConfig {
    /// Which columns, as `schema.table:column`.
    pub(crate) columns: Selection,
    /// Whether those that the change did not touch.
    pub(crate) unavailable: bool,
    /// Whether those that are null.
    pub(crate) nulls: bool,
    /// Whether the event's key finds the row, and not the table's.
    pub(crate) by_event_key: bool,
    /// Whether the task fails if the row cannot be read.
    pub(crate) fails: bool,
}

/// A topic of signals.
#[derive(Debug, Clone)]
pub(crate) struct SignalTopicConfig {
    /// `signal.kafka.topic`.
    pub(crate) topic: String,
    /// `signal.kafka.groupId`: whose committed offset says which signals were taken.
    pub(crate) group: String,
}

/// What `snapshot.mode = configuration_based` does.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ConfigurationBased {
    pub(crate) data: bool,
    pub(crate) stream: bool,
    pub(crate) on_data_error: bool,
}

impl PostgresConnectorConfig {
    /// Reads the properties.
    ///
    /// # Errors
    /// The first property whose value will not do. [`validate`] tells of all of them.
    pub fn parse(properties: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let p = Properties(properties);
        let signal_tables = signal_tables(&p)?;
        let binary = p.one_of("binary.handling.mode")?;
        let signal_channels = split(p.text("signal.enabled.channels").unwrap_or("source"));
        let notification_channels = split(p.text("notification.enabled.channels").unwrap_or_default());
        Ok(Self {
            connection: connection(&p)?,
            slot_name: slot_name(&p)?,
            slot_drop_on_stop: p.flag("slot.drop.on.stop", false)?,
            slot_failover: p.flag("slot.failover", false)?,
            slot_max_retries: p.number("slot.max.retries", 6)?,
            slot_retry_delay: p.millis("slot.retry.delay.ms", 10_000)?,
            slot_stream_params: stream_params(p.text("slot.stream.params").unwrap_or_default()),
            publication_name: p.text("publication.name").unwrap_or("dbz_publication").to_owned(),
            publication_mode: p.one_of("publication.autocreate.mode")?,
            publish_via_partition_root: p.flag("publish.via.partition.root", false)?,
            skipped_operations_given: p.text("skipped.operations").is_some(),
            skipped_operations: skipped_operations(&p)?,
            replica_identities: replica_identities(&p)?,
            tables: TableFilter {
                schemas: p.selection("schema.include.list", "schema.exclude.list")?,
                tables: p.selection("table.include.list", "table.exclude.list")?,
                signal_tables,
            },
            columns: p.selection("column.include.list", "column.exclude.list")?,
            message_prefixes: p.selection("message.prefix.include.list", "message.prefix.exclude.list")?,
            message_key_columns: message_key_columns(&p)?,
            mappers: mappers(&p)?,
            conversion: ConversionOptions {
                decimal: p.one_of::<DecimalMode>("decimal.handling.mode")?,
                time: p.one_of("time.precision.mode")?,
                binary,
                interval: p.one_of::<IntervalMode>("interval.handling.mode")?,
                hstore: p.one_of::<HstoreMode>("hstore.handling.mode")?,
                include_unknown: p.flag("include.unknown.datatypes", false)?,
                money_fraction_digits: p.number("money.fraction.digits", 2)?,
                placeholder: placeholder(&p)?,
            },
            converting_failures: match p.text("event.converting.failure.handling.mode") {
                None => FailureHandling::Warn,
                Some(_) => p.one_of("event.converting.failure.handling.mode")?,
            },
            processing_failures: p.one_of("event.processing.failure.handling.mode")?,
            topics: topics(&p)?,
            schema_names: p.one_of("schema.name.adjustment.mode")?,
            field_names: p.one_of("field.name.adjustment.mode")?,
            extended_headers: p.flag("extended.headers.enabled", true)?,
            tombstones_on_delete: p.flag("tombstones.on.delete", true)?,
            skip_messages_without_change: p.flag("skip.messages.without.change", false)?,
            provide_transaction_metadata: p.flag("provide.transaction.metadata", false)?,
            heartbeat_interval: p.interval("heartbeat.interval.ms")?,
            heartbeat_action_query: p.text("heartbeat.action.query").map(str::to_owned),
            snapshot: snapshot(&p)?,
            streaming_delay: p.millis("streaming.delay.ms", 0)?,
            max_batch_size: p.number("max.batch.size", 2048usize)?.clamp(1, 65_536),
            status_update_interval: p.millis("status.update.interval.ms", 10_000)?.max(Duration::from_millis(100)),
            xmin_fetch_interval: p.interval("xmin.fetch.interval.ms")?,
            lsn_flush_mode: match p.text("lsn.flush.mode") {
                Some(_) => p.one_of("lsn.flush.mode")?,
                None if p.flag("flush.lsn.source", true)? => LsnFlushMode::Connector,
                None => LsnFlushMode::Manual,
            },
            log_position_check: p.flag("internal.log.position.check.enable", true)?,
            signal_file: p.text("signal.file").unwrap_or("file-signals.txt").to_owned(),
            signal_poll_interval: p.millis("signal.poll.interval.ms", 5000)?.max(Duration::from_millis(50)),
            signal_topic: signal_topic(&p, &signal_channels)?,
            signal_channels,
            notification_topic: notification_topic(&p, &notification_channels)?,
            notification_channels,
            read_only: p.flag("read.only", false)?,
            incremental_chunk_size: p.number("incremental.snapshot.chunk.size", 1024u32)?.max(1),
            watermarking: p.one_of("incremental.snapshot.watermarking.strategy")?,
            guardrail: guardrail(&p)?,
            reselect: reselect(&p)?,
            retry_delay: p.millis("retriable.restart.connector.wait.ms", 10_000)?,
        })
    }

    /// How long to wait before a task that ended with an error that may go by itself is started again
    /// (`retriable.restart.connector.wait.ms`).
    pub fn retry_delay(&self) -> Duration {
        self.retry_delay
    }
}

/// How to reach the database, whatever else is wrong.
///
/// # Errors
/// The first property of the connection whose value will not do.
pub(crate) fn connection_of(properties: &BTreeMap<String, String>) -> Result<ConnectionConfig, ConfigError> {
    connection(&Properties(properties))
}

fn connection(p: &Properties<'_>) -> Result<ConnectionConfig, ConfigError> {
    let statements = p.text("database.initial.statements").unwrap_or_default();
    // Two semicolons are one within a statement.
    let statements = statements.replace(";;", "\u{0}");
    let statements = statements.split(';').map(|statement| statement.trim().replace('\u{0}', ";"));
    Ok(ConnectionConfig {
        host: p.required("database.hostname")?,
        port: p.number("database.port", 5432)?,
        user: p.required("database.user")?,
        password: p.0.get("database.password").cloned(),
        database: p.required("database.dbname")?,
        ssl_mode: p.one_of("database.sslmode")?,
        ssl_root_cert: p.text("database.sslrootcert").map(Into::into),
        ssl_cert: p.text("database.sslcert").map(Into::into),
        ssl_key: p.text("database.sslkey").map(Into::into),
        initial_statements: statements.filter(|statement| !statement.is_empty()).collect(),
        tcp_keepalive: p.flag("database.tcpKeepAlive", true)?,
        connect_timeout: Duration::from_secs(30),
    })
}

fn slot_name(p: &Properties<'_>) -> Result<String, ConfigError> {
    let name = p.text("slot.name").unwrap_or("debezium");
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if name.len() > 63 || !name.bytes().all(allowed) {
        return Err(error(
            "slot.name",
            "Valid replication slot name must contain only digits, lowercase characters and underscores with length <= 63",
        ));
    }
    Ok(name.to_owned())
}

fn stream_params(text: &str) -> Vec<(String, String)> {
    let pairs = text.split(';').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
}

fn signal_topic(p: &Properties<'_>, channels: &[String]) -> Result<Option<SignalTopicConfig>, ConfigError> {
    if !channels.iter().any(|channel| channel == "kafka") {
        return Ok(None);
    }
    // The broker's own topic is read. That Debezium would not start without is said all the same.
    p.required("signal.kafka.bootstrap.servers")?;
    let topic = match p.text("signal.kafka.topic") {
        Some(topic) => topic.to_owned(),
        None => format!("{}-signal", p.required("topic.prefix")?),
    };
    Ok(Some(SignalTopicConfig { topic, group: p.text("signal.kafka.groupId").unwrap_or("kafka-signal").to_owned() }))
}

fn notification_topic(p: &Properties<'_>, channels: &[String]) -> Result<Option<String>, ConfigError> {
    let topic = p.text("notification.sink.topic.name").map(str::to_owned);
    if channels.iter().any(|channel| channel == "sink") && topic.is_none() {
        return Err(error("notification.sink.topic.name", definition::NO_NOTIFICATION_TOPIC));
    }
    Ok(topic)
}

fn signal_tables(p: &Properties<'_>) -> Result<Vec<TableId>, ConfigError> {
    let names = split(p.text("signal.data.collection").unwrap_or_default());
    let parse = |name: &String| {
        TableId::parse(name).ok_or_else(|| error("signal.data.collection", "A name such as 'schema.table' is expected"))
    };
    names.iter().map(parse).collect()
}

fn skipped_operations(p: &Properties<'_>) -> Result<Vec<Operation>, ConfigError> {
    let names = split(p.text("skipped.operations").unwrap_or("t"));
    if names.iter().any(|name| name == "none") {
        return Ok(Vec::new());
    }
    let parse = |name: &String| match name.as_str() {
        "c" | "r" => Ok(Operation::Create),
        "u" => Ok(Operation::Update),
        "d" => Ok(Operation::Delete),
        "t" => Ok(Operation::Truncate),
        _ => Err(error("skipped.operations", "Value must be a list of 'c', 'u', 'd' and 't', or 'none'")),
    };
    names.iter().map(parse).collect()
}

fn replica_identities(p: &Properties<'_>) -> Result<Vec<(JavaRegex, String)>, ConfigError> {
    const NAME: &str = "replica.identity.autoset.values";
    let mut rules = Vec::new();
    for rule in split(p.text(NAME).unwrap_or_default()) {
        let (table, identity) = rule.split_once(':').ok_or_else(|| error(NAME, "A rule is '<table>:<identity>'"))?;
        let words: Vec<&str> = identity.split_whitespace().collect();
        let identity = match words[..] {
            [word] if ["FULL", "DEFAULT", "NOTHING"].contains(&word.to_uppercase().as_str()) => word.to_uppercase(),
            [index, name] if index.eq_ignore_ascii_case("INDEX") => {
                format!("USING INDEX {}", crate::postgres::identifier(name))
            }
            _ => return Err(error(NAME, "An identity is FULL, DEFAULT, NOTHING or INDEX with its name")),
        };
        rules.push((compile(table).map_err(|bad| error(NAME, &bad.to_string()))?, identity));
    }
    Ok(rules)
}

fn message_key_columns(p: &Properties<'_>) -> Result<Vec<JavaRegex>, ConfigError> {
    const NAME: &str = "message.key.columns";
    let mut patterns = Vec::new();
    for rule in p.text(NAME).unwrap_or_default().split(';').filter(|rule| !rule.trim().is_empty()) {
        let (table, columns) = rule.split_once(':').ok_or_else(|| {
            error(NAME, &format!("{rule} has an invalid format (expecting '^\\s*([^\\s:]+):([^:\\s]+)\\s*$')"))
        })?;
        for column in columns.split(',') {
            let pattern = format!("{}.{}", table.trim(), column.trim());
            patterns.push(compile(&pattern).map_err(|bad| error(NAME, &bad.to_string()))?);
        }
    }
    Ok(patterns)
}

fn mappers(p: &Properties<'_>) -> Result<ColumnMappers, ConfigError> {
    let mut mappers = ColumnMappers::default();
    let mut add = |name: &str, list: &str, by_type: bool, mapper: ColumnMapper| {
        mappers.add(list, by_type, mapper).map_err(|bad| error(name, &bad.to_string()))
    };
    for (name, length, list) in p.matching("column.truncate.to.", ".chars") {
        let length = length.parse().map_err(|_| error(name, "A number of characters is expected"))?;
        add(name, list, false, ColumnMapper::Truncate(length))?;
    }
    for (name, length, list) in p.matching("column.mask.with.", ".chars") {
        let length: usize = length.parse().map_err(|_| error(name, "A number of characters is expected"))?;
        add(name, list, false, ColumnMapper::Mask("*".repeat(length.min(65_536)).into()))?;
    }
    // The first rule that means a column is the one: who asks for a column's type does not get its hash.
    for (name, by_type) in [("column.propagate.source.type", false), ("datatype.propagate.source.type", true)] {
        if let Some(list) = p.text(name) {
            add(name, list, by_type, ColumnMapper::PropagateType)?;
        }
    }
    for (name, rest, list) in p.matching("column.mask.hash.", "") {
        let (rest, input) = match rest.strip_prefix("v2.") {
            Some(rest) => (rest, HashInput::V2),
            None => (rest, HashInput::V1),
        };
        let (algorithm, salt) =
            rest.split_once(".with.salt.").ok_or_else(|| error(name, "A hash algorithm and a salt are expected"))?;
        let algorithm = HashAlgorithm::parse(algorithm)
            .ok_or_else(|| error(name, &format!("{algorithm} MessageDigest not available")))?;
        add(name, list, false, ColumnMapper::Hash(algorithm, salt.into(), input))?;
    }
    Ok(mappers)
}

fn placeholder(p: &Properties<'_>) -> Result<Vec<u8>, ConfigError> {
    const NAME: &str = "unavailable.value.placeholder";
    let text = p.text(NAME).unwrap_or("__debezium_unavailable_value");
    let Some(digits) = text.strip_prefix("hex:") else { return Ok(text.as_bytes().to_vec()) };
    let digit = |at: usize| digits.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    (0..digits.len()).step_by(2).map(|at| digit(at).ok_or_else(|| error(NAME, "Not hexadecimal octets"))).collect()
}

fn topics(p: &Properties<'_>) -> Result<TopicNaming, ConfigError> {
    let prefix = p.required("topic.prefix")?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if !prefix.bytes().all(allowed) {
        return Err(error(
            "topic.prefix",
            &format!(
                "{prefix} has invalid format (only the underscore, hyphen, dot and alphanumeric characters are allowed)"
            ),
        ));
    }
    let text = |name: &str, default: &str| p.text(name).unwrap_or(default).to_owned();
    Ok(TopicNaming {
        strategy: naming_strategy(p)?,
        prefix,
        delimiter: text("topic.delimiter", "."),
        heartbeat_prefix: text("topic.heartbeat.prefix", "__debezium-heartbeat"),
        heartbeat_name: p.text("topic.heartbeat.name").map(str::to_owned),
        transaction: text("topic.transaction", "transaction"),
    })
}

fn naming_strategy(p: &Properties<'_>) -> Result<NamingStrategy, ConfigError> {
    const NAME: &str = "topic.naming.strategy";
    let class = p.text(NAME).unwrap_or("io.debezium.schema.SchemaTopicNamingStrategy");
    let known = || class.strip_prefix("io.debezium.schema.")?.strip_suffix("TopicNamingStrategy");
    let (without_schema, variant) = match known().unwrap_or_default() {
        name if name.starts_with("Default") => (true, &name["Default".len()..]),
        name if name.starts_with("Schema") => (false, &name["Schema".len()..]),
        _ => return Err(error(NAME, &class_not_found(class))),
    };
    let strategy = NamingStrategy { without_schema, unicode: variant == "Unicode", rule: None };
    match variant {
        "" | "Unicode" => Ok(strategy),
        "Regex" => Ok(NamingStrategy { rule: Some(renaming_rule(p)?.into()), ..strategy }),
        _ => Err(error(NAME, &class_not_found(class))),
    }
}

fn renaming_rule(p: &Properties<'_>) -> Result<RenamingRule, ConfigError> {
    let pattern = |name: &str, text: &str| {
        crate::java::regex::compile(text)
            .map_err(|bad| error(name, &format!("'{text}' is not a regular expression: {bad}")))
    };
    let key_rule = match p.text("topic.key.field.regex") {
        Some(text) => Some((pattern("topic.key.field.regex", text)?, p.required("topic.key.field.replacement")?)),
        None => None,
    };
    let unique = p.flag("topic.key.enforce.uniqueness", true)?;
    let key_field = p.text("topic.key.field.name").unwrap_or("__dbz__physicalTableIdentifier");
    Ok(RenamingRule {
        regex: pattern("topic.regex", &p.required("topic.regex")?)?,
        replacement: p.required("topic.replacement")?,
        key_field: unique.then(|| key_field.into()),
        key_rule,
    })
}

fn snapshot(p: &Properties<'_>) -> Result<SnapshotConfig, ConfigError> {
    const OVERRIDES: &str = "snapshot.select.statement.overrides";
    let mut overrides = BTreeMap::new();
    for table in split(p.text(OVERRIDES).unwrap_or_default()) {
        let name = format!("{OVERRIDES}.{table}");
        overrides.insert(table, p.required(&name)?);
    }
    let include = p.text("snapshot.include.collection.list").map(|list| {
        let compiled = split(list).iter().map(|pattern| compile(pattern)).collect::<Result<Vec<_>, _>>();
        compiled.map_err(|bad| error("snapshot.include.collection.list", &bad.to_string()))
    });
    let based = |name: &str| p.flag(&format!("snapshot.mode.configuration.based.{name}"), false);
    Ok(SnapshotConfig {
        mode: p.one_of("snapshot.mode")?,
        based: ConfigurationBased {
            data: based("snapshot.data")?,
            stream: based("start.stream")?,
            on_data_error: based("snapshot.on.data.error")?,
        },
        isolation: p.one_of("snapshot.isolation.mode")?,
        lock: p.text("snapshot.locking.mode").is_some_and(|mode| mode.eq_ignore_ascii_case("shared")),
        lock_timeout: p.millis("snapshot.lock.timeout.ms", 10_000)?,
        include: include.transpose()?,
        overrides,
        order_by_row_count: match p.text("snapshot.tables.order.by.row.count").unwrap_or("disabled") {
            "disabled" => None,
            "ascending" => Some(true),
            "descending" => Some(false),
            _ => {
                return Err(error(
                    "snapshot.tables.order.by.row.count",
                    "Value must be one of disabled, ascending, descending",
                ));
            }
        },
        delay: p.millis("snapshot.delay.ms", 0)?,
    })
}

fn reselect(p: &Properties<'_>) -> Result<Option<ReselectConfig>, ConfigError> {
    const CLASS: &str = "io.debezium.processors.reselect.ReselectColumnsPostProcessor";
    let mut found = None;
    for alias in split(p.text("post.processors").unwrap_or_default()) {
        let own = |name: &str| format!("{alias}.{name}");
        let class = p.required(&own("type"))?;
        if class != CLASS {
            return Err(error(&own("type"), &class_not_found(&class)));
        }
        found = Some(ReselectConfig {
            columns: p.selection(&own("reselect.columns.include.list"), &own("reselect.columns.exclude.list"))?,
            unavailable: p.flag(&own("reselect.unavailable.values"), true)?,
            nulls: p.flag(&own("reselect.null.values"), true)?,
            by_event_key: p.flag(&own("reselect.use.event.key"), false)?,
            fails: p.text(&own("reselect.error.handling.mode")).is_some_and(|mode| mode.eq_ignore_ascii_case("fail")),
        });
    }
    Ok(found)
}

fn guardrail(p: &Properties<'_>) -> Result<Option<(usize, bool)>, ConfigError> {
    let max: i64 = p.number("guardrail.collections.max", 0)?;
    let fail = p.text("guardrail.collections.limit.action").is_some_and(|action| action.eq_ignore_ascii_case("fail"));
    Ok(usize::try_from(max).ok().filter(|max| *max > 0).map(|max| (max, fail)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn properties(more: &[(&str, &str)]) -> BTreeMap<String, String> {
        let base = [
            ("database.hostname", "db"),
            ("database.user", "u"),
            ("database.dbname", "shop"),
            ("topic.prefix", "shop"),
        ];
        base.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn defaults_are_debeziums() {
        let config = PostgresConnectorConfig::parse(&properties(&[])).unwrap();
        assert_eq!(config.slot_name, "debezium");
        assert_eq!(config.connection.port, 5432);
        assert_eq!(config.skipped_operations, [Operation::Truncate]);
        assert_eq!(config.snapshot.mode, SnapshotMode::Initial);
        assert_eq!(config.conversion.placeholder, b"__debezium_unavailable_value");
    }

    #[test]
    fn a_bad_value_is_named() {
        let refused = |name, value| PostgresConnectorConfig::parse(&properties(&[(name, value)])).unwrap_err().property;
        assert_eq!(refused("slot.name", "My-Slot"), "slot.name");
        assert_eq!(refused("decimal.handling.mode", "exact"), "decimal.handling.mode");
        assert_eq!(refused("tombstones.on.delete", "yes"), "tombstones.on.delete");
        assert_eq!(refused("table.include.list", "("), "table.include.list");
        assert_eq!(refused("column.mask.hash.CRC.with.salt.x", "a.b.c"), "column.mask.hash.CRC.with.salt.x");
    }

    #[test]
    fn none_is_skipped_if_none_is_said() {
        let config = PostgresConnectorConfig::parse(&properties(&[("skipped.operations", "none")])).unwrap();
        assert!(config.skipped_operations.is_empty());
    }
}
