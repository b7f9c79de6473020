//! Which Secrets are wanted: those that Gateways and DestinationRules name, and those with their roots, in the namespaces where the
//! pods run that they are for; and which of them are followed when they are too many.

use std::collections::{BTreeMap, BTreeSet};

use weft_api::{
    Object, Spec, code,
    networking::{
        DestinationRule, Gateway, ServerTlsMode,
        credential::{is_secret_name, roots_secret},
        traffic_policy::ClientTlsMode,
    },
};
use weft_model::{Diagnostic, ObjectRef, Severity};

use super::{feed::FeedId, ledger::Name};

/// Secrets, each with the objects that want it.
pub(super) type Wanted = BTreeMap<Name, BTreeSet<ObjectRef>>;

/// The Secrets that these objects name together.
pub(super) fn wanted<'o>(policies: impl Iterator<Item = &'o Object>, pods: impl Iterator<Item = &'o Object>) -> Wanted {
    let named: Vec<(&ObjectRef, Workloads<'_>, BTreeSet<String>)> = policies.filter_map(credentials).collect();
    let mut wanted = Wanted::new();
    if named.is_empty() {
        return wanted;
    }
    let mut places: Vec<BTreeSet<&str>> = vec![BTreeSet::new(); named.len()];
    for pod in pods {
        for (namespaces, (_, workloads, _)) in places.iter_mut().zip(&named) {
            if workloads.include(pod) {
                namespaces.insert(&pod.meta.namespace);
            }
        }
    }
    for (namespaces, (object, _, secrets)) in places.iter().zip(&named) {
        for namespace in namespaces {
            for secret in secrets {
                wanted.entry(Name::new(namespace, secret)).or_default().insert((*object).clone());
            }
        }
    }
    wanted
}

/// Which Secrets are to be followed from now on, at most `limit`. One that is followed and still wanted stays: somebody shows it.
/// The room that is left goes to one namespace after the other, by where the objects are that want it, so that nobody takes
/// it all, not even when everything is read anew.
pub(super) fn choose(wanted: &Wanted, followed: &BTreeMap<Name, FeedId>, limit: usize) -> BTreeSet<Name> {
    let (held, others): (Vec<_>, Vec<_>) = wanted.iter().partition(|(name, _)| followed.contains_key(*name));
    let mut chosen: BTreeSet<Name> = held.iter().map(|(name, _)| (*name).clone()).collect();
    let mut taken = BTreeMap::new();
    for (_, objects) in held {
        turn(&mut taken, objects);
    }
    let mut queue: Vec<(usize, &Name)> =
        others.into_iter().map(|(name, objects)| (turn(&mut taken, objects), name)).collect();
    queue.sort();
    let room = limit.saturating_sub(chosen.len());
    chosen.extend(queue.into_iter().take(room).map(|(_, name)| name.clone()));
    chosen
}

/// When it is the turn of one more Secret that these objects want: the earliest that one of their namespaces has.
fn turn<'w>(taken: &mut BTreeMap<&'w str, usize>, objects: &'w BTreeSet<ObjectRef>) -> usize {
    let namespaces: BTreeSet<&str> = objects.iter().map(|object| object.namespace.as_str()).collect();
    let mut earliest = usize::MAX;
    for namespace in namespaces {
        let next = taken.entry(namespace).or_default();
        earliest = earliest.min(*next);
        *next += 1;
    }
    earliest
}

/// A finding for each object that wants a Secret that was not chosen.
pub(super) fn refused(wanted: &Wanted, chosen: &BTreeSet<Name>, limit: usize) -> Vec<Diagnostic> {
    let mut lacking: BTreeMap<&ObjectRef, Vec<&Name>> = BTreeMap::new();
    for (name, objects) in wanted.iter().filter(|(name, _)| !chosen.contains(*name)) {
        for object in objects {
            lacking.entry(object).or_default().push(name);
        }
    }
    lacking.into_iter().filter_map(|(object, names)| too_many(object, &names, limit)).collect()
}

