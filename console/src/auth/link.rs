//! The link that signs in without a provider, for trying things on one machine. It works once; then another one is
//! written to the file.

use std::{fs, io, path::PathBuf};

use parking_lot::Mutex;
use subtle::ConstantTimeEq;
use url::Url;

use super::secret::{Secret, hash};

/// The issuer of whoever came by a link.
pub const ISSUER: &str = "link";

/// Where the link is and what it is now.
pub struct Link {
    file: PathBuf,
    public: Url,
    /// SHA-256 of the code that works now.
    code: Mutex<[u8; 32]>,
}

impl Link {
    /// Writes the first link.
    pub fn new(file: PathBuf, public: Url) -> io::Result<Self> {
        let link = Self { file, public, code: Mutex::new([0; 32]) };
        *link.code.lock() = link.write()?;
        Ok(link)
    }

    /// Whether a code is the one that works now; from then on another one is.
    pub fn spend(&self, code: &str) -> bool {
        let mut present = self.code.lock();
        if !bool::from(hash(code.as_bytes()).ct_eq(&*present)) {
            return false;
        }
        *present = self.write().unwrap_or_else(|error| {
            tracing::error!(%error, file = %self.file.display(), "the next sign-in link could not be written");
            // Fits no code.
            [0; 32]
        });
        true
    }

    fn write(&self) -> io::Result<[u8; 32]> {
        use std::{io::Write as _, os::unix::fs::OpenOptionsExt};
        let code = Secret::new().map_err(io::Error::other)?;
        let mut link = self.public.join("auth/link").map_err(io::Error::other)?;
        link.set_query(Some(&format!("code={}", code.expose())));
        let unfinished = self.file.with_extension("new");
        let _ = fs::remove_file(&unfinished);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        file.write_all(format!("{link}\n").as_bytes())?;
        fs::rename(&unfinished, &self.file)?;
        Ok(code.id())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_link_works_once_and_is_followed_by_another() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("link");
        let link = Link::new(file.clone(), "http://127.0.0.1:20001/".parse().unwrap()).unwrap();
        let code = |text: &str| text.trim().split_once("code=").unwrap().1.to_owned();
        let first = fs::read_to_string(&file).unwrap();
        assert!(first.starts_with("http://127.0.0.1:20001/auth/link?code="), "{first}");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!link.spend("") && !link.spend("guess"));
        assert!(link.spend(&code(&first)));
        assert!(!link.spend(&code(&first)));
        let second = fs::read_to_string(&file).unwrap();
        assert_ne!(first, second);
        assert!(link.spend(&code(&second)));
    }
}
