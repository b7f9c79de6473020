//! Whoever has written waits to see it: views are not paced then.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

/// For how long after a write views are made without a pause: as long as its answer waits for them.
const FOR: Duration = Duration::from_secs(2);

/// Whether somebody waits for a view.
#[derive(Debug, Default)]
pub struct Hurry {
    until: Mutex<Option<Instant>>,
    asked: Notify,
}

impl Hurry {
    /// Something was written just now.
    pub fn ask(&self) {
        *self.until.lock() = Some(Instant::now() + FOR);
        self.asked.notify_one();
    }

    /// Whether something was written a moment ago.
    pub fn is_on(&self) -> bool {
        self.is_on_at(Instant::now())
    }

    fn is_on_at(&self, now: Instant) -> bool {
        self.until.lock().is_some_and(|until| now < until)
    }

    /// Waits until something is written. There is one who waits.
    pub async fn asked(&self) {
        self.asked.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_write_hurries_for_a_while() {
        let hurry = Hurry::default();
        assert!(!hurry.is_on());
        hurry.ask();
        hurry.asked().await;
        assert!(hurry.is_on());
        assert!(!hurry.is_on_at(Instant::now() + FOR));
        let once = tokio::time::timeout(Duration::from_millis(1), hurry.asked()).await;
        assert!(once.is_err(), "each write wakes once");
    }
}
