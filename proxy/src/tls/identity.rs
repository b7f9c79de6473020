//! This proxy's certificate.

use std::{sync::Arc, time::SystemTime};

use rustls::{
    RootCertStore,
    client::verify_server_cert_signed_by_trust_anchor,
    pki_types::{CertificateDer, UnixTime},
    server::ParsedCertificate,
    sign::{CertifiedKey, SigningKey},
};
use rustls_pki_types::PrivatePkcs8KeyDer;
use weft_model::SpiffeId;

use super::{Error, provider, spiffe::spiffe_of};

/// A certificate with its key and the roots that peers are verified against. Immutable; a renewal makes a new one.
pub struct Identity {
    /// Who the certificate says we are.
    pub spiffe: SpiffeId,
    /// Certificate chain with key.
    pub(super) key: Arc<CertifiedKey>,
    /// The key as it can be written down.
    private: Arc<PrivatePkcs8KeyDer<'static>>,
    /// Roots of the mesh.
    pub roots: Arc<RootCertStore>,
    /// The roots as they came, for the admin page.
    pub root_certificates: Vec<CertificateDer<'static>>,
    /// Start of validity.
    pub not_before: SystemTime,
    /// End of validity.
    pub not_after: SystemTime,
    /// Serial number, hexadecimal.
    pub serial: String,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("spiffe", &self.spiffe).field("serial", &self.serial).finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads what the certificate authority issued: `chain` leaf first, without the roots.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        roots: Vec<CertificateDer<'static>>,
        key: PrivatePkcs8KeyDer<'static>,
    ) -> Result<Self, Error> {
        let bad = |why: &str| Error::Pem("certificate".into(), why.to_owned());
        let leaf = chain.first().ok_or_else(|| bad("the chain is empty"))?;
        let spiffe = spiffe_of(leaf).ok_or_else(|| bad("the leaf carries no SPIFFE identity of this mesh's form"))?;
        let (_, parsed) = x509_parser::parse_x509_certificate(leaf).map_err(|error| bad(&error.to_string()))?;
        let validity = parsed.validity();
        let at = |seconds: i64| {
            SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
        };
        let (not_before, not_after) = (at(validity.not_before.timestamp()), at(validity.not_after.timestamp()));
        let serial = parsed.tbs_certificate.raw_serial().iter().map(|byte| format!("{byte:02x}")).collect();
        let signer: Arc<dyn SigningKey> = provider().key_provider.load_private_key(key.clone_key().into())?;
        let certified = CertifiedKey::new(chain, signer);
        certified.keys_match()?;
        Ok(Self {
            spiffe,
            key: Arc::new(certified),
            private: Arc::new(key),
            roots: root_store(&roots)?,
            root_certificates: roots,
            not_before,
            not_after,
            serial,
        })
    }

    /// The same certificate with other roots.
    pub fn with_roots(&self, roots: Vec<CertificateDer<'static>>) -> Result<Self, Error> {
        Ok(Self {
            spiffe: self.spiffe.clone(),
            key: self.key.clone(),
            private: self.private.clone(),
            roots: root_store(&roots)?,
            root_certificates: roots,
            not_before: self.not_before,
            not_after: self.not_after,
            serial: self.serial.clone(),
        })
    }

    /// Whether a peer that trusts the same roots would accept this certificate at `now`.
    pub fn verify(&self, now: SystemTime) -> Result<(), Error> {
        let bad = |why: &str| Error::Pem("certificate".into(), why.to_owned());
        let (leaf, intermediates) = self.chain().split_first().ok_or_else(|| bad("the chain is empty"))?;
        let since = now.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| bad("the clock is before 1970"))?;
        verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(leaf)?,
            &self.roots,
            intermediates,
            UnixTime::since_unix_epoch(since),
            provider().signature_verification_algorithms.all,
        )?;
        Ok(())
    }

    /// Certificates, leaf first.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.key.cert
    }

    /// The private key. For [`crate::identity`] alone, which keeps it for the next start where it is asked to.
    pub(crate) fn private_key(&self) -> &PrivatePkcs8KeyDer<'static> {
        &self.private
    }

    #[cfg(test)]
    pub(crate) fn certified(&self) -> CertifiedKey {
        (*self.key).clone()
    }
}

/// Roots to verify chains by; at least one is needed.
pub fn root_store(roots: &[CertificateDer<'static>]) -> Result<Arc<RootCertStore>, Error> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root.clone()).map_err(|error| Error::Roots(error.to_string()))?;
    }
    if store.is_empty() {
        return Err(Error::Roots("there is none".into()));
    }
    Ok(Arc::new(store))
}
