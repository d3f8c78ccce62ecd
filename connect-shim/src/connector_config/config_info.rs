//! What `config/validate` says of a property (`ConfigInfo`, `ConfigKeyInfo`, `ConfigValueInfo`).

use serde_json::{Value, json};

use super::{ConfigDefault, ConfigError, ConfigKey, ConfigType, ConfigValue, Importance, Properties};

/// A property, what it is set to, and what is wrong with that.
#[derive(Debug, Clone)]
pub struct ConfigInfo {
    /// The property.
    pub key: ConfigKey,
    /// What it is set to, as it is shown.
    pub value: Option<String>,
    /// What is wrong.
    pub errors: Vec<String>,
    /// Whether a form shows it.
    pub visible: bool,
    /// Whether there is such a property.
    pub known: bool,
}

impl ConfigInfo {
    /// What is to be said of a property (`ConfigDef.validate`): a value that is missing or cannot be read is looked at by
    /// the validator too, as null.
    pub fn of(key: &ConfigKey, properties: &Properties) -> Self {
        let mut errors = Vec::new();
        let parsed = match properties.value(&key.name) {
            Some(text) => key.kind.parse(&key.name, text),
            // Null where somebody has written so, whatever the default.
            None if properties.contains(&key.name) => Ok(ConfigValue::Null),
            None if key.default == ConfigDefault::Required => {
                errors.push(ConfigError::missing(&key.name).to_string());
                Ok(ConfigValue::Null)
            }
            None => Ok(key.default_value()),
        };
        let value = parsed.unwrap_or_else(|error| {
            errors.push(error.to_string());
            ConfigValue::Null
        });
        errors.extend(key.ensure_valid(&value).err().map(|error| error.to_string()));
        // A class that is not there is no value: Connect learns of it while it reads the text.
        let value = if key.kind == ConfigType::Class && !errors.is_empty() { ConfigValue::Null } else { value };
        Self { key: key.clone(), value: value.shown(), errors, visible: true, known: true }
    }

    /// What is said of a property of which nothing is known but that it is null.
    pub fn unknown(name: &str, error: &str) -> Self {
        let key = ConfigKey::new(name.to_owned(), ConfigType::String, Importance::Low, "");
        Self { key, value: None, errors: vec![error.to_owned()], visible: true, known: false }
    }

    /// As an answer of `config/validate`.
    pub fn to_json(&self) -> Value {
        json!({
            "definition": if self.known { definition(&self.key) } else { Value::Null },
            "value": {
                "name": self.key.name,
                "value": self.value,
                "recommended_values": self.key.recommended,
                "errors": self.errors,
                "visible": self.visible,
            }
        })
    }
}

/// A property as `connector-plugins/…/config` tells of it.
pub fn definition(key: &ConfigKey) -> Value {
    let default = match &key.default {
        ConfigDefault::Required | ConfigDefault::Null => None,
        ConfigDefault::Is(_) => key.default_value().shown(),
    };
    json!({
        "name": key.name,
        "type": key.kind.name(),
        "required": key.default == ConfigDefault::Required,
        "default_value": default,
        "importance": key.importance.name(),
        "documentation": key.documentation,
        "group": key.group,
        "order_in_group": key.order_in_group,
        "width": key.width.name(),
        "display_name": key.display_name,
        "dependents": key.dependents,
    })
}
