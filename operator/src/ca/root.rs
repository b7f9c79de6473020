//! Root certificates of our own making.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SanType,
};
use time::OffsetDateTime;

use super::authority::{BACKDATE, serial};

/// How long a root is good.
pub const LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// X.520's `serialNumber`, here of the root.
const SERIAL_NUMBER: [u64; 4] = [2, 5, 4, 5];

/// A new root certificate in PEM and its key.
pub fn self_signed(trust_domain: &str, lifetime: Duration) -> Result<(String, KeyPair), rcgen::Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, trust_domain);
    params.distinguished_name.push(DnType::CommonName, "Weft root");
    // Verifiers pick a root by its subject: two of one mesh must differ while a rotation trusts both.
    params
        .distinguished_name
        .push(DnType::CustomDnType(SERIAL_NUMBER.to_vec()), format!("{:016x}", rand::random::<u64>()));
    params.subject_alt_names = vec![SanType::URI(format!("spiffe://{trust_domain}").try_into()?)];
    params.serial_number = Some(serial());
    let now = OffsetDateTime::now_utc();
    params.not_before = now - BACKDATE;
    params.not_after = now + lifetime;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let cert = params.self_signed(&key)?;
    Ok((cert.pem(), key))
}
