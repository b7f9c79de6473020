//! Whether what an installation consists of is there and works.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::Pod, apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{Api, ResourceExt, api::ListParams};
use weft_api::mesh::Profile;
use weft_install::names;
use weft_operator::reconcile::{conditions::READY, problem::Reason, rivals::age};

use super::{Finding, mesh::deletion};
use crate::{
    cluster::{Cluster, explain, meshes::Installation, pods},
    output::plural,
    upgrade::operator::Idle,
};

/// Whether every kind that Weft reads is served.
pub async fn kinds(cluster: &Cluster) -> Vec<Finding> {
    const CHECK: &str = "kinds";
    let api: Api<CustomResourceDefinition> = Api::all(cluster.client.clone());
    let present = match api.list(&ListParams::default()).await {
        Ok(list) => list.items,
        Err(error) => return vec![Finding::unchecked(CHECK, &explain("list custom resource definitions", &error))],
    };
    let established = |definition: &CustomResourceDefinition| {
        let conditions = definition.status.iter().flat_map(|status| status.conditions.iter().flatten());
        conditions.into_iter().any(|condition| condition.type_ == "Established" && condition.status == "True")
    };
    let found: BTreeMap<String, bool> =
        present.iter().map(|definition| (definition.name_any(), established(definition))).collect();
    let wanted: Vec<String> = weft_install::crds().iter().map(|definition| definition.name.clone()).collect();
    vec![kinds_finding(&wanted, &found)]
}

fn kinds_finding(wanted: &[String], found: &BTreeMap<String, bool>) -> Finding {
    const CHECK: &str = "kinds";
    let missing: Vec<&str> = wanted.iter().map(String::as_str).filter(|name| !found.contains_key(*name)).collect();
    if !missing.is_empty() {
        let hint = "run weft install, or install the Helm chart: both create the kinds that are absent";
        return Finding::failed(CHECK, format!("missing: {}", missing.join(", ")), hint);
    }
    let broken: Vec<&str> = wanted.iter().map(String::as_str).filter(|name| found.get(*name) == Some(&false)).collect();
    if !broken.is_empty() {
        let hint = "look at their conditions with kubectl describe crd";
        return Finding::failed(CHECK, format!("not established: {}", broken.join(", ")), hint);
    }
    Finding::ok(CHECK, format!("{} are served", plural(wanted.len(), "kind")))
}

/// Whether an operator looks after the installations. Without one everything runs on as it is, so it is a warning; one that
/// says it is ready and may do nothing is a failure, because nothing else tells.
pub(crate) fn operator(idle: &anyhow::Result<Option<Idle>>) -> Finding {
    const CHECK: &str = "operator";
    match idle {
        Err(error) => Finding::unchecked(CHECK, error),
        Ok(None) => Finding::ok(CHECK, "it is ready"),
        Ok(Some(idle)) => {
            let message = format!("{}: no change is taken up, and a Mesh says what was last written", idle.why);
            match idle.broken {
                true => Finding::failed(CHECK, message, &idle.remedy),
                false => Finding::warning(CHECK, message, &idle.remedy),
            }
        }
    }
}

/// The same where there is no Mesh yet, so that nothing runs on.
pub(super) fn alone(idle: &anyhow::Result<Option<Idle>>) -> Finding {
    match idle {
        Ok(Some(idle)) => Finding::failed("operator", &idle.why, &idle.remedy),
        known => operator(known),
    }
}

/// That nothing of Weft is there, neither its kind nor an operator in namespace `system`.
pub(super) fn nothing(system: &str) -> Finding {
    Finding::ok(
        "installation",
        format!(
            "nothing of Weft is there (namespace {system}): only whether it can be installed was checked, as by --pre; weft \
             install does it"
        ),
    )
}

