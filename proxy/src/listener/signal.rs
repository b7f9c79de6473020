//! Telling connections to finish, without a lock that requests would touch: each thread keeps a list of its own
//! connections, and one task per thread listens for what concerns them.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, HashSet},
    future::poll_fn,
    rc::Rc,
    sync::Arc,
    task::{Poll, Waker},
    time::{Duration, Instant},
};

use crate::state::Shared;

/// One connection's view of "finish".
#[derive(Debug)]
pub struct Signal {
    listener: Arc<str>,
    since: Cell<Option<Instant>>,
    waker: RefCell<Option<Waker>>,
}

impl Signal {
    fn new(listener: Arc<str>) -> Self {
        Self { listener, since: Cell::new(None), waker: RefCell::new(None) }
    }

    /// Whether the connection is to finish.
    pub fn draining(&self) -> bool {
        self.since.get().is_some()
    }

    /// When it was told so; now, if it was not.
    pub fn since(&self) -> Instant {
        self.since.get().unwrap_or_else(Instant::now)
    }

    /// Wakes this task when the time comes.
    pub fn register(&self, waker: &Waker) {
        let mut registered = self.waker.borrow_mut();
        match &*registered {
            Some(known) if known.will_wake(waker) => {}
            _ => *registered = Some(waker.clone()),
        }
    }

    /// Resolves `grace` after the connection was told to finish.
    pub async fn over(&self, grace: Duration) {
        poll_fn(|cx| {
            self.register(cx.waker());
            if self.draining() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        tokio::time::sleep_until((self.since() + grace).into()).await;
    }

    /// Tells the connection to finish.
    pub fn raise(&self) {
        if self.since.get().is_none() {
            self.since.set(Some(Instant::now()));
            if let Some(waker) = self.waker.borrow_mut().take() {
                waker.wake();
            }
        }
    }
}

#[derive(Default)]
struct Thread {
    next: u64,
    signals: HashMap<u64, (usize, Rc<Signal>)>,
    /// Processes' states (several only in tests) that a task on this thread watches.
    watched: HashSet<usize>,
}

thread_local! {
    static THREAD: RefCell<Thread> = RefCell::default();
}

/// A connection's place in the list; leaves it when dropped.
pub struct Registration {
    key: u64,
    signal: Rc<Signal>,
}

impl Registration {
    /// Enters a connection of `listener`. Must be called within a `LocalSet`.
    pub fn enter(shared: &Arc<Shared>, listener: Arc<str>) -> Self {
        let signal = Rc::new(Signal::new(listener));
        let state = Arc::as_ptr(shared) as usize;
        let (key, watch) = THREAD.with_borrow_mut(|thread| {
            thread.next += 1;
            thread.signals.insert(thread.next, (state, signal.clone()));
            (thread.next, thread.watched.insert(state))
        });
        if watch {
            tokio::task::spawn_local(watch_state(shared.clone(), Watch(state)));
        }
        if shared.drain.begun() {
            signal.raise();
        }
        Self { key, signal }
    }

    /// What the connection listens to.
    pub fn signal(&self) -> &Rc<Signal> {
        &self.signal
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        THREAD.with_borrow_mut(|thread| thread.signals.remove(&self.key));
    }
}

struct Watch(usize);

impl Drop for Watch {
    fn drop(&mut self) {
        // The thread may be ending, its list with it.
        let _ = THREAD.try_with(|thread| thread.borrow_mut().watched.remove(&self.0));
    }
}

async fn watch_state(shared: Arc<Shared>, watch: Watch) {
    let mut generation = shared.watch();
    loop {
        tokio::select! {
            () = shared.drain.wait() => {
                raise(watch.0, |_| true);
                return;
            }
            changed = generation.changed() => {
                if changed.is_err() {
                    return;
                }
                let config = shared.config.load_full();
                raise(watch.0, |listener| !config.listeners.contains_key(listener));
            }
        }
    }
}

fn raise(state: usize, concerned: impl Fn(&str) -> bool) {
    let signals: Vec<_> = THREAD.with_borrow(|thread| {
        let own = thread.signals.values().filter(|(of, _)| *of == state).map(|(_, signal)| signal);
        own.filter(|signal| concerned(&signal.listener)).cloned().collect()
    });
    signals.iter().for_each(|signal| signal.raise());
}
