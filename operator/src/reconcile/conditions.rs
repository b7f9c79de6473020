//! What a Mesh's status says, from what was seen.

use std::{borrow::Borrow, collections::BTreeMap, time::Duration};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use weft_api::mesh::{ComponentStatus, Condition, ConditionStatus};
use weft_install::names;

use super::{
    findings::Unread,
    problem::{Problem, Reason},
    rollout::Hindrance,
};
use crate::clock;

/// Everything that runs and is up to date.
pub const READY: &str = "Ready";
/// The objects are as the Mesh says.
pub const RECONCILED: &str = "Reconciled";
/// Something is on its way.
pub const PROGRESSING: &str = "Progressing";
/// Somebody answers when the API server calls the webhooks.
pub const WEBHOOKS_READY: &str = "WebhooksReady";
/// The certificate authority can sign, and how long.
pub const CERTIFICATES_VALID: &str = "CertificatesValid";
/// Every kind and every Secret that the mesh depends on can be read.
pub const CONFIGURATION_READ: &str = "ConfigurationRead";
/// The clocks of the control plane's replicas go with the API server's.
pub const CLOCKS_AGREE: &str = "ClocksAgree";
/// The Mesh is being removed.
pub const DELETING: &str = "Deleting";

/// Reason: pods of a component are not ready.
pub const COMPONENTS_NOT_READY: &str = "ComponentsNotReady";
/// Reason: no node takes pods of a component, which waiting alone does not change.
pub const UNSCHEDULABLE: &str = "Unschedulable";
/// Reason: no webhook answers.
pub const NO_REPLICA_READY: &str = "NoReplicaReady";

/// Reason: what others added to objects of ours stays there.
pub const DISPUTED: &str = "Disputed";

/// Reason: roots are trusted that no Secret names any more.
pub const ROOTS_KEPT: &str = "RootsKept";

/// Whether a condition that is as it should be says something that somebody should look at: nothing is broken.
pub fn wants_a_look(condition: &Condition) -> bool {
    [ROOTS_KEPT, DISPUTED].contains(&condition.reason.as_str())
}

/// What was seen of an installation.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// `metadata.generation` that was reconciled.
    pub generation: i64,
    /// What kept it from getting through.
    pub problem: Option<Problem>,
    /// What others added to objects of ours and what cannot be taken away for good, a sentence each.
    pub disputed: Vec<String>,
    /// Deployments by component; `None` when they could not be looked at.
    pub components: Option<BTreeMap<String, ComponentStatus>>,
    /// By component that is behind, what keeps a pod of it from starting, where that is known.
    pub hindrances: BTreeMap<String, Hindrance>,
    /// By component, how many pods of an older template serve until those of the present one do.
    pub old: BTreeMap<String, i32>,
    /// Deployments that are not asked for any more and not gone yet, a sentence each.
    pub going: Vec<String>,
    /// Whether a replica of the control plane is ready; `None` in profile `remote`, which has none.
    pub control_plane_ready: Option<bool>,
    /// The certificate authority, if it was looked at.
    pub authority: Option<AuthorityFacts>,
    /// What of the configuration cannot be read.
    pub unread: Unread,
    /// Of the replica whose clock is furthest off, how many seconds it is ahead of the API server's, where that is known.
    pub clock_ahead_s: Option<i64>,
}

/// What was seen of the certificate authority.
#[derive(Clone, Debug)]
pub struct AuthorityFacts {
    /// End of the issuer's validity, or why it cannot sign.
    pub usable: Result<OffsetDateTime, String>,
    /// What a rotation waits for.
    pub rotation: Option<String>,
    /// Which roots are trusted without a Secret that names them, and how long.
    pub kept: Option<String>,
    /// What proxies wait for that do not know the present root yet.
    pub spreading: Option<String>,
}

