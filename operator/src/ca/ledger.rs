//! Which roots signed, and for how long at the longest. What they signed outlives the Secrets that name them: one that is
//! deleted, replaced or rotated away is trusted until its last certificate has run out. Certificates only, but in a Secret
//! of its own: who could write there would choose whom the mesh trusts.

use std::time::Duration;

use k8s_openapi::{ByteString, api::core::v1::Secret};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use weft_install::names;

use super::authority::pem;

/// Key of the Secret: the entries as JSON.
const ROOTS: &str = "roots.json";
/// Roots that are remembered at most. Beyond, the one that is needed for the shortest time goes.
const MOST: usize = 16;
/// Added to a certificate's lifetime: clocks differ, and a replica may sign with the old root until it sees the change.
pub const SLACK: Duration = Duration::from_secs(120);

/// Every root that signed and may still be needed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger(Vec<Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    root: CertificateDer<'static>,
    longest: Duration,
    stopped: Option<OffsetDateTime>,
}

/// An entry as it is written.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    certificate: String,
    /// Longest lifetime that was in force while it signed.
    longest_seconds: u64,
    /// When another one was first seen to sign.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    stopped: Option<OffsetDateTime>,
}

/// Roots that no Secret names any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// How many.
    pub roots: usize,
    /// When the last of them is trusted no more; `None` while nothing else signs.
    pub until: Option<OffsetDateTime>,
    /// When another one was last seen to sign in the place of one of them; `None` while nothing else signs.
    pub since: Option<OffsetDateTime>,
}

impl Entry {
    fn end(&self) -> Option<OffsetDateTime> {
        Some(self.stopped? + self.longest + SLACK)
    }
}

impl Ledger {
    /// What a Secret remembers; `None` when it cannot be read, and then it vouches for nothing.
    pub fn read(secret: &Secret) -> Option<Self> {
        let text = &secret.data.as_ref()?.get(ROOTS)?.0;
        let written: Vec<Written> = serde_json::from_slice(text).ok()?;
        let entry = |one: Written| {
            let root = CertificateDer::from_pem_slice(one.certificate.as_bytes()).ok()?;
            Some(Entry { root, longest: Duration::from_secs(one.longest_seconds), stopped: one.stopped })
        };
        written.into_iter().take(MOST).map(entry).collect::<Option<_>>().map(Self)
    }

    /// Writes it into a Secret.
    pub fn write(&self, secret: &mut Secret) -> serde_json::Result<()> {
        let written = |entry: &Entry| Written {
            certificate: pem(&entry.root),
            longest_seconds: entry.longest.as_secs(),
            stopped: entry.stopped,
        };
        let text = serde_json::to_vec(&self.0.iter().map(written).collect::<Vec<_>>())?;
        secret.data.get_or_insert_default().insert(ROOTS.to_owned(), ByteString(text));
        secret.metadata.name = Some(names::ROOTS_SECRET.to_owned());
        Ok(())
    }

    /// Every root in it.
    pub fn roots(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        self.0.iter().map(|entry| &entry.root)
    }

