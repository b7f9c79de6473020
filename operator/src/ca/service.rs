//! `istio.v1.auth.IstioCertificateService`: a certificate for whoever shows a token or a certificate.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::header::AUTHORIZATION;
use time::OffsetDateTime;
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status, body::Body, server::NamedService};
use tonic_prost::ProstCodec;
use weft_model::SpiffeId;
use weft_wire::ca::{CREATE_CERTIFICATE, IstioCertificateRequest, IstioCertificateResponse};

use super::{
    Authority, AuthorityWatch, Credentials, SignError, credentials::is_join_token, renewal, tokens::RedeemError,
};
use crate::{
    ads::published::Watch,
    metrics::{CsrLabels, Metrics},
    server::Peer,
};

/// Requests larger than this are refused before they are decoded.
const MAX_REQUEST: usize = 64 * 1024;
/// Tokens longer than this are not looked at; a service account's has about 1,300 bytes.
const MAX_TOKEN: usize = 8 * 1024;
/// Requests worked on at once; each holds a thread for its signature and for the disk.
const MAX_AT_ONCE: usize = 32;
/// Requests that wait at once for their turn.
const MAX_WAITING: usize = 1024;

/// The certificate service.
#[derive(Clone)]
pub struct CertificateService(Arc<Inner>);

struct Inner {
    authority: AuthorityWatch,
    credentials: Credentials,
    published: Watch,
    metrics: Metrics,
    working: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// By what a caller proved who it is.
enum Credential {
    /// The client certificate of the connection.
    Certificate(SpiffeId),
    /// A bearer token, not yet looked at.
    Token(String),
}

impl CertificateService {
    /// Serves certificates of the present authority; renews those of workloads that `published` knows, which is complete
    /// from the start.
    pub fn new(authority: AuthorityWatch, credentials: Credentials, published: Watch, metrics: Metrics) -> Self {
        Self(Arc::new(Inner {
            authority,
            credentials,
            published,
            metrics,
            working: Arc::new(Semaphore::new(MAX_AT_ONCE)),
            waiting: Arc::new(Semaphore::new(MAX_WAITING)),
        }))
    }

    async fn create(
        self,
        request: Request<IstioCertificateRequest>,
    ) -> Result<Response<IstioCertificateResponse>, Status> {
        let outcome = self.answer(request).await;
        let result = match &outcome {
            Ok(_) => "issued",
            Err(status) => match status.code() {
                tonic::Code::Unauthenticated | tonic::Code::PermissionDenied => "refused",
                tonic::Code::InvalidArgument => "invalid",
                tonic::Code::ResourceExhausted => "busy",
                _ => "failed",
            },
        };
        self.0.metrics.csrs.get_or_create(&CsrLabels { result }).inc();
        outcome.map(Response::new)
    }

    async fn answer(&self, request: Request<IstioCertificateRequest>) -> Result<IstioCertificateResponse, Status> {
        let inner = Arc::clone(&self.0);
        let Some(peer) = request.extensions().get::<Peer>().cloned() else {
            return Err(Status::internal("the connection's peer is not known"));
        };
        // A certificate wins, so that a proxy which still carries its token does not spend it on a renewal.
        let credential = match (&peer.identity, bearer(&request)) {
            (Some(identity), _) => Credential::Certificate(identity.clone()),
            (None, Some(token)) => Credential::Token(token),
            (None, None) => {
                return Err(Status::unauthenticated(
                    "show a join token or a service account's token as `authorization: Bearer …`, or a client certificate of this mesh",
                ));
            }
        };
        let _waiting = Arc::clone(&inner.waiting)
            .try_acquire_owned()
            .map_err(|_| Status::resource_exhausted("too many certificate requests wait: try again in a second"))?;
        let _working = Arc::clone(&inner.working)
            .acquire_owned()
            .await
            .map_err(|_| Status::unavailable("the operator is stopping"))?;
        let message = request.into_inner();
        let requested = Duration::from_secs(u64::try_from(message.validity_duration).unwrap_or(0));
        // Checked before a token is redeemed: a bad CSR must not use it up.
        let csr = off_thread(move || Authority::check_csr(&message.csr).map_err(status)).await?;
        let authority = inner.authority.borrow().clone();
        let (identity, by) = match credential {
            Credential::Certificate(identity) => inner.renew(identity, &peer)?,
            Credential::Token(token) if is_join_token(&token) => inner.redeem(token, &peer, &authority).await?,
            Credential::Token(token) => inner.review(&token, &peer, &authority).await?,
        };
        off_thread(move || {
            let issued = authority.sign(&csr, &identity, requested, OffsetDateTime::now_utc()).map_err(status)?;
            tracing::info!(%identity, peer = %peer.address, by, until = %issued.not_after, "issued a certificate");
            Ok(IstioCertificateResponse { cert_chain: authority.response_chain(&issued.leaf) })
        })
        .await
    }
}

/// Cryptography is for threads that nobody's connection waits for.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T, Status> + Send + 'static) -> Result<T, Status> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Status::internal("signing was interrupted"))?
}

