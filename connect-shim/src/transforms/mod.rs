//! Single message transforms: what becomes of a record between its task and its topic
//! (`org.apache.kafka.connect.transforms`, and Debezium's `io.debezium.transforms`).

mod cast;
mod chain;
mod decode_message_content;
mod drop_headers;
mod event_router;
mod event_router_config;
mod extract_changed_record_state;
mod extract_field;
mod extract_new_record_state;
mod field_path;
mod field_reference;
mod filter;
mod flatten;
mod header_from;
mod header_to_value;
mod hoist_field;
mod insert_field;
mod insert_header;
mod json_payload;
mod literal;
mod logical_topic_router;
mod mask_field;
mod operating;
mod partition_routing;
mod predicates;
mod regex_router;
mod replace_field;
mod set_schema_metadata;
mod shared_headers;
mod timestamp_converter;
mod timestamp_router;
mod timezone_converter;
mod value_to_key;

pub use chain::TransformationChain;
pub use predicates::{PREDICATES, Predicate, PredicatePlugin, predicate_plugin};

use operating::Side;

use crate::connector_config::{ConfigDef, ConfigError, ConfigKey, ConfigType, Importance, Properties};
use crate::data::{DataError, SourceRecord};

/// Changes records, one at a time.
pub trait Transformation: Send {
    /// What becomes of a record; `None` if it is dropped.
    ///
    /// # Errors
    /// That the record is not of a kind that this transform takes.
    fn apply(&mut self, record: SourceRecord) -> Result<Option<SourceRecord>, DataError>;

    /// Says that deletions and their tombstones come with the same headers, so that what is added to the one is added to the
    /// other. What comes back is whether they leave so.
    fn headers_are_shared(&mut self) -> bool {
        false
    }
}

type Create = fn(&Properties) -> Result<Box<dyn Transformation>, ConfigError>;
type CreateForSide = fn(Side, &Properties) -> Result<Box<dyn Transformation>, ConfigError>;

/// How a transform is made.
#[derive(Debug, Clone, Copy)]
enum Constructor {
    Whole(Create),
    Of(Side, CreateForSide),
}

/// A transform that can be named in a config.
#[derive(Debug)]
pub struct TransformPlugin {
    /// Its Java class.
    pub class: &'static str,
    /// Its properties.
    pub config_def: fn() -> ConfigDef,
    constructor: Constructor,
}

impl TransformPlugin {
    const fn whole(class: &'static str, config_def: fn() -> ConfigDef, create: Create) -> Self {
        Self { class, config_def, constructor: Constructor::Whole(create) }
    }

    const fn key(class: &'static str, config_def: fn() -> ConfigDef, create: CreateForSide) -> Self {
        Self { class, config_def, constructor: Constructor::Of(Side::Key, create) }
    }

    const fn value(class: &'static str, config_def: fn() -> ConfigDef, create: CreateForSide) -> Self {
        Self { class, config_def, constructor: Constructor::Of(Side::Value, create) }
    }

    /// Whether it is Debezium's, and not Kafka's own.
    pub fn of_debezium(&self) -> bool {
        self.class.starts_with("io.debezium.")
    }

    /// Makes a transform. Its properties are those under `transforms.<alias>.`.
    ///
    /// # Errors
    /// What is wrong with its properties.
    pub fn create(&self, properties: &Properties) -> Result<Box<dyn Transformation>, ConfigError> {
        match self.constructor {
            Constructor::Whole(create) => create(properties),
            Constructor::Of(side, create) => create(side, properties),
        }
    }
}

macro_rules! kafkas {
    ($name:literal) => {
        concat!("org.apache.kafka.connect.transforms.", $name)
    };
}

