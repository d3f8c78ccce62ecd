//! Settings from files, environment and flags, and which of them count.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::broker::{nearest_broker_config, resolve_broker_config};
use super::error::{ConfigError, did_you_mean};
use super::layers::{BrokerLayers, ConfigMap};
use super::properties::{PropertiesError, Property, parse_properties};
use super::suggestion::nearest;
#[cfg(feature = "cli")]
use super::yaml::{YamlError, parse_yaml};

/// What the name of an environment variable begins with that sets a config.
pub const ENVIRONMENT_PREFIX: &str = "BROOKLET_";

/// The place that set a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A configuration file.
    File {
        /// Its path, as it was given.
        path: Arc<Path>,
        /// Line, from 1.
        line: usize,
    },
    /// An environment variable of this name.
    Environment(String),
    /// A flag of this name.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// A value and the place that set it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The value as text.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// Settings that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LoadError {
    /// The file is no properties file.
    #[error("{}: {error}", .path.display())]
    Properties {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: PropertiesError,
    },
    /// The file is no YAML, or not a mapping of configs.
    #[cfg(feature = "cli")]
    #[error("{}: {error}", .path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: YamlError,
    },
    /// A name or value that is not allowed.
    #[error("{origin}: {error}")]
    Setting {
        /// Where it comes from.
        origin: Origin,
        /// What is wrong with it.
        error: ConfigError,
    },
    /// An environment variable that sets nothing.
    #[error("unknown environment variable {name}{}", did_you_mean(&.nearest.as_deref()))]
    UnknownVariable {
        /// Its name.
        name: String,
        /// The known name that is nearest to it, if one is near.
        nearest: Option<String>,
    },
    /// Values that are each allowed but not together.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Settings from all places, each from the one that counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings(BTreeMap<String, Setting>);

impl Settings {
    /// The settings of a configuration file: YAML if its name ends in `.yaml` or `.yml`, else Java properties, in
    /// which the last of a repeated name counts.
    ///
    /// # Errors
    /// A text that is not in the format, or a name or value that is not allowed.
    pub fn from_file(path: &Path, text: &str) -> Result<Self, LoadError> {
        let shared: Arc<Path> = path.into();
        let mut settings = Self::default();
        for Property { key, value, line } in parse_file(path, text)? {
            let origin = Origin::File { path: Arc::clone(&shared), line };
            settings.set(key, value, origin)?;
        }
        Ok(settings)
    }

    /// The settings of environment variables: `BROOKLET_` and the name of a config in capitals, with `_` for a dot,
    /// `__` for an underscore and `___` for a dash, as the images of Confluent and Bitnami have it.
    ///
    /// Variables without that prefix are not looked at, nor those in `own`, which the command line reads itself.
    ///
    /// # Errors
    /// A variable that names no config, or a value that is not allowed.
    pub fn from_environment(
        variables: impl IntoIterator<Item = (String, String)>,
        own: &[&str],
    ) -> Result<Self, LoadError> {
        let mut settings = Self::default();
        for (variable, value) in variables {
            let Some(encoded) = variable.strip_prefix(ENVIRONMENT_PREFIX) else {
                continue;
            };
            if own.contains(&variable.as_str()) {
                continue;
            }
            let name = name_of_variable(encoded);
            if let Err(ConfigError::UnknownBrokerConfig { .. }) = resolve_broker_config(&name) {
                return Err(unknown_variable(variable, &name, own));
            }
            settings.set(name, value, Origin::Environment(variable))?;
        }
        Ok(settings)
    }

    /// Adds a setting, in the place of an earlier one of the name.
    ///
    /// # Errors
    /// A name or value that is not allowed.
    pub fn set(&mut self, name: String, value: String, origin: Origin) -> Result<(), LoadError> {
        let checked =
            resolve_broker_config(&name).and_then(|def| def.map(|def| def.parse_as(&name, &value)).transpose());
        if let Err(error) = checked {
            return Err(LoadError::Setting { origin, error });
        }
        self.0.insert(name, Setting { value, origin });
        Ok(())
    }

    /// These settings, and where they set nothing those of `weaker`. Flags come before the environment, that before
    /// a file.
    ///
    /// Places that set the same thing by another name, such as `log.dir` and `log.dirs`, do not replace each other.
    pub fn or(mut self, weaker: Self) -> Self {
        for (name, setting) in weaker.0 {
            self.0.entry(name).or_insert(setting);
        }
        self
    }

    /// The setting of a name.
    pub fn get(&self, name: &str) -> Option<&Setting> {
        self.0.get(name)
    }

    /// All names and their settings, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Setting)> {
        self.0.iter().map(|(name, setting)| (name.as_str(), setting))
    }

    /// The layers of a broker that starts with these settings.
    ///
    /// # Errors
    /// Values that contradict each other, with the places they come from where one name is at fault.
    pub fn layers(&self) -> Result<BrokerLayers, LoadError> {
        let configs: ConfigMap = self.0.iter().map(|(name, setting)| (name.clone(), setting.value.clone())).collect();
        let resolved = BrokerLayers::new(configs).and_then(|layers| {
            super::BrokerConfig::resolve(&layers)?;
            Ok(layers)
        });
        resolved.map_err(|error| match error.name().and_then(|name| self.get(name)) {
            Some(setting) => LoadError::Setting { origin: setting.origin.clone(), error },
            None => LoadError::Config(error),
        })
    }
}

#[cfg(feature = "cli")]
fn parse_file(path: &Path, text: &str) -> Result<Vec<Property>, LoadError> {
    let extension = path.extension().unwrap_or_default();
    if extension == "yaml" || extension == "yml" {
        return parse_yaml(text).map_err(|error| LoadError::Yaml { path: path.to_owned(), error });
    }
    parse_properties_file(path, text)
}

#[cfg(not(feature = "cli"))]
fn parse_file(path: &Path, text: &str) -> Result<Vec<Property>, LoadError> {
    parse_properties_file(path, text)
}

fn parse_properties_file(path: &Path, text: &str) -> Result<Vec<Property>, LoadError> {
    parse_properties(text).map_err(|error| LoadError::Properties { path: path.to_owned(), error })
}

/// The config that a variable sets, from what follows its prefix.
fn name_of_variable(encoded: &str) -> String {
    let mut name = String::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some(first) = rest.chars().next() {
        let (text, encoded) = [("-", "___"), ("_", "__"), (".", "_")]
            .into_iter()
            .find(|(_, encoded)| rest.starts_with(encoded))
            .unwrap_or(("", &rest[..first.len_utf8()]));
        match text {
            "" => name.extend(first.to_lowercase()),
            text => name.push_str(text),
        }
        rest = &rest[encoded.len()..];
    }
    name
}

/// The variable that sets a config.
fn variable_of_name(name: &str) -> String {
    let encoded = name.replace('-', "___").replace('.', "\0").replace('_', "__");
    format!("{ENVIRONMENT_PREFIX}{}", encoded.replace('\0', "_").to_uppercase())
}

fn unknown_variable(variable: String, name: &str, own: &[&str]) -> LoadError {
    let config = nearest_broker_config(name).map(variable_of_name);
    let own = own.iter().copied();
    let known = own.chain(config.as_deref());
    let nearest = nearest(&variable, known).map(str::to_owned).or(config.clone());
    LoadError::UnknownVariable { name: variable, nearest }
}
