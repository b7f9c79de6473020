//! TLS that listeners terminate.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme,
    pki_types::{CertificateDer, UnixTime},
    server::{
        ClientHello, ResolvesServerCert, ServerSessionMemoryCache, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
};
use weft_model::xds;
use weft_policy::config::{Config, DownstreamTls, Secret, StringMatch, accepts_san};

use super::{Error, Identity, client, names_of, provider, spiffe_of};

/// TLS sessions remembered per listener chain.
const SESSIONS: usize = 256;

/// The secrets that a chain uses, as far as they have come.
pub(super) fn secrets(config: &Config, tls: &DownstreamTls) -> Vec<Arc<Secret>> {
    let names = std::iter::once(&tls.certificate).chain(&tls.roots);
    names.filter_map(|name| config.secrets.get(name).cloned()).collect()
}

/// The configuration for a chain.
pub(super) fn build(
    config: &Config,
    identity: Option<&Identity>,
    tls: &DownstreamTls,
    trust_domain: &str,
) -> Result<ServerConfig, Error> {
    let certificate = client::certificate(config, identity, &tls.certificate)?;
    let mesh = tls.roots.as_deref() == Some(xds::SDS_ROOTS);
    let versions = client::versions(mesh, tls.min_version, tls.max_version);
    let builder = ServerConfig::builder_with_provider(provider().clone()).with_protocol_versions(versions)?;
    let builder = match &tls.roots {
        None => builder.with_no_client_auth(),
        Some(name) => {
            let roots = client::roots(config, identity, name)?;
            let chain = WebPkiClientVerifier::builder_with_provider(roots, provider().clone());
            let chain = if tls.require_client_certificate { chain } else { chain.allow_unauthenticated() };
            // Hints would tell every caller, and make the handshake larger, for nothing: callers have one certificate.
            let chain = chain.clear_root_hint_subjects().build().map_err(|error| Error::Roots(error.to_string()))?;
            let trust_domain = mesh.then(|| trust_domain.into());
            builder.with_client_cert_verifier(Arc::new(Peers { chain, trust_domain, names: tls.client_san.clone() }))
        }
    };
    let mut built = builder.with_cert_resolver(Arc::new(Always(certificate)));
    built.alpn_protocols = tls.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    built.session_storage = ServerSessionMemoryCache::new(SESSIONS);
    built.send_tls13_tickets = 1;
    Ok(built)
}

/// Presents one certificate whatever name is asked for.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

/// Verifies the chain, then the trust domain (of mesh peers), then the names that the chain demands.
#[derive(Debug)]
struct Peers {
    chain: Arc<dyn ClientCertVerifier>,
    trust_domain: Option<Box<str>>,
    names: Vec<StringMatch>,
}

impl ClientCertVerifier for Peers {
    fn offer_client_auth(&self) -> bool {
        self.chain.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.chain.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.chain.verify_client_cert(end_entity, intermediates, now)?;
        if let Some(expected) = &self.trust_domain {
            let peer = spiffe_of(end_entity).ok_or(CertificateError::NotValidForName)?;
            if peer.trust_domain != **expected {
                return Err(CertificateError::NotValidForName.into());
            }
        }
        let names = names_of(end_entity);
        if !accepts_san(&self.names, names.iter().map(String::as_str)) {
            return Err(CertificateError::NotValidForName.into());
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}
