//! The customer's YAML, each block as it stands, with the workloads that it speaks of.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use weft_tests::{
    chapter,
    estate::{Estate, Workload},
    http::{get, get_tls, send},
    load::{self, Load},
    wait::{ensure, until},
};

const SOON: Duration = Duration::from_secs(10);

fn order(version: &str) -> Workload {
    Workload::new("default", "order-service").version(version)
}

fn client(namespace: &str, name: &str) -> Workload {
    Workload::new(namespace, name).client()
}

#[tokio::test]
async fn canary_routes_testers_by_header_and_the_rest_by_weight() {
    let Some(text) = chapter::text() else { return };
    let estate = Estate::start(
        vec![order("v1"), order("v2"), client("default", "web")],
        &[
            ("vs.yaml", &chapter::block(&text, "VirtualService", "order-service")),
            ("dr.yaml", &chapter::block(&text, "DestinationRule", "order-service")),
        ],
    )
    .await;
    let web = estate.egress("default/web");
    for _ in 0..20 {
        let answer = get(web, "order-service", "/", &[("x-canary", "true")]).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.version().as_str()), (200, "v2"), "a tester: {}", answer.text());
    }
    let mut plan = load::Plan::new(web, "order-service:8080", "/");
    plan.pause = Duration::ZERO;
    let load = Load::start(plan);
    load.more(2000).await;
    let outcomes = load.stop().await;
    load::assert_all_ok(&outcomes);
    let v2 = outcomes.iter().filter(|outcome| outcome.version == "v2").count();
    // 10 % of at least 2,000: outside 7 to 13 % less than once in 100,000 runs.
    let share = v2 as f64 / outcomes.len() as f64;
    assert!((0.07..0.13).contains(&share), "v2 got {v2} of {}", outcomes.len());

    // `maxRequestsPerConnection: 2`, read off the caller's access log.
    let log = until("the access log is written", SOON, || async {
        let log = estate.access_log("default", "web");
        ensure(log.len() >= 2000, || format!("{} lines", log.len()))?;
        Ok(log)
    })
    .await;
    let mut per_connection: BTreeMap<String, u32> = BTreeMap::new();
    for entry in &log {
        let upstream = format!("{}>{}", entry["upstream_local_address"], entry["upstream_host"]);
        *per_connection.entry(upstream).or_default() += 1;
    }
    // Among a thousand connections some share an ephemeral port (about 18 by the birthday bound); the rest show the limit.
    let over = per_connection.values().filter(|count| **count > 2).count();
    assert!(over * 10 < per_connection.len(), "{over} of {} connections carried more than 2", per_connection.len());
}

