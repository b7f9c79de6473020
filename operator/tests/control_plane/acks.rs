use weft_operator::ads::Kind;

use crate::{
    bench::Bench,
    client::{Ads, Identity, join},
    discovery::{ORDER, canary, shop},
};

async fn proxy(bench: &Bench, account: &str, workload: &str) -> (Identity, Ads) {
    let identity = join(bench, account).await;
    let mut ads = Ads::open(bench, &identity, workload).await.unwrap();
    ads.settle().await;
    (identity, ads)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_acknowledged_when_the_last_proxy_that_has_it_says_so() {
    let bench = shop().await;
    let (_front, mut ads) = proxy(&bench, "front", "front").await;
    // This one has no listener towards order, so that it is never sent the route: it confirms without a word.
    let (_order, _bystander) = proxy(&bench, "order", "order-v1").await;
    let first = bench.ack_when("order", |row| row.acked_at_ms.is_some()).await;

    bench.write("canary.yaml", &canary(50, 50));
    let (kind, response) = ads.next().await.unwrap();
    let open = bench.ack_when("order", |row| row.content != first.content && row.pending.len() == 1).await;
    assert_eq!((open.acked_at_ms, &open.pending[0]), (None, &ads.node));
    ads.answer(kind, response, None).await;
    let done = bench.ack_when("order", |row| row.acked_at_ms.is_some()).await;
    assert!(done.acked_at_ms.unwrap() >= done.changed_at_ms && done.changed_at_ms >= first.changed_at_ms);
    assert!(done.pending.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_shown_and_not_repeated() {
    let bench = shop().await;
    let (_identity, mut ads) = proxy(&bench, "front", "front").await;
    bench.ack_when("order", |row| row.acked_at_ms.is_some()).await;
    bench.write("canary.yaml", &canary(50, 50));
    let (kind, response) = ads.next().await.unwrap();
    ads.answer(kind, response, Some(ORDER)).await;
    assert!(ads.silent().await, "the same version is not sent again");

    let row = bench.syncz().await.remove(0);
    let vhds = row.types.iter().find(|row| row.kind == "vhds").unwrap();
    assert!(!vhds.synced && vhds.nack.as_ref().unwrap().contains("refused by the test"), "{vhds:?}");
    assert!(row.types.iter().filter(|row| row.kind != "vhds").all(|row| row.synced), "{row:?}");
    assert_eq!(bench.ack("order").await.unwrap().pending, [ads.node.clone()]);
    let (_, dump) = bench.get("/debug/config_dump?proxy=default/front").await;
    assert!(dump.contains("\"refused\"") && dump.contains("refused by the test"), "{dump}");
    let (_, metrics) = bench.get("/metrics").await;
    assert!(metrics.contains("weft_operator_nacks_total{type=\"vhds\"} 1"), "{metrics}");

    bench.write("canary.yaml", &canary(70, 30));
    ads.take(&[Kind::Vhds]).await;
    bench.ack_when("order", |row| row.acked_at_ms.is_some()).await;
    assert!(bench.syncz().await[0].types.iter().all(|row| row.synced && row.nack.is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_was_away_has_to_confirm() {
    let bench = shop().await;
    let (identity, ads) = proxy(&bench, "front", "front").await;
    let (_order, _other) = proxy(&bench, "order", "order-v1").await;
    bench.ack_when("order", |row| row.acked_at_ms.is_some()).await;
    let held = ads.held.clone();
    drop(ads);
    while bench.syncz().await.len() > 1 {
        tokio::task::yield_now().await;
    }
    bench.write("canary.yaml", &canary(0, 100));
    bench.ack_when("order", |row| row.acked_at_ms.is_some() && row.changed_at_ms > 0).await;

    let mut back = Ads::open(&bench, &identity, "front").await.unwrap();
    back.held = held;
    back.ask_all().await;
    let (kind, response) = loop {
        let (kind, response) = back.next().await.unwrap();
        if kind == Kind::Vhds {
            break (kind, response);
        }
        back.answer(kind, response, None).await;
    };
    let open = bench.ack_when("order", |row| row.acked_at_ms.is_none()).await;
    assert_eq!(open.pending, [back.node.clone()]);
    back.answer(kind, response, None).await;
    bench.ack_when("order", |row| row.acked_at_ms.is_some()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_debug_pages_answer_bad_questions() {
    let bench = shop().await;
    assert_eq!(bench.get("/healthz/ready").await.0, 200);
    assert_eq!(bench.get("/debug/config_dump").await.0, 400);
    assert_eq!(bench.get("/debug/config_dump?proxy=nobody").await.0, 404);
    assert_eq!(bench.get("/nowhere").await.0, 404);
}
