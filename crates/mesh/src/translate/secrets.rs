//! Secrets of a gateway's `credentialName`s, from the gateway's own namespace.

use envoy_types::pb::envoy::{
    config::core::v3::{DataSource, data_source::Specifier},
    extensions::transport_sockets::tls::v3::{CertificateValidationContext, Secret, TlsCertificate, secret},
};

use super::tls::{credential_resource, credential_roots_resource};
use crate::{
    View,
    resource::{Resource, type_url},
};

/// The certificate of a credential: `tls.crt` and `tls.key` of a `kubernetes.io/tls` Secret, or `cert` and `key` of a
/// generic one. `None` when the Secret or one of the two is missing.
pub(super) fn certificate(view: &View<'_>, namespace: &str, credential: &str) -> Option<Resource> {
    let value = |key: &str| view.secret_value(namespace, credential, key).filter(|v| !v.is_empty());
    let (chain, key) = match (value("tls.crt"), value("tls.key")) {
        (Some(chain), Some(key)) => (chain, key),
        _ => (value("cert")?, value("key")?),
    };
    let name = credential_resource(credential);
    let secret = Secret {
        name: name.clone(),
        r#type: Some(secret::Type::TlsCertificate(TlsCertificate {
            certificate_chain: Some(bytes(chain)),
            private_key: Some(bytes(key)),
            ..TlsCertificate::default()
        })),
    };
    Some(Resource::plain(name, type_url::SECRET, &secret))
}

/// The roots that belong to a credential: `ca.crt` or `cacert` of the Secret itself, or of the one named
/// `<credential>-cacert`.
pub(super) fn roots(view: &View<'_>, namespace: &str, credential: &str) -> Option<Resource> {
    let beside = format!("{credential}-cacert");
    let pem = [credential, &beside].into_iter().find_map(|secret| {
        ["ca.crt", "cacert"]
            .into_iter()
            .find_map(|key| view.secret_value(namespace, secret, key).filter(|v| !v.is_empty()))
    })?;
    let name = credential_roots_resource(credential);
    let secret = Secret {
        name: name.clone(),
        r#type: Some(secret::Type::ValidationContext(CertificateValidationContext {
            trusted_ca: Some(bytes(pem)),
            ..CertificateValidationContext::default()
        })),
    };
    Some(Resource::plain(name, type_url::SECRET, &secret))
}

fn bytes(content: &[u8]) -> DataSource {
    DataSource { specifier: Some(Specifier::InlineBytes(content.to_vec())), watched_directory: None }
}
