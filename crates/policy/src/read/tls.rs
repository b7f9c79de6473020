//! TLS contexts.

use std::sync::Arc;

use envoy_types::pb::envoy::{
    config::core::v3::{DataSource, TransportSocket, data_source, transport_socket},
    extensions::transport_sockets::{
        raw_buffer::v3::RawBuffer,
        tls::v3::{
            CertificateValidationContext, CommonTlsContext, DownstreamTlsContext, TlsCertificate, TlsParameters,
            UpstreamTlsContext, certificate_validation_context::TrustChainVerification,
            common_tls_context::ValidationContextType, subject_alt_name_matcher::SanType, tls_parameters::TlsProtocol,
        },
    },
};
use prost::Name;

use super::{
    At, Result, each, fail,
    proto::{choice, is_true, type_name, unpack},
    strings, unsupported,
};
use crate::config::{DownstreamTls, StringMatch, TlsVersion, UpstreamTls};

/// TLS of a listener's filter chain; `None` for a plaintext transport socket.
pub(super) fn downstream(socket: &TransportSocket) -> Result<Option<DownstreamTls>> {
    let Some(any) = config(socket)? else { return Ok(None) };
    let context: DownstreamTlsContext = unpack(any)?;
    unsupported(is_true(&context.require_sni), "require_sni")?;
    unsupported(context.session_ticket_keys_type.is_some(), "session_ticket_keys")?;
    let common = read_common(&context.common_tls_context).at("common_tls_context")?;
    let certificate = common.certificate.ok_or_else(|| fail("a server needs a certificate"));
    Ok(Some(DownstreamTls {
        certificate: certificate.at("common_tls_context")?,
        require_client_certificate: is_true(&context.require_client_certificate),
        roots: common.roots,
        alpn: common.alpn,
        client_san: common.names,
        min_version: common.min,
        max_version: common.max,
    }))
}

/// TLS towards an endpoint; `None` for a plaintext transport socket.
pub(super) fn upstream(socket: &TransportSocket) -> Result<Option<UpstreamTls>> {
    let Some(any) = config(socket)? else { return Ok(None) };
    let context: UpstreamTlsContext = unpack(any)?;
    unsupported(context.auto_host_sni, "auto_host_sni")?;
    unsupported(context.auto_sni_san_validation, "auto_sni_san_validation")?;
    let common = read_common(&context.common_tls_context).at("common_tls_context")?;
    Ok(Some(UpstreamTls {
        certificate: common.certificate,
        roots: common.roots,
        server_san: common.names,
        sni: context.sni.as_str().into(),
        alpn: common.alpn,
        min_version: common.min,
        max_version: common.max,
    }))
}

fn config(socket: &TransportSocket) -> Result<Option<&envoy_types::pb::google::protobuf::Any>> {
    match &socket.config_type {
        Some(transport_socket::ConfigType::TypedConfig(any)) if type_name(any) == RawBuffer::full_name() => Ok(None),
        Some(transport_socket::ConfigType::TypedConfig(any)) => Ok(Some(any)),
        None if socket.name.ends_with("raw_buffer") => Ok(None),
        None => Err(fail(format!("transport socket {:?} has no configuration", socket.name))),
    }
}

struct Common {
    certificate: Option<Arc<str>>,
    roots: Option<Arc<str>>,
    names: Vec<StringMatch>,
    alpn: Vec<Arc<str>>,
    min: TlsVersion,
    max: TlsVersion,
}

fn read_common(context: &Option<CommonTlsContext>) -> Result<Common> {
    let Some(context) = context else { return Err(fail("is needed")) };
    unsupported(context.tls_certificate_provider_instance.is_some(), "tls_certificate_provider_instance")?;
    unsupported(context.custom_tls_certificate_selector.is_some(), "custom_tls_certificate_selector")?;
    unsupported(context.custom_handshaker.is_some(), "custom_handshaker")?;
    let certificate = match (&*context.tls_certificate_sds_secret_configs, &*context.tls_certificates) {
        ([], []) => None,
        ([sds], []) => Some(sds.name.as_str().into()),
        ([], [file]) => Some(certificate_files(file).at("tls_certificates[0]")?),
        _ => return Err(fail("only one certificate is supported")).at("tls_certificates"),
    };
    let (roots, names) = validation(context)?;
    let (min, max) = versions(context.tls_params.as_ref()).at("tls_params")?;
    let alpn = context.alpn_protocols.iter().map(|a| a.as_str().into()).collect();
    Ok(Common { certificate, roots, names, alpn, min, max })
}

fn certificate_files(certificate: &TlsCertificate) -> Result<Arc<str>> {
    let chain = file(&certificate.certificate_chain).at("certificate_chain")?;
    let key = file(&certificate.private_key).at("private_key")?;
    Ok(format!("file-cert:{chain}~{key}").into())
}

