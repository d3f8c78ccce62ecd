//! Listeners: bound before anything else is started, and told where clients reach them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;

use super::connection::Connection;
use super::limits::ConnectionLimits;
use crate::config::{BrokerConfig, Listener};
use crate::metrics::BrokerMetrics;
use crate::node::{Endpoint, Node};

/// How long connections may take to finish what they are doing when the broker stops.
const DRAIN: Duration = Duration::from_millis(400);
/// How long to wait when the system has no descriptor left for a connection.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// A listener that could not be bound.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody else has the port.
    #[error(
        "{listener}: port {port} is in use; stop what listens there, or choose another port with --listen HOST:PORT"
    )]
    InUse {
        /// The listener's name.
        listener: String,
        /// The port.
        port: u16,
    },
    /// The system refused for another reason.
    #[error("{listener}: {address} cannot be listened on: {source}")]
    Refused {
        /// The listener's name.
        listener: String,
        /// Where it should have been bound.
        address: String,
        /// What the system said.
        source: io::Error,
    },
}

/// A listener that is bound and not yet served.
#[derive(Debug)]
pub(crate) struct BoundListener {
    pub(crate) endpoint: Arc<Endpoint>,
    listener: TcpListener,
}

impl BoundListener {
    /// Binds a listener, if it is one that clients may use.
    pub(crate) async fn bind(config: &BrokerConfig, listener: &Listener) -> Result<Option<Self>, BindError> {
        let Some(advertised) = &listener.advertised else {
            return Ok(None);
        };
        let bound = bind(config, listener).await?;
        let address = bound.local_addr().map_err(|source| refused(listener, source))?;
        let host = match advertised.host.as_ref().or(listener.bind_host.as_ref()) {
            Some(host) if !is_wildcard(host) => host.clone(),
            // As in Kafka, who listens everywhere and says nothing else is known by the machine's name.
            _ => rustix::system::uname().nodename().to_string_lossy().into_owned(),
        };
        let port = advertised.port.filter(|port| *port != 0).unwrap_or_else(|| address.port());
        let endpoint = Endpoint { listener: listener.name.clone(), bound: address, host, port };
        Ok(Some(Self { endpoint: Arc::new(endpoint), listener: bound }))
    }

    /// Accepts connections until the broker stops, then lets them finish what they are doing.
    pub(crate) async fn serve(self, node: Arc<Node>, limits: Arc<ConnectionLimits>) {
        let stop = node.stop.clone();
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = connections.join_next() => {}
                accepted = accept(&self.listener, &limits) => {
                    let Some((stream, peer, place)) = accepted else { continue };
                    let Some(from_ip) = limits.from_ip(peer.ip()) else {
                        tracing::info!(%peer, "connection refused: max.connections.per.ip is reached");
                        continue;
                    };
                    let wait_ms = node.quotas.connected(peer.ip());
                    if wait_ms > 0 {
                        tracing::debug!(%peer, wait_ms, "connection refused: its address makes too many");
                        let stop = stop.clone();
                        connections.spawn(async move {
                            tokio::select! {
                                () = stop.cancelled() => {}
                                () = tokio::time::sleep(Duration::from_millis(wait_ms)) => {}
                            }
                            drop((stream, place, from_ip));
                        });
                        continue;
                    }
                    let connection = Connection::new(
                        stream, peer, Arc::clone(&node), Arc::clone(&self.endpoint), Arc::clone(&limits),
                    );
                    let node = Arc::clone(&node);
                    connections.spawn(async move {
                        let counted = BrokerMetrics::connected(&node);
                        let ending = connection.serve().await;
                        node.share.disconnected(peer);
                        if ending.is_notable() {
                            tracing::warn!(%peer, reason = %ending, "connection closed");
                        } else {
                            tracing::debug!(%peer, reason = %ending, "connection closed");
                        }
                        drop((place, from_ip, counted));
                    });
                }
            }
        }
        drop(self.listener);
        let drained = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, drained).await.is_err() {
            connections.shutdown().await;
        }
    }
}

type Accepted = (tokio::net::TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit);

/// Waits for a place and then for a connection; `None` where accepting failed.
async fn accept(listener: &TcpListener, limits: &ConnectionLimits) -> Option<Accepted> {
    let place = limits.connection().await;
    match listener.accept().await {
        Ok((stream, peer)) => {
            // Answers are written whole; to hold back the last segment of one only delays it.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, %peer, "TCP_NODELAY not set");
            }
            Some((stream, peer, place))
        }
        Err(error) => {
            tracing::warn!(%error, "connection not accepted");
            tokio::time::sleep(ACCEPT_AGAIN).await;
            None
        }
    }
}

async fn bind(config: &BrokerConfig, listener: &Listener) -> Result<TcpListener, BindError> {
    let addresses = addresses(listener).await.map_err(|source| refused(listener, source))?;
    let mut last = io::Error::new(io::ErrorKind::AddrNotAvailable, "the host has no address");
    for address in addresses {
        match bind_address(config, address) {
            Ok(bound) => return Ok(bound),
            Err(error) => last = error,
        }
    }
    Err(refused(listener, last))
}

fn bind_address(config: &BrokerConfig, address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    if let Some(bytes) = config.socket_send_buffer_bytes {
        socket.set_send_buffer_size(bytes)?;
    }
    if let Some(bytes) = config.socket_receive_buffer_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    socket.bind(address)?;
    socket.listen(config.socket_listen_backlog_size)
}

async fn addresses(listener: &Listener) -> io::Result<Vec<SocketAddr>> {
    let port = listener.bind_port;
    match listener.bind_host.as_deref() {
        // An IPv6 socket takes IPv4 too, where the machine has IPv6 at all.
        None => Ok(vec![(Ipv6Addr::UNSPECIFIED, port).into(), (Ipv4Addr::UNSPECIFIED, port).into()]),
        Some(host) => Ok(tokio::net::lookup_host((host, port)).await?.collect()),
    }
}

fn is_wildcard(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified())
}

fn refused(listener: &Listener, source: io::Error) -> BindError {
    let name = listener.name.clone();
    if source.kind() == io::ErrorKind::AddrInUse {
        return BindError::InUse { listener: name, port: listener.bind_port };
    }
    let host = listener.bind_host.as_deref().unwrap_or("all addresses");
    BindError::Refused { listener: name, address: format!("{host}, port {}", listener.bind_port), source }
}
