//! The certificate authority in a Secret: `cacerts` (Istio's layout, made elsewhere) wins over `weft-ca` (ours). Both are
//! watched, so that a root changes without a restart; so is the ledger of roots that signed before.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream::select_all};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    runtime::{WatchStreamExt, watcher::watch_object},
};
use rustls_pki_types::CertificateDer;
use tokio::sync::watch;
use weft_install::names;
use weft_runtime::{Shutdown, StartupError};

use super::{
    Authority, authority,
    ledger::Ledger,
    plugged::{self, CHAIN, Files, ISSUER, KEY, ROOTS},
};

/// What is asked of every authority that is read.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Trust domain of its identities.
    pub trust_domain: String,
    /// Longest lifetime of a leaf.
    pub max_ttl: Duration,
}

/// Reads an authority from a Secret in the layout of `cacerts`.
pub fn read(secret: &Secret, terms: &Terms) -> Result<Authority, StartupError> {
    let name = secret.metadata.name.as_deref().unwrap_or_default();
    let place = format!("Secret {}/{name}", secret.metadata.namespace.as_deref().unwrap_or_default());
    let value = |key: &str| secret.data.as_ref().and_then(|data| data.get(key)).map_or(&[][..], |v| &v.0);
    let key = std::str::from_utf8(value(KEY)).map_err(|error| {
        StartupError::new(format!("cannot use the key {place}/{KEY}"), error, "replace it with a PEM private key")
    })?;
    let files = Files { issuer: value(ISSUER), key, roots: value(ROOTS), chain: value(CHAIN) };
    Authority::from_pem(&files, &place, &terms.trust_domain, terms.max_ttl)
}

/// The roots that a Secret in the layout of `cacerts` names. None from one that cannot be read: it must not spoil what
/// others trust.
fn roots_of(secret: &Secret) -> Vec<CertificateDer<'static>> {
    let written = secret.data.as_ref().and_then(|data| data.get(ROOTS)).map_or(&[][..], |bytes| &bytes.0);
    plugged::parse_certificates(ROOTS, written).unwrap_or_default()
}

/// What the Secrets say now.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// `cacerts`.
    pub plugged_in: Option<Arc<Secret>>,
    /// `weft-ca`.
    pub own: Option<Arc<Secret>>,
    /// `weft-ca-roots`.
    pub ledger: Option<Arc<Secret>>,
}

impl Secrets {
    /// The one that counts.
    pub fn chosen(&self) -> Option<&Arc<Secret>> {
        self.plugged_in.as_ref().or(self.own.as_ref())
    }

    /// The authority of the one that counts; `None` when there is none. It trusts the roots of both and those of the ledger:
    /// certificates that another one signed are still about, and one plugged in that is of no use takes nothing away.
    pub fn authority(&self, terms: &Terms) -> Option<Result<Authority, StartupError>> {
        let read = read(self.chosen()?, terms);
        Some(read.map(|authority| authority.trust_also(self.roots())))
    }

    /// What is trusted, PEM; `None` when there is nothing to trust.
    pub fn trusted(&self) -> Option<String> {
        let roots = self.roots();
        (!roots.is_empty()).then(|| roots.iter().map(authority::pem).collect())
    }

    /// The roots that `cacerts` and `weft-ca` name themselves.
    pub fn named(&self) -> Vec<CertificateDer<'static>> {
        once([&self.plugged_in, &self.own].into_iter().flatten().flat_map(|secret| roots_of(secret)))
    }

    /// Which roots signed; empty when that is not written or cannot be read.
    pub fn remembered(&self) -> Ledger {
        self.ledger.as_deref().and_then(Ledger::read).unwrap_or_default()
    }

    fn roots(&self) -> Vec<CertificateDer<'static>> {
        once(self.named().into_iter().chain(self.remembered().roots().cloned()))
    }
}

fn once(roots: impl Iterator<Item = CertificateDer<'static>>) -> Vec<CertificateDer<'static>> {
    let mut all = Vec::new();
    for root in roots {
        if !all.contains(&root) {
            all.push(root);
        }
    }
    all
}

/// Follows the Secrets of `namespace` until shutdown. Nothing is told before all were asked for once; after that the last
/// answer stays while the API server is away.
pub fn follow(client: &Client, namespace: &str, shutdown: Shutdown) -> watch::Receiver<Option<Secrets>> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let one =
        |name: &'static str| watch_object(api.clone(), name).default_backoff().map(move |found| (name, found)).boxed();
    let watched = [names::PLUGGED_IN_CA_SECRET, names::CA_SECRET, names::ROOTS_SECRET];
    let mut events = select_all(watched.map(one));
    let (sender, receiver) = watch::channel(None);
    tokio::spawn(async move {
        let (mut now, mut asked) = (Secrets::default(), [false; 3]);
        loop {
            let next = tokio::select! { next = events.next() => next, () = shutdown.wait() => return };
            match next {
                Some((name, Ok(found))) => {
                    let found = found.map(Arc::new);
                    match name {
                        names::PLUGGED_IN_CA_SECRET => (now.plugged_in, asked[0]) = (found, true),
                        names::CA_SECRET => (now.own, asked[1]) = (found, true),
                        _ => (now.ledger, asked[2]) = (found, true),
                    }
                }
                Some((name, Err(error))) => {
                    tracing::warn!(secret = name, %error, "cannot watch the CA's Secret");
                    if name != names::ROOTS_SECRET || asked[2] {
                        continue;
                    }
                    // Nothing is trusted for its sake then; what signs now must not wait for it.
                    asked[2] = true;
                }
                None => return,
            }
            if asked == [true; 3] {
                sender.send_replace(Some(now.clone()));
            }
        }
    });
    receiver
}

