//! What there is, as manifests that declare it.

use std::fmt::Write;

use crate::admin::{ConnectorState, RunState, TopicState};

/// A topic as a `KafkaTopic` manifest. A name that Kubernetes does not allow stands in `topicName`.
pub fn topic(topic: &TopicState, cluster: Option<&str>) -> String {
    let resource = resource_name(&topic.name);
    let mut out = head("KafkaTopic", &resource, cluster);
    if resource != topic.name {
        line(&mut out, 2, "topicName", &quoted(&topic.name));
    }
    line(&mut out, 2, "partitions", &topic.partitions.to_string());
    if let Some(replicas) = topic.replication_factor {
        line(&mut out, 2, "replicas", &replicas.to_string());
    }
    if !topic.configs.is_empty() {
        out.push_str("  config:\n");
        topic.configs.iter().for_each(|(name, value)| line(&mut out, 4, name, &quoted(value)));
    }
    out
}

/// A connector as a `KafkaConnector` manifest. What looks like a secret is not shown: `${env:NAME}` stands for it, unless it
/// is a reference already.
pub fn connector(name: &str, connector: &ConnectorState, cluster: Option<&str>) -> String {
    let mut out = head("KafkaConnector", name, cluster);
    let value = |name: &str| connector.config.get(name).map(String::as_str);
    line(&mut out, 2, "class", &quoted(value("connector.class").unwrap_or_default()));
    if let Some(tasks_max) = value("tasks.max") {
        line(&mut out, 2, "tasksMax", tasks_max);
    }
    match connector.state {
        None | Some(RunState::Running) => {}
        Some(state) => line(&mut out, 2, "state", &state.to_string()),
    }
    out.push_str("  config:\n");
    for (property, value) in &connector.config {
        if ["name", "connector.class", "tasks.max"].contains(&property.as_str()) {
            continue;
        }
        let shown = if is_secret(property) && !value.contains("${") { variable(name, property) } else { value.clone() };
        line(&mut out, 4, property, &quoted(&shown));
    }
    out
}

fn head(kind: &str, name: &str, cluster: Option<&str>) -> String {
    let mut out = format!("---\napiVersion: kafka.strimzi.io/v1\nkind: {kind}\nmetadata:\n  name: {}\n", quoted(name));
    if let Some(cluster) = cluster {
        let _ = writeln!(out, "  labels:\n    strimzi.io/cluster: {}", quoted(cluster));
    }
    out.push_str("spec:\n");
    out
}

fn line(out: &mut String, indent: usize, name: &str, value: &str) {
    let _ = writeln!(out, "{:indent$}{}: {value}", "", plain_or_quoted(name));
}

/// A text that is a text whatever it looks like. JSON's texts are YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn plain_or_quoted(name: &str) -> String {
    let is_plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c));
    if is_plain { name.to_owned() } else { quoted(name) }
}

/// A name as Kubernetes allows it (RFC 1123): the topic's own where it is one, else the nearest with a mark of the whole.
fn resource_name(topic: &str) -> String {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let is_edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if topic.chars().all(allowed) && topic.starts_with(is_edge) && topic.ends_with(is_edge) {
        return topic.to_owned();
    }
    let near: String = topic.to_ascii_lowercase().chars().map(|c| if allowed(c) { c } else { '-' }).collect();
    // FNV-1a, so that topics which come to look alike have names of their own.
    let mark = topic
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    format!("{}-{:08x}", near.trim_matches(|c| c == '-' || c == '.'), mark & 0xffff_ffff).trim_matches('-').to_owned()
}

fn is_secret(property: &str) -> bool {
    let name = property.to_ascii_lowercase();
    let words = ["password", "secret", "token", "credential", "jaas", "passphrase", "private", "api.key", "user.info"];
    words.iter().any(|word| name.contains(word))
}

/// `${env:CONNECTOR_PROPERTY}`.
fn variable(connector: &str, property: &str) -> String {
    let name = format!("{connector}_{property}").to_ascii_uppercase();
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    format!("${{env:{name}}}")
}
