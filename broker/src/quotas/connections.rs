//! How many connections an address may make in a second (KIP-612).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::SetQuotas;
use super::alteration::CONNECTION_CREATION_RATE;
use super::entity::{EntityName, resolve_host};
use super::rate::{SampledRate, Window};
use crate::coordinator::timer::Millis;

/// How many addresses are watched; the one that was idle for longest makes room.
const MAX_ADDRESSES: usize = 2048;

/// The limits, and what each address has used.
#[derive(Debug)]
pub(crate) struct ConnectionQuota {
    window: Window,
    enabled: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    by_ip: HashMap<IpAddr, f64>,
    default: Option<f64>,
    used: HashMap<IpAddr, (SampledRate, Millis)>,
}

impl ConnectionQuota {
    pub(crate) fn new(window: Window) -> Self {
        Self { window, enabled: AtomicBool::new(false), state: Mutex::default() }
    }

    /// Enforces what is set from now on.
    pub(crate) fn follow(&self, set: &SetQuotas) {
        let mut by_ip = HashMap::new();
        let mut default = None;
        for (entity, quotas) in set {
            let (Some(name), Some(rate)) = (entity.ip(), quotas.get(CONNECTION_CREATION_RATE)) else { continue };
            match name {
                EntityName::Default => default = Some(*rate),
                EntityName::Named(host) => match resolve_host(host) {
                    Some(ip) => {
                        by_ip.insert(ip, *rate);
                    }
                    None => tracing::warn!(host, "quota on connections has no effect: the host is not known"),
                },
            }
        }
        let enabled = default.is_some() || !by_ip.is_empty();
        let mut state = self.state.lock();
        let used = if enabled { std::mem::take(&mut state.used) } else { HashMap::new() };
        *state = State { by_ip, default, used };
        self.enabled.store(enabled, Ordering::Relaxed);
    }

    /// Counts a connection, unless it is one too many: then it is to be closed after so many milliseconds.
    pub(crate) fn record(&self, ip: IpAddr, now: Millis, longest_ms: u64) -> u64 {
        if !self.enabled.load(Ordering::Relaxed) {
            return 0;
        }
        let ip = ip.to_canonical();
        let mut state = self.state.lock();
        let Some(bound) = state.by_ip.get(&ip).copied().or(state.default) else {
            return 0;
        };
        if state.used.len() >= MAX_ADDRESSES && !state.used.contains_key(&ip) {
            let idle = state.used.iter().min_by_key(|(_, (_, at))| *at).map(|(ip, _)| *ip);
            idle.and_then(|ip| state.used.remove(&ip));
        }
        let (rate, at) = state.used.entry(ip).or_default();
        *at = now;
        rate.record(1.0, self.window, now);
        let throttle_ms = rate.throttle_ms(bound, self.window, now).min(longest_ms);
        if throttle_ms > 0 {
            rate.record(-1.0, self.window, now);
        }
        throttle_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quotas::entity::QuotaEntity;
    use std::collections::BTreeMap;

    #[test]
    fn an_address_of_its_own_comes_before_the_default() {
        let quota = ConnectionQuota::new(Window { samples: 2, sample_ms: 1000 });
        let set = |name, rate| (QuotaEntity::Ip(name), BTreeMap::from([(CONNECTION_CREATION_RATE.to_owned(), rate)]));
        let own = EntityName::Named("10.0.0.1".to_owned());
        quota.follow(&SetQuotas::from([set(own, 3.0), set(EntityName::Default, 1.0)]));
        let many = |ip: &str| (0..5).filter(|_| quota.record(ip.parse().unwrap(), 0, 1000) == 0).count();
        assert_eq!(many("10.0.0.1"), 3);
        assert_eq!(many("::ffff:10.0.0.1"), 0, "the same host by another way");
        assert_eq!(many("10.0.0.2"), 1);
        quota.follow(&SetQuotas::new());
        assert_eq!(many("10.0.0.2"), 5);
    }
}
