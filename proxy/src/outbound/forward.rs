//! Sending a request on: header changes, attempts, retries, timeouts.

use std::{
    pin::pin,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderValue, Response, Version, header::HOST, request::Parts, uri::PathAndQuery};
use http_body::Body as _;
use hyper::{body::Incoming, upgrade::OnUpgrade};
use rand::Rng;
use tokio::time::timeout_at;
use weft_policy::{
    affinity::Affinity,
    balance::PickRequest,
    config::{Config, Discovery, Forward, HttpChain, RetryPolicy, Route, VirtualHost, WeightedCluster},
    facts::ConnectionFacts,
    flags::Flags,
    headers::FormatFacts,
    retry::{Attempt, AttemptFailure, Next, Retries},
    route::RouteTable,
    upstream::{Host, LocalFailure, Outcome, Permit, Upstream, grpc_as_http},
};

use super::{
    admit::Admitted,
    answer::{self, Decoration},
    attempt::{Failure, Outgoing, attempt},
    mirror,
};
use crate::{
    error::{Error, Kind},
    http::{Exchange, ResponseBody, Source, fail, grpc, headers, reply},
    listener::Downstream,
    telemetry::{self, Flag},
    upstream::Hold,
};

/// What was decided about a request.
#[derive(Clone, Copy)]
pub(super) struct Plan<'a> {
    pub downstream: &'a Rc<Downstream>,
    pub chain: &'a HttpChain,
    pub config: &'a Config,
    pub table: &'a Arc<RouteTable>,
    pub host: &'a Arc<VirtualHost>,
    pub route: &'a Arc<Route>,
    pub forward: &'a Forward,
    pub cluster: &'a WeightedCluster,
}

/// Time limits of a request. They run from the end of the request, as Envoy's do.
struct Timeouts {
    /// For the client to send its request.
    arrival: Option<Duration>,
    whole: Option<Duration>,
    each: Option<Duration>,
    /// For anything to move.
    idle: Option<Duration>,
    body: Option<Rc<Source>>,
}

impl Timeouts {
    /// When `limit` is over for something that began at `from`. While the client still sends, it has not begun.
    fn due(&self, from: Instant, limit: Duration) -> Instant {
        let begun = match &self.body {
            None => from,
            Some(body) => body.ended_at().map_or_else(Instant::now, |ended| ended.max(from)),
        };
        begun + limit
    }

    fn next(&self, started: Instant, attempt: Instant) -> Option<(Instant, Kind)> {
        let whole = self.whole.map(|limit| (self.due(started, limit), Kind::RequestTimeout));
        let each = self.each.map(|limit| (self.due(attempt, limit), Kind::PerTryTimeout));
        let arriving = self.body.as_ref().is_some_and(|body| !body.ended());
        let arrival = self.arrival.filter(|_| arriving).map(|limit| (started + limit, Kind::HeadTimeout));
        let idle = self.idle.map(|limit| (self.due(attempt, limit), Kind::StreamIdle));
        [whole, each, arrival, idle].into_iter().flatten().min_by_key(|(due, _)| *due)
    }
}

