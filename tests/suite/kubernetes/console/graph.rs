//! The traffic of real pods in a real Chromium, as each person may see it: all of it, a part with totals for the rest, and
//! nothing but totals.

use std::{net::IpAddr, time::Duration};

use serde_json::{Value, json};
use weft_tests::{
    browser::Browser,
    cluster::{Cluster, TestNamespace},
    oidc::free_address_of,
    prometheus::Prometheus,
    wait::ensure,
};

use super::{SOON, grant, oidc::Stage, routes};
use crate::kubernetes::workload::{Load, answers, app, calling, client, curl, proxies, service};

const REVISION: &str = "watched";
const ROLLOUT: Duration = Duration::from_secs(120);
/// Prometheus needs two scrapes of a series before it has a rate, and new pods take a while to be known.
const COUNTED: Duration = Duration::from_secs(120);
/// The request that is followed through its pods, as W3C Trace Context writes it.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
const ROW: &str = "[data-testid=trace-row]";

/// storefront → store (a canary) → payment, which is in a namespace of its own; and a caller without a proxy in a third.
struct Traffic {
    front: TestNamespace,
    back: TestNamespace,
    plain: TestNamespace,
}

impl Traffic {
    /// Namespaces whose pods will be injected by [`REVISION`].
    async fn places(cluster: &'static Cluster) -> Self {
        let injected = [("istio.io/rev", REVISION)];
        Self {
            front: cluster.namespace("front", &injected).await,
            back: cluster.namespace("back", &injected).await,
            plain: cluster.namespace("plain", &[]).await,
        }
    }

    /// Starts the applications and waits until they run.
    async fn start(&self, cluster: &'static Cluster) {
        let payment = format!("payment.{}/charge", self.back.name);
        self.back.apply(&app("payment", 1)).await;
        let parts = [
            calling("storefront", "v1", 1, &["store/orders"]) + &service("storefront"),
            calling("store", "v1", 1, &[&payment]) + &service("store"),
            calling("store", "v2", 1, &[&payment]),
            routes(""),
            client("buyer"),
        ];
        self.front.apply(&parts.join("\n---\n")).await;
        for (namespace, name) in [
            (&self.back, "payment-v1"),
            (&self.front, "storefront-v1"),
            (&self.front, "store-v1"),
            (&self.front, "store-v2"),
        ] {
            cluster.rolled_out(&namespace.name, name, ROLLOUT).await;
        }
        self.front.kubectl(&["wait", "pod/buyer", "--for=condition=Ready", "--timeout=60s"]).await;
    }

    fn names(&self) -> [&str; 3] {
        [&self.front.name, &self.back.name, &self.plain.name]
    }
}

/// The row of a node or a call in the graph's list, which says what is drawn.
fn row(kind: &str, id: &str) -> String {
    format!("[data-testid=graph-{kind}s] [data-{kind}=\"{id}\"]")
}

/// Waits until a call is drawn with this lock and a rate.
async fn drawn(browser: &Browser, css: &str, lock: &str) {
    browser.attribute_where(&format!("the lock of {css}"), css, "data-lock", COUNTED, |value| value == lock).await;
    browser.attribute_where(&format!("the rate of {css}"), css, "data-rate", COUNTED, flows).await;
}

fn flows(rate: &str) -> bool {
    rate.parse::<f64>().is_ok_and(|rate| rate > 0.0)
}

/// What the API answers to the page's own session.
async fn api(browser: &Browser, path: &str) -> Value {
    browser.script(&format!("return fetch('/api/v1/{path}').then(answer => answer.json())")).await
}

/// Workloads that sent spans of [`TRACE`], once there is one that begins with each of `hops`.
async fn spans(browser: &Browser, hops: &[&str]) -> Vec<String> {
    browser
        .until("the trace is whole", COUNTED, || async {
            let trace = api(browser, &format!("traces/{TRACE}")).await;
            let spans = trace["spans"].as_array().ok_or_else(|| trace.to_string())?;
            let workload = |span: &Value| span["workload"].as_str().unwrap_or_default().to_owned();
            let all: Vec<String> = spans.iter().filter(|span| span["kind"] != "gap").map(workload).collect();
            let missing = hops.iter().find(|hop| !all.iter().any(|workload| workload.starts_with(**hop)));
            ensure(missing.is_none(), || format!("{missing:?} is not among {all:?}"))?;
            Ok(all)
        })
        .await
}

