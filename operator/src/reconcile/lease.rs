//! Leader election on a Lease: only its holder reconciles.
//!
//! Clocks of other replicas are not trusted: a lease counts as abandoned once this replica has seen it unchanged for its
//! whole duration, by this replica's own monotonic clock. A holder that could not renew in time stops at once, well
//! before anybody else may begin.
//!
//! The Lease is owned by the operator's Deployment. Who ends gives it up, but when the operator is removed its rights can
//! be gone before its pods are: the Lease then goes with the Deployment, whoever removes that.

use std::time::{Duration, Instant};

use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        coordination::v1::{Lease, LeaseSpec},
    },
    apimachinery::pkg::apis::meta::v1::{MicroTime, OwnerReference},
    jiff::Timestamp,
};
use kube::{
    Api, Client,
    api::{DeleteParams, ObjectMeta, PostParams, Preconditions},
};
use tokio::time::{sleep, timeout};
use weft_install::render::bootstrap::OPERATOR;
use weft_runtime::Shutdown;

use super::pulse::Pulse;

/// How long others wait after the last renewal that they saw.
const DURATION: Duration = Duration::from_secs(15);
/// How long a holder that cannot renew goes on.
const DEADLINE: Duration = Duration::from_secs(10);
/// Between renewals, and between looks of those that wait.
const PERIOD: Duration = Duration::from_secs(2);
/// Time for one request.
const REQUEST: Duration = Duration::from_secs(4);

/// What to do about the lease as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There is none, or it is free, or abandoned: try to take it.
    Take,
    /// It is ours: renew.
    Renew,
    /// Somebody else's.
    Wait,
}

/// What one replica knows of the lease.
#[derive(Debug)]
pub struct Election {
    me: String,
    /// Holder and renewal as last seen, and since when they have not changed.
    seen: Option<(String, Option<Timestamp>, Instant)>,
}

impl Election {
    /// Nothing seen yet. `me` must be unlike every other replica's.
    pub fn new(me: String) -> Self {
        Self { me, seen: None }
    }

    /// Decides by the lease as it was just read.
    pub fn look(&mut self, lease: Option<&LeaseSpec>, now: Instant) -> Step {
        let Some(spec) = lease else { return Step::Take };
        let holder = spec.holder_identity.clone().unwrap_or_default();
        if holder.is_empty() {
            return Step::Take;
        }
        if holder == self.me {
            return Step::Renew;
        }
        let renewed = spec.renew_time.as_ref().map(|time| time.0);
        let since = match &self.seen {
            Some((seen, at, since)) if *seen == holder && *at == renewed => *since,
            _ => now,
        };
        self.seen = Some((holder, renewed, since));
        let duration =
            spec.lease_duration_seconds.and_then(|s| u64::try_from(s).ok()).map_or(DURATION, Duration::from_secs);
        if now.saturating_duration_since(since) >= duration { Step::Take } else { Step::Wait }
    }

    fn claim(&self, lease: Option<&LeaseSpec>) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        let ours = lease.filter(|spec| spec.holder_identity.as_ref() == Some(&self.me));
        let transitions = lease.and_then(|spec| spec.lease_transitions).unwrap_or(0);
        LeaseSpec {
            holder_identity: Some(self.me.clone()),
            lease_duration_seconds: Some(DURATION.as_secs() as i32),
            acquire_time: ours.and_then(|spec| spec.acquire_time.clone()).or_else(|| Some(now.clone())),
            renew_time: Some(now),
            lease_transitions: Some(if ours.is_some() { transitions } else { transitions.saturating_add(1) }),
            ..LeaseSpec::default()
        }
    }
}

/// A replica that stands for election.
pub struct Candidate {
    leases: Api<Lease>,
    deployments: Api<Deployment>,
    name: String,
    election: Election,
    /// The operator's Deployment as last seen; nothing for an operator that none runs.
    owner: Option<OwnerReference>,
    pulse: Pulse,
}

