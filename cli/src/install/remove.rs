//! Removes Meshes, waits until the operator has cleaned up after them, then removes the operator.

use std::process::ExitCode;

use kube::{
    Api, Error,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;
use weft_api::mesh::MeshStatus;
use weft_install::{names, render::bootstrap::Bootstrap};
use weft_runtime::StartupError;

use super::{
    UninstallArgs,
    apply::{api, shown},
    ending, namespace,
    report::{End, Removed},
    wait,
};
use crate::{
    cluster::{
        Cluster, explain,
        meshes::{self, Installation},
        passing,
    },
    output,
    upgrade::operator::{self, Idle, Owner},
};

pub(super) async fn remove(cluster: &Cluster, args: &UninstallArgs) -> anyhow::Result<ExitCode> {
    let installed = cluster.meshes().await?.unwrap_or_default();
    let (chosen, others): (Vec<_>, Vec<_>) =
        installed.into_iter().partition(|mesh| args.name.as_ref().is_none_or(|name| *name == mesh.name));
    if let Some(name) = args.name.as_ref().filter(|_| chosen.is_empty()) {
        anyhow::bail!("there is no Mesh {name}; kubectl get meshes lists them");
    }
    let owner = operator::find(cluster).await?.and_then(|found| found.owner);
    if let Some(owner) = &owner {
        theirs(owner, args, &cluster.system)?;
    }
    // The operator goes with its last Mesh, unless somebody else keeps it.
    let mut objects = Vec::new();
    let mut report = Removed { dry_run: args.dry_run, ..Removed::default() };
    match needs(&others, owner.as_ref()) {
        None => {
            objects = bootstrap(&cluster.system);
            // Before anything is done.
            spare(cluster, args, &mut objects, &mut report).await?;
        }
        Some(why) => stays(cluster, args, &mut report, why),
    }
    if args.dry_run {
        report.removed.extend(chosen.iter().map(|mesh| format!("Mesh {}", mesh.name)));
        report.removed.extend(present(&objects, async |object: &Value| exists(cluster, object).await).await?);
        output::print(args.output.output, &report)?;
        return Ok(ExitCode::SUCCESS);
    }
    let api: Api<DynamicObject> = Api::all_with(cluster.client.clone(), &meshes::resource());
    for mesh in &chosen {
        let doing = format!("delete Mesh {}", mesh.name);
        if args.force {
            let patch = json!({"metadata": {"annotations": {"weft.dev/force-delete": "true"}}});
            found(&doing, api.patch(&mesh.name, &PatchParams::default(), &Patch::Merge(patch)).await)?;
        }
        found(&doing, api.delete(&mesh.name, &DeleteParams::default()).await)?;
        if !gone(cluster, &api, &mesh.name, args).await? {
            report.left = Some(mesh.name.clone());
            stays(cluster, args, &mut report, format!("Mesh {} is still there", mesh.name));
            break;
        }
        eprintln!("removed Mesh {}", mesh.name);
        report.removed.push(format!("Mesh {}", mesh.name));
    }
    if report.left.is_none() {
        // While it waited, somebody may have put something there.
        if objects.iter().any(is_namespace) {
            spare(cluster, args, &mut objects, &mut report).await?;
        }
        for object in &objects {
            let deleted = delete(cluster, object).await?;
            // What is put into it until it is gone would be refused, and a new installation with it.
            let holds = if deleted && is_namespace(object) { ending::over(cluster, args.timeout).await? } else { None };
            match holds {
                Some(holds) => report.namespace = End::leaving(&cluster.system, holds),
                None if deleted => {
                    eprintln!("removed {}", shown(object));
                    report.removed.push(shown(object));
                }
                None => {}
            }
        }
    }
    output::print(args.output.output, &report)?;
    Ok(if report.done() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn is_namespace(object: &Value) -> bool {
    object["kind"] == "Namespace"
}

/// Leaves the namespace out of what is removed when others keep something in it, and says so.
async fn spare(
    cluster: &Cluster,
    args: &UninstallArgs,
    objects: &mut Vec<Value>,
    report: &mut Removed,
) -> anyhow::Result<()> {
    let fate = namespace::fate(cluster).await?;
    if let Some(words) = fate.told(&cluster.system, args.delete_namespace) {
        eprintln!("{words}");
    }
    if !fate.goes(args.delete_namespace) {
        objects.retain(|object| !is_namespace(object));
    }
    report.namespace = fate.end(&cluster.system, args.delete_namespace);
    report.kept = if fate.goes(args.delete_namespace) { Vec::new() } else { fate.held() };
    Ok(())
}

/// Who needs the namespace when these Meshes are left, or when the operator is another's.
fn needs(others: &[Installation], owner: Option<&Owner>) -> Option<String> {
    let names: Vec<&str> = others.iter().map(|mesh| mesh.name.as_str()).collect();
    match (names.as_slice(), owner) {
        ([], None) => None,
        ([], Some(owner)) => Some(owner.to_string()),
        (names, _) => Some(format!("it is needed for Mesh {}", names.join(", "))),
    }
}

/// The namespace was not even looked at; told where its removal was asked for.
fn stays(cluster: &Cluster, args: &UninstallArgs, report: &mut Removed, why: String) {
    if args.delete_namespace {
        eprintln!("Namespace {} stays: {why}", cluster.system);
    }
    report.namespace = End::kept(&cluster.system, why);
}

/// An operator that somebody else keeps is not removed under his hands, only Meshes that are named.
fn theirs(owner: &Owner, args: &UninstallArgs, system: &str) -> Result<(), StartupError> {
    if args.name.is_some() {
        return Ok(());
    }
    let remedy = format!("weft uninstall --name NAME removes a Mesh; after the last one, {}", owner.remove(system));
    Err(StartupError::new("cannot uninstall", owner, remedy))
}

/// What was there before any Mesh, last thing first: the namespace.
fn bootstrap(namespace: &str) -> Vec<Value> {
    let mut objects = Bootstrap { namespace: namespace.to_owned(), ..Bootstrap::default() }.objects();
    objects.reverse();
    objects.extend(weft_install::crds().into_iter().filter(|crd| !crd.foreign).map(|crd| crd.definition));
    objects.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
    objects
}

/// Nothing when it is not there.
fn found<T>(doing: &str, result: Result<T, Error>) -> anyhow::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(explain(doing, &error).into()),
    }
}

async fn gone(cluster: &Cluster, api: &Api<DynamicObject>, name: &str, args: &UninstallArgs) -> anyhow::Result<bool> {
    let end = Instant::now() + args.timeout;
    let mut told = String::new();
    loop {
        let mut idle = None;
        let state = match api.get_opt(name).await {
            Ok(None) => return Ok(true),
            Ok(Some(mesh)) => {
                let status = MeshStatus::deserialize(mesh.data["status"].clone()).unwrap_or_default();
                // It can be gone before its Mesh, say with helm uninstall. Not seeing it for once changes nothing.
                let found = operator::find(cluster).await.ok();
                idle = found.and_then(|found| Idle::of(found.as_ref(), &cluster.system));
                state(&status, idle.as_ref())
            }
            Err(error) => passing(&format!("look at Mesh {name}"), &error)?,
        };
        if !wait::step(state, &mut told, end).await {
            let patience = humantime::format_duration(args.timeout);
            eprintln!("weft: Mesh {name} is still there after {patience}: {told}");
            match idle {
                Some(_) => {
                    eprintln!(
                        "weft: run it again with an operator; weft install --name {name} brings one where there is none"
                    );
                    if let Some(words) = refusing(name, &webhooks(cluster, name).await) {
                        eprintln!("weft: {words}");
                    }
                }
                None => eprintln!(
                    "weft: remove those pods, restart them without a proxy or onto another revision, or run weft uninstall --force"
                ),
            }
            return Ok(false);
        }
    }
}

/// The webhooks of a Mesh that are there; those that cannot be looked at are not told.
async fn webhooks(cluster: &Cluster, mesh: &str) -> Vec<String> {
    let selector = ListParams::default().labels(&format!("{}={mesh}", names::MESH_LABEL));
    let mut found = Vec::new();
    for kind in ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"] {
        let gvk = GroupVersionKind::gvk("admissionregistration.k8s.io", "v1", kind);
        let all: Api<DynamicObject> = Api::all_with(cluster.client.clone(), &ApiResource::from_gvk(&gvk));
        let listed = all.list_metadata(&selector).await.map(|list| list.items).unwrap_or_default();
        found.extend(listed.into_iter().filter_map(|object| object.metadata.name));
    }
    found
}