/// Somebody who sees all of the traffic: its calls, a request on its way through the pods, and from one to the other.
async fn sees_it_all(stage: &Stage, traffic: &Traffic) {
    let [front, back, plain] = traffic.names();
    let browser = stage.browser().await;
    stage.enter(&browser, "graph", "lead").await;
    drawn(&browser, &row("edge", &format!("{front}/storefront-v1->{front}/store-v1")), "mtls").await;
    drawn(&browser, &row("edge", &format!("{front}/store-v1->{back}/payment-v1")), "mtls").await;
    // Who has no proxy keeps one connection to whichever version the Service led it to.
    let broken = format!("[data-testid=graph-edges] [data-edge^=\"{plain}/\"][data-edge*=\"->{front}/store-v\"]");
    drawn(&browser, &broken, "plaintext").await;
    browser
        .attribute_where("the canary's badge", &row("node", &format!("{front}/store-v2")), "data-badges", SOON, |all| {
            all.split(' ').any(|badge| badge == "canary")
        })
        .await;

    // One request, which says itself that it is to be followed. Which version answers it is the split's choice.
    let [storefront, store, payment] =
        [format!("{front}/storefront-v1"), format!("{front}/store-v"), format!("{back}/payment-v1")];
    answers(&traffic.front, "buyer", "http://storefront/", 200).await;
    let header = format!("traceparent: 00-{TRACE}-{PARENT}-01");
    let (status, body) = curl(&traffic.front, "buyer", &["-H", &header, "http://storefront/"]).await.unwrap();
    assert!(status == 200 && body.contains("\"service\":\"payment\""), "{status} {body}");
    let all = spans(&browser, &[&storefront, &store, &payment]).await;
    let called = all.iter().find(|workload| workload.starts_with(&store)).expect("the store's spans");

    // It is found by a workload that it passed, and its waterfall has a row for each.
    browser.open(&stage.page(&format!("traces?window=3600&workload={storefront}"))).await;
    browser.click(&format!("{ROW}[data-trace=\"{TRACE}\"] [data-row]")).await;
    browser.wait_for("[data-testid=waterfall]").await;
    for workload in [&storefront, called, &payment] {
        browser.wait_for(&format!("[data-testid=span-row][data-workload=\"{workload}\"]")).await;
    }
    for tone in ["network", "proxy", "application"] {
        browser.wait_for(&format!("[data-testid=trace-totals] [data-tone={tone}]")).await;
    }

    // From a hop to its call in the graph, and from the call to its traces: the same one among them.
    let caller = format!("[data-testid=span-row][data-workload=\"{storefront}\"][data-kind=client]");
    browser.click(&format!("{caller} .span-line")).await;
    browser.click("[data-testid=span-edge]").await;
    let edge = format!("select=edge:{storefront}->{called}");
    browser
        .until("the graph shows the call", SOON, || async {
            let at = browser.fragment().await;
            ensure(at.starts_with("#/graph") && at.contains(&edge), || at)
        })
        .await;
    browser.text_where("the call's lock", "[data-testid=edge-lock]", SOON, |text| !text.is_empty()).await;
    browser.click("[data-testid=edge-traces]").await;
    browser.wait_for(&format!("{ROW}[data-trace=\"{TRACE}\"]")).await;
    let back_there = browser.fragment().await;
    let tag = format!("destination.workload={}", called.rsplit('/').next().unwrap_or_default());
    for part in [format!("workload={storefront}"), tag] {
        assert!(back_there.contains(&part), "{part} in {back_there}");
    }
    assert_eq!(browser.script("return window.__weftErrors || []").await, json!([]), "the page's script failed");
    browser.close().await;
}

/// Somebody who sees one namespace: the others are one node with totals, in the graph and in the trace.
async fn sees_a_part(stage: &Stage, traffic: &Traffic) {
    let [front, back, plain] = traffic.names();
    let browser = stage.browser().await;
    stage.enter(&browser, "graph", "ada").await;
    drawn(&browser, &row("edge", &format!("{front}/storefront-v1->{front}/store-v1")), "mtls").await;
    drawn(&browser, &row("edge", &format!("{front}/store-v1->hidden")), "mtls").await;
    browser.wait_for(&format!("[data-testid=graph-edges] [data-edge^=\"hidden->{front}/store-v\"]")).await;
    browser.wait_for(&row("node", "hidden")).await;
    let seen = browser.script("return document.body.textContent").await;
    let seen = seen.as_str().unwrap_or_default();
    assert!(seen.contains(front) && !seen.contains(back) && !seen.contains(plain), "{seen}");
    let graph = api(&browser, "graph").await.to_string();
    assert!(!graph.contains(back) && !graph.contains(plain), "{graph}");

    browser.open(&stage.page(&format!("traces?window=3600&select={TRACE}"))).await;
    browser.wait_for(&format!("[data-testid=span-row][data-workload=\"{front}/storefront-v1\"]")).await;
    browser.wait_for("[data-testid=span-row][data-workload=\"\"]").await;
    let others = format!(
        "return document.querySelectorAll('[data-workload^=\"{back}/\"], [data-workload^=\"{plain}/\"]').length"
    );
    assert_eq!(browser.script(&others).await, json!(0), "{}", browser.seen().await);
    browser.close().await;
}

