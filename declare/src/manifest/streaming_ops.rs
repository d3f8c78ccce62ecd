//! Topics as streaming-ops declares them: `{"topic": [{"name": …, "partitions": …, "config": "k=v,k=v"}]}`, alone or
//! within the clusters of its environments.

use super::field::{self, Field, FieldError};
use super::{ConfigText, Configs, DeclaredTopic, KAFKA_TOPIC, Read, Resource};
use crate::document::{Node, Value};

/// Whether a document has this form.
pub(super) fn is_one(document: &Node) -> bool {
    match &document.value {
        Value::List(environments) => {
            !environments.is_empty() && environments.iter().all(|environment| environment.member("kafka").is_some())
        }
        Value::Mapping(_) => document.member("topic").is_some_and(|topics| matches!(topics.value, Value::List(_))),
        Value::Scalar { .. } => false,
    }
}

/// Reads the topics; of what else an environment has, nothing has a place here.
pub(super) fn read(read: &mut Read, document: &Node) {
    match &document.value {
        Value::List(environments) => {
            let clusters = environments.iter().filter_map(|environment| environment.member("kafka"));
            for cluster in clusters.flat_map(elements) {
                topics(read, cluster);
            }
        }
        _ => topics(read, document),
    }
}

fn topics(read: &mut Read, cluster: &Node) {
    for topic in cluster.member("topic").map(elements).unwrap_or_default() {
        match declared(topic) {
            Ok(declared) => read.declare(topic.line, Resource::Topic(declared)),
            Err(error) => read.wrong_of(KAFKA_TOPIC, topic.member("name").and_then(Node::text), error),
        }
    }
}

fn declared(topic: &Node) -> Field<DeclaredTopic> {
    if !topic.is_mapping() {
        return Err(FieldError::new(topic.line, format!("a topic must be a mapping, not {}", topic.described())));
    }
    field::only(topic, "a topic", &["name", "partitions", "replication-factor", "config"])?;
    let name = field::text(topic, "name")?.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| FieldError::new(topic.line, "a topic's name is missing"))?;
    let configs = match field::optional(topic, "config") {
        None => Configs::new(),
        Some(config) if config.is_mapping() => field::configs(config)?,
        Some(config) => pairs(config)?,
    };
    Ok(DeclaredTopic {
        name: name.to_owned(),
        partitions: field::count(topic, "partitions")?,
        replication_factor: field::count(topic, "replication-factor")?,
        configs,
    })
}

/// `k=v,k=v`. A part without `=` goes on with the value before it, so that values may be lists: `cleanup.policy=compact,delete`.
fn pairs(config: &Node) -> Field<Configs> {
    let wrong = |reason: String| FieldError::new(config.line, reason);
    let text = config.text().ok_or_else(|| wrong(format!("config must be k=v,k=v, not {}", config.described())))?;
    let mut configs = Configs::new();
    let mut last: Option<String> = None;
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        match (part.split_once('='), &last) {
            (Some((name, value)), _) => {
                let name = name.trim().to_owned();
                let value = ConfigText { text: value.trim().to_owned(), line: config.line };
                if configs.insert(name.clone(), value).is_some() {
                    return Err(wrong(format!("config sets {name} twice")));
                }
                last = Some(name);
            }
            (None, Some(last)) => {
                if let Some(value) = configs.get_mut(last) {
                    value.text = format!("{},{part}", value.text);
                }
            }
            (None, None) => return Err(wrong(format!("config must be k=v,k=v, and {part} is not"))),
        }
    }
    Ok(configs)
}

fn elements(node: &Node) -> &[Node] {
    match &node.value {
        Value::List(elements) => elements,
        _ => &[],
    }
}
