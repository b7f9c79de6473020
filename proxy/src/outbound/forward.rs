//! Sending a request on: header changes, attempts, retries, timeouts.

use std::{pin::pin, sync::Arc, time::Instant};

use http::{HeaderValue, Response, Version, request::Parts};
use http_body::Body as _;
use hyper::{body::Incoming, upgrade::OnUpgrade};
use rand::Rng;
use tokio::time::timeout_at;
use weft_policy::{
    affinity::Affinity,
    balance::PickRequest,
    config::{Direction, Discovery, RetryPolicy},
    retry::{Attempt, AttemptFailure, Next, Retries},
    upstream::{Host, Permit, Upstream},
};

use super::{
    admit::Admitted,
    answer::{self, Decoration},
    attempt::{Failure, Outgoing, attempt},
    edge, mirror,
    outcome::{as_attempt, drain, report},
    plan::Plan,
    timeouts::Timeouts,
};
use crate::{
    error::{Error, Kind},
    http::{Exchange, ResponseBody, Source, fail, headers, reply},
    telemetry::{self, Flag},
    upstream::Hold,
};

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
    let upstream = plan.config.upstream(name);
    plan.count_pick(upstream.map(|upstream| &**upstream));
    let Some(upstream) = upstream else {
        if let Some(edge) = edge::to_missing(&downstream.worker, &exchange.record.edge, name) {
            exchange.record.edge = edge;
        }
        exchange.record.flags.set(Kind::NoCluster.flag());
        return Ok(reply(exchange, plan.forward.cluster_not_found, "", "cluster_not_found"));
    };
    if let Some(idle) = plan.forward.idle_timeout {
        exchange.idle = Some(idle).filter(|idle| !idle.is_zero());
    }

    // Phase: what depends on the request as it came.
    let connection = downstream.facts();
    let (affinity, mut retries) = {
        let facts = admitted.facts(&parts.headers, &connection);
        let affinity = match plan.forward.hash.is_empty() {
            true => Affinity::default(),
            false => plan.forward.affinity(&facts, rand::rng().random()),
        };
        (affinity, Retries::new(plan.forward.retry.as_ref(), &facts))
    };
    decoration.cookie = affinity.cookie;

    // Phase: the request as the upstream is to see it.
    plan.change_request(&admitted, &connection, &mut parts.headers, &exchange);
    let path = plan.new_path(&admitted);
    let mirrors = mirror::chosen(plan.forward);
    let source = (!body.is_end_stream())
        .then(|| Source::new(body, retries.any_left() || !mirrors.is_empty(), exchange.record.grpc));
    exchange.body = source.clone();
    let timeouts = Timeouts::of(plan.chain, plan.forward, &parts.headers, &exchange, source.clone());
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
    let mut request_headers = parts.headers;
    let mut tried: Vec<Arc<Host>> = Vec::new();
    let mut permit: Option<Permit> = None;
    // Whether the application may have seen any of the request.
    let mut delivered = false;
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
        plan.per_attempt(&admitted, &connection, &mut request_headers, &host, exchange.record.attempts);
        let began = Instant::now();
        let outcome = {
            let (started, permit) = (exchange.started, permit.take());
            let mut trying = pin!(attempt(
                downstream,
                &mut exchange,
                upstream,
                &host,
                &outgoing,
                (&mut request_headers, !last),
                permit
            ));
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
            Ok((response, hold)) => {
                let ended = match repeatable(response, hold) {
                    true => Attempt::Failed(AttemptFailure::HandedBack),
                    false => Attempt::Response(response.status(), response.headers()),
                };
                retries.next(upstream, ended, rand::rng().random())
            }
            Err(failure) => match as_attempt(failure) {
                Some(failure) => retries.next(upstream, Attempt::Failed(failure), rand::rng().random()),
                None => Next::Stop,
            },
        };
        match again {
            Next::Again(pause, next) => {
                delivered = true;
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
            Err(failure) => {
                delivered |= failure.sent;
                break failure.error;
            }
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
    let repeatable = match error.kind {
        Kind::ConnectFailed | Kind::ConnectTimeout => !delivered || outgoing.method.is_idempotent(),
        Kind::UpstreamClosed => outgoing.method.is_idempotent(),
        _ => false,
    };
    if repeatable && downstream.direction == Direction::Inbound && downstream.identity.is_some() {
        response.headers_mut().insert(headers::REPEATABLE, HeaderValue::from_static("1"));
    }
    Ok(response)
}

/// Whether the proxy at the other end says that the request may go elsewhere. Its word counts only where it proved who
/// it is; an answer from elsewhere is just an answer.
fn repeatable(response: &Response<Incoming>, hold: &Hold) -> bool {
    response.headers().contains_key(headers::REPEATABLE) && hold.is_mesh_peer()
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
