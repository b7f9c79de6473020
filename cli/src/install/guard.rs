//! What `weft install` does not go over: an operator that somebody else keeps, a newer one, and the version window.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Pod;
use weft_api::mesh::MeshSpec;
use weft_install::{VERSION, version::tag_of};
use weft_operator::reconcile::skew;
use weft_runtime::StartupError;

use super::plan::Plan;
use crate::{
    cluster::{Cluster, meshes::Installation},
    upgrade::{
        operator::{self, Operator},
        plan::proxies,
    },
};

/// Looks before anything is written.
pub(super) async fn check(cluster: &Cluster, plan: &Plan) -> anyhow::Result<()> {
    let meshes = cluster.meshes().await?.unwrap_or_default();
    names(&meshes, plan)?;
    let Some(operator) = operator::find(cluster).await? else { return Ok(()) };
    let pods = if meshes.is_empty() { Vec::new() } else { cluster.pods().await? };
    Ok(judge(&operator, &meshes, &pods, plan)?)
}

/// A revision, and a tag, has one Mesh: a second one would be made, never get ready and stay.
fn names(meshes: &[Installation], plan: &Plan) -> Result<(), StartupError> {
    let of = |spec: &MeshSpec| -> BTreeSet<String> {
        spec.tags.iter().cloned().chain([spec.revision_label().to_owned()]).collect()
    };
    // What this Mesh has by now is between it and the others, and its condition tells who has it.
    let held: BTreeSet<String> =
        meshes.iter().filter(|mesh| mesh.name == plan.mesh_name()).flat_map(|mesh| of(&mesh.spec)).collect();
    let wanted: BTreeSet<String> = of(plan.spec()).difference(&held).cloned().collect();
    for mesh in meshes.iter().filter(|mesh| mesh.name != plan.mesh_name()) {
        let Some(taken) = of(&mesh.spec).into_iter().find(|name| wanted.contains(name)) else { continue };
        let name = &mesh.name;
        let why = format!("Mesh {name} answers to {taken:?} already, and Mesh {} would too", plan.mesh_name());
        if mesh.leaving {
            let wait = format!(
                "kubectl wait --for=delete mesh/{name} --timeout=5m waits until it is gone; then run this again"
            );
            return Err(impossible(why, wait));
        }
        let same = match mesh.spec.revision.as_str() {
            "" => format!("--name {name}"),
            revision => format!("--name {name} --revision {revision}"),
        };
        let remedy = format!(
            "weft upgrade brings {name} up to date, weft install {same} changes it, and another --revision installs a second \
             control plane"
        );
        return Err(impossible(why, remedy));
    }
    Ok(())
}

fn judge(operator: &Operator, meshes: &[Installation], pods: &[Pod], plan: &Plan) -> Result<(), StartupError> {
    if let Some(owner) = &operator.owner {
        let remedy = format!(
            "for another version, {}; for a Mesh alone, kubectl apply it: weft install --dry-run prints it last",
            owner.upgrade().split_once(": ").map_or("change it there", |(_, remedy)| remedy)
        );
        return Err(impossible(owner, remedy));
    }
    let to = tag_of(&plan.bootstrap.image);
    if !plan.names_version() && operator.is_newer_than(to) {
        let newer = tag_of(&operator.image);
        let why = format!("the operator runs {newer}, and this command is of version {VERSION}");
        let remedy = format!("use the weft command of version {newer}, or say --set image.tag={to} to go back");
        return Err(impossible(why, remedy));
    }
    // A Mesh without a tag follows its operator, so installing one moves the others as well.
    for mesh in meshes {
        let same = mesh.name == plan.mesh_name();
        let wanted = if same { to } else { mesh.spec.image.tag.as_deref().unwrap_or(to) };
        skew::check(to, &mesh.status.version, wanted, &proxies(mesh, pods, wanted)).map_err(|error| {
            let remedy = "go by one minor version at a time, with the weft command of that version: docs/upgrade.md";
            impossible(format!("Mesh {}: {error}", mesh.name), remedy)
        })?;
    }
    Ok(())
}