/// That the webhooks of a Mesh that nobody removes go on refusing, and how to go on.
fn refusing(mesh: &str, webhooks: &[String]) -> Option<String> {
    (!webhooks.is_empty()).then(|| {
        format!(
            "its webhooks stay ({}), and where no control plane answers them, pods that ask for a proxy are refused; {} lets \
             them pass",
            webhooks.join(", "),
            meshes::unhook(mesh)
        )
    })
}

/// What the end of a Mesh waits for. What its status says is old when nobody looks after it.
fn state(status: &MeshStatus, idle: Option<&Idle>) -> String {
    match (idle, status.waiting_for.as_slice()) {
        (Some(idle), _) => format!("{}, and only an operator can clean up ({})", idle.why, idle.remedy),
        (None, []) => "the operator cleans up".to_owned(),
        (None, waiting) => waiting.join("; "),
    }
}

/// Those of `objects` that are there.
async fn present(
    objects: &[Value],
    exists: impl AsyncFn(&Value) -> anyhow::Result<bool>,
) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for object in objects {
        if exists(object).await? {
            found.push(shown(object));
        }
    }
    Ok(found)
}

async fn exists(cluster: &Cluster, object: &Value) -> anyhow::Result<bool> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let found = api(cluster, object)?.get_metadata_opt(name).await;
    Ok(found.map_err(|error| explain(&format!("look at {}", shown(object)), &error))?.is_some())
}

