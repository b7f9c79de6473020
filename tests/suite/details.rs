//! Lists, pages of details, logs, proxies and the mesh's own page, in a real browser over a running demo.

use std::{fs, time::Duration};

use fantoccini::Locator;
use serde_json::{Value, json};
use weft_tests::{
    browser::Browser,
    demo::Demo,
    http::get,
    wait::{ensure, until},
};

const SOON: Duration = Duration::from_secs(40);

#[tokio::test]
async fn details_lead_from_a_list_to_charts_logs_and_the_proxy() {
    let demo = Demo::start(&["--rate=40"]);
    let console = demo.address("/console");
    let url = |path: &str| format!("{}/#/{path}", demo.text("/console"));
    let browser = Browser::start(1440, 900, false).await;

    // The list: figures, proxies in step, and the one without a proxy.
    browser.open(&url("workloads")).await;
    let row = |place: &str| format!("[data-testid=inventory-row][data-place=\"{place}\"]");
    let healthy = |value: &str| value == "healthy" || value == "degraded";
    browser.attribute_where("payment is seen", &row("shop/payment-service"), "data-health", SOON, healthy).await;
    browser
        .text_where("legacy has no proxy", &row("shop/legacy-billing"), SOON, |text| text.contains("no proxy"))
        .await;
    for tab in ["namespaces", "apps", "services"] {
        browser.wait_for(&format!("[data-testid=tab-{tab}]")).await.click().await.unwrap();
        browser.wait_for("[data-testid=inventory-row]").await;
    }

    // A page by its address: charts split by code, with their figures as a table, and who calls.
    browser.open(&url("workloads/shop/payment-service?split=response_code")).await;
    browser
        .attribute_where(
            "requests are drawn",
            "[data-testid=chart][data-chart=requests]",
            "data-lines",
            SOON,
            |lines| lines != "0" && !lines.is_empty(),
        )
        .await;
    browser.text_where("who calls", "[data-testid=call]", SOON, |text| text.contains("req/s")).await;

    // Configuration that applies, then logs with fields, and the spans of one request beside them.
    browser.wait_for("[data-testid=detail-tab-config]").await.click().await.unwrap();
    browser.wait_for("[data-testid=applies][data-kind=Service]").await;
    browser.wait_for("[data-testid=detail-tab-logs]").await.click().await.unwrap();
    browser.wait_for("[data-testid=log-line][data-code=\"200\"]").await;
    browser.click("[data-testid=log-trace]").await;
    // And from its spans to the lines of the same request, whose access-log line names the trace.
    browser.click("[data-testid=log-spans] a").await;
    browser.click("[data-testid=span-row][data-workload=\"shop/payment-service\"] .span-line").await;
    browser.wait_for("[data-testid=span-logs] [data-testid=log-line].access").await;
    browser.click("[data-testid=span-logs-all]").await;
    browser.wait_for("[data-testid=logs] [data-testid=log-line].access").await;
    let sought = browser.page.current_url().await.unwrap();
    assert!(sought.as_str().contains("/payment-service") && sought.as_str().contains("find="), "{sought}");

    // The proxy is in step, and shows what is in force in it.
    browser.wait_for("[data-testid=detail-tab-proxy]").await.click().await.unwrap();
    browser.text_where("in step", "[data-testid=proxy-sync]", SOON, |text| text.contains("confirmed everything")).await;
    browser.wait_for("[data-testid=no-drift]").await;
    browser.wait_for("[data-testid=certificate]").await;
    browser.wait_for("[data-testid=proxy-clusters]").await.click().await.unwrap();
    browser.wait_for("[data-testid=proxy-row] td[title*=\"bound|\"]").await;

    // A service's lines are those of all that answer it.
    browser.open(&url("services/shop/payment-service")).await;
    browser.wait_for("[data-testid=detail-tab-logs]").await.click().await.unwrap();
    browser.wait_for("[data-testid=log-line][data-code=\"200\"]").await;

    // The mesh: sentences, the control plane, the root's expiry, and what the gateway shows.
    browser.wait_for("[data-testid=mtls]").await.click().await.unwrap();
    browser.wait_for("[data-testid=control-plane]").await;
    browser.wait_for("[data-testid=certificate][data-role=root]").await;
    browser
        .text_where(
            "the gateway's certificate",
            "[data-testid=serving-certificate][data-health=healthy]",
            SOON,
            |text| {
                ["istio-ingress/public-gateway", "istio-ingress/api-tls-cert", "api.example.com"]
                    .iter()
                    .all(|word| text.contains(word))
            },
        )
        .await;
    until("the workload without a proxy is spoken of", SOON, || async {
        let all = browser.page.find_all(Locator::Css("[data-testid=mesh-verdict]")).await.map_err(|e| e.to_string())?;
        let mut texts = String::new();
        for one in all {
            texts.push_str(&one.text().await.map_err(|error| error.to_string())?);
        }
        ensure(texts.contains("shop/legacy-billing"), || texts.clone())
    })
    .await;
    let errors = browser.script("return window.__weftErrors || []").await;
    assert_eq!(errors, json!([]), "the page's script failed");
    browser.close().await;

    // No answer holds a key.
    for path in
        ["/api/v1/mesh", "/api/v1/proxies/shop/payment-service", "/api/v1/proxies/istio-ingress/istio-ingressgateway"]
    {
        let answer = get(console, &console.to_string(), path, &[]).await.unwrap().json().to_string();
        assert!(!answer.contains("PRIVATE KEY"), "{path}");
    }
}

