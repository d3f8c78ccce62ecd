//! Connectors as Kafka Connect's REST API takes them: `{"name": …, "config": {…}}` as for `POST /connectors`, or the
//! config alone as for `PUT /connectors/NAME/config`.

use std::path::Path;

use super::field::{self, Field, FieldError};
use super::{ConfigText, DeclaredConnector, KAFKA_CONNECTOR, Read, Resource};
use crate::admin::RunState;
use crate::document::Node;

const CLASS: &str = "connector.class";

/// Whether a document has this form.
pub(super) fn is_one(document: &Node) -> bool {
    document.member(CLASS).is_some() || document.member("config").is_some_and(Node::is_mapping)
}

/// Reads the connector. One whose config says no name has the file's.
pub(super) fn read(read: &mut Read, document: &Node, path: &Path) {
    match declared(document, path) {
        Ok(connector) => read.declare(document.line, Resource::Connector(connector)),
        Err(error) => read.wrong_of(KAFKA_CONNECTOR, document.member("name").and_then(Node::text), error),
    }
}

fn declared(document: &Node, path: &Path) -> Field<DeclaredConnector> {
    let (given, config, initial_state) = match document.member(CLASS) {
        Some(_) => (None, document, None),
        None => {
            field::only(document, "a connector", &["name", "config", "initial_state"])?;
            let config = field::mapping(document, "config")?;
            let config = config.ok_or_else(|| FieldError::new(document.line, "config is missing"))?;
            (field::text(document, "name")?, config, self::initial_state(document)?)
        }
    };
    let mut configs = field::configs(config)?;
    let inner = configs.get("name").map(|name| name.text.clone());
    let of_file = || path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned);
    let name = match (given, inner) {
        (Some(given), Some(inner)) if given != inner => {
            let line = configs.get("name").map_or(document.line, |name| name.line);
            return Err(FieldError::new(
                line,
                format!("the name {inner} in the config is not the connector's, {given}"),
            ));
        }
        (Some(given), _) => given.to_owned(),
        (None, Some(inner)) => inner,
        (None, None) => of_file().ok_or_else(|| FieldError::new(document.line, "the connector has no name"))?,
    };
    if name.trim().is_empty() {
        return Err(FieldError::new(document.line, "the connector's name is empty"));
    }
    if !configs.contains_key(CLASS) {
        return Err(FieldError::new(config.line, format!("{CLASS} is missing")));
    }
    configs.entry("name".to_owned()).or_insert_with(|| ConfigText { text: name.clone(), line: 0 });
    Ok(DeclaredConnector { name, config: configs, state: None, initial_state })
}

fn initial_state(document: &Node) -> Field<Option<RunState>> {
    let Some(text) = field::text(document, "initial_state")? else {
        return Ok(None);
    };
    match text.to_ascii_uppercase().as_str() {
        "RUNNING" => Ok(Some(RunState::Running)),
        "PAUSED" => Ok(Some(RunState::Paused)),
        "STOPPED" => Ok(Some(RunState::Stopped)),
        _ => Err(FieldError::new(
            document.member("initial_state").map_or(document.line, |state| state.line),
            format!("initial_state must be RUNNING, PAUSED or STOPPED, not {text}"),
        )),
    }
}
