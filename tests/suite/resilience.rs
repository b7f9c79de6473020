//! Nothing is lost: not when the control plane dies, not when certificates rotate, not while weights move.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use weft_tests::{
    estate::{Estate, Workload},
    http::get,
    load::{self, Load, Plan},
    wait::{ensure, until},
};

const SOON: Duration = Duration::from_secs(10);

fn order_estate() -> Vec<Workload> {
    let order = |version| Workload::new("shop", "order-service").version(version);
    vec![order("v1"), order("v2"), Workload::new("shop", "web").client()]
}

const RULE: &str = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: order-service, namespace: shop}\n\
    spec: {host: order-service, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}\n";

fn weights(v1: u32, v2: u32) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: order-service, namespace: shop}}\nspec:\n  \
         hosts: [order-service]\n  http:\n  - name: testers\n    match: [{{headers: {{x-canary: {{exact: 'true'}}}}}}]\n    \
         route: [{{destination: {{host: order-service, subset: v2}}}}]\n  - name: canary\n    route:\n    \
         - {{destination: {{host: order-service, subset: v1}}, weight: {v1}}}\n    \
         - {{destination: {{host: order-service, subset: v2}}, weight: {v2}}}\n"
    )
}

/// Waits until every proxy has acknowledged a content of the VirtualService that was not there `before`; gives its hash.
async fn acknowledged(estate: &Estate, before: &str) -> String {
    until("the new weights are acknowledged", SOON, || async {
        let acks = estate.acks().await?;
        let ack = acks.iter().find(|ack| ack.object.kind == "VirtualService").ok_or("no VirtualService")?;
        ensure(ack.content != before && ack.acked_at_ms.is_some(), || format!("{ack:?}"))?;
        Ok(ack.content.clone())
    })
    .await
}

#[tokio::test]
async fn two_hundred_weight_edits_under_load() {
    let estate = Estate::start(order_estate(), &[("rule.yaml", RULE), ("vs.yaml", &weights(100, 0))]).await;
    let mut content = acknowledged(&estate, "").await;
    let mut plan = Plan::new(estate.egress("shop/web"), "order-service:8080", "/");
    plan.tester_every = 10;
    let load = Load::start(plan);
    // Times at which all proxies held the weights, until the next edit was written: (from, to, forbidden version).
    let mut settled: Vec<(Instant, Instant, &str)> = Vec::new();
    let mut took = Vec::new();
    for edit in 0..200 {
        let (v1, v2, forbidden) = match edit % 4 {
            0 => (50, 50, ""),
            1 => (0, 100, "v1"),
            2 => (10, 90, ""),
            _ => (100, 0, "v2"),
        };
        let began = Instant::now();
        estate.write("vs.yaml", &weights(v1, v2));
        content = acknowledged(&estate, &content).await;
        took.push(began.elapsed());
        let from = Instant::now();
        load.more(8).await;
        settled.push((from, Instant::now(), forbidden));
    }
    let outcomes = load.stop().await;
    load::assert_all_ok(&outcomes);
    for outcome in &outcomes {
        if outcome.tester {
            assert_eq!(outcome.version, "v2", "a tester is always served by v2");
            continue;
        }
        let window = settled.iter().find(|(from, to, _)| outcome.sent >= *from && outcome.done <= *to);
        if let Some((_, _, forbidden)) = window {
            assert_ne!(&outcome.version, forbidden, "a subset of weight 0 got a request after the last ACK");
        }
    }
    took.sort();
    println!("edit to last ACK: median {:?}, worst {:?}, {} requests", took[100], took[199], outcomes.len());
}

#[tokio::test]
async fn the_operator_dies_and_comes_back_under_load() {
    let mut estate = Estate::start(order_estate(), &[("rule.yaml", RULE), ("vs.yaml", &weights(90, 10))]).await;
    let load = Load::start(Plan::new(estate.egress("shop/web"), "order-service:8080", "/"));
    load.more(200).await;
    estate.operator().kill();
    load.more(500).await;
    estate.start_operator().await;
    until("all proxies are back", Duration::from_secs(40), || async {
        let proxies = estate.syncz().await?;
        ensure(proxies.len() == 3, || format!("{} of 3 are connected", proxies.len()))
    })
    .await;
    estate.write("vs.yaml", &weights(0, 100));
    until("the new operator's word counts", SOON, || async {
        let answer = get(estate.egress("shop/web"), "order-service:8080", "/", &[]).await?;
        ensure(answer.version() == "v2", || answer.version())
    })
    .await;
    load.more(200).await;
    load::assert_all_ok(&load.stop().await);
}

