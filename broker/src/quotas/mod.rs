//! Client quotas (KIP-13, KIP-124, KIP-546, KIP-599, KIP-612): what is set for whom, who has used how much, and how
//! long a connection is left unread for it.
//!
//! [`entity`] and [`alteration`] say what may be set, [`limits`] which of it holds for a client, [`rate`] and
//! [`token_bucket`] how use is measured. Nothing of it costs anything while no quota is set.

pub(crate) mod alteration;
pub(crate) mod busy_time;
pub(crate) mod client_quota;
pub(crate) mod connections;
pub(crate) mod entity;
pub(crate) mod filter;
pub(crate) mod limits;
pub(crate) mod mutation;
pub(crate) mod rate;
pub(crate) mod token_bucket;

use std::collections::BTreeMap;

use self::alteration::{CONSUMER_BYTE_RATE, CONTROLLER_MUTATION_RATE, PRODUCER_BYTE_RATE, REQUEST_PERCENTAGE};
use self::busy_time::BusyTime;
use self::client_quota::ClientQuota;
use self::connections::ConnectionQuota;
use self::entity::QuotaEntity;
use self::limits::Limits;
use self::mutation::MutationQuota;
use self::rate::{SampledRate, Window};
use self::token_bucket::TokenBucket;
use crate::clock::Clock;
use crate::config::BrokerConfig;

/// Who a client is as long as it has not said so: all of those on a plaintext listener.
pub(crate) const ANONYMOUS: &str = "ANONYMOUS";

/// What is set: quotas by name for each entity.
pub(crate) type SetQuotas = BTreeMap<QuotaEntity, BTreeMap<String, f64>>;

/// Who sends a request, as quotas tell clients apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientIdentity<'a> {
    pub(crate) user: &'a str,
    /// Empty for a client that gave none.
    pub(crate) client_id: &'a str,
}

/// The quotas as they are enforced.
#[derive(Debug)]
pub(crate) struct Quotas {
    clock: Clock,
    /// The longest throttle for request time and for connections: one sample, in milliseconds.
    longest_ms: u64,
    produce: ClientQuota<SampledRate>,
    fetch: ClientQuota<SampledRate>,
    request: ClientQuota<SampledRate>,
    mutation: ClientQuota<TokenBucket>,
    connections: ConnectionQuota,
}

impl Quotas {
    /// The quotas that are set, over the windows that the configs say.
    pub(crate) fn new(config: &BrokerConfig, clock: Clock, set: &SetQuotas) -> Self {
        let window = Window::of_seconds(config.quota_window_num, config.quota_window_size_seconds);
        let mutation =
            Window::of_seconds(config.controller_quota_window_num, config.controller_quota_window_size_seconds);
        let quotas = Self {
            clock,
            longest_ms: window.sample_ms,
            produce: ClientQuota::new(window),
            fetch: ClientQuota::new(window),
            request: ClientQuota::new(window),
            mutation: ClientQuota::new(mutation),
            connections: ConnectionQuota::new(window),
        };
        quotas.follow(set);
        quotas
    }

    /// Enforces what is set from now on. Names of hosts are looked up, which may take a while.
    pub(crate) fn follow(&self, set: &SetQuotas) {
        self.produce.follow(Limits::of(set, PRODUCER_BYTE_RATE));
        self.fetch.follow(Limits::of(set, CONSUMER_BYTE_RATE));
        self.request.follow(Limits::of(set, REQUEST_PERCENTAGE));
        self.mutation.follow(Limits::of(set, CONTROLLER_MUTATION_RATE));
        self.connections.follow(set);
    }

    /// Counts the bytes of a produce request; the milliseconds for which its sender is to be held back.
    pub(crate) fn produced(&self, client: ClientIdentity<'_>, bytes: usize) -> u64 {
        self.produce.record(client, bytes as f64, self.clock.monotonic(), u64::MAX)
    }

    /// Counts the bytes of a fetch response. One that is over the quota is not counted: it is not to be sent.
    pub(crate) fn fetched(&self, client: ClientIdentity<'_>, bytes: usize) -> u64 {
        self.fetch.record_unless_exceeded(client, bytes as f64, self.clock.monotonic(), u64::MAX)
    }

    /// Takes back what was counted of a response that another quota holds back.
    pub(crate) fn not_fetched(&self, client: ClientIdentity<'_>, bytes: usize) {
        self.fetch.record(client, -(bytes as f64), self.clock.monotonic(), u64::MAX);
    }

    /// The most that a response may hold without being held back for certain.
    pub(crate) fn most_fetched(&self, client: ClientIdentity<'_>) -> Option<usize> {
        self.fetch.most_in_window(client).map(|bytes| bytes as usize)
    }

    /// A stopwatch for a request, if anybody's time is limited.
    pub(crate) fn busy_time(&self) -> Option<BusyTime> {
        self.request.is_enabled().then(|| BusyTime::new(self.clock))
    }

    /// Counts the time that a request took.
    pub(crate) fn worked(&self, client: ClientIdentity<'_>, busy: &BusyTime) -> u64 {
        let percent = busy.total().as_secs_f64() * 100.0;
        self.request.record(client, percent, self.clock.monotonic(), self.longest_ms)
    }

    /// What a client's quota says to the partitions that a request creates or deletes. From `strict` on they are
    /// refused; before that version they are carried out, and the client is held back.
    pub(crate) fn mutation<'a>(&'a self, client: ClientIdentity<'a>, strict: bool) -> MutationQuota<'a> {
        MutationQuota::new(&self.mutation, client, strict, self.clock)
    }

    /// Counts a new connection. One that is over the quota is not counted: it is to be closed after so many
    /// milliseconds.
    pub(crate) fn connected(&self, ip: std::net::IpAddr) -> u64 {
        self.connections.record(ip, self.clock.monotonic(), self.longest_ms)
    }
}

impl Window {
    /// `samples` of `seconds` each, as configs give them.
    pub(crate) fn of_seconds(samples: u32, seconds: u32) -> Self {
        Self { samples: samples.max(1), sample_ms: u64::from(seconds.max(1)) * 1000 }
    }
}
