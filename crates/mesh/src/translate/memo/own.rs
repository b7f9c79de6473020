//! What is one proxy's own, and that together with what it shares.

use std::sync::Arc;

use super::{stand::Stand, touches};
use crate::{
    Asked, Client, Proxy, ProxyKind, Resource, Resources, Snapshot, View,
    resolve::scope::Scope,
    snapshot::{Mark, Since},
    translate::listeners,
};

/// A proxy's inbound side.
#[derive(Debug, Default)]
pub(super) struct Own {
    stand: Option<Stand>,
    reads: Box<[Mark]>,
    resources: Vec<Arc<Resource>>,
    /// What the whole was put together from.
    shared: Resources,
    whole: Resources,
    /// How often the inbound side was made.
    pub(super) made: u64,
}

impl Own {
    /// Brings the memory up to a snapshot; gives all that the proxy should have but the workload table.
    pub(super) fn refresh(
        &mut self,
        snapshot: &Snapshot,
        proxy: &Proxy,
        client: &Client,
        shared: Resources,
    ) -> &Resources {
        let changed = self.stand.as_ref().map_or(Since::Unknown, |stand| stand.between(snapshot));
        let again = touches(&changed, &self.reads);
        if again {
            self.stand = None;
            self.made += 1;
            let view = View::new(snapshot);
            let mut resources = Vec::new();
            if proxy.kind == ProxyKind::Sidecar {
                listeners::inbound::add(&Scope::new(&view, &Asked::alone(client)), proxy, &mut resources);
            }
            self.reads = view.into_reads();
            self.resources = resources.into_iter().map(Arc::new).collect();
            self.whole = Resources::default();
            self.shared = Resources::default();
        }
        self.stand = Some(Stand::of(snapshot));
        // Types of which nothing differs stay the very same, which whoever sends them notices.
        self.whole.join(&self.shared, &shared, &self.resources);
        self.shared = shared;
        &self.whole
    }
}
