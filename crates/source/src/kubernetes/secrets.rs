//! Which Secrets are wanted: those that Gateways and DestinationRules name, and those with their roots, in the namespaces where the
//! pods run that they are for; and which of them are followed when they are too many.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;
use weft_api::{
    Object, Spec, code,
    networking::{
        DestinationRule, Gateway, ServerTlsMode,
        credential::{is_secret_name, roots_secret},
        traffic_policy::ClientTlsMode,
    },
};
use weft_model::{Diagnostic, ObjectRef, Severity};

use super::ledger::Name;

/// How long a Secret that is not there is looked for before another one that is not there has its turn.
const LOOK: Duration = Duration::from_secs(60);

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

/// How a Secret stands that is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// There is no answer yet.
    Asked,
    /// It is there.
    Seen,
    /// It is not there, or may not be read.
    Unseen,
}

/// Those that are followed.
pub(super) type Followed = BTreeMap<Name, Standing>;
/// Those that were looked for and not there, each with when the last look began.
pub(super) type Missed = BTreeMap<Name, Instant>;

/// Why a Secret is in the queue for room; who comes first is served first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// Nobody has looked for it yet.
    New,
    /// It is being looked for and is not there so far.
    Looking,
    /// It was not there at the last look.
    Missed,
    /// It was looked for long enough.
    Looked,
}

/// Which Secrets are to be followed from now on, at most `limit`. One that is there and still wanted stays: somebody shows it.
/// The room that is left goes to one namespace after the other, by where the objects are that want it, so that nobody takes
/// it all, not even when everything is read anew. Those that are not there get what others leave, and take turns in it, so
/// that names of nothing keep none out that is there.
pub(super) fn choose(
    wanted: &Wanted,
    followed: &Followed,
    missed: &Missed,
    now: Instant,
    limit: usize,
) -> BTreeSet<Name> {
    let holds = |name: &Name| matches!(followed.get(name), Some(Standing::Seen | Standing::Asked));
    let (held, others): (Vec<_>, Vec<_>) = wanted.iter().partition(|(name, _)| holds(name));
    let mut chosen: BTreeSet<Name> = held.iter().map(|(name, _)| (*name).clone()).collect();
    let mut taken = BTreeMap::new();
    for (_, objects) in held {
        turn(&mut taken, objects);
    }
    let class = |name: &Name| match (followed.contains_key(name), missed.get(name)) {
        (_, None) => Class::New,
        (false, Some(_)) => Class::Missed,
        (true, Some(since)) if now.saturating_duration_since(*since) < LOOK => Class::Looking,
        (true, Some(_)) => Class::Looked,
    };
    let mut others: Vec<_> =
        others.into_iter().map(|(name, objects)| (class(name), missed.get(name), name, objects)).collect();
    others.sort();
    let mut queue: Vec<_> = others
        .into_iter()
        .map(|(class, since, name, objects)| (class, turn(&mut taken, objects), since, name))
        .collect();
    queue.sort();
    let room = limit.saturating_sub(chosen.len());
    chosen.extend(queue.into_iter().take(room).map(|(.., name)| name.clone()));
    chosen
}

/// Brings `missed` up to date.
pub(super) fn note(missed: &mut Missed, wanted: &Wanted, followed: &Followed, now: Instant) {
    missed.retain(|name, _| wanted.contains_key(name));
    for (name, standing) in followed.iter().filter(|(name, _)| wanted.contains_key(*name)) {
        if *standing == Standing::Seen {
            missed.remove(name);
        } else if *standing == Standing::Unseen {
            missed.entry(name.clone()).or_insert(now);
        }
    }
}

/// When another one of those that are not there has its turn; `None` when none waits, or there is no room for any.
pub(super) fn next_look(chosen: &BTreeSet<Name>, missed: &Missed) -> Option<Instant> {
    let waits = missed.keys().any(|name| !chosen.contains(name));
    let looks = missed.iter().filter(|(name, _)| chosen.contains(*name));
    looks.map(|(_, since)| *since + LOOK).min().filter(|_| waits)
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

/// A finding for each object that wants a Secret that was not chosen. One that is not there lacks nothing while it has its
/// turns.
pub(super) fn refused(wanted: &Wanted, chosen: &BTreeSet<Name>, missed: &Missed, limit: usize) -> Vec<Diagnostic> {
    let full = chosen.iter().filter(|name| !missed.contains_key(*name)).count() >= limit;
    let lacks = |name: &Name| !chosen.contains(name) && (full || !missed.contains_key(name));
    let mut lacking: BTreeMap<&ObjectRef, Vec<&Name>> = BTreeMap::new();
    for (name, objects) in wanted.iter().filter(|(name, _)| lacks(name)) {
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
        match self {
            Self::Gateways(selector) => labels.carry(selector),
            Self::Clients(namespace, selector) => pod.meta.namespace == *namespace && labels.carry(selector),
            Self::AnyGateway => labels.get("istio").is_some(),
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