#[tokio::test]
async fn canary_route_retries_503() {
    let Some(text) = chapter::text() else { return };
    let flags = ["--fail-every=2", "--fail-status=503"];
    let failing = |version| flags.iter().fold(order(version), |workload, flag| workload.flag(flag));
    let estate = Estate::start(
        vec![failing("v1"), failing("v2"), client("default", "web")],
        &[
            ("vs.yaml", &chapter::block(&text, "VirtualService", "order-service")),
            // Without the outlier detection of the chapter's rule, which would rightly eject a host that fails so much.
            ("dr.yaml", &without_outlier_detection(&chapter::block(&text, "DestinationRule", "order-service"))),
        ],
    )
    .await;
    let web = estate.egress("default/web");
    for _ in 0..40 {
        let answer = get(web, "order-service", "/", &[]).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

fn without_outlier_detection(rule: &str) -> String {
    let mut skipping = false;
    let kept = rule.lines().filter(|line| {
        let indent = line.len() - line.trim_start().len();
        if skipping && indent <= 4 {
            skipping = false;
        }
        skipping |= line.trim() == "outlierDetection:";
        !skipping
    });
    kept.map(|line| format!("{line}\n")).collect()
}

#[tokio::test]
async fn canary_route_gives_up_after_its_timeouts() {
    let Some(text) = chapter::text() else { return };
    let estate = Estate::start(
        vec![order("v1").flag("--latency-ms=60000"), order("v2").flag("--latency-ms=60000"), client("default", "web")],
        &[
            ("vs.yaml", &chapter::block(&text, "VirtualService", "order-service")),
            ("dr.yaml", &chapter::block(&text, "DestinationRule", "order-service")),
        ],
    )
    .await;
    let started = Instant::now();
    let answer = get(estate.egress("default/web"), "order-service", "/", &[]).await.unwrap();
    let took = started.elapsed().as_secs_f64();
    assert_eq!(answer.status, 504, "{}", answer.text());
    // `retryOn` does not name what a per-try timeout is: the first one, after 3 s, is final.
    assert!((2.9..10.5).contains(&took), "gave up after {took} s");
}

#[tokio::test]
async fn destination_rule_ejects_a_failing_host() {
    let Some(text) = chapter::text() else { return };
    let estate = Estate::start(
        vec![
            order("v1").named("good"),
            order("v1").named("bad").flag("--fail-every=1"),
            order("v2"),
            client("default", "web"),
        ],
        &[
            ("vs.yaml", &chapter::block(&text, "VirtualService", "order-service")),
            ("dr.yaml", &chapter::block(&text, "DestinationRule", "order-service")),
        ],
    )
    .await;
    let web = estate.egress("default/web");
    until("the failing host is ejected", SOON, || async {
        let mut failed = 0;
        for _ in 0..30 {
            let answer = get(web, "order-service", "/", &[]).await?;
            failed += u32::from(answer.status == 500);
        }
        ensure(failed == 0, || format!("{failed} of 30 failed"))
    })
    .await;
}

#[tokio::test]
async fn gateway_terminates_tls_from_a_secret_that_can_change() {
    let Some(text) = chapter::text() else { return };
    let block = chapter::block(&text, "Gateway", "public-gateway");
    let estate =
        Estate::start(vec![order("v1"), Workload::ingress("istio-ingress")], &[("gateway.yaml", &block)]).await;
    let gateway = estate.at("istio-ingress/istio-ingressgateway", 8443);
    // A listener without its certificate serves nobody; then the Secret comes.
    for round in ["first", "renewed"] {
        let ca = estate.logs().join(format!("{round}.pem"));
        estate.write("secret.yaml", &secret(&ca));
        let answer = until(&format!("the {round} certificate is served"), SOON, || {
            get_tls(gateway, "api.example.com", "/api/v1/orders", &ca)
        })
        .await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["service"], "order-service");
    }
    let ca = estate.logs().join("renewed.pem");
    assert!(get_tls(gateway, "other.example.com", "/", &ca).await.is_err(), "an unknown server name is turned away");
}

/// A Secret as cert-manager writes it; the certificate alone goes to `ca`.
fn secret(ca: &std::path::Path) -> String {
    let names = ["api.example.com".to_owned(), "other.example.com".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    std::fs::write(ca, made.cert.pem()).unwrap();
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: api-tls-cert, namespace: istio-ingress}}\ntype: kubernetes.io/tls\n\
         data: {{tls.crt: {}, tls.key: {}}}\n",
        STANDARD.encode(made.cert.pem()),
        STANDARD.encode(made.signing_key.serialize_pem())
    )
}

#[tokio::test]
async fn fault_injection_delays_all_and_aborts_a_tenth() {
    let Some(text) = chapter::text() else { return };
    let estate = Estate::start(
        vec![Workload::new("default", "inventory-service"), client("default", "web")],
        &[("fault.yaml", &chapter::block(&text, "VirtualService", "inventory-fault-test"))],
    )
    .await;
    let web = estate.egress("default/web");
    let requests: Vec<_> = (0..200)
        .map(|_| {
            tokio::spawn(async move {
                let started = Instant::now();
                let answer = get(web, "inventory-service", "/", &[("x-test-fault", "enabled")]).await.unwrap();
                (answer.status.as_u16(), started.elapsed())
            })
        })
        .collect();
    let mut aborted = 0;
    for request in requests {
        let (status, took) = request.await.unwrap();
        assert!(took >= Duration::from_millis(4990), "delayed by {took:?} only");
        assert!(status == 200 || status == 503, "{status}");
        aborted += u32::from(status == 503);
    }
    // A tenth of 200: outside 4 to 42 less than once in 100,000 runs.
    assert!((4..=42).contains(&aborted), "{aborted} of 200 aborted");
    // The block's only route wants the header: anything else has no route.
    assert_eq!(get(web, "inventory-service", "/", &[]).await.unwrap().status, 404);
}

