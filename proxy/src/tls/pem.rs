//! PEM from SDS secrets.

use std::sync::Arc;

use rustls::{
    RootCertStore,
    sign::{CertifiedKey, SigningKey},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use super::{Error, provider};

/// A certificate chain, leaf first, and its key.
pub fn certified_key(name: &Arc<str>, chain: &[u8], key: &[u8]) -> Result<Arc<CertifiedKey>, Error> {
    let chain = certificates(name, chain)?;
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|error| Error::Pem(name.clone(), format!("private key: {error}")))?;
    let signer: Arc<dyn SigningKey> = provider().key_provider.load_private_key(key)?;
    let certified = CertifiedKey::new(chain, signer);
    certified.keys_match().map_err(|error| Error::Pem(name.clone(), error.to_string()))?;
    Ok(Arc::new(certified))
}

/// A file that a name points to.
pub fn file(name: &Arc<str>, path: &str) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| Error::Pem(name.clone(), format!("cannot read {path}: {error}")))
}

/// Roots; at least one must be usable.
pub fn roots(name: &Arc<str>, pem: &[u8]) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(name, pem)? {
        store.add(certificate).map_err(|error| Error::Pem(name.clone(), error.to_string()))?;
    }
    Ok(store)
}

/// At least one certificate.
pub fn certificates(name: &Arc<str>, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|error| Error::Pem(name.clone(), error.to_string()))?;
    if certificates.is_empty() {
        return Err(Error::Pem(name.clone(), "holds no certificate".into()));
    }
    Ok(certificates)
}
