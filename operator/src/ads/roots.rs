//! The mesh's roots as an SDS resource, so that a rotation reaches proxies without a renewal of their certificates.

use envoy_types::pb::envoy::{
    config::core::v3::{DataSource, data_source::Specifier},
    extensions::transport_sockets::tls::v3::{CertificateValidationContext, Secret, secret},
};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use weft_mesh::{Resource, type_url};
use weft_model::xds::SDS_ROOTS;

use crate::ca::{Authority, authority::pem};

/// The secret `ROOTCA`: every root that `authority` trusts.
pub fn resource(authority: &Authority) -> Resource {
    of(authority.roots())
}

fn of(roots: &[CertificateDer<'_>]) -> Resource {
    let mut roots: Vec<String> = roots.iter().map(pem).collect();
    // By content, not by which of them signs: a change of signer alone is no change of trust.
    roots.sort();
    let bytes = Specifier::InlineBytes(roots.concat().into_bytes());
    let trusted = DataSource { specifier: Some(bytes), watched_directory: None };
    let secret = Secret {
        name: SDS_ROOTS.to_owned(),
        r#type: Some(secret::Type::ValidationContext(CertificateValidationContext {
            trusted_ca: Some(trusted),
            ..CertificateValidationContext::default()
        })),
    };
    Resource::plain(SDS_ROOTS, type_url::SECRET, &secret)
}

/// Names a set of roots, however it is ordered: what replicas and the reconciler compare.
pub fn version(authority: &Authority) -> String {
    of(authority.roots()).version
}

/// The same of roots in PEM; `None` when they cannot be read.
pub fn version_of_pem(text: &str) -> Option<String> {
    let roots: Vec<_> = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<_, _>>().ok()?;
    Some(of(&roots).version)
}
