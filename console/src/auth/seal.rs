//! Encryption of what is kept for a session: the database alone gives nobody a provider's tokens.

use std::{fs, io, path::Path};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};

/// Seals and opens with AES-256-GCM under one key. What is sealed for one purpose opens for that purpose only.
pub struct Seal(RandomizedNonceKey);

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or made.
    #[error("{0}")]
    File(#[from] io::Error),
    /// It holds something else than a key.
    #[error("it holds {0} bytes, and a key has 32 (`head -c 32 /dev/urandom > FILE` makes one)")]
    Length(usize),
    /// Others may read it.
    #[error("others may read it (mode {0:o}); `chmod 600` it")]
    Open(u32),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Randomness,
}

impl Seal {
    /// From a key of 32 bytes.
    pub fn new(key: &[u8]) -> Result<Self, KeyError> {
        RandomizedNonceKey::new(&AES_256_GCM, key).map(Self).map_err(|_| KeyError::Length(key.len()))
    }

    /// From a file that must hold 32 bytes and be its owner's alone. Several consoles on one database share it.
    pub fn read(file: &Path) -> Result<Self, KeyError> {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(file)?.permissions().mode() & 0o777;
        // A mounted Secret is readable by its group, which Kubernetes chooses.
        if mode & 0o007 != 0 {
            return Err(KeyError::Open(mode));
        }
        Self::new(&fs::read(file)?)
    }

    /// From a file that is made when it is missing.
    pub fn read_or_make(file: &Path) -> Result<Self, KeyError> {
        use std::{io::Write as _, os::unix::fs::OpenOptionsExt};
        match Self::read(file) {
            Err(KeyError::File(error)) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
        let mut key = [0; 32];
        aws_lc_rs::rand::fill(&mut key).map_err(|_| KeyError::Randomness)?;
        // Whole or not at all: a key cut short would lock everybody out at the next start.
        let unfinished = file.with_extension("new");
        let mut made = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        made.write_all(&key)?;
        made.sync_all()?;
        fs::rename(&unfinished, file)?;
        Self::new(&key)
    }

    /// Seals `plain` for `purpose`. `None` when it is longer than the cipher takes, which nothing here is.
    pub fn seal(&self, purpose: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = plain.to_vec();
        let nonce = self.0.seal_in_place_append_tag(Aad::from(purpose), &mut sealed).ok()?;
        let mut whole = nonce.as_ref().to_vec();
        whole.append(&mut sealed);
        Some(whole)
    }

    /// Opens what was sealed for `purpose` under this key.
    pub fn open(&self, purpose: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, rest) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut rest = rest.to_vec();
        Some(self.0.open_in_place(nonce, Aad::from(purpose), &mut rest).ok()?.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_sealed_opens_for_its_purpose_only() {
        let seal = Seal::new(&[7; 32]).unwrap();
        let sealed = seal.seal(b"session 1", b"token").unwrap();
        assert!(!sealed.windows(5).any(|part| part == b"token"));
        assert_eq!(seal.open(b"session 1", &sealed).unwrap(), b"token");
        assert!(seal.open(b"session 2", &sealed).is_none());
        assert!(Seal::new(&[8; 32]).unwrap().open(b"session 1", &sealed).is_none());
        let mut bent = sealed.clone();
        *bent.last_mut().unwrap() ^= 1;
        assert!(seal.open(b"session 1", &bent).is_none());
        assert!(seal.open(b"session 1", b"short").is_none());
        assert_ne!(seal.seal(b"session 1", b"token").unwrap(), sealed);
    }

    #[test]
    fn a_key_file_is_made_once_and_must_be_private() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("session.key");
        let sealed = Seal::read_or_make(&file).unwrap().seal(b"x", b"y").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Seal::read_or_make(&file).unwrap().open(b"x", &sealed).unwrap(), b"y");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Seal::read(&file), Err(KeyError::Open(0o644))));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&file, b"short").unwrap();
        assert!(matches!(Seal::read_or_make(&file), Err(KeyError::Length(5))));
    }
}
