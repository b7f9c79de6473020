//! Secrets.

use std::sync::Arc;

use envoy_types::pb::envoy::{
    config::core::v3::DataSource,
    extensions::transport_sockets::tls::v3::{Secret as Message, secret::Type},
};

use super::{At, Result, fail, proto::inline, same_name, unsupported};
use crate::config::{Secret, SecretContent};

pub(super) fn read(name: &Arc<str>, message: Message) -> Result<Secret> {
    same_name(name, &message.name, "name")?;
    let content = match &message.r#type {
        Some(Type::TlsCertificate(certificate)) => {
            unsupported(certificate.pkcs12.is_some(), "tls_certificate.pkcs12")?;
            unsupported(certificate.private_key_provider.is_some(), "tls_certificate.private_key_provider")?;
            unsupported(certificate.password.is_some(), "tls_certificate.password")?;
            SecretContent::Certificate {
                chain: pem(&certificate.certificate_chain).at("tls_certificate.certificate_chain")?,
                key: pem(&certificate.private_key).at("tls_certificate.private_key")?,
            }
        }
        Some(Type::ValidationContext(context)) => {
            unsupported(context.crl.is_some(), "validation_context.crl")?;
            SecretContent::Roots(pem(&context.trusted_ca).at("validation_context.trusted_ca")?)
        }
        Some(Type::SessionTicketKeys(_)) => return Err(fail("session ticket keys are not supported")),
        Some(Type::GenericSecret(_)) => return Err(fail("generic secrets are not supported")),
        None => return Err(fail("the secret is empty")),
    };
    Ok(Secret { name: name.clone(), content })
}

/// The bytes are never part of a message.
fn pem(source: &Option<DataSource>) -> Result<Arc<[u8]>> {
    let bytes = inline(source.as_ref().ok_or_else(|| fail("is needed"))?)?;
    if !bytes.windows(11).any(|w| w == b"-----BEGIN ") {
        return Err(fail("is not PEM"));
    }
    Ok(bytes.into())
}
