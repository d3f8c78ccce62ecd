//! A bucket that fills with tokens at a quota's rate, up to what a whole window brings (KIP-599). A client may take
//! more than there are, but then nothing until the bucket is no longer in debt.

use super::rate::Window;
use crate::coordinator::timer::Millis;

/// The tokens of one client.
#[derive(Debug, Default)]
pub(crate) struct TokenBucket {
    /// Below zero in debt; `None` until first asked, when the bucket is full.
    tokens: Option<f64>,
    filled_at: Millis,
}

impl TokenBucket {
    /// Takes tokens, whether there are so many or not.
    pub(crate) fn take(&mut self, tokens: f64, rate: f64, window: Window, now: Millis) {
        let left = self.fill(rate, window, now) - tokens;
        self.tokens = Some(left);
    }

    /// How many milliseconds it takes until the bucket is out of debt; 0 if it is in none.
    pub(crate) fn throttle_ms(&mut self, rate: f64, window: Window, now: Millis) -> u64 {
        let tokens = self.fill(rate, window, now);
        if tokens < 0.0 { (-tokens / rate * 1000.0).round() as u64 } else { 0 }
    }

    fn fill(&mut self, rate: f64, window: Window, now: Millis) -> f64 {
        let most = rate * f64::from(window.samples) * window.sample_ms as f64 / 1000.0;
        let gained = rate * now.saturating_sub(self.filled_at) as f64 / 1000.0;
        let tokens = self.tokens.map_or(most, |tokens| (tokens + gained).min(most));
        self.tokens = Some(tokens);
        self.filled_at = now;
        tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_bucket_may_be_overdrawn_once_and_pays_back_with_time() {
        let window = Window { samples: 11, sample_ms: 1000 };
        let mut bucket = TokenBucket::default();
        assert_eq!(bucket.throttle_ms(2.0, window, 5), 0);
        bucket.take(30.0, 2.0, window, 5);
        assert_eq!(bucket.throttle_ms(2.0, window, 5), 4000, "22 were there, 8 are owed at 2 a second");
        assert_eq!(bucket.throttle_ms(2.0, window, 3005), 1000);
        assert_eq!(bucket.throttle_ms(2.0, window, 4005), 0);
    }
}