impl Candidate {
    /// Stands for lease `name` in `namespace`, and gives a sign of life with each look at it.
    pub fn new(client: Client, namespace: &str, name: &str, me: String, pulse: Pulse) -> Self {
        Self {
            leases: Api::namespaced(client.clone(), namespace),
            deployments: Api::namespaced(client, namespace),
            name: name.to_owned(),
            election: Election::new(me),
            owner: None,
            pulse,
        }
    }

    /// Waits until the lease is ours; `false` when stopped before.
    pub async fn win(&mut self, shutdown: &Shutdown) -> bool {
        let mut told = false;
        loop {
            self.pulse.looked(Instant::now());
            match timeout(REQUEST, self.round()).await {
                Ok(Ok(true)) => return true,
                Ok(Ok(false)) if !told => {
                    told = true;
                    tracing::info!(holder = self.holder(), "another replica reconciles; standing by");
                }
                Ok(Ok(false)) => {}
                Ok(Err(error)) => tracing::warn!(%error, lease = self.name, "cannot stand for election"),
                Err(_) => tracing::warn!(lease = self.name, "the API server does not answer in time"),
            }
            tokio::select! { () = sleep(PERIOD) => {}, () = shutdown.wait() => return false }
        }
    }

    /// Renews until that fails for [`DEADLINE`], somebody else has the lease, or shutdown. Whoever reconciles has to stop
    /// when this returns.
    pub async fn hold(&mut self, shutdown: &Shutdown) {
        let mut renewed = Instant::now();
        loop {
            self.pulse.looked(Instant::now());
            tokio::select! { () = sleep(PERIOD) => {}, () = shutdown.wait() => return }
            let left = DEADLINE.saturating_sub(renewed.elapsed());
            match timeout(REQUEST.min(left), self.round()).await {
                Ok(Ok(true)) => renewed = Instant::now(),
                Ok(Ok(false)) => {
                    tracing::warn!(holder = self.holder(), "another replica has the lease");
                    return;
                }
                Ok(Err(error)) => tracing::warn!(%error, lease = self.name, "cannot renew the lease"),
                Err(_) => tracing::warn!(lease = self.name, "renewing the lease takes too long"),
            }
            if renewed.elapsed() >= DEADLINE {
                tracing::error!(lease = self.name, "the lease could not be renewed in time");
                return;
            }
        }
    }

    /// Gives the lease up by deleting it, so that another replica begins at once and nothing of ours is left behind.
    pub async fn release(&self) {
        let give_up = async {
            let Some(lease) = self.leases.get_opt(&self.name).await? else { return Ok(()) };
            if lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_ref()) != Some(&self.election.me) {
                return Ok(());
            }
            let unchanged =
                Preconditions { resource_version: lease.metadata.resource_version, uid: lease.metadata.uid };
            let params = DeleteParams { preconditions: Some(unchanged), ..DeleteParams::default() };
            self.leases.delete(&self.name, &params).await.map(|_| ())
        };
        if let Ok(Err(error)) = timeout(REQUEST, give_up).await {
            tracing::debug!(%error, "the lease runs out by itself");
        }
    }

    fn holder(&self) -> &str {
        self.election.seen.as_ref().map_or("", |(holder, ..)| holder)
    }

    /// Reads the lease and takes or renews it where that is right. Whether it is ours now.
    async fn round(&mut self) -> kube::Result<bool> {
        let found = self.leases.get_opt(&self.name).await?;
        let spec = found.as_ref().and_then(|lease| lease.spec.as_ref());
        match self.election.look(spec, Instant::now()) {
            Step::Wait => return Ok(false),
            Step::Take => self.look_for_owner().await,
            Step::Renew => {}
        }
        let claim = Some(self.election.claim(spec));
        let written = match found {
            // The resource version that was read makes a race have one winner.
            Some(lease) => {
                let mut lease = Lease { spec: claim, ..lease };
                own(&mut lease.metadata, self.owner.as_ref());
                self.leases.replace(&self.name, &PostParams::default(), &lease).await
            }
            None => {
                let mut metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
                own(&mut metadata, self.owner.as_ref());
                self.leases.create(&PostParams::default(), &Lease { metadata, spec: claim }).await
            }
        };
        match written {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A Deployment that is gone or cannot be read stays the owner: what is made in its name now goes after it.
    async fn look_for_owner(&mut self) {
        match self.deployments.get_metadata_opt(OPERATOR).await {
            Ok(Some(found)) => self.owner = owner(&found.metadata),
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "the lease stays when the operator is removed"),
        }
    }
}

