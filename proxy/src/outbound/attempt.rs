//! One attempt: a connection to one endpoint, the request on it, the head of the answer.

use std::{rc::Rc, sync::Arc};

use http::{
    HeaderMap, Method, Request, Response, Uri, Version,
    header::HOST,
    uri::{Authority, PathAndQuery, Scheme},
};
use hyper::body::Incoming;
use weft_policy::{
    config::{Cluster, EndpointAddress},
    upstream::{Host, Limit, Outcome, Permit, Upstream},
};

use super::edge;
use crate::{
    error::{Error, Kind},
    http::{Exchange, RequestBody, Source},
    listener::Downstream,
    telemetry,
    upstream::{Client, Hold, Unsent},
};

/// What is sent, the same for every attempt but its headers.
pub(super) struct Outgoing<'a> {
    pub method: &'a Method,
    pub path: &'a PathAndQuery,
    pub scheme: &'static str,
    pub body: Option<&'a Rc<Source>>,
    /// Whether the downstream speaks HTTP/2.
    pub h2: bool,
}

/// An attempt without an answer.
pub(super) struct Failure {
    pub error: Error,
    /// Whether any of the request may have reached the endpoint.
    pub sent: bool,
}

/// Sends the request to `host`. An idle connection that its server closed just now does not count: where nothing was
/// sent, or the request may be repeated by its nature (RFC 9110 §9.2.2), another connection is taken at once.
pub(super) async fn attempt(
    downstream: &Downstream,
    exchange: &mut Exchange,
    upstream: &Arc<Upstream>,
    host: &Arc<Host>,
    outgoing: &Outgoing<'_>,
    (headers, keep): (&mut HeaderMap, bool),
    retry: Option<Permit>,
) -> Result<(Response<Incoming>, Hold), Failure> {
    let unsent = |error: Error| Failure { error, sent: false };
    let worker = &downstream.worker;
    let request = upstream.acquire(Limit::Requests).map_err(|_| {
        worker.shared.stats.overflow(&upstream.cluster.name, telemetry::Overflow::Requests);
        unsent(Kind::Overflow.into())
    })?;
    let active = host.begin();
    let pool = worker.pools.of(upstream, host);
    match host.address() {
        EndpointAddress::Socket(address) => exchange.record.log.upstream_host = Some(*address),
        EndpointAddress::Pipe(path) => exchange.record.log.upstream_path = Some(path.to_string_lossy().into()),
    }
    // The headers are copied only where the request may have to be written twice.
    let keep = keep || outgoing.method.is_idempotent();
    let mut repeated = false;
    let mut returned: Option<Request<RequestBody>> = None;
    loop {
        let mut lease = pool.lease(&worker.shared, upstream, outgoing.h2).await.map_err(|error| {
            let edge = edge_without_connection(downstream, &upstream.cluster, host);
            exchange.record.edge = named(downstream, &upstream.cluster, edge, exchange);
            unsent(error)
        })?;
        let reused = lease.reused;
        let Some(client) = lease.client() else { return Err(unsent(Kind::Internal.into())) };
        let edge = edge_of(downstream, &upstream.cluster, host, client);
        exchange.record.edge = named(downstream, &upstream.cluster, edge, exchange);
        exchange.record.log.upstream_local_address = client.facts.local;
        if let Err(error) = client.ready().await {
            if reused {
                continue;
            }
            return Err(unsent(error));
        }
        if !reused && upstream.cluster.outlier.is_some() {
            upstream.report(host, Outcome::Connected, worker.shared.now(), 0);
        }
        let message = match returned.take() {
            Some(message) => message,
            None => {
                let headers = if keep { headers.clone() } else { std::mem::take(headers) };
                message(outgoing, headers, client.h2()).map_err(unsent)?
            }
        };
        match client.send(message).await {
            Ok(response) => {
                let body = outgoing.body.cloned();
                return Ok((response, Hold { lease, active, request, retry, body }));
            }
            Err(Unsent { request: Some(message), .. }) if reused => returned = Some(message),
            Err(Unsent { error, request: None })
                if reused
                    && !repeated
                    && repeatable(outgoing, error.kind)
                    && keep
                    && outgoing.body.is_none_or(|body| body.replayable()) =>
            {
                repeated = true;
            }
            Err(Unsent { error, request }) => return Err(Failure { error, sent: request.is_none() }),
        }
    }
}

/// Whether a request may be sent again although it was sent: it can have had no effect, or the same one twice.
fn repeatable(outgoing: &Outgoing<'_>, failure: Kind) -> bool {
    match failure {
        Kind::RefusedStream => true,
        Kind::UpstreamClosed => outgoing.method.is_idempotent(),
        _ => false,
    }
}

/// The request as the upstream's codec wants it: HTTP/1.1 has a path and `host`, HTTP/2 a whole URI.
fn message(outgoing: &Outgoing<'_>, mut headers: HeaderMap, h2: bool) -> Result<Request<RequestBody>, Error> {
    let body = match outgoing.body {
        Some(source) => RequestBody::Streamed(source.attempt()),
        None => RequestBody::Empty,
    };
    let mut message = Request::new(body);
    *message.method_mut() = outgoing.method.clone();
    if h2 {
        let bad = |error: http::Error| Error::caused(Kind::BadRequest, error);
        let host = headers.remove(HOST);
        let authority = host.as_ref().and_then(|host| Authority::try_from(host.as_bytes()).ok());
        let mut uri = http::uri::Parts::default();
        uri.path_and_query = Some(outgoing.path.clone());
        uri.scheme = Some(if outgoing.scheme == "https" { Scheme::HTTPS } else { Scheme::HTTP });
        uri.authority = authority;
        *message.uri_mut() = Uri::from_parts(uri).map_err(|error| bad(error.into()))?;
        *message.version_mut() = Version::HTTP_2;
    } else {
        *message.uri_mut() = Uri::from(outgoing.path.clone());
    }
    *message.headers_mut() = headers;
    Ok(message)
}

/// Labels with the name of the host where the cluster is no service's.
fn named(
    downstream: &Downstream,
    cluster: &Cluster,
    edge: Rc<telemetry::Edge>,
    exchange: &Exchange,
) -> Rc<telemetry::Edge> {
    match edge::is_stranger(&cluster.name) {
        true => edge::to_stranger(&downstream.worker, &edge, &cluster.name, exchange.record.log.authority.as_ref()),
        false => edge,
    }
}

/// Labels by what the connection proved; found out once per connection.
fn edge_of(downstream: &Downstream, cluster: &Arc<Cluster>, host: &Host, client: &Client) -> Rc<telemetry::Edge> {
    if downstream.direction == weft_policy::config::Direction::Inbound {
        return downstream.edge(Some(cluster));
    }
    let epoch = downstream.worker.pools.epoch();
    let mut known = client.facts.edge.borrow_mut();
    match &*known {
        Some((then, edge)) if *then == epoch => edge.clone(),
        _ => {
            let edge = edge::edge(&downstream.worker, Some(host), client.facts.peer.as_ref(), cluster.services.first());
            *known = Some((epoch, edge.clone()));
            edge
        }
    }
}

/// Labels where no connection came about.
fn edge_without_connection(downstream: &Downstream, cluster: &Arc<Cluster>, host: &Host) -> Rc<telemetry::Edge> {
    match downstream.direction {
        weft_policy::config::Direction::Inbound => downstream.edge(Some(cluster)),
        weft_policy::config::Direction::Outbound => {
            edge::edge(&downstream.worker, Some(host), None, cluster.services.first())
        }
    }
}
