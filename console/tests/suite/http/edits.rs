//! Whole objects made, changed and removed over HTTP, on a directory of their own.

use weft_console::db::{DatabaseUrl, State, UndoRecord};

use super::*;
use crate::parts::Postgres;

const OBJECT: &str =
    "/api/v1/config/object?apiVersion=networking.istio.io/v1&kind=VirtualService&namespace=shop&name=order-service";

async fn preview(console: &Running, edit: &Value) -> Value {
    let (status, preview) = console.post("/api/v1/config/preview", edit).await;
    assert_eq!(status, 200, "{preview}");
    preview
}

#[tokio::test]
async fn an_object_is_changed_with_its_file() {
    let console = Running::start(&[]).await;
    let object = console.json(OBJECT).await;
    assert_eq!(object["sentences"][1], "Requests with x-canary: true go to subset v2 of order-service.");
    let yaml = object["yaml"].as_str().unwrap();
    let edit = |yaml: &str| json!({"action": "update", "object": object["row"]["object"], "yaml": yaml, "revision": object["revision"]});

    // Slips are told where they are, with what was meant.
    let slip = preview(&console, &edit(&yaml.replace("hosts:", "hots:"))).await;
    assert_eq!(slip["ready"], false);
    let named = slip["findings"].as_array().unwrap().iter().find(|finding| finding["field"] == "spec.hots");
    assert_eq!(named.unwrap_or_else(|| panic!("{slip}"))["suggestion"], "did you mean \"hosts\"?");

    // Lint looks at the text as if it was in force, and does not stand in the way.
    let wrong =
        preview(&console, &edit(&yaml.replace("subset: v2}\n      weight: 10", "subset: v9}\n      weight: 10"))).await;
    let finding = &wrong["findings"][0];
    assert_eq!((&finding["line"], &finding["suggestion"]), (&json!(17), &json!("did you mean \"v1\"?")), "{wrong}");
    assert_eq!(wrong["ready"], true);

    let new = yaml.replace("weight: 90 # most", "weight: 80 # most").replace("weight: 10", "weight: 20");
    let seen = preview(&console, &edit(&new)).await;
    assert!(seen["diff"].as_str().unwrap().contains("+      weight: 80 # most"), "{seen}");
    assert_eq!(seen["findings"], json!([]));
    assert!(seen["sentences"][2].as_str().unwrap().contains("80 % to subset v1"), "{seen}");
    assert_eq!(console.text("orders.yaml"), ORDERS, "a preview writes nothing");

    let (status, done) = console.post("/api/v1/config/apply", &edit(&new)).await;
    assert_eq!(status, 200, "{done}");
    assert_eq!(
        console.text("orders.yaml"),
        ORDERS.replace("weight: 90", "weight: 80").replace("weight: 10", "weight: 20")
    );
    // Whoever keeps the undo sees by the list whether it is still of what is there.
    let content = async || console.json(OBJECT).await["row"]["content"].clone();
    assert_ne!(done["content"], object["row"]["content"]);
    assert_eq!(done["content"], content().await);
    // The same again starts from what is gone: theirs is told, and nothing is written.
    let conflict = preview(&console, &edit(&new.replace("80", "70").replace("20", "30"))).await;
    assert_eq!(conflict["conflict"]["yaml"], new.trim_end(), "{conflict}");
    assert_eq!(console.post("/api/v1/config/apply", &edit(&new)).await.0, 409);

    let undo = format!("/api/v1/edits/{}/undo", done["id"].as_str().unwrap());
    assert_eq!(console.post(&undo, &json!({})).await.0, 200);
    assert_eq!(console.text("orders.yaml"), ORDERS);
    assert_eq!(console.post(&undo, &json!({})).await.0, 404, "once");
    // Both are in the history of the route whose weights they moved.
    let history = OBJECT.replace("config/object", "canaries/history") + "&routeIndex=1";
    let changes = console.json(&history).await["changes"].clone();
    let weights = |at: usize| (changes[at]["from"].clone(), changes[at]["to"].clone());
    assert_eq!(weights(1), (json!([90, 10]), json!([80, 20])), "{changes}");
    assert_eq!(weights(0), (json!([80, 20]), json!([90, 10])), "{changes}");
    assert_eq!(changes[0]["undoes"], changes[1]["id"]);
    assert_eq!((&changes[0]["by"], changes.as_array().map(Vec::len)), (&json!("local"), Some(2)));
    console.stop().await;
}

