//! What this proxy holds of the operator's resources: names and versions, across streams.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use envoy_types::pb::envoy::service::discovery::v3::DeltaDiscoveryResponse;
use weft_model::xds::{SDS_ROOTS, SDS_SECRET_PREFIX};
use weft_policy::{
    config::{Config, Delta, Kind},
    read::read,
};

use super::kinds::{self, WILDCARD};

/// Longest NACK text; more would not fit a header-sized status.
const MAX_NACK: usize = 4096;

/// Names and versions in force.
#[derive(Default)]
pub struct Held {
    versions: HashMap<Kind, HashMap<Arc<str>, String>>,
    /// Types that were answered at least once.
    answered: HashSet<Kind>,
    /// SDS names subscribed to.
    secrets: BTreeSet<Arc<str>>,
}

/// What a response came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// To be put in force.
    pub delta: Delta,
    /// `type name: reason` of each refused resource.
    pub refused: Vec<String>,
}

impl Outcome {
    /// The text of the NACK, or `None` for an ACK.
    pub fn nack(&self) -> Option<String> {
        if self.refused.is_empty() {
            return None;
        }
        let mut text = self.refused.join("\n");
        if text.len() > MAX_NACK {
            let cut = (0..=MAX_NACK).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
            text.truncate(cut);
            text.push('…');
        }
        Some(text)
    }
}

/// How SDS subscriptions change.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SecretChange {
    /// New names.
    pub subscribe: Vec<String>,
    /// Names no longer needed.
    pub unsubscribe: Vec<Arc<str>>,
}

impl Held {
    /// Versions in force of a type, for the first request of a stream.
    pub fn versions(&self, kind: Kind) -> HashMap<String, String> {
        let versions = self.versions.get(&kind).into_iter().flatten();
        versions.map(|(name, version)| (name.to_string(), version.clone())).collect()
    }

    /// SDS names subscribed to.
    pub fn secrets(&self) -> Vec<String> {
        self.secrets.iter().map(|name| name.to_string()).collect()
    }

    /// Whether every wildcard type was answered, that is, the configuration is whole.
    pub fn complete(&self) -> bool {
        WILDCARD.iter().all(|kind| self.answered.contains(kind))
    }

    /// Reads a response: good resources go into the delta, bad ones keep their last good version.
    pub fn take(&mut self, kind: Kind, response: DeltaDiscoveryResponse) -> Outcome {
        let mut outcome = Outcome::default();
        let versions = self.versions.entry(kind).or_default();
        for resource in response.resources {
            let name: Arc<str> = resource.name.into();
            let mut refuse = |why: &str| outcome.refused.push(format!("{} {name}: {why}", kinds::short(kind)));
            let Some(value) = resource.resource else {
                refuse("the resource is empty");
                continue;
            };
            if kinds::kind(&value.type_url) != Some(kind) {
                refuse(&format!("its type is {:?}", value.type_url));
                continue;
            }
            match read(kind, &name, &value.value) {
                Ok(read) => {
                    versions.insert(name.clone(), resource.version);
                    outcome.delta.put.push((name, read));
                }
                Err(error) => refuse(&error.to_string()),
            }
        }
        for name in response.removed_resources {
            let name: Arc<str> = name.into();
            versions.remove(&name);
            outcome.delta.remove.push((kind, name));
        }
        self.answered.insert(kind);
        outcome
    }

    /// Compares the secrets that listeners and clusters name with those subscribed to.
    /// In a pod the mesh's roots are followed as well.
    pub fn follow_secrets(&mut self, config: &Config, in_pod: bool) -> SecretChange {
        let mut needed = needed_secrets(config);
        if in_pod {
            needed.insert(SDS_ROOTS.into());
        }
        let change = SecretChange {
            subscribe: needed.difference(&self.secrets).map(|name| name.to_string()).collect(),
            unsubscribe: self.secrets.difference(&needed).cloned().collect(),
        };
        if let Some(versions) = self.versions.get_mut(&Kind::Secret) {
            versions.retain(|name, _| needed.contains(name));
        }
        self.secrets = needed;
        change
    }
}

/// Names of secrets that are not this proxy's own identity.
fn needed_secrets(config: &Config) -> BTreeSet<Arc<str>> {
    let listeners = config.listeners.values();
    let chains = listeners.flat_map(|listener| listener.chains.iter().chain(&listener.default_chain));
    let downstream = chains
        .filter_map(|chain| chain.tls.as_ref())
        .flat_map(|tls| std::iter::once(&tls.certificate).chain(&tls.roots).cloned());
    let upstream = config
        .upstreams
        .values()
        .flat_map(|upstream| upstream.cluster.tls.iter())
        .filter_map(|choice| choice.tls.as_ref())
        .flat_map(|tls| tls.certificate.iter().chain(&tls.roots).cloned());
    downstream.chain(upstream).filter(|name| name.starts_with(SDS_SECRET_PREFIX)).collect()
}