/// Sends a request on and answers with what came of it.
pub(super) async fn forward(
    plan: Plan<'_>,
    admitted: Admitted,
    mut parts: Parts,
    body: Incoming,
    mut exchange: Box<Exchange>,
    mut decoration: Decoration,
    upgrade: Option<OnUpgrade>,
) -> Result<Response<ResponseBody>, Error> {
    let downstream = plan.downstream;
    let name = &plan.cluster.cluster;
    exchange.record.log.upstream_cluster = Some(name.clone());
    let Some(upstream) = plan.config.upstream(name) else {
        exchange.record.flags.set(Kind::NoCluster.flag());
        return Ok(reply(exchange, plan.forward.cluster_not_found, "", "cluster_not_found"));
    };
    plan.count_pick(upstream);
    if let Some(idle) = plan.forward.idle_timeout {
        exchange.idle = Some(idle).filter(|idle| !idle.is_zero());
    }

    // Phase: what depends on the request as it came.
    let connection = downstream.facts();
    let (affinity, mut retries, timeouts) = {
        let facts = admitted.facts(&parts.headers, &connection);
        let affinity = match plan.forward.hash.is_empty() {
            true => Affinity::default(),
            false => plan.forward.affinity(&facts, rand::rng().random()),
        };
        let retries = Retries::new(plan.forward.retry.as_ref(), &facts);
        let whole = whole_timeout(plan.forward, &parts.headers);
        let arrival = plan.chain.request_timeout;
        (
            affinity,
            retries,
            Timeouts { arrival, whole, each: retry_timeout(plan.forward), idle: exchange.idle, body: None },
        )
    };
    decoration.cookie = affinity.cookie;

    // Phase: the request as the upstream is to see it.
    plan.change_request(&admitted, &connection, &mut parts.headers, &exchange);
    let path = plan.new_path(&admitted);
    let mirrors = mirror::chosen(plan.forward);
    let source = (!body.is_end_stream())
        .then(|| Source::new(body, retries.any_left() || !mirrors.is_empty(), exchange.record.grpc));
    exchange.body = source.clone();
    let timeouts = Timeouts { body: source.clone(), ..timeouts };
    let outgoing = Outgoing {
        method: &admitted.method,
        path: path.as_ref().unwrap_or(&admitted.path),
        scheme: admitted.scheme,
        body: source.as_ref(),
        h2: parts.version >= Version::HTTP_2,
    };
    let mut mirrored = (!mirrors.is_empty()).then(|| parts.headers.clone());
    if source.is_none()
        && let Some(headers) = mirrored.take()
    {
        mirror::send(&plan, &mirrors, &outgoing, headers, None);
    }

    // Phase: attempts.
    let mut headers = parts.headers;
    let mut tried: Vec<Arc<Host>> = Vec::new();
    let mut permit: Option<Permit> = None;
    let error = loop {
        // A later attempt sees the endpoints as they are by then.
        let fresh =
            (!tried.is_empty()).then(|| downstream.worker.shared.config.load().upstream(name).cloned()).flatten();
        let upstream = fresh.as_ref().unwrap_or(upstream);
        let Some(host) = pick(&plan, upstream, affinity.hash, retries.policy(), &tried) else {
            exchange.record.edge = downstream.edge(Some(&upstream.cluster));
            break Error::new(Kind::NoHealthyUpstream);
        };
        exchange.record.attempts += 1;
        let last = !retries.any_left() || source.as_ref().is_some_and(|source| !source.replayable());
        plan.per_attempt(&admitted, &connection, &mut headers, &host, exchange.record.attempts);
        let began = Instant::now();
        let outcome = {
            let (started, permit) = (exchange.started, permit.take());
            let mut trying =
                pin!(attempt(downstream, &mut exchange, upstream, &host, &outgoing, (&mut headers, !last), permit));
            loop {
                let Some((due, kind)) = timeouts.next(started, began) else { break trying.await };
                match timeout_at(due.into(), &mut trying).await {
                    Ok(outcome) => break outcome,
                    // The client may have been sending until now; then the limit has only just begun.
                    Err(_) if timeouts.next(started, began).is_some_and(|(due, _)| due > Instant::now()) => {}
                    Err(_) => break Err(Failure { error: kind.into(), sent: true }),
                }
            }
        };
        report(downstream, upstream, &host, &outcome, exchange.record.grpc);
        let replayable = source.as_ref().is_none_or(|source| source.replayable());
        let again = match &outcome {
            Ok(_) | Err(_) if retries.policy().is_none() || !replayable => Next::Stop,
            Ok((response, _)) => {
                let ended = Attempt::Response(response.status(), response.headers());
                retries.next(upstream, ended, rand::rng().random())
            }
            Err(failure) => match as_attempt(failure) {
                Some(failure) => retries.next(upstream, Attempt::Failed(failure), rand::rng().random()),
                None => Next::Stop,
            },
        };
        match again {
            Next::Again(pause, next) => {
                if let Ok((response, hold)) = outcome {
                    drain(response.into_body(), hold);
                }
                permit = Some(next);
                tried.push(host);
                if let Some(whole) = timeouts.whole
                    && timeouts.due(exchange.started, whole) <= Instant::now() + pause
                {
                    tokio::time::sleep_until(timeouts.due(exchange.started, whole).into()).await;
                    break Error::new(Kind::RequestTimeout);
                }
                tokio::time::sleep(pause).await;
                continue;
            }
            Next::Exhausted => exchange.record.flags.set(Flag::UpstreamRetryLimitExceeded),
            Next::OverBudget => {
                exchange.record.flags.set(Flag::UpstreamOverflow);
                downstream.worker.shared.stats.overflow(name, telemetry::Overflow::Retries);
            }
            Next::Stop => {}
        }
        match outcome {
            Ok((response, hold)) => {
                if let (Some(headers), Some(source)) = (mirrored.take(), &source)
                    && let Some(body) = source.whole()
                {
                    mirror::send(&plan, &mirrors, &outgoing, headers, Some(body));
                }
                exchange.record.log.upstream_service_time = Some(began.elapsed());
                exchange.record.log.response_code_details = "via_upstream";
                exchange.deadline = timeouts.whole.map(|whole| timeouts.due(exchange.started, whole));
                return Ok(answer::relay(&plan, &admitted, response, hold, exchange, decoration, upgrade));
            }
            Err(failure) => break failure.error,
        }
    };

    // Phase: no answer.
    if error.kind == Kind::ClientGone || source.as_ref().is_some_and(|source| source.broken()) {
        // Dropping the exchange records that the client left.
        return Err(error);
    }
    exchange.record.log.upstream_transport_failure_reason = error.source.as_ref().map(ToString::to_string);
    let mut response = fail(exchange, &error);
    answer::server_header(response.headers_mut(), plan.chain);
    Ok(response)
}