/// What the form writes: some calls are delayed, some are answered by the proxies of those that call, and some are both.
const FAULT: &str = "apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: payment-service, namespace: shop}
spec:
  hosts: [payment-service]
  http:
  - fault:
      delay: {fixedDelay: 50ms, percentage: {value: 50}}
      abort: {httpStatus: 503, percentage: {value: 50}}
    route: [{destination: {host: payment-service}}]
";

#[tokio::test]
async fn all_that_is_told_of_a_fault_agrees() {
    let demo = Demo::start(&["--rate=40"]);
    let console = demo.address("/console");
    let url = |path: &str| format!("{}/#/{path}", demo.text("/console"));
    let ask = |path: &str| {
        let path = format!("/api/v1/services/shop/payment-service{path}");
        async move { get(console, &console.to_string(), &path, &[]).await.map(|answer| answer.json()) }
    };
    fs::write(demo.manifests().join("payment-fault.yaml"), FAULT).unwrap();
    let number = |value: &Value| value.as_f64().unwrap_or_default();
    until("callers come to what the service's row says", 2 * SOON, || async {
        let detail = ask("").await?;
        let (row, none) = (&detail["row"], Vec::new());
        let (rate, failed) = (number(&row["rate"]), number(&row["rate"]) * number(&row["errorShare"]));
        ensure(failed > 0.5, || row.to_string())?;
        let callers = detail["callers"].as_array().unwrap_or(&none);
        let of_callers: f64 = callers.iter().map(|call| number(&call["rate"])).sum();
        let lost: f64 = callers.iter().map(|call| number(&call["rate"]) * number(&call["errorShare"])).sum();
        let same = |one: f64, other: f64| (one - other).abs() < 0.01 * rate;
        ensure(same(of_callers, rate) && same(lost, failed), || detail.to_string())
    })
    .await;
    until("charts show what fails", 2 * SOON, || async {
        let charts = ask("/charts?window=300&split=response_code").await?;
        for key in ["requests", "errors"] {
            let chart = charts["charts"].as_array().and_then(|all| all.iter().find(|one| one["key"] == key));
            let lines = chart.and_then(|chart| chart["lines"].as_array()).ok_or_else(|| charts.to_string())?;
            let line = lines.iter().find(|line| line["name"] == "503").ok_or_else(|| charts.to_string())?;
            let values = line["values"].as_array().ok_or_else(|| charts.to_string())?;
            ensure(values.iter().any(|value| number(value) > 0.5), || line.to_string())?;
        }
        Ok(())
    })
    .await;

    // Why it is so: each call once, and what was made a moment ago.
    let browser = Browser::start(1440, 900, false).await;
    browser.open(&url("graph?list=1&select=node:shop/order-service-v1&explain=1")).await;
    let made = "[data-testid=explanation] [data-testid=reason][data-flags=FI] \
                [data-testid=explain-changed][data-object=\"VirtualService shop/payment-service\"]";
    browser.text_where("what was made", made, 2 * SOON, |text| text.contains("was made or changed")).await;
    let delays = "return document.querySelectorAll('[data-testid=reason][data-flags*=DI]').length";
    assert_eq!(browser.script(delays).await, json!(0), "a delay is no failure of its own");
    browser
        .text_where("the panel has no id in it", "[data-testid=panel]", SOON, |text| {
            text.contains("payment-service (no workload)") && !text.contains("service:pay")
        })
        .await;
    let none = "[data-testid=graph-edges] \
                [data-edge=\"shop/order-service-v1->service:payment-service.shop.svc.cluster.local/none\"]";
    browser.text_where("its name", none, SOON, |text| text.contains("shop/payment-service (no workload)")).await;
    browser.close().await;
}
