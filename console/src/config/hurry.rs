//! Whoever has written waits to see it: the view that shows it is not paced.

use std::{collections::VecDeque, fmt, time::Duration};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};
use weft_mesh::Snapshot;
use weft_source::Index;

/// For how long a write is expected. What another one overwrote at once never comes.
const FOR: Duration = Duration::from_secs(30);
/// Writes expected at once; more are made by programs, which do not look.
const MAX: usize = 64;

/// Whether a state has what was written.
type Has = Box<dyn Fn(&Snapshot, &Index) -> bool + Send + Sync>;

/// Writes that were made and have not come back from their source.
#[derive(Default)]
pub struct Hurry {
    expected: Mutex<VecDeque<(Instant, Has)>>,
    asked: Notify,
}

impl Hurry {
    /// Something was written just now; `has` says of a state whether it is in it.
    pub fn ask(&self, has: impl Fn(&Snapshot, &Index) -> bool + Send + Sync + 'static) {
        let mut expected = self.expected.lock();
        if expected.len() >= MAX {
            expected.pop_front();
        }
        expected.push_back((Instant::now() + FOR, Box::new(has)));
        drop(expected);
        self.asked.notify_one();
    }

    /// Whether something that was written is in this state; that is no longer expected then.
    pub fn has_come(&self, snapshot: &Snapshot, index: &Index) -> bool {
        self.has_come_at(Instant::now(), snapshot, index)
    }

    fn has_come_at(&self, now: Instant, snapshot: &Snapshot, index: &Index) -> bool {
        let mut expected = self.expected.lock();
        expected.retain(|(until, _)| now < *until);
        let all = expected.len();
        expected.retain(|(_, has)| !has(snapshot, index));
        expected.len() < all
    }

    /// Waits until something is written. There is one who waits.
    pub async fn asked(&self) {
        self.asked.notified().await;
    }
}

impl fmt::Debug for Hurry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hurry").field("expected", &self.expected.lock().len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use weft_mesh::{Settings, Store};

    use super::*;

    #[tokio::test]
    async fn a_write_is_expected_until_it_comes_or_for_a_while() {
        let (state, index) = (Store::new(Settings::default()).snapshot(), Index::default());
        let hurry = Hurry::default();
        assert!(!hurry.has_come(&state, &index));
        hurry.ask(|_, _| true);
        hurry.asked().await;
        assert!(hurry.has_come(&state, &index));
        assert!(!hurry.has_come(&state, &index), "it came once");
        hurry.ask(|_, _| false);
        assert!(!hurry.has_come(&state, &index) && hurry.expected.lock().len() == 1, "it is still to come");
        assert!(!hurry.has_come_at(Instant::now() + FOR, &state, &index) && hurry.expected.lock().is_empty());
        (0..=MAX).for_each(|_| hurry.ask(|_, _| false));
        assert_eq!(hurry.expected.lock().len(), MAX);
    }
}
