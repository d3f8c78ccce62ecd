//! Manifests as Kubernetes has them, by their kind.

use std::path::Path;

use super::Read;
use super::strimzi;
use crate::condition::Reason;
use crate::document::{Node, Value};

/// The group of Strimzi's kinds.
const STRIMZI: &str = "kafka.strimzi.io/";

/// Reads a manifest, or a list of them.
pub(super) fn read(read: &mut Read, manifest: &Node) {
    let text = |name: &str| manifest.member(name).and_then(Node::text);
    let (Some(api_version), Some(kind)) = (text("apiVersion"), text("kind")) else {
        return read.wrong(manifest.line, Reason::UnknownKind, "a manifest has both, an apiVersion and a kind");
    };
    match (api_version, kind) {
        ("v1", "List") => list(read, manifest),
        ("v1", "ConfigMap") => config_map(read, manifest),
        _ if api_version.starts_with(STRIMZI) => strimzi::read(read, manifest, api_version, kind),
        _ => {
            let line = manifest.member("kind").map_or(manifest.line, |kind| kind.line);
            read.wrong(line, Reason::UnknownKind, format!("nothing is known of {kind} of {api_version}"));
        }
    }
}

fn list(read: &mut Read, manifest: &Node) {
    let Some(Value::List(items)) = manifest.member("items").map(|items| &items.value) else {
        return read.wrong(manifest.line, Reason::InvalidManifest, "a List has items");
    };
    for item in items {
        // A list within a list is none of Kubernetes', and would have no end.
        match item.member("kind").and_then(Node::text) {
            Some("List") => read.wrong(item.line, Reason::UnknownKind, "a List within a List"),
            _ => self::read(read, item),
        }
    }
}

/// What stands in a ConfigMap, each key as a file of its own. One with the label `enabled: "false"` is switched off, as
/// streaming-ops does it.
fn config_map(read: &mut Read, manifest: &Node) {
    let metadata = manifest.member("metadata");
    let name = metadata.and_then(|metadata| metadata.member("name")).and_then(Node::text);
    let enabled = metadata.and_then(|metadata| metadata.member("labels")).and_then(|labels| labels.member("enabled"));
    if enabled.and_then(Node::text) == Some("false") {
        return read.skipped(manifest.line, Reason::Unmanaged, "its label enabled is false", "ConfigMap", name);
    }
    if read.in_config_map {
        return read.wrong(manifest.line, Reason::UnknownKind, "a ConfigMap within a ConfigMap");
    }
    for entry in manifest.member("data").map(Node::entries).unwrap_or_default() {
        let Some(text) = entry.value.text() else {
            read.wrong(entry.line, Reason::InvalidManifest, format!("{} of a ConfigMap must be a text", entry.key));
            continue;
        };
        let mut inner = read.part();
        inner.in_config_map = true;
        // The text of a block begins in the line behind its key.
        let lines_before = if text.contains('\n') { entry.line } else { entry.line - 1 };
        inner.text(Path::new(&entry.key), text, lines_before);
        read.take(inner, 0);
    }
}
