//! The audit, a route's history and saved views over HTTP; two consoles on one Postgres; tags of answers.

use prometheus_http_query::reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use weft_console::db::{AuditRecord, DatabaseUrl, State};
use weft_model::audit::{Action, How};

use crate::{
    http::Running,
    parts::{Postgres, until},
};

fn edit(revision: &Value, weights: [u32; 2]) -> Value {
    json!({
        "object": {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "namespace": "shop", "name": "order-service"},
        "routeIndex": 1, "weights": weights, "revision": revision,
    })
}

const HISTORY: &str = "/api/v1/canaries/history?apiVersion=networking.istio.io/v1beta1&kind=VirtualService\
                       &namespace=shop&name=order-service&routeIndex=1";

async fn revision(console: &Running) -> Value {
    console.json("/api/v1/canaries").await["canaries"][0]["revision"].clone()
}

#[tokio::test]
async fn who_moved_a_canary_shows_on_every_console_of_one_postgres() {
    let database = format!("--database={}", Postgres::shared().database().await);
    let one = Running::start(&[&database]).await;
    let two = Running::start(&[&database]).await;
    let (status, done) = one.post("/api/v1/canaries/apply", &edit(&revision(&one).await, [60, 40])).await;
    assert_eq!(status, 200, "{done}");
    let (status, undone) = one.post(&format!("/api/v1/edits/{}/undo", done["id"].as_str().unwrap()), &json!({})).await;
    assert_eq!(status, 200, "{undone}");

    let history = two.json(HISTORY).await;
    assert_eq!(history["changes"][1]["from"], json!([90, 10]));
    assert_eq!(history["changes"][1]["to"], json!([60, 40]));
    assert_eq!(history["changes"][0]["undoes"], done["id"]);
    assert_eq!(history["changes"][0]["by"], "local");
    assert_eq!(history["more"], false);

    let audit = two.json("/api/v1/audit").await;
    let actions: Vec<_> = audit["entries"].as_array().unwrap().iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions, ["undo", "weights"]);
    let entry = &audit["entries"][1];
    assert_eq!(entry["detail"], "http[1]: 90/10 → 60/40");
    assert!(entry["diff"].as_str().unwrap().contains("+spec.http[1].route[0].weight: 60"), "{entry}");
    assert_eq!(entry["object"]["name"], "order-service");
    for (query, found) in [
        ("action=weights", 1),
        ("action=delete", 0),
        ("who=local", 2),
        ("who=nobody", 0),
        ("address=127.0.0.1", 2),
        ("address=10.0.0.1", 0),
        ("namespace=shop", 2),
        ("namespace=billing,shop", 2),
        ("namespace=billing", 0),
        ("kind=VirtualService&name=order-service", 2),
        ("about=workloads/shop/order-service-v1", 2),
        ("about=apps/shop/order-service", 2),
        ("about=services/shop/order-service", 2),
        ("about=namespaces/shop", 2),
        ("about=workloads/shop/payment-service", 0),
        ("about=workloads/shop/nowhere", 0),
        ("about=workloads/shop/payment-service,workloads/shop/order-service-v1", 2),
        ("toMs=5", 0),
    ] {
        let list = two.json(&format!("/api/v1/audit?{query}")).await;
        assert_eq!(list["entries"].as_array().unwrap().len(), found, "{query}");
    }
    assert_eq!(two.get("/api/v1/audit?about=pods/shop/x").await.status(), StatusCode::BAD_REQUEST);

    let first = two.get("/api/v1/audit?limit=1&who=local").await;
    let link = first.headers()[header::LINK].to_str().unwrap().to_owned();
    let next = link.split(['<', '>']).nth(1).unwrap().to_owned();
    assert!(link.ends_with("rel=\"next\"") && next.contains("who=local"), "{link}");
    let second = two.get(&next).await;
    assert!(!second.headers().contains_key(header::LINK), "it is the last page");
    let second: Value = serde_json::from_str(&second.text().await.unwrap()).unwrap();
    assert_eq!(second["entries"][0]["action"], "weights");

    let csv = two.get("/api/v1/audit?format=csv").await;
    assert!(csv.headers()[header::CONTENT_DISPOSITION].to_str().unwrap().contains("weft-audit.csv"));
    let csv = csv.text().await.unwrap();
    assert_eq!(csv.lines().next().unwrap(), "id,time,who,how,address,action,kind,namespace,name,detail,diff");
    assert!(
        csv.contains(",local,local,127.0.0.1,weights,VirtualService,shop,order-service,http[1]: 90/10 → 60/40,"),
        "{csv}"
    );
    one.stop().await;
    two.stop().await;
}

