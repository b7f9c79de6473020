//! An issuer that was made elsewhere, as files in the layout of Istio's `cacerts` secret.

use std::path::Path;

use rustls_pki_types::CertificateDer;
use weft_runtime::StartupError;
use x509_parser::certificate::X509Certificate;

use super::{
    authority::{Material, parse_key, read_certificates},
    state_dir,
};

/// Certificate that signs leaves.
pub const ISSUER: &str = "ca-cert.pem";
/// Its key.
pub const KEY: &str = "ca-key.pem";
/// Trusted roots.
pub const ROOTS: &str = "root-cert.pem";
/// Certificates from the issuer up to a root; may be missing when a root issues.
pub const CHAIN: &str = "cert-chain.pem";

/// Reads and checks the four files: there must be a path of signatures from the issuer to one of the roots.
pub(super) fn read(dir: &Path) -> Result<Material, StartupError> {
    let key_path = dir.join(KEY);
    // Group read stays allowed: a secret volume with fsGroup is mounted so.
    let key = parse_key(&key_path, &state_dir::read_key(&key_path, 0o007)?)?;
    let issuer = read_certificates(&dir.join(ISSUER))?.swap_remove(0);
    let mut roots = read_certificates(&dir.join(ROOTS))?;
    let chain_path = dir.join(CHAIN);
    let chain = if chain_path.exists() { read_certificates(&chain_path)? } else { Vec::new() };
    let Some((path, anchor)) = path_to_root(&issuer, &chain, &roots) else {
        return Err(StartupError::new(
            format!("cannot use the certificates in {}", dir.display()),
            format!("no certificate in {ROOTS} anchors {ISSUER}, not even through {CHAIN}"),
            format!("put the intermediates into {CHAIN} and their root into {ROOTS}"),
        ));
    };
    let anchor = roots.remove(anchor);
    roots.insert(0, anchor);
    Ok(Material { issuer, key, intermediates: path, roots })
}

/// The certificates between a leaf and its root, and the index of that root.
fn path_to_root(
    issuer: &CertificateDer<'static>,
    chain: &[CertificateDer<'static>],
    roots: &[CertificateDer<'static>],
) -> Option<(Vec<CertificateDer<'static>>, usize)> {
    let mut path = Vec::new();
    let mut current = issuer;
    // Every step takes another certificate of the chain, so a loop in it ends too.
    for _ in 0..=chain.len() {
        if let Some(index) = roots.iter().position(|root| root == current) {
            return Some((path, index));
        }
        path.push(current.clone());
        if let Some(index) = roots.iter().position(|root| signs(root, current)) {
            return Some((path, index));
        }
        current = chain.iter().find(|above| !path.contains(above) && signs(above, current))?;
    }
    None
}

fn signs(above: &CertificateDer<'_>, below: &CertificateDer<'_>) -> bool {
    fn parse<'a>(der: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
        x509_parser::parse_x509_certificate(der).ok().map(|(_, certificate)| certificate)
    }
    let (Some(above), Some(below)) = (parse(above), parse(below)) else { return false };
    above.is_ca() && above.subject() == below.issuer() && below.verify_signature(Some(above.public_key())).is_ok()
}
