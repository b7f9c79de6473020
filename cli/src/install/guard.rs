//! What `weft install` does not go over: an operator that somebody else keeps, a newer one, and the version window.

use k8s_openapi::api::core::v1::Pod;
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
    let Some(operator) = operator::find(cluster).await? else { return Ok(()) };
    let meshes = cluster.meshes().await?.unwrap_or_default();
    let pods = if meshes.is_empty() { Vec::new() } else { cluster.pods().await? };
    Ok(judge(&operator, &meshes, &pods, plan)?)
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
        skew::check(to, &mesh.status.version, wanted, &proxies(mesh, pods)).map_err(|error| {
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
        let mesh = installation(json!({}), json!({"version": VERSION}));
        assert!(refused(&here, &[mesh], &old, &[]).contains("7.0.0"));
    }
}
