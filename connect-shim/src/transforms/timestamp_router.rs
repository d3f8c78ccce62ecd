//! `TimestampRouter`: a topic named after the record's time.

use super::Transformation;
use crate::connector_config::{ConfigDef, ConfigError, ConfigKey, ConfigType, Importance, Properties};
use crate::data::{DataError, SourceRecord};
use crate::java::date_format::DateFormat;

struct TimestampRouter {
    topic_format: String,
    timestamp_format: DateFormat,
}

impl Transformation for TimestampRouter {
    fn apply(&mut self, mut record: SourceRecord) -> Result<Option<SourceRecord>, DataError> {
        let Some(timestamp) = record.timestamp else {
            return Err(DataError::new(format!("Timestamp missing on record: of topic {}", record.topic)));
        };
        let time = self.timestamp_format.format(timestamp);
        record.topic = self.topic_format.replace("${topic}", &record.topic).replace("${timestamp}", &time).into();
        Ok(Some(record))
    }
}

pub(super) fn config_def() -> ConfigDef {
    let text = |name, doc| ConfigKey::new(name, ConfigType::String, Importance::High, doc);
    let topic = "The new topic, in which ${topic} stands for the old one and ${timestamp} for the time.";
    ConfigDef::new()
        .define(text("topic.format", topic).or("${topic}-${timestamp}"))
        .define(text("timestamp.format", "The pattern of the time, as SimpleDateFormat has it.").or("yyyyMMdd"))
}

pub(super) fn create(properties: &Properties) -> Result<Box<dyn Transformation>, ConfigError> {
    let config = config_def().parse(properties)?;
    let timestamp_format = DateFormat::new(&config.string("timestamp.format")).map_err(ConfigError::new)?;
    Ok(Box::new(TimestampRouter { topic_format: config.string("topic.format"), timestamp_format }))
}
