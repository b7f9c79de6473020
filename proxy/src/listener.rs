//! Listeners: binding, accepting, finding out what is spoken, choosing a filter chain.

mod accept;
mod bind;
mod captured;
mod connection;
mod downstream;
mod peek;
mod signal;
mod sockets;
mod stream;

pub use bind::run;
pub use connection::serve;
pub use downstream::{Chain, Downstream, Peer};
pub use peek::{Hello, Look, Seen, peek, peek_further};
pub use signal::{Registration, Signal};
pub use sockets::{Place, Slot, Sockets};
pub use stream::{Stream, Tcp};

use weft_policy::{
    chain::ChainFacts,
    config::{FilterChain, Listener},
    facts::ConnectionFacts,
};

/// The filter chain for a connection; `protocols` are the ALPN offers, or what peeking found.
pub fn choose<'l>(
    listener: &'l Listener,
    facts: &ConnectionFacts<'_>,
    protocols: &[String],
) -> Option<&'l FilterChain> {
    let ConnectionFacts { local, transport, sni, .. } = *facts;
    listener.choose(&ChainFacts { local, transport, sni, protocols })
}
