//! `weft console` on the cluster: by a port-forward to the console's pod, as whoever the kubeconfig's token is.

use std::time::Duration;

use serde_json::{Value, json};
use weft_tests::{
    cluster::{
        Cluster,
        mesh::{SYSTEM, mesh},
    },
    wait::{ensure, until},
};

use super::{
    super::console::{grant, split},
    kubeconfig::kubeconfig,
    weft, with,
};

const REVISION: &str = "terminal";
const LIMIT: Duration = Duration::from_secs(90);

#[tokio::test]
async fn graph_and_canaries_are_those_that_the_tokens_owner_may_see() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let shop = split(cluster, "terminal", "").await;
    let other = split(cluster, "unseen", "").await;
    let spec = json!({
        "profile": "minimal",
        "revision": REVISION,
        "components": { "console": { "enabled": true }, "controlPlane": { "replicas": 1 } },
        "signIn": { "publicUrl": "http://127.0.0.1:20001", "trustedProxies": ["127.0.0.1/32"] },
    });
    let mesh = mesh(REVISION, &spec);
    cluster.apply(&mesh).await;
    cluster.mesh_ready(REVISION).await;

    // Somebody who may reach the console's pod, and see one of two namespaces.
    shop.kubectl(&["create", "serviceaccount", "teller"]).await;
    let account = format!("system:serviceaccount:{}:teller", shop.name);
    grant(&shop, ("User", &account), &["get", "list"]).await;
    let role = format!("{}-reach", shop.name);
    let rights = ["--verb=get,list,create", "--resource=pods,pods/portforward", "-n", SYSTEM];
    cluster.kubectl(&[&["create", "role", role.as_str()][..], &rights[..]].concat()).await;
    let bind = [format!("--role={role}"), format!("--user={account}")];
    cluster.kubectl(&["create", "rolebinding", &role, &bind[0], &bind[1], "-n", SYSTEM]).await;
    let token = shop.kubectl(&["create", "token", "teller"]).await;
    let view = cluster.kubectl(&["config", "view", "--raw", "--flatten", "-o", "json"]).await;
    let real: Value = serde_json::from_str(&view).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("teller").display().to_string();
    let user = json!({ "token": token.trim() });
    std::fs::write(&file, kubeconfig("teller", &real["clusters"][0]["cluster"], &user)).unwrap();
    let teller = [("KUBECONFIG", file.as_str())];

    let list = until("the teller sees the canary of one namespace", LIMIT, || async {
        let run = with(cluster, &teller, &["console", "canaries", "--revision", REVISION, "-o", "json"]).await;
        ensure(run.code == 0, || format!("{run:?}"))?;
        let list = run.json();
        ensure(list["canaries"].as_array().is_some_and(|all| !all.is_empty()), || list.to_string())?;
        Ok(list)
    })
    .await;
    let all = list["canaries"].as_array().unwrap();
    assert!(all.iter().all(|canary| canary["object"]["namespace"] == shop.name), "{list}");
    let text = with(cluster, &teller, &["console", "canaries", "--revision", REVISION]).await.code(0).out;
    assert!(text.contains(&format!("{}/store http[0]", shop.name)) && !text.contains(&other.name), "{text}");
    let graph =
        with(cluster, &teller, &["console", "graph", "--revision", REVISION, "-o", "json"]).await.code(0).json();
    assert_eq!(graph["view"], "workload", "{graph}");
    assert!(!graph.to_string().contains(&other.name), "{graph}");
    let session = with(cluster, &teller, &["console", "session", "--revision", REVISION]).await.code(0).out;
    assert!(session.starts_with(&format!("{account} (token)")), "{session}");

    // A token that nobody gave out is refused in the console's words, and not shown.
    let variables = [("KUBECONFIG", file.as_str()), ("WEFT_CONSOLE_TOKEN", "ey.made.up")];
    let refused = with(cluster, &variables, &["console", "graph", "--revision", REVISION]).await.code(2).err;
    assert!(refused.contains("401") && !refused.contains("made.up"), "{refused}");

    // Without a revision the default one's console is asked, which asks nobody.
    let everything = weft(cluster, &["console", "canaries", "-n", &other.name, "-o", "json"]).await.code(0).json();
    assert!(everything["canaries"].as_array().is_some_and(|all| all.len() == 1), "{everything}");

    cluster.kubectl(&["delete", "role,rolebinding", &role, "-n", SYSTEM]).await;
    cluster.delete(&mesh).await;
}
