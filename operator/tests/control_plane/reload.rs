use std::time::{Duration, Instant};

use weft_operator::ads::Kind;

use crate::{
    client::{Ads, join},
    discovery::{ORDER, canary, shop},
};

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_arrives_within_half_a_second() {
    let bench = shop().await;
    let front = join(&bench, "front").await;
    let mut ads = Ads::open(&bench, &front, "front").await.unwrap();
    ads.settle().await;
    for weight in [80, 60, 40] {
        let start = Instant::now();
        bench.write("canary.yaml", &canary(weight, 100 - weight));
        ads.take(&[Kind::Vhds]).await;
        let took = start.elapsed();
        assert!(took < Duration::from_millis(500), "{took:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_leaves_the_last_good_version_in_force() {
    let bench = shop().await;
    let front = join(&bench, "front").await;
    let mut ads = Ads::open(&bench, &front, "front").await.unwrap();
    ads.settle().await;
    let good = ads.held[&Kind::Vhds][ORDER].clone();

    bench.write("canary.yaml", "apiVersion: networking.istio.io/v1\nkind: [");
    assert!(ads.silent().await);
    let (_, metrics) = bench.get("/metrics").await;
    assert!(metrics.contains("weft_operator_reloads_total{result=\"errors\"} 1"), "{metrics}");
    assert!(metrics.contains("weft_operator_config_errors 1"), "{metrics}");

    bench.write("canary.yaml", &canary(10, 90));
    ads.take(&[Kind::Vhds]).await;
    assert_ne!(ads.held[&Kind::Vhds][ORDER], good);
    let (_, metrics) = bench.get("/metrics").await;
    assert!(metrics.contains("weft_operator_config_errors 0"), "{metrics}");

    std::fs::remove_file(bench.manifest("canary.yaml")).unwrap();
    ads.take(&[Kind::Vhds]).await;
    assert!(bench.ack("order").await.is_none());
}
