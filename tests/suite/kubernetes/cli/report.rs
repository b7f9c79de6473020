//! `weft bug-report`: all that is needed, and nothing that is secret.

use std::{fs, path::Path, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use weft_tests::{
    cluster::{Cluster, mesh::SYSTEM},
    wait::{ensure, until},
};

use super::{super::workload, weft};

const PASSWORD: &str = "correct-horse-battery-staple";

fn files(dir: &Path, found: &mut Vec<(String, Vec<u8>)>, base: &Path) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found, base);
        } else {
            found.push((path.strip_prefix(base).unwrap().display().to_string(), fs::read(&path).unwrap()));
        }
    }
}

fn holds(content: &[u8], needle: &[u8]) -> bool {
    content.windows(needle.len()).any(|window| window == needle)
}

/// The values of every Secret, decoded and as written. Certificates are no secrets: they are shown to whoever connects.
async fn secrets(cluster: &'static Cluster) -> Vec<(String, Vec<u8>)> {
    let list = cluster.read(&["secrets", "-A"]).await.unwrap();
    let mut all = Vec::new();
    for secret in list["items"].as_array().unwrap() {
        let name = format!("{}/{}", secret["metadata"]["namespace"], secret["metadata"]["name"]);
        for (key, value) in secret["data"].as_object().into_iter().flatten() {
            let text = value.as_str().unwrap();
            let decoded = STANDARD.decode(text).unwrap();
            if decoded.len() < 12 || decoded.starts_with(b"-----BEGIN CERTIFICATE-----") {
                continue;
            }
            all.push((format!("{name} {key}"), decoded));
            all.push((format!("{name} {key} in base64"), text.as_bytes().to_vec()));
        }
    }
    all
}