/// Somebody whom the API server lets see nothing is told so, and what to ask for; of the traffic there are totals.
async fn sees_nothing(stage: &Stage, traffic: &Traffic) {
    let browser = stage.browser().await;
    stage.enter(&browser, "graph", "eve").await;
    browser.wait_for("[data-testid=no-rights]").await;
    browser
        .text_where("why, and what to ask for", "main", SOON, |text| {
            [
                "You are eve@example.org",
                "You may read no namespace of this mesh",
                "strangers",
                "the right to get a namespace",
            ]
            .iter()
            .all(|part| text.contains(part))
        })
        .await;
    let graph = api(&browser, "graph").await;
    let (nodes, edges) = (graph["nodes"].as_array(), graph["edges"].as_array());
    let (nodes, edges) = (nodes.unwrap_or_else(|| panic!("{graph}")), edges.unwrap_or_else(|| panic!("{graph}")));
    assert!(nodes.len() == 1 && nodes[0]["id"] == "hidden" && edges.is_empty(), "{graph}");
    assert!(nodes[0]["rateIn"].as_f64().is_some_and(|rate| rate > 0.0), "{graph}");
    for path in ["graph", "config", "canaries", "meta", "traces?limit=100"] {
        let answer = api(&browser, path).await.to_string();
        let told = traffic.names().into_iter().find(|name| answer.contains(*name));
        assert_eq!(told, None, "{path}: {answer}");
    }
    let one = api(&browser, &format!("traces/{TRACE}")).await;
    assert_eq!(one["status"], 404, "what is hidden is not confirmed to exist: {one}");
    // There is a way out.
    browser.wait_for("[data-testid=sign-out]").await;
    browser.close().await;
}

#[tokio::test]
async fn each_person_sees_their_part_of_the_pods_traffic() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let traffic = Traffic::places(cluster).await;
    let [front, ..] = traffic.names();
    let (leads, team) = (format!("{front}-leads"), format!("{front}-team"));
    for namespace in [&traffic.front, &traffic.back, &traffic.plain] {
        grant(namespace, ("Group", &leads), &["get", "list", "watch"]).await;
    }
    grant(&traffic.front, ("Group", &team), &["get", "list", "watch"]).await;
    let people = json!({ "lead": [leads], "ada": [team], "eve": ["strangers"] });

    // Prometheus is on this machine, which reaches the pods; the console's pod reaches it by the machine's address.
    let address = free_address_of(IpAddr::from(cluster.outside()));
    let env = json!({ "WEFT_PROMETHEUS": format!("http://{address}") });
    let collector = format!("weft-console-{REVISION}-otlp.weft-system.svc.cluster.local");
    let config = json!({ "extensionProviders": [
        { "name": "weft", "opentelemetry": { "service": collector, "port": 4318, "http": { "path": "/v1/traces" } } },
    ] });
    let stage = Stage::start(cluster, REVISION, people, &env, &config).await;
    traffic.start(cluster).await;
    let _shoppers = Load::start(&traffic.front, "shoppers", "http://storefront/", 10).await;
    let _legacy = Load::start(&traffic.plain, "legacy", &format!("http://store.{front}/"), 4).await;
    let mut targets = Vec::new();
    for namespace in [&traffic.front, &traffic.back] {
        targets.extend(proxies(cluster, namespace, "security.istio.io/tlsMode=istio").await);
    }
    let dir = tempfile::tempdir().unwrap();
    let _prometheus = Prometheus::start(address, &targets, dir.path()).await;

    sees_it_all(&stage, &traffic).await;
    sees_a_part(&stage, &traffic).await;
    sees_nothing(&stage, &traffic).await;

    // The Mesh goes when no pod needs it any more.
    drop(traffic);
    stage.end().await;
}
