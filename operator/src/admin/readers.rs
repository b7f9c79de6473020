//! Who may read the debug pages. They tell what every proxy is told, header values and policies included. On a cluster any
//! pod reaches the port, so they are for whoever is in the control plane's own pod, which is where a forwarded port comes
//! out, and for the operator and the consoles of its namespace, by a token that is good for nothing else.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use k8s_openapi::api::authentication::v1::TokenReviewStatus;
use kube::Client;
use weft_install::{names, render::bootstrap::OPERATOR};
use weft_model::sync;

use crate::ca::{
    accounts::Refusal,
    reviews::{Reviews, Terms, service_account},
};

/// Longest token that is looked at.
const MAX_TOKEN: usize = 8 * 1024;
/// Readers are the operator and a few consoles, and anybody may knock. Who is no longer one is let in for a minute, and while
/// the API server is away, which could not say so, for ten: a console shows the mesh on meanwhile.
const TERMS: Terms = Terms {
    at_once: 4,
    // Longer than a review may take: who waits for a turn then knows whether the others were answered.
    turn: Duration::from_millis(1_100),
    patience: Duration::from_millis(900),
    remembered: 64,
    accepted: Duration::from_secs(60),
    refused: Duration::from_secs(5),
    while_away: Duration::from_secs(600),
};
const _: () = assert!(TERMS.turn.as_millis() + TERMS.patience.as_millis() <= sync::ADMISSION.as_millis());
const _: () = assert!(sync::ADMISSION.as_millis() < sync::ANSWER.as_millis());

/// Who may read the debug pages.
#[derive(Clone)]
pub enum Readers {
    /// Whoever reaches the port: on one machine it listens where its user says.
    Anybody,
    /// The pod itself, and whom these tokens are of.
    Known(Arc<ReaderTokens>),
}

impl Readers {
    /// The readers of a control plane in `namespace`.
    pub fn of_cluster(client: Client, namespace: &str) -> Self {
        let own = namespace.to_owned();
        let reviews = Reviews::new(client, names::READER_AUDIENCE, move |status| verdict(status, &own), TERMS);
        Self::Known(Arc::new(ReaderTokens { reviews: Arc::new(reviews), namespace: namespace.to_owned() }))
    }
}

/// Tells readers by their tokens.
pub struct ReaderTokens {
    reviews: Arc<Reviews<()>>,
    namespace: String,
}

impl ReaderTokens {
    async fn check(&self, peer: Option<IpAddr>, token: Option<String>) -> Result<(), (StatusCode, String)> {
        if peer.is_some_and(|address| address.to_canonical().is_loopback()) {
            return Ok(());
        }
        let Some(token) = token else {
            return Err((StatusCode::UNAUTHORIZED, "debug pages are for the operator and the console".to_owned()));
        };
        self.reviews.of(&token).await.map_err(|refusal| {
            let status = match &refusal {
                Refusal::NoReader(..) => StatusCode::FORBIDDEN,
                refusal if refusal.is_passing() => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::UNAUTHORIZED,
            };
            (status, refusal.to_string())
        })
    }
}

/// Whether a token is of a reader of the control plane in `own`. Any pod may mount tokens of its own account for this audience,
/// as many as it likes: they are refused here, so that they are remembered among those and push out no reader's.
fn verdict(status: &TokenReviewStatus, own: &str) -> Result<(), Refusal> {
    let (_, namespace, name) = service_account(status, names::READER_AUDIENCE)?;
    match namespace == own && reads(name) {
        true => Ok(()),
        false => Err(Refusal::NoReader(namespace.to_owned(), name.to_owned())),
    }
}

/// Consoles of other revisions ask every control plane of the namespace.
fn reads(account: &str) -> bool {
    let console = account.strip_prefix(names::CONSOLE);
    account == OPERATOR || console.is_some_and(|revision| revision.is_empty() || revision.starts_with('-'))
}

/// Stands before the debug pages.
pub(super) async fn admit(State(readers): State<Readers>, request: Request, next: Next) -> Response {
    if let Readers::Known(tokens) = &readers {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
        let token = bearer(request.headers());
        if let Err((status, why)) = tokens.check(peer, token).await {
            let remedy = format!("weft proxy-status, or kubectl -n {} port-forward POD 15014", tokens.namespace);
            return (status, format!("{why}; to read this page by hand, use {remedy}\n")).into_response();
        }
    }
    next.run(request).await
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && token.len() <= MAX_TOKEN).then(|| token.trim().to_owned())
}

#[cfg(test)]
mod tests;
