//! What several people keep and do, and what the others are told of it.

use super::*;

/// One request in the name of somebody whom the proxy signed in; nobody, where that is empty.
async fn ask(console: &Running, who: &str, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let mut request = console.request(method, path);
    if !who.is_empty() {
        request = request.header("x-forwarded-user", who).header("x-forwarded-email", format!("{who}@example.org"));
    }
    let request = request.header("x-weft-request", "1").header(header::CONTENT_TYPE, "application/json");
    let answer = request.body(body.map(|body| body.to_string()).unwrap_or_default()).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
}

#[tokio::test]
async fn views_are_shared_with_whoever_sees_what_they_show() {
    let roles = tempfile::NamedTempFile::new().unwrap();
    let text = "p, role:shop, *, get, shop/*, allow\ng, bo@example.org, role:shop\ng, ada@example.org, role:viewer\n\
                g, root@example.org, role:admin\n";
    std::fs::write(roles.path(), text).unwrap();
    let roles = format!("--roles-file={}", roles.path().display());
    let proxy = ["--public-url=http://127.0.0.1:20001", "--trusted-proxies=127.0.0.1/32", "--anonymous", &roles];
    let console = Running::start(&proxy).await;
    let view = |name: &str, location: &str| json!({"name": name, "location": location, "shared": true});

    let (status, refused) =
        ask(&console, "", Method::POST, "/api/v1/views", Some(view("free text", "#/graph?ns=shop"))).await;
    assert_eq!((status, &refused["type"]), (403, &json!("forbidden")), "{refused}");
    let (status, refused) = ask(&console, "", Method::GET, "/api/v1/audit", None).await;
    assert_eq!((status, &refused["type"]), (403, &json!("no-rights")), "{refused}");
    let save = async |name: &str, location: &str| {
        let (status, saved) = ask(&console, "ada", Method::POST, "/api/v1/views", Some(view(name, location))).await;
        assert_eq!((status, &saved["owner"]), (201, &json!("ada@example.org")), "{saved}");
        saved["id"].as_str().unwrap().to_owned()
    };
    let shop = save("shop", "#/graph?ns=shop").await;
    let ingress = save("ingress", "#/graph?ns=istio-ingress").await;
    let told = async |who: &str| -> Vec<(String, String)> {
        let (_, list) = ask(&console, who, Method::GET, "/api/v1/views", None).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        list["views"].as_array().unwrap().iter().map(|view| (text(&view["name"]), text(&view["owner"]))).collect()
    };
    let told_of = |names: &[&str], owner: &str| -> Vec<(String, String)> {
        names.iter().map(|name| ((*name).to_owned(), owner.to_owned())).collect()
    };
    assert_eq!(told("ada").await, told_of(&["ingress", "shop"], "ada@example.org"));
    assert_eq!(told("bo").await, told_of(&["shop"], "ada"), "neither what is hidden nor an address");
    assert_eq!(told("").await, told_of(&["ingress", "shop"], "ada"));
    assert_eq!(told("root").await, told_of(&["ingress", "shop"], "ada@example.org"));

    let path = |id: &str| format!("/api/v1/views/{id}");
    assert_eq!(ask(&console, "", Method::DELETE, &path(&shop), None).await.0, 403);
    assert_eq!(ask(&console, "bo", Method::DELETE, &path(&shop), None).await.0, 404);
    assert_eq!(ask(&console, "ada", Method::DELETE, &path(&shop), None).await.0, 204);
    assert_eq!(ask(&console, "root", Method::DELETE, &path(&ingress), None).await.0, 204);
    let (_, audit) = ask(&console, "root", Method::GET, "/api/v1/audit", None).await;
    let entries = audit["entries"].as_array().unwrap();
    let entries = entries.iter().filter(|entry| entry["action"] != "sign-in");
    let done: Vec<_> =
        entries.map(|entry| (entry["action"].as_str().unwrap(), entry["who"].as_str().unwrap())).collect();
    let (ada, root) = ("ada@example.org", "root@example.org");
    let wanted = [
        ("delete", root),
        ("delete", ada),
        ("denied", "anonymous"),
        ("create", ada),
        ("create", ada),
        ("denied", "anonymous"),
    ];
    assert_eq!(done, wanted, "{audit}");
    console.stop().await;
}

/// Seeing a namespace is not reading what is in it.
#[tokio::test]
async fn the_audit_tells_a_change_to_whoever_may_read_the_object() {
    let roles = tempfile::NamedTempFile::new().unwrap();
    let text = "p, role:watch, namespaces, get, shop/*, allow\ng, bo@example.org, role:watch\n\
                p, role:read, *, get, shop/*, allow\ng, cy@example.org, role:read\ng, root@example.org, role:admin\n";
    std::fs::write(roles.path(), text).unwrap();
    let roles = format!("--roles-file={}", roles.path().display());
    let proxy = ["--public-url=http://127.0.0.1:20001", "--trusted-proxies=127.0.0.1/32", "--anonymous", &roles];
    let console = Running::start(&proxy).await;
    let (_, canaries) = ask(&console, "root", Method::GET, "/api/v1/canaries", None).await;
    let canary = &canaries["canaries"][0];
    let edit =
        json!({"object": canary["object"], "routeIndex": 1, "weights": [50, 50], "revision": canary["revision"]});
    let (status, done) = ask(&console, "root", Method::POST, "/api/v1/canaries/apply", Some(edit)).await;
    assert_eq!(status, 200, "{done}");
    for (who, reads) in [("root", true), ("cy", true), ("bo", false)] {
        let (_, audit) = ask(&console, who, Method::GET, "/api/v1/audit?action=weights", None).await;
        let entry = &audit["entries"][0];
        assert_eq!((&entry["who"], &entry["object"]["name"]), (&json!("root@example.org"), &json!("order-service")));
        let (diff, detail) = (entry["diff"].as_str().unwrap(), entry["detail"].as_str().unwrap());
        assert_eq!((diff.contains("weight: 50"), detail.contains("90/10")), (reads, reads), "{who}: {audit}");
        let file = console.request(Method::GET, "/api/v1/audit?format=csv").header("x-forwarded-user", who);
        let file = file.header("x-forwarded-email", format!("{who}@example.org")).send().await.unwrap();
        assert_eq!(file.text().await.unwrap().contains("90/10"), reads, "{who}");
    }
    assert_eq!(ask(&console, "", Method::GET, "/api/v1/audit", None).await.0, 403);
    console.stop().await;
}
