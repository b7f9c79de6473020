//! The Lease of whoever reconciles: it tells of an operator that is ready and does nothing.

use std::time::Duration;

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    jiff::Timestamp,
};
use kube::Api;
use weft_install::{names, render::bootstrap::OPERATOR};

use super::Idle;
use crate::{
    cluster::{Cluster, explain},
    output::ago,
};

/// A renewal that is older is told: a holder renews every two seconds and stops when it could not for ten.
const OLD: Duration = Duration::from_secs(60);
/// Before a second look. One that is renewed meanwhile is held, whatever this machine's clock says.
const AGAIN: Duration = Duration::from_secs(5);

/// Why nobody reconciles although an operator is ready.
///
/// # Errors
/// When the Lease cannot be read: then nobody knows.
pub(super) async fn stale(cluster: &Cluster) -> anyhow::Result<Option<Idle>> {
    let leases: Api<Lease> = Api::namespaced(cluster.client.clone(), &cluster.system);
    let look = async || leases.get_opt(names::FIELD_MANAGER).await.map(|found| found.and_then(|lease| lease.spec));
    looked(look, &cluster.system, AGAIN).await
}

/// What two looks `apart` from each other tell.
async fn looked(
    look: impl AsyncFn() -> kube::Result<Option<LeaseSpec>>,
    system: &str,
    apart: Duration,
) -> anyhow::Result<Option<Idle>> {
    let failed = |error: kube::Error| explain(&format!("read Lease {system}/{}", names::FIELD_MANAGER), &error);
    let first = look().await.map_err(failed)?;
    if judge(first.as_ref(), system, Timestamp::now()).is_none() {
        return Ok(None);
    }
    tokio::time::sleep(apart).await;
    let second = look().await.map_err(failed)?;
    Ok(judge(second.as_ref(), system, Timestamp::now()).filter(|_| first == second))
}

fn judge(lease: Option<&LeaseSpec>, system: &str, now: Timestamp) -> Option<Idle> {
    let place = format!("Lease {system}/{}", names::FIELD_MANAGER);
    let holder = lease.and_then(|spec| spec.holder_identity.as_deref()).filter(|holder| !holder.is_empty());
    let renewed = lease.and_then(|spec| Some(spec.renew_time.as_ref()?.0));
    // A clock that is a little behind or ahead is no sign of anything.
    let fresh = |at: Timestamp| now.duration_since(at).as_secs().unsigned_abs() < OLD.as_secs();
    if holder.is_some() && renewed.is_some_and(fresh) {
        return None;
    }
    let age = renewed.and_then(|at| ago(at, now)).map(humantime::format_duration);
    let held = match (holder, age) {
        (Some(holder), None) => format!("{place} is held by {holder} and is not renewed"),
        (Some(holder), Some(age)) => format!("{place} was last renewed {age} ago, by {holder}"),
        (None, Some(age)) => format!("nobody holds {place}, which was last renewed {age} ago"),
        (None, None) => format!("nobody holds {place}"),
    };
    Some(Idle {
        why: format!("the operator is ready and reconciles nothing, because {held}"),
        remedy: format!(
            "kubectl -n {system} logs deployment/{OPERATOR} says why, and kubectl -n {system} rollout restart \
             deployment/{OPERATOR} begins anew"
        ),
        broken: true,
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
    use kube::core::Status;

    use super::*;

    #[tokio::test]
    async fn a_lease_that_cannot_be_read_is_no_good_sign() {
        let refused = || {
            let message = "leases.coordination.k8s.io is forbidden".to_owned();
            kube::Error::Api(Box::new(Status { code: 403, message, ..Status::default() }))
        };
        let error = looked(async || Err(refused()), "mesh", Duration::ZERO).await.unwrap_err().to_string();
        assert!(error.contains("read Lease mesh/weft-operator") && error.contains("role"), "{error}");
        let first = Cell::new(true);
        let second =
            looked(async || if first.replace(false) { Ok(None) } else { Err(refused()) }, "mesh", Duration::ZERO);
        assert!(second.await.is_err(), "nor is it one at the second look");
        assert!(looked(async || Ok(None), "mesh", Duration::ZERO).await.unwrap().is_some_and(|idle| idle.broken));
    }

    #[test]
    fn a_lease_that_nobody_renews_is_told_with_its_age() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let held = |by: &str, age: i64| LeaseSpec {
            holder_identity: Some(by.into()),
            renew_time: Some(MicroTime(Timestamp::from_second(1_000_000 - age).unwrap())),
            ..LeaseSpec::default()
        };
        let why = |lease: Option<LeaseSpec>| judge(lease.as_ref(), "mesh", now).map(|idle| idle.why);
        assert_eq!(why(Some(held("op-1_0a", 59))), None);
        let old = why(Some(held("op-1_0a", 303))).unwrap();
        assert!(old.ends_with("Lease mesh/weft-operator was last renewed 5m 3s ago, by op-1_0a"), "{old}");
        let free = why(Some(held("", 303))).unwrap();
        assert!(free.ends_with("nobody holds Lease mesh/weft-operator, which was last renewed 5m 3s ago"), "{free}");
        assert!(why(None).unwrap().ends_with("nobody holds Lease mesh/weft-operator"));
        // Clocks differ: where they differ much, the second look decides, by whether it has changed.
        assert_eq!(why(Some(held("op-1_0a", -40))), None);
        assert!(why(Some(held("op-1_0a", -100))).unwrap().contains("is not renewed"));
        let idle = judge(None, "mesh", now).unwrap();
        assert!(idle.broken && idle.remedy.contains("kubectl -n mesh logs deployment/weft-operator"), "{idle:?}");
    }
}
