//! What an authority is, for people: its certificates and how long they hold. Never its key.

use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use weft_model::mesh;

use super::Authority;

/// The authority as the admin port tells it (`GET /debug/authority`).
pub fn authority(authority: &Authority) -> mesh::Authority {
    let (first, rest) = (authority.roots().first(), authority.roots().iter().skip(1));
    let roots = first.map(|root| certificate("root", root, true)).into_iter();
    let others = rest.map(|root| certificate("root", root, false));
    let intermediates = authority.intermediates().iter().map(|one| certificate("intermediate", one, true));
    mesh::Authority {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        trust_domain: authority.trust_domain().to_owned(),
        leaf_ttl_s: authority.max_ttl().as_secs(),
        certificates: roots.chain(others).chain(intermediates).flatten().collect(),
    }
}

/// `None` for what is no certificate; the authority has checked its own when it was made.
fn certificate(role: &str, der: &CertificateDer<'_>, signs: bool) -> Option<mesh::Certificate> {
    let (_, parsed) = x509_parser::parse_x509_certificate(der).ok()?;
    let ms = |seconds: i64| u64::try_from(seconds).unwrap_or_default().saturating_mul(1000);
    let fingerprint =
        Sha256::digest(der).iter().fold(String::with_capacity(64), |text, byte| format!("{text}{byte:02x}"));
    Some(mesh::Certificate {
        role: role.to_owned(),
        name: parsed.subject().to_string(),
        fingerprint,
        not_before_ms: ms(parsed.validity().not_before.timestamp()),
        not_after_ms: ms(parsed.validity().not_after.timestamp()),
        signs,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ca::StateDir;

    #[test]
    fn an_authority_is_told_without_its_key() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        let ca = Authority::load_or_create(&state, "cluster.local", Duration::from_secs(86_400)).unwrap();
        let told = authority(&ca);
        assert_eq!((told.trust_domain.as_str(), told.leaf_ttl_s), ("cluster.local", 86_400));
        let [root] = &told.certificates[..] else { panic!("{told:?}") };
        assert_eq!((root.role.as_str(), root.signs, root.fingerprint.clone()), ("root", true, ca.root_hash()));
        assert!(root.not_before_ms < root.not_after_ms);
        assert!(!serde_json::to_string(&told).unwrap().contains("PRIVATE"));
    }
}
