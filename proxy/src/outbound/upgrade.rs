//! Streams that leave HTTP (`upgrade: websocket`): both sides are joined once both codecs have let go of them.

use std::rc::Rc;

use http::{HeaderValue, header, request::Parts};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use weft_policy::config::{Forward, HttpChain};

use super::{
    admit::Admitted,
    copy::{Limits, copy},
};
use crate::{http::Exchange, listener::Downstream, telemetry::Flag, upstream::Hold};

/// The client's side of an upgrade, if it asks for one that the route allows. Any other wish is not passed on, and the
/// server answers as if there had been none (RFC 9110 §7.8).
pub(super) fn requested(
    chain: &HttpChain,
    forward: &Forward,
    admitted: &Admitted,
    parts: &mut Parts,
) -> Option<OnUpgrade> {
    let pending = parts.extensions.remove::<OnUpgrade>()?;
    let wanted = admitted.upgrade.as_ref()?;
    let is = |known: &str| wanted.as_bytes().eq_ignore_ascii_case(known.as_bytes());
    let of_route = forward.upgrades.iter().find(|(known, _)| is(known)).map(|(_, allowed)| *allowed);
    if !of_route.unwrap_or_else(|| chain.upgrades.iter().any(|known| is(known))) {
        return None;
    }
    parts.headers.insert(header::UPGRADE, wanted.clone());
    parts.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    Some(pending)
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
        let copied = copy(&mut client, &mut server, Limits::default(), |_, _| {}).await;
        exchange.record.bytes_received = copied.received;
        exchange.record.bytes_sent = copied.sent;
        // The connection belongs to the tunnel and ends with it.
        drop(hold);
        exchange.finish();
    });
    downstream.tunnels.borrow_mut().push(task);
}