fn impossible(why: impl ToString, remedy: impl Into<String>) -> StartupError {
    StartupError::new("cannot install", why, remedy)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        cluster::{meshes::testing::installation, pods::testing::pod},
        install::plan::testing::plan,
        upgrade::operator::{Owner, testing::operator},
    };

    fn refused(operator: &Operator, meshes: &[Installation], pods: &[Pod], words: &[&str]) -> String {
        judge(operator, meshes, pods, &plan(words).unwrap()).err().map_or_else(String::new, |error| error.to_string())
    }

    #[test]
    fn a_name_that_another_mesh_has_is_refused() {
        let told = |spec, words: &[&str]| {
            let found = names(&[installation(spec, json!({}))], &plan(words).unwrap());
            found.err().map_or_else(String::new, |error| error.to_string())
        };
        let moved = json!({"revision": "v2", "tags": ["default"]});
        let refused = told(moved.clone(), &[]);
        for part in ["Mesh main answers to \"default\"", "weft upgrade", "--name main --revision v2"] {
            assert!(refused.contains(part), "{part}: {refused}");
        }
        assert!(told(json!({}), &[]).contains("weft install --name main changes it"));
        assert!(told(moved.clone(), &["--revision", "v2"]).contains("answers to \"v2\""));
        assert!(
            told(json!({"tags": ["prod"]}), &["--revision", "v3", "--set", "tags=[\"prod\"]"]).contains("\"prod\"")
        );
        // The Mesh itself, also one that another has a name in common with already, and one beside it.
        let mut twin = installation(json!({"tags": ["default"], "revision": "v2"}), json!({}));
        twin.name = "weft".into();
        assert!(names(&[installation(json!({}), json!({})), twin], &plan(&["--name", "main"]).unwrap()).is_ok());
        assert_eq!(told(moved.clone(), &["--name", "main", "--revision", "v2"]), "");
        assert_eq!(told(moved, &["--revision", "v3"]), "");
        let mut gone = installation(json!({}), json!({}));
        gone.leaving = true;
        assert!(names(&[gone], &plan(&[]).unwrap()).unwrap_err().to_string().contains("wait --for=delete mesh/main"));
    }

    #[test]
    fn it_is_repeated_at_will() {
        let same = operator(&format!("weft/operator:{VERSION}"));
        let mesh = installation(json!({}), json!({"version": VERSION}));
        let web = pod("shop", "web-7d9f-a", &format!("weft/proxy:{VERSION}"), "default");
        assert_eq!(refused(&same, &[mesh], &[web], &["--name", "main"]), "");
        assert_eq!(refused(&operator("weft/operator:canary"), &[], &[], &[]), "");
    }

    #[test]
    fn what_somebody_else_keeps_stays() {
        let mut helms = operator(&format!("weft/operator:{VERSION}"));
        helms.owner = Some(Owner::Helm("mesh".into()));
        let told = refused(&helms, &[], &[], &[]);
        assert!(told.contains("Helm release mesh") && told.contains("helm upgrade mesh"), "{told}");
    }

    #[test]
    fn versions_stay_in_their_window() {
        let newer = operator("weft/operator:999.0.0");
        let told = refused(&newer, &[], &[], &[]);
        assert!(told.contains("999.0.0") && told.contains(&format!("--set image.tag={VERSION}")), "{told}");
        assert_eq!(refused(&newer, &[], &[], &["--set", &format!("image.tag={VERSION}")]), "");
        let here = operator(&format!("weft/operator:{VERSION}"));
        let far = installation(json!({}), json!({"version": "7.0.0"}));
        assert!(refused(&here, &[far], &[], &["--revision", "v2"]).contains("Mesh main"));
        let old = [pod("shop", "web-7d9f-a", "weft/proxy:7.0.0", "default")];
        let mesh = |version: &str| installation(json!({}), json!({"version": version}));
        let told = refused(&here, &[mesh("0.0.9")], &old, &[]);
        assert!(told.contains("1 proxy has version 7.0.0 (shop/web-7d9f-a)"), "{told}");
        assert_eq!(refused(&here, &[mesh(VERSION)], &old, &[]), "", "it runs with that already");
    }
}