/// Every transform, sorted by class.
pub static TRANSFORMS: &[TransformPlugin] = &[
    TransformPlugin::whole(
        "io.debezium.connector.postgresql.transforms.DecodeLogicalDecodingMessageContent",
        decode_message_content::config_def,
        decode_message_content::create,
    ),
    TransformPlugin::whole(
        "io.debezium.transforms.ByLogicalTableRouter",
        logical_topic_router::config_def,
        logical_topic_router::create_table_router,
    ),
    TransformPlugin::whole(
        "io.debezium.transforms.ExtractChangedRecordState",
        extract_changed_record_state::config_def,
        extract_changed_record_state::create,
    ),
    TransformPlugin::whole(
        "io.debezium.transforms.ExtractNewRecordState",
        extract_new_record_state::config_def,
        extract_new_record_state::create,
    ),
    TransformPlugin::whole(
        "io.debezium.transforms.HeaderToValue",
        header_to_value::config_def,
        header_to_value::create,
    ),
    TransformPlugin::whole(
        "io.debezium.transforms.TimezoneConverter",
        timezone_converter::config_def,
        timezone_converter::create,
    ),
    TransformPlugin::whole(
        "io.debezium.transforms.ToLogicalTopicRouter",
        logical_topic_router::config_def,
        logical_topic_router::create,
    ),
    TransformPlugin::whole(
        "io.debezium.transforms.outbox.EventRouter",
        event_router_config::config_def,
        event_router::create,
    ),
    TransformPlugin::whole(
        "io.debezium.transforms.partitions.PartitionRouting",
        partition_routing::config_def,
        partition_routing::create,
    ),
    TransformPlugin::key(kafkas!("Cast$Key"), cast::config_def, cast::create),
    TransformPlugin::value(kafkas!("Cast$Value"), cast::config_def, cast::create),
    TransformPlugin::whole(kafkas!("DropHeaders"), drop_headers::config_def, drop_headers::create),
    TransformPlugin::key(kafkas!("ExtractField$Key"), extract_field::config_def, extract_field::create),
    TransformPlugin::value(kafkas!("ExtractField$Value"), extract_field::config_def, extract_field::create),
    TransformPlugin::whole(kafkas!("Filter"), filter::config_def, filter::create),
    TransformPlugin::key(kafkas!("Flatten$Key"), flatten::config_def, flatten::create),
    TransformPlugin::value(kafkas!("Flatten$Value"), flatten::config_def, flatten::create),
    TransformPlugin::key(kafkas!("HeaderFrom$Key"), header_from::config_def, header_from::create),
    TransformPlugin::value(kafkas!("HeaderFrom$Value"), header_from::config_def, header_from::create),
    TransformPlugin::key(kafkas!("HoistField$Key"), hoist_field::config_def, hoist_field::create),
    TransformPlugin::value(kafkas!("HoistField$Value"), hoist_field::config_def, hoist_field::create),
    TransformPlugin::key(kafkas!("InsertField$Key"), insert_field::config_def, insert_field::create),
    TransformPlugin::value(kafkas!("InsertField$Value"), insert_field::config_def, insert_field::create),
    TransformPlugin::whole(kafkas!("InsertHeader"), insert_header::config_def, insert_header::create),
    TransformPlugin::key(kafkas!("MaskField$Key"), mask_field::config_def, mask_field::create),
    TransformPlugin::value(kafkas!("MaskField$Value"), mask_field::config_def, mask_field::create),
    TransformPlugin::whole(kafkas!("RegexRouter"), regex_router::config_def, regex_router::create),
    TransformPlugin::key(kafkas!("ReplaceField$Key"), replace_field::config_def, replace_field::create),
    TransformPlugin::value(kafkas!("ReplaceField$Value"), replace_field::config_def, replace_field::create),
    TransformPlugin::key(
        kafkas!("SetSchemaMetadata$Key"),
        set_schema_metadata::config_def,
        set_schema_metadata::create,
    ),
    TransformPlugin::value(
        kafkas!("SetSchemaMetadata$Value"),
        set_schema_metadata::config_def,
        set_schema_metadata::create,
    ),
    TransformPlugin::key(
        kafkas!("TimestampConverter$Key"),
        timestamp_converter::config_def,
        timestamp_converter::create,
    ),
    TransformPlugin::value(
        kafkas!("TimestampConverter$Value"),
        timestamp_converter::config_def,
        timestamp_converter::create,
    ),
    TransformPlugin::whole(kafkas!("TimestampRouter"), timestamp_router::config_def, timestamp_router::create),
    TransformPlugin::whole(kafkas!("ValueToKey"), value_to_key::config_def, value_to_key::create),
];

/// The transform that a config names by its class, or by its class's name alone.
pub fn transform_plugin(class: &str) -> Option<&'static TransformPlugin> {
    TRANSFORMS.iter().find(|plugin| plugin.class == class || plugin.class.rsplit('.').next() == Some(class))
}

/// The property by which a transform may leave nulls as they are.
fn replace_null_with_default() -> ConfigKey {
    let doc = "Whether a field that is null and has a default gets its default.";
    ConfigKey::new("replace.null.with.default", ConfigType::Boolean, Importance::Medium, doc).or("true")
}
