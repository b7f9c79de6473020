//! Names in certificates.

use rustls::pki_types::CertificateDer;
use weft_model::SpiffeId;
use x509_parser::{extensions::GeneralName, prelude::*};

/// The mesh identity that a certificate proves: its one URI name. A certificate with several URIs is none of ours
/// (SPIFFE X.509-SVID, section 2).
pub fn spiffe_of(certificate: &CertificateDer<'_>) -> Option<SpiffeId> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let names = parsed.subject_alternative_name().ok()??;
    let mut uris = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) => Some(*uri),
        _ => None,
    });
    let uri = uris.next()?;
    if uris.next().is_some() {
        return None;
    }
    uri.parse().ok()
}

/// The mesh identity of a connection's peer, once the handshake is over. The certificate has been verified by then.
pub fn peer_spiffe(connection: &rustls::CommonState) -> Option<SpiffeId> {
    spiffe_of(connection.peer_certificates()?.first()?)
}

/// All URI, DNS and IP names of a certificate, as text. Empty when it cannot be parsed.
pub fn names_of(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return Vec::new() };
    let Ok(Some(names)) = parsed.subject_alternative_name() else { return Vec::new() };
    names.value.general_names.iter().filter_map(text).collect()
}

fn text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::URI(name) | GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match *bytes {
            [a, b, c, d] => Some(std::net::Ipv4Addr::from([*a, *b, *c, *d]).to_string()),
            bytes => <[u8; 16]>::try_from(bytes).ok().map(|bytes| std::net::Ipv6Addr::from(bytes).to_string()),
        },
        _ => None,
    }
}