/// Whether each installation has control planes that are ready.
pub async fn control_planes(cluster: &Cluster, meshes: &[Installation], idle: bool) -> Vec<Finding> {
    const CHECK: &str = "control plane";
    let pods = match cluster.component("control-plane").await {
        Ok(pods) => pods,
        Err(error) => return vec![Finding::unchecked(CHECK, &error)],
    };
    let own = holders(meshes).filter(|mesh| mesh.spec.profile() != Profile::Remote);
    own.map(|mesh| control_plane(mesh, &pods, &cluster.system, idle)).collect()
}

/// The Meshes that something was installed for: of several with the same revision the eldest, as the operator has it, and none
/// that was refused for a name of another from the beginning. The others' own lines say so.
pub(super) fn holders(meshes: &[Installation]) -> impl Iterator<Item = &Installation> {
    let never = [Reason::RevisionTaken, Reason::TagTaken, Reason::VersionSkew, Reason::InvalidSpec].map(Reason::as_str);
    let refused = move |mesh: &Installation| {
        let ready = mesh.status.condition(READY);
        mesh.status.version.is_empty() && ready.is_some_and(|ready| never.contains(&ready.reason.as_str()))
    };
    meshes.iter().filter(move |mesh| {
        let mut rivals = meshes.iter().filter(|other| other.spec.revision_label() == mesh.spec.revision_label());
        !refused(mesh) && rivals.all(|other| age(&mesh.object) <= age(&other.object))
    })
}

