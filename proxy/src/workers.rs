//! Worker threads: each carries its connections on a single-threaded runtime of its own, with its own upstream pools,
//! so that no lock is shared on the request path.

mod dispatcher;
mod thread;

use std::{net::SocketAddr, rc::Rc, sync::Arc};

use futures::future::LocalBoxFuture;

pub use dispatcher::{Dispatcher, Refused};
pub use thread::Workers;

use crate::{state::Shared, telemetry::Recorder, upstream::Pools};

/// An accepted downstream connection on its way to a worker.
pub struct Connection {
    /// The socket, non-blocking, not yet registered with a runtime.
    pub stream: std::net::TcpStream,
    /// Who connected.
    pub peer: SocketAddr,
    /// The address that was connected to.
    pub local: SocketAddr,
    /// Where it was going before it was redirected; `None` to ask the kernel, if the listener wants to know.
    pub original: Option<SocketAddr>,
    /// xDS name of the listener; its configuration is looked up when the worker takes the connection.
    pub listener: Arc<str>,
}

/// What one worker thread owns. Never leaves its thread.
pub struct Worker {
    /// 0-based number of the thread.
    pub index: usize,
    /// Process-wide state.
    pub shared: Arc<Shared>,
    /// This thread's metric series, access log and spans.
    pub recorder: Recorder,
    /// This thread's upstream connections.
    pub pools: Pools,
}

/// Serves one connection to its end. Runs as a task of its own; a panic in it costs that connection only.
pub type Handler = fn(Rc<Worker>, Connection) -> LocalBoxFuture<'static, ()>;
