//! Connections to endpoints. Each thread has pools of its own; limits and ejections hold for the process.

mod client;
mod connect;
mod hold;
mod lease;
mod pool;
mod sweep;

use std::{cell::RefCell, collections::HashMap, net::SocketAddr, rc::Rc, sync::Arc};

use weft_policy::upstream::{Host, Upstream};

pub use client::{Client, Facts, Unsent};
pub use connect::{Connected, Target, connect, source_address};
pub use hold::Hold;
pub use lease::Lease;
pub use pool::{Pace, Pool};

use crate::{error::Error, state::Shared, tls};

/// One thread's upstream connections.
pub struct Pools {
    inner: Rc<Inner>,
}

/// A cluster and an original destination.
type Original = (Arc<str>, SocketAddr);

struct Inner {
    shared: Arc<Shared>,
    /// By the host's address in memory, which the pool keeps alive.
    pools: RefCell<HashMap<usize, Rc<Pool>>>,
    /// Hosts of clusters without endpoints of their own, by cluster and original destination.
    originals: RefCell<HashMap<Original, Arc<Host>>>,
    pace: Rc<Pace>,
}

impl Pools {
    /// No connections yet. Must be called within a `LocalSet`, where a task then closes what is idle.
    pub fn new(shared: &Arc<Shared>) -> Self {
        let inner = Rc::new(Inner {
            shared: shared.clone(),
            pools: RefCell::default(),
            originals: RefCell::default(),
            pace: Rc::default(),
        });
        tokio::task::spawn_local(sweep::run(Rc::downgrade(&inner)));
        Self { inner }
    }

    /// The pool of a host of `upstream`.
    pub fn of(&self, upstream: &Upstream, host: &Arc<Host>) -> Rc<Pool> {
        let key = Arc::as_ptr(host) as usize;
        if let Some(pool) = self.inner.pools.borrow().get(&key) {
            return pool.clone();
        }
        let pool = Pool::new(host.clone(), upstream.cluster.name.clone(), self.inner.pace.clone());
        self.inner.pools.borrow_mut().insert(key, pool.clone());
        pool
    }

    /// The host that stands for a connection's original destination.
    pub fn original(&self, upstream: &Upstream, destination: SocketAddr) -> Arc<Host> {
        let key = (upstream.cluster.name.clone(), destination);
        self.inner
            .originals
            .borrow_mut()
            .entry(key)
            .or_insert_with(|| upstream.original_destination(destination))
            .clone()
    }

    /// A connection of its own for opaque bytes.
    pub async fn dedicated(&self, upstream: &Upstream, host: &Host) -> Result<Connected, Error> {
        let target = pool::target(&self.inner.shared, upstream, host, tls::Offer::Opaque);
        connect::connect(&self.inner.shared, &target).await
    }

    /// Changes with anything that labels of metrics depend on.
    pub fn epoch(&self) -> u32 {
        self.inner.pace.epoch.get()
    }

    /// Endpoints with their connections on this thread, for the admin page and tests.
    pub fn connections(&self) -> usize {
        self.inner.pools.borrow().values().map(|pool| pool.connections() as usize).sum()
    }
}
