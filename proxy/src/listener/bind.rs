//! Listening sockets: kept equal to what the configuration asks for.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use weft_policy::config::Listener;

use super::{accept, sockets::describe};
use crate::{state::Shared, workers::Dispatcher};

/// Waits between attempts to bind.
const RETRY: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(5),
];

/// How long readiness waits for the addresses of the first configuration. A gateway with one bad port is to serve its
/// other ports after that.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether they are bound meanwhile.
const LOOK: Duration = Duration::from_millis(100);

struct Open {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Follows the configuration until listeners are to close, then closes all sockets. Runs on the main thread.
pub async fn run(shared: Arc<Shared>, dispatcher: Dispatcher) {
    let mut generation = shared.watch();
    let mut open: HashMap<Arc<str>, Open> = HashMap::new();
    let mut configured: Option<Instant> = None;
    loop {
        generation.borrow_and_update();
        follow(&shared, &dispatcher, &mut open).await;
        let given_up = match configured {
            None if shared.readiness.configured() => {
                configured = Some(Instant::now());
                false
            }
            None => false,
            Some(since) => since.elapsed() >= PATIENCE,
        };
        let bound = shared.readiness.listeners_bound();
        let settled = configured.is_some() && shared.sockets.failures().is_empty();
        if !bound && (settled || given_up) {
            shared.readiness.set_listeners_bound();
        }
        tokio::select! {
            () = shared.drain.closing() => break,
            changed = generation.changed() => if changed.is_err() { break },
            () = tokio::time::sleep(LOOK), if configured.is_some() && !shared.readiness.listeners_bound() => {}
        }
    }
    for (_, listener) in open {
        listener.close().await;
    }
}

impl Open {
    async fn close(self) {
        self.stop.cancel();
        // The socket is closed once its task has ended; a panic there ended it as well.
        let _ = self.task.await;
    }
}

/// Closes what is gone, then opens what is new: an address may have moved from one listener to another.
async fn follow(shared: &Arc<Shared>, dispatcher: &Dispatcher, open: &mut HashMap<Arc<str>, Open>) {
    let config = shared.config.load_full();
    let gone: Vec<Arc<str>> = open
        .iter()
        .filter(|(name, open)| config.listeners.get(*name).is_none_or(|new| !new.bind || new.address != open.address))
        .map(|(name, _)| name.clone())
        .collect();
    for name in gone {
        if let Some(listener) = open.remove(&name) {
            tracing::info!(listener = %name, address = %listener.address, "listener closed");
            listener.close().await;
            shared.sockets.close(&name);
        }
    }
    for (name, listener) in config.listeners.iter() {
        if listener.bind && !open.contains_key(name) {
            open.insert(name.clone(), begin(shared, dispatcher, listener));
        }
    }
    shared.sockets.drop_unused(&config);
}

/// Binds at once if that works, so that readiness means what it says; else a task tries on.
fn begin(shared: &Arc<Shared>, dispatcher: &Dispatcher, listener: &Arc<Listener>) -> Open {
    let (name, address, stop) = (listener.name.clone(), listener.address, CancellationToken::new());
    let place = shared.sockets.open(&name, address);
    let bind = move |shared: &Shared, name: &Arc<str>| match shared.sockets.take(address) {
        Ok(socket) => {
            tracing::info!(listener = %name, %address, "listening");
            shared.sockets.told(name, Ok(()));
            Some(socket)
        }
        Err(error) => {
            let why = describe(address, &error);
            tracing::warn!(listener = %name, "{why}; free the address or change the listener, trying again");
            shared.sockets.told(name, Err(why));
            None
        }
    };
    let mut bound = bind(shared, &name);
    let (shared, dispatcher, stopped) = (shared.clone(), dispatcher.clone(), stop.clone());
    let task = tokio::spawn(async move {
        for wait in RETRY.iter().chain(std::iter::repeat(&RETRY[RETRY.len() - 1])) {
            if let Some(socket) = bound.take() {
                accept::run(socket, &name, &place, &shared, &dispatcher, &stopped).await;
                return;
            }
            tokio::select! {
                () = stopped.cancelled() => return,
                () = tokio::time::sleep(*wait) => {}
            }
            bound = bind(&shared, &name);
        }
    });
    Open { address, stop, task }
}
