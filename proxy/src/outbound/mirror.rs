//! Copies of requests whose answers are thrown away. They never hold up the request, and there is a bound to them.

use std::{cell::Cell, rc::Rc, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Uri, Version, header::HOST};
use http_body::Body as _;
use rand::Rng;
use weft_policy::{
    balance::PickRequest,
    config::{Forward, Mirror},
    upstream::{Limit, Upstream},
};

use super::{attempt::Outgoing, plan::Plan};
use crate::{http::RequestBody, listener::Downstream};

/// Copies that one thread has under way at most; more are left out.
const MAX_MIRRORS: usize = 100;
/// The longest that a copy may take.
const TIMEOUT: Duration = Duration::from_secs(15);

thread_local! {
    static UNDER_WAY: Cell<usize> = const { Cell::new(0) };
}

struct Counted;

impl Counted {
    fn begin() -> Option<Self> {
        let count = UNDER_WAY.get();
        (count < MAX_MIRRORS).then(|| {
            UNDER_WAY.set(count + 1);
            Self
        })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        UNDER_WAY.set(UNDER_WAY.get() - 1);
    }
}

/// The mirrors that get a copy of this request.
pub(super) fn chosen(forward: &Forward) -> Vec<&Mirror> {
    forward.mirrors.iter().filter(|mirror| mirror.share.hits(rand::rng().random())).collect()
}

/// Sends the copies.
pub(super) fn send(
    plan: &Plan<'_>,
    mirrors: &[&Mirror],
    outgoing: &Outgoing<'_>,
    headers: HeaderMap,
    body: Option<Bytes>,
) {
    for mirror in mirrors {
        let Some(upstream) = plan.config.upstream(&mirror.cluster) else { continue };
        let Some(counted) = Counted::begin() else { return };
        let mut request = Request::new(match &body {
            Some(body) => RequestBody::Whole(Some(body.clone())),
            None => RequestBody::Empty,
        });
        *request.method_mut() = outgoing.method.clone();
        *request.uri_mut() = Uri::from(outgoing.path.clone());
        *request.headers_mut() = headers.clone();
        // Envoy's mark of a copy, by which the receiver can tell.
        if mirror.host_suffix
            && let Some(host) = headers.get(HOST)
            && let Ok(shadow) = HeaderValue::from_bytes(&shadow(host.as_bytes()))
        {
            request.headers_mut().insert(HOST, shadow);
        }
        let (downstream, upstream) = (plan.downstream.clone(), upstream.clone());
        tokio::task::spawn_local(async move {
            let _counted = counted;
            // Whatever becomes of a copy concerns nobody.
            let _ = tokio::time::timeout(TIMEOUT, copy(downstream, upstream, request)).await;
        });
    }
}

/// `host:port` becomes `host-shadow:port`.
fn shadow(host: &[u8]) -> Vec<u8> {
    let end = host.iter().rposition(|byte| *byte == b':').unwrap_or(host.len());
    [&host[..end], b"-shadow", &host[end..]].concat()
}

async fn copy(downstream: Rc<Downstream>, upstream: Arc<Upstream>, mut request: Request<RequestBody>) -> Option<()> {
    let worker = &downstream.worker;
    let host = upstream.pick(&PickRequest { random: rand::rng().random(), ..PickRequest::default() }).ok()?;
    let _permit = upstream.acquire(Limit::Requests).ok()?;
    let _active = host.begin();
    let mut lease = worker.pools.of(&upstream, host).lease(&worker.shared, &upstream, false).await.ok()?;
    let client = lease.client()?;
    client.ready().await.ok()?;
    if client.h2() {
        let authority = request.headers_mut().remove(HOST)?;
        let path = request.uri().path_and_query()?.clone();
        let uri = Uri::builder().scheme("http").authority(authority.as_bytes()).path_and_query(path);
        *request.uri_mut() = uri.build().ok()?;
        *request.version_mut() = Version::HTTP_2;
    }
    let mut body = client.send(request).await.ok()?.into_body();
    while let Some(frame) = std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx)).await {
        frame.ok()?;
    }
    lease.complete(true);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_marked_in_their_host() {
        assert_eq!(shadow(b"order.default"), b"order.default-shadow");
        assert_eq!(shadow(b"order:8080"), b"order-shadow:8080");
    }
}
