//! The CustomResourceDefinitions that a mesh needs.

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, ResourceExt,
    api::{ListParams, PostParams},
};
use weft_api::crd::VERSION_ANNOTATION;
use weft_install::{Crd, VERSION, version::is_outdated};

use super::{
    cluster::Cluster,
    problem::{Problem, Reason},
};

/// The kind that everything here begins with.
const MESH: &str = "meshes.weft.dev";

/// What could not be done.
#[derive(Debug)]
pub struct Unmet {
    /// The first thing that failed; one of a kind that is absent before others.
    pub problem: Problem,
    /// What is there all the same.
    pub there: There,
}

/// Which kinds are there although not all is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum There {
    /// Not even the Mesh.
    NoMesh,
    /// The Mesh, but not all of the others.
    Mesh,
    /// All of them; one is as an older version wrote it.
    All,
}

impl Unmet {
    /// Says that work goes on as it is.
    pub fn tell(&self) {
        tracing::warn!(
            reason = self.problem.reason.as_str(),
            remedy = "let the operator's role create and patch customresourcedefinitions, or apply those of this version: \
                      weft install --dry-run prints ours",
            "going on with the CustomResourceDefinitions that are there: {}",
            self.problem
        );
    }
}

/// What is to be done about one definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Create,
    BringUp,
    Leave,
}

/// Creates the definitions that are absent, and brings our own kind up to this version where an older one wrote it: Helm
/// never touches a CRD that is there. One of another project is left alone, whoever made it, and so is ours when a newer
/// operator wrote it. What fails keeps nothing else from being done.
pub async fn ensure(cluster: &Cluster) -> Result<(), Unmet> {
    let api: Api<CustomResourceDefinition> = Api::all(cluster.client.clone());
    let doing = "list CustomResourceDefinitions";
    let present = cluster.ask(doing, api.list_metadata(&ListParams::default())).await;
    let present = present.map_err(|problem| Unmet { problem, there: There::NoMesh })?;
    // By name, the version that wrote it.
    let present: BTreeMap<String, Option<String>> = present
        .items
        .iter()
        .map(|found| (found.name_any(), found.annotations().get(VERSION_ANNOTATION).cloned()))
        .collect();
    let mut failed = Vec::new();
    for crd in weft_install::crds() {
        let (name, found) = (crd.name.clone(), present.get(&crd.name).map(Option::as_deref));
        let done = match step(&crd, found) {
            Step::Create => create(cluster, &api, crd).await,
            Step::BringUp => bring_up(cluster, &crd, found.flatten()).await,
            Step::Leave => Ok(()),
        };
        failed.extend(done.err().map(|problem| (name, problem)));
    }
    judge(failed, |name| present.contains_key(name))
}

/// What failed, by the definition's name, for those who ask whether they can go on.
fn judge(failed: Vec<(String, Problem)>, present: impl Fn(&str) -> bool) -> Result<(), Unmet> {
    let (outdated, absent): (Vec<_>, Vec<_>) = failed.into_iter().partition(|(name, _)| present(name));
    let there = match absent.as_slice() {
        [] => There::All,
        absent if absent.iter().any(|(name, _)| name == MESH) => There::NoMesh,
        _ => There::Mesh,
    };
    match absent.into_iter().chain(outdated).next() {
        Some((_, problem)) => Err(Unmet { problem, there }),
        None => Ok(()),
    }
}

async fn bring_up(cluster: &Cluster, crd: &Crd, before: Option<&str>) -> Result<(), Problem> {
    cluster.apply(&crd.definition).await?;
    let before = before.unwrap_or("unknown");
    tracing::info!(name = crd.name, before, now = VERSION, "brought our own kind up to date");
    Ok(())
}

/// `present`: whether it is there, and which version says that it wrote it.
fn step(crd: &Crd, present: Option<Option<&str>>) -> Step {
    match present {
        None => Step::Create,
        Some(version) if !crd.foreign && is_outdated(version, VERSION) => Step::BringUp,
        Some(_) => Step::Leave,
    }
}

async fn create(cluster: &Cluster, api: &Api<CustomResourceDefinition>, crd: Crd) -> Result<(), Problem> {
    let doing = format!("create CustomResourceDefinition {}", crd.name);
    let definition = serde_json::from_value(crd.definition)
        .map_err(|error| Problem::new(Reason::Rejected, format!("cannot {doing}: {error}")))?;
    match cluster.ask(&doing, api.create(&PostParams::default(), &definition)).await {
        Ok(_) => tracing::info!(name = crd.name, "created a CustomResourceDefinition"),
        Err(problem) if problem.reason == Reason::Conflict => {}
        Err(problem) => return Err(problem),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_kind_that_is_not_there_stops_anything() {
        let gateways = "gateways.networking.istio.io";
        let judged = |failed: &[&str], present: &[&str]| {
            let failed = failed.iter().map(|name| (name.to_string(), Problem::new(Reason::Forbidden, *name)));
            judge(failed.collect(), |name| present.contains(&name))
                .map_err(|unmet| (unmet.there, unmet.problem.message))
        };
        let of = |there: There, name: &str| Err((there, name.to_owned()));
        assert!(weft_install::crds().iter().any(|crd| crd.name == MESH));
        assert_eq!(judged(&[], &[]), Ok(()));
        assert_eq!(judged(&[MESH], &[]), of(There::NoMesh, MESH));
        assert_eq!(judged(&[MESH], &[MESH]), of(There::All, MESH));
        assert_eq!(judged(&[gateways], &[]), of(There::Mesh, gateways));
        assert_eq!(judged(&[MESH, gateways], &[MESH]), of(There::Mesh, gateways));
        assert_eq!(judged(&[gateways, MESH], &[]), of(There::NoMesh, gateways));
    }

    #[test]
    fn only_our_own_kind_is_brought_up() {
        let all = weft_install::crds();
        let ours = all.iter().find(|crd| !crd.foreign).unwrap();
        let foreign = all.iter().find(|crd| crd.foreign).unwrap();
        assert_eq!(ours.definition["metadata"]["annotations"][VERSION_ANNOTATION], VERSION);
        assert_eq!((step(ours, None), step(foreign, None)), (Step::Create, Step::Create));
        assert_eq!(step(ours, Some(None)), Step::BringUp);
        assert_eq!(step(ours, Some(Some("0.0.1"))), Step::BringUp);
        for newer_or_same in [VERSION, "999.0.0"] {
            assert_eq!(step(ours, Some(Some(newer_or_same))), Step::Leave);
        }
        for whatever in [None, Some("0.0.1")] {
            assert_eq!(step(foreign, Some(whatever)), Step::Leave);
        }
    }
}
