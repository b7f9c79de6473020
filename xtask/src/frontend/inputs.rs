//! Whether a build is needed at all.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// Files and folders that the page is made from.
const INPUTS: [&str; 7] = [
    "frontend",
    "crates/model",
    "xtask/src/frontend",
    "xtask/src/frontend.rs",
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
];

/// Hexadecimal SHA-256 over the names and bytes of everything that the page is made from.
pub fn digest(root: &Path) -> Result<String> {
    let mut files = Vec::new();
    for input in INPUTS {
        collect(&root.join(input), &root.join("frontend/dist"), &mut files)?;
    }
    files.sort();
    let mut hash = Sha256::new();
    for path in files {
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.strip_prefix(root).unwrap_or(&path).as_os_str().as_encoded_bytes();
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(&bytes);
    }
    Ok(hex(&hash.finalize()))
}

fn collect(path: &Path, skip: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if path == skip {
        return Ok(());
    }
    let what = || format!("cannot read {}", path.display());
    if fs::metadata(path).with_context(what)?.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path).with_context(what)? {
        collect(&entry.with_context(what)?.path(), skip, files)?;
    }
    Ok(())
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_stable_and_covers_the_checkout() {
        let root = crate::workspace::root().unwrap();
        let first = digest(&root).unwrap();
        assert_eq!(first.len(), 64);
        let mut files = Vec::new();
        collect(&root.join("frontend"), &root.join("frontend/dist"), &mut files).unwrap();
        assert!(files.iter().all(|file| !file.starts_with(root.join("frontend/dist"))));
        assert!(files.contains(&root.join("frontend/Cargo.toml")));
    }
}
