//! One certificate request.

use std::{sync::Arc, time::Duration};

use http::uri::PathAndQuery;
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, pem::PemObject};
use sha2::{Digest, Sha256};
use tonic::{Code, Status, client::Grpc, metadata::MetadataValue};
use tonic_prost::ProstCodec;
use weft_wire::ca::{CREATE_CERTIFICATE, IstioCertificateRequest, IstioCertificateResponse};

use super::{InvalidToken, JoinToken, ServiceAccountToken};
use crate::{
    control_plane::{ConnectError, ControlPlane},
    state::NodeInfo,
    tls::{self, Identity, Trust},
};

/// Longest time for the call.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What helps who has no proof of an identity.
pub const JOIN_AGAIN: &str = "make a join token with `weft vm join` (without a cluster: `weft ca token create`) and name \
                              its file with --join-token-file";

/// Why no certificate was issued.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The token file.
    #[error("token: {0}")]
    Token(#[from] InvalidToken),
    /// The certificate that was kept does not help, and there is nothing else.
    #[error("the certificate has expired or is not accepted any more, and no token is given")]
    NoToken,
    /// The operator cannot be reached, or is not the one that the token or the roots vouch for.
    #[error("{0}")]
    Connect(#[from] ConnectError),
    /// The certificate authority does not accept who asks.
    #[error("refused: {}", .0.message())]
    Refused(Status),
    /// The call failed otherwise.
    #[error("{}: {}", .0.code(), .0.message())]
    Call(Status),
    /// The request could not be made.
    #[error("{0}")]
    Csr(#[from] rcgen::Error),
    /// The answer is of no use.
    #[error("the certificate authority's answer is unusable: {0}")]
    Answer(String),
    /// TLS cannot be set up.
    #[error("{0}")]
    Tls(#[from] tls::Error),
}

impl RequestError {
    /// Whether who asked, rather than the way there, was the reason: another proof of identity may help.
    pub fn unproven(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Connect(ConnectError::Tls(..)) => true,
            // TLS 1.3 tells a client that its certificate is refused only after the handshake.
            Self::Call(status) => matches!(status.code(), Code::Unknown | Code::Unavailable | Code::Internal),
            _ => false,
        }
    }

    /// What an operator of the mesh can do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NoToken => JOIN_AGAIN,
            Self::Token(_) | Self::Refused(_) => {
                "make a fresh join token with `weft vm join` (without a cluster: `weft ca token create`); in a pod, see why \
                 the operator refuses its account"
            }
            Self::Connect(error) if error.is_of_another_time() => {
                "compare this machine's clock (the time of this line) with the operator's, and set the one that is wrong"
            }
            Self::Connect(ConnectError::Tls(..)) => {
                "check that --control-plane is this mesh's operator and that the token or the roots are this mesh's"
            }
            Self::Connect(_) => "check that the operator runs and that --control-plane names its address",
            _ => "see the operator's log",
        }
    }
}

/// With a join token, over TLS that is verified by the root hash in it.
pub async fn with_join_token(
    control_plane: &ControlPlane,
    node: &NodeInfo,
    token: &JoinToken,
) -> Result<Identity, RequestError> {
    let names = control_plane.server_names(&node.operator_spiffe());
    let config = tls::operator_config(Trust::Pinned(token.root_hash()), names, None)?;
    let identity = ask(control_plane, node, config, Some(token.bearer())).await?;
    let pinned = |root: &CertificateDer<'_>| Sha256::digest(root)[..] == token.root_hash();
    if !identity.root_certificates.iter().any(pinned) {
        return Err(RequestError::Answer("the token's root is not among the roots".into()));
    }
    Ok(identity)
}

/// With the pod's service account token, over TLS that is verified by the mesh's roots.
pub async fn with_service_account(
    control_plane: &ControlPlane,
    node: &NodeInfo,
    token: &ServiceAccountToken,
    roots: &[CertificateDer<'static>],
) -> Result<Identity, RequestError> {
    let names = control_plane.server_names(&node.operator_spiffe());
    let config = tls::operator_config(Trust::Roots(tls::root_store(roots)?), names, None)?;
    let identity = ask(control_plane, node, config, Some(token.bearer())).await?;
    if !identity.root_certificates.iter().any(|root| roots.contains(root)) {
        return Err(RequestError::Answer("none of its roots is in the file of the mesh's roots".into()));
    }
    Ok(identity)
}

/// With the present certificate.
pub async fn with_certificate(
    control_plane: &ControlPlane,
    node: &NodeInfo,
    identity: &Identity,
) -> Result<Identity, RequestError> {
    let names = control_plane.server_names(&node.operator_spiffe());
    let config = tls::operator_config(Trust::Roots(identity.roots.clone()), names, Some(identity))?;
    ask(control_plane, node, config, None).await
}

async fn ask(
    control_plane: &ControlPlane,
    node: &NodeInfo,
    config: rustls::ClientConfig,
    bearer: Option<String>,
) -> Result<Identity, RequestError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let csr = params.serialize_request(&key)?.pem()?;
    let mut request = tonic::Request::new(IstioCertificateRequest { csr, ..IstioCertificateRequest::default() });
    request.set_timeout(TIMEOUT);
    if let Some(bearer) = bearer {
        let mut bearer = MetadataValue::try_from(bearer).map_err(|_| InvalidToken::Form)?;
        bearer.set_sensitive(true);
        request.metadata_mut().insert("authorization", bearer);
    }
    let link = control_plane.connect(Arc::new(config)).await?;
    let mut grpc = Grpc::with_origin(link, control_plane.origin());
    let call = async {
        grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let path = PathAndQuery::from_static(CREATE_CERTIFICATE);
        let codec = ProstCodec::<IstioCertificateRequest, IstioCertificateResponse>::default();
        grpc.unary(request, path, codec).await
    };
    let answer = tokio::time::timeout(TIMEOUT, call).await;
    let answer = answer.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer in time")));
    let answer = answer.map_err(|status| match status.code() {
        Code::Unauthenticated | Code::PermissionDenied => RequestError::Refused(status),
        _ => RequestError::Call(status),
    })?;
    read(&answer.into_inner().cert_chain, key, node)
}

/// The last string holds the roots, all before it the chain, leaf first.
fn read(chain: &[String], key: KeyPair, node: &NodeInfo) -> Result<Identity, RequestError> {
    let unusable = |why: &str| RequestError::Answer(why.to_owned());
    let (roots, chain) = chain.split_last().ok_or_else(|| unusable("it is empty"))?;
    let chain = chain.iter().map(|pem| certificates(pem)).collect::<Result<Vec<_>, _>>()?.concat();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let identity = Identity::new(chain, certificates(roots)?, key)?;
    if identity.spiffe != node.spiffe() {
        return Err(RequestError::Answer(format!("it is for {}, not {}", identity.spiffe, node.spiffe())));
    }
    Ok(identity)
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, RequestError> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| RequestError::Answer(error.to_string()))
}
