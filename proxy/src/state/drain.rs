//! Stopping without dropping a request.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Tells connections to finish, and counts those that have not.
#[derive(Clone, Default)]
pub struct Drain {
    begun: CancellationToken,
    closing: CancellationToken,
    live: Arc<Live>,
}

#[derive(Default)]
struct Live {
    count: AtomicUsize,
    none_left: Notify,
}

impl Drain {
    /// Announces the end: the proxy is not ready any more, HTTP/1.1 answers carry `connection: close`, HTTP/2 sends
    /// GOAWAY. New connections are still taken, from peers that have not heard of it yet.
    pub fn announce(&self) {
        self.begun.cancel();
    }

    /// Begins draining: announces it, and listeners close.
    pub fn begin(&self) {
        self.begun.cancel();
        self.closing.cancel();
    }

    /// Resolves once listeners are to close.
    pub fn closing(&self) -> WaitForCancellationFutureOwned {
        self.closing.clone().cancelled_owned()
    }

    /// Whether draining has begun.
    pub fn begun(&self) -> bool {
        self.begun.is_cancelled()
    }

    /// Resolves once draining has begun.
    pub fn wait(&self) -> WaitForCancellationFutureOwned {
        self.begun.clone().cancelled_owned()
    }

    /// Counts one downstream connection until the guard is dropped.
    pub fn connection(&self) -> LiveConnection {
        self.live.count.fetch_add(1, Ordering::Relaxed);
        LiveConnection(self.live.clone())
    }

    /// Downstream connections now open.
    pub fn live(&self) -> usize {
        self.live.count.load(Ordering::Relaxed)
    }

    /// Waits until no downstream connection is open.
    pub async fn idle(&self) {
        loop {
            let closed = self.live.none_left.notified();
            tokio::pin!(closed);
            closed.as_mut().enable();
            if self.live() == 0 {
                return;
            }
            closed.await;
        }
    }

    /// Waits until no downstream connection is open, at most `limit`. Returns how many are left.
    pub async fn finished(&self, limit: Duration) -> usize {
        // The count is what is reported, so a timeout needs no handling of its own.
        let _ = tokio::time::timeout(limit, self.idle()).await;
        self.live()
    }
}

/// One open downstream connection.
pub struct LiveConnection(Arc<Live>);

impl Drop for LiveConnection {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.none_left.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waits_for_the_last_connection() {
        let drain = Drain::default();
        let first = drain.connection();
        assert_eq!(drain.finished(Duration::from_millis(1)).await, 1);
        let waiter = tokio::spawn({
            let drain = drain.clone();
            async move { drain.finished(Duration::from_secs(60)).await }
        });
        tokio::task::yield_now().await;
        drop(first);
        assert_eq!(waiter.await.unwrap(), 0);
    }

    #[tokio::test]
    async fn tells_those_who_wait() {
        let drain = Drain::default();
        assert!(!drain.begun());
        let wait = drain.wait();
        drain.announce();
        wait.await;
        assert!(drain.begun() && !drain.closing.is_cancelled());
        drain.begin();
        drain.closing().await;
    }
}