fn file(source: &Option<DataSource>) -> Result<&str> {
    match source.as_ref().and_then(|s| s.specifier.as_ref()) {
        Some(data_source::Specifier::Filename(path)) if !path.is_empty() => Ok(path),
        _ => Err(fail("only a file name or SDS is supported")),
    }
}

fn validation(context: &CommonTlsContext) -> Result<(Option<Arc<str>>, Vec<StringMatch>)> {
    match &context.validation_context_type {
        None => Ok((None, Vec::new())),
        Some(ValidationContextType::ValidationContextSdsSecretConfig(sds)) => {
            Ok((Some(sds.name.as_str().into()), Vec::new()))
        }
        Some(ValidationContextType::ValidationContext(context)) => read_validation(context).at("validation_context"),
        Some(ValidationContextType::CombinedValidationContext(both)) => {
            let (roots, names) = match &both.default_validation_context {
                Some(context) => {
                    read_validation(context).at("combined_validation_context.default_validation_context")?
                }
                None => (None, Vec::new()),
            };
            let sds = both.validation_context_sds_secret_config.as_ref().map(|sds| sds.name.as_str().into());
            Ok((sds.or(roots), names))
        }
        Some(_) => Err(fail("certificate providers are not supported")).at("validation_context_type"),
    }
}

#[allow(deprecated, reason = "older control planes set match_subject_alt_names")]
fn read_validation(context: &CertificateValidationContext) -> Result<(Option<Arc<str>>, Vec<StringMatch>)> {
    unsupported(!context.verify_certificate_spki.is_empty(), "verify_certificate_spki")?;
    unsupported(!context.verify_certificate_hash.is_empty(), "verify_certificate_hash")?;
    unsupported(is_true(&context.require_signed_certificate_timestamp), "require_signed_certificate_timestamp")?;
    unsupported(context.crl.is_some(), "crl")?;
    unsupported(context.allow_expired_certificate, "allow_expired_certificate")?;
    unsupported(context.custom_validator_config.is_some(), "custom_validator_config")?;
    unsupported(context.ca_certificate_provider_instance.is_some(), "ca_certificate_provider_instance")?;
    let trust: TrustChainVerification = choice("trust_chain_verification", context.trust_chain_verification)?;
    unsupported(trust != TrustChainVerification::VerifyTrustChain, "trust_chain_verification")?;
    let mut names = each("match_typed_subject_alt_names", &context.match_typed_subject_alt_names, |m| {
        match choice("san_type", m.san_type)? {
            SanType::Uri | SanType::Dns => {}
            other => return Err(fail(format!("{} is not supported", other.as_str_name()))).at("san_type"),
        }
        let matcher = m.matcher.as_ref().ok_or_else(|| fail("is needed"));
        matcher.and_then(strings::string).at("matcher")
    })?;
    names.extend(each("match_subject_alt_names", &context.match_subject_alt_names, strings::string)?);
    let roots = match (&context.trusted_ca, &context.system_root_certs) {
        (Some(_), _) => Some(format!("file-root:{}", file(&context.trusted_ca).at("trusted_ca")?).into()),
        (None, Some(_)) => Some("file-root:system".into()),
        (None, None) => None,
    };
    if roots.is_none() && context.max_verify_depth.is_some() {
        return Err(fail("needs trusted_ca")).at("max_verify_depth");
    }
    Ok((roots, names))
}

fn versions(parameters: Option<&TlsParameters>) -> Result<(TlsVersion, TlsVersion)> {
    let Some(p) = parameters else { return Ok((TlsVersion::V1_2, TlsVersion::V1_3)) };
    unsupported(!p.cipher_suites.is_empty(), "cipher_suites")?;
    unsupported(!p.ecdh_curves.is_empty(), "ecdh_curves")?;
    unsupported(!p.signature_algorithms.is_empty(), "signature_algorithms")?;
    unsupported(!p.compliance_policies.is_empty(), "compliance_policies")?;
    // Versions before 1.2 are not spoken at all, which a lower minimum allows.
    let min = match choice("tls_minimum_protocol_version", p.tls_minimum_protocol_version)? {
        TlsProtocol::TlSv13 => TlsVersion::V1_3,
        _ => TlsVersion::V1_2,
    };
    let max = match choice("tls_maximum_protocol_version", p.tls_maximum_protocol_version)? {
        TlsProtocol::TlsAuto | TlsProtocol::TlSv13 => TlsVersion::V1_3,
        TlsProtocol::TlSv12 => TlsVersion::V1_2,
        _ => return Err(fail("versions before 1.2 are not supported")).at("tls_maximum_protocol_version"),
    };
    if min > max {
        return Err(fail("the lowest version is above the highest")).at("tls_minimum_protocol_version");
    }
    Ok((min, max))
}
