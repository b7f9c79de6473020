//! Connections that the kernel redirected here: where they were going, and which listener that means.

use std::{net::SocketAddr, sync::Arc};

use socket2::SockRef;
use weft_policy::config::{Config, Listener};

use crate::{
    error::{Error, Kind},
    state::NodeInfo,
};

/// Where a connection was going, as conntrack remembers it. Without a redirect it is the address that it was made to.
pub fn original_destination(stream: &std::net::TcpStream, local: SocketAddr) -> Option<SocketAddr> {
    let socket = SockRef::from(stream);
    // A connection of IPv4 on a socket of both families has an address that is mapped.
    let canonical = local.ip().to_canonical();
    let original = if canonical.is_ipv4() { socket.original_dst_v4() } else { socket.original_dst_v6() };
    let original = original.ok()?.as_socket()?;
    (original != SocketAddr::new(canonical, local.port())).then_some(original)
}

/// The listener for a redirected connection: one that is meant for its destination, else the one that took it.
///
/// A connection that was not redirected was made to the proxy's own port. Sent on, it would come back here for ever, so
/// it is refused; so is one that was going to this port of the instance itself.
pub fn listener_for(
    config: &Config,
    node: &NodeInfo,
    taken_by: Arc<Listener>,
    original: Option<SocketAddr>,
) -> Result<(SocketAddr, Arc<Listener>), Error> {
    let own = |address: &SocketAddr| {
        let ip = address.ip();
        address.port() == taken_by.address.port() && (ip == node.address || ip.is_loopback() || ip.is_unspecified())
    };
    match original {
        Some(original) if !own(&original) => {
            let meant = config.captured(taken_by.direction, original).cloned();
            Ok((original, meant.unwrap_or(taken_by)))
        }
        _ => Err(Kind::NotRedirected.into()),
    }
}
