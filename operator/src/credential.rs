//! Credentials by name: which Secret a server shows, and whether it can be shown.

use rustls::{crypto::aws_lc_rs, sign::CertifiedKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use weft_api::{
    Kind, ObjectKey,
    networking::{
        ServerTls, ServerTlsMode,
        credential::{is_secret_name, pair},
    },
};
use weft_mesh::Snapshot;

/// The Secret that a server shows, and the field that names it.
pub(crate) fn shown(tls: &ServerTls) -> Option<(String, &str)> {
    let ends =
        !matches!(tls.mode, ServerTlsMode::Passthrough | ServerTlsMode::AutoPassthrough | ServerTlsMode::IstioMutual);
    tls.credential().filter(|(_, name)| ends && is_secret_name(name))
}

/// Whether the Secret was read.
pub(crate) fn present(snapshot: &Snapshot, namespace: &str, name: &str) -> bool {
    snapshot.object(&ObjectKey::new(Kind::Secret, namespace, name)).is_some()
}

/// The chain that is shown with the Secret, leaf first; else why it cannot be, in words that hold nothing of it, or nothing where
/// there is no Secret.
pub(crate) fn usable(
    snapshot: &Snapshot,
    namespace: &str,
    name: &str,
) -> Result<Vec<CertificateDer<'static>>, Option<String>> {
    if !present(snapshot, namespace, name) {
        return Err(None);
    }
    let (chain, key) = pair(|key| snapshot.secret_value(namespace, name, key))
        .ok_or_else(|| Some("it has neither tls.crt and tls.key nor cert and key".to_owned()))?;
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>().unwrap_or_default();
    if chain.is_empty() {
        return Err(Some("its certificate is none in PEM".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| Some("its key is no private key in PEM".to_owned()))?;
    match CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()) {
        Ok(certified) => Ok(certified.cert),
        Err(rustls::Error::InvalidCertificate(_)) => Err(Some("its certificate cannot be read".to_owned())),
        Err(error) => Err(Some(format!("its key and its certificate do not go together: {error}"))),
    }
}
