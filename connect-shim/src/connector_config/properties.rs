//! A connector's config as its owner wrote it: names and texts (`Map<String, String>` throughout Connect).

use std::collections::BTreeMap;
use std::fmt;

/// Properties by name. A property may be there and null, as JSON allows and Connect keeps it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Properties(BTreeMap<String, Option<String>>);

impl Properties {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of a property; `None` if it is not there or null.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_deref()
    }

    /// Whether there is such a property, null or not.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Sets a property.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), Some(value.into()));
    }

    /// Sets a property to a value that may be null.
    pub fn set_nullable(&mut self, name: impl Into<String>, value: Option<String>) {
        self.0.insert(name.into(), value);
    }

    /// Takes a property away.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// All of them, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that begin with a prefix, without it (`AbstractConfig.originalsWithPrefix`).
    pub fn with_prefix(&self, prefix: &str) -> Self {
        let below =
            self.0.iter().filter_map(|(name, value)| Some((name.strip_prefix(prefix)?.to_owned(), value.clone())));
        Self(below.filter(|(name, _)| !name.is_empty()).collect())
    }

    /// These as a JSON object.
    pub fn to_json(&self) -> serde_json::Value {
        self.0.iter().map(|(name, value)| (name.clone(), serde_json::Value::from(value.clone()))).collect()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Properties {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), Some(value.into()))).collect())
    }
}

/// As Java prints a map: Connect quotes a config so in its messages.
impl fmt::Display for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (at, (name, value)) in self.iter().enumerate() {
            let separator = if at == 0 { "" } else { ", " };
            write!(f, "{separator}{name}={}", value.unwrap_or("null"))?;
        }
        f.write_str("}")
    }
}

/// Only the names: values may be secrets.
impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