impl Plan<'_> {
    /// Counts the weighted pick for the canary verdict: first attempts only.
    fn count_pick(&self, upstream: &Upstream) {
        static NO_SUBSET: std::sync::LazyLock<Arc<str>> = std::sync::LazyLock::new(|| "".into());
        let (Some(service), Some(route)) = (&self.route.virtual_service, &self.route.route_id) else { return };
        let cluster = &upstream.cluster;
        let subset = cluster.subset.as_ref().unwrap_or(&NO_SUBSET);
        let host = cluster.services.first().map_or(&cluster.name, |service| &service.host);
        self.downstream.worker.recorder.route_picked(service, route, subset, host);
    }

    fn change_request(
        &self,
        admitted: &Admitted,
        connection: &ConnectionFacts<'_>,
        headers: &mut HeaderMap,
        exchange: &Exchange,
    ) {
        if self.forward.append_forwarded_host {
            headers.append(headers::FORWARDED_HOST, admitted.authority.clone());
        }
        let mut ops = self.table.request_ops(self.host, self.route, Some(self.cluster)).peekable();
        if ops.peek().is_none() {
            return;
        }
        let facts = self.format(admitted, connection, exchange, None, None);
        ops.for_each(|ops| ops.apply(headers, &facts));
    }

    /// What header values may be made of.
    pub(super) fn format<'f>(
        &'f self,
        admitted: &'f Admitted,
        connection: &'f ConnectionFacts<'f>,
        exchange: &Exchange,
        status: Option<u16>,
        request_headers: Option<&'f HeaderMap>,
    ) -> FormatFacts<'f> {
        FormatFacts {
            connection,
            remote: std::net::SocketAddr::new(admitted.remote, self.downstream.peer.port()),
            method: admitted.method.as_str(),
            path: admitted.path.as_str(),
            authority: admitted.authority.to_str().unwrap_or_default(),
            scheme: admitted.scheme,
            request_headers,
            protocol: if exchange.record.version >= Version::HTTP_2 { "HTTP/2" } else { "HTTP/1.1" },
            upstream_host: None,
            upstream_cluster: Some(&self.cluster.cluster),
            route: &self.route.name,
            status,
            flags: Flags::default(),
            start: exchange.record.start.duration_since(std::time::UNIX_EPOCH).unwrap_or_default(),
        }
    }

    fn new_path(&self, admitted: &Admitted) -> Option<PathAndQuery> {
        let new = self.forward.rewrite_path(&self.route.matcher.path, admitted.path.as_str())?;
        // A rewrite that is no path would be a configuration error; the request goes on as it was.
        PathAndQuery::try_from(new).ok()
    }

    /// What depends on the endpoint, or on which attempt it is.
    fn per_attempt(
        &self,
        admitted: &Admitted,
        connection: &ConnectionFacts<'_>,
        headers: &mut HeaderMap,
        host: &Host,
        attempt: u32,
    ) {
        if self.host.include_attempt_count {
            headers.insert(headers::ATTEMPT_COUNT, HeaderValue::from(attempt));
        }
        if self.forward.authority.is_none() && self.cluster.authority.is_none() {
            return;
        }
        let facts = admitted.facts(headers, connection);
        let new = self.forward.rewrite_authority(self.cluster, &facts, &host.endpoint.hostname);
        if let Some(Ok(authority)) = new.map(|new| HeaderValue::from_str(&new)) {
            headers.insert(HOST, authority);
        }
    }
}

