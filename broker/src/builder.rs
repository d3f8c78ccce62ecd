//! How a broker is made: where its data is, where it listens, and any property by Kafka's own name.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use brooklet_storage::{DataDir, Error as StorageError};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::broker::Broker;
use crate::config::{BrokerConfig, BrokerLayers, ConfigError, ConfigMap};
use crate::loggers::LevelsChanged;
use crate::node::{Node, NodeConfig};
use crate::server::limits::ConnectionLimits;
use crate::server::listener::{BindError, BoundListener};
use crate::topics::{NewTopic, TopicError};

/// Within what time a dropped broker's tasks end, if its runtime runs.
const RELEASED_WITHIN: Duration = Duration::from_millis(500);

/// Why a broker did not start. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A property has a name that Kafka does not know, or a value that it does not allow.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A listener could not be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The data directory cannot be used.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A topic of the builder's could not be created.
    #[error("{0}")]
    Topic(String),
    /// The runtime of a broker for code that is not async could not be made.
    #[error("no runtime: {0}")]
    Runtime(#[source] std::io::Error),
    /// The temporary directory could not be made.
    #[error("no temporary directory: {0}")]
    Temporary(#[source] std::io::Error),
}

impl From<TopicError> for StartError {
    fn from(error: TopicError) -> Self {
        match error {
            TopicError::Config(error) => Self::Config(error),
            TopicError::Storage(error) => Self::Storage(error),
            other => Self::Topic(other.to_string()),
        }
    }
}

/// Where a broker listens.
#[derive(Debug, Clone, Default)]
enum Listen {
    /// What the property `listeners` says, or a free port of 127.0.0.1.
    #[default]
    FreePort,
    /// What the property `listeners` says, or its default.
    Default,
    /// On these addresses.
    On(Vec<String>),
    /// Nowhere.
    Off,
}

/// Makes a [`Broker`]. Without a word it keeps its data in a temporary directory, gone when the broker is, and listens
/// on a free port of 127.0.0.1.
#[derive(Debug, Clone, Default)]
#[must_use = "a builder does nothing until it is started"]
pub struct BrokerBuilder {
    data_dir: Option<PathBuf>,
    listen: Listen,
    properties: ConfigMap,
    topics: Vec<(String, i32)>,
    log_levels: Option<LevelsChanged>,
}

impl BrokerBuilder {
    /// Keeps data in a temporary directory that is removed when the broker stops or is dropped. This is the default.
    pub fn ephemeral(mut self) -> Self {
        self.data_dir = None;
        self
    }

    /// Keeps data in this directory, which is made if it is not there. A broker started on it later finds everything.
    pub fn data_dir(mut self, path: impl AsRef<Path>) -> Self {
        self.data_dir = Some(path.as_ref().to_owned());
        self
    }

    /// Listens on `HOST:PORT`; port 0 is a free one. May be said more than once, in place of the default and of the
    /// property `listeners`.
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        match &mut self.listen {
            Listen::On(addresses) => addresses.push(address.into()),
            other => *other = Listen::On(vec![address.into()]),
        }
        self
    }

    /// Listens where the property `listeners` says, which without a word is 127.0.0.1:9092, as the binary does.
    pub fn default_listeners(mut self) -> Self {
        self.listen = Listen::Default;
        self
    }

    /// Listens nowhere: the broker can be used in this process alone.
    pub fn without_listeners(mut self) -> Self {
        self.listen = Listen::Off;
        self
    }

    /// Sets any broker property by Kafka's name, as a line of `server.properties` does.
    pub fn set(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.insert(name.into(), value.into());
        self
    }

    /// Makes sure of a topic with this many partitions. One that exists is left as it is.
    pub fn topic(mut self, name: impl Into<String>, partitions: i32) -> Self {
        self.topics.push((name.into(), partitions));
        self
    }

    /// Calls `changed` whenever an administrator sets levels of loggers: with all that are set, in the form that
    /// `RUST_LOG` has. Without this, levels are kept and shown, and nothing follows them.
    pub fn on_log_levels(mut self, changed: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.log_levels = Some(LevelsChanged::new(changed));
        self
    }

    /// Starts the broker on the runtime that calls this. When it returns, clients can connect.
    ///
    /// # Errors
    /// [`StartError`] says what is wrong and, where it can, what to do.
    pub async fn start(self) -> Result<Broker, StartError> {
        let properties = self.all_properties();
        let layers = BrokerLayers::new(properties)?;
        let broker = BrokerConfig::resolve(&layers)?;
        let (directory, temporary) = match &self.data_dir {
            Some(path) => (path.clone(), None),
            None => {
                let temporary = TempDir::with_prefix("brooklet-").map_err(StartError::Temporary)?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        let mut listeners = Vec::new();
        if !matches!(self.listen, Listen::Off) {
            for listener in &broker.listeners {
                listeners.extend(BoundListener::bind(&broker, listener).await?);
            }
        }
        let data_dir = open_data_dir(&directory, broker.node_id).await?;
        let limits = ConnectionLimits::new(&broker);
        let endpoints = listeners.iter().map(|listener| Arc::clone(&listener.endpoint)).collect();
        let config = NodeConfig { layers, broker };
        let node = Node::start(data_dir, config, endpoints, self.log_levels.clone(), CancellationToken::new())?;
        for (name, partitions) in &self.topics {
            create_unless_there(&node, name, *partitions)?;
        }
        Ok(Broker::serve(node, listeners, &limits, temporary))
    }

    fn all_properties(&self) -> ConfigMap {
        let mut properties = self.properties.clone();
        match &self.listen {
            Listen::On(addresses) => {
                properties.insert("listeners".to_owned(), listeners_property(addresses));
            }
            Listen::FreePort if !properties.contains_key("listeners") => {
                properties.insert("listeners".to_owned(), listeners_property(&["127.0.0.1:0".to_owned()]));
            }
            Listen::FreePort | Listen::Default | Listen::Off => {}
        }
        properties
    }
}

/// The property `listeners` for plain addresses: the first is named as Kafka's only listener is, the others are
/// numbered.
fn listeners_property(addresses: &[String]) -> String {
    let named = addresses.iter().enumerate().map(|(index, address)| match index {
        0 => format!("PLAINTEXT://{address}"),
        _ => format!("PLAINTEXT_{}://{address}", index + 1),
    });
    named.collect::<Vec<_>>().join(",")
}

/// Opens the directory. A broker of this process that was dropped a moment ago has it until its last task has seen so.
async fn open_data_dir(directory: &Path, node_id: i32) -> Result<DataDir, StorageError> {
    let give_up = Instant::now() + RELEASED_WITHIN;
    loop {
        match DataDir::open(directory, node_id) {
            Err(StorageError::InUse { pid: Some(pid), .. })
                if pid == std::process::id() && Instant::now() < give_up =>
            {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            opened => return opened,
        }
    }
}

fn create_unless_there(node: &Node, name: &str, partitions: i32) -> Result<(), TopicError> {
    let made = node.topics.by_name_or_create(name, &node.config().layers, || NewTopic {
        name: name.to_owned(),
        partitions,
        replication_factor: node.default_replication_factor(),
        configs: ConfigMap::new(),
    });
    made.map(drop)
}
