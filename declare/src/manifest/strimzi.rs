//! Strimzi's `KafkaTopic` and `KafkaConnector`, in `kafka.strimzi.io/v1` and `v1beta2`.

use super::field::{self, Field, FieldError};
use super::{ConfigText, DeclaredConnector, DeclaredTopic, KAFKA_CONNECTOR, KAFKA_TOPIC, Read, Resource};
use crate::admin::RunState;
use crate::condition::Reason;
use crate::document::Node;

const V1: &str = "kafka.strimzi.io/v1";
const V1BETA2: &str = "kafka.strimzi.io/v1beta2";
/// What Strimzi runs itself, and what comes to have a place here.
const ELSEWHERE: [&str; 10] = [
    "Kafka",
    "KafkaNodePool",
    "KafkaConnect",
    "KafkaUser",
    "KafkaMirrorMaker",
    "KafkaMirrorMaker2",
    "KafkaBridge",
    "KafkaRebalance",
    "KafkaAccess",
    "StrimziPodSet",
];
/// Annotations that ask the operator to leave a resource alone, and the value that means so.
const LEAVE_ALONE: [(&str, &str); 2] = [("strimzi.io/managed", "false"), ("strimzi.io/pause-reconciliation", "true")];

/// Reads a manifest of Strimzi's.
pub(super) fn read(read: &mut Read, manifest: &Node, api_version: &str, kind: &str) {
    let metadata = manifest.member("metadata");
    let name = metadata.and_then(|metadata| metadata.member("name")).and_then(Node::text);
    if ELSEWHERE.contains(&kind) {
        let message = "nothing is done about this kind here";
        return read.skipped(manifest.line, Reason::Unsupported, message, kind, name);
    }
    if kind != KAFKA_TOPIC && kind != KAFKA_CONNECTOR {
        let line = manifest.member("kind").map_or(manifest.line, |kind| kind.line);
        return read.wrong(line, Reason::UnknownKind, format!("nothing is known of {kind} of {api_version}"));
    }
    if api_version != V1 && api_version != V1BETA2 {
        let line = manifest.member("apiVersion").map_or(manifest.line, |version| version.line);
        let reason = format!("{kind} is known in {V1} and {V1BETA2}, not in {api_version}");
        return read.wrong_of(kind, name, FieldError::new(line, reason));
    }
    let annotations = metadata.and_then(|metadata| metadata.member("annotations"));
    let resource = match kind {
        KAFKA_TOPIC => topic(manifest).map(Resource::Topic),
        _ => connector(manifest).map(Resource::Connector),
    };
    let resource = match resource {
        Ok(resource) => resource,
        Err(error) => return read.wrong_of(kind, name, error),
    };
    for (annotation, value) in LEAVE_ALONE {
        let set = annotations.and_then(|annotations| annotations.member(annotation)).and_then(Node::text);
        if set == Some(value) {
            read.unmanaged(manifest.line, resource, &format!("its annotation {annotation} is {value}"));
            return;
        }
    }
    read.declare(manifest.line, resource);
}

impl Read {
    /// Something that is declared but asks to be left alone. It is not deleted either: who declares it again finds it as it
    /// was.
    fn unmanaged(&mut self, line: usize, resource: Resource, message: &str) {
        self.skipped(line, Reason::Unmanaged, message, resource.kind(), Some(resource.name()));
        self.unmanaged.push(resource);
    }
}

fn name(manifest: &Node) -> Field<&str> {
    let metadata = field::mapping(manifest, "metadata")?;
    let name = metadata.map(|metadata| field::text(metadata, "name")).transpose()?.flatten();
    name.filter(|name| !name.is_empty()).ok_or_else(|| FieldError::new(manifest.line, "metadata.name is missing"))
}

fn topic(manifest: &Node) -> Field<DeclaredTopic> {
    let name = name(manifest)?;
    let none = DeclaredTopic {
        name: name.to_owned(),
        partitions: None,
        replication_factor: None,
        configs: Default::default(),
    };
    let Some(spec) = field::mapping(manifest, "spec")? else {
        return Ok(none);
    };
    field::only(spec, "the spec of a KafkaTopic", &["topicName", "partitions", "replicas", "config"])?;
    Ok(DeclaredTopic {
        name: field::text(spec, "topicName")?.unwrap_or(name).to_owned(),
        partitions: field::count(spec, "partitions")?,
        replication_factor: field::count(spec, "replicas")?,
        configs: field::mapping(spec, "config")?.map(field::configs).transpose()?.unwrap_or_default(),
    })
}

fn connector(manifest: &Node) -> Field<DeclaredConnector> {
    let name = name(manifest)?;
    let missing = |what: &str| FieldError::new(manifest.line, format!("{what} is missing"));
    let spec = field::mapping(manifest, "spec")?.ok_or_else(|| missing("spec"))?;
    let fields =
        ["class", "tasksMax", "version", "config", "state", "pause", "autoRestart", "listOffsets", "alterOffsets"];
    field::only(spec, "the spec of a KafkaConnector", &fields)?;
    let class = field::text(spec, "class")?.ok_or_else(|| missing("spec.class"))?;
    let tasks_max = field::count::<i32>(spec, "tasksMax")?;
    let mut config = field::mapping(spec, "config")?.map(field::configs).transpose()?.unwrap_or_default();
    let line = |field: &str| spec.member(field).map_or(0, |node| node.line);
    for (property, field) in [("name", "metadata.name"), ("connector.class", "class"), ("tasks.max", "tasksMax")] {
        if let Some(set) = config.get(property) {
            return Err(FieldError::new(set.line, format!("{property} is not set by the config but by {field}")));
        }
    }
    config.insert("name".to_owned(), ConfigText { text: name.to_owned(), line: 0 });
    config.insert("connector.class".to_owned(), ConfigText { text: class.to_owned(), line: line("class") });
    if let Some(tasks_max) = tasks_max {
        config.insert("tasks.max".to_owned(), ConfigText { text: tasks_max.to_string(), line: line("tasksMax") });
    }
    let state = match (field::text(spec, "state")?, field::truth(spec, "pause")?) {
        (Some("running"), _) | (None, None | Some(false)) => RunState::Running,
        (Some("paused"), _) | (None, Some(true)) => RunState::Paused,
        (Some("stopped"), _) => RunState::Stopped,
        (Some(other), _) => {
            let reason = format!("state must be running, paused or stopped, not {other}");
            return Err(FieldError::new(line("state"), reason));
        }
    };
    Ok(DeclaredConnector { name: name.to_owned(), config, state: Some(state), initial_state: None })
}
