//! Lists, pages, charts, logs and the mesh over HTTP, from counters that a real Prometheus scraped.

use std::time::Duration;

use axum::{Json, Router, routing::get};
use clap::Parser;
use prometheus_http_query::reqwest;
use serde_json::{Value, json};
use weft_console::{Args, Console};
use weft_runtime::Shutdown;

use crate::parts::{Page, SOON, Scraper, serve, until};

const OBJECTS: &str = "apiVersion: v1
kind: Service
metadata: {name: pay, namespace: shop}
spec: {selector: {app: pay}, ports: [{name: http, port: 8080}]}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: pay-v1, namespace: shop}
spec: {address: 10.9.9.1, labels: {app: pay, version: v1, security.istio.io/tlsMode: istio}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: legacy, namespace: shop}
spec: {address: 10.9.9.2, labels: {app: legacy}}
---
apiVersion: v1
kind: Service
metadata: {name: quotes, namespace: shop}
spec: {selector: {app: quotes}, ports: [{name: grpc, port: 9090}]}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: quotes-v1, namespace: shop}
spec: {address: 10.9.9.3, labels: {app: quotes, version: v1, security.istio.io/tlsMode: istio}}
---
apiVersion: v1
kind: Service
metadata: {name: stock, namespace: shop}
spec: {selector: {app: stock}, ports: [{name: http, port: 8080}]}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: shop}
spec: {mtls: {mode: STRICT}}
";

fn counters(scrape: u64) -> String {
    let line = |code: &str, flags: &str, each: u64| {
        format!(
            "istio_requests_total{{reporter=\"destination\",source_workload=\"web\",source_workload_namespace=\"shop\",\
             destination_workload=\"pay-v1\",destination_workload_namespace=\"shop\",destination_service=\"pay.shop.svc.cluster.local\",\
             destination_service_name=\"pay\",request_protocol=\"http\",response_code=\"{code}\",response_flags=\"{flags}\",\
             connection_security_policy=\"mutual_tls\"}} {}\n",
            scrape * each
        )
    };
    // A failed gRPC call is answered with 200.
    let call = |status: &str, each: u64| {
        format!(
            "istio_requests_total{{reporter=\"destination\",source_workload=\"web\",source_workload_namespace=\"shop\",\
             destination_workload=\"quotes-v1\",destination_workload_namespace=\"shop\",destination_service=\"quotes.shop.svc.cluster.local\",\
             destination_service_name=\"quotes\",request_protocol=\"grpc\",response_code=\"200\",grpc_response_status=\"{status}\",\
             response_flags=\"-\",connection_security_policy=\"mutual_tls\"}} {}\n",
            scrape * each
        )
    };
    // What the caller's proxy answers itself comes to no other one.
    let aborted = format!(
        "istio_requests_total{{reporter=\"source\",source_workload=\"web\",source_workload_namespace=\"shop\",\
         destination_workload=\"unknown\",destination_workload_namespace=\"unknown\",\
         destination_service=\"stock.shop.svc.cluster.local\",destination_service_name=\"stock\",request_protocol=\"http\",\
         response_code=\"503\",response_flags=\"FI\",connection_security_policy=\"unknown\"}} {scrape}\n"
    );
    line("200", "-", 3) + &line("503", "UF", 1) + &call("0", 3) + &call("14", 1) + &aborted
}

/// A connected proxy that refused a listener.
fn syncz() -> Value {
    json!([{"node": "sidecar~10.9.9.1~pay-v1.shop~shop.svc.cluster.local", "workload": {"namespace": "shop", "name": "pay-v1"},
        "identity": "spiffe://cluster.local/ns/shop/sa/pay", "version": "0.1.0", "connectedAtMs": 1,
        "types": [{"kind": "lds", "resources": 2, "synced": true, "nack": "Listener x: port in use"}]}])
}

/// A certificate that a gateway shows, long expired.
fn serving() -> Value {
    let gateway =
        json!({"apiVersion": "networking.istio.io/v1", "kind": "Gateway", "namespace": "shop", "name": "web"});
    json!([{"gateway": gateway, "hosts": ["shop.test"], "namespace": "edge", "secret": "web-tls", "subject": "CN=shop.test",
        "names": ["shop.test"], "issuer": "CN=Some CA", "fingerprint": "ab", "notBeforeMs": 1, "notAfterMs": 2, "problem": null}])
}

