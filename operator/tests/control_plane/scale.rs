use std::{fmt::Write, time::Instant};

use weft_operator::ads::Kind;

use crate::{
    bench::Bench,
    client::{Ads, join},
    discovery::{SHOP, canary},
};

const PROXIES: usize = 100;

/// A hundred callers of one service.
fn crowd() -> String {
    let mut text = SHOP.to_owned();
    for n in 0..PROXIES {
        write!(
            text,
            r#"
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {{name: caller-{n}, namespace: default}}
spec: {{address: 127.9.1.{n}, serviceAccount: caller, labels: {{app: caller}}}}
"#
        )
        .unwrap();
    }
    text + r#"
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: caller, namespace: default}
spec:
  workloadSelector: {labels: {app: caller}}
  egress:
  - {port: {number: 8080, protocol: HTTP, name: http}, captureMode: NONE, bind: 127.0.0.1, hosts: ["*/*"]}
"#
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_proxies_acknowledge_an_edit() {
    let bench = Bench::start(&[("crowd.yaml", &crowd()), ("canary.yaml", &canary(90, 10))]).await;
    let caller = join(&bench, "caller").await;
    let mut crowd = Vec::new();
    for n in 0..PROXIES {
        let mut ads = Ads::open(&bench, &caller, &format!("caller-{n}")).await.unwrap();
        ads.ask_all().await;
        crowd.push(ads);
    }
    let mut settling = tokio::task::JoinSet::new();
    for mut ads in crowd {
        settling.spawn(async move {
            ads.take(&[Kind::Cds, Kind::Eds, Kind::Lds, Kind::Rds, Kind::Vhds, Kind::Wds]).await;
            ads
        });
    }
    let crowd = settling.join_all().await;
    assert_eq!(bench.syncz().await.len(), PROXIES);
    let first = bench.ack_when("order", |row| row.acked_at_ms.is_some()).await;

    let start = Instant::now();
    bench.write("canary.yaml", &canary(50, 50));
    let mut answering = tokio::task::JoinSet::new();
    for mut ads in crowd {
        answering.spawn(async move {
            ads.take(&[Kind::Vhds]).await;
            ads
        });
    }
    let _crowd = answering.join_all().await;
    let row = bench.ack_when("order", |row| row.content != first.content && row.acked_at_ms.is_some()).await;
    println!(
        "{PROXIES} proxies: {} ms from taking the edit up to the last acknowledgement, {} ms from the write",
        row.acked_at_ms.unwrap() - row.changed_at_ms,
        start.elapsed().as_millis()
    );
    let (_, metrics) = bench.get("/metrics").await;
    assert!(metrics.contains(&format!("weft_operator_proxies {PROXIES}")), "{metrics}");
}