fn too_many(object: &ObjectRef, names: &[&Name], limit: usize) -> Option<Diagnostic> {
    let (first, more) = names.split_first()?;
    let more = if more.is_empty() { String::new() } else { format!(" (and {} more that it names)", more.len()) };
    let Name { namespace, name } = first;
    Some(Diagnostic {
        code: code::UNAVAILABLE.to_owned(),
        aliases: Vec::new(),
        severity: Severity::Error,
        message: format!(
            "Secret {name:?} in namespace {namespace}{more} is not read, so TLS that needs it fails: the mesh reads at most \
             {limit} Secrets of credentials, and others came first"
        ),
        object: Some(object.clone()),
        field: String::new(),
        file: None,
        line: None,
        column: None,
        suggestion: Some(
            "share certificates between servers, or take credentials away that nobody uses; the next one that is taken away \
             makes room"
                .to_owned(),
        ),
    })
}

/// Whose credentials they are.
enum Workloads<'o> {
    /// Pods with these labels, in any namespace.
    Gateways(&'o BTreeMap<String, String>),
    /// Pods with these labels in one namespace.
    Clients(&'o str, &'o BTreeMap<String, String>),
    /// Every gateway: originating TLS with a credential is a gateway's business unless workloads are selected.
    AnyGateway,
}

impl Workloads<'_> {
    fn include(&self, pod: &Object) -> bool {
        let labels = &pod.meta.labels;
        let has = |wanted: &BTreeMap<String, String>| wanted.iter().all(|(key, value)| labels.get(key) == Some(value));
        match self {
            Self::Gateways(selector) => has(selector),
            Self::Clients(namespace, selector) => pod.meta.namespace == *namespace && has(selector),
            Self::AnyGateway => labels.contains_key("istio"),
        }
    }
}

fn credentials(object: &Object) -> Option<(&ObjectRef, Workloads<'_>, BTreeSet<String>)> {
    let (workloads, secrets) = match &object.spec {
        Spec::Gateway(gateway) => (Workloads::Gateways(&gateway.selector), of_gateway(gateway)),
        Spec::DestinationRule(rule) => {
            let workloads = match &rule.workload_selector {
                Some(selector) => Workloads::Clients(&object.meta.namespace, &selector.match_labels),
                None => Workloads::AnyGateway,
            };
            (workloads, of_rule(rule))
        }
        _ => return None,
    };
    (!secrets.is_empty()).then_some((&object.reference, workloads, secrets))
}

/// What servers show, and the roots of those that ask for a client's certificate.
fn of_gateway(gateway: &Gateway) -> BTreeSet<String> {
    let mut secrets = BTreeSet::new();
    for tls in gateway.servers.iter().filter_map(|server| server.tls.as_ref()) {
        let verifies = matches!(tls.mode, ServerTlsMode::Mutual | ServerTlsMode::OptionalMutual);
        if !verifies && tls.mode != ServerTlsMode::Simple {
            continue;
        }
        let Some((_, credential)) = tls.credential().filter(|(_, name)| is_secret_name(name)) else { continue };
        secrets.insert(credential.to_owned());
        secrets.extend(verifies.then(|| roots_secret(credential)));
    }
    secrets
}

/// What clients show and check servers by; either Secret may hold the roots.
fn of_rule(rule: &DestinationRule) -> BTreeSet<String> {
    let policies = rule.traffic_policy.iter().chain(rule.subsets.iter().filter_map(|s| s.traffic_policy.as_ref()));
    let settings = policies.flat_map(|policy| {
        policy.tls.iter().chain(policy.port_level_settings.iter().filter_map(|port| port.tls.as_ref()))
    });
    let mut secrets = BTreeSet::new();
    for tls in settings {
        let originates = matches!(tls.mode, ClientTlsMode::Simple | ClientTlsMode::Mutual);
        if originates && is_secret_name(&tls.credential_name) {
            secrets.insert(tls.credential_name.clone());
            let verifies = tls.insecure_skip_verify != Some(true);
            secrets.extend(verifies.then(|| roots_secret(&tls.credential_name)));
        }
    }
    secrets
}

#[cfg(test)]
mod tests;