/// Two hundred entries of 60 kB are more than one file holds.
#[tokio::test]
async fn a_file_is_bounded_and_says_where_it_goes_on() {
    let console = Running::start(&[]).await;
    let state = State::open(&DatabaseUrl::in_directory(&console.dir.path().join("data"))).await.unwrap();
    for at_ms in 0..200_u64 {
        let record = AuditRecord {
            at_ms,
            who: "ada".into(),
            how: How::Session,
            address: None,
            action: Action::Update,
            object: None,
            diff: "x".repeat(60_000),
            detail: format!("entry {at_ms}"),
        };
        state.audit.record(&record).await.unwrap();
    }
    let (mut path, mut told, mut files) = ("/api/v1/audit?format=csv".to_owned(), Vec::new(), 0);
    loop {
        let answer = console.get(&path).await;
        let link = answer.headers().get(header::LINK).map(|link| link.to_str().unwrap().to_owned());
        let text = answer.text().await.unwrap();
        assert!(text.len() < 9 * 1024 * 1024, "{}", text.len());
        files += 1;
        let mut rows: Vec<&str> = text.lines().skip(1).collect();
        let cut = rows.last().copied().filter(|row| row.starts_with(",,,,,cut,,,,"));
        if cut.is_some() {
            rows.pop();
        }
        told.extend(rows.iter().map(|row| row.split(',').nth(9).unwrap().to_owned()));
        let (Some(cut), Some(link)) = (cut, link.as_deref()) else {
            assert_eq!((cut, link), (None, None));
            break;
        };
        let cursor = cut.split("cursor=").nth(1).unwrap().split('.').next().unwrap();
        path = format!("/api/v1/audit?format=csv&cursor={cursor}");
        assert_eq!(link, format!("<{path}>; rel=\"next\""));
    }
    assert_eq!(told, (0..200).rev().map(|at| format!("entry {at}")).collect::<Vec<_>>());
    assert_eq!(files, 2);

    let first = console.json("/api/v1/audit?format=json&limit=150").await;
    let entries = first["entries"].as_array().unwrap();
    assert!((100..150).contains(&entries.len()), "{}", entries.len());
    assert_eq!(first["next"], entries.last().unwrap()["id"].to_string());
    let short = console.get("/api/v1/audit?format=csv&limit=1").await.text().await.unwrap();
    assert_eq!(short.lines().count(), 3, "the title, an entry, and that there is more");
    state.close().await;
    console.stop().await;
}

#[tokio::test]
async fn views_are_saved_listed_and_deleted() {
    let console = Running::start(&[]).await;
    let new = json!({"name": "  night shift ", "location": "#/graph?ns=shop", "shared": true});
    let (status, saved) = console.post("/api/v1/views", &new).await;
    assert_eq!((status, saved["name"].as_str()), (StatusCode::CREATED, Some("night shift")), "{saved}");
    assert_eq!(console.json("/api/v1/views").await["views"], json!([saved]));
    for bad in [
        json!({"name": "", "location": "#/graph"}),
        json!({"name": "x".repeat(121), "location": "#/graph"}),
        json!({"name": "x", "location": "https://elsewhere.example/"}),
        json!({"name": "x", "location": format!("#/{}", "x".repeat(5000))}),
    ] {
        let (status, problem) = console.post("/api/v1/views", &bad).await;
        assert_eq!(status, 400, "{problem}");
    }
    let path = format!("/api/v1/views/{}", saved["id"].as_str().unwrap());
    let delete = async || {
        let request = console.request(Method::DELETE, &path).header("x-weft-request", "1");
        request.header("content-type", "application/json").send().await.unwrap()
    };
    assert_eq!(delete().await.status(), StatusCode::NO_CONTENT);
    assert_eq!(delete().await.status(), StatusCode::NOT_FOUND);
    console.stop().await;
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let console = Running::start(&[]).await;
    for path in ["/api/v1/config", "/api/v1/meta", "/api/v1/canaries"] {
        let first = console.get(path).await;
        let tag = first.headers()[header::ETAG].clone();
        let again = console.request(Method::GET, path).header(header::IF_NONE_MATCH, tag.clone()).send().await.unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{path}");
        assert_eq!(again.headers()[header::ETAG], tag);
        assert_eq!(again.text().await.unwrap(), "");
    }
    let tag = console.get("/api/v1/config").await.headers()[header::ETAG].clone();
    let (status, done) = console.post("/api/v1/canaries/apply", &edit(&revision(&console).await, [60, 40])).await;
    assert_eq!(status, 200, "{done}");
    let changed =
        console.request(Method::GET, "/api/v1/config").header(header::IF_NONE_MATCH, tag).send().await.unwrap();
    assert_eq!(changed.status(), StatusCode::OK);
    console.stop().await;
}

#[tokio::test]
async fn without_its_database_nothing_is_changed_and_all_works_again_after() {
    let mut server = Postgres::start();
    let console = Running::start(&[&format!("--database={}", server.database().await)]).await;
    let file = console.dir.path().join("config/orders.yaml");
    let before = std::fs::read_to_string(&file).unwrap();
    let wanted = edit(&revision(&console).await, [60, 40]);
    server.crash();
    let (status, problem) = console.post("/api/v1/canaries/apply", &wanted).await;
    assert_eq!(
        (status, problem["type"].as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, Some("database-away")),
        "{problem}"
    );
    assert!(problem["detail"].as_str().unwrap().starts_with("Nothing was changed."), "{problem}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
    let ready = console.get("/healthz/ready").await;
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(ready.text().await.unwrap().starts_with("the database does not answer"));
    assert_eq!(console.get("/api/v1/config").await.status(), StatusCode::OK, "reading goes on");

    server.come_back();
    until("it is ready", async || (console.get("/healthz/ready").await.status() == 200).then_some(())).await;
    let (status, done) = console.post("/api/v1/canaries/apply", &wanted).await;
    assert_eq!(status, 200, "{done}");
    assert_eq!(console.json(HISTORY).await["changes"][0]["to"], json!([60, 40]));
    console.stop().await;
}
