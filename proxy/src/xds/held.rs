//! What this proxy holds of the operator's resources: names and versions, across streams.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use envoy_types::pb::envoy::service::discovery::v3::DeltaDiscoveryResponse;
use weft_model::xds::{NACK_CUT, SDS_ROOTS, SDS_SECRET_PREFIX};
use weft_policy::{
    config::{Config, Delta, Kind},
    read::read,
};

use super::kinds::{self, WILDCARD};

/// Longest NACK text. It names some thousand resources; a response that has more of them wrong has one thing wrong.
const MAX_NACK: usize = 256 * 1024;
/// Longest reason in it.
const MAX_REASON: usize = 512;

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
    /// The text of the NACK, or `None` for an ACK. A list that is too long is cut between two lines and says so in its
    /// last one, which tells the operator to take nothing as accepted that is not named.
    pub fn nack(&self) -> Option<String> {
        if self.refused.is_empty() {
            return None;
        }
        let mut text = String::new();
        for (told, line) in self.refused.iter().enumerate() {
            let line = head(line, MAX_REASON);
            if text.len() + line.len() > MAX_NACK {
                text.push_str(&format!("{NACK_CUT}{} more", self.refused.len() - told));
                return Some(text);
            }
            text.push_str(line);
            text.push('\n');
        }
        text.pop();
        Some(text)
    }
}

/// The first `limit` bytes or a few less, up to the end of a character.
fn head(text: &str, limit: usize) -> &str {
    let end = (0..=limit.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or_default()]
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

    /// A resource was refused after all: its version is not held.
    pub fn forget(&mut self, kind: Kind, name: &Arc<str>) {
        if let Some(versions) = self.versions.get_mut(&kind) {
            versions.remove(name);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_nack_is_cut_between_lines_and_says_so() {
        let line = |at: usize| format!("Cluster outbound|80||host-{at}.example: {}", "é".repeat(400));
        let mut outcome = Outcome { refused: (0..10).map(line).collect(), ..Outcome::default() };
        let whole = outcome.nack().unwrap();
        assert!(!whole.contains(NACK_CUT) && whole.lines().all(|line| line.len() <= MAX_REASON));
        outcome.refused = (0..2000).map(line).collect();
        let cut = outcome.nack().unwrap();
        let last = cut.lines().last().unwrap();
        let left: usize = last.strip_prefix(NACK_CUT).unwrap().strip_suffix(" more").unwrap().parse().unwrap();
        assert_eq!(cut.lines().count() - 1 + left, 2000);
        assert!(cut.len() <= MAX_NACK + 64);
    }
}
