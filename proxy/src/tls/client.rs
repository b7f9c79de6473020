//! TLS towards endpoints and towards the operator.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore, SignatureScheme, SupportedProtocolVersion,
    client::{ResolvesClientCert, Resumption, WebPkiServerVerifier, danger::ServerCertVerifier},
    sign::CertifiedKey,
    version,
};
use weft_model::xds;
use weft_policy::config::{Config, SecretContent, StringMatch, TlsVersion, UpstreamTls};

use super::{
    Error, Identity, pem, provider,
    verify::{ByNames, Trust},
};

/// What will be spoken inside; decides the ALPN offer together with the cluster's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Offer {
    /// What the cluster's settings list.
    Configured,
    /// HTTP/1.1: `istio-http/1.1` to a proxy, `http/1.1` to anything else.
    Http1,
    /// HTTP/2: `istio-h2` to a proxy, `h2` to anything else.
    Http2,
    /// Opaque bytes: `istio` to a proxy, to anything else what the settings list.
    Opaque,
}

/// Names of files at the proxy, as Istio writes them: `file-cert:<chain>~<key>` and `file-root:<roots>`. They are read
/// when a configuration is built, so a replaced file is taken up with the next rotation of the identity.
const FILE_CERTIFICATE: &str = "file-cert:";
const FILE_ROOTS: &str = "file-root:";

/// Sessions remembered per configuration, so that reconnecting to an endpoint is cheap.
const SESSIONS: usize = 64;

/// The configuration for an endpoint.
pub(super) fn build(
    config: &Config,
    identity: Option<&Identity>,
    tls: &UpstreamTls,
    offer: Offer,
) -> Result<ClientConfig, Error> {
    let mesh = tls.certificate.as_deref() == Some(xds::SDS_WORKLOAD);
    let verifier = verifier(config, identity, tls)?;
    let builder = builder(versions(mesh, tls.min_version, tls.max_version))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut built = match &tls.certificate {
        None => builder.with_no_client_auth(),
        Some(name) => builder.with_client_cert_resolver(Arc::new(Always(certificate(config, identity, name)?))),
    };
    built.alpn_protocols = alpn(mesh, tls, offer);
    built.enable_sni = !tls.sni.is_empty();
    built.resumption = Resumption::in_memory_sessions(SESSIONS);
    Ok(built)
}

/// Between proxies only TLS 1.3; elsewhere what the settings allow.
pub(super) fn versions(
    mesh: bool,
    lowest: TlsVersion,
    highest: TlsVersion,
) -> &'static [&'static SupportedProtocolVersion] {
    static ONLY_1_2: [&SupportedProtocolVersion; 1] = [&version::TLS12];
    static ONLY_1_3: [&SupportedProtocolVersion; 1] = [&version::TLS13];
    match (mesh || lowest == TlsVersion::V1_3, highest) {
        (true, _) => &ONLY_1_3,
        (false, TlsVersion::V1_2) => &ONLY_1_2,
        (false, TlsVersion::V1_3) => rustls::ALL_VERSIONS,
    }
}

fn builder(
    versions: &[&'static SupportedProtocolVersion],
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, rustls::Error> {
    ClientConfig::builder_with_provider(provider().clone()).with_protocol_versions(versions)
}

fn alpn(mesh: bool, tls: &UpstreamTls, offer: Offer) -> Vec<Vec<u8>> {
    let configured = || tls.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let one = |name: &str| vec![name.as_bytes().to_vec()];
    match (offer, mesh) {
        (Offer::Http1, true) => one(xds::ALPN_ISTIO_HTTP11),
        (Offer::Http2, true) => one(xds::ALPN_ISTIO_H2),
        (Offer::Opaque, true) => one(xds::ALPN_ISTIO),
        (Offer::Http1, false) => one("http/1.1"),
        (Offer::Http2, false) => one("h2"),
        (Offer::Configured | Offer::Opaque, _) => configured(),
    }
}

/// A named certificate: our own, or a secret's.
pub(super) fn certificate(
    config: &Config,
    identity: Option<&Identity>,
    name: &Arc<str>,
) -> Result<Arc<CertifiedKey>, Error> {
    if &**name == xds::SDS_WORKLOAD {
        return identity.map(|identity| identity.key.clone()).ok_or(Error::NoIdentity);
    }
    if let Some((chain, key)) = name.strip_prefix(FILE_CERTIFICATE).and_then(|files| files.split_once('~')) {
        return pem::certified_key(name, &pem::file(name, chain)?, &pem::file(name, key)?);
    }
    let secret = config.secrets.get(name).ok_or_else(|| Error::NoSecret(name.clone()))?;
    match &secret.content {
        SecretContent::Certificate { chain, key } => pem::certified_key(name, chain, key),
        SecretContent::Roots(_) => Err(Error::WrongSecret(name.clone(), "certificate with key")),
    }
}

/// Named roots: the mesh's, or a secret's.
pub(super) fn roots(
    config: &Config,
    identity: Option<&Identity>,
    name: &Arc<str>,
) -> Result<Arc<RootCertStore>, Error> {
    if &**name == xds::SDS_ROOTS {
        return identity.map(|identity| identity.roots.clone()).ok_or(Error::NoIdentity);
    }
    if let Some(file) = name.strip_prefix(FILE_ROOTS) {
        return Ok(Arc::new(pem::roots(name, &pem::file(name, file)?)?));
    }
    let secret = config.secrets.get(name).ok_or_else(|| Error::NoSecret(name.clone()))?;
    match &secret.content {
        SecretContent::Roots(pem) => Ok(Arc::new(pem::roots(name, pem)?)),
        SecretContent::Certificate { .. } => Err(Error::WrongSecret(name.clone(), "roots")),
    }
}

fn verifier(
    config: &Config,
    identity: Option<&Identity>,
    tls: &UpstreamTls,
) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    let Some(name) = &tls.roots else {
        return Ok(Arc::new(ByNames { trust: Trust::Anybody, names: tls.server_san.clone() }));
    };
    let roots = roots(config, identity, name)?;
    // A public server with no names given is verified the way a browser does: its DNS name must be the SNI.
    if tls.server_san.is_empty() && &**name != xds::SDS_ROOTS && !tls.sni.is_empty() {
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider().clone()).build();
        return Ok(verifier.map_err(|error| Error::Roots(error.to_string()))?);
    }
    Ok(Arc::new(ByNames { trust: Trust::Roots(roots), names: tls.server_san.clone() }))
}

/// The configuration for the operator: HTTP/2 over TLS 1.3, the operator proving one of `names` to `trust`, and our
/// certificate where we have one.
pub fn operator_config(
    trust: Trust,
    names: Vec<StringMatch>,
    certificate: Option<&Identity>,
) -> Result<ClientConfig, Error> {
    let verifier = Arc::new(ByNames { trust, names });
    let builder = builder(versions(true, TlsVersion::V1_3, TlsVersion::V1_3))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match certificate {
        Some(identity) => builder.with_client_cert_resolver(Arc::new(Always(identity.key.clone()))),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// HTTP/1.1 over TLS with whoever answers.
pub(super) fn unverified() -> Result<ClientConfig, Error> {
    let verifier = Arc::new(ByNames { trust: Trust::Anybody, names: Vec::new() });
    let config = builder(rustls::ALL_VERSIONS)?.dangerous().with_custom_certificate_verifier(verifier);
    let mut config = config.with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Presents one certificate whatever the server hints at.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesClientCert for Always {
    fn resolve(&self, _root_hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}
