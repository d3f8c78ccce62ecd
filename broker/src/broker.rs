//! A running broker, as the program that runs it sees it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::builder::BrokerBuilder;
use crate::metrics::Exposition;
use crate::node::Node;
use crate::server::limits::ConnectionLimits;
use crate::server::listener::BoundListener;

/// How long to wait, once nobody is served any more, for what still runs beside.
const TASKS_END: Duration = Duration::from_millis(200);

/// A running broker. It stops when [`Broker::shutdown`] is called, or when it is dropped: the first lets clients finish
/// and closes files in order, the second is as sudden as the end of the process, which loses nothing either.
#[derive(Debug)]
pub struct Broker {
    node: Arc<Node>,
    bootstrap_servers: String,
    serving: JoinSet<()>,
    /// Removed when this is dropped.
    temporary: Option<TempDir>,
}

/// Where clients reach the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The listener's name.
    pub listener: String,
    /// Where it is bound.
    pub bound: SocketAddr,
    /// The address that clients are told, as `host:port`.
    pub advertised: String,
}

/// Who can tell of a broker's metrics while it is there.
#[derive(Debug, Clone)]
pub struct MetricsSource {
    node: Weak<Node>,
}

impl MetricsSource {
    /// As [`Broker::metrics`]; `None` once the broker is gone.
    pub fn metrics(&self, partitions: bool) -> Option<Exposition> {
        Some(crate::metrics::exposition(&*self.node.upgrade()?, partitions))
    }
}

impl Broker {
    /// Describes a broker to start.
    pub fn builder() -> BrokerBuilder {
        BrokerBuilder::default()
    }

    /// Starts a broker for code that is not async: it gets a small runtime of its own, on one thread.
    ///
    /// ```
    /// let broker = brooklet::Broker::start_blocking(brooklet::Broker::builder()).unwrap();
    /// std::net::TcpStream::connect(broker.bootstrap_servers()).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`BrokerBuilder::start`].
    ///
    /// # Panics
    /// When called from async code, which has a runtime already.
    pub fn start_blocking(builder: BrokerBuilder) -> Result<crate::blocking::BlockingBroker, crate::StartError> {
        crate::blocking::BlockingBroker::start(builder)
    }

    pub(crate) fn serve(
        node: Arc<Node>,
        listeners: Vec<BoundListener>,
        limits: &Arc<ConnectionLimits>,
        temporary: Option<TempDir>,
    ) -> Self {
        let mut serving = JoinSet::new();
        for listener in listeners {
            serving.spawn(listener.serve(Arc::clone(&node), Arc::clone(limits)));
        }
        let bootstrap_servers = node.endpoints.first().map(|endpoint| endpoint.advertised()).unwrap_or_default();
        Self { node, bootstrap_servers, serving, temporary }
    }

    /// What a client needs to know: `host:port` of the first listener.
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// All listeners.
    pub fn addresses(&self) -> Vec<Address> {
        let endpoints = self.node.endpoints.iter();
        let addresses = endpoints.map(|endpoint| Address {
            listener: endpoint.listener.clone(),
            bound: endpoint.bound,
            advertised: endpoint.advertised(),
        });
        addresses.collect()
    }

    /// Where the data is, as an absolute path.
    pub fn data_dir(&self) -> &Path {
        self.node.data_dir.path()
    }

    /// The cluster's id, as clients see it.
    pub fn cluster_id(&self) -> &str {
        self.node.data_dir.cluster_id()
    }

    /// What the broker has counted, as Prometheus reads it, by the names of Kafka's JMX exporter. With `partitions` it tells
    /// of each partition's log, too, that was read or written since the start.
    pub fn metrics(&self, partitions: bool) -> Exposition {
        crate::metrics::exposition(&self.node, partitions)
    }

    /// The same for whoever does not keep the broker running.
    pub fn metrics_source(&self) -> MetricsSource {
        MetricsSource { node: Arc::downgrade(&self.node) }
    }

    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Stops in order: no new connection is taken, requests that are being answered are, files are closed so that the
    /// next start need not check them. Takes less than a second.
    pub async fn shutdown(mut self) {
        self.node.stop.cancel();
        while self.serving.join_next().await.is_some() {}
        self.node.tasks.close();
        // What still runs then only removes files of deleted topics, which the next start would finish.
        let _ = tokio::time::timeout(TASKS_END, self.node.tasks.wait()).await;
        let node = Arc::clone(&self.node);
        let keeps_data = self.temporary.is_none();
        let closed = tokio::task::spawn_blocking(move || {
            if keeps_data {
                node.close();
            }
        });
        if let Err(panic) = closed.await {
            tracing::error!(error = %panic, "files were not closed in order");
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.node.stop.cancel();
        self.serving.abort_all();
    }
}
