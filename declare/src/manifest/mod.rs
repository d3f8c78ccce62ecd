//! What a file declares, in whichever of the known forms: Strimzi's manifests, the forms of streaming-ops, what Kafka
//! Connect's REST API takes, and the ConfigMaps that hold any of these.

mod connect_json;
mod field;
mod kubernetes;
mod streaming_ops;
mod strimzi;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::admin::RunState;
use crate::condition::{Condition, Place, Reason};
use crate::document::{Node, Value, parse_json, parse_yaml};

/// The kind of a topic, as Strimzi names it.
pub const KAFKA_TOPIC: &str = "KafkaTopic";
/// The kind of a connector, as Strimzi names it.
pub const KAFKA_CONNECTOR: &str = "KafkaConnector";

/// Something that is declared, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// Where.
    pub place: Place,
    /// What.
    pub resource: Resource,
}

/// What can be declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// A topic.
    Topic(DeclaredTopic),
    /// A connector.
    Connector(DeclaredConnector),
}

/// A topic as it shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredTopic {
    /// Its name.
    pub name: String,
    /// How many partitions; `None` is the broker's default, or what it has.
    pub partitions: Option<i32>,
    /// How many replicas of each; `None` is the broker's default, or what it has.
    pub replication_factor: Option<i16>,
    /// Its configs, as they are written: secrets are not filled in.
    pub configs: Configs,
}

/// A connector as it shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredConnector {
    /// Its name.
    pub name: String,
    /// Its config with `name` and `connector.class`, as it is written: secrets are not filled in.
    pub config: Configs,
    /// Whether it shall run; `None` leaves that to whoever asks its worker.
    pub state: Option<RunState>,
    /// Whether it shall run when it is made; after that, [`DeclaredConnector::state`] counts.
    pub initial_state: Option<RunState>,
}

/// Configs by name.
pub type Configs = BTreeMap<String, ConfigText>;

/// The value of a config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigText {
    /// As it is written.
    pub text: String,
    /// The line that sets it; 0 if none does.
    pub line: usize,
}

impl Resource {
    /// Its kind, by Strimzi's name.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Topic(_) => KAFKA_TOPIC,
            Self::Connector(_) => KAFKA_CONNECTOR,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Topic(topic) => &topic.name,
            Self::Connector(connector) => &connector.name,
        }
    }

    /// Its configs.
    pub fn configs(&self) -> &Configs {
        match self {
            Self::Topic(topic) => &topic.configs,
            Self::Connector(connector) => &connector.config,
        }
    }
}

/// What was read of a file.
#[derive(Debug, Clone)]
pub(crate) struct Read {
    pub(crate) declared: Vec<Declared>,
    pub(crate) conditions: Vec<Condition>,
    /// What is declared, but asks to be left alone.
    pub(crate) unmanaged: Vec<Resource>,
    /// Whether all that is declared is known.
    pub(crate) complete: bool,
    place: Place,
    in_config_map: bool,
}

/// Reads what a text declares: JSON if the file's name says so or it begins as JSON does, else YAML.
pub(crate) fn read(path: &Path, text: &str) -> Read {
    let mut read = Read::new(Place { file: Arc::from(path), line: 0 });
    read.text(path, text, 0);
    read
}

impl Read {
    fn new(place: Place) -> Self {
        let (declared, conditions, unmanaged) = (Vec::new(), Vec::new(), Vec::new());
        Self { declared, conditions, unmanaged, complete: true, place, in_config_map: false }
    }

    /// For a part of the same file.
    fn part(&self) -> Self {
        Self { in_config_map: self.in_config_map, ..Self::new(self.place.clone()) }
    }

    /// Reads a text that begins behind so many lines of the file. `path` is its name, which may stand for a connector's.
    fn text(&mut self, path: &Path, text: &str, lines_before: usize) {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let is_json = match ending {
            "json" => true,
            "yaml" | "yml" => false,
            _ => text.trim_start().starts_with(['{', '[']),
        };
        let (documents, error) = match is_json {
            true => match parse_json(text) {
                Ok(document) => (vec![document], None),
                Err(error) => (Vec::new(), Some(error)),
            },
            false => parse_yaml(text),
        };
        for document in &documents {
            self.document(path, document, lines_before);
        }
        if let Some(error) = error {
            self.wrong(error.line + lines_before, Reason::InvalidFile, error.reason);
        }
    }

    fn document(&mut self, path: &Path, document: &Node, lines_before: usize) {
        let mut read = self.part();
        if document.member("apiVersion").is_some() || document.member("kind").is_some() {
            kubernetes::read(&mut read, document);
        } else if streaming_ops::is_one(document) {
            streaming_ops::read(&mut read, document);
        } else if connect_json::is_one(document) {
            connect_json::read(&mut read, document, path);
        } else {
            let known = "expected a KafkaTopic, a KafkaConnector, {\"topic\": [...]}, or a connector's config";
            let found = match &document.value {
                Value::Mapping(entries) => {
                    let names: Vec<&str> = entries.iter().take(4).map(|entry| entry.key.as_str()).collect();
                    format!(
                        "a mapping with {}",
                        if names.is_empty() { "nothing in it".to_owned() } else { names.join(", ") }
                    )
                }
                _ => document.described().to_owned(),
            };
            read.wrong(document.line, Reason::UnknownKind, format!("{known}; found {found}"));
        }
        self.take(read, lines_before);
    }

    /// Takes over what was read of a part of the file that begins behind so many lines.
    fn take(&mut self, mut read: Read, lines_before: usize) {
        let moved = |place: &mut Place| place.line += lines_before;
        for declared in &mut read.declared {
            moved(&mut declared.place);
            let configs = match &mut declared.resource {
                Resource::Topic(topic) => &mut topic.configs,
                Resource::Connector(connector) => &mut connector.config,
            };
            configs.values_mut().filter(|config| config.line > 0).for_each(|config| config.line += lines_before);
        }
        read.conditions.iter_mut().filter_map(|condition| condition.place.as_mut()).for_each(moved);
        self.declared.append(&mut read.declared);
        self.conditions.append(&mut read.conditions);
        self.unmanaged.append(&mut read.unmanaged);
        self.complete &= read.complete;
    }

    fn declare(&mut self, line: usize, resource: Resource) {
        self.declared.push(Declared { place: self.place.at(line), resource });
    }

    fn wrong(&mut self, line: usize, reason: Reason, message: impl Into<String>) {
        self.complete = false;
        self.conditions.push(Condition::wrong(self.place.at(line), reason, message));
    }

    /// The same of a resource whose kind and perhaps name is known.
    fn wrong_of(&mut self, kind: &str, name: Option<&str>, error: field::FieldError) {
        self.complete = false;
        let condition = Condition::wrong(self.place.at(error.line), Reason::InvalidManifest, error.reason);
        self.conditions.push(condition.of(kind, name));
    }

    fn skipped(&mut self, line: usize, reason: Reason, message: &str, kind: &str, name: Option<&str>) {
        let condition = Condition::wrong(self.place.at(line), reason, message).of(kind, name);
        self.conditions.push(Condition { status: crate::condition::Status::Skipped, ..condition });
    }
}
