//! Root rotation as a state machine over Secret `weft-ca`, with no clock or cluster of its own.
//!
//! Steady → Spreading: the new root joins the bundle, the old one signs on. → Overlap: the new one signs, both are
//! trusted. → Steady: the old root leaves the bundle once the last certificate that it signed has run out. Whoever
//! trusts the bundle of one step trusts every certificate of the next, so nobody is ever cut off.

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::ca::ledger::SLACK;

/// Annotation of the Secret: where a rotation stands, as JSON.
pub const STATE: &str = "weft.dev/rotation";
/// Annotation of a Mesh that asks for a rotation; each new value asks once.
pub const REQUEST: &str = "weft.dev/rotate-root";
/// Share of a root's lifetime after which it is replaced unasked.
const AGE: f64 = 0.8;

/// Where a rotation stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct State {
    /// Step.
    pub phase: Phase,
    /// When the step began, RFC 3339.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub since: Option<OffsetDateTime>,
    /// The requests that were served, each `<UID of the Mesh>:<value>`.
    pub served: BTreeSet<String>,
}

/// A step of a rotation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// One root.
    #[default]
    Steady,
    /// Both trusted, the old one signs.
    Spreading,
    /// Both trusted, the new one signs.
    Overlap,
}

/// What is known when deciding.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Values of [`REQUEST`] on Meshes, each `<UID of the Mesh>:<value>`.
    pub requests: BTreeSet<String>,
    /// Validity of the signing root.
    pub valid: (OffsetDateTime, OffsetDateTime),
    /// Longest lifetime of a leaf that was ever in force while one of the roots signed; a lower one of today shortens nothing.
    pub ttl: Duration,
    /// Whether every replica tells the present bundle and every proxy has confirmed it, for sure.
    pub everybody_has_bundle: bool,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Stay,
    /// Make a new root and put it into the bundle.
    Spread,
    /// Sign with the new root.
    Switch,
    /// Take the old root out of the bundle.
    Drop,
}

/// Decides.
pub fn step(state: &State, facts: &Facts, now: OffsetDateTime) -> Step {
    let waited = state.since.map_or(Duration::MAX, |since| (now - since).try_into().unwrap_or(Duration::ZERO));
    match state.phase {
        Phase::Steady => {
            let asked = facts.requests.difference(&state.served).next().is_some();
            if asked || is_old(facts.valid, now) { Step::Spread } else { Step::Stay }
        }
        // Within a certificate's lifetime everybody has renewed, and every renewal brings the bundle. That bounds the wait
        // for proxies that do not say what they have.
        Phase::Spreading if facts.everybody_has_bundle || waited >= facts.ttl => Step::Switch,
        Phase::Overlap if waited >= facts.ttl + SLACK => Step::Drop,
        Phase::Spreading | Phase::Overlap => Step::Stay,
    }
}

/// When the present step ends at the latest; `None` when nothing is going on.
pub fn ends(state: &State, ttl: Duration) -> Option<OffsetDateTime> {
    match state.phase {
        Phase::Steady => None,
        Phase::Spreading => state.since.map(|since| since + ttl),
        Phase::Overlap => state.since.map(|since| since + ttl + SLACK),
    }
}

fn is_old((from, until): (OffsetDateTime, OffsetDateTime), now: OffsetDateTime) -> bool {
    let lifetime = (until - from).as_seconds_f64();
    lifetime > 0.0 && (now - from).as_seconds_f64() / lifetime >= AGE
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn facts(request: &str, everybody: bool) -> Facts {
        let from = OffsetDateTime::UNIX_EPOCH;
        let requests = Some(request.to_owned()).filter(|r| !r.is_empty()).into_iter().collect();
        Facts { requests, valid: (from, from + 1000 * HOUR), ttl: HOUR, everybody_has_bundle: everybody }
    }

    fn at(phase: Phase, hours: u32) -> State {
        State { phase, since: Some(OffsetDateTime::UNIX_EPOCH + hours * HOUR), served: ["1".to_owned()].into() }
    }

    #[test]
    fn each_request_is_served_once() {
        let now = OffsetDateTime::UNIX_EPOCH + HOUR;
        assert_eq!(step(&State::default(), &facts("", true), now), Step::Stay);
        assert_eq!(step(&State::default(), &facts("1", true), now), Step::Spread);
        assert_eq!(step(&at(Phase::Steady, 0), &facts("1", true), now), Step::Stay);
        assert_eq!(step(&at(Phase::Steady, 0), &facts("2", true), now), Step::Spread);
        assert_eq!(step(&at(Phase::Steady, 0), &facts("", true), now), Step::Stay, "the request was taken back");
    }

    #[test]
    fn age_rotates_unasked() {
        let state = at(Phase::Steady, 0);
        let when = |hours: u32| OffsetDateTime::UNIX_EPOCH + hours * HOUR;
        assert_eq!(step(&state, &facts("1", false), when(799)), Step::Stay);
        assert_eq!(step(&state, &facts("1", false), when(800)), Step::Spread);
    }

    #[test]
    fn signing_changes_once_everybody_trusts_both_or_has_renewed() {
        let spreading = at(Phase::Spreading, 10);
        let when = OffsetDateTime::UNIX_EPOCH + 10 * HOUR;
        assert_eq!(step(&spreading, &facts("2", true), when), Step::Switch);
        assert_eq!(step(&spreading, &facts("2", false), when), Step::Stay);
        assert_eq!(step(&spreading, &facts("2", false), when + HOUR / 2), Step::Stay);
        assert_eq!(step(&spreading, &facts("2", false), when + HOUR), Step::Switch);
        assert_eq!(ends(&spreading, HOUR), Some(when + HOUR));
    }

    #[test]
    fn the_old_root_stays_until_its_last_certificate_has_run_out() {
        let overlap = at(Phase::Overlap, 10);
        let when = OffsetDateTime::UNIX_EPOCH + 11 * HOUR;
        assert_eq!(step(&overlap, &facts("3", true), when), Step::Stay, "one rotation after the other");
        assert_eq!(step(&overlap, &facts("2", true), when + SLACK), Step::Drop);
        // A clock that went back never shortens the wait.
        assert_eq!(step(&overlap, &facts("2", true), OffsetDateTime::UNIX_EPOCH), Step::Stay);
    }

    #[test]
    fn the_state_survives_as_json() {
        let state = at(Phase::Overlap, 1);
        let text = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<State>(&text).unwrap(), state);
        assert_eq!(serde_json::from_str::<State>("{}").unwrap(), State::default());
    }
}
