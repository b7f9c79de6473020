//! Notices that something in a directory changed.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};

/// More names than this are not kept; everything is compared by stamp then.
const MAX_NAMES: usize = 4096;
/// However busily a directory is written to, it is looked at this often.
const LONGEST_SETTLE: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub(super) struct Watch {
    shared: Arc<Shared>,
    /// `None` when the system gives no notifications; the poll does it all then.
    _watcher: Option<RecommendedWatcher>,
}

#[derive(Debug, Default)]
struct Shared {
    woken: Notify,
    touched: Mutex<Touched>,
}

#[derive(Debug, Default)]
struct Touched {
    /// Counts notifications.
    events: u64,
    /// Paths below the root.
    paths: HashSet<PathBuf>,
}

impl Watch {
    pub(super) fn start(root: &Path) -> Self {
        let shared = Arc::new(Shared::default());
        // The names in notifications begin with the path that is watched.
        let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        let handler = {
            let (shared, root) = (Arc::clone(&shared), root.clone());
            move |event: notify::Result<Event>| shared.note(&root, event)
        };
        let watcher = notify::recommended_watcher(handler).and_then(|mut watcher| {
            watcher.watch(&root, RecursiveMode::Recursive)?;
            Ok(watcher)
        });
        let watcher = watcher
            .inspect_err(|error| tracing::warn!(directory = %root.display(), %error, "no notifications of changes; looking regularly"))
            .ok();
        Self { shared, _watcher: watcher }
    }

    /// Waits for a notification, or for `poll`, and then until nothing has happened for `settle`.
    pub(super) async fn settled(&self, settle: Duration, poll: Duration) {
        let mut seen = self.shared.events();
        if self.shared.lock().paths.is_empty() {
            // Whether it was woken or it is time makes no difference.
            let _ = timeout(poll, self.shared.woken.notified()).await;
        }
        let deadline = Instant::now() + LONGEST_SETTLE.max(settle);
        loop {
            sleep(settle).await;
            let now = self.shared.events();
            if now == seen || Instant::now() >= deadline {
                return;
            }
            seen = now;
        }
    }

    /// The files that were touched since this was called last.
    pub(super) fn take(&self) -> HashSet<PathBuf> {
        std::mem::take(&mut self.shared.lock().paths)
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Touched> {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn events(&self) -> u64 {
        self.lock().events
    }

    fn note(&self, root: &Path, event: notify::Result<Event>) {
        let mut touched = self.lock();
        match event {
            // Reading is no change, and reading is what this program does.
            Ok(event) if is_reading(&event.kind) => return,
            Ok(event) => {
                for path in event.paths {
                    if touched.paths.len() < MAX_NAMES {
                        touched.paths.insert(path.strip_prefix(root).map_or_else(|_| path.clone(), Path::to_owned));
                    }
                }
            }
            Err(error) => tracing::debug!(%error, "notification lost"),
        }
        touched.events += 1;
        drop(touched);
        self.woken.notify_one();
    }
}

fn is_reading(kind: &EventKind) -> bool {
    matches!(kind, EventKind::Access(access) if *access != AccessKind::Close(AccessMode::Write))
}
