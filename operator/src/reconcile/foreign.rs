//! What others did to objects of ours. A server-side apply puts back what was changed, which is told with its writer, and what
//! was taken away. It leaves what was added, which decides as much: one more container, variable, webhook or port. So the API server's answer is compared with
//! what was applied, in the fields that are ours alone, and what is more goes. Everything else stays: replicas, annotations and
//! labels, node ports, defaults, where pods may run.

mod fields;

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::{
    api::{DynamicObject, PostParams},
    core::ObjectMeta,
};
use parking_lot::Mutex;
use serde_json::Value;
use time::OffsetDateTime;
use weft_install::names;

use self::fields::{Place, take_away};
use super::{
    cluster::{Cluster, Name},
    conditions::{date, first},
    problem::{Problem, Reason},
};

/// How often one object is put right within [`WINDOW`] before it is left to whoever adds to it again and again.
const TRIES: usize = 5;
/// How long a correction counts, and how long one object is left alone the first time.
const WINDOW: Duration = Duration::from_secs(600);
/// How much longer it is left alone each time after that: every correction of a Deployment is a rollout.
const LONGER: u32 = 6;
/// How long it is left alone at most.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// How often a correction is tried anew because somebody wrote at the same moment.
const RACES: usize = 4;

/// When which object was put right, so that no two programs write against each other for ever, and how each was applied last.
#[derive(Debug, Default)]
pub struct Corrections(Mutex<HashMap<Name, Record>>);

#[derive(Debug, Default)]
struct Record {
    times: Vec<Instant>,
    rest: Option<Rest>,
    /// What was applied last.
    applied: Option<Value>,
}

/// How long an object is left alone.
#[derive(Clone, Copy, Debug)]
struct Rest {
    until: Instant,
    /// The same for people.
    date: OffsetDateTime,
    length: Duration,
}

impl Corrections {
    /// Whether the same was applied last: then whatever else stands there is somebody's doing.
    fn is_as_before(&self, name: &Name, wanted: &Value) -> bool {
        self.0.lock().get(name).is_some_and(|record| record.applied.as_ref() == Some(wanted))
    }

    fn applied(&self, name: &Name, wanted: &Value) {
        self.0.lock().entry(name.clone()).or_default().applied = Some(wanted.clone());
    }

    /// Forgets what is taken away: made anew, it was missed by nobody.
    pub fn forget(&self, name: &Name) {
        if let Some(record) = self.0.lock().get_mut(name) {
            record.applied = None;
        }
    }

    /// Whether an object may be put right once more; one that may counts as put right now. Otherwise until when it is left
    /// alone.
    fn may(&self, name: &Name, now: Instant) -> Result<(), OffsetDateTime> {
        let mut all = self.0.lock();
        let record = all.entry(name.clone()).or_default();
        record.times.retain(|time| now.saturating_duration_since(*time) < WINDOW);
        // Whoever kept still for long enough is trusted as before.
        let rest = record.rest.filter(|rest| now.saturating_duration_since(rest.until) < LONGEST);
        record.rest = rest;
        let tries = match rest {
            Some(rest) if now < rest.until => return Err(rest.date),
            Some(_) => 1,
            None => TRIES,
        };
        if record.times.len() < tries {
            record.times.push(now);
            return Ok(());
        }
        let length = rest.map_or(WINDOW, |rest| (rest.length * LONGER).min(LONGEST));
        let date = OffsetDateTime::now_utc() + length;
        record.rest = Some(Rest { until: now + length, date, length });
        record.times.clear();
        Err(date)
    }
}

/// What came of what others did to one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drift {
    /// It is over.
    Corrected {
        /// The first field of it.
        field: String,
        /// Which fields, who wrote them, and what became of them.
        words: String,
    },
    /// Additions stay, because they come back each time or cannot be taken away.
    Stays(String),
}

impl Drift {
    fn taken(field: String, what: &str) -> Self {
        Self::Corrected { field, words: format!("{what}; taken away") }
    }
}

