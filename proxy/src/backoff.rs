//! Waiting times between attempts.

use std::time::Duration;

use rand::Rng;

/// Doubles from one bound to the other; each wait is drawn between half of the step and the whole, so that proxies do
/// not come back in step.
#[derive(Clone, Debug)]
pub struct Backoff {
    step: Duration,
    first: Duration,
    last: Duration,
}

impl Backoff {
    /// From `first` up to `last`.
    pub fn new(first: Duration, last: Duration) -> Self {
        Self { step: first, first, last }
    }

    /// How long to wait now; the next wait is longer.
    pub fn wait(&mut self) -> Duration {
        let step = self.step;
        self.step = (step * 2).min(self.last);
        step.mul_f64(rand::rng().random_range(0.5..=1.0))
    }

    /// After a success: begins again at the first step.
    pub fn reset(&mut self) {
        self.step = self.first;
    }
}

impl Default for Backoff {
    /// From 200 ms to 5 s, for the control plane.
    fn default() -> Self {
        Self::new(Duration::from_millis(200), Duration::from_secs(5))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_up_to_its_limit() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(300));
        for step in [100, 200, 300, 300] {
            let wait = backoff.wait();
            assert!(wait <= Duration::from_millis(step) && wait >= Duration::from_millis(step / 2), "{wait:?}");
        }
        backoff.reset();
        assert!(backoff.wait() <= Duration::from_millis(100));
    }
}
