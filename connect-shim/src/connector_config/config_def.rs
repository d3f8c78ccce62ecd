//! The properties that something has (`org.apache.kafka.common.config.ConfigDef`).

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{ConfigError, ConfigInfo, ConfigType, ConfigValue, Properties, Validator};

/// Text that is known when the program is built, or made from an alias.
pub type Text = Cow<'static, str>;

/// What stands for a property that is not given.
#[derive(Debug, Clone, PartialEq)]
pub enum ConfigDefault {
    /// It must be given.
    Required,
    /// Nothing.
    Null,
    /// What this text means.
    Is(Text),
}

/// How much a property matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Importance {
    /// Nothing works well without it.
    High,
    /// It makes a difference.
    Medium,
    /// Few need it.
    Low,
}

impl Importance {
    /// Its name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::High => "HIGH",
            Self::Medium => "MEDIUM",
            Self::Low => "LOW",
        }
    }
}

/// How wide a form shows a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// It does not say.
    None,
    /// A few characters.
    Short,
    /// A name.
    Medium,
    /// A sentence.
    Long,
}

impl Width {
    /// Its name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Short => "SHORT",
            Self::Medium => "MEDIUM",
            Self::Long => "LONG",
        }
    }
}

/// A property (`ConfigDef.ConfigKey`).
#[derive(Debug, Clone)]
pub struct ConfigKey {
    /// Its name.
    pub name: Text,
    /// What it holds.
    pub kind: ConfigType,
    /// What stands for it if it is not given.
    pub default: ConfigDefault,
    /// What it must be.
    pub validator: Validator,
    /// How many characters of its name the validator does not see: the prefix under which it was embedded.
    pub validator_skips: usize,
    /// How much it matters.
    pub importance: Importance,
    /// What it is for.
    pub documentation: Text,
    /// Under which heading it stands.
    pub group: Option<Text>,
    /// Where under that heading.
    pub order_in_group: i32,
    /// How wide a form shows it.
    pub width: Width,
    /// What a form calls it.
    pub display_name: Text,
    /// Which properties depend on it.
    pub dependents: Vec<Text>,
    /// What a form offers.
    pub recommended: Vec<Text>,
}

impl ConfigKey {
    /// A property that must be given, of no group.
    pub fn new(
        name: impl Into<Text>,
        kind: ConfigType,
        importance: Importance,
        documentation: impl Into<Text>,
    ) -> Self {
        let name = name.into();
        Self {
            display_name: name.clone(),
            name,
            kind,
            default: ConfigDefault::Required,
            validator: Validator::Any,
            validator_skips: 0,
            importance,
            documentation: documentation.into(),
            group: None,
            order_in_group: -1,
            width: Width::None,
            dependents: Vec::new(),
            recommended: Vec::new(),
        }
    }

    /// With a default.
    #[must_use]
    pub fn or(self, default: impl Into<Text>) -> Self {
        Self { default: ConfigDefault::Is(default.into()), ..self }
    }

    /// Which may be missing.
    #[must_use]
    pub fn optional(self) -> Self {
        Self { default: ConfigDefault::Null, ..self }
    }

    /// With what it must be.
    #[must_use]
    pub fn valid(self, validator: Validator) -> Self {
        Self { validator, ..self }
    }

    /// Under a heading.
    #[must_use]
    pub fn group(
        self,
        group: impl Into<Text>,
        order_in_group: i32,
        width: Width,
        display_name: impl Into<Text>,
    ) -> Self {
        Self { group: Some(group.into()), order_in_group, width, display_name: display_name.into(), ..self }
    }

    /// Without a heading, but with a place and a name on a form.
    #[must_use]
    pub fn display(self, order_in_group: i32, width: Width, display_name: impl Into<Text>) -> Self {
        Self { order_in_group, width, display_name: display_name.into(), ..self }
    }

    /// With what a form offers.
    #[must_use]
    pub fn recommend<T: Into<Text>>(self, recommended: impl IntoIterator<Item = T>) -> Self {
        Self { recommended: recommended.into_iter().map(Into::into).collect(), ..self }
    }

    /// Its default, read.
    pub fn default_value(&self) -> ConfigValue {
        match &self.default {
            ConfigDefault::Required | ConfigDefault::Null => ConfigValue::Null,
            ConfigDefault::Is(text) => self.kind.parse(&self.name, text).unwrap_or(ConfigValue::Null),
        }
    }

    /// Its value among these properties.
    ///
    /// # Errors
    /// That it is missing, is not of its type, or is not what it must be.
    pub fn parse(&self, properties: &Properties) -> Result<ConfigValue, ConfigError> {
        let value = match properties.value(&self.name) {
            Some(text) => self.kind.parse(&self.name, text)?,
            None if self.default == ConfigDefault::Required => return Err(ConfigError::missing(&self.name)),
            None => self.default_value(),
        };
        self.ensure_valid(&value)?;
        Ok(value)
    }