/// What the API server says to an apply.
type Applied = Result<DynamicObject, Problem>;

impl Cluster {
    /// Makes an object as it is wanted: applies it, and takes away what others added. What others did is told in `drifts`,
    /// whatever comes of the rest. Gives its metadata.
    ///
    /// # Errors
    /// When it cannot be applied.
    pub async fn establish(
        &self,
        corrections: &Corrections,
        wanted: &Value,
        drifts: &mut Vec<Drift>,
    ) -> Result<ObjectMeta, Problem> {
        let name = Name::of(wanted);
        let known = corrections.is_as_before(&name, wanted);
        let (before, done) = match known {
            true => self.apply_over(&name, wanted).await?,
            false => (None, self.apply(wanted).await),
        };
        let applied = match done {
            Err(refused) if refused.reason == Reason::Rejected => {
                drifts.push(self.reclaim(corrections, wanted, refused).await?);
                self.apply(wanted).await?
            }
            done => done?,
        };
        let meta = applied.metadata.clone();
        match known {
            true => drifts.extend(put_back(&name, wanted, before.as_ref(), &applied)),
            false => corrections.applied(&name, wanted),
        }
        drifts.extend(self.correct(corrections, wanted, applied).await?);
        Ok(meta)
    }

    /// Applies an object over what stands there, which is given with the outcome: nobody has written in between, unless
    /// somebody writes all the time, as a Deployment's status is.
    async fn apply_over(&self, name: &Name, wanted: &Value) -> Result<(Option<DynamicObject>, Applied), Problem> {
        let mut before = None;
        for _ in 0..RACES {
            before = self.ask(&format!("look at {name}"), self.api_of(wanted).get_opt(&name.name)).await?;
            let version =
                before.as_ref().and_then(|object: &DynamicObject| object.metadata.resource_version.as_deref());
            let Some(version) = version else { break };
            let mut over = wanted.clone();
            over["metadata"]["resourceVersion"] = version.into();
            match self.apply(&over).await {
                Err(problem) if is_race(&problem) => {}
                done => return Ok((before, done)),
            }
        }
        Ok((before, self.apply(wanted).await))
    }

    /// Where an object was `refused`, it may be because others changed what it goes together with, such as a variable's value
    /// for a reference: puts that right.
    async fn reclaim(&self, corrections: &Corrections, wanted: &Value, refused: Problem) -> Result<Drift, Problem> {
        let name = Name::of(wanted);
        let mut counted = false;
        for _ in 0..RACES {
            let found = self.ask(&format!("look at {name}"), self.api_of(wanted).get_opt(&name.name)).await?;
            let Some(mut found) = found else { return Err(refused) };
            let more = More::of(&name, wanted, &mut found);
            let Some(More { field, words, .. }) = more else { return Err(refused) };
            if !counted && let Err(until) = corrections.may(&name, Instant::now()) {
                let why =
                    format!("{words}, which keeps it from being applied and comes back each time; {}", stop(until));
                return Err(Problem::new(Reason::Rejected, why));
            }
            counted = true;
            match self.replace(&name, wanted, &found).await {
                Ok(_) => return Ok(Drift::taken(field, &words)),
                Err(problem) if is_race(&problem) => {}
                Err(problem) => return Err(problem),
            }
        }
        Err(raced(&name))
    }