#[tokio::test]
async fn objects_come_and_go() {
    let console = Running::start(&[]).await;
    let schema = console.json("/api/v1/config/schema?kind=PeerAuthentication&namespace=shop").await;
    let field = schema["fields"].as_array().unwrap().iter().find(|field| field["path"] == "spec.mtls.mode").unwrap();
    assert_eq!(field["words"], json!(["UNSET", "DISABLE", "PERMISSIVE", "STRICT"]));
    assert_eq!(schema["names"]["subsets"], json!(["v1", "v2"]));
    let create = json!({"action": "create", "yaml": schema["template"]});
    let seen = preview(&console, &create).await;
    assert_eq!((&seen["ready"], &seen["findings"]), (&json!(true), &json!([])), "{seen}");
    let (status, done) = console.post("/api/v1/config/apply", &create).await;
    assert_eq!(status, 200, "{done}");
    assert_eq!(console.text("my-peerauthentication-peerauthentication.yaml"), schema["template"].as_str().unwrap());
    assert_eq!(console.post("/api/v1/config/apply", &create).await.1["type"], "exists");
    assert_eq!(console.post(&format!("/api/v1/edits/{}/undo", done["id"].as_str().unwrap()), &json!({})).await.0, 200);
    assert!(!console.file("my-peerauthentication-peerauthentication.yaml").exists());

    // What would break is told before anything is removed.
    let rule = OBJECT.replace("VirtualService", "DestinationRule");
    let object = console.json(&rule).await;
    let delete = json!({"action": "delete", "object": object["row"]["object"], "revision": object["revision"]});
    let seen = preview(&console, &delete).await;
    assert!(seen["newFindings"].as_array().unwrap().len() >= 2, "{seen}");
    let (status, done) = console.post("/api/v1/config/apply", &delete).await;
    assert_eq!(status, 200, "{done}");
    assert_eq!(console.text("orders.yaml"), ORDERS.split_once("---").unwrap().0);
    assert_eq!(problem(console.get(&rule).await).await.0, 404);
    console.stop().await;
}

#[tokio::test]
async fn hostile_texts_get_clear_words() {
    let console = Running::start(&[]).await;
    let create = |yaml: &str| json!({"action": "create", "yaml": yaml});
    for (yaml, words) in [
        ("a: 1\na: 2", "written twice"),
        ("kind: A\n\tname: b", "a tab indents"),
        ("a: \0", "NUL"),
        ("", "no object"),
        (ORDERS, "one object at a time"),
    ] {
        let seen = preview(&console, &create(yaml)).await;
        assert!(seen["findings"][0]["message"].as_str().unwrap().contains(words), "{words}: {seen}");
        let (status, refused) = console.post("/api/v1/config/apply", &create(yaml)).await;
        assert_eq!((status.as_u16(), &refused["type"]), (422, &json!("not-an-object")), "{refused}");
    }
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: shop}\nstringData: {a: b}\n";
    let (status, refused) = console.post("/api/v1/config/apply", &create(secret)).await;
    assert_eq!((status.as_u16(), &refused["type"]), (403, &json!("kind-not-edited")), "{refused}");
    let (status, refused) = console.post("/api/v1/config/apply", &create(&"x".repeat(10_000_000))).await;
    assert_eq!((status.as_u16(), &refused["type"]), (413, &json!("too-large")), "{refused}");
    assert_eq!(std::fs::read_dir(console.dir.path().join("config")).unwrap().count(), 2);
    console.stop().await;
}

const PEER: &str = "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: strict, namespace: shop}\nspec: {mtls: {mode: STRICT}}\n";

/// Files that a made object is in.
fn files_with(console: &Running, word: &str) -> usize {
    let files = std::fs::read_dir(console.dir.path().join("config")).unwrap();
    files.filter(|file| std::fs::read_to_string(file.as_ref().unwrap().path()).unwrap().contains(word)).count()
}

#[tokio::test]
async fn another_replica_takes_an_edit_back() {
    let database = format!("--database={}", Postgres::shared().database().await);
    let key = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(key.path(), [7; 32]).unwrap();
    let key = format!("--session-key-file={}", key.path().display());
    let one = Running::start(&[&database, &key]).await;
    let config = format!("--config-dir={}", one.dir.path().join("config").display());
    let two = Running::start(&[&database, &key, &config]).await;
    let (status, done) = one.post("/api/v1/config/apply", &json!({"action": "create", "yaml": PEER})).await;
    assert_eq!((status.as_u16(), files_with(&one, "STRICT")), (200, 1), "{done}");
    let undo = format!("/api/v1/edits/{}/undo", done["id"].as_str().unwrap());
    let (status, undone) = two.post(&undo, &json!({})).await;
    assert_eq!((status.as_u16(), files_with(&one, "STRICT")), (200, 0), "{undone}");
    assert_eq!(one.post(&undo, &json!({})).await.0, 404, "once");
    two.stop().await;
    one.stop().await;
}

