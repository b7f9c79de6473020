use tonic::Code;
use weft_operator::ads::Kind;

use crate::{
    bench::Bench,
    client::{Ads, channel, join},
};

/// A caller and two versions of a service, with an outbound listener at the caller.
pub const SHOP: &str = r#"
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: front, namespace: default}
spec: {address: 127.9.0.1, serviceAccount: front, labels: {app: front, security.istio.io/tlsMode: istio}}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: front, namespace: default}
spec:
  workloadSelector: {labels: {app: front}}
  egress:
  - {port: {number: 8080, protocol: HTTP, name: http}, bind: 127.9.0.1, captureMode: NONE, hosts: ["*/*"]}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: order-v1, namespace: default}
spec: {address: 127.9.0.2, serviceAccount: order, labels: {app: order, version: v1, security.istio.io/tlsMode: istio}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: order-v2, namespace: default}
spec: {address: 127.9.0.3, serviceAccount: order, labels: {app: order, version: v2, security.istio.io/tlsMode: istio}}
---
apiVersion: v1
kind: Service
metadata: {name: order, namespace: default}
spec:
  selector: {app: order}
  ports: [{name: http, port: 8080}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: order, namespace: default}
spec:
  host: order
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
"#;

/// The canary with these weights.
pub fn canary(v1: u32, v2: u32) -> String {
    format!(
        r#"
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: order, namespace: default}}
spec:
  hosts: [order]
  http:
  - route:
    - {{destination: {{host: order, subset: v1}}, weight: {v1}}}
    - {{destination: {{host: order, subset: v2}}, weight: {v2}}}
"#
    )
}

/// The virtual host that the canary shapes.
pub const ORDER: &str = "8080/order.default.svc.cluster.local:8080";

pub async fn shop() -> Bench {
    Bench::start(&[("shop.yaml", SHOP), ("canary.yaml", &canary(90, 10))]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_comes_in_order_and_later_only_differences() {
    let bench = shop().await;
    let front = join(&bench, "front").await;
    let mut ads = Ads::open(&bench, &front, "front").await.unwrap();
    let order = ads.settle().await;
    let at = |kind| order.iter().position(|k| *k == kind).unwrap();
    for (first, then) in [
        (Kind::Cds, Kind::Eds),
        (Kind::Eds, Kind::Lds),
        (Kind::Lds, Kind::Rds),
        (Kind::Rds, Kind::Vhds),
        (Kind::Cds, Kind::Vhds),
    ] {
        assert!(at(first) < at(then), "{order:?}");
    }
    assert!(ads.held[&Kind::Cds].contains_key("outbound|8080|v2|order.default.svc.cluster.local"), "{:?}", ads.held);
    assert!(ads.held[&Kind::Vhds].contains_key(ORDER), "{:?}", ads.held);

    let before = ads.held.clone();
    bench.write("canary.yaml", &canary(50, 50));
    let (kind, response) = ads.next().await.unwrap();
    assert_eq!(kind, Kind::Vhds);
    assert_eq!(response.resources.len(), 1, "one route edit is one virtual host");
    assert_eq!(response.resources[0].name, ORDER);
    ads.answer(kind, response, None).await;
    assert!(ads.silent().await);
    assert_ne!(before[&Kind::Vhds][ORDER], ads.held[&Kind::Vhds][ORDER]);
    assert_eq!(before[&Kind::Cds], ads.held[&Kind::Cds]);
}

#[tokio::test(flavor = "multi_thread")]
async fn reconnecting_with_everything_is_silent_even_after_a_restart() {
    let mut bench = shop().await;
    let front = join(&bench, "front").await;
    let mut ads = Ads::open(&bench, &front, "front").await.unwrap();
    ads.settle().await;
    bench.restart().await;
    let mut again = Ads::open(&bench, &front, "front").await.unwrap();
    again.held = ads.held.clone();
    again.ask_all().await;
    // A type that it holds nothing of is answered, with nothing, so that the proxy knows.
    loop {
        match tokio::time::timeout(std::time::Duration::from_millis(500), again.next()).await {
            Err(_) => break,
            Ok(response) => {
                let (kind, response) = response.unwrap();
                assert!(
                    response.resources.is_empty() && response.removed_resources.is_empty(),
                    "{kind:?} {response:?}"
                );
                again.answer(kind, response, None).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_workloads_own_account_may_ask() {
    let bench = shop().await;
    let order = join(&bench, "order").await;
    let refusal = |mut ads: Ads| async move {
        ads.ask(Kind::Cds).await;
        ads.next().await.unwrap_err()
    };
    let wrong = refusal(Ads::open(&bench, &order, "front").await.unwrap()).await;
    assert_eq!(wrong.code(), Code::PermissionDenied);
    assert!(wrong.message().contains("sa/order") && wrong.message().contains("sa/front"), "{wrong:?}");
    let nobody = refusal(Ads::open(&bench, &order, "nobody").await.unwrap()).await;
    assert_eq!(nobody.code(), Code::PermissionDenied);
    assert!(nobody.message().contains("default/nobody"), "{nobody:?}");
    let mut unnamed = Ads::open(&bench, &order, "order-v1").await.unwrap();
    unnamed.node = "nonsense".into();
    assert_eq!(refusal(unnamed).await.code(), Code::InvalidArgument);
    Ads::open(&bench, &order, "order-v1").await.unwrap().settle().await;

    // Without a certificate there is nothing to be had but one.
    use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
    let mut client = AggregatedDiscoveryServiceClient::new(channel(&bench, None).await.unwrap());
    let refused = client.delta_aggregated_resources(tokio_stream::empty()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workload_that_changes_hands_loses_its_stream() {
    let bench = shop().await;
    let front = join(&bench, "front").await;
    let mut ads = Ads::open(&bench, &front, "front").await.unwrap();
    ads.settle().await;
    bench.write("shop.yaml", &SHOP.replace("serviceAccount: front", "serviceAccount: other"));
    assert_eq!(ads.next().await.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_stream_of_the_same_proxy_ends_the_older_one() {
    let bench = shop().await;
    let front = join(&bench, "front").await;
    let mut older = Ads::open(&bench, &front, "front").await.unwrap();
    older.settle().await;
    let mut newer = Ads::open(&bench, &front, "front").await.unwrap();
    newer.settle().await;
    assert_eq!(older.next().await.unwrap_err().code(), Code::Aborted);
    assert_eq!(bench.syncz().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_tells_proxies_and_is_quick() {
    let mut bench = shop().await;
    let front = join(&bench, "front").await;
    let mut ads = Ads::open(&bench, &front, "front").await.unwrap();
    ads.settle().await;
    // A client that sits there and one that never finishes its handshake hold nothing up.
    let _idle = tokio::net::TcpStream::connect(bench.listen).await.unwrap();
    let took = bench.stop().await;
    assert!(took.as_secs_f64() < 1.5, "{took:?}");
    assert_eq!(ads.next().await.unwrap_err().code(), Code::Unavailable);
}
