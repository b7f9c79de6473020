//! The graph over HTTP, with what a real Prometheus makes of odd series.

use std::fmt::Write;

use prometheus_http_query::reqwest::{StatusCode, header};
use serde_json::Value;

use crate::{
    http::{Running, problem},
    parts::{Page, Scraper, serve, until},
};

const HOST: &str = "order-service.shop.svc.cluster.local";

fn series(page: &mut String, reporter: &str, source: &str, code: &str, count: u64) {
    let policy = if reporter == "source" { "unknown" } else { "mutual_tls" };
    let labels = format!(
        "reporter=\"{reporter}\",source_workload=\"{source}\",source_workload_namespace=\"shop\",source_app=\"{source}\",\
         destination_workload=\"order-service-v1\",destination_workload_namespace=\"shop\",\
         destination_app=\"order-service\",destination_version=\"v1\",destination_service=\"{HOST}\",\
         destination_service_name=\"order-service\",request_protocol=\"http\",response_code=\"{code}\",\
         response_flags=\"-\",connection_security_policy=\"{policy}\""
    );
    let _ = writeln!(page, "istio_requests_total{{{labels}}} {count}");
    // One bucket that never fills gives NaN for every quantile of an edge that is silent.
    for (bound, part) in [("5", 0), ("10", count), ("+Inf", count)] {
        let _ = writeln!(page, "istio_request_duration_milliseconds_bucket{{{labels},le=\"{bound}\"}} {part}");
    }
}

fn find<'a>(graph: &'a Value, list: &str, id: &str) -> Option<&'a Value> {
    let own = |entry: &Value| match list {
        "edges" => format!("{}->{}", entry["source"].as_str().unwrap(), entry["destination"].as_str().unwrap()),
        _ => entry["id"].as_str().unwrap().to_owned(),
    };
    graph[list].as_array().unwrap().iter().find(|entry| own(entry) == id)
}

