//! The mesh's roots change while a certificate is in force: a rotation first adds the new root everywhere, then takes
//! the old one away. What was told last counts, be it by the certificate authority's answer, by SDS or by the file. Roots
//! that do not anchor the certificate in force have it renewed at once.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustls_pki_types::CertificateDer;
use weft_runtime::Shutdown;

use super::credentials::read_roots;
use crate::{
    state::Shared,
    tls::{self, Error},
};

/// How often the file is looked at. The kubelet takes up to a minute or so to write a change.
const PERIOD: Duration = Duration::from_secs(5);

/// Puts other roots in force, beside the certificate that is in force. Without one there is nothing to do: the first
/// one brings its roots.
pub fn adopt(shared: &Shared, roots: Vec<CertificateDer<'static>>, from: &str) -> Result<(), Error> {
    let Some(identity) = shared.identity.load_full() else { return Ok(()) };
    if identity.root_certificates == roots {
        return Ok(());
    }
    let renewed = identity.with_roots(roots)?;
    tracing::info!(roots = renewed.root_certificates.len(), from, "the mesh's roots have changed");
    let sound = renewed.verify(SystemTime::now());
    shared.identity.store(Some(Arc::new(renewed)));
    if let Err(error) = sound {
        tracing::warn!(from, %error, "the mesh's roots do not anchor this proxy's certificate any more");
        shared.doubt.notify_one();
    }
    Ok(())
}

/// The same from PEM.
pub fn adopt_pem(shared: &Shared, pem: &[u8], from: &str) -> Result<(), Error> {
    adopt(shared, tls::certificates(from, pem)?, from)
}

/// Follows the file until shutdown.
pub async fn follow(shared: Arc<Shared>, file: PathBuf, shutdown: Shutdown) {
    let mut follower = Follower { known: read_roots(&file).ok(), file };
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.wait() => return,
            _ = ticks.tick() => follower.look(&shared),
        }
    }
}

struct Follower {
    file: PathBuf,
    known: Option<Vec<CertificateDer<'static>>>,
}

impl Follower {
    /// Only a change counts: what the file said all along may be older than what was told since.
    fn look(&mut self, shared: &Shared) {
        match read_roots(&self.file) {
            Ok(roots) if self.known.as_ref() == Some(&roots) => {}
            Ok(roots) => {
                self.known = Some(roots.clone());
                if let Err(error) = adopt(shared, roots, "file") {
                    tracing::warn!(file = %self.file.display(), %error, "roots not taken; those in force stay");
                }
            }
            // A file that is being replaced may be gone for a moment.
            Err(error) => tracing::debug!(%error, "roots cannot be read"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{state::testing::shared, tls::testing::TestCa};

    #[test]
    fn a_changed_file_replaces_the_roots_and_an_unchanged_one_does_not() {
        let (old, new) = (TestCa::new(), TestCa::new());
        let shared = shared();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), old.root_pem()).unwrap();
        let mut follower = Follower { known: read_roots(file.path()).ok(), file: file.path().into() };
        shared.identity.store(Some(Arc::new(old.issue("spiffe://cluster.local/ns/shop/sa/web"))));
        adopt_pem(&shared, format!("{}{}", old.root_pem(), new.root_pem()).as_bytes(), "SDS").unwrap();
        let roots = || shared.identity.load_full().unwrap().root_certificates.clone();
        follower.look(&shared);
        assert_eq!(roots().len(), 2);
        let serial = shared.identity.load_full().unwrap().serial.clone();
        std::fs::write(file.path(), new.root_pem()).unwrap();
        follower.look(&shared);
        assert_eq!(roots(), std::slice::from_ref(&new.root));
        assert_eq!(shared.identity.load_full().unwrap().serial, serial);
        // Garbage changes nothing.
        std::fs::write(file.path(), "no roots").unwrap();
        follower.look(&shared);
        assert!(adopt_pem(&shared, b"", "SDS").is_err());
        assert_eq!(roots(), std::slice::from_ref(&new.root));
    }
}
