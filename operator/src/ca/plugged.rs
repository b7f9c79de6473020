//! An issuer that was made elsewhere, as files in the layout of Istio's `cacerts` secret.

use std::path::Path;

use rcgen::KeyPair;
use rustls_pki_types::{CertificateDer, pem::PemObject};
use weft_runtime::StartupError;
use x509_parser::certificate::X509Certificate;

use super::{authority::Material, state_dir};

/// Certificate that signs leaves.
pub const ISSUER: &str = "ca-cert.pem";
/// Its key.
pub const KEY: &str = "ca-key.pem";
/// Trusted roots.
pub const ROOTS: &str = "root-cert.pem";
/// Certificates from the issuer up to a root; may be missing when a root issues.
pub const CHAIN: &str = "cert-chain.pem";

/// The four texts. `chain` may be empty.
#[derive(Clone, Copy)]
pub struct Files<'a> {
    /// `ca-cert.pem`.
    pub issuer: &'a [u8],
    /// `ca-key.pem`.
    pub key: &'a str,
    /// `root-cert.pem`.
    pub roots: &'a [u8],
    /// `cert-chain.pem`.
    pub chain: &'a [u8],
}

/// Reads and checks the four files of a directory.
pub(super) fn read(dir: &Path) -> Result<Material, StartupError> {
    // Group read stays allowed: a secret volume with fsGroup is mounted so.
    let key = state_dir::read_key(&dir.join(KEY), 0o007)?;
    let chain_path = dir.join(CHAIN);
    let chain = if chain_path.exists() { read_file(&chain_path)? } else { Vec::new() };
    let (issuer, roots) = (read_file(&dir.join(ISSUER))?, read_file(&dir.join(ROOTS))?);
    parse(&Files { issuer: &issuer, key: &key, roots: &roots, chain: &chain }, &dir.display().to_string())
}

/// Checks the four texts: there must be a path of signatures from the issuer to one of the roots.
pub(super) fn parse(files: &Files<'_>, place: &str) -> Result<Material, StartupError> {
    let within = |name: &str| format!("{place}/{name}");
    let key = parse_key(&within(KEY), files.key)?;
    let issuer = parse_certificates(&within(ISSUER), files.issuer)?.swap_remove(0);
    let mut roots = parse_certificates(&within(ROOTS), files.roots)?;
    let chain = if files.chain.is_empty() { Vec::new() } else { parse_certificates(&within(CHAIN), files.chain)? };
    let Some((path, anchor)) = path_to_root(&issuer, &chain, &roots) else {
        return Err(StartupError::new(
            format!("cannot use the certificates in {place}"),
            format!("no certificate in {ROOTS} anchors {ISSUER}, not even through {CHAIN}"),
            format!("put the intermediates into {CHAIN} and their root into {ROOTS}"),
        ));
    };
    let anchor = roots.remove(anchor);
    roots.insert(0, anchor);
    Ok(Material { issuer, key, intermediates: path, roots })
}

fn read_file(path: &Path) -> Result<Vec<u8>, StartupError> {
    std::fs::read(path).map_err(|error| unreadable(&path.display().to_string(), error.to_string()))
}

fn unreadable(place: &str, why: String) -> StartupError {
    let what = format!("cannot read the certificates in {place}");
    StartupError::new(what, why, "put PEM certificates there that this user may read")
}

/// Reads every certificate of a PEM file; at least one.
pub(super) fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, StartupError> {
    parse_certificates(&path.display().to_string(), &read_file(path)?)
}

/// Every certificate of a PEM text; at least one.
pub(super) fn parse_certificates(place: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, StartupError> {
    let certificates = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unreadable(place, error.to_string()))?;
    if certificates.is_empty() {
        return Err(unreadable(place, "there is none".into()));
    }
    Ok(certificates)
}

/// Parses a private key, PKCS#8, SEC1 or PKCS#1, in PEM.
pub(super) fn parse_key(place: &str, text: &str) -> Result<KeyPair, StartupError> {
    KeyPair::from_pem(text).map_err(|error| {
        StartupError::new(
            format!("cannot use the key {place}"),
            error,
            "replace it with an unencrypted PEM private key (PKCS#8)",
        )
    })
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
