//! Built TLS configurations, found without a lock.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;
use rustls::{ClientConfig, ServerConfig};
use weft_policy::config::{DownstreamTls, Secret, UpstreamTls};

use super::{Error, Identity, Offer};

/// Entries kept before unused ones are swept.
const SWEEP_AT: usize = 256;

/// TLS configurations in use. A key keeps alive what its pointer came from, so pointers are never reused.
#[derive(Default)]
pub struct Cache {
    clients: ArcSwap<HashMap<(usize, Offer), Entry<UpstreamTls, ClientConfig>>>,
    servers: ArcSwap<HashMap<usize, Entry<DownstreamTls, ServerConfig>>>,
}

struct Entry<S, B> {
    settings: Arc<S>,
    identity: Option<Arc<Identity>>,
    secrets: Vec<Arc<Secret>>,
    built: Arc<B>,
}

impl<S, B> Clone for Entry<S, B> {
    fn clone(&self) -> Self {
        Self {
            settings: self.settings.clone(),
            identity: self.identity.clone(),
            secrets: self.secrets.clone(),
            built: self.built.clone(),
        }
    }
}

fn same<T>(a: Option<&Arc<T>>, b: Option<&Arc<T>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (None, None) => true,
        _ => false,
    }
}

impl Cache {
    /// The client side's; `build` runs when settings or identity are new.
    pub(super) fn client(
        &self,
        tls: &Arc<UpstreamTls>,
        offer: Offer,
        identity: Option<&Arc<Identity>>,
        build: impl FnOnce() -> Result<ClientConfig, Error>,
    ) -> Result<Arc<ClientConfig>, Error> {
        let key = (Arc::as_ptr(tls) as usize, offer);
        if let Some(entry) = self.clients.load().get(&key)
            && same(entry.identity.as_ref(), identity)
        {
            return Ok(entry.built.clone());
        }
        let built = Arc::new(build()?);
        let entry =
            Entry { settings: tls.clone(), identity: identity.cloned(), secrets: Vec::new(), built: built.clone() };
        insert(&self.clients, key, entry);
        Ok(built)
    }

    /// The server side's; `build` runs when settings, identity or a secret are new.
    pub(super) fn server(
        &self,
        tls: &Arc<DownstreamTls>,
        identity: Option<&Arc<Identity>>,
        secrets: Vec<Arc<Secret>>,
        build: impl FnOnce() -> Result<ServerConfig, Error>,
    ) -> Result<Arc<ServerConfig>, Error> {
        let key = Arc::as_ptr(tls) as usize;
        if let Some(entry) = self.servers.load().get(&key)
            && same(entry.identity.as_ref(), identity)
            && entry.secrets.len() == secrets.len()
            && entry.secrets.iter().zip(&secrets).all(|(a, b)| Arc::ptr_eq(a, b))
        {
            return Ok(entry.built.clone());
        }
        let built = Arc::new(build()?);
        let entry = Entry { settings: tls.clone(), identity: identity.cloned(), secrets, built: built.clone() };
        insert(&self.servers, key, entry);
        Ok(built)
    }
}

fn insert<K: Eq + std::hash::Hash + Clone, S, B>(map: &ArcSwap<HashMap<K, Entry<S, B>>>, key: K, entry: Entry<S, B>) {
    map.rcu(|old| {
        let mut new = HashMap::clone(old);
        if new.len() >= SWEEP_AT {
            // Settings that only this cache and the copy being made hold belong to no configuration any more.
            new.retain(|_, entry| Arc::strong_count(&entry.settings) > 2);
        }
        new.insert(key.clone(), entry.clone());
        new
    });
}