/// Waits for an authority and follows it. `None` when stopped before there is one.
pub async fn usable(
    mut secrets: watch::Receiver<Option<Secrets>>,
    terms: Terms,
    shutdown: Shutdown,
) -> Option<super::AuthorityWatch> {
    let mut told = false;
    let first = loop {
        let found = secrets.borrow_and_update().as_ref().map(|secrets| secrets.authority(&terms));
        match found {
            Some(Some(Ok(authority))) => break authority,
            Some(Some(Err(error))) => tracing::error!(%error, "waiting for a usable certificate authority"),
            Some(None) if !told => {
                told = true;
                tracing::info!(secret = names::CA_SECRET, "waiting for the certificate authority's Secret");
            }
            _ => {}
        }
        tokio::select! {
            changed = secrets.changed() => changed.ok()?,
            () = shutdown.wait() => return None,
        }
    };
    let (sender, receiver) = watch::channel(Arc::new(first));
    tokio::spawn(async move {
        loop {
            tokio::select! {
                changed = secrets.changed() => if changed.is_err() { return },
                () = shutdown.wait() => return,
            }
            let found = secrets.borrow_and_update().as_ref().and_then(|secrets| secrets.authority(&terms));
            let Some(read) = found else {
                tracing::error!("the certificate authority's Secret is gone; the one in memory signs on");
                continue;
            };
            match read {
                Ok(fresh) => {
                    let old = sender.borrow().clone();
                    if fresh.is_same(&old) {
                        continue;
                    }
                    tracing::info!(
                        root = fresh.root_hash(),
                        roots = fresh.roots().len(),
                        "certificate authority changed"
                    );
                    sender.send_replace(Arc::new(fresh));
                }
                Err(error) => tracing::error!(%error, "the changed certificate authority is not taken up"),
            }
        }
    });
    Some(receiver)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ca::root;

    fn secret(roots: &str) -> Arc<Secret> {
        let data = serde_json::json!({ "data": { ROOTS: k8s_openapi::ByteString(roots.as_bytes().to_vec()) } });
        Arc::new(serde_json::from_value(data).unwrap())
    }

    #[test]
    fn what_is_plugged_in_takes_no_trust_away() {
        let lifetime = Duration::from_secs(3600);
        let made = || root::self_signed("cluster.local", lifetime).unwrap().0;
        let (own, other) = (made(), made());
        let alone = Secrets { own: Some(secret(&own)), ..Secrets::default() };
        let before = alone.trusted().unwrap();
        for useless in ["", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", &own] {
            let both = Secrets { plugged_in: Some(secret(useless)), ..alone.clone() };
            assert_eq!(both.trusted().as_ref(), Some(&before), "{useless}");
        }
        let both = Secrets { plugged_in: Some(secret(&other)), ..alone.clone() };
        let trusted = both.trusted().unwrap();
        assert!(trusted.ends_with(&before) && trusted.len() > before.len(), "{trusted}");
        assert_eq!(Secrets::default().trusted(), None);
    }

    #[test]
    fn what_signed_is_trusted_when_its_secret_is_gone() {
        let terms = Terms { trust_domain: "cluster.local".into(), max_ttl: Duration::from_secs(3600) };
        let made = || root::self_signed("cluster.local", root::LIFETIME).unwrap();
        let ((gone, _), (now, key)) = (made(), made());
        let gone = plugged::parse_certificates("test", gone.as_bytes()).unwrap().remove(0);
        let mut ledger = Ledger::default();
        ledger.signs(&gone, terms.max_ttl, time::OffsetDateTime::now_utc());
        let mut remembered = Secret::default();
        ledger.write(&mut remembered).unwrap();
        let mut own = Secret::clone(&secret(&now));
        let data = own.data.as_mut().unwrap();
        data.insert(ISSUER.into(), k8s_openapi::ByteString(now.as_bytes().to_vec()));
        data.insert(KEY.into(), k8s_openapi::ByteString(key.serialize_pem().into_bytes()));

        let alone = Secrets { own: Some(Arc::new(own)), ..Secrets::default() };
        assert!(!alone.authority(&terms).unwrap().unwrap().roots().contains(&gone));
        let both = Secrets { ledger: Some(Arc::new(remembered.clone())), ..alone.clone() };
        let authority = both.authority(&terms).unwrap().unwrap();
        assert_eq!((authority.roots().len(), authority.roots().contains(&gone)), (2, true));
        assert!(authority.roots()[0] != gone, "another one signs");
        assert!(both.trusted().unwrap().contains(&authority::pem(&gone)));
        assert_eq!(both.named().len(), 1);
        // Without any authority there is still somebody to trust, and nobody signs.
        let bare = Secrets { ledger: both.ledger, ..Secrets::default() };
        assert!(bare.authority(&terms).is_none() && bare.trusted().is_some());
        // A damaged one vouches for nobody.
        remembered.data.as_mut().unwrap().clear();
        let damaged = Secrets { ledger: Some(Arc::new(remembered)), ..alone.clone() };
        assert_eq!(damaged.trusted(), alone.trusted());
    }
}
