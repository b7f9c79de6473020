//! How long to wait after a failure.

use std::time::Duration;

/// The wait after the first failure.
const FIRST: Duration = Duration::from_millis(200);
/// The longest wait when the API server is away or busy. It may come back at any moment.
const LONGEST: Duration = Duration::from_secs(10);
/// The wait when it answered no. Rights change when people change them.
const REFUSED: Duration = Duration::from_secs(15);
/// The longest wait that a server can ask for.
const ASKED_AT_MOST: Duration = Duration::from_secs(60);

/// Waits that double, with jitter, so that the feeds of many replicas do not come back as one.
#[derive(Debug, Default)]
pub(super) struct Pace {
    failures: u32,
}

impl Pace {
    /// All is well.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait after one more failure, and at least what the server asked for.
    pub(super) fn after(&mut self, refused: bool, asked: Option<Duration>) -> Duration {
        let doubled = FIRST.saturating_mul(1 << self.failures.min(10)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let wait = if refused { REFUSED } else { doubled };
        let wait = wait.mul_f64(0.5 + rand::random::<f64>() / 2.0);
        wait.max(asked.unwrap_or_default().min(ASKED_AT_MOST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_heed_the_server() {
        let mut pace = Pace::default();
        let waits: Vec<_> = (0..20).map(|_| pace.after(false, None)).collect();
        assert!(waits[0] >= FIRST / 2 && waits[0] <= FIRST);
        assert!(waits[19] >= LONGEST / 2 && waits[19] <= LONGEST);
        assert!(pace.after(false, Some(Duration::from_secs(30))) == Duration::from_secs(30));
        assert!(pace.after(false, Some(Duration::from_secs(3600))) == ASKED_AT_MOST);
        assert!(pace.after(true, None) > LONGEST / 2);
        pace.reset();
        assert!(pace.after(false, None) <= FIRST);
    }
}