impl Inner {
    fn renew(&self, identity: SpiffeId, peer: &Peer) -> Result<(SpiffeId, String), Status> {
        let snapshot = Arc::clone(&self.published.borrow().snapshot);
        match renewal::check(&snapshot, &identity) {
            Ok(()) => Ok((identity, "certificate".to_owned())),
            Err(gone) => {
                tracing::warn!(%identity, peer = %peer.address, %gone, "did not renew a certificate");
                Err(Status::permission_denied(gone.to_string()))
            }
        }
    }

    async fn redeem(
        &self,
        token: String,
        peer: &Peer,
        authority: &Arc<Authority>,
    ) -> Result<(SpiffeId, String), Status> {
        match self.credentials.join.redeem(token, Arc::clone(authority)).await {
            Ok(record) => {
                let id = SpiffeId::new(authority.trust_domain(), record.namespace, record.service_account);
                Ok((id, format!("token {}", record.id)))
            }
            Err(error @ (RedeemError::Io(_) | RedeemError::Cluster(_) | RedeemError::Contended)) => {
                tracing::error!(%error, "cannot redeem a join token");
                Err(Status::unavailable("join tokens cannot be read at present"))
            }
            Err(error) => {
                tracing::warn!(peer = %peer.address, %error, "refused a join token");
                Err(Status::unauthenticated(
                    "the join token is not accepted: it may be expired, used up, revoked or altered; \
                     make another with `weft vm join`, or without a cluster with `weft ca token create`",
                ))
            }
        }
    }

    async fn review(&self, token: &str, peer: &Peer, authority: &Authority) -> Result<(SpiffeId, String), Status> {
        let Some(accounts) = &self.credentials.accounts else {
            return Err(Status::unauthenticated(
                "that is no join token, and tokens of service accounts need a cluster",
            ));
        };
        match accounts.identify(token, authority.trust_domain()).await {
            Ok(identity) => Ok((identity, "service account token".to_owned())),
            Err(refusal) => {
                tracing::warn!(peer = %peer.address, %refusal, "refused a service account's token");
                Err(match refusal.is_passing() {
                    true => Status::unavailable(refusal.to_string()),
                    false => Status::unauthenticated(refusal.to_string()),
                })
            }
        }
    }
}

fn status(error: SignError) -> Status {
    match error {
        SignError::Malformed | SignError::Signature | SignError::Key => Status::invalid_argument(error.to_string()),
        SignError::IssuerExpired(_) | SignError::Signing(_) => {
            tracing::error!(%error, "cannot sign");
            Status::unavailable(error.to_string())
        }
    }
}

fn bearer(request: &Request<IstioCertificateRequest>) -> Option<String> {
    let value = request.metadata().get(AUTHORIZATION.as_str())?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && token.len() <= MAX_TOKEN).then(|| token.trim().to_owned())
}

impl NamedService for CertificateService {
    const NAME: &'static str = "istio.v1.auth.IstioCertificateService";
}

impl tonic::server::UnaryService<IstioCertificateRequest> for CertificateService {
    type Response = IstioCertificateResponse;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Self::Response>, Status>> + Send>>;

    fn call(&mut self, request: Request<IstioCertificateRequest>) -> Self::Future {
        Box::pin(self.clone().create(request))
    }
}

impl tower::Service<http::Request<Body>> for CertificateService {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            if request.uri().path() != CREATE_CERTIFICATE {
                return Ok(
                    Status::unimplemented("the certificate service has one method, CreateCertificate").into_http()
                );
            }
            let codec = ProstCodec::<IstioCertificateResponse, IstioCertificateRequest>::default();
            let mut grpc = tonic::server::Grpc::new(codec).max_decoding_message_size(MAX_REQUEST);
            Ok(grpc.unary(service, request).await)
        })
    }
}