fn owner(deployment: &ObjectMeta) -> Option<OwnerReference> {
    Some(OwnerReference {
        api_version: "apps/v1".into(),
        kind: "Deployment".into(),
        name: deployment.name.clone()?,
        uid: deployment.uid.clone()?,
        ..OwnerReference::default()
    })
}

/// Makes the Deployment the only owner of its kind: one that was replaced would take the lease with it.
fn own(lease: &mut ObjectMeta, owner: Option<&OwnerReference>) {
    let Some(owner) = owner else { return };
    let owners = lease.owner_references.get_or_insert_default();
    owners.retain(|other| other.kind != owner.kind);
    owners.push(owner.clone());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(by: &str, renewed: i64) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(by.into()),
            lease_duration_seconds: Some(15),
            renew_time: Some(MicroTime(Timestamp::from_second(renewed).unwrap())),
            lease_transitions: Some(3),
            ..LeaseSpec::default()
        }
    }

    #[test]
    fn a_free_lease_is_taken_and_ones_own_renewed() {
        let (mut me, now) = (Election::new("a".into()), Instant::now());
        assert_eq!(me.look(None, now), Step::Take);
        assert_eq!(me.look(Some(&LeaseSpec::default()), now), Step::Take);
        assert_eq!(me.look(Some(&held("", 0)), now), Step::Take);
        assert_eq!(me.look(Some(&held("a", 0)), now), Step::Renew);
    }

    #[test]
    fn anothers_lease_is_taken_only_when_it_stood_still_before_our_eyes() {
        let (mut me, start) = (Election::new("a".into()), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        // A year old by its own words: the other's clock may be wrong.
        assert_eq!(me.look(Some(&held("b", 0)), start), Step::Wait);
        assert_eq!(me.look(Some(&held("b", 0)), at(14)), Step::Wait);
        assert_eq!(me.look(Some(&held("b", 1)), at(14)), Step::Wait, "renewed");
        assert_eq!(me.look(Some(&held("b", 1)), at(28)), Step::Wait);
        assert_eq!(me.look(Some(&held("c", 1)), at(28)), Step::Wait, "another holder");
        assert_eq!(me.look(Some(&held("c", 1)), at(43)), Step::Take);
    }

    #[test]
    fn transitions_count_holders_not_renewals() {
        let me = Election::new("a".into());
        assert_eq!(me.claim(Some(&held("b", 0))).lease_transitions, Some(4));
        assert_eq!(me.claim(Some(&held("a", 0))).lease_transitions, Some(3));
        assert!(DEADLINE < DURATION, "a holder stops before another begins");
    }

    #[test]
    fn the_lease_goes_with_the_operators_deployment() {
        let deployment =
            |uid: &str| ObjectMeta { name: Some(OPERATOR.into()), uid: Some(uid.into()), ..Default::default() };
        let mut lease = ObjectMeta::default();
        own(&mut lease, None);
        assert_eq!(lease.owner_references, None, "an operator outside of a cluster has no Deployment");
        for uid in ["1", "2", "2"] {
            own(&mut lease, owner(&deployment(uid)).as_ref());
        }
        let owners = lease.owner_references.unwrap();
        assert_eq!(owners.iter().map(|one| one.uid.as_str()).collect::<Vec<_>>(), ["2"], "of the present one alone");
        assert_eq!((owners[0].kind.as_str(), owners[0].name.as_str()), ("Deployment", OPERATOR));
        assert_eq!(owner(&ObjectMeta::default()), None);
    }
}
