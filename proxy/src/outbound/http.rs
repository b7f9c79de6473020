//! The life of an HTTP request, phase by phase.

use std::{cell::RefCell, rc::Rc, time::Duration};

use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;
use rand::Rng;
use weft_model::xds;
use weft_policy::{
    config::{Action, DirectResponse, Direction, HttpChain, RequireTls, RouteSource},
    cors::CorsDecision,
};

use super::{
    admit::{Refusal, admit},
    answer::{self, Decoration},
    edge, fault, forward,
    plan::Plan,
    upgrade,
};
use crate::{
    error::{Error, Kind},
    http::{
        Exchange, ResponseBody, fail, reply,
        server::{self, Limits, PROXY_HEAD_BYTES, Protocol},
    },
    inbound,
    listener::{Chain, Downstream, Stream},
};

/// A request head must arrive within, where the chain sets no limit.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest request head in KiB, where the chain sets no lower one.
const HEAD_KIB: u32 = 60;

/// Serves an HTTP connection to its end.
pub async fn serve(
    downstream: Downstream,
    chain: Chain,
    http: &HttpChain,
    protocol: Protocol,
    stream: Stream,
) -> Result<(), Error> {
    let head_kib = if http.max_request_headers_kb == 0 { HEAD_KIB } else { http.max_request_headers_kb.min(HEAD_KIB) };
    let limits = Limits {
        head: http.request_headers_timeout.filter(|limit| !limit.is_zero()).unwrap_or(HEAD_TIMEOUT),
        idle: http.idle_timeout,
        age: http.max_connection_duration,
        head_bytes: head_kib as usize * 1024 + if downstream.identity.is_some() { PROXY_HEAD_BYTES } else { 0 },
        fields: downstream.most_fields(),
        streams: http.max_concurrent_streams,
    };
    let (downstream, chain) = (Rc::new(downstream), Rc::new(RefCell::new(chain)));
    let service = {
        let downstream = downstream.clone();
        move |request| serve_request(downstream.clone(), chain.clone(), request)
    };
    let activity = downstream.activity.clone();
    let ended = server::serve(stream, protocol, limits, activity, downstream.signal(), service).await;
    // Upgraded streams outlive the codec.
    let tunnels = std::mem::take(&mut *downstream.tunnels.borrow_mut());
    for tunnel in tunnels {
        // A panic in it was reported by its task and ends the tunnel all the same.
        let _ = tunnel.await;
    }
    match ended {
        Err(error) if matches!(error.kind, Kind::BadRequest | Kind::HeadTooLarge | Kind::HeadTimeout) => {
            record_garbage(&downstream, &error);
            Err(error)
        }
        // The client went away, or its requests were recorded one by one.
        Err(error) if matches!(error.kind, Kind::ClientGone | Kind::Internal) => Ok(()),
        ended => ended,
    }
}

/// Garbage never became a request, but the access log shows it, as Envoy's does.
fn record_garbage(downstream: &Downstream, error: &Error) {
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(b"-").unwrap_or(Method::GET);
    let mut exchange = Exchange::begin(&downstream.worker, &downstream.activity, downstream.edge(None), &request);
    addresses(downstream, &mut exchange);
    exchange.record.log.path = None;
    drop(fail(exchange, error));
}

fn addresses(downstream: &Downstream, exchange: &mut Exchange) {
    let log = &mut exchange.record.log;
    log.downstream_local_address = Some(downstream.local);
    log.downstream_remote_address = Some(downstream.peer);
    log.requested_server_name = downstream.sni.clone();
}