/// Configuration that holds a password wherever people put one.
fn configuration() -> Value {
    let object = |version: &str, kind: &str, spec: Value| {
        let metadata = json!({ "name": "planted" });
        json!({ "apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec })
    };
    let to_store = json!([{ "destination": { "host": "store" } }]);
    let items = [
        object(
            "networking.istio.io/v1",
            "VirtualService",
            json!({ "hosts": ["store"], "http": [
                { "match": [{ "headers": { "x-key": { "exact": PASSWORD } } }], "route": to_store },
                { "route": to_store, "headers": {
                    "request": { "set": { "authorization": format!("Bearer {PASSWORD}") } },
                    "response": { "add": { "x-planted": PASSWORD } },
                } },
            ] }),
        ),
        object(
            "extensions.istio.io/v1alpha1",
            "WasmPlugin",
            json!({ "selector": { "matchLabels": { "app": "nobody" } }, "url": "oci://registry.test/plugin:1",
                "pluginConfig": { "key": PASSWORD } }),
        ),
        object(
            "networking.istio.io/v1alpha3",
            "EnvoyFilter",
            json!({ "workloadSelector": { "labels": { "app": "nobody" } }, "configPatches": [
                { "applyTo": "HTTP_FILTER", "match": { "context": "SIDECAR_INBOUND" },
                    "patch": { "operation": "MERGE", "value": { "name": PASSWORD } } },
            ] }),
        ),
    ];
    json!({ "apiVersion": "v1", "kind": "List", "items": items })
}

#[tokio::test]
async fn a_report_has_what_is_needed_and_no_secret() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let namespace = workload::injected(cluster, "reported").await;
    let name = namespace.name.as_str();
    namespace
        .apply(
            &json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "database" },
                "stringData": { "password": format!("{PASSWORD}-of-a-secret") },
            })
            .to_string(),
        )
        .await;
    // People write passwords where they do not belong; kubectl repeats them in an annotation.
    let variable = format!("'weft/tools:0.1.0', env: [{{name: PASSWORD, value: {PASSWORD}}}]");
    let pod = workload::client("caller").replace("'weft/tools:0.1.0'", &variable);
    assert!(pod.contains(PASSWORD), "{pod}");
    namespace.apply(&pod).await;
    namespace.apply(&workload::app("store", 1)).await;
    cluster.rolled_out(name, "store-v1", Duration::from_secs(60)).await;
    namespace.kubectl(&["wait", "pod/caller", "--for=condition=Ready", "--timeout=60s"]).await;
    workload::answers(&namespace, "caller", "http://store/", 200).await;
    namespace.apply(&configuration().to_string()).await;
    until("the header is in force", Duration::from_secs(30), || async {
        let (_, answer) = workload::curl(&namespace, "caller", &["-i", "http://store/"]).await?;
        ensure(answer.contains("x-planted"), || answer.clone())
    })
    .await;

    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("report").display().to_string();
    // Proxies of other tests come and go meanwhile: enough of them that ours are among them.
    let args = ["bug-report", "--dir", target.as_str(), "--proxies", "200", "-o", "json"];
    let report = weft(cluster, &args).await.code(0).json();
    let mut found = Vec::new();
    files(Path::new(&target), &mut found, Path::new(&target));
    let mut listed: Vec<_> = report["files"].as_array().unwrap().iter().map(|file| file.as_str().unwrap()).collect();
    let mut names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    listed.sort_unstable();
    names.sort_unstable();
    assert_eq!(listed, names, "the report lists its files");

    let content = |wanted: &str| {
        let file = found.iter().find(|(name, _)| name == wanted);
        file.map(|(_, content)| content.as_slice()).unwrap_or_else(|| panic!("{wanted} is missing: {names:?}"))
    };
    let text = |wanted: &str| String::from_utf8_lossy(content(wanted)).into_owned();
    assert!(text("version.txt").contains(env!("CARGO_PKG_VERSION")) && text("version.txt").contains("Kubernetes v1."));
    assert!(text("status.txt").contains("READY") && text("check.txt").contains("control plane"));
    for (file, word) in [
        ("proxy-status.json", "caller"),
        ("installation/deployments.json", "weft-control-plane"),
        ("installation/configmaps.json", "weft-mesh"),
        ("configuration/Mesh.json", "default"),
        ("nodes.json", "kubeletVersion"),
        (format!("proxies/{name}/caller/pod.json").as_str(), "istio-proxy"),
        (format!("proxies/{name}/caller/config_dump").as_str(), "virtualOutbound"),
        (format!("proxies/{name}/caller/config_dump").as_str(), "x-planted"),
        (format!("proxies/{name}/caller/certs").as_str(), "spiffe://"),
        ("configuration/VirtualService.json", "x-planted"),
        ("configuration/WasmPlugin.json", "pluginConfig"),
        ("configuration/EnvoyFilter.json", "configPatches"),
        (format!("logs/{name}/caller/istio-proxy.log").as_str(), ""),
    ] {
        assert!(text(file).contains(word), "{file} has no {word}");
    }
    for (start, end) in [("logs/weft-system/weft-operator-", "operator.log"), ("control-plane/", "debug-syncz")] {
        assert!(names.iter().any(|name| name.starts_with(start) && name.ends_with(end)), "{start}…{end}: {names:?}");
    }
    let missing = report["missing"].as_array().unwrap();
    let ours = |words: &&Value| words.as_str().is_some_and(|words| words.contains(name));
    assert_eq!(missing.iter().find(ours), None, "{report}");

    // By the bytes: no Secret's value, no key, no token, no password.
    let token = cluster.kubectl(&["-n", SYSTEM, "create", "token", "weft-operator"]).await;
    let issuer = token.trim().split('.').next().unwrap().as_bytes().to_vec();
    let mut forbidden = secrets(cluster).await;
    assert!(forbidden.iter().any(|(name, _)| name.contains("ca-key.pem")), "the authority's key is looked for");
    forbidden.extend([
        ("a private key".to_owned(), b"PRIVATE KEY".to_vec()),
        ("a service account's token".to_owned(), issuer),
        ("a JSON web token".to_owned(), b"eyJhbGciOi".to_vec()),
        ("a password of an environment or of configuration".to_owned(), PASSWORD.as_bytes().to_vec()),
    ]);
    for (file, content) in &found {
        for (what, needle) in &forbidden {
            assert!(!holds(content, needle), "{file} holds {what}");
        }
    }

    let again = weft(cluster, &args).await.code(2);
    assert!(again.err.contains("--dir"), "{again:?}");
    let other = dir.path().join("other").display().to_string();
    let said = weft(cluster, &["bug-report", "--dir", &other, "--proxies", "0", "--log-lines", "5"]).await.code(0);
    assert!(said.out.contains("look through it before you hand it on"), "{said:?}");
}
