//! Secrets of a gateway's `credentialName`s, from the gateway's own namespace.

use envoy_types::pb::envoy::{
    config::core::v3::{DataSource, data_source::Specifier},
    extensions::transport_sockets::tls::v3::{CertificateValidationContext, Secret, TlsCertificate, secret},
};
use weft_api::networking::credential;

use super::tls::{credential_resource, credential_roots_resource};
use crate::{
    View,
    resource::{Resource, type_url},
};

/// The certificate of a credential. `None` when the Secret, its chain or its key is missing.
pub(super) fn certificate(view: &View<'_>, namespace: &str, name: &str) -> Option<Resource> {
    let (chain, key) = credential::pair(|key| view.secret_value(namespace, name, key))?;
    let name = credential_resource(name);
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

/// The roots that belong to a credential.
pub(super) fn roots(view: &View<'_>, namespace: &str, name: &str) -> Option<Resource> {
    let pem = credential::roots(name, |secret, key| view.secret_value(namespace, secret, key))?;
    let name = credential_roots_resource(name);
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
