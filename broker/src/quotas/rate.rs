//! A rate over the last few samples of time, as Kafka's `Rate` over a `WindowedSum` measures it.

use crate::coordinator::timer::Millis;

/// Over what a rate is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    /// How many samples count, the present one among them.
    pub(crate) samples: u32,
    /// How long each is, in milliseconds.
    pub(crate) sample_ms: u64,
}

impl Window {
    fn len_ms(self) -> u64 {
        u64::from(self.samples) * self.sample_ms
    }
}

/// What was recorded in the last few samples.
#[derive(Debug, Default)]
pub(crate) struct SampledRate {
    samples: Vec<Sample>,
    current: usize,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    started: Millis,
    last_event: Millis,
    sum: f64,
}

impl Sample {
    fn new(now: Millis) -> Self {
        Self { started: now, last_event: now, sum: 0.0 }
    }
}

impl SampledRate {
    pub(crate) fn record(&mut self, value: f64, window: Window, now: Millis) {
        if self.samples.is_empty() {
            self.samples.push(Sample::new(now));
        }
        if now.saturating_sub(self.samples[self.current].started) >= window.sample_ms {
            self.advance(window, now);
        }
        let sample = &mut self.samples[self.current];
        sample.sum += value;
        sample.last_event = now;
    }

    /// How many milliseconds without a further event bring the rate down to `bound` a second; 0 if it is not above.
    pub(crate) fn throttle_ms(&mut self, bound: f64, window: Window, now: Millis) -> u64 {
        self.purge(window, now);
        let window_ms = self.elapsed_ms(window, now) as f64;
        let sum: f64 = self.samples.iter().map(|sample| sample.sum).sum();
        let rate = sum * 1000.0 / window_ms;
        if rate <= bound {
            return 0;
        }
        // To bring rate R down to B over a window of W takes (R - B) / B * W more. The cast saturates.
        ((rate - bound) / bound * window_ms).round() as u64
    }

    /// One place more than there are samples: the oldest may overlap the window.
    fn advance(&mut self, window: Window, now: Millis) {
        self.current = (self.current + 1) % (window.samples as usize + 1);
        match self.samples.get_mut(self.current) {
            Some(sample) => *sample = Sample::new(now),
            None => {
                self.current = self.samples.len();
                self.samples.push(Sample::new(now));
            }
        }
    }

    fn purge(&mut self, window: Window, now: Millis) {
        for sample in &mut self.samples {
            if now.saturating_sub(sample.last_event) >= window.len_ms() {
                *sample = Sample::new(now);
            }
        }
    }

    /// The time that the samples stand for: at least all samples but one, so that a burst at the beginning is not
    /// taken for a rate.
    fn elapsed_ms(&self, window: Window, now: Millis) -> u64 {
        let oldest = self.samples.iter().map(|sample| sample.started).min().unwrap_or(now);
        let elapsed = now.saturating_sub(oldest);
        let full = elapsed / window.sample_ms;
        let least = u64::from(window.samples) - 1;
        (elapsed + least.saturating_sub(full) * window.sample_ms).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { samples: 11, sample_ms: 1000 };

    #[test]
    fn a_burst_is_measured_against_all_full_samples() {
        let mut rate = SampledRate::default();
        rate.record(1000.0, WINDOW, 0);
        assert_eq!(rate.throttle_ms(100.0, WINDOW, 0), 0, "1000 in 10 s is 100 a second");
        rate.record(500.0, WINDOW, 0);
        assert_eq!(rate.throttle_ms(100.0, WINDOW, 0), 5000, "15 s are needed for 1500");
    }

    #[test]
    fn what_has_left_the_window_is_forgotten() {
        let mut rate = SampledRate::default();
        rate.record(5000.0, WINDOW, 0);
        assert!(rate.throttle_ms(100.0, WINDOW, 10_999) > 0);
        assert_eq!(rate.throttle_ms(100.0, WINDOW, 11_000), 0);
    }

    #[test]
    fn a_sender_that_waits_as_told_keeps_to_its_rate() {
        let mut rate = SampledRate::default();
        let (mut now, mut sent) = (0, 0.0);
        while now < 600_000 {
            rate.record(50.0, WINDOW, now);
            sent += 50.0;
            now += 1 + rate.throttle_ms(100.0, WINDOW, now);
        }
        let per_second = sent / (now as f64 / 1000.0);
        assert!((90.0..115.0).contains(&per_second), "{per_second} a second");
    }
}
