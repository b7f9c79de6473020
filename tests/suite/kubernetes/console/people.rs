//! The console of a Mesh with sign-in: the API server says what people see, and changes are made in their name.

use serde_json::{Value, json};
use weft_tests::{
    cluster::{
        Cluster,
        forward::Forward,
        mesh::{SYSTEM, mesh},
    },
    http::send,
    wait::{ensure, until},
};

use super::{SOON, grant, split, weights};

const REVISION: &str = "people";
const CONSOLE: &str = "weft-console-people";

/// Whom the proxy in front of the console signed in.
struct Person<'a> {
    user: &'a str,
    groups: &'a str,
}

const ADA: Person<'_> = Person { user: "ada@example.org", groups: "shop-team" };
const BOB: Person<'_> = Person { user: "bob@example.org", groups: "" };

async fn ask(forward: &Forward, method: &str, path: &str, person: Option<&Person<'_>>, body: &Value) -> (u16, Value) {
    let mut headers = vec![("x-weft-request", "1"), ("content-type", "application/json")];
    if let Some(person) = person {
        headers.extend([("x-forwarded-user", person.user), ("x-forwarded-groups", person.groups)]);
    }
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let host = forward.address.to_string();
    let answer = send(forward.address, method, &host, path, &headers, body.into()).await.expect("the console answers");
    (answer.status.as_u16(), answer.json())
}

#[tokio::test]
async fn people_see_and_change_what_the_api_server_lets_them() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let shop = split(cluster, "people", "").await;
    let other = split(cluster, "hidden", "").await;
    grant(&shop, ("Group", "shop-team"), &["get", "list", "watch", "patch"]).await;
    grant(&other, ("User", "nobody@example.org"), &["get"]).await;
    let spec = json!({
        "profile": "minimal",
        "revision": REVISION,
        "components": { "console": { "enabled": true }, "controlPlane": { "replicas": 1 } },
        "signIn": { "publicUrl": "http://127.0.0.1:20001", "trustedProxies": ["127.0.0.1/32"], "impersonate": true },
    });
    let mesh = mesh(REVISION, &spec);
    cluster.apply(&mesh).await;
    cluster.mesh_ready(REVISION).await;
    let console = cluster.forward(SYSTEM, &format!("deployment/{CONSOLE}"), 20001).await;

    // Nobody in particular is asked to sign in; names of Kubernetes itself are not believed from any proxy.
    let (status, refused) = ask(&console, "GET", "/api/v1/canaries", None, &Value::Null).await;
    assert_eq!((status, &refused["type"]), (401, &json!("sign-in")), "{refused}");
    let admin = Person { user: "system:admin", groups: "system:masters" };
    let (status, refused) = ask(&console, "GET", "/api/v1/canaries", Some(&admin), &Value::Null).await;
    assert_eq!((status, &refused["type"]), (403, &json!("bad-proxy-headers")), "{refused}");

    // Ada sees her team's namespace and no other.
    let canary = until("ada sees her canary", SOON, async || {
        let list = ask(&console, "GET", "/api/v1/canaries", Some(&ADA), &Value::Null).await.1;
        let all = list["canaries"].as_array().ok_or_else(|| list.to_string())?;
        ensure(all.iter().all(|canary| canary["object"]["namespace"] == shop.name), || list.to_string())?;
        all.first().cloned().ok_or_else(|| list.to_string())
    })
    .await;
    let (_, nothing) = ask(&console, "GET", "/api/v1/canaries", Some(&BOB), &Value::Null).await;
    assert_eq!(nothing["canaries"], json!([]), "{nothing}");
    let (_, who) = ask(&console, "GET", "/api/v1/who", Some(&ADA), &Value::Null).await;
    assert_eq!((&who["user"], &who["rights"][0]["allowed"]), (&json!("ada@example.org"), &json!(true)), "{who}");

    // The installation gives no right to impersonate, and without one nothing is written.
    let edit = |weights: [u32; 2]| {
        json!({
            "object": canary["object"], "routeIndex": canary["routeIndex"], "weights": weights,
            "revision": canary["revision"],
        })
    };
    let (status, refused) = ask(&console, "POST", "/api/v1/canaries/apply", Some(&ADA), &edit([70, 30])).await;
    assert_eq!(status, 403, "{refused}");
    assert!(refused.to_string().contains("impersonate"), "{refused}");
    assert_eq!(weights(cluster, &shop.name).await, json!([90, 10]));

    // With it the API server judges Ada, and nobody else.
    let account = format!("--serviceaccount={SYSTEM}:{CONSOLE}");
    let role = ["create", "clusterrole", "people-impersonate", "--verb=impersonate", "--resource=users,groups"];
    cluster.kubectl(&role).await;
    let binding = ["create", "clusterrolebinding", "people-impersonate", "--clusterrole=people-impersonate", &account];
    cluster.kubectl(&binding).await;
    let (status, refused) = ask(&console, "POST", "/api/v1/canaries/apply", Some(&BOB), &edit([70, 30])).await;
    assert!(matches!(status, 403 | 404), "{status} {refused}");
    assert_eq!(weights(cluster, &shop.name).await, json!([90, 10]));
    until("ada moves her weights", SOON, async || {
        let (status, done) = ask(&console, "POST", "/api/v1/canaries/apply", Some(&ADA), &edit([70, 30])).await;
        ensure(status == 200, || format!("{status} {done}"))
    })
    .await;
    assert_eq!(weights(cluster, &shop.name).await, json!([70, 30]));

    cluster.kubectl(&["delete", "clusterrole,clusterrolebinding", "people-impersonate"]).await;
    cluster.delete(&mesh).await;
}
