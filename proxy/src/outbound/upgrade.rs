//! Streams that leave HTTP (`upgrade: websocket`): both sides are joined once both codecs have let go of them.

use std::rc::Rc;

use http::request::Parts;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::{admit::Admitted, tcp::copy};
use crate::{http::Exchange, listener::Downstream, telemetry::Flag, upstream::Hold};

/// The client's side of an upgrade, if it asks for one that is allowed.
pub(super) fn requested(admitted: &Admitted, parts: &mut Parts) -> Option<OnUpgrade> {
    let pending = parts.extensions.remove::<OnUpgrade>();
    pending.filter(|_| admitted.upgrade)
}

/// Joins both sides in a task of their own; the exchange ends with it.
pub(super) fn join(
    downstream: &Rc<Downstream>,
    client: Option<OnUpgrade>,
    server: Option<OnUpgrade>,
    hold: Hold,
    mut exchange: Box<Exchange>,
) {
    let (Some(client), Some(server)) = (client, server) else {
        // The upstream switched although nobody asked: the codec resets both sides.
        return exchange.abort(Flag::UpstreamProtocolError);
    };
    let task = tokio::task::spawn_local(async move {
        let (client, server) = tokio::join!(client, server);
        let (Ok(client), Ok(server)) = (client, server) else {
            return exchange.abort(Flag::UpstreamConnectionTermination);
        };
        let (mut client, mut server) = (TokioIo::new(client), TokioIo::new(server));
        let copied = copy(&mut client, &mut server, None, |_, _| {}).await;
        exchange.record.bytes_received = copied.received;
        exchange.record.bytes_sent = copied.sent;
        // The connection belongs to the tunnel and ends with it.
        drop(hold);
        exchange.finish();
    });
    downstream.tunnels.borrow_mut().push(task);
}
