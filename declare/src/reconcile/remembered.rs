//! What was declared once. What is not in here was made by somebody else, and is never taken away.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::plan::Step;
use crate::manifest::Resource;

/// The only version of the file that there has been.
const VERSION: u32 = 1;

/// Names of all that was declared and brought about. There are no values in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remembered {
    version: u32,
    /// The configs that were set, by topic.
    pub topics: BTreeMap<String, BTreeSet<String>>,
    /// Connectors.
    pub connectors: BTreeSet<String>,
    /// What the worker has looked up for each connector. Not kept: a worker that is started looks everything up.
    #[serde(skip)]
    pub(super) given: BTreeMap<String, Given>,
}

/// A connector's config with its secrets, by a number that changes with them and does not tell them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Given(u64);

impl Given {
    /// Of a config that is filled in; `None` if a secret is missing.
    pub(super) fn of(filled: Option<&BTreeMap<String, String>>) -> Self {
        let mut hasher = DefaultHasher::new();
        filled.hash(&mut hasher);
        Self(hasher.finish())
    }
}

impl Default for Remembered {
    fn default() -> Self {
        Self { version: VERSION, topics: BTreeMap::new(), connectors: BTreeSet::new(), given: BTreeMap::new() }
    }
}

impl Remembered {
    /// Reads what was kept; nothing if there is no such file.
    ///
    /// # Errors
    /// A file that cannot be read, or was written by something else.
    pub fn read(path: &Path) -> io::Result<Self> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        let remembered: Self = serde_json::from_str(&text)?;
        if remembered.version != VERSION {
            let message = format!("it is of version {}, and {VERSION} is known", remembered.version);
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(remembered)
    }

    /// Keeps it, in place of what was kept before: there is one of both whatever happens.
    ///
    /// # Errors
    /// What keeps the file from being written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let temporary = path.with_extension("tmp");
        let mut file = fs::File::create(&temporary)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    }

    pub(super) fn done(&mut self, step: &Step) {
        match step {
            Step::CreateTopic(topic) => {
                self.topics.insert(topic.name.clone(), topic.configs.keys().cloned().collect());
            }
            Step::AddPartitions { topic, .. } => drop(self.topics.entry(topic.clone()).or_default()),
            Step::AlterConfigs { topic, changes, .. } => {
                let configs = self.topics.entry(topic.clone()).or_default();
                configs.extend(changes.set.keys().cloned());
                configs.retain(|name| !changes.delete.contains(name));
            }
            Step::DeleteTopic(topic) => drop(self.topics.remove(topic)),
            Step::PutConnector { name, .. } | Step::SetState { name, .. } | Step::RestartConnector(name) => {
                self.connectors.insert(name.clone());
            }
            Step::DeleteConnector(name) => {
                self.connectors.remove(name);
                self.given.remove(name);
            }
        }
    }

    /// Something is as it is declared, whoever made it.
    pub(super) fn is_as_declared(&mut self, resource: &Resource) {
        match resource {
            Resource::Topic(topic) => {
                self.topics.insert(topic.name.clone(), topic.configs.keys().cloned().collect());
            }
            Resource::Connector(connector) => drop(self.connectors.insert(connector.name.clone())),
        }
    }
}
