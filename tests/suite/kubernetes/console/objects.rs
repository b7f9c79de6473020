//! Whole objects on the cluster: made, changed, removed and taken back with the token of whoever does it, by hand and by a
//! wizard.

use serde_json::{Value, json};
use weft_tests::{
    cluster::{Cluster, TestNamespace},
    wait::{ensure, until},
};

use super::{Console, KIND, SOON, person, split};

async fn timeout(cluster: &'static Cluster, namespace: &TestNamespace, name: &str) -> Value {
    let object = cluster.read(&[KIND, "-n", &namespace.name, name]).await.expect("the object");
    assert_eq!(object["metadata"]["annotations"]["note"], "kept", "{object}");
    object["spec"]["http"][0]["timeout"].clone()
}

impl Console {
    /// An object as the editor shows it, once its text fits.
    async fn object(&self, namespace: &str, name: &str, fits: impl Fn(&str) -> bool) -> Value {
        let query = "/api/v1/config/object?apiVersion=networking.istio.io/v1&kind=VirtualService";
        let path = format!("{query}&namespace={namespace}&name={name}");
        until(&format!("{namespace}/{name} is shown"), SOON, || async {
            let (status, object) = self.ask("GET", &path, None, &Value::Null).await;
            let yaml = object["yaml"].as_str().unwrap_or_default();
            ensure(status == 200 && fits(yaml), || format!("{status} {object}"))?;
            Ok(object)
        })
        .await
    }

    async fn apply(&self, edit: &Value, token: Option<&str>) -> (u16, Value) {
        self.ask("POST", "/api/v1/config/apply", token, edit).await
    }
}

#[tokio::test]
async fn objects_are_changed_in_the_users_name_by_hand_and_by_a_wizard() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let namespace = split(cluster, "objects", "").await;
    let name = namespace.name.as_str();
    let writer = person(&namespace, "writer", "get,list,watch,create,update,patch,delete").await;
    let reader = person(&namespace, "reader", "get,list,watch").await;
    let console = Console::open(cluster).await;

    // A look needs no token; a change needs one that may.
    let object = console.object(name, "store", |yaml| yaml.contains("timeout: 3s")).await;
    let yaml = object["yaml"].as_str().unwrap();
    assert!(!yaml.contains("managedFields"), "what nobody edits is left out: {yaml}");
    let edit = json!({
        "action": "update", "object": object["row"]["object"], "revision": object["revision"],
        "yaml": yaml.replace("timeout: 3s", "timeout: 5s"),
    });
    let (status, preview) = console.ask("POST", "/api/v1/config/preview", None, &edit).await;
    assert_eq!((status, &preview["ready"]), (200, &json!(true)), "{preview}");
    assert!(preview["diff"].as_str().unwrap().contains("timeout: 5s"), "{preview}");
    for (token, expected, kind) in [(None, 401, "no-token"), (Some(reader.as_str()), 403, "forbidden")] {
        let (status, refused) = console.apply(&edit, token).await;
        assert_eq!((status, &refused["type"]), (expected, &json!(kind)), "{refused}");
    }
    assert_eq!(timeout(cluster, &namespace, "store").await, "3s");
    let (status, done) = console.apply(&edit, Some(&writer)).await;
    assert_eq!(status, 200, "{done}");
    assert_eq!(timeout(cluster, &namespace, "store").await, "5s");
    let (status, stale) = console.apply(&edit, Some(&writer)).await;
    assert_eq!((status, &stale["type"]), (409, &json!("conflict")), "{stale}");
    let undo = format!("/api/v1/edits/{}/undo", done["id"].as_str().unwrap());
    let (status, back) = console.ask("POST", &undo, Some(&writer), &json!({})).await;
    assert_eq!(status, 200, "{back}");
    assert_eq!(timeout(cluster, &namespace, "store").await, "3s");

    // The wizard begins with what the cluster has, and its step is such an edit.
    console.object(name, "store", |yaml| yaml.contains("timeout: 3s")).await;
    let start = format!("/api/v1/wizards/timeouts?namespace={name}&name=store");
    let (status, form) = console.ask("GET", &start, None, &Value::Null).await;
    assert_eq!((status, &form["form"]["timeout"]), (200, &json!("3s")), "{form}");
    let mut filled = form["form"].clone();
    filled["timeout"] = json!("4s");
    let ask = json!({ "namespace": name, "name": "store", "form": filled });
    let (status, answer) = console.ask("POST", "/api/v1/wizards/timeouts", None, &ask).await;
    assert_eq!((status, answer["steps"].as_array().map(Vec::len)), (200, Some(1)), "{answer}");
    let (status, done) = console.apply(&answer["steps"][0]["edit"], Some(&writer)).await;
    assert_eq!(status, 200, "{done}");
    assert_eq!(timeout(cluster, &namespace, "store").await, "4s");
}

#[tokio::test]
async fn objects_come_and_go_in_the_users_name() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let namespace = split(cluster, "comings", "").await;
    let name = namespace.name.as_str();
    let writer = person(&namespace, "writer", "get,list,watch,create,update,patch,delete").await;
    let console = Console::open(cluster).await;
    let yaml = |timeout: &str| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: made\n  namespace: {name}\n  \
             annotations:\n    note: kept\nspec:\n  hosts: [made.example.com]\n  http:\n  - timeout: {timeout}\n    \
             route:\n    - destination:\n        host: store\n"
        )
    };
    let create = |timeout: &str| json!({ "action": "create", "yaml": yaml(timeout) });

    // What cannot stand is refused with its place, and nothing is made.
    let (status, refused) = console.apply(&create("soon"), Some(&writer)).await;
    assert!(status == 422 && refused.to_string().contains("\\\"soon\\\" is not a duration"), "{status} {refused}");
    let (status, made) = console.apply(&create("3s"), Some(&writer)).await;
    assert_eq!(status, 200, "{made}");
    assert_eq!(timeout(cluster, &namespace, "made").await, "3s");
    assert_eq!(console.apply(&create("3s"), Some(&writer)).await.1["type"], "exists");

    let object = console.object(name, "made", |yaml| yaml.contains("timeout: 3s")).await;
    let delete = json!({ "action": "delete", "object": object["row"]["object"], "revision": object["revision"] });
    assert_eq!(console.apply(&delete, None).await.0, 401);
    let (status, gone) = console.apply(&delete, Some(&writer)).await;
    assert_eq!(status, 200, "{gone}");
    cluster.wait_gone(&[KIND, "-n", name, "made"], SOON).await;
    let undo = format!("/api/v1/edits/{}/undo", gone["id"].as_str().unwrap());
    let (status, back) = console.ask("POST", &undo, Some(&writer), &json!({})).await;
    assert_eq!(status, 200, "{back}");
    assert_eq!(timeout(cluster, &namespace, "made").await, "3s");
}