    /// Takes away what others added to `applied`, the API server's answer to applying `wanted`; nothing when it has no more
    /// than that.
    ///
    /// # Errors
    /// What may well be over at the next try.
    async fn correct(
        &self,
        corrections: &Corrections,
        wanted: &Value,
        mut applied: DynamicObject,
    ) -> Result<Option<Drift>, Problem> {
        let name = Name::of(wanted);
        let mut counted = false;
        for _ in 0..RACES {
            let Some(More { field, words, settable }) = More::of(&name, wanted, &mut applied) else { return Ok(None) };
            if !counted && let Err(until) = corrections.may(&name, Instant::now()) {
                let or = if settable { ", or say it in the Mesh" } else { "" };
                return Ok(Some(Drift::Stays(format!("{words}, and it comes back each time; {}{or}", stop(until)))));
            }
            counted = true;
            match self.replace(&name, wanted, &applied).await {
                Ok(mut answer) => {
                    let back = !take_away(wanted, &mut answer.data).is_empty();
                    return Ok(Some(match back {
                        true => Drift::Stays(format!(
                            "{words}, and it comes back in the moment in which it is taken away, as an admission webhook or \
                             policy does it: exempt this namespace from that"
                        )),
                        false => Drift::taken(field, &words),
                    }));
                }
                // What is there now is asked for by applying again.
                Err(problem) if is_race(&problem) => applied = self.apply(wanted).await?,
                Err(problem) if problem.reason.passes() => return Err(problem),
                Err(problem) => return Ok(Some(Drift::Stays(format!("{words}: {problem}")))),
            }
        }
        Err(raced(&name))
    }

    /// Writes an object as it is given; refused when somebody wrote since it was read.
    async fn replace(&self, name: &Name, wanted: &Value, object: &DynamicObject) -> Result<DynamicObject, Problem> {
        let api = self.api_of(wanted);
        let params = PostParams { field_manager: Some(names::FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let doing = format!("take away what was added to {name}");
        self.ask(&doing, api.replace(&name.name, &params, object)).await
    }
}

/// A Deployment's status changes often, and what was deleted meanwhile is made anew.
fn is_race(problem: &Problem) -> bool {
    matches!(problem.reason, Reason::Conflict | Reason::MissingKind)
}

fn raced(name: &Name) -> Problem {
    Problem::new(Reason::Conflict, format!("cannot correct {name}: others write it all the time; trying again"))
}

fn stop(until: OffsetDateTime) -> String {
    format!("it is left alone until {}: stop whoever writes it", date(until))
}

/// What an object had beyond what was applied.
struct More {
    /// The first field.
    field: String,
    /// All of it, and who wrote it.
    words: String,
    /// Whether the Mesh has fields for all of it.
    settable: bool,
}

impl More {
    /// Takes it out of `found`.
    fn of(name: &Name, wanted: &Value, found: &mut DynamicObject) -> Option<Self> {
        let managed = found.metadata.managed_fields.clone().unwrap_or_default();
        let more = take_away(wanted, &mut found.data);
        let field = more.first()?.as_str().to_owned();
        let (what, by) = in_words(&managed, &more);
        let words = format!("{name} has what the Mesh does not say: {what}{by}");
        Some(Self { field, words, settable: more.iter().all(Place::is_settable) })
    }
}

/// What `applied` put back of what stood there `before`.
fn put_back(name: &Name, wanted: &Value, before: Option<&DynamicObject>, applied: &DynamicObject) -> Option<Drift> {
    let Some(before) = before else {
        return Some(Drift::Corrected {
            field: String::new(),
            words: format!("{name} was deleted by somebody; made again"),
        });
    };
    let managed = before.metadata.managed_fields.as_deref().unwrap_or_default();
    let [old, new] = [before, applied].map(|object| serde_json::to_value(object).unwrap_or_default());
    let changed = fields::changed(wanted, &old, &new);
    let (what, by) = in_words(managed, &changed);
    let words = format!("{name} was not as the Mesh has it: {what}{by}; put back");
    Some(Drift::Corrected { field: changed.first()?.as_str().to_owned(), words })
}

/// Places, and who wrote them.
fn in_words(managed: &[ManagedFieldsEntry], places: &[Place]) -> (String, String) {
    let by = fields::writers(managed, places).into_iter().collect::<Vec<_>>().join(", ");
    let by = if by.is_empty() { by } else { format!(" (written by {by})") };
    (first(&places.iter().map(Place::as_str).collect::<Vec<_>>(), 5, ", "), by)
}

#[cfg(test)]
mod tests;