/// An endpoint; those that were tried are avoided as far as the retry policy says so.
fn pick(
    plan: &Plan<'_>,
    upstream: &Upstream,
    hash: Option<u64>,
    policy: Option<&RetryPolicy>,
    tried: &[Arc<Host>],
) -> Option<Arc<Host>> {
    if let Discovery::OriginalDestination = upstream.cluster.discovery {
        return Some(plan.downstream.worker.pools.original(upstream, plan.downstream.local));
    }
    let avoid = if policy.is_some_and(|policy| policy.avoid_previous_hosts) { tried } else { &[] };
    let avoid_priorities = policy.is_some_and(|policy| policy.avoid_previous_priorities);
    upstream.pick(&PickRequest { hash, random: rand::rng().random(), avoid, avoid_priorities }).ok().cloned()
}

/// The route's timeout, shortened by the caller's `grpc-timeout` where the route heeds it.
fn whole_timeout(forward: &Forward, headers: &HeaderMap) -> Option<Duration> {
    let longest = forward.max_stream_duration.filter(|longest| !longest.is_zero());
    let route = forward.timeout.filter(|timeout| !timeout.is_zero());
    let route = route.into_iter().chain(longest).min();
    let Some(most) = forward.max_grpc_timeout else { return route };
    match grpc::timeout_of(headers) {
        Some(wanted) if most.is_zero() => Some(wanted),
        Some(wanted) => Some(wanted.min(most)),
        None => route,
    }
}

fn retry_timeout(forward: &Forward) -> Option<Duration> {
    let policy = forward.retry.as_ref()?;
    policy.per_try_timeout.into_iter().chain(policy.per_try_idle_timeout).filter(|timeout| !timeout.is_zero()).min()
}

/// Tells outlier detection.
fn report(
    downstream: &Downstream,
    upstream: &Upstream,
    host: &Host,
    outcome: &Result<(Response<Incoming>, Hold), Failure>,
    grpc_call: bool,
) {
    if upstream.cluster.outlier.is_none() {
        return;
    }
    let outcome = match outcome {
        Ok((response, _)) => {
            let code = grpc_call.then(|| grpc::status_of(response.headers())).flatten();
            Outcome::Response(code.map_or(response.status().as_u16(), |code| grpc_as_http(code.into())))
        }
        Err(failure) => Outcome::Failed(match failure.error.kind {
            Kind::ConnectFailed | Kind::ConnectTimeout | Kind::UpstreamTls => LocalFailure::Connect,
            Kind::UpstreamReset | Kind::RefusedStream | Kind::UpstreamClosed | Kind::UpstreamProtocol => {
                LocalFailure::Reset
            }
            Kind::PerTryTimeout | Kind::RequestTimeout => LocalFailure::Timeout,
            // Not the endpoint's doing.
            _ => return,
        }),
    };
    if let Some(ejection) = upstream.report(host, outcome, downstream.worker.shared.now(), rand::rng().random()) {
        tracing::info!(
            cluster = %upstream.cluster.name,
            endpoint = %host.address(),
            cause = ejection.cause.as_str(),
            seconds = ejection.duration.as_secs(),
            "endpoint ejected"
        );
    }
}

/// The failures that a retry policy knows of.
fn as_attempt(failure: &Failure) -> Option<AttemptFailure> {
    Some(match failure.error.kind {
        Kind::ConnectFailed | Kind::ConnectTimeout | Kind::UpstreamTls => AttemptFailure::Connect,
        Kind::RefusedStream => AttemptFailure::RefusedStream,
        Kind::UpstreamReset | Kind::UpstreamClosed | Kind::UpstreamProtocol => {
            AttemptFailure::Reset { sent: failure.sent }
        }
        Kind::PerTryTimeout => AttemptFailure::PerTryTimeout,
        Kind::Overflow => AttemptFailure::Overflow,
        _ => return None,
    })
}

/// The most of an answer that is read only to keep its connection.
const DRAIN_BYTES: u64 = 64 * 1024;

/// Reads an answer that nobody wants to its end, so that its connection can be used again; large ones are not worth it.
fn drain(mut body: Incoming, hold: Hold) {
    if body.is_end_stream() {
        return hold.complete();
    }
    if body.size_hint().upper().is_none_or(|size| size > DRAIN_BYTES) {
        return;
    }
    tokio::task::spawn_local(async move {
        let read = async {
            while let Some(frame) = std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx)).await {
                frame.ok()?;
            }
            Some(())
        };
        if let Ok(Some(())) = tokio::time::timeout(Duration::from_secs(1), read).await {
            hold.complete();
        }
    });
}
