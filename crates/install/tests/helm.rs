//! Helm itself on the chart: what it renders is what `weft install` applies.

#![allow(clippy::unwrap_used, reason = "a binary that is all tests")]

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use serde_json::{Value, json};
use weft_install::{
    Capabilities, MeshInput, VERSION,
    render::{bootstrap::Bootstrap, leave},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Helm, built from its Go module; Go's cache makes the second time quick.
static HELM: LazyLock<PathBuf> = LazyLock::new(|| {
    let helm = Path::new(env!("CARGO_TARGET_TMPDIR")).join("helm");
    let output = Command::new("go")
        .args(["build", "-o"])
        .arg(&helm)
        .arg("helm.sh/helm/v3/cmd/helm")
        .current_dir(root().join("tests/helm"))
        .output()
        .expect("Go builds Helm: run scripts/bootstrap");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    helm
});

fn helm(words: &[&str]) -> Result<String, String> {
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(&*HELM)
        .args(words)
        .current_dir(root().join("charts"))
        .env("HOME", home.path())
        .env_remove("KUBECONFIG")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(format!("{}{}", text(&output.stdout), text(&output.stderr)))
    }
}

/// What an installation applies.
fn template(words: &[&str]) -> Result<Vec<Value>, String> {
    rendered(&[&["--no-hooks"][..], words].concat())
}

/// What the removal begins with.
fn hooks(words: &[&str]) -> Vec<Value> {
    let mut objects = rendered(words).unwrap();
    objects.retain(|object| object["metadata"]["annotations"]["helm.sh/hook"].is_string());
    objects
}

fn rendered(words: &[&str]) -> Result<Vec<Value>, String> {
    // Built from its module, Helm knows of no cluster's version but an old one.
    let fixed = ["template", "weft", "weft", "--namespace", "weft-system", "--kube-version", "1.35.0"];
    let text = helm(&[&fixed, words].concat())?;
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    Ok(objects.into_iter().filter(|object| !object.is_null()).collect())
}

fn sorted(mut objects: Vec<Value>) -> Vec<Value> {
    objects.sort_by_key(|object| format!("{} {}", object["kind"], object["metadata"]["name"]));
    objects
}

#[test]
fn the_chart_renders_what_weft_install_applies() {
    helm(&["lint", "weft", "--strict"]).unwrap();
    let mut objects = template(&["--include-crds"]).unwrap();
    let mesh = objects.iter().position(|object| object["kind"] == "Mesh").map(|at| objects.remove(at)).unwrap();
    let mut expected = Bootstrap::default().objects();
    expected.extend(weft_install::crds().into_iter().filter(|crd| !crd.foreign).map(|crd| crd.definition));
    assert_eq!(sorted(objects), sorted(expected));
    let input = MeshInput::from_json(&mesh, "weft-system", Capabilities::default()).unwrap();
    assert_eq!(input.mesh.image.tag.as_deref(), Some(VERSION));
    assert_eq!(input.name, "weft");
}

#[test]
fn values_reach_the_objects_and_wrong_ones_are_refused() {
    let words = [
        "--set",
        "replicas=3,image.hub=registry.example.org/weft,image.tag=t,image.pullPolicy=Never",
        "--set",
        "image.pullSecrets={a,b},mesh.spec.profile=demo",
    ];
    let mut objects = template(&words).unwrap();
    let mesh = objects.iter().position(|object| object["kind"] == "Mesh").map(|at| objects.remove(at)).unwrap();
    let expected = Bootstrap {
        replicas: 3,
        image: "registry.example.org/weft/operator:t".into(),
        pull_policy: "Never".into(),
        pull_secrets: vec!["a".into(), "b".into()],
        ..Bootstrap::default()
    };
    assert_eq!(sorted(objects), sorted(expected.objects()));
    assert_eq!(mesh["spec"]["profile"], "demo");
    let image =
        json!({"hub": "registry.example.org/weft", "tag": "t", "pullPolicy": "Never", "pullSecrets": ["a", "b"]});
    assert_eq!(mesh["spec"]["image"], image);
    assert!(!template(&["--set", "mesh.create=false"]).unwrap().iter().any(|object| object["kind"] == "Mesh"));
    assert!(template(&["--set", "replica=3"]).unwrap_err().contains("replica"));
    assert!(template(&["--set", "mesh.spec.profile=huge"]).unwrap_err().contains("profile"));
    // The API server would drop what it does not know, and Helm would only warn of it.
    for wrong in
        ["components.ingressGateway.replcias=3", "components.proxy.resources.limts.cpu=1", "revison=v2", "tags=a"]
    {
        let field = wrong.split('=').next().unwrap().rsplit('.').find(|name| *name != "cpu").unwrap();
        let told = template(&["--set", &format!("mesh.spec.{wrong}")]).unwrap_err();
        assert!(told.contains("schema") && told.contains(field), "{wrong}: {told}");
    }
    assert!(template(&["--set", "image=null"]).unwrap_err().contains("image"));
    let free = "mesh.spec.meshConfig.defaultConfig.anything=1,mesh.spec.components.controlPlane.env.A=b";
    let amounts =
        "mesh.spec.components.proxy.resources.limits.cpu=2,mesh.spec.components.proxy.resources.limits.memory=64Mi";
    let lists = "mesh.spec.tags={prod},mesh.spec.components.ingressGateway.servicePorts[0].name=a";
    let port = "mesh.spec.components.ingressGateway.servicePorts[0].port=9000";
    template(&["--set", &[free, amounts, lists, port].join(",")]).unwrap();
}

#[test]
fn the_removal_begins_with_the_mesh() {
    assert_eq!(sorted(hooks(&[])), sorted(leave::objects(&Bootstrap::default(), "weft")));
    let words = ["--set", "image.hub=h,image.tag=t,image.pullPolicy=Never,image.pullSecrets={a},mesh.name=main"];
    let chosen = Bootstrap {
        image: "h/operator:t".into(),
        pull_policy: "Never".into(),
        pull_secrets: vec!["a".into()],
        ..Bootstrap::default()
    };
    assert_eq!(sorted(hooks(&words)), sorted(leave::objects(&chosen, "main")));
    // A Mesh that somebody else applied is his to delete.
    let only_looks = leave::objects(&Bootstrap::default(), "");
    assert_eq!(sorted(hooks(&["--set", "mesh.create=false"])), sorted(only_looks));
}
