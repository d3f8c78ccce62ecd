//! What a quota on topic changes says to one request (KIP-599).

use brooklet_protocol::ErrorCode;

use super::ClientIdentity;
use super::client_quota::ClientQuota;
use super::token_bucket::TokenBucket;
use crate::clock::Clock;

/// The quota as one request meets it.
#[derive(Debug)]
pub(crate) struct MutationQuota<'a> {
    quota: &'a ClientQuota<TokenBucket>,
    client: ClientIdentity<'a>,
    strict: bool,
    clock: Clock,
    throttle_ms: u64,
}

impl<'a> MutationQuota<'a> {
    pub(super) fn new(
        quota: &'a ClientQuota<TokenBucket>,
        client: ClientIdentity<'a>,
        strict: bool,
        clock: Clock,
    ) -> Self {
        Self { quota, client, strict, clock, throttle_ms: 0 }
    }

    /// Counts partitions that are created or deleted. A strict quota that is used up refuses them.
    pub(crate) fn record(&mut self, partitions: i32) -> Result<(), ErrorCode> {
        let now = self.clock.monotonic();
        let throttle_ms = self.quota.measure(self.client, now, |bucket, rate, window| {
            let in_debt = bucket.throttle_ms(rate, window, now);
            if self.strict && in_debt > 0 {
                return in_debt;
            }
            bucket.take(f64::from(partitions), rate, window, now);
            if self.strict { 0 } else { bucket.throttle_ms(rate, window, now) }
        });
        match throttle_ms {
            None | Some(0) => Ok(()),
            Some(throttle_ms) => {
                self.throttle_ms = throttle_ms;
                if self.strict { Err(ErrorCode::ThrottlingQuotaExceeded) } else { Ok(()) }
            }
        }
    }

    /// For how many milliseconds the client is to be held back.
    pub(crate) fn throttle_ms(&self) -> u64 {
        self.throttle_ms
    }
}
