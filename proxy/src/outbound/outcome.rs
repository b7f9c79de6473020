//! What an attempt's end means: to outlier detection, to the retry policy, to its connection.

use std::{pin::Pin, time::Duration};

use http::Response;
use http_body::Body as _;
use hyper::body::Incoming;
use rand::Rng;
use weft_policy::{
    retry::AttemptFailure,
    upstream::{Host, LocalFailure, Outcome, Upstream, grpc_as_http},
};

use super::attempt::Failure;
use crate::{error::Kind, http::grpc, listener::Downstream, upstream::Hold};

/// Tells outlier detection.
pub(super) fn report(
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
pub(super) fn as_attempt(failure: &Failure) -> Option<AttemptFailure> {
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
pub(super) fn drain(mut body: Incoming, hold: Hold) {
    if body.is_end_stream() {
        return hold.complete();
    }
    if body.size_hint().upper().is_none_or(|size| size > DRAIN_BYTES) {
        return;
    }
    tokio::task::spawn_local(async move {
        let read = async {
            while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
                frame.ok()?;
            }
            Some(())
        };
        if let Ok(Some(())) = tokio::time::timeout(Duration::from_secs(1), read).await {
            hold.complete();
        }
    });
}