#[tokio::test]
async fn certificates_rotate_under_load() {
    let mut estate =
        Estate::start_with(order_estate(), &[("rule.yaml", RULE), ("vs.yaml", &weights(50, 50))], "60s").await;
    let expiries = |estate: &Estate, names: &[&str]| {
        let addresses: Vec<_> = names.iter().map(|name| ((*name).to_owned(), estate.at(name, 15000))).collect();
        async move {
            let mut found = BTreeMap::new();
            for (name, address) in addresses {
                found.insert(name, get(address, "proxy", "/certs", &[]).await?.text());
            }
            Ok::<_, String>(found)
        }
    };
    let names = ["shop/order-service-v1", "shop/order-service-v2", "shop/web"];
    let first = expiries(&estate, &names).await.unwrap();
    let load = Load::start(Plan::new(estate.egress("shop/web"), "order-service:8080", "/"));
    // Half of a minute's lifetime, and jitter; twice, so that the renewed certificates are used to renew.
    let mut before = first;
    for _ in 0..2 {
        until("every certificate was renewed", Duration::from_secs(70), || async {
            let now = expiries(&estate, &names).await?;
            let same: Vec<_> = now.iter().filter(|(name, text)| before.get(*name) == Some(text)).collect();
            ensure(same.is_empty(), || format!("{} are as they were", same.len()))
        })
        .await;
        before = expiries(&estate, &names).await.unwrap();
    }
    load.more(100).await;
    load::assert_all_ok(&load.stop().await);
    estate.proxy("shop/web").assert_running();
}

#[tokio::test]
async fn a_broken_file_leaves_the_last_good_version_in_force() {
    let estate = Estate::start(order_estate(), &[("rule.yaml", RULE), ("vs.yaml", &weights(0, 100))]).await;
    let web = estate.egress("shop/web");
    let good = weights(0, 100);
    for broken in [&good[..good.len() - 30], "apiVersion: networking.istio.io/v1\nkind: [", "\u{0}\u{1}\u{2}", "{{{{"] {
        estate.write("vs.yaml", broken);
        // The operator has read the broken file once it reads what was written after it.
        estate.write("marker.yaml", &marker(broken.len()));
        until("the marker is read", SOON, || async {
            let acks = estate.acks().await?;
            let name = format!("marker-{}", broken.len());
            ensure(acks.iter().any(|ack| ack.object.name == name), || format!("{} objects", acks.len()))
        })
        .await;
        for _ in 0..5 {
            let answer = get(web, "order-service:8080", "/", &[]).await.unwrap();
            assert_eq!((answer.status.as_u16(), answer.version().as_str()), (200, "v2"), "after {broken:?}");
        }
    }
    estate.write("vs.yaml", &weights(100, 0));
    until("the mended file counts", SOON, || async {
        let answer = get(web, "order-service:8080", "/", &[]).await?;
        ensure(answer.version() == "v1", || answer.version())
    })
    .await;
}

fn marker(number: usize) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: marker-{number}, namespace: shop}}\n\
         spec: {{hosts: [marker-{number}.example.com], http: [{{directResponse: {{status: 200}}}}]}}\n"
    )
}

#[tokio::test]
async fn a_proxy_drains_on_sigterm() {
    let mut estate = Estate::start(
        vec![Workload::new("shop", "order-service").flag("--latency-ms=400"), Workload::new("shop", "web").client()],
        &[],
    )
    .await;
    let web = estate.egress("shop/web");
    let under_way: Vec<_> =
        (0..8).map(|_| tokio::spawn(async move { get(web, "order-service:8080", "/", &[]).await })).collect();
    until("requests are under way", SOON, || async {
        let metrics = estate.metrics("shop/web").await;
        let open: f64 = metrics
            .lines()
            .filter(|line| line.starts_with("weft_proxy_connections"))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum();
        ensure(open >= 8.0, || format!("{open} connections"))
    })
    .await;
    let ended = estate.proxy("shop/web").terminate(Duration::from_secs(8));
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
    for request in under_way {
        assert_eq!(
            request.await.unwrap().unwrap().status,
            200,
            "a request under way is answered before the proxy ends"
        );
    }
}
