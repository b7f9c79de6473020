//! What an installation consists of, worked out without a cluster.

use serde_json::{Map, Value, json};
use weft_api::mesh::MeshSpec;
use weft_install::{Capabilities, MeshInput, render, render::bootstrap::Bootstrap};
use weft_runtime::StartupError;

use super::InstallArgs;
use crate::inject::mesh_of;

/// The Mesh and the operator that is to serve it.
pub(super) struct Plan {
    pub(super) mesh: Value,
    pub(super) bootstrap: Bootstrap,
    input: MeshInput,
}

fn invalid(why: impl ToString, remedy: &str) -> StartupError {
    StartupError::new("cannot install", why, remedy)
}

impl Plan {
    pub(super) fn new(args: &InstallArgs) -> anyhow::Result<Self> {
        let mut mesh = match &args.filename {
            Some(path) => mesh_of(path)?,
            None => json!({"apiVersion": "weft.dev/v1alpha1", "kind": "Mesh", "metadata": {}, "spec": {}}),
        };
        if !mesh["spec"].is_object() {
            mesh["spec"] = json!({});
        }
        if let Some(profile) = &args.profile {
            mesh["spec"]["profile"] = profile.as_str().into();
        }
        if let Some(revision) = &args.revision {
            mesh["spec"]["revision"] = revision.as_str().into();
        }
        for assignment in &args.set {
            set(&mut mesh["spec"], assignment)?;
        }
        let written = mesh["metadata"]["name"].as_str().map(str::to_owned);
        let name = args.name.clone().or(written).unwrap_or_else(|| {
            match mesh["spec"]["revision"].as_str().filter(|revision| !revision.is_empty()) {
                Some(revision) => format!("weft-{revision}"),
                None => "weft".to_owned(),
            }
        });
        if !mesh["metadata"].is_object() {
            mesh["metadata"] = json!({});
        }
        mesh["metadata"]["name"] = name.into();
        let namespace = &args.cluster.weft_namespace;
        let input = MeshInput::from_json(&mesh, namespace, Capabilities::default())
            .map_err(|error| invalid(error, "correct the fields that are named"))?;
        let image = &input.mesh.image;
        let defaults = Bootstrap::default();
        let bootstrap = Bootstrap {
            namespace: namespace.clone(),
            image: format!(
                "{}/operator:{}",
                image.hub.as_deref().unwrap_or("weft").trim_end_matches('/'),
                image.tag.as_deref().unwrap_or(weft_install::VERSION)
            ),
            pull_policy: image.pull_policy.unwrap_or_default().as_str().to_owned(),
            pull_secrets: image.pull_secrets.clone(),
            ..defaults
        };
        Ok(Self { mesh, bootstrap, input })
    }

    pub(super) fn mesh_name(&self) -> &str {
        &self.input.name
    }

    /// What the Mesh says.
    pub(super) fn spec(&self) -> &MeshSpec {
        &self.input.mesh
    }

    /// Whether a version is asked for, instead of this command's own.
    pub(super) fn names_version(&self) -> bool {
        self.input.mesh.image.tag.is_some()
    }

    /// What is applied before the Mesh.
    pub(super) fn operator(&self) -> Vec<Value> {
        let mut objects = vec![json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": self.bootstrap.namespace, "labels": {"app.kubernetes.io/part-of": "weft"}},
        })];
        objects.extend(weft_install::crds().into_iter().filter(|crd| !crd.foreign).map(|crd| crd.definition));
        objects.extend(self.bootstrap.objects());
        objects
    }

    /// Everything that is applied, and what the operator makes of it when `expand`.
    pub(super) fn manifests(&self, expand: bool) -> anyhow::Result<Vec<Value>> {
        let mut objects = self.operator();
        objects.push(self.mesh.clone());
        if expand {
            objects.extend(render(&self.input).map_err(|error| invalid(error, "correct the fields that are named"))?);
        }
        Ok(objects)
    }
}

/// Sets a field by its path: `a.b.c=value`. A value is a number, `true`, `false`, `{…}`, `[…]`, or else a string.
fn set(spec: &mut Value, assignment: &str) -> Result<(), StartupError> {
    let wrong =
        |why: &str| invalid(format!("--set {assignment}: {why}"), "write it as components.console.enabled=false");
    let (path, value) = assignment.split_once('=').ok_or_else(|| wrong("there is no '='"))?;
    let path = path.strip_prefix("spec.").unwrap_or(path);
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    let mut slot = spec;
    for key in path.split('.') {
        if key.is_empty() {
            return Err(wrong("a part of the field's path is empty"));
        }
        if slot.is_null() {
            *slot = Value::Object(Map::new());
        }
        slot = slot
            .as_object_mut()
            .ok_or_else(|| wrong("the path leads through a value"))?
            .entry(key)
            .or_insert(Value::Null);
    }
    *slot = value;
    Ok(())
}

#[cfg(test)]
pub(super) mod testing {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: InstallArgs,
    }

    /// The plan of a command line.
    pub fn plan(words: &[&str]) -> anyhow::Result<Plan> {
        Plan::new(&Line::parse_from(std::iter::once(&"install").chain(words)).args)
    }

    #[test]
    fn flags_make_a_mesh() {
        let words = [
            "--profile",
            "demo",
            "--revision",
            "v2",
            "--set",
            "image.hub=registry/weft",
            "--set",
            "components.ingressGateway.replicas=2",
        ];
        let plan = plan(&words).unwrap();
        assert_eq!(plan.mesh["metadata"]["name"], "weft-v2");
        assert_eq!(plan.mesh["spec"]["components"]["ingressGateway"]["replicas"], 2);
        assert!(plan.bootstrap.image.starts_with("registry/weft/operator:"));
        let kinds: Vec<String> =
            plan.manifests(false).unwrap().iter().map(|object| object["kind"].as_str().unwrap().to_owned()).collect();
        assert_eq!((kinds[0].as_str(), kinds.last().unwrap().as_str()), ("Namespace", "Mesh"));
        assert!(plan.manifests(true).unwrap().len() > kinds.len());
    }

    #[test]
    fn what_cannot_be_is_told_with_a_remedy() {
        for (words, expected) in [
            (vec!["--profile", "defualt"], "did you mean \"default\"?"),
            (vec!["--set", "components.consol.enabled=false"], "did you mean \"console\"?"),
            (vec!["--set", "profile"], "there is no '='"),
            (vec!["--set", "profile=demo", "--set", "profile.x=1"], "leads through a value"),
        ] {
            let error = plan(&words).err().unwrap();
            assert!(error.is::<StartupError>() && error.to_string().contains(expected), "{error}");
        }
    }
}
