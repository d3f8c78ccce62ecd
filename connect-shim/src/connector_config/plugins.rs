//! Every class that a config can name (`org.apache.kafka.connect.runtime.isolation.Plugins`).

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    CONNECT_VERSION, ConfigDef, ConfigInfo, ConnectorPlugin, DEBEZIUM_VERSION, Properties, WorkerDefaults, definition,
    enrich, source_config_def,
};
use crate::converters;
use crate::transforms::{PREDICATES, TRANSFORMS, predicate_plugin, transform_plugin};

/// The connectors that there are, and what comes with Connect.
#[derive(Debug, Clone)]
pub struct Plugins {
    connectors: Arc<[Arc<dyn ConnectorPlugin>]>,
}

/// What is to be said of a connector's config (`ConfigInfos`).
#[derive(Debug, Clone)]
pub struct ConfigInfos {
    /// What `connector.class` says.
    pub name: String,
    /// The headings of all properties.
    pub groups: Vec<String>,
    /// The properties.
    pub configs: Vec<ConfigInfo>,
}

impl ConfigInfos {
    /// How much is wrong.
    pub fn error_count(&self) -> usize {
        self.configs.iter().map(|config| config.errors.len()).sum()
    }

    /// As an answer of `config/validate`.
    pub fn to_json(&self) -> Value {
        let configs: Vec<Value> = self.configs.iter().map(ConfigInfo::to_json).collect();
        json!({"name": self.name, "error_count": self.error_count(), "groups": self.groups, "configs": configs})
    }

    /// Everything that is wrong in one message (`AbstractHerder.maybeAddConfigErrors`); `None` if nothing is.
    pub fn refusal(&self) -> Option<String> {
        let count = self.error_count();
        if count == 0 {
            return None;
        }
        let mut message = format!("Connector configuration is invalid and contains the following {count} error(s):");
        for error in self.configs.iter().flat_map(|config| &config.errors) {
            message.push('\n');
            message.push_str(error);
        }
        message.push_str(
            "\nYou can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`",
        );
        Some(message)
    }
}

impl Plugins {
    /// These connectors.
    pub fn new(connectors: Vec<Arc<dyn ConnectorPlugin>>) -> Self {
        Self { connectors: connectors.into() }
    }

    /// The connector of a class, which may be named in full, by its last part, or without `Connector` at the end.
    ///
    /// # Errors
    /// That there is none, and which there are.
    pub fn connector(&self, class: &str) -> Result<&Arc<dyn ConnectorPlugin>, String> {
        let named = |plugin: &&Arc<dyn ConnectorPlugin>| {
            let simple = simple_name(plugin.class());
            plugin.class() == class || simple == class || simple.strip_suffix("Connector") == Some(class)
        };
        self.connectors.iter().find(named).ok_or_else(|| {
            let described = self.connectors.iter().map(|plugin| {
                let (class, version) = (plugin.class(), plugin.version());
                format!(
                    "PluginDesc{{klass=class {class}, name='{class}', version='{version}', encodedVersion={version}, \
                     type=source, typeName='source', location='classpath'}}"
                )
            });
            let available: Vec<String> = described.collect();
            format!(
                "Failed to find any class that implements Connector and which name matches {class}, available connectors \
                 are: {}",
                available.join(", ")
            )
        })
    }

    /// The list of all classes, or of connectors only.
    pub fn list(&self, connectors_only: bool) -> Value {
        let entry = |class: &str, kind: &str, version: &str| json!({"class": class, "type": kind, "version": version});
        let mut all: Vec<Value> =
            self.connectors.iter().map(|plugin| entry(plugin.class(), "source", plugin.version())).collect();
        if connectors_only {
            return all.into();
        }
        let version = |of_debezium| if of_debezium { DEBEZIUM_VERSION } else { CONNECT_VERSION };
        all.extend(TRANSFORMS.iter().map(|one| entry(one.class, "transformation", version(one.of_debezium()))));
        all.extend(PREDICATES.iter().map(|one| entry(one.class, "predicate", CONNECT_VERSION)));
        let converters = || converters::PLUGINS.iter();
        let for_data = converters().filter(|one| one.for_data);
        all.extend(for_data.map(|one| entry(one.class, "converter", version(one.of_debezium))));
        let for_headers = converters().filter(|one| one.for_headers);
        all.extend(for_headers.map(|one| entry(one.class, "header_converter", version(one.of_debezium))));
        all.into()
    }