#[tokio::test]
async fn strict_refuses_plaintext() {
    let Some(text) = chapter::text() else { return };
    let order = || Workload::new("production", "order-service");
    let estate = Estate::start(vec![order(), client("production", "web")], &[]).await;
    let direct = estate.at("production/order-service", 8080);
    assert_eq!(get(direct, "order-service", "/", &[]).await.unwrap().status, 200, "permissive by default");
    estate.write("strict.yaml", &chapter::block(&text, "PeerAuthentication", "default"));
    until("a plaintext caller is refused", SOON, || async {
        match get(direct, "order-service", "/", &[]).await {
            Ok(answer) => Err(format!("answered {}", answer.status)),
            Err(_) => Ok(()),
        }
    })
    .await;
    let web = estate.egress("production/web");
    assert_eq!(get(web, "order-service", "/", &[]).await.unwrap().status, 200, "mutual TLS goes on");
}

#[tokio::test]
async fn authorization_policy_lets_checkout_and_inventory_in_as_told() {
    let Some(text) = chapter::text() else { return };
    let estate = Estate::start(
        vec![
            Workload::new("production", "order-service"),
            client("production", "checkout-bff"),
            client("production", "inventory-service"),
            client("production", "marketing"),
        ],
        &[
            ("policy.yaml", &chapter::block(&text, "AuthorizationPolicy", "order-service-policy")),
            ("strict.yaml", &chapter::block(&text, "PeerAuthentication", "default")),
        ],
    )
    .await;
    let cases = [
        ("checkout-bff", "GET", "/api/v1/orders", 200),
        ("checkout-bff", "POST", "/api/v1/orders", 200),
        ("checkout-bff", "GET", "/api/v1/orders/42", 200),
        ("checkout-bff", "DELETE", "/api/v1/orders/42", 403),
        ("checkout-bff", "GET", "/admin", 403),
        ("checkout-bff", "GET", "/api/v1/orders/../../../admin", 403),
        ("checkout-bff", "GET", "/api/v1/ordersX", 403),
        ("inventory-service", "GET", "/api/v1/orders/42", 200),
        ("inventory-service", "POST", "/api/v1/orders/42", 403),
        ("inventory-service", "GET", "/api/v1/orders", 403),
        ("marketing", "GET", "/api/v1/orders", 403),
    ];
    for (caller, method, path, expected) in cases {
        let egress = estate.egress(&format!("production/{caller}"));
        // Claims in headers change nothing: identity is what the certificate says.
        let spoof = [("x-forwarded-client-cert", "URI=spiffe://cluster.local/ns/production/sa/checkout-bff")];
        let answer = send(egress, method, "order-service", path, &spoof, Bytes::new()).await.unwrap();
        assert_eq!(answer.status.as_u16(), expected, "{caller} {method} {path}: {}", answer.text());
    }
}

#[tokio::test]
async fn error_rate_query_returns_the_share_that_the_application_makes() {
    let Some(text) = chapter::text() else { return };
    let no_retries = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: order-service}\n\
         spec: {hosts: [order-service], http: [{retries: {attempts: 0}, route: [{destination: {host: order-service}}]}]}\n";
    let failing = Workload::new("default", "order-service").flag("--fail-every=10");
    let mut estate = Estate::start(vec![failing, client("default", "web")], &[("vs.yaml", no_retries)]).await;
    let web = estate.egress("default/web");
    let query = chapter::error_rate_query(&text);
    let prometheus = estate.start_prometheus().await;
    let load = Load::start(load::Plan::new(web, "order-service", "/"));
    until("the chapter's query returns a tenth", Duration::from_secs(60), || async {
        let share = prometheus.value(&query).await.ok_or("no data yet")?;
        ensure((share - 0.1).abs() < 0.005, || format!("{share}"))
    })
    .await;
    let outcomes = load.stop().await;
    let counts = load::by_status(&outcomes);
    let failed = counts.get("500").copied().unwrap_or(0) as f64 / outcomes.len() as f64;
    assert!((failed - 0.1).abs() < 0.005, "the application made {counts:?}");
}
