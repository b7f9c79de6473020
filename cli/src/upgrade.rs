//! `weft upgrade --dry-run`: what another version would restart, before anything does.

use std::{collections::BTreeMap, process::ExitCode};

use k8s_openapi::api::core::v1::Pod;
use serde::Serialize;
use serde_json::json;
use weft_install::{Capabilities, MeshInput, profile::Settings};
use weft_runtime::StartupError;

use crate::{
    cluster::{ClusterArgs, block_on, meshes::Installation, pods},
    output::{self, Answer, OutputArgs, plural, table},
};

/// Show what an upgrade to another version would restart.
#[derive(Clone, Debug, clap::Args)]
pub struct UpgradeArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// Change nothing, only tell. An upgrade itself is an edit of the Mesh (spec.image.tag) or of the Helm release.
    #[arg(long)]
    dry_run: bool,
    /// The version; by default this command's own.
    #[arg(long, value_name = "VERSION", default_value = env!("CARGO_PKG_VERSION"))]
    to: String,
}

/// Asks the cluster and prints. Exits with 1 when the step is refused.
pub fn run(args: UpgradeArgs) -> anyhow::Result<ExitCode> {
    if !args.dry_run {
        return Err(StartupError::new(
            "cannot upgrade",
            "this command only tells what would happen",
            format!(
                "add --dry-run; then set spec.image.tag: {} in the Mesh, or upgrade the Helm release, and restart what the dry run lists",
                args.to
            ),
        )
        .into());
    }
    block_on(async {
        let cluster = args.cluster.connect().await?;
        let meshes = cluster.meshes().await?.unwrap_or_default();
        if meshes.is_empty() {
            return Err(StartupError::new(
                "cannot plan an upgrade",
                "there is no Mesh",
                "install first, with weft install",
            )
            .into());
        }
        let pods = cluster.pods().await?;
        let plan = Plan::new(&meshes, &pods, &args.to, &cluster.system);
        output::print(args.output.output, &plan)?;
        Ok(if plan.refused() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    })
}

/// What would happen.
#[derive(Debug, Serialize)]
struct Plan {
    /// The version.
    to: String,
    /// By installation.
    meshes: Vec<Step>,
    /// Workloads whose pods must restart to get the new proxy.
    restarts: Vec<Restart>,
}

/// What would happen to one installation.
#[derive(Debug, Serialize)]
struct Step {
    mesh: String,
    revision: String,
    /// Version that runs now; empty when none is ready.
    from: String,
    /// Images that would change, new and old by component.
    images: BTreeMap<String, String>,
    /// Why this step cannot be taken.
    refused: Option<String>,
}

/// One workload.
#[derive(Debug, PartialEq, Serialize)]
struct Restart {
    workload: String,
    revision: String,
    pods: usize,
    image: String,
}

impl Plan {
    fn new(meshes: &[Installation], pods: &[Pod], to: &str, system: &str) -> Self {
        let mut steps = Vec::new();
        let mut wanted: BTreeMap<String, String> = BTreeMap::new();
        for mesh in meshes {
            let settings = target(mesh, to, system);
            let revision = mesh.spec.revision_label().to_owned();
            for name in mesh.spec.tags.iter().chain([&revision]) {
                wanted.insert(name.clone(), settings.proxy_image.clone());
            }
            let new = [
                ("control-plane", &settings.operator_image),
                ("ingress-gateway", &settings.proxy_image),
                ("console", &settings.console_image),
            ];
            let changed = new.into_iter().filter_map(|(component, image)| {
                let now = mesh
                    .status
                    .components
                    .iter()
                    .find(|(name, _)| name.contains(component) || component.contains(name.as_str()))?;
                (now.1.image != *image).then(|| (component.to_owned(), format!("{} -> {image}", now.1.image)))
            });
            steps.push(Step {
                mesh: mesh.name.clone(),
                revision,
                from: mesh.status.version.clone(),
                images: changed.collect(),
                refused: skew(&mesh.status.version, to).err(),
            });
        }
        let mut restarts: BTreeMap<(String, String, String), usize> = BTreeMap::new();
        for proxy in pods::proxied(pods).filter(|proxy| !proxy.over()) {
            let stale = wanted.get(proxy.revision()).is_some_and(|image| image != proxy.image());
            if stale {
                let key = (proxy.workload(), proxy.revision().to_owned(), proxy.image().to_owned());
                *restarts.entry(key).or_default() += 1;
            }
        }
        let restarts =
            restarts.into_iter().map(|((workload, revision, image), pods)| Restart { workload, revision, pods, image });
        Self { to: to.to_owned(), meshes: steps, restarts: restarts.collect() }
    }

    fn refused(&self) -> bool {
        self.meshes.iter().any(|step| step.refused.is_some())
    }
}

/// The settings that the Mesh would come to with the new tag.
fn target(mesh: &Installation, to: &str, system: &str) -> Settings {
    let mut spec = mesh.spec.clone();
    spec.image.tag = Some(to.to_owned());
    Settings::of(&MeshInput {
        mesh: spec.into(),
        mesh_config_json: mesh.object.data.pointer("/spec/meshConfig").cloned().unwrap_or_else(|| json!({})),
        name: mesh.name.clone(),
        uid: None,
        namespace: system.to_owned(),
        capabilities: Capabilities::default(),
        ca_bundle: None,
        ready: false,
    })
}

/// One minor version at a time, and never across major versions: proxies of the version before must be understood
/// until they have restarted.
fn skew(from: &str, to: &str) -> Result<(), String> {
    let read = |version: &str| -> Option<(u64, u64)> {
        let mut parts = version.trim_start_matches('v').split(['.', '-', '+']);
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    let (Some(from_parts), Some(to_parts)) = (read(from), read(to)) else { return Ok(()) };
    let step = to_parts.1.abs_diff(from_parts.1);
    if from_parts.0 != to_parts.0 || step > 1 {
        return Err(format!(
            "from {from} to {to} is more than one minor version: go through the versions between, so that running proxies are always understood"
        ));
    }
    Ok(())
}

impl Answer for Plan {
    fn text(&self) -> String {
        let mut text = String::new();
        for step in &self.meshes {
            let from = if step.from.is_empty() { "(not ready)" } else { &step.from };
            text.push_str(&format!("Mesh {} (revision {}): {from} -> {}\n", step.mesh, step.revision, self.to));
            if let Some(reason) = &step.refused {
                text.push_str(&format!("  REFUSED: {reason}\n"));
            }
            for (component, images) in &step.images {
                text.push_str(&format!("  {component} restarts: {images}\n"));
            }
        }
        if self.restarts.is_empty() {
            text.push_str("\nNo workload has to restart: every proxy has that version already.\n");
            return text;
        }
        let row = |restart: &Restart| {
            vec![restart.workload.clone(), restart.pods.to_string(), restart.revision.clone(), restart.image.clone()]
        };
        let rows: Vec<_> = self.restarts.iter().map(row).collect();
        let total: usize = self.restarts.iter().map(|restart| restart.pods).sum();
        text.push_str(&format!("\n{} would have to restart to get the new proxy:\n", plural(total, "pod")));
        text.push_str(&table(&["WORKLOAD", "PODS", "REVISION", "PROXY NOW"], &rows));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{meshes::testing::installation, pods::testing::pod};

    #[test]
    fn what_restarts_is_listed_by_workload() {
        let mesh = installation(
            json!({"profile": "demo", "tags": ["prod"]}),
            json!({"version": "0.1.0", "components": {"control-plane": {"ready": 1, "replicas": 1, "image": "weft/operator:0.1.0"}}}),
        );
        let pods = [
            pod("shop", "web-7d9f-a", "weft/proxy:0.1.0", "default"),
            pod("shop", "web-7d9f-b", "weft/proxy:0.1.0", "prod"),
            pod("shop", "new-7d9f-a", "weft/proxy:0.2.0", "default"),
            pod("shop", "other-7d9f-a", "weft/proxy:0.1.0", "someone-else"),
        ];
        let plan = Plan::new(&[mesh], &pods, "0.2.0", "weft-system");
        let names: Vec<_> = plan
            .restarts
            .iter()
            .map(|restart| (restart.workload.as_str(), restart.revision.as_str(), restart.pods))
            .collect();
        assert_eq!(names, [("Deployment shop/web", "default", 1), ("Deployment shop/web", "prod", 1)]);
        assert_eq!(plan.meshes[0].images["control-plane"], "weft/operator:0.1.0 -> weft/operator:0.2.0");
        assert!(!plan.refused());
        assert!(plan.text().contains("2 pods would have to restart"), "{}", plan.text());
        let none = Plan::new(&[], &[], "0.2.0", "weft-system");
        assert!(none.text().contains("No workload"));
    }

    #[test]
    fn versions_are_not_skipped() {
        assert!(skew("0.1.0", "0.2.0").is_ok() && skew("0.2.1", "0.1.9").is_ok() && skew("", "0.9.0").is_ok());
        assert!(skew("0.1.0", "0.3.0").unwrap_err().contains("more than one minor version"));
        assert!(skew("0.9.0", "1.0.0").is_err());
    }
}
