//! The certificate authority in a Secret: `cacerts` (Istio's layout, made elsewhere) wins over `weft-ca` (ours). Both are
//! watched, so that a root changes without a restart.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream::select};
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

/// What the two Secrets say now.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// `cacerts`.
    pub plugged_in: Option<Arc<Secret>>,
    /// `weft-ca`.
    pub own: Option<Arc<Secret>>,
}

impl Secrets {
    /// Nothing plugged in.
    pub fn own(secret: Secret) -> Self {
        Self { plugged_in: None, own: Some(Arc::new(secret)) }
    }

    /// The one that counts.
    pub fn chosen(&self) -> Option<&Arc<Secret>> {
        self.plugged_in.as_ref().or(self.own.as_ref())
    }

    /// The authority of the one that counts; `None` when there is none. It trusts the roots of both: certificates that the
    /// other one signed are still about, and one plugged in that is of no use takes nothing away.
    pub fn authority(&self, terms: &Terms) -> Option<Result<Authority, StartupError>> {
        let read = read(self.chosen()?, terms);
        Some(read.map(|authority| authority.trust_also(self.roots())))
    }

    /// What is trusted, PEM; `None` when there is nothing to trust.
    pub fn trusted(&self) -> Option<String> {
        let roots = self.roots();
        (!roots.is_empty()).then(|| roots.iter().map(authority::pem).collect())
    }

    fn roots(&self) -> Vec<CertificateDer<'static>> {
        let mut all = Vec::new();
        for root in [&self.plugged_in, &self.own].into_iter().flatten().flat_map(|secret| roots_of(secret)) {
            if !all.contains(&root) {
                all.push(root);
            }
        }
        all
    }
}

/// Follows the two Secrets of `namespace` until shutdown. Nothing is told before both were asked for once; after that the
/// last answer stays while the API server is away.
pub fn follow(client: &Client, namespace: &str, shutdown: Shutdown) -> watch::Receiver<Option<Secrets>> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let one =
        |name: &'static str| watch_object(api.clone(), name).default_backoff().map(move |found| (name, found)).boxed();
    let mut events = select(one(names::PLUGGED_IN_CA_SECRET), one(names::CA_SECRET));
    let (sender, receiver) = watch::channel(None);
    tokio::spawn(async move {
        let (mut now, mut asked) = (Secrets::default(), [false; 2]);
        loop {
            let next = tokio::select! { next = events.next() => next, () = shutdown.wait() => return };
            match next {
                Some((name, Ok(found))) => {
                    let found = found.map(Arc::new);
                    if name == names::PLUGGED_IN_CA_SECRET {
                        (now.plugged_in, asked[0]) = (found, true);
                    } else {
                        (now.own, asked[1]) = (found, true);
                    }
                    if asked == [true; 2] {
                        sender.send_replace(Some(now.clone()));
                    }
                }
                Some((name, Err(error))) => tracing::warn!(secret = name, %error, "cannot watch the CA's Secret"),
                None => return,
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
        let alone = Secrets { plugged_in: None, own: Some(secret(&own)) };
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
}
