//! TLS contexts: which certificates are shown and which names are believed.

use envoy_types::pb::envoy::{
    config::core::v3::{DataSource, TransportSocket, data_source::Specifier, transport_socket},
    extensions::transport_sockets::{
        raw_buffer::v3::RawBuffer,
        tls::v3::{
            CertificateValidationContext, CommonTlsContext, DownstreamTlsContext, SdsSecretConfig,
            SubjectAltNameMatcher, TlsCertificate, TlsParameters, UpstreamTlsContext,
            common_tls_context::{CombinedCertificateValidationContext, ValidationContextType},
            subject_alt_name_matcher::SanType,
            tls_parameters::TlsProtocol,
        },
    },
    r#type::matcher::v3::StringMatcher,
};
use weft_model::xds;

use super::proto::{ads, boolean, exact, prefix};
use crate::canonical::pack_plain;

const TLS_SOCKET: &str = "envoy.transport_sockets.tls";
const RAW_SOCKET: &str = "envoy.transport_sockets.raw_buffer";

/// A secret by SDS name.
pub(super) fn sds(name: &str) -> SdsSecretConfig {
    SdsSecretConfig { name: name.to_owned(), sds_config: ads() }
}

fn at_least(version: TlsProtocol) -> Option<TlsParameters> {
    Some(TlsParameters {
        tls_minimum_protocol_version: version as i32,
        // Said, because Envoy's clients would stop at 1.2.
        tls_maximum_protocol_version: TlsProtocol::TlSv13 as i32,
        ..TlsParameters::default()
    })
}

/// Roots by SDS name, and the names of which a peer's certificate must have one.
fn validation(roots: &str, names: Vec<SubjectAltNameMatcher>) -> Option<ValidationContextType> {
    Some(ValidationContextType::CombinedValidationContext(CombinedCertificateValidationContext {
        default_validation_context: Some(CertificateValidationContext {
            match_typed_subject_alt_names: names,
            ..CertificateValidationContext::default()
        }),
        validation_context_sds_secret_config: Some(sds(roots)),
        ..CombinedCertificateValidationContext::default()
    }))
}

fn uri(matcher: StringMatcher) -> SubjectAltNameMatcher {
    SubjectAltNameMatcher { san_type: SanType::Uri as i32, matcher: Some(matcher), ..SubjectAltNameMatcher::default() }
}

fn dns(name: &str) -> SubjectAltNameMatcher {
    SubjectAltNameMatcher {
        san_type: SanType::Dns as i32,
        matcher: Some(exact(name)),
        ..SubjectAltNameMatcher::default()
    }
}

/// A name as people write it in `subjectAltNames`: a URI if it has a scheme, else a DNS name.
fn name(text: &str) -> SubjectAltNameMatcher {
    if text.contains("://") { uri(exact(text)) } else { dns(text) }
}

/// What the mesh's own servers show and demand: the workload's certificate, a client certificate of the trust domain.
pub(super) fn mutual_server(trust_domains: &[String], alpn: &[&str]) -> TransportSocket {
    let names = trust_domains.iter().map(|td| uri(prefix(format!("spiffe://{td}/")))).collect();
    downstream(DownstreamTlsContext {
        common_tls_context: Some(CommonTlsContext {
            tls_params: at_least(TlsProtocol::TlSv13),
            tls_certificate_sds_secret_configs: vec![sds(xds::SDS_WORKLOAD)],
            alpn_protocols: alpn.iter().map(|a| (*a).to_owned()).collect(),
            validation_context_type: validation(xds::SDS_ROOTS, names),
            ..CommonTlsContext::default()
        }),
        require_client_certificate: boolean(true),
        ..DownstreamTlsContext::default()
    })
}

/// Where a gateway server's certificate is.
pub(super) enum ServerCertificate<'a> {
    /// A Secret by `credentialName`.
    Credential(&'a str),
    /// Files at the proxy: certificate chain and key.
    Files { chain: &'a str, key: &'a str },
    /// The workload's own (ISTIO_MUTUAL).
    Workload,
}

/// How a gateway server treats client certificates.
pub(super) enum ClientCertificates<'a> {
    /// Not asked for.
    None,
    /// Demanded and verified against the roots of this SDS name, and against these names if there are any.
    Required { roots: &'a str, names: &'a [String] },
    /// Asked for, verified when shown.
    Optional { roots: &'a str },
    /// Demanded and verified against a file of roots at the proxy.
    RequiredByFile { roots: &'a str, names: &'a [String] },
}