async fn serve_request(
    downstream: Rc<Downstream>,
    chain: Rc<RefCell<Chain>>,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, Error> {
    // Phase: the chain in force now. A connection that its listener would not take any more ends here.
    let refreshed = chain.borrow_mut().refresh(&downstream);
    let Some(chain) = refreshed else {
        downstream.worker.shared.stats.malformed(Kind::PlaintextRefused);
        return Err(Kind::PlaintextRefused.into());
    };
    let version = request.version();
    let mut exchange = Exchange::begin(&downstream.worker, &downstream.activity, downstream.last_edge(), &request);
    addresses(&downstream, &mut exchange);
    exchange.idle = chain.stream_idle_timeout;
    let count = downstream.requests.get() + 1;
    downstream.requests.set(count);
    if chain.max_requests_per_connection.is_some_and(|most| count >= most.into()) {
        downstream.signal().raise();
    }
    let mut response = decide(&downstream, &chain, request, exchange).await?;
    // Phase: farewell.
    if version < Version::HTTP_2
        && downstream.signal().draining()
        && response.status() != StatusCode::SWITCHING_PROTOCOLS
    {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

async fn decide(
    downstream: &Rc<Downstream>,
    chain: &HttpChain,
    request: Request<Incoming>,
    mut exchange: Box<Exchange>,
) -> Result<Response<ResponseBody>, Error> {
    // Phase: admission.
    let (mut parts, body) = request.into_parts();
    let admitted = match admit(downstream, chain, &mut parts, &mut exchange) {
        Ok(admitted) => admitted,
        Err(Refusal::Answer(status, details)) => {
            exchange.record.flags.set(Kind::BadRequest.flag());
            downstream.worker.shared.stats.malformed(Kind::BadRequest);
            return Ok(reply(exchange, status, "", details));
        }
        Err(Refusal::Malformed(kind, details)) => {
            exchange.record.flags.set(kind.flag());
            downstream.worker.shared.stats.malformed(kind);
            let mut response = reply(exchange, kind.reply().0, "", details);
            if parts.version < Version::HTTP_2 {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            return Ok(response);
        }
        Err(Refusal::Redirect(path)) => {
            let mut response = reply(exchange, StatusCode::TEMPORARY_REDIRECT, "", "path_normalized");
            answer::set_location(&mut response, &path);
            return Ok(response);
        }
    };
    let connection = downstream.facts();
    let facts = admitted.facts(&parts.headers, &connection);

    // Phase: route. One configuration for the whole request.
    let config = downstream.worker.shared.config.load_full();
    let mut rng = rand::rng();
    let table = match &chain.routes {
        RouteSource::Inline(table) => Some(table),
        RouteSource::Rds(name) => config.route_table(name),
    };
    let host = table.and_then(|table| table.virtual_host(facts.authority));
    let route = host.and_then(|host| host.route(&facts, rng.random()));
    let picked = match route.map(|route| &route.action) {
        Some(Action::Forward(forward)) => forward.clusters.pick(rng.random()),
        _ => None,
    };
    let upstream = picked.and_then(|cluster| config.upstream(&cluster.cluster));
    // Outbound labels follow from the connection that the request will take; these are for when it takes none.
    let refusal = inbound::refused_request(&chain.authz, &facts);
    let answered = refusal.is_some() || upstream.is_none() || route.is_some_and(|route| route.fault.is_some());
    if answered || downstream.direction == Direction::Inbound {
        exchange.record.edge = downstream.edge(upstream.map(|upstream| &upstream.cluster));
    }
    // Where no route fits, or one answers by itself, its host tells whom it was for. A gateway's hosts are names of the world.
    if picked.is_none()
        && downstream.direction == Direction::Outbound
        && !chain.use_remote_address
        && let Some(meant) = host.and_then(|host| xds::virtual_host_destination(&host.name))
    {
        exchange.record.edge = edge::to_host(&downstream.worker, &exchange.record.edge, meant);
    }

    // Phase: authorization.
    if let Some(why) = refusal {
        exchange.record.log.connection_termination_details = Some(why);
        return Ok(decorate(fail(exchange, &Kind::Denied.into()), chain));
    }
    let (Some(table), Some(host), Some(route)) = (table, host, route) else {
        return Ok(decorate(fail(exchange, &Kind::NoRoute.into()), chain));
    };
    exchange.record.log.route_name = Some(route.name.clone());

    // Phase: plaintext where TLS is demanded.
    let insecure = match host.require_tls {
        RequireTls::No => false,
        RequireTls::External => chain.use_remote_address && admitted.scheme == "http",
        RequireTls::All => admitted.scheme == "http",
    };
    if insecure {
        let location = format!("https://{}{}", facts.authority, facts.path);
        let mut response = reply(exchange, StatusCode::MOVED_PERMANENTLY, "", "https_required");
        answer::set_location(&mut response, &location);
        return Ok(decorate(response, chain));
    }

    // Phase: cross-origin rules.
    let cors = match (&route.cors, chain.cors) {
        (Some(cors), true) => cors.decide(&facts),
        _ => CorsDecision::PassThrough,
    };
    let cors = match cors {
        CorsDecision::PassThrough => None,
        CorsDecision::Decorate(headers) => Some(headers),
        CorsDecision::Answer(headers) => {
            let mut response = reply(exchange, StatusCode::OK, "", "cors_response");
            response.headers_mut().extend(headers);
            return Ok(decorate(response, chain));
        }
    };

    // Phase: faults.
    let mut exchange = match &route.fault {
        Some(fault) if chain.fault => {
            let decision = fault.decide(&facts, rng.random(), rng.random());
            match fault::inject(decision, exchange).await {
                Ok(exchange) => exchange,
                Err(response) => return Ok(decorate(response, chain)),
            }
        }
        _ => exchange,
    };

    // Phase: what the route does.
    match &route.action {
        Action::Redirect(redirect) => {
            let location = redirect.location(&route.matcher.path, &facts);
            let mut response = reply(exchange, redirect.status, "", "direct_response");
            answer::set_location(&mut response, &location);
            Ok(decorate(response, chain))
        }
        Action::Respond(DirectResponse { status, body }) => {
            if &*route.name == xds::BLOCK_ALL_ROUTE {
                let (worker, authority) = (&downstream.worker, exchange.record.log.authority.as_ref());
                let edge = edge::to_stranger(worker, &exchange.record.edge, xds::BLACK_HOLE_CLUSTER, authority);
                exchange.record.edge = edge;
            }
            let body = bytes::Bytes::copy_from_slice(body);
            let mut response = reply(exchange, *status, body, "direct_response");
            answer::own_response_headers(&mut response, table, host, route, &facts, downstream);
            Ok(decorate(response, chain))
        }
        Action::Forward(forward) => {
            let Some(cluster) = picked else {
                return Ok(decorate(fail(exchange, &Kind::NoCluster.into()), chain));
            };
            let plan = Plan { downstream, chain, config: &config, table, host, route, forward, cluster };
            let decoration = Decoration { cors, cookie: None };
            let upgrade = upgrade::requested(chain, forward, &admitted, &mut parts);
            forward::forward(plan, admitted, parts, body, exchange, decoration, upgrade).await
        }
    }
}

/// What an answer of the proxy's own gets besides.
fn decorate(mut response: Response<ResponseBody>, chain: &HttpChain) -> Response<ResponseBody> {
    answer::server_header(response.headers_mut(), chain);
    response
}
