//! What all connections together may take: their number, in all and from one address, and the bytes of requests that
//! are being read or answered.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::BrokerConfig;

/// Requests up to this size are not counted: with the number of connections bounded, so are they.
pub(crate) const UNCOUNTED_BYTES: usize = 64 * 1024;
/// How long a request may make no progress: its client sends nothing more, or there is no room for what it sends.
pub(crate) const STALL: Duration = Duration::from_secs(30);

/// Shared by all listeners.
#[derive(Debug)]
pub(crate) struct ConnectionLimits {
    connections: Arc<Semaphore>,
    request_bytes: Arc<Semaphore>,
    max_per_ip: usize,
    per_ip_overrides: HashMap<IpAddr, usize>,
    by_ip: Mutex<HashMap<IpAddr, usize>>,
}

impl ConnectionLimits {
    /// The limits that the configs set. Without `queued.max.request.bytes`, two requests of the greatest size may be
    /// under way at once, or many smaller ones.
    pub(crate) fn new(config: &BrokerConfig) -> Arc<Self> {
        let max_request = config.socket_request_max_bytes as usize;
        let queued = config.queued_max_request_bytes.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        let overrides = config.max_connections_per_ip_overrides.iter().filter_map(|(host, max)| {
            let ip = host.parse().ok();
            if ip.is_none() {
                tracing::warn!(host, "max.connections.per.ip.overrides: only addresses count here, not names");
            }
            Some((ip?, *max as usize))
        });
        Arc::new(Self {
            connections: semaphore(config.max_connections as usize),
            request_bytes: semaphore(queued.unwrap_or(2 * max_request).max(max_request)),
            max_per_ip: config.max_connections_per_ip as usize,
            per_ip_overrides: overrides.collect(),
            by_ip: Mutex::default(),
        })
    }

    /// Waits for a place for one more connection.
    pub(crate) async fn connection(&self) -> OwnedSemaphorePermit {
        acquire(&self.connections, 1).await
    }

    /// Counts a connection from this address, unless there are as many as may be.
    pub(crate) fn from_ip(self: &Arc<Self>, ip: IpAddr) -> Option<IpPlace> {
        let max = self.per_ip_overrides.get(&ip).copied().unwrap_or(self.max_per_ip);
        let mut by_ip = self.by_ip.lock();
        let count = by_ip.entry(ip).or_default();
        if *count >= max {
            if *count == 0 {
                by_ip.remove(&ip);
            }
            return None;
        }
        *count += 1;
        Some(IpPlace { limits: Arc::clone(self), ip })
    }

    /// Waits for room for this many bytes of a request.
    pub(crate) async fn request_bytes(&self, bytes: usize) -> OwnedSemaphorePermit {
        acquire(&self.request_bytes, u32::try_from(bytes).unwrap_or(u32::MAX)).await
    }
}

fn semaphore(permits: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)))
}

async fn acquire(semaphore: &Arc<Semaphore>, permits: u32) -> OwnedSemaphorePermit {
    let acquired = Arc::clone(semaphore).acquire_many_owned(permits).await;
    acquired.expect("these semaphores are never closed")
}

/// A connection's place among those from its address.
#[derive(Debug)]
pub(crate) struct IpPlace {
    limits: Arc<ConnectionLimits>,
    ip: IpAddr,
}

impl Drop for IpPlace {
    fn drop(&mut self) {
        let mut by_ip = self.limits.by_ip.lock();
        if let Some(count) = by_ip.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                by_ip.remove(&self.ip);
            }
        }
    }
}