/// What a gateway server shows and demands.
pub(super) fn gateway_server(
    certificate: &ServerCertificate<'_>,
    clients: &ClientCertificates<'_>,
    minimum: TlsProtocol,
    alpn: &[&str],
) -> TransportSocket {
    let mut common = CommonTlsContext {
        tls_params: at_least(minimum),
        alpn_protocols: alpn.iter().map(|a| (*a).to_owned()).collect(),
        ..CommonTlsContext::default()
    };
    match certificate {
        ServerCertificate::Credential(credential) => {
            common.tls_certificate_sds_secret_configs = vec![sds(&credential_resource(credential))];
        }
        ServerCertificate::Workload => common.tls_certificate_sds_secret_configs = vec![sds(xds::SDS_WORKLOAD)],
        ServerCertificate::Files { chain, key } => {
            common.tls_certificates = vec![TlsCertificate {
                certificate_chain: Some(file(chain)),
                private_key: Some(file(key)),
                ..TlsCertificate::default()
            }];
        }
    }
    let named = |names: &[String]| names.iter().map(|n| name(n)).collect();
    let required = match clients {
        ClientCertificates::None => None,
        ClientCertificates::Required { roots, names } => {
            common.validation_context_type = validation(roots, named(names));
            boolean(true)
        }
        ClientCertificates::Optional { roots } => {
            common.validation_context_type = validation(roots, Vec::new());
            None
        }
        ClientCertificates::RequiredByFile { roots, names } => {
            common.validation_context_type =
                Some(ValidationContextType::ValidationContext(CertificateValidationContext {
                    trusted_ca: Some(file(roots)),
                    match_typed_subject_alt_names: named(names),
                    ..CertificateValidationContext::default()
                }));
            boolean(true)
        }
    };
    downstream(DownstreamTlsContext {
        common_tls_context: Some(common),
        require_client_certificate: required,
        ..DownstreamTlsContext::default()
    })
}

/// What a client shows to another proxy: its own certificate; the server must be one of `identities` (any that the mesh's
/// roots sign when there are none).
pub(super) fn mutual_client(sni: String, identities: &[String], alpn: &[&str]) -> TransportSocket {
    upstream(UpstreamTlsContext {
        common_tls_context: Some(CommonTlsContext {
            tls_params: at_least(TlsProtocol::TlSv13),
            tls_certificate_sds_secret_configs: vec![sds(xds::SDS_WORKLOAD)],
            alpn_protocols: alpn.iter().map(|a| (*a).to_owned()).collect(),
            validation_context_type: validation(xds::SDS_ROOTS, identities.iter().map(|i| name(i)).collect()),
            ..CommonTlsContext::default()
        }),
        sni,
        ..UpstreamTlsContext::default()
    })
}

/// TLS towards servers outside the mesh, as a DestinationRule with SIMPLE or MUTUAL describes it. Empty strings are
/// absent.
#[derive(Default)]
pub(super) struct Originate<'a> {
    pub(super) credential: &'a str,
    pub(super) certificate: &'a str,
    pub(super) key: &'a str,
    pub(super) roots: &'a str,
    pub(super) names: &'a [String],
    pub(super) sni: &'a str,
    pub(super) mutual: bool,
    pub(super) skip_verify: bool,
    pub(super) alpn: &'a [&'a str],
}

pub(super) fn originate(tls: &Originate<'_>) -> TransportSocket {
    let mut common = CommonTlsContext {
        tls_params: at_least(TlsProtocol::TlSv12),
        alpn_protocols: tls.alpn.iter().map(|a| (*a).to_owned()).collect(),
        ..CommonTlsContext::default()
    };
    if tls.mutual {
        if tls.credential.is_empty() {
            common.tls_certificates = vec![TlsCertificate {
                certificate_chain: Some(file(tls.certificate)),
                private_key: Some(file(tls.key)),
                ..TlsCertificate::default()
            }];
        } else {
            common.tls_certificate_sds_secret_configs = vec![sds(&credential_resource(tls.credential))];
        }
    }
    let names: Vec<SubjectAltNameMatcher> = tls.names.iter().map(|n| name(n)).collect();
    common.validation_context_type = if tls.skip_verify {
        None
    } else if !tls.credential.is_empty() {
        validation(&credential_roots_resource(tls.credential), names)
    } else {
        // Istio's default since 1.23 is the operating system's roots, where Envoy would verify nothing.
        let roots = if tls.roots.is_empty() { "/etc/ssl/certs/ca-certificates.crt" } else { tls.roots };
        Some(ValidationContextType::ValidationContext(CertificateValidationContext {
            trusted_ca: Some(file(roots)),
            match_typed_subject_alt_names: names,
            ..CertificateValidationContext::default()
        }))
    };
    upstream(UpstreamTlsContext {
        common_tls_context: Some(common),
        sni: tls.sni.to_owned(),
        ..UpstreamTlsContext::default()
    })
}

/// Plaintext, said explicitly.
pub(super) fn plaintext() -> TransportSocket {
    TransportSocket {
        name: RAW_SOCKET.into(),
        config_type: Some(transport_socket::ConfigType::TypedConfig(pack_plain(&RawBuffer {}))),
    }
}

/// SDS name of a `credentialName`'s certificate.
pub(super) fn credential_resource(credential: &str) -> String {
    format!("{}{credential}", xds::SDS_SECRET_PREFIX)
}

/// SDS name of the roots that belong to a `credentialName`.
pub(super) fn credential_roots_resource(credential: &str) -> String {
    format!("{}{credential}-cacert", xds::SDS_SECRET_PREFIX)
}

fn file(path: &str) -> DataSource {
    DataSource { specifier: Some(Specifier::Filename(path.to_owned())), watched_directory: None }
}

fn downstream(context: DownstreamTlsContext) -> TransportSocket {
    TransportSocket {
        name: TLS_SOCKET.into(),
        config_type: Some(transport_socket::ConfigType::TypedConfig(pack_plain(&context))),
    }
}

fn upstream(context: UpstreamTlsContext) -> TransportSocket {
    TransportSocket {
        name: TLS_SOCKET.into(),
        config_type: Some(transport_socket::ConfigType::TypedConfig(pack_plain(&context))),
    }
}
