//! A proxy's page for somebody who does not see every namespace.

use axum::{Json, Router, routing::get};
use prometheus_http_query::reqwest::Method;
use serde_json::{Value, json};

use super::Running;
use crate::parts::serve;

#[tokio::test]
async fn objects_that_are_not_seen_are_counted_and_not_named() {
    let proxy = json!({
        "node": "sidecar~127.0.0.2~order-service-v1.shop~shop.svc.cluster.local",
        "workload": {"namespace": "shop", "name": "order-service-v1"}, "identity": "", "version": "0.1.0",
        "connectedAtMs": 1, "types": [],
    });
    let origin = |namespace: &str, name: &str| json!({"apiVersion": "networking.istio.io/v1", "kind": "EnvoyFilter", "namespace": namespace, "name": name});
    let origins = [origin("shop", "own"), origin("vault", "combination"), origin("", "of-the-mesh")];
    let dump = json!({"proxy": proxy, "resources": [
        {"kind": "cds", "name": "a", "version": "1", "state": "refused", "reason": "no", "origins": origins}]});
    let operator = Router::new()
        .route("/debug/acks", get(async || Json(json!([]))))
        .route("/debug/syncz", get(async move || Json(json!([proxy]))))
        .route("/debug/config_dump", get(async move || Json(dump)));
    let roles = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(roles.path(), "p, bo, *, *, shop/*, allow\ng, ada, role:admin\n").unwrap();
    let roles = format!("--roles-file={}", roles.path().display());
    let operator = format!("--operator-admin=http://{}", serve(operator).await);
    let flags = ["--public-url=http://127.0.0.1:20001", "--trusted-proxies=127.0.0.1/32", &roles, &operator];
    let console = Running::start(&flags).await;
    let drift = async |who: &str| -> Value {
        let asked = console.request(Method::GET, "/api/v1/proxies/shop/order-service-v1");
        let answer = asked.header("x-forwarded-user", who).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let page = answer.text().await.unwrap();
        assert_eq!(page.contains("combination"), who == "ada", "{page}");
        serde_json::from_str::<Value>(&page).unwrap()["drift"][0].clone()
    };
    let seen = drift("bo").await;
    assert_eq!((&seen["origins"], &seen["hiddenOrigins"]), (&json!([origin("shop", "own")]), &json!(2)));
    let all = drift("ada").await;
    assert_eq!((all["origins"].as_array().unwrap().len(), &all["hiddenOrigins"]), (3, &json!(0)));
    console.stop().await;
}