#[tokio::test]
async fn odd_series_make_an_honest_graph() {
    let page = Page::default();
    let long = "x".repeat(10_000);
    page.change(move |scrape| {
        let mut text = String::new();
        // The counters start anew at every seventh scrape.
        let count = scrape % 7 * 100;
        for reporter in ["source", "destination"] {
            series(&mut text, reporter, "checkout", "200", count);
            series(&mut text, reporter, "silent", "200", 5);
        }
        series(&mut text, "source", "<script>alert(1)</script>", "200", scrape * 10);
        series(&mut text, "source", "\u{202e}tuokcehc", "200", scrape * 10);
        series(&mut text, "source", &long, "200", scrape * 10);
        // What is counted twice under another reporter is not counted.
        series(&mut text, "waypoint", "checkout", "200", scrape * 100_000);
        let nan =
            "istio_requests_total{reporter=\"source\",source_workload=\"nan\",source_workload_namespace=\"shop\"} NaN\n";
        text + nan
    });
    let Some(scraper) = Scraper::start(serve(page.router()).await).await else { return };
    let console = Running::start(&[&format!("--prometheus={}", scraper.url())]).await;
    let id = "shop/checkout->shop/order-service-v1";
    let graph = until("the edge has its latency", async || {
        let graph = console.json("/api/v1/graph?window=10&wait=true").await;
        find(&graph, "edges", id).is_some_and(|edge| edge["p99Ms"].is_number()).then_some(graph)
    })
    .await;
    let edge = find(&graph, "edges", id).unwrap();
    assert!(edge["rate"].as_f64().is_some_and(|rate| (10.0..2000.0).contains(&rate)), "a reset is no flood: {edge}");
    assert_eq!((&edge["lock"], &edge["health"]), (&Value::from("mtls"), &Value::from("healthy")));
    assert_eq!(graph["quantiles"]["recorded"], false);
    assert!(graph["quantiles"]["note"].as_str().is_some_and(|note| note.contains("recording rules")), "{graph}");
    assert!(find(&graph, "nodes", "shop/<script>alert(1)</script>").is_some());
    assert!(find(&graph, "nodes", "shop/\u{fffd}tuokcehc").is_some());
    let names = graph["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap().len());
    assert!(names.max().unwrap() < 300);
    assert!(find(&graph, "edges", "shop/silent->shop/order-service-v1").is_none());

    // Every view comes from what is known already, and silence where it is asked for.
    for (view, id) in [
        ("app", "app:shop/checkout->app:shop/order-service".to_owned()),
        ("versioned-app", "app:shop/checkout/unknown->app:shop/order-service/v1".to_owned()),
        ("service", format!("shop/checkout->service:{HOST}")),
    ] {
        let graph = console.json(&format!("/api/v1/graph?window=10&view={view}")).await;
        assert!(find(&graph, "edges", &id).is_some(), "{view}: {graph}");
        assert_eq!(graph["view"], view);
    }
    let idle = console.json("/api/v1/graph?window=10&idle=true").await;
    let silent = find(&idle, "edges", "shop/silent->shop/order-service-v1").unwrap();
    assert_eq!((&silent["health"], &silent["rate"]), (&Value::from("idle"), &Value::from(0.0)));

    // The past does not change, is compressed for whoever takes that, and need not be sent twice.
    let at = graph["atMs"].as_u64().unwrap() / 1000 * 1000;
    let path = format!("/api/v1/graph?window=10&wait=true&at={at}");
    let first = console.get(&path).await;
    let tag = first.headers()[header::ETAG].clone();
    let past: Value = serde_json::from_str(&first.text().await.unwrap()).unwrap();
    assert_eq!((&past["atMs"], &past["replay"]), (&Value::from(at), &Value::from(true)));
    let request = console.request(prometheus_http_query::reqwest::Method::GET, &path);
    let again =
        request.header(header::IF_NONE_MATCH, tag).header(header::ACCEPT_ENCODING, "gzip").send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    let request = console.request(prometheus_http_query::reqwest::Method::GET, &path);
    let packed = request.header(header::ACCEPT_ENCODING, "gzip").send().await.unwrap();
    assert_eq!(packed.headers()[header::CONTENT_ENCODING], "gzip");
    assert_eq!(packed.bytes().await.unwrap()[..2], [0x1f, 0x8b]);

    // Charts of an edge and of a node.
    for query in ["edge=shop/checkout-%3Eshop/order-service-v1", "node=shop/order-service-v1"] {
        let series = until("a whole step has been scraped", async || {
            let answer = console.get(&format!("/api/v1/graph/series?{query}&window=60&step=5")).await;
            // Nobody is configured here, so that counts alone tell who there is.
            if answer.status() == StatusCode::NOT_FOUND {
                return None;
            }
            let series: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
            let named = |name: &str| series["lines"].as_array().unwrap().iter().any(|line| line["name"] == name);
            (named("rate") && named("p95")).then_some(series)
        })
        .await;
        assert_eq!(series["timesMs"].as_array().unwrap().len(), 13);
        assert_eq!(series["sources"]["answered"], series["sources"]["asked"], "{series}");
    }
    for bad in ["", "?node=hidden", "?node=a/b&edge=c/d", "?node=a/b&at=99999999999999", "?edge=a/b"] {
        assert_eq!(problem(console.get(&format!("/api/v1/graph/series{bad}")).await).await.0, 400, "{bad}");
    }
    for nobody in ["node=shop/nope", "edge=shop/nope-%3Eshop/order-service-v1"] {
        let answer = console.get(&format!("/api/v1/graph/series?{nobody}")).await;
        assert_eq!(problem(answer).await.0, 404, "{nobody}");
    }
    let narrowed = console.json("/api/v1/graph?namespaces=shop,nope").await;
    let note = narrowed["sources"]["note"].as_str().unwrap_or_default();
    assert!(note.ends_with("No namespace nope is known that you may see."), "{narrowed}");
    for bad in ["view=cloud", "at=1", "at=x", "idle=maybe"] {
        assert_eq!(problem(console.get(&format!("/api/v1/graph?{bad}")).await).await.0, 400, "{bad}");
    }

    // Recorded series take the place of the raw ones.
    page.change(|scrape| {
        let mut text = String::new();
        series(&mut text, "source", "checkout", "200", scrape * 100);
        let edge = "reporter=\"source\",source_workload=\"checkout\",source_workload_namespace=\"shop\",\
                    destination_workload=\"order-service-v1\",destination_workload_namespace=\"shop\",window=\"1m\"";
        let _ = writeln!(text, "weft:edge_latency_milliseconds{{{edge},quantile=\"0.95\"}} 77");
        let _ = writeln!(text, "weft:edge_latency_milliseconds{{{edge},quantile=\"0.99\"}} +Inf");
        let _ = writeln!(text, "weft:edge_traffic{{{edge},what=\"response_bytes\"}} 4096");
        text
    });
    let graph = until("recorded quantiles are read", async || {
        let graph = console.json("/api/v1/graph?window=10&wait=true").await;
        (graph["quantiles"]["recorded"] == true).then_some(graph)
    })
    .await;
    let edge = find(&graph, "edges", id).unwrap();
    assert_eq!(
        (&edge["p95Ms"], &edge["p99Ms"], &edge["bytesReceived"]),
        (&Value::from(77.0), &Value::Null, &Value::from(4100.0))
    );
    assert!(graph["quantiles"]["note"].as_str().is_some_and(|note| note.contains("minute")), "{graph}");

    // Prometheus goes away: what was known stays, with its age.
    drop(scraper);
    let old = until("the age is told", async || {
        let graph = console.json("/api/v1/graph?window=10").await;
        graph["ageMs"].as_u64().is_some_and(|age| age > 0).then_some(graph)
    })
    .await;
    assert!(find(&old, "edges", id).is_some());
    assert!(
        old["sources"]["words"].as_str().is_some_and(|words| words.starts_with("Prometheus answered 0 of 3")),
        "{old}"
    );
    console.stop().await;
}

fn last(series: &Value, line: &str) -> Option<f64> {
    let line = series["lines"].as_array()?.iter().find(|known| known["name"] == line)?;
    line["values"].as_array()?.last()?.as_f64()
}

/// Of a caller without a proxy only the called one tells. It is in the charts beside the graph as it is in the graph.
#[tokio::test]
async fn charts_and_graph_tell_of_the_same_callers() {
    let page = Page::default();
    page.change(|scrape| {
        let mut text = String::new();
        for reporter in ["source", "destination"] {
            series(&mut text, reporter, "checkout", "200", scrape * 100);
        }
        series(&mut text, "destination", "legacy-billing", "200", scrape * 30);
        text
    });
    let Some(scraper) = Scraper::start(serve(page.router()).await).await else { return };
    let console = Running::start(&[&format!("--prometheus={}", scraper.url())]).await;
    let workload = "shop/order-service-v1";
    // A moment that is over: nothing is added to it between two questions.
    let at = until("a whole step of both callers is over", async || {
        let path = format!("/api/v1/graph/series?edge=shop/legacy-billing-%3E{workload}&window=60&step=5");
        let answer = console.get(&path).await;
        if answer.status() == StatusCode::NOT_FOUND {
            return None;
        }
        let series: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        let rates = series["lines"].as_array()?.iter().find(|line| line["name"] == "rate")?["values"].as_array()?;
        let before = rates.len().checked_sub(2)?;
        rates[before].as_f64().filter(|rate| *rate > 0.0)?;
        series["timesMs"][before].as_u64()
    })
    .await;
    let close = |one: f64, other: f64| (one - other).abs() < 0.02 * other;
    let over = async |what: &str| console.json(&format!("/api/v1/graph/series?{what}&window=60&step=5&at={at}")).await;

    for (view, id, edges) in [
        ("workload", workload.to_owned(), ["shop/checkout", "shop/legacy-billing"]),
        ("service", format!("service:{HOST}"), ["shop/checkout", "shop/legacy-billing"]),
        ("app", "app:shop/order-service".to_owned(), ["app:shop/checkout", "app:shop/legacy-billing"]),
        (
            "versioned-app",
            "app:shop/order-service/v1".to_owned(),
            ["app:shop/checkout/unknown", "app:shop/legacy-billing/unknown"],
        ),
    ] {
        let graph = console.json(&format!("/api/v1/graph?window=60&view={view}&at={at}")).await;
        let node = find(&graph, "nodes", &id).unwrap();
        let all = node["rateIn"].as_f64().unwrap();
        let chart = over(&format!("node={id}")).await;
        let drawn = last(&chart, "rate").unwrap();
        assert!(close(drawn, all), "{view}: {drawn} in the chart, {all} in the graph; {chart}");
        assert!(last(&chart, "p95").is_some(), "{chart}");
        for source in edges {
            let edge = find(&graph, "edges", &format!("{source}->{id}")).unwrap()["rate"].as_f64().unwrap();
            let drawn = last(&over(&format!("edge={source}-%3E{id}")).await, "rate").unwrap();
            assert!(close(drawn, edge) && edge < all, "{source}->{id}: {drawn} in the chart, {edge} in the graph");
        }
    }
    let graph = console.json(&format!("/api/v1/graph?window=60&at={at}")).await;
    for caller in ["shop/checkout", "shop/legacy-billing"] {
        let out = find(&graph, "nodes", caller).unwrap()["rateOut"].as_f64().unwrap();
        let drawn = last(&over(&format!("node={caller}")).await, "rate-out").unwrap();
        assert!(close(drawn, out), "{caller}: {drawn} in the chart, {out} in the graph");
    }
    console.stop().await;
}

#[tokio::test]
async fn an_unreadable_annotation_is_told_of() {
    let console = Running::start(&[]).await;
    let text = console.text("workloads.yaml");
    let own = "{name: order-service, namespace: shop, annotations: {health.kiali.io/rate: '4XX,ten,20,http,inbound'}}";
    std::fs::write(console.file("workloads.yaml"), text.replacen("{name: order-service, namespace: shop}", own, 1))
        .unwrap();
    let finding = until("the finding is there", async || {
        let graph = console.json("/api/v1/graph").await;
        graph["findings"].get(0).cloned()
    })
    .await;
    assert_eq!(finding["object"]["name"], "order-service");
    assert!(finding["message"].as_str().is_some_and(|message| message.contains("\"ten\"")), "{finding}");
    console.stop().await;
}

#[tokio::test]
async fn thresholds_that_turn_wrong_are_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("health.yaml");
    let write = |failure: &str| {
        std::fs::write(&file, format!("rate:\n- tolerance: [{{code: 5XX, failure: {failure}}}]\n")).unwrap();
    };
    write("30");
    let console = Running::start(&[&format!("--health-config={}", file.display())]).await;
    let told = async || {
        let graph = console.json("/api/v1/graph").await;
        graph["findings"].get(0).map(|finding| finding["message"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(told().await, None);
    write("300");
    let message = until("the finding is there", async || told().await).await;
    assert!(message.contains("rate[0]") && message.contains("300"), "{message}");
    write("30");
    until("the finding is gone", async || told().await.is_none().then_some(())).await;
    console.stop().await;
}
