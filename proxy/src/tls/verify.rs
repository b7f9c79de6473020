//! Verifying servers as a mesh does: the chain, then the certificate's own names rather than the SNI.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor,
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use sha2::{Digest, Sha256};
use weft_policy::config::{StringMatch, accepts_san};

use super::{names_of, provider};

/// What a server's chain must end in.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Anything: the chain is not looked at (`SIMPLE` TLS without roots, and kubelet-style probes).
    Anybody,
    /// One of these roots.
    Roots(Arc<RootCertStore>),
    /// The root whose DER has this SHA-256; the server must send it along. For the first contact by join token.
    Pinned([u8; 32]),
}

/// Verifies the chain, then that the certificate has one of the names; no names accept every certificate.
#[derive(Debug)]
pub(super) struct ByNames {
    pub trust: Trust,
    pub names: Vec<StringMatch>,
}

impl ByNames {
    fn roots(&self, sent: &[CertificateDer<'_>]) -> Result<Option<Arc<RootCertStore>>, rustls::Error> {
        match &self.trust {
            Trust::Anybody => Ok(None),
            Trust::Roots(roots) => Ok(Some(roots.clone())),
            Trust::Pinned(hash) => {
                let pinned = sent.iter().find(|certificate| Sha256::digest(certificate)[..] == *hash);
                let mut roots = RootCertStore::empty();
                roots.add(pinned.ok_or(CertificateError::UnknownIssuer)?.clone().into_owned())?;
                Ok(Some(Arc::new(roots)))
            }
        }
    }
}

impl ServerCertVerifier for ByNames {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(roots) = self.roots(intermediates)? {
            verify_server_cert_signed_by_trust_anchor(
                &ParsedCertificate::try_from(end_entity)?,
                &roots,
                intermediates,
                now,
                provider().signature_verification_algorithms.all,
            )?;
        }
        let names = names_of(end_entity);
        if accepts_san(&self.names, names.iter().map(String::as_str)) {
            return Ok(ServerCertVerified::assertion());
        }
        Err(CertificateError::NotValidForName.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &provider().signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
