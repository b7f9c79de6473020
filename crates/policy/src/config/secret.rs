//! Certificates that the control plane sends (gateways' `credentialName`).

use std::{fmt, sync::Arc};

/// A Secret resource. PEM as it came; the proxy parses it when it builds TLS.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// SDS name.
    pub name: Arc<str>,
    /// What it holds.
    pub content: SecretContent,
}

/// Kinds of secret.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretContent {
    /// A server or client certificate.
    Certificate {
        /// Certificates, leaf first, PEM.
        chain: Arc<[u8]>,
        /// Private key, PEM.
        key: Arc<[u8]>,
    },
    /// Roots to verify peers against, PEM.
    Roots(Arc<[u8]>),
}

// Never derived: a key must not reach a log by way of {:?}.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("name", &self.name).field("content", &self.content).finish()
    }
}

impl fmt::Debug for SecretContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate { chain, .. } => {
                write!(f, "Certificate {{ chain: {} bytes, key: redacted }}", chain.len())
            }
            Self::Roots(pem) => write!(f, "Roots({} bytes)", pem.len()),
        }
    }
}
