//! `istio.v1.auth.IstioCertificateService`
//! (<https://github.com/istio/api/blob/master/security/v1alpha1/ca.proto>).

/// Path of the one unary method.
pub const CREATE_CERTIFICATE: &str = "/istio.v1.auth.IstioCertificateService/CreateCertificate";

/// Asks for a certificate.
#[derive(Clone, PartialEq, prost::Message)]
pub struct IstioCertificateRequest {
    /// PEM-encoded PKCS#10 request; the subject is ignored, identity comes from the caller's credential.
    #[prost(string, tag = "1")]
    pub csr: String,
    /// Wanted lifetime in seconds; the CA caps it.
    #[prost(int64, tag = "3")]
    pub validity_duration: i64,
    /// Unused here; kept so that it survives.
    #[prost(message, optional, tag = "4")]
    pub metadata: Option<prost_types::Struct>,
}

/// The certificate.
#[derive(Clone, PartialEq, prost::Message)]
pub struct IstioCertificateResponse {
    /// PEM certificates, leaf first; the root is last.
    #[prost(string, repeated, tag = "1")]
    pub cert_chain: Vec<String>,
}