    /// The properties of a class; `None` if there is no such class.
    pub fn config_def(&self, class: &str) -> Option<Value> {
        let keys = |def: &ConfigDef| Value::from(def.keys().iter().map(definition).collect::<Vec<_>>());
        if let Ok(plugin) = self.connector(class) {
            let own = plugin.config_def();
            let base = source_config_def(plugin.version(), &WorkerDefaults::default(), &Properties::new());
            let beside = base.keys().iter().filter(|key| own.key(&key.name).is_none()).cloned();
            return Some(keys(&beside.fold(own.clone(), ConfigDef::define)));
        }
        let transform = transform_plugin(class).map(|plugin| (plugin.config_def)());
        let predicate = || predicate_plugin(class).map(|plugin| (plugin.config_def)());
        let converter = || converters::plugin(class).map(|plugin| (plugin.config_def)());
        transform.or_else(predicate).or_else(converter).as_ref().map(keys)
    }

    /// What is to be said of a connector's config (`AbstractHerder.validateConnectorConfig`). What config providers know
    /// is filled in already.
    ///
    /// # Errors
    /// That it names no connector, or one that is not there.
    pub async fn validate(&self, properties: &Properties, defaults: &WorkerDefaults) -> Result<ConfigInfos, String> {
        let Some(class) = properties.value("connector.class") else {
            return Err(format!("Connector config {properties} contains no connector type"));
        };
        let plugin = self.connector(class.trim())?;
        let mut def = source_config_def(plugin.version(), defaults, properties);
        enrich(&mut def, properties);
        let mut groups: Vec<String> = def.groups().iter().map(ToString::to_string).collect();
        let mut configs = def.validate(properties);
        let own_def = plugin.config_def();
        for (name, _) in properties.iter().filter(|(_, value)| value.is_none()) {
            let error = "Null value can not be supplied as the configuration value.";
            match configs.iter_mut().find(|config| config.key.name == name) {
                Some(config) => config.errors.push(error.to_owned()),
                // Of a connector's own property its own words are told.
                None if own_def.key(name).is_some() => {}
                None => configs.insert(0, ConfigInfo::unknown(name, error)),
            }
        }
        let own = plugin.validate(properties).await;
        groups.extend(own_def.groups().iter().map(ToString::to_string));
        for info in own {
            // What a connector says of a property of all connectors adds to what is said already.
            match configs.iter_mut().find(|config| config.key.name == info.key.name) {
                Some(known) => known.errors.extend(info.errors),
                None => configs.push(info),
            }
        }
        for side in ["header", "key", "value"] {
            converter_infos(side, properties, &mut groups, &mut configs);
        }
        let mut distinct: Vec<String> = Vec::new();
        for group in groups {
            if !distinct.contains(&group) {
                distinct.push(group);
            }
        }
        Ok(ConfigInfos { name: class.to_owned(), groups: distinct, configs })
    }
}

/// The properties of a converter that the connector names itself.
fn converter_infos(side: &str, properties: &Properties, groups: &mut Vec<String>, configs: &mut Vec<ConfigInfo>) {
    let name = format!("{side}.converter");
    let Some(plugin) = properties.value(&name).and_then(|class| converters::plugin(class.trim())) else {
        return;
    };
    let prefix = format!("{name}.");
    let mut own = properties.with_prefix(&prefix);
    if !own.contains("converter.type") {
        own.set("converter.type", side);
    }
    let def = (plugin.config_def)();
    groups.extend(def.groups().iter().map(ToString::to_string));
    configs.extend(def.validate(&own).into_iter().chain((plugin.problems)(&own)).map(|mut info| {
        info.key.name = format!("{prefix}{}", info.key.name).into();
        info
    }));
}

fn simple_name(class: &str) -> &str {
    class.rsplit('.').next().unwrap_or(class)
}