    /// The longest lifetime that was in force while any of `roots` signed.
    pub fn longest(&self, roots: &[CertificateDer<'_>]) -> Option<Duration> {
        self.0.iter().filter(|entry| roots.contains(&entry.root)).map(|entry| entry.longest).max()
    }

    /// `signer` anchors certificates that live for `lifetime` now. What is remembered of it grows, and never shrinks.
    pub fn signs(&mut self, signer: &CertificateDer<'static>, lifetime: Duration, now: OffsetDateTime) {
        let now = now.replace_nanosecond(0).unwrap_or(now);
        for entry in self.0.iter_mut().filter(|entry| entry.root != *signer) {
            entry.stopped.get_or_insert(now);
        }
        match self.0.iter_mut().find(|entry| entry.root == *signer) {
            Some(entry) => {
                entry.longest = entry.longest.max(lifetime);
                entry.stopped = None;
            }
            None => self.0.push(Entry { root: signer.clone(), longest: lifetime, stopped: None }),
        }
        if self.0.len() > MOST
            && let Some(first) = self.0.iter().filter_map(Entry::end).min()
        {
            tracing::warn!(most = MOST, "too many roots signed of late: the one that ends first is trusted no more");
            self.0.retain(|entry| entry.end() != Some(first));
        }
    }

    /// Forgets what is over: roots that `named` (those of the Secrets) does not have, once their last certificate has run
    /// out.
    pub fn expire(&mut self, named: &[CertificateDer<'_>], now: OffsetDateTime) {
        self.0.retain(|entry| named.contains(&entry.root) || entry.end().is_none_or(|end| now < end));
    }

    /// Forgets roots whose time a rotation has waited for.
    pub fn forget(&mut self, roots: &[CertificateDer<'_>]) {
        self.0.retain(|entry| !roots.contains(&entry.root));
    }

    /// What is trusted for the ledger's sake alone.
    pub fn kept(&self, named: &[CertificateDer<'_>]) -> Option<Kept> {
        let alone: Vec<_> = self.0.iter().filter(|entry| !named.contains(&entry.root)).collect();
        let ends: Option<Vec<_>> = alone.iter().map(|entry| entry.end()).collect();
        let until = ends.and_then(|ends| ends.into_iter().max());
        let since = alone.iter().filter_map(|entry| entry.stopped).max();
        (!alone.is_empty()).then_some(Kept { roots: alone.len(), until, since })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn root(name: u8) -> CertificateDer<'static> {
        CertificateDer::from(vec![name; 40])
    }

    fn at(hours: u32) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + hours * HOUR
    }

    #[test]
    fn a_lower_lifetime_does_not_shorten_what_was_issued() {
        let mut ledger = Ledger::default();
        ledger.signs(&root(1), 24 * HOUR, at(0));
        ledger.signs(&root(1), HOUR, at(1));
        assert_eq!(ledger.longest(&[root(1)]), Some(24 * HOUR));
        ledger.signs(&root(1), 48 * HOUR, at(2));
        // The next one starts anew.
        ledger.signs(&root(2), HOUR, at(3));
        assert_eq!((ledger.longest(&[root(2)]), ledger.longest(&[root(1), root(2)])), (Some(HOUR), Some(48 * HOUR)));
        assert_eq!(ledger.longest(&[root(3)]), None);
    }

    #[test]
    fn a_root_that_is_named_no_more_is_kept_until_its_last_certificate_has_run_out() {
        let mut ledger = Ledger::default();
        ledger.signs(&root(1), 24 * HOUR, at(0));
        assert_eq!(ledger.kept(&[root(1)]), None);
        assert_eq!(ledger.kept(&[]), Some(Kept { roots: 1, until: None, since: None }), "nothing else signs yet");
        ledger.signs(&root(2), HOUR, at(10));
        ledger.signs(&root(2), HOUR, at(20));
        let kept = Kept { roots: 1, until: Some(at(34) + SLACK), since: Some(at(10)) };
        assert_eq!(ledger.kept(&[root(2)]), Some(kept), "since the change");
        ledger.expire(&[root(2)], at(34));
        assert_eq!(ledger.roots().count(), 2);
        let mut named = ledger.clone();
        named.expire(&[root(1), root(2)], at(100));
        assert_eq!(named.roots().count(), 2, "what a Secret names is not the ledger's to forget");
        ledger.expire(&[root(2)], at(34) + SLACK);
        assert_eq!(ledger.roots().collect::<Vec<_>>(), [&root(2)]);
        // What signs has no end, wherever it is named.
        ledger.expire(&[], at(1000));
        assert_eq!(ledger.roots().count(), 1);
    }

    #[test]
    fn one_that_signs_again_and_one_that_a_rotation_waited_for() {
        let mut ledger = Ledger::default();
        ledger.signs(&root(1), HOUR, at(0));
        ledger.signs(&root(2), HOUR, at(1));
        ledger.signs(&root(1), HOUR, at(2));
        assert_eq!(ledger.kept(&[root(2)]), Some(Kept { roots: 1, until: None, since: None }));
        ledger.forget(&[root(2)]);
        assert_eq!(ledger.roots().collect::<Vec<_>>(), [&root(1)]);
    }

    #[test]
    fn it_is_bounded_and_survives_its_secret() {
        let mut ledger = Ledger::default();
        for name in 0..20 {
            ledger.signs(&root(name), HOUR, at(u32::from(name)));
        }
        assert_eq!(ledger.roots().count(), MOST);
        assert!(ledger.roots().any(|one| *one == root(19)) && !ledger.roots().any(|one| *one == root(0)));
        let mut secret = Secret::default();
        ledger.write(&mut secret).unwrap();
        assert_eq!(Ledger::read(&secret), Some(ledger));
        for damaged in ["", "[{}]", r#"[{"certificate":"no","longestSeconds":1}]"#] {
            secret.data.as_mut().unwrap().insert(ROOTS.to_owned(), ByteString(damaged.as_bytes().to_vec()));
            assert_eq!(Ledger::read(&secret), None, "{damaged}");
        }
        assert_eq!(Ledger::read(&Secret::default()), None);
    }
}