/// The conditions that the facts come to, and one sentence for each thing that is waited for.
pub fn conditions(facts: &Facts) -> (Vec<Condition>, Vec<String>) {
    let mut waiting = Vec::new();
    let make = |kind: &str, status: bool, reason: &str, message: String| Condition {
        kind: kind.to_owned(),
        status: if status { ConditionStatus::True } else { ConditionStatus::False },
        reason: reason.to_owned(),
        message,
        observed_generation: facts.generation,
        last_transition_time: String::new(),
    };
    let mut all = vec![match &facts.problem {
        None if !facts.disputed.is_empty() => make(RECONCILED, true, DISPUTED, listed(&facts.disputed)),
        None => make(RECONCILED, true, "Applied", "every object is as the Mesh says".into()),
        Some(problem) => {
            make(RECONCILED, false, problem.reason.as_str(), format!("{problem}. What runs is left as it is"))
        }
    }];
    if let Some(authority) = &facts.authority {
        all.push(match &authority.usable {
            Ok(until) => {
                let note = authority.rotation.as_ref().map_or_else(String::new, |note| format!("; rotating: {note}"));
                let kept = authority.kept.as_ref().map_or_else(String::new, |note| format!("; {note}"));
                let reason = match authority {
                    AuthorityFacts { kept: Some(_), .. } => ROOTS_KEPT,
                    AuthorityFacts { rotation: Some(_), .. } => "Rotating",
                    _ => "Valid",
                };
                let spreading = authority.spreading.as_ref().map_or_else(String::new, |note| format!("; {note}"));
                let message = format!("certificates are issued until {}{note}{spreading}{kept}", date(*until));
                make(CERTIFICATES_VALID, true, reason, message)
            }
            Err(why) => make(CERTIFICATES_VALID, false, "InvalidAuthority", why.clone()),
        });
        waiting.extend(authority.rotation.iter().map(|note| format!("root rotation: {note}")));
        waiting.extend(authority.spreading.iter().map(|note| format!("new root: {note}")));
    }
    let components = facts.components.iter().flatten();
    let old = |name: &String| facts.old.get(name).copied().unwrap_or(0);
    let behind: Vec<String> =
        components.filter_map(|(name, found)| lag(name, found, old(name), facts.hindrances.get(name))).collect();
    let pending: Vec<String> = behind.iter().chain(&facts.going).cloned().collect();
    waiting.extend(pending.iter().cloned());
    if facts.components.is_some() {
        all.push(match facts.control_plane_ready {
            None => {
                let note =
                    "the control plane of another cluster answers for the webhooks; whether it does is seen there";
                make(WEBHOOKS_READY, true, "Serving", note.into())
            }
            Some(true) => {
                // The API server's own way to them is not tried: that would take the right to create pods.
                let note = format!(
                    "replicas of {} are ready to answer for the webhooks, with a certificate that is valid",
                    names::CONTROL_PLANE
                );
                make(WEBHOOKS_READY, true, "Serving", note)
            }
            Some(false) => {
                let note = format!(
                    "no replica of {} is ready: pods that ask for a proxy wait until one is; others are not affected",
                    names::CONTROL_PLANE
                );
                make(WEBHOOKS_READY, false, NO_REPLICA_READY, note)
            }
        });
    }
    if facts.clock_ahead_s.is_some() {
        all.push(match clock_off(facts, clock::LIMIT) {
            None => make(CLOCKS_AGREE, true, "Agree", "every replica's clock goes with the API server's".into()),
            Some(why) => make(CLOCKS_AGREE, false, Reason::ClockOff.as_str(), why),
        });
    }
    if let Some(unread) = &facts.unread {
        all.push(match unread.first() {
            None => make(CONFIGURATION_READ, true, "Complete", "everything that the mesh depends on is read".into()),
            Some(_) => make(CONFIGURATION_READ, false, "Incomplete", listed(unread)),
        });
    }
    // A rotation waits for a day for certificates to run out, which is no progress that anybody sees.
    let progressing = facts.problem.is_none() && !pending.is_empty();
    let message = if pending.is_empty() { "no pod is waited for".to_owned() } else { pending.join("; ") };
    all.push(make(PROGRESSING, progressing, if progressing { "Waiting" } else { "Settled" }, message));
    all.extend(ready(facts, &behind).map(|(status, reason, message)| make(READY, status, reason, message)));
    (all, waiting)
}

