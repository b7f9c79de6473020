//! What others added to objects of ours. A server-side apply puts back what was changed or taken away and leaves what was
//! added, which decides as much: one more container, variable, webhook or port. So the API server's answer is compared with
//! what was applied, in the fields that are ours alone, and what is more goes. Everything else stays: replicas, annotations and
//! labels, node ports, defaults, where pods may run.

mod fields;

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use kube::{
    api::{DynamicObject, PostParams},
    core::ObjectMeta,
};
use parking_lot::Mutex;
use serde_json::Value;
use weft_install::names;

use self::fields::{Place, take_away};
use super::{
    cluster::{Cluster, Name},
    problem::{Problem, Reason},
};

/// How often one object is put right within [`WINDOW`] before it is left to whoever adds to it again and again.
const TRIES: usize = 5;
/// How long a correction counts.
const WINDOW: Duration = Duration::from_secs(600);
/// How often a correction is tried anew because somebody wrote at the same moment.
const RACES: usize = 4;

/// When which object was put right, so that no two programs write against each other for ever.
#[derive(Debug, Default)]
pub struct Corrections(Mutex<HashMap<Name, Vec<Instant>>>);

impl Corrections {
    /// Whether an object may be put right once more; one that may counts as put right now.
    fn may(&self, name: &Name, now: Instant) -> bool {
        let mut all = self.0.lock();
        let times = all.entry(name.clone()).or_default();
        times.retain(|time| now.saturating_duration_since(*time) < WINDOW);
        let may = times.len() < TRIES;
        if may {
            times.push(now);
        }
        may
    }
}

/// What came of additions to one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addition {
    /// They are gone.
    Taken(String),
    /// They stay, because they come back each time or cannot be taken away.
    Stays(String),
}

impl Cluster {
    /// Makes an object as it is wanted: applies it, and takes away what others added. Gives its metadata.
    ///
    /// # Errors
    /// When it cannot be applied.
    pub async fn establish(
        &self,
        corrections: &Corrections,
        wanted: &Value,
    ) -> Result<(ObjectMeta, Vec<Addition>), Problem> {
        let mut additions = Vec::new();
        let applied = match self.apply(wanted).await {
            Err(refused) if refused.reason == Reason::Rejected => {
                additions.push(self.reclaim(corrections, wanted, refused).await?);
                self.apply(wanted).await?
            }
            done => done?,
        };
        let meta = applied.metadata.clone();
        additions.extend(self.correct(corrections, wanted, applied).await?);
        Ok((meta, additions))
    }

    /// Where an object was `refused`, it may be because others changed what it goes together with, such as a variable's value
    /// for a reference: puts that right.
    async fn reclaim(&self, corrections: &Corrections, wanted: &Value, refused: Problem) -> Result<Addition, Problem> {
        let name = Name::of(wanted);
        let found = self.ask(&format!("look at {name}"), self.api_of(wanted).get_opt(&name.name)).await?;
        let Some(mut found) = found else { return Err(refused) };
        let writers = found.metadata.managed_fields.clone().unwrap_or_default();
        let more = take_away(wanted, &mut found.data);
        if more.is_empty() || !corrections.may(&name, Instant::now()) {
            return Err(refused);
        }
        self.replace(&name, wanted, &found).await?;
        Ok(Addition::Taken(told(&name, &more, &fields::writers(&writers, &more))))
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
    ) -> Result<Option<Addition>, Problem> {
        let name = Name::of(wanted);
        let mut counted = false;
        for _ in 0..RACES {
            let writers = applied.metadata.managed_fields.clone().unwrap_or_default();
            let more = take_away(wanted, &mut applied.data);
            if more.is_empty() {
                return Ok(None);
            }
            let told = told(&name, &more, &fields::writers(&writers, &more));
            if !counted && !corrections.may(&name, Instant::now()) {
                let minutes = WINDOW.as_secs() / 60;
                let why = format!(
                    "{told}, and it comes back each time it is taken away: it stays for the next {minutes} minutes; stop \
                     whoever writes it, or say it in the Mesh"
                );
                return Ok(Some(Addition::Stays(why)));
            }
            counted = true;
            match self.replace(&name, wanted, &applied).await {
                Ok(mut answer) => {
                    let back = !take_away(wanted, &mut answer.data).is_empty();
                    return Ok(Some(match back {
                        true => Addition::Stays(format!(
                            "{told}, and it comes back in the moment in which it is taken away, as an admission webhook or \
                             policy does it: exempt this namespace from that"
                        )),
                        false => Addition::Taken(told),
                    }));
                }
                // A Deployment's status changes often; what is there now is asked for by applying again.
                Err(problem) if problem.reason == Reason::Conflict => applied = self.apply(wanted).await?,
                Err(problem) if problem.reason.passes() => return Err(problem),
                Err(problem) => return Ok(Some(Addition::Stays(format!("{told}: {problem}")))),
            }
        }
        Err(Problem::new(
            Reason::Conflict,
            format!("cannot correct {name}: others write it all the time; trying again"),
        ))
    }

    /// Writes an object as it is given; refused when somebody wrote since it was read.
    async fn replace(&self, name: &Name, wanted: &Value, object: &DynamicObject) -> Result<DynamicObject, Problem> {
        let api = self.api_of(wanted);
        let params = PostParams { field_manager: Some(names::FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let doing = format!("take away what was added to {name}");
        self.ask(&doing, api.replace(&name.name, &params, object)).await
    }
}

fn told(name: &Name, more: &[Place], writers: &BTreeSet<String>) -> String {
    let first: Vec<&str> = more.iter().take(5).map(Place::as_str).collect();
    let rest = if more.len() > 5 { format!(" and {} more", more.len() - 5) } else { String::new() };
    let by = writers.iter().cloned().collect::<Vec<_>>().join(", ");
    let by = if by.is_empty() { by } else { format!(" (written by {by})") };
    format!("{name} has what the Mesh does not say: {}{rest}{by}", first.join(", "))
}

#[cfg(test)]
mod tests;
