//! A certificate authority for tests.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::Identity;

/// A self-signed root.
pub struct TestCa {
    issuer: Issuer<'static, KeyPair>,
    pub root: CertificateDer<'static>,
    root_pem: String,
}

impl TestCa {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "test root");
        let root = params.self_signed(&key).unwrap();
        Self { root: root.der().clone(), root_pem: root.pem(), issuer: Issuer::new(params, key) }
    }

    pub fn root_pem(&self) -> &str {
        &self.root_pem
    }

    pub fn root_hash(&self) -> String {
        Sha256::digest(&self.root).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// An identity with a minute to live.
    pub fn issue(&self, spiffe: &str) -> Identity {
        self.issue_for(spiffe, Duration::from_secs(60))
    }

    pub fn issue_for(&self, spiffe: &str, lifetime: Duration) -> Identity {
        let key = KeyPair::generate().unwrap();
        let params = leaf(CertificateParams::default(), spiffe, lifetime);
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        // The root goes along as an operator's does.
        let chain = vec![leaf.der().clone(), self.root.clone()];
        Identity::new(chain, vec![self.root.clone()], PrivatePkcs8KeyDer::from(key.serialize_der())).unwrap()
    }

    /// The certificate service's answer to a request.
    pub fn sign(&self, csr: &str, spiffe: &str, lifetime: Duration) -> Vec<String> {
        let mut csr = CertificateSigningRequestParams::from_pem(csr).unwrap();
        csr.params = leaf(csr.params, spiffe, lifetime);
        vec![csr.signed_by(&self.issuer).unwrap().pem(), self.root_pem.clone()]
    }
}

fn leaf(mut params: CertificateParams, spiffe: &str, lifetime: Duration) -> CertificateParams {
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = vec![SanType::URI(spiffe.try_into().unwrap())];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.not_before = OffsetDateTime::now_utc() - Duration::from_secs(60);
    params.not_after = OffsetDateTime::now_utc() + lifetime;
    params
}
