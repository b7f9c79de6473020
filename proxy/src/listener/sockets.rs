//! The process's listening sockets: which are open, which were bound ahead of their listener's being in force, and why
//! others could not be bound.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use weft_policy::config::{Config, Listener};

use crate::state::ConnectionLimits;

/// Connections that the kernel may hold for us.
const BACKLOG: i32 = 1024;

/// Listening sockets. Its lock is taken when listeners change, never when connections come.
pub struct Sockets {
    limits: ConnectionLimits,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Bound, waiting for their listener to come into force.
    ready: HashMap<SocketAddr, TcpListener>,
    /// By listener.
    places: BTreeMap<Arc<str>, Arc<Place>>,
    /// Why a listener is not bound.
    failures: BTreeMap<Arc<str>, String>,
}

/// A listener's address with what is counted there.
pub struct Place {
    address: SocketAddr,
    live: AtomicUsize,
    refused: AtomicU64,
    limit: usize,
}

/// One connection of a listener, counted until it is dropped.
pub struct Slot(Arc<Place>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Place {
    /// A slot for one more connection, unless the listener is full.
    pub fn enter(self: &Arc<Self>) -> Option<Slot> {
        if self.live.fetch_add(1, Ordering::Relaxed) < self.limit {
            return Some(Slot(self.clone()));
        }
        self.live.fetch_sub(1, Ordering::Relaxed);
        self.refused.fetch_add(1, Ordering::Relaxed);
        None
    }

    /// Connections now open.
    pub fn live(&self) -> usize {
        self.live.load(Ordering::Relaxed)
    }

    /// Connections closed at once because the listener was full.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Sockets {
    /// None open yet.
    pub fn new(limits: ConnectionLimits) -> Self {
        Self { limits, inner: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many connections may be held.
    pub fn limits(&self) -> ConnectionLimits {
        self.limits
    }

    /// Binds the address of a listener that is about to be put in force, so that the control plane can be told when that
    /// does not work. An address that this process itself still holds for another listener is no failure: it will be
    /// free when the configuration has been followed.
    pub fn prepare(&self, listener: &Listener) -> Result<(), String> {
        if !listener.bind {
            return Ok(());
        }
        let address = listener.address;
        let mut inner = self.lock();
        let open = inner.places.get(&listener.name).is_some_and(|place| place.address == address);
        if (open && !inner.failures.contains_key(&listener.name)) || inner.ready.contains_key(&address) {
            return Ok(());
        }
        match bind(address) {
            Ok(socket) => {
                inner.ready.insert(address, socket);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && inner.holds(address) => Ok(()),
            Err(error) => Err(describe(address, &error)),
        }
    }

    /// The socket that was bound ahead, or a new one.
    pub fn take(&self, address: SocketAddr) -> io::Result<TcpListener> {
        match self.lock().ready.remove(&address) {
            Some(socket) => Ok(socket),
            None => bind(address),
        }
    }

    /// Closes sockets that were bound ahead of a listener which did not come.
    pub fn drop_unused(&self, config: &Config) {
        let wanted = |address: &SocketAddr| config.listeners.values().any(|l| l.bind && l.address == *address);
        self.lock().ready.retain(|address, _| wanted(address));
    }

    /// A listener has come.
    pub fn open(&self, listener: &Arc<str>, address: SocketAddr) -> Arc<Place> {
        let place =
            Place { address, live: AtomicUsize::new(0), refused: AtomicU64::new(0), limit: self.limits.listener };
        let place = Arc::new(place);
        self.lock().places.insert(listener.clone(), place.clone());
        place
    }

    /// A listener has gone.
    pub fn close(&self, listener: &Arc<str>) {
        let mut inner = self.lock();
        inner.places.remove(listener);
        inner.failures.remove(listener);
    }

    /// Whether a listener is bound, or why not.
    pub fn told(&self, listener: &Arc<str>, outcome: Result<(), String>) {
        let mut inner = self.lock();
        match outcome {
            Ok(()) => drop(inner.failures.remove(listener)),
            Err(why) => drop(inner.failures.insert(listener.clone(), why)),
        }
    }

    /// Listeners that cannot be bound at present, by name, each with the reason.
    pub fn failures(&self) -> BTreeMap<Arc<str>, String> {
        self.lock().failures.clone()
    }

    /// Open listeners with what is counted there.
    pub fn places(&self) -> BTreeMap<Arc<str>, Arc<Place>> {
        self.lock().places.clone()
    }
}

impl Inner {
    fn holds(&self, address: SocketAddr) -> bool {
        let overlaps = |own: SocketAddr| {
            own.port() == address.port()
                && (own.ip() == address.ip() || own.ip().is_unspecified() || address.ip().is_unspecified())
        };
        self.places.iter().any(|(name, place)| overlaps(place.address) && !self.failures.contains_key(name))
            || self.ready.keys().any(|own| overlaps(*own))
    }
}

/// A bind error in the words of logs and NACKs.
pub fn describe(address: SocketAddr, error: &io::Error) -> String {
    format!("cannot listen on {address}: {error}")
}

/// A listening socket. SO_REUSEADDR, so that connections in TIME_WAIT do not keep a restarted proxy from its address. One
/// of IPv6 takes IPv6 only: IPv4 has a listener of its own.
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_listener_refuses_and_counts() {
        let sockets = Sockets::new(ConnectionLimits { process: 10, listener: 2 });
        let place = sockets.open(&"web".into(), "127.0.0.1:1".parse().unwrap());
        let (one, _two) = (place.enter().unwrap(), place.enter().unwrap());
        assert!(place.enter().is_none());
        assert_eq!((place.live(), place.refused()), (2, 1));
        drop(one);
        assert!(place.enter().is_some());
    }
}
