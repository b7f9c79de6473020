//! Listening sockets: kept equal to what the configuration asks for.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use weft_policy::config::Listener;

use super::accept;
use crate::{state::Shared, workers::Dispatcher};

/// Connections that the kernel may hold for us.
const BACKLOG: i32 = 1024;
/// Waits between attempts to bind.
const RETRY: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(5),
];

/// Listeners that could not be bound, by name.
static FAILURES: Mutex<BTreeMap<Arc<str>, String>> = Mutex::new(BTreeMap::new());

/// Listeners of this process that cannot be bound at present, by name, each with the reason.
pub fn failures() -> BTreeMap<Arc<str>, String> {
    FAILURES.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn set_failure(listener: &Arc<str>, why: Option<String>) {
    let mut failures = FAILURES.lock().unwrap_or_else(PoisonError::into_inner);
    match why {
        Some(why) => drop(failures.insert(listener.clone(), why)),
        None => drop(failures.remove(listener)),
    }
}

struct Open {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Follows the configuration until draining begins, then closes all sockets. Runs on the main thread.
pub async fn run(shared: Arc<Shared>, dispatcher: Dispatcher) {
    let mut generation = shared.watch();
    let mut open: HashMap<Arc<str>, Open> = HashMap::new();
    loop {
        generation.borrow_and_update();
        follow(&shared, &dispatcher, &mut open).await;
        if shared.generation() > 0 {
            shared.readiness.set_listeners_bound();
        }
        tokio::select! {
            () = shared.drain.wait() => break,
            changed = generation.changed() => if changed.is_err() { break },
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
            set_failure(&name, None);
        }
    }
    for (name, listener) in config.listeners.iter() {
        if listener.bind && !open.contains_key(name) {
            open.insert(name.clone(), begin(shared, dispatcher, listener));
        }
    }
}

/// Binds at once if that works, so that readiness means what it says; else a task tries on.
fn begin(shared: &Arc<Shared>, dispatcher: &Dispatcher, listener: &Arc<Listener>) -> Open {
    let (name, address, stop) = (listener.name.clone(), listener.address, CancellationToken::new());
    let first = bind(address);
    match &first {
        Ok(_) => tracing::info!(listener = %name, %address, "listening"),
        Err(error) => note(&name, address, error),
    }
    let (shared, dispatcher, stopped) = (shared.clone(), dispatcher.clone(), stop.clone());
    let task = tokio::spawn(async move {
        let mut bound = first.ok();
        for wait in RETRY.iter().chain(std::iter::repeat(&RETRY[RETRY.len() - 1])) {
            if let Some(socket) = bound.take() {
                accept::run(socket, &name, &shared, &dispatcher, &stopped).await;
                return;
            }
            tokio::select! {
                () = stopped.cancelled() => return,
                () = tokio::time::sleep(*wait) => {}
            }
            match bind(address) {
                Ok(socket) => {
                    tracing::info!(listener = %name, %address, "listening");
                    set_failure(&name, None);
                    bound = Some(socket);
                }
                Err(error) => note(&name, address, &error),
            }
        }
    });
    Open { address, stop, task }
}

fn note(name: &Arc<str>, address: SocketAddr, error: &std::io::Error) {
    let why = format!("cannot listen on {address}: {error}");
    tracing::warn!(listener = %name, "{why}; free the address or change the listener, trying again");
    set_failure(name, Some(why));
}

/// A listening socket. SO_REUSEADDR, so that connections in TIME_WAIT do not keep a restarted proxy from its address.
pub fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}
