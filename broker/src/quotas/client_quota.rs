//! One kind of quota: who may use how much, and how much each has used.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::ClientIdentity;
use super::limits::{Limits, Sharers};
use super::rate::{SampledRate, Window};
use crate::coordinator::timer::Millis;

/// How many meters are kept; the one that was idle for longest makes room.
const MAX_METERS: usize = 2048;

/// A kind of quota, with a meter `M` for each that shares one.
#[derive(Debug)]
pub(crate) struct ClientQuota<M> {
    window: Window,
    /// Whether any quota of the kind is set: all that a request looks at if none is.
    enabled: AtomicBool,
    limits: ArcSwap<Limits>,
    meters: Mutex<HashMap<(String, String), Used<M>>>,
}

#[derive(Debug)]
struct Used<M> {
    meter: M,
    at: Millis,
}

impl<M: Default> ClientQuota<M> {
    pub(crate) fn new(window: Window) -> Self {
        Self {
            window,
            enabled: AtomicBool::new(false),
            limits: ArcSwap::from_pointee(Limits::default()),
            meters: Mutex::default(),
        }
    }

    /// Enforces these limits from now on. What was used before still counts.
    pub(crate) fn follow(&self, limits: Limits) {
        let enabled = !limits.is_empty();
        self.limits.store(limits.into());
        self.enabled.store(enabled, Ordering::Relaxed);
        if !enabled {
            *self.meters.lock() = HashMap::new();
        }
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled.load(Ordering::Relaxed)
    }

    /// The window and the limit of a client, if it has one.
    fn find<'a>(&self, client: ClientIdentity<'a>) -> Option<(Sharers<'a>, f64)> {
        if !self.is_enabled() { None } else { self.limits.load().find(client) }
    }

    /// Lets `measure` work on a client's meter, with its limit and the window; `None` if nothing limits it.
    pub(crate) fn measure<T>(
        &self,
        client: ClientIdentity<'_>,
        now: Millis,
        measure: impl FnOnce(&mut M, f64, Window) -> T,
    ) -> Option<T> {
        let (sharers, bound) = self.find(client)?;
        let mut meters = self.meters.lock();
        let key = (sharers.user.to_owned(), sharers.client_id.to_owned());
        if meters.len() >= MAX_METERS && !meters.contains_key(&key) {
            let idle = meters.iter().min_by_key(|(_, used)| used.at).map(|(key, _)| key.clone());
            idle.and_then(|key| meters.remove(&key));
        }
        let used = meters.entry(key).or_insert_with(|| Used { meter: M::default(), at: now });
        used.at = now;
        Some(measure(&mut used.meter, bound, self.window))
    }
}

impl ClientQuota<SampledRate> {
    /// Counts a use; for how many milliseconds the client is to be held back.
    pub(crate) fn record(&self, client: ClientIdentity<'_>, value: f64, now: Millis, longest_ms: u64) -> u64 {
        let throttle = self.measure(client, now, |rate, bound, window| {
            rate.record(value, window, now);
            rate.throttle_ms(bound, window, now)
        });
        throttle.unwrap_or(0).min(longest_ms)
    }

    /// Counts a use, but not one that goes over the limit.
    pub(crate) fn record_unless_exceeded(
        &self,
        client: ClientIdentity<'_>,
        value: f64,
        now: Millis,
        longest_ms: u64,
    ) -> u64 {
        let throttle_ms = self.record(client, value, now, longest_ms);
        if throttle_ms > 0 {
            self.record(client, -value, now, longest_ms);
        }
        throttle_ms
    }

    /// The most that can be used at once without being held back for certain.
    pub(crate) fn most_in_window(&self, client: ClientIdentity<'_>) -> Option<f64> {
        let (_, bound) = self.find(client)?;
        Some(bound * f64::from(self.window.samples - 1) * self.window.sample_ms as f64 / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quotas::SetQuotas;
    use crate::quotas::entity::{EntityName, QuotaEntity};
    use std::collections::BTreeMap;

    #[test]
    fn meters_are_made_only_for_limited_clients_and_never_more_than_fit() {
        let quota = ClientQuota::<SampledRate>::new(Window { samples: 2, sample_ms: 1000 });
        fn client(client_id: &str) -> ClientIdentity<'_> {
            ClientIdentity { user: "u", client_id }
        }
        assert_eq!(quota.record(client("a"), 1e9, 0, u64::MAX), 0);
        assert!(quota.meters.lock().is_empty());

        let entity = QuotaEntity::Client { user: None, client_id: Some(EntityName::Default) };
        let set = SetQuotas::from([(entity, BTreeMap::from([("q".to_owned(), 10.0)]))]);
        quota.follow(Limits::of(&set, "q"));
        assert_eq!(quota.most_in_window(client("a")), Some(10.0));
        assert_eq!(quota.record_unless_exceeded(client("a"), 30.0, 0, u64::MAX), 2000);
        assert_eq!(quota.record(client("a"), 10.0, 0, u64::MAX), 0, "what was not sent does not count");
        assert_eq!(quota.record(client("a"), 10.0, 0, 700), 700);
        for n in 0..(MAX_METERS as u64 + 100) {
            quota.record(client(&format!("c{n}")), 1.0, n, u64::MAX);
        }
        assert_eq!(quota.meters.lock().len(), MAX_METERS);

        quota.follow(Limits::default());
        assert!(quota.meters.lock().is_empty() && !quota.is_enabled());
    }
}