/// Only the console that moved weights knew the very bytes; another one left `weight: 0` where nothing had been written.
#[tokio::test]
async fn another_replica_takes_weights_back_as_they_were_written() {
    let database = format!("--database={}", Postgres::shared().database().await);
    let key = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(key.path(), [7; 32]).unwrap();
    let key = format!("--session-key-file={}", key.path().display());
    let kept = tempfile::tempdir().unwrap();
    let written = ORDERS.replace("subset: v2}\n      weight: 10\n", "subset: v2}\n");
    assert_ne!(written, ORDERS);
    std::fs::write(kept.path().join("orders.yaml"), &written).unwrap();
    let text = || std::fs::read_to_string(kept.path().join("orders.yaml")).unwrap();
    let config = format!("--config-dir={}", kept.path().display());
    let one = Running::start(&[&database, &key, &config]).await;
    let two = Running::start(&[&database, &key, &config]).await;
    let canary = one.json("/api/v1/canaries").await["canaries"][0].clone();
    let edit =
        json!({"object": canary["object"], "routeIndex": 1, "weights": [50, 50], "revision": canary["revision"]});
    let (status, done) = one.post("/api/v1/canaries/apply", &edit).await;
    assert_eq!((status.as_u16(), text().matches("weight: 50").count()), (200, 2), "{done}");
    one.stop().await;
    until("the other console sees the move", async || {
        let now = two.json("/api/v1/canaries").await["canaries"][0]["revision"].clone();
        (now == done["revision"]).then_some(())
    })
    .await;
    let undo = format!("/api/v1/edits/{}/undo", done["id"].as_str().unwrap());
    let (status, undone) = two.post(&undo, &json!({})).await;
    assert_eq!((status.as_u16(), text()), (200, written), "{undone}");
    assert_eq!(two.post(&undo, &json!({})).await.0, 409, "once");
    two.stop().await;
}

/// What a restart forgot could not be taken back, and whoever knew an edit's id could take it back.
#[tokio::test]
async fn an_edit_is_taken_back_after_a_restart_by_whoever_made_it() {
    let kept = tempfile::tempdir().unwrap();
    std::fs::create_dir(kept.path().join("config")).unwrap();
    std::fs::write(kept.path().join("config/orders.yaml"), ORDERS).unwrap();
    std::fs::write(kept.path().join("roles.csv"), "g, ada, role:admin\ng, bo, role:admin\n").unwrap();
    let flag = |name: &str, file: &str| format!("--{name}={}", kept.path().join(file).display());
    let (roles, config, data) =
        (flag("roles-file", "roles.csv"), flag("config-dir", "config"), flag("data-dir", "data"));
    let public = "--public-url=http://127.0.0.1:20001";
    let flags = [public, "--trusted-proxies=127.0.0.1/32", &roles, &config, &data];
    let post = async |console: &Running, who: &str, path: &str, body: Value| -> (u16, String) {
        let request = console.request(Method::POST, path).header("x-weft-request", "1").header("x-forwarded-user", who);
        let request = request.header(header::CONTENT_TYPE, "application/json");
        let answer = request.body(body.to_string()).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };

    let console = Running::start(&flags).await;
    let create = json!({"action": "create", "yaml": PEER});
    let (status, done) = post(&console, "ada", "/api/v1/config/apply", create).await;
    assert_eq!(status, 200, "{done}");
    let done: Value = serde_json::from_str(&done).unwrap();
    assert!(done["undoUntilMs"].as_u64().unwrap() > 0, "{done}");
    console.stop().await;
    let id = done["id"].as_str().unwrap();
    let state = State::open(&DatabaseUrl::in_directory(&kept.path().join("data"))).await.unwrap();
    let record = state.undos.get(id, "ada").await.unwrap().unwrap();
    assert!(!record.sealed.windows(4).any(|part| part == b"shop"), "what is kept of the object is sealed");
    // Nor does whoever writes the database make it somebody else's.
    state.undos.keep(&UndoRecord { id: "stolen".into(), owner: "bo".into(), ..record }).await.unwrap();
    state.close().await;

    let console = Running::start(&flags).await;
    let undo = format!("/api/v1/edits/{id}/undo");
    for path in [undo.as_str(), "/api/v1/edits/stolen/undo"] {
        let (status, refused) = post(&console, "bo", path, json!({})).await;
        assert_eq!(status, 404, "{path}: {refused}");
    }
    let (status, undone) = post(&console, "ada", &undo, json!({})).await;
    assert_eq!(status, 200, "{undone}");
    let files = std::fs::read_dir(kept.path().join("config")).unwrap().count();
    assert_eq!(files, 1, "the object's file is gone");
    console.stop().await;
}

/// A draft that is named like a hidden object must not tell that it exists, nor what it does.
#[tokio::test]
async fn drafts_do_not_tell_what_is_hidden() {
    let roles = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(roles.path(), "p, bo, *, *, bank/*, allow\n").unwrap();
    let roles = format!("--roles-file={}", roles.path().display());
    let flags = ["--public-url=http://127.0.0.1:20001", "--trusted-proxies=127.0.0.1/32", &roles];
    let console = Running::start(&flags).await;
    let look = async |namespace: &str| {
        let yaml = format!(
            "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: order-service, namespace: {namespace}}}\nspec: {{hosts: [a], http: [{{route: [{{destination: {{host: a}}}}]}}]}}\n"
        );
        let request = console.request(Method::POST, "/api/v1/config/preview").header("x-weft-request", "1");
        let request = request.header("x-forwarded-user", "bo").header(header::CONTENT_TYPE, "application/json");
        let answer = request.body(json!({"action": "create", "yaml": yaml}).to_string()).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, hidden) = look("shop").await;
    assert_eq!(status, 403, "{hidden}");
    assert!(!hidden.contains("x-canary") && !hidden.contains("exists"), "{hidden}");
    let (status, own) = look("bank").await;
    assert_eq!(status, 200, "{own}");
    console.stop().await;
}