fn control_plane(mesh: &Installation, pods: &[Pod], system: &str, idle: bool) -> Finding {
    const CHECK: &str = "control plane";
    let revision = mesh.spec.revision_label();
    let own: Vec<&Pod> = pods.iter().filter(|pod| pods::of_mesh(pod, &mesh.name) && pods::stays(pod)).collect();
    let ready = own.iter().filter(|pod| pods::is_ready(pod)).count();
    let message = format!("revision {revision}: {ready} of {} ready", plural(own.len(), "pod"));
    match (ready, own.len()) {
        (0, 0) if mesh.leaving => Finding::warning(
            CHECK,
            format!("revision {revision} has no pod any more: Mesh {} is being deleted", mesh.name),
            deletion(&mesh.name),
        ),
        (0, 0) if idle => Finding::failed(
            CHECK,
            format!("revision {revision} has no pod"),
            "only an operator can make one: the finding about it says what to do",
        ),
        (0, 0) => Finding::failed(
            CHECK,
            format!("revision {revision} has no pod"),
            format!("look at the operator: kubectl logs -n {system} deployment/weft-operator"),
        ),
        (0, _) => Finding::failed(
            CHECK,
            message,
            format!("look at why: kubectl describe pods -n {system} -l {}=control-plane", names::COMPONENT_LABEL),
        ),
        (ready, all) if ready < all => Finding::warning(
            CHECK,
            message,
            format!("look at why: kubectl describe pods -n {system} -l {}=control-plane", names::COMPONENT_LABEL),
        ),
        _ => Finding::ok(CHECK, message),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{check::Outcome, cluster::meshes::testing::installation};

    #[test]
    fn missing_kinds_are_named() {
        let wanted = ["meshes.weft.dev".to_owned(), "virtualservices.networking.istio.io".to_owned()];
        let some = BTreeMap::from([("meshes.weft.dev".to_owned(), true)]);
        let finding = kinds_finding(&wanted, &some);
        assert!(finding.message.contains("virtualservices") && finding.hint.unwrap().contains("weft install"));
        let all: BTreeMap<_, _> = wanted.iter().map(|name| (name.clone(), true)).collect();
        assert_eq!(kinds_finding(&wanted, &all).outcome, Outcome::Ok);
        let pending: BTreeMap<_, _> = wanted.iter().map(|name| (name.clone(), false)).collect();
        assert!(kinds_finding(&wanted, &pending).message.starts_with("not established"));
    }

    #[test]
    fn a_control_plane_without_ready_pods_fails() {
        let pod = |ready: &str| -> Pod {
            serde_json::from_value(json!({"metadata": {"name": "cp", "labels": {"weft.dev/mesh": "main"}},
                "status": {"conditions": [{"type": "Ready", "status": ready}]}}))
            .unwrap()
        };
        let mut main = installation(json!({}), json!({}));
        let seen = |mesh: &Installation, pods: &[Pod]| control_plane(mesh, pods, "weft-system", false).outcome;
        assert_eq!(seen(&main, &[]), Outcome::Failed);
        assert_eq!(seen(&main, &[pod("False")]), Outcome::Failed);
        assert_eq!(seen(&main, &[pod("True"), pod("False")]), Outcome::Warning);
        assert_eq!(seen(&main, &[pod("True")]), Outcome::Ok);
        let told = control_plane(&main, &[], "weft-system", true).hint.unwrap();
        assert!(!told.contains("logs") && told.contains("only an operator"), "there is no log: {told}");
        // One that was refused, say for its revision, does not shine with the pods of another.
        main.name = "second".into();
        assert_eq!(seen(&main, &[pod("True")]), Outcome::Failed);
        main.leaving = true;
        assert_eq!(seen(&main, &[]), Outcome::Warning);
    }

    #[test]
    fn an_operator_that_is_gone_is_a_warning_with_its_remedy() {
        assert_eq!(operator(&Ok(None)).outcome, Outcome::Ok);
        let idle = Idle { why: "there is no operator".into(), remedy: "weft install".into(), broken: false };
        let told = operator(&Ok(Some(idle)));
        assert_eq!((told.outcome, told.hint.as_deref()), (Outcome::Warning, Some("weft install")));
        assert!(told.message.contains("last written"), "{told:?}");
        let none = Idle { why: "there is no operator".into(), remedy: "weft install".into(), broken: false };
        let told = alone(&Ok(Some(none)));
        assert_eq!((told.outcome, told.hint.as_deref()), (Outcome::Failed, Some("weft install")));
        assert_eq!((told.message.as_str(), alone(&Ok(None)).outcome), ("there is no operator", Outcome::Ok));
        let powerless = Idle { why: "it lost its rights".into(), remedy: "weft install".into(), broken: true };
        assert_eq!(operator(&Ok(Some(powerless))).outcome, Outcome::Failed);
    }

    #[test]
    fn a_revision_is_checked_once() {
        let mesh = |name: &str, revision: &str, second: u32| {
            let mut mesh = installation(json!({"revision": revision}), json!({}));
            let time = json!(format!("2026-01-01T00:00:{second:02}Z"));
            mesh.object.metadata.creation_timestamp = Some(serde_json::from_value(time).unwrap());
            mesh.name = name.into();
            mesh
        };
        let all = [mesh("twin", "default", 2), mesh("main", "", 1), mesh("next", "v2", 3)];
        let names = |all: &[Installation]| holders(all).map(|mesh| mesh.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&all), ["main", "next"]);
        // Nothing was installed for one whose tag another has.
        let refused_for = |reason: &str, version: &str| {
            let ready = json!({"type": "Ready", "status": "False", "reason": reason, "message": "x",
                "lastTransitionTime": "2026-01-01T00:00:00Z"});
            installation(json!({"revision": "v2"}), json!({"version": version, "conditions": [ready]}))
        };
        for reason in ["TagTaken", "RevisionTaken", "VersionSkew", "InvalidSpec"] {
            assert!(names(&[refused_for(reason, "")]).is_empty(), "{reason}");
        }
        assert_eq!(names(&[refused_for("TagTaken", "0.1.0")]), ["main"], "what it had runs on");
    }

    #[test]
    fn a_clean_cluster_is_no_failure() {
        let told = nothing("mesh");
        assert_eq!(told.outcome, Outcome::Ok);
        assert!(told.message.contains("--pre") && told.message.contains("weft install"), "{told:?}");
    }
}