    /// Whether a value is what it must be.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn ensure_valid(&self, value: &ConfigValue) -> Result<(), ConfigError> {
        self.validator.ensure_valid(&self.name[self.validator_skips..], value)
    }
}

/// Properties in the order in which they are shown.
#[derive(Debug, Clone, Default)]
pub struct ConfigDef {
    keys: Vec<ConfigKey>,
}

impl ConfigDef {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more.
    #[must_use]
    pub fn define(mut self, key: ConfigKey) -> Self {
        self.keys.push(key);
        self
    }

    /// With all of another.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.keys.extend(other.keys);
        self
    }

    /// With all of another under a prefix and in a group, as `ConfigDef.embed` does it.
    pub fn embed(&mut self, prefix: &str, group: &str, starting_order: i32, mut child: Self) {
        child.sort();
        for (order, key) in (starting_order..).zip(child.keys) {
            let group = key.group.map_or_else(|| group.to_owned(), |own| format!("{group}: {own}"));
            self.keys.push(ConfigKey {
                name: format!("{prefix}{}", key.name).into(),
                group: Some(group.into()),
                order_in_group: order,
                validator_skips: prefix.len() + key.validator_skips,
                dependents: key.dependents.iter().map(|one| format!("{prefix}{one}").into()).collect(),
                ..key
            });
        }
    }

    /// The properties.
    pub fn keys(&self) -> &[ConfigKey] {
        &self.keys
    }

    /// A property.
    pub fn key(&self, name: &str) -> Option<&ConfigKey> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// The headings, in the order of their first properties.
    pub fn groups(&self) -> Vec<Text> {
        let mut groups: Vec<Text> = Vec::new();
        for group in self.keys.iter().filter_map(|key| key.group.as_ref()) {
            if !groups.contains(group) {
                groups.push(group.clone());
            }
        }
        groups
    }

    /// Reads properties, the unknown ones aside.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(&self, properties: &Properties) -> Result<Config, ConfigError> {
        let value = |key: &ConfigKey| Ok((key.name.clone(), key.parse(properties)?));
        Ok(Config { values: self.keys.iter().map(value).collect::<Result<_, ConfigError>>()? })
    }

    /// Says of each property what it is set to and what is wrong with that.
    pub fn validate(&self, properties: &Properties) -> Vec<ConfigInfo> {
        self.keys.iter().map(|key| ConfigInfo::of(key, properties)).collect()
    }

    /// Sorts as `ConfigDef.sortedConfigs`: by group, place in it, whether required, importance, name.
    fn sort(&mut self) {
        let groups = self.groups();
        let place = |key: &ConfigKey| {
            key.group.as_ref().map_or(0, |group| 1 + groups.iter().position(|one| one == group).unwrap_or(0))
        };
        self.keys.sort_by(|a, b| {
            let by_name = || (a.importance, &a.name).cmp(&(b.importance, &b.name));
            let required = |key: &ConfigKey| key.default != ConfigDefault::Required;
            place(a)
                .cmp(&place(b))
                .then_with(|| a.order_in_group.cmp(&b.order_in_group))
                .then_with(|| required(a).cmp(&required(b)))
                .then_with(by_name)
        });
    }
}

/// Properties that were read (`AbstractConfig`). What is asked for must have been defined; what was not, is null.
#[derive(Debug, Clone, Default)]
pub struct Config {
    values: BTreeMap<Text, ConfigValue>,
}

impl Config {
    /// The value of a property.
    pub fn value(&self, name: &str) -> &ConfigValue {
        self.values.get(name).unwrap_or(&ConfigValue::Null)
    }

    /// A text, a class or a secret.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.value(name) {
            ConfigValue::String(text) | ConfigValue::Class(text) | ConfigValue::Password(text) => Some(text),
            _ => None,
        }
    }

    /// A text that has a default or is required; empty if neither.
    pub fn string(&self, name: &str) -> String {
        self.text(name).unwrap_or_default().to_owned()
    }

    /// Whether a property is true.
    pub fn is(&self, name: &str) -> bool {
        *self.value(name) == ConfigValue::Boolean(true)
    }

    /// A number.
    pub fn number(&self, name: &str) -> Option<i64> {
        match self.value(name) {
            ConfigValue::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// Items; none if it is null.
    pub fn list(&self, name: &str) -> Vec<String> {
        match self.value(name) {
            ConfigValue::List(items) => items.clone(),
            _ => Vec::new(),
        }
    }
}
