//! What 15020 does for the application of the pod: merged metrics, its probes, and the end of a Job.

use std::net::SocketAddr;

use axum::{
    extract::{ConnectInfo, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};

use super::{Context, pages::EXPOSITION};
use crate::{pod, telemetry};

/// What injection told of the application.
#[derive(Debug, Default)]
pub struct Application {
    /// Its probes and lifecycle handlers.
    pub probes: pod::Probes,
    /// Its metrics.
    pub metrics: Option<pod::AppMetrics>,
}

/// Our metrics and the application's. An application that does not answer costs its own part only.
pub(super) async fn merged(State(context): State<Context>, headers: HeaderMap) -> impl IntoResponse {
    let shared = &context.shared;
    let ours = telemetry::exposition(shared, &context.dispatcher.loads());
    let Some(app) = &context.application.metrics else { return ([EXPOSITION], ours) };
    let (text, outcome) = pod::scrape(&shared.node, app, ours, &headers).await;
    if let Err(error) = outcome {
        shared.stats.app_scrape_failed();
        tracing::debug!(%error, "the application's metrics are missing");
    }
    ([EXPOSITION], text)
}

/// Answers for the application, in the kubelet's words.
pub(super) async fn probe(State(context): State<Context>, uri: Uri, headers: HeaderMap) -> Response {
    let Some(probe) = context.application.probes.get(uri.path()) else {
        return (StatusCode::NOT_FOUND, "no such probe was injected\n").into_response();
    };
    let pod::Verdict { status, message } = pod::run(&context.shared.node, probe, headers.get(header::USER_AGENT)).await;
    if !message.is_empty() {
        tracing::debug!(path = uri.path(), %status, message, "the application's probe failed");
    }
    (status, message).into_response()
}

/// Ends the proxy when the main container of a Job is done. Only the pod itself may.
pub(super) async fn quit(State(context): State<Context>, ConnectInfo(peer): ConnectInfo<SocketAddr>) -> Response {
    if !peer.ip().to_canonical().is_loopback() {
        return (StatusCode::FORBIDDEN, "only from within the pod\n").into_response();
    }
    context.shutdown.begin();
    "stopping\n".into_response()
}
