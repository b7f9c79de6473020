//! Who is at the other end of a connection, as far as TLS proves it.

use std::net::SocketAddr;

use rustls_pki_types::CertificateDer;
use weft_model::SpiffeId;
use x509_parser::extensions::GeneralName;

/// The other end of a connection; every request on it carries this as an extension.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Where it connects from.
    pub address: SocketAddr,
    /// The identity that its verified certificate proves; `None` when it showed none, or none of this mesh.
    pub identity: Option<SpiffeId>,
}

/// The one mesh identity in a certificate that was already verified. `None` unless there is exactly one URI name and it
/// is an identity of `trust_domain`.
pub fn identity(certificate: &CertificateDer<'_>, trust_domain: &str) -> Option<SpiffeId> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let names = parsed.subject_alternative_name().ok()??;
    let mut uris = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) => Some(*uri),
        _ => None,
    });
    let (Some(uri), None) = (uris.next(), uris.next()) else { return None };
    uri.parse::<SpiffeId>().ok().filter(|id| id.trust_domain == trust_domain)
}