/// What to tell of the replica whose clock is furthest off, if by more than this.
fn clock_off(facts: &Facts, limit: Duration) -> Option<String> {
    clock::complaint("a replica of the control plane", facts.clock_ahead_s, limit)
}

/// The first five, and how many more there are.
fn listed(sentences: &[String]) -> String {
    let first = sentences.iter().take(5).cloned().collect::<Vec<_>>().join("; ");
    let more = if sentences.len() > 5 { format!("; and {} more", sentences.len() - 5) } else { String::new() };
    format!("{first}{more}")
}

/// Nothing when a passing problem hides the state: what was told last is still the best guess.
fn ready(facts: &Facts, behind: &[String]) -> Option<(bool, &'static str, String)> {
    if let Some(problem) = &facts.problem {
        return (!problem.reason.passes()).then(|| (false, problem.reason.as_str(), problem.message.clone()));
    }
    if let Some(Err(why)) = facts.authority.as_ref().map(|authority| &authority.usable) {
        return Some((false, "InvalidAuthority", why.clone()));
    }
    // What keeps everybody from signing is told before what keeps one.
    if let Some(why) = clock_off(facts, clock::SEVERE) {
        return Some((false, Reason::ClockOff.as_str(), why));
    }
    if !behind.is_empty() {
        let lags = |name: &String, found: &ComponentStatus| {
            found.ready < found.replicas && facts.hindrances.get(name).is_some_and(|why| why.unschedulable)
        };
        let homeless = facts.components.iter().flatten().any(|(name, found)| lags(name, found));
        return Some((false, if homeless { UNSCHEDULABLE } else { COMPONENTS_NOT_READY }, behind.join("; ")));
    }
    if facts.control_plane_ready == Some(false) {
        return Some((false, NO_REPLICA_READY, "no replica of the control plane runs".into()));
    }
    Some((true, "Ready", "every component runs".into()))
}

/// With `old` pods that serve meanwhile, those that are not ready are new ones, and nobody misses them.
fn lag(name: &str, found: &ComponentStatus, old: i32, why: Option<&Hindrance>) -> Option<String> {
    let ComponentStatus { ready, replicas, image } = found;
    let why = why.map_or_else(String::new, |why| format!(", {}", why.words));
    let (new, serve) = if old > 0 { ("new ", format!(", {old} of the old serve")) } else { ("", String::new()) };
    (ready < replicas).then(|| format!("{name}: {ready} of {replicas} {new}pods are ready (image {image}){serve}{why}"))
}

/// The first `most` of `all` with `between` them, and how many more there are.
pub fn first<S: Borrow<str>>(all: &[S], most: usize, between: &str) -> String {
    let shown = all[..all.len().min(most)].join(between);
    match all.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The first ten pods and how many more there are.
pub fn named(pods: &[String]) -> String {
    format!("{} injected pods still run: {}", pods.len(), first(pods, 10, ", "))
}

/// Text of a Mesh that waits to be removed: which injected pods still need it, and how long they would run without it.
pub fn pods_wait(pods: &[String], ttl: Duration) -> String {
    format!(
        "{}. Delete them, or restart them without injection or onto another revision; or annotate the Mesh with \
         {FORCE}=true, and they stop reaching each other when their certificates run out, at the latest {} after that",
        named(pods),
        span(ttl)
    )
}

/// Text of a Mesh that is removed by force.
pub fn pods_abandoned(pods: &[String], now: OffsetDateTime, ttl: Duration) -> String {
    format!("{}. Removed by force: their certificates run out at the latest at {}", named(pods), date(now + ttl))
}

/// In the greatest unit that it is a whole number of.
fn span(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds.is_multiple_of(3600) => format!("{} h", seconds / 3600),
        seconds if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

/// To the second, as Kubernetes writes times (RFC 3339).
pub(super) fn date(time: OffsetDateTime) -> String {
    let time = time.replace_nanosecond(0).unwrap_or(time);
    time.format(&Rfc3339).unwrap_or_else(|_| time.to_string())
}

/// Annotation of a Mesh that is removed although injected pods run.
pub const FORCE: &str = "weft.dev/force-delete";

#[cfg(test)]
mod tests;
