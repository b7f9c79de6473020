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

/// What is to be done about one definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Create,
    BringUp,
    Leave,
}

/// Creates the definitions that are absent, and brings our own kind up to this version where an older one wrote it: Helm
/// never touches a CRD that is there. One of another project is left alone, whoever made it, and so is ours when a newer
/// operator wrote it.
pub async fn ensure(cluster: &Cluster) -> Result<(), Problem> {
    let api: Api<CustomResourceDefinition> = Api::all(cluster.client.clone());
    let doing = "list CustomResourceDefinitions";
    let present = cluster.ask(doing, api.list_metadata(&ListParams::default())).await?;
    // By name, the version that wrote it.
    let present: BTreeMap<String, Option<String>> = present
        .items
        .iter()
        .map(|found| (found.name_any(), found.annotations().get(VERSION_ANNOTATION).cloned()))
        .collect();
    for crd in weft_install::crds() {
        let found = present.get(&crd.name).map(Option::as_deref);
        match step(&crd, found) {
            Step::Create => create(cluster, &api, crd).await?,
            Step::BringUp => {
                cluster.apply(&crd.definition).await?;
                let before = found.flatten().unwrap_or("unknown");
                tracing::info!(name = crd.name, before, now = VERSION, "brought our own kind up to date");
            }
            Step::Leave => {}
        }
    }
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