#[tokio::test]
async fn details_come_from_counters_objects_and_proxies() {
    let page = Page::default();
    page.change(counters);
    let Some(prometheus) = Scraper::start(serve(page.router()).await).await else { return };
    let dump = json!({"proxy": syncz()[0], "resources": [
        {"kind": "lds", "name": "x", "version": "abc", "state": "refused", "reason": "port in use", "origins": [], "bytes": 1}]});
    let operator = Router::new()
        .route("/debug/acks", get(async || Json(json!([]))))
        .route("/debug/syncz", get(async || Json(syncz())))
        .route("/debug/config_dump", get(async move || Json(dump)))
        .route("/debug/serving", get(async || Json(serving())))
        .route("/metrics", get(async || "weft_operator_nacks_total 2\n"));
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    std::fs::create_dir(path("config")).unwrap();
    std::fs::create_dir(path("logs")).unwrap();
    std::fs::write(path("config/objects.yaml"), OBJECTS).unwrap();
    std::fs::write(path("logs/shop.pay-v1.app.log"), "<script>alert(1)</script>\n").unwrap();
    std::fs::write(path("logs/shop.legacy.app.log"), "2026-01-01T00:00:02Z two\n").unwrap();
    std::fs::write(path("logs/shop.quotes-v1.app.log"), "2026-01-01T00:00:01Z one\n2026-01-01T00:00:03Z three\n")
        .unwrap();
    let args = Args::parse_from([
        "weft-console".to_owned(),
        "--listen=127.0.0.1:0".into(),
        format!("--config-dir={}", path("config")),
        format!("--data-dir={}", path("data")),
        format!("--logs-dir={}", path("logs")),
        format!("--operator-admin=http://{}", serve(operator).await),
        format!("--prometheus={}", prometheus.client().url()),
    ]);
    let shutdown = Shutdown::new();
    let console = Console::start(args, shutdown.clone()).await.unwrap();
    let root = format!("http://{}/api/v1", console.address());
    let task = tokio::spawn(console.run());
    let http = reqwest::Client::builder().no_proxy().timeout(SOON).build().unwrap();
    let ask = async |path: &str| -> (u16, Value) {
        let answer = http.get(format!("{root}{path}")).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
    };

    let detail = until("a quarter fails", async || {
        let (status, detail) = ask("/workloads/shop/pay-v1?window=10").await;
        assert_eq!(status, 200, "{detail}");
        detail["row"]["errorShare"].as_f64().filter(|share| (0.2..0.3).contains(share)).map(|_| detail)
    })
    .await;
    assert_eq!((&detail["row"]["health"], &detail["row"]["mode"]), (&json!("failing"), &json!("STRICT")));
    assert!(detail["row"]["reason"].as_str().unwrap().contains("503 UF"), "{detail}");
    assert_eq!(detail["instances"][0]["sync"], "refused");
    assert_eq!(detail["services"][0]["name"], "pay");
    assert_eq!(detail["callers"][0]["peer"], "shop/web");
    let kinds: Vec<&str> =
        detail["config"].as_array().unwrap().iter().filter_map(|one| one["object"]["kind"].as_str()).collect();
    assert_eq!(kinds, ["PeerAuthentication", "Service", "WorkloadEntry"]);

    for (list, name) in [("namespaces", "shop"), ("apps", "pay"), ("workloads", "legacy"), ("services", "pay")] {
        let (status, answer) = ask(&format!("/{list}?window=10")).await;
        let rows = answer["rows"].as_array().unwrap();
        assert!(status == 200 && rows.iter().any(|row| row["name"] == name), "{list}: {answer}");
    }
    for (list, name) in [("apps", "quotes"), ("workloads", "quotes-v1"), ("services", "quotes")] {
        let (_, answer) = ask(&format!("/{list}?window=10")).await;
        let row = answer["rows"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap();
        assert_eq!(row["health"], "failing", "{list}: {row}");
        assert!((0.2..0.3).contains(&row["errorShare"].as_f64().unwrap()), "{list}: {row}");
        assert!(row["reason"].as_str().unwrap().contains("gRPC status 14"), "{list}: {row}");
    }
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let (_, page) = ask(&format!("/workloads?window=10&limit=1&cursor={cursor}")).await;
        names.extend(page["rows"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(names, ["legacy", "pay-v1", "quotes-v1", "web"]);
    until("a whole step of the chart has been scraped", async || {
        let (_, charts) = ask("/services/shop/pay/charts?window=60&split=response_code").await;
        let lines = charts["charts"][0]["lines"].as_array().unwrap();
        let names: Vec<&str> = lines.iter().filter_map(|line| line["name"].as_str()).collect();
        (names == ["200", "503"]).then_some(())
    })
    .await;
    until("an abort that only its caller counted is in the charts", async || {
        let (_, charts) = ask("/services/shop/stock/charts?window=60&split=response_flags").await;
        assert_eq!((&charts["reporter"], &charts["sources"]["problem"]), (&json!("either"), &Value::Null), "{charts}");
        let lines = |chart: usize| charts["charts"][chart]["lines"].as_array().map(Vec::as_slice).unwrap_or_default();
        (0..2).all(|chart| lines(chart).iter().any(|line| line["name"] == "FI")).then_some(())
    })
    .await;
    let (_, charts) = ask("/services/shop/stock/charts?window=60&reporter=destination").await;
    assert_eq!((&charts["reporter"], &charts["charts"][0]["lines"]), (&json!("destination"), &json!([])), "{charts}");
    let (_, stock) = ask("/services/shop/stock?window=10").await;
    assert_eq!(stock["callers"].as_array().map(Vec::len), Some(1), "{stock}");
    let (row, caller) = (&stock["row"], &stock["callers"][0]);
    assert_eq!((&caller["peer"], &caller["errorShare"]), (&json!("shop/web"), &json!(1.0)), "{stock}");
    assert_eq!((&caller["rate"], &caller["health"]), (&row["rate"], &row["health"]), "{stock}");
    for wrong in ["split=le", "direction=inn", "reporter=sorce"] {
        assert_eq!(ask(&format!("/workloads/shop/pay-v1/charts?{wrong}")).await.0, 400, "{wrong}");
    }
    for lines in [0, 1_001] {
        assert_eq!(ask(&format!("/workloads/shop/pay-v1/logs?lines={lines}")).await.0, 400, "{lines}");
    }
    assert_eq!(ask("/workloads/shop/nobody").await.0, 404);
    assert_eq!(ask("/proxies/shop/..%2F..").await.0, 404);

    let (_, logs) = ask("/workloads/shop/pay-v1/logs").await;
    assert_eq!(logs["lines"][0]["text"], "<script>alert(1)</script>");
    let (_, logs) = ask("/services/shop/pay/logs").await;
    assert_eq!((logs["lines"].as_array().map(Vec::len), &logs["lines"][0]["instance"]), (Some(1), &json!("pay-v1")));
    let (_, logs) = ask("/namespaces/shop/logs").await;
    let lines = logs["lines"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap());
    let words: Vec<&str> = lines.filter_map(|text| text.split_once(' ')).map(|(_, word)| word).collect();
    assert_eq!(words, ["one", "two", "three"], "a namespace's lines are in one order: {logs}");
    let (_, proxy) = ask("/proxies/shop/pay-v1").await;
    assert_eq!((&proxy["drift"][0]["state"], &proxy["drift"][0]["words"]), (&json!("refused"), &json!("port in use")));
    let (_, mesh) = ask("/mesh").await;
    let verdicts = mesh["verdicts"].to_string();
    assert!(verdicts.contains("shop/pay-v1 refuses configuration") && verdicts.contains("shop/legacy"), "{verdicts}");
    assert_eq!(mesh["controlPlanes"][0]["nacks"], 2);
    assert_eq!((&mesh["serving"], &mesh["servingNote"]), (&serving(), &Value::Null));
    assert!(verdicts.contains("Gateway shop/web, Secret edge/web-tls"), "{verdicts}");

    shutdown.begin();
    tokio::time::timeout(Duration::from_secs(20), task).await.expect("stops").unwrap().unwrap();
}
