//! What the first certificate is asked for with.

use std::path::{Path, PathBuf};

use rustls_pki_types::CertificateDer;
use weft_runtime::StartupError;

use super::{JoinToken, RequestError, ServiceAccountToken, request};
use crate::{
    control_plane::{ConnectError, ControlPlane},
    state::NodeInfo,
    tls::{self, Identity},
};

/// Longest file of roots that is read.
const MAX_ROOTS: u64 = 1024 * 1024;

/// Where the proof of an identity without a certificate is found. Files are read anew for each request: they may have
/// been replaced by fresh ones.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A join token, which carries the hash of the mesh's root.
    Join(PathBuf),
    /// Nothing but the certificate that an identity file keeps.
    Kept,
    /// A pod's service account token, and the mesh's roots.
    Projected {
        /// The token that the kubelet keeps fresh.
        token: PathBuf,
        /// PEM.
        roots: PathBuf,
    },
}

impl Credentials {
    /// Reads the files once, so that one that is missing or damaged is a startup error.
    pub fn check(&self) -> Result<(), StartupError> {
        match self {
            Self::Join(file) => JoinToken::read(file).map(drop).map_err(|error| {
                StartupError::new(
                    format!("cannot read the join token {}", file.display()),
                    error,
                    "make one with `weft vm join` (without a cluster: `weft ca token create`) and name its file with \
                     --join-token-file",
                )
            }),
            Self::Kept => Err(StartupError::new(
                "cannot ask for a certificate",
                "the identity file has none yet, and no token is given",
                request::JOIN_AGAIN,
            )),
            Self::Projected { token, roots } => {
                ServiceAccountToken::read(token).map_err(|error| {
                    StartupError::new(
                        format!("cannot read the service account token {}", token.display()),
                        error,
                        "project one for the audience weft-ca and name its file with --token-file",
                    )
                })?;
                read_roots(roots).map(drop).map_err(|error| {
                    StartupError::new(
                        format!("cannot read the mesh's roots {}", roots.display()),
                        error,
                        "mount the ConfigMap weft-ca-root-cert and name its file with --root-cert-file",
                    )
                })
            }
        }
    }

    /// Which join token there is, by its part that is no secret; nothing where there is none, or it cannot be read.
    pub fn token_id(&self) -> Option<String> {
        let Self::Join(file) = self else { return None };
        JoinToken::read(file).ok()?.id().map(str::to_owned)
    }

    /// The file with the mesh's roots, where there is one.
    pub fn roots_file(&self) -> Option<&Path> {
        match self {
            Self::Join(_) | Self::Kept => None,
            Self::Projected { roots, .. } => Some(roots),
        }
    }

    /// Asks for a certificate.
    pub async fn ask(&self, control_plane: &ControlPlane, node: &NodeInfo) -> Result<Identity, RequestError> {
        match self {
            Self::Join(file) => request::with_join_token(control_plane, node, &JoinToken::read(file)?).await,
            Self::Kept => Err(RequestError::NoToken),
            Self::Projected { token, roots } => {
                let (token, roots) = (ServiceAccountToken::read(token)?, read_roots(roots)?);
                request::with_service_account(control_plane, node, &token, &roots).await
            }
        }
    }

    /// Whether the token may be tried after a renewal by certificate ended in `error`. A join token has a limited
    /// number of uses, so only a plain refusal is worth one, or an operator of other roots: of a mesh that was made anew,
    /// perhaps, and if it is not the token's own either, the token is not shown to it.
    pub fn worth_trying(&self, error: &RequestError) -> bool {
        match self {
            Self::Join(_) => match error {
                RequestError::Connect(error @ ConnectError::Tls(..)) => !error.is_of_another_time(),
                error => matches!(error, RequestError::Refused(_)),
            },
            Self::Kept => false,
            Self::Projected { .. } => error.unproven(),
        }
    }
}

/// Reads PEM; at least one certificate.
pub fn read_roots(path: &Path) -> Result<Vec<CertificateDer<'static>>, tls::Error> {
    let name = path.display().to_string();
    let failed = |why: String| tls::Error::Pem(name.as_str().into(), why);
    let length = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
    if length > MAX_ROOTS {
        return Err(failed(format!("it is longer than {MAX_ROOTS} bytes")));
    }
    let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    tls::certificates(&name, &pem)
}