/// Whether it was there.
async fn delete(cluster: &Cluster, object: &Value) -> anyhow::Result<bool> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let api = api(cluster, object)?;
    let doing = format!("delete {}", shown(object));
    Ok(found(&doing, api.delete(name, &DeleteParams::background()).await)?.is_some())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: UninstallArgs,
    }

    #[test]
    fn what_helm_installed_helm_removes() {
        let told = |words: &[&str]| {
            let args = Line::parse_from(std::iter::once(&"uninstall").chain(words)).args;
            theirs(&Owner::Helm("mesh".into()), &args, "weft-system").err().map(|error| error.to_string())
        };
        for words in [&[][..], &["--force"], &["--dry-run"]] {
            assert!(told(words).unwrap().contains("helm uninstall mesh -n weft-system"), "{words:?}");
        }
        assert_eq!(told(&["--name", "main"]), None);
    }

    #[test]
    fn a_namespace_that_is_needed_says_by_whom() {
        use crate::cluster::meshes::testing::installation;
        assert_eq!(needs(&[], None), None);
        let helm = Owner::Helm("mesh".into());
        assert_eq!(needs(&[], Some(&helm)).unwrap(), "the operator belongs to the Helm release mesh");
        let main = [installation(json!({}), json!({}))];
        assert_eq!(needs(&main, Some(&helm)).unwrap(), "it is needed for Mesh main");
    }

    #[test]
    fn without_an_operator_nobody_is_waited_for_in_vain() {
        let mut status = MeshStatus::default();
        assert_eq!(state(&status, None), "the operator cleans up");
        status.waiting_for = vec!["1 injected pods still run: shop/web".into()];
        assert_eq!(state(&status, None), "1 injected pods still run: shop/web");
        let idle =
            Idle { why: "there is no operator".into(), remedy: "weft install brings it back".into(), broken: false };
        let told = state(&status, Some(&idle));
        assert_eq!(told, "there is no operator, and only an operator can clean up (weft install brings it back)");
    }

    #[test]
    fn webhooks_that_nobody_removes_are_told_with_the_way_on() {
        assert_eq!(refusing("main", &[]), None);
        let told = refusing("main", &["weft-sidecar-injector".to_owned()]).unwrap();
        assert!(told.contains("stay (weft-sidecar-injector)") && told.contains("-l weft.dev/mesh=main"), "{told}");
    }

    #[tokio::test]
    async fn what_is_not_there_is_not_announced() {
        let objects = bootstrap("mesh");
        let found = present(&objects, async |object: &Value| anyhow::Ok(is_namespace(object))).await.unwrap();
        assert_eq!(found, ["Namespace mesh"]);
        assert!(present(&objects, async |_: &Value| anyhow::Ok(false)).await.unwrap().is_empty());
    }

    #[test]
    fn the_operator_goes_before_its_rights_and_the_namespace_last() {
        let objects = bootstrap("weft-system");
        let kinds: Vec<&str> = objects.iter().filter_map(|object| object["kind"].as_str()).collect();
        let at = |kind: &str| kinds.iter().position(|found| *found == kind).unwrap();
        assert!(at("Deployment") < at("ClusterRoleBinding"));
        assert_eq!(kinds.last(), Some(&"Namespace"));
        assert!(!objects.iter().any(|object| object["metadata"]["name"].as_str().unwrap().ends_with(".istio.io")));
    }
}
