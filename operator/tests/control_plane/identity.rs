use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, SanType};
use tonic::Code;
use weft_operator::{Operator, server::peer};

use crate::{
    bench::{Bench, PATIENCE},
    client::{self, channel, create_certificate, csr, identity, join},
};

const ORDER: &str = "
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: order-1, namespace: default}
spec: {address: 127.9.0.2, serviceAccount: order-service}
";

#[tokio::test(flavor = "multi_thread")]
async fn a_token_then_the_certificate_itself() {
    let bench = Bench::start(&[("order.yaml", ORDER)]).await;
    let token = bench.token("order-service", 1);

    // The request's own names count for nothing.
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names.push(SanType::URI("spiffe://cluster.local/ns/istio-system/sa/admin".try_into().unwrap()));
    let request = params.serialize_request(&key).unwrap().pem().unwrap();
    let open = channel(&bench, None).await.unwrap();
    let answer = create_certificate(open.clone(), request, Some(&token), 120).await.unwrap();
    let first = identity(&answer, key);
    let proved = |leaf| peer::identity(leaf, "cluster.local").unwrap().to_string();
    assert_eq!(proved(&first.chain[0]), "spiffe://cluster.local/ns/default/sa/order-service");
    assert_eq!(first.chain.last(), bench.authority().roots().first());

    // Renewal needs no token and keeps the identity; the capped lifetime shows that the wish was read.
    let (renewal, key) = csr();
    let mutual = channel(&bench, Some(&first)).await.unwrap();
    let answer = create_certificate(mutual, renewal, None, 1 << 40).await.unwrap();
    let second = identity(&answer, key);
    assert_eq!(proved(&second.chain[0]), proved(&first.chain[0]));
    let (_, leaf) = x509_parser::parse_x509_certificate(&second.chain[0]).unwrap();
    let lifetime = leaf.validity().not_after.timestamp() - leaf.validity().not_before.timestamp();
    assert_eq!(lifetime, 3600 + 60);

    // The token is used up.
    let refused = create_certificate(open, csr().0, Some(&token), 0).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let (_, metrics) = bench.get("/metrics").await;
    assert!(metrics.contains("weft_operator_csrs_total{result=\"issued\"} 2"), "{metrics}");
    assert!(metrics.contains("weft_operator_csrs_total{result=\"refused\"} 1"), "{metrics}");
    assert!(metrics.contains("process_resident_memory_bytes"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_taken_out_renews_no_more() {
    let bench = Bench::start(&[("order.yaml", ORDER)]).await;
    let order = join(&bench, "order-service").await;
    let renew = async || {
        let mutual = channel(&bench, Some(&order)).await.unwrap();
        create_certificate(mutual, csr().0, None, 0).await.map(drop).map_err(|status| status.code())
    };
    assert_eq!(renew().await, Ok(()));
    std::fs::remove_file(bench.manifest("order.yaml")).unwrap();
    let within = async |expected| {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while renew().await != expected {
            assert!(tokio::time::Instant::now() < deadline, "{expected:?} does not come");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(Err(Code::PermissionDenied)).await;
    // The certificate is as good as before once somebody runs as that again.
    bench.write("order.yaml", ORDER);
    within(Ok(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_callers_are_told_what_is_wrong() {
    let bench = Bench::start(&[]).await;
    let open = channel(&bench, None).await.unwrap();
    let nobody = create_certificate(open.clone(), csr().0, None, 0).await.unwrap_err();
    assert_eq!(nobody.code(), Code::Unauthenticated);
    assert!(nobody.message().contains("join token"));

    let token = bench.token("a", 1);
    let (head, root) = token.rsplit_once('.').unwrap();
    let tampered = format!("{head}.{}", root.chars().rev().collect::<String>());
    let refused = create_certificate(open.clone(), csr().0, Some(&tampered), 0).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);

    // A broken request does not use the token up.
    let broken = create_certificate(open.clone(), "nonsense".into(), Some(&token), 0).await.unwrap_err();
    assert_eq!(broken.code(), Code::InvalidArgument);
    create_certificate(open.clone(), csr().0, Some(&token), 0).await.unwrap();

    let huge = create_certificate(open, "x".repeat(100_000), Some(&token), 0).await.unwrap_err();
    assert_eq!(huge.code(), Code::OutOfRange);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_requests_with_one_use_give_one_certificate() {
    let bench = Bench::start(&[]).await;
    let token = bench.token("a", 1);
    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (open, token) = (channel(&bench, None).await.unwrap(), token.clone());
        racing.spawn(async move { create_certificate(open, csr().0, Some(&token), 0).await.is_ok() });
    }
    let won = racing.join_all().await.into_iter().filter(|won| *won).count();
    assert_eq!(won, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_of_another_mesh_end_the_handshake() {
    let (ours, theirs) = (Bench::start(&[]).await, Bench::start(&[]).await);
    let stranger = join(&theirs, "a").await;
    let mutual = channel(&ours, Some(&stranger)).await;
    let refused = match mutual {
        Err(_) => true,
        // With TLS 1.3 the client may learn of it only at its first request.
        Ok(mutual) => create_certificate(mutual, csr().0, None, 0).await.is_err(),
    };
    assert!(refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_survived() {
    use tokio::io::AsyncWriteExt;
    let bench = Bench::start(&[]).await;
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0x16, 3, 1, 0xff, 0xff, 1, 2, 3], &[0; 64]] {
        let mut stream = tokio::net::TcpStream::connect(bench.listen).await.unwrap();
        stream.write_all(garbage).await.unwrap();
    }
    client::join(&bench, "a").await;
    let (_, metrics) = bench.get("/metrics").await;
    assert!(metrics.contains("weft_operator_connections_total{result=\"handshake_failed\"}"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn startup_errors_are_one_line_with_a_remedy() {
    let bench = Bench::start(&[]).await;
    let taken = Operator::bind(bench.options()).await.err().unwrap().to_string();
    assert!(taken.contains("cannot listen on") && taken.contains("--listen"), "{taken}");
    let mut options = bench.options();
    options.listen.set_port(0);
    options.admin.set_port(0);
    let refusal = |options| async { Operator::bind(options).await.err().unwrap().to_string() };

    let missing =
        refusal(weft_operator::Options { config_dir: Some(bench.manifest("nowhere")), ..options.clone() }).await;
    assert!(missing.contains("nowhere") && missing.contains("--config-dir"), "{missing}");
    let short = refusal(weft_operator::Options { cert_ttl: Duration::from_secs(59), ..options.clone() }).await;
    assert!(short.contains("--cert-ttl"), "{short}");
    let name = refusal(weft_operator::Options { trust_domain: "A/b".into(), ..options.clone() }).await;
    assert!(name.contains("--trust-domain"), "{name}");
    for line in [taken, missing, short, name] {
        assert!(!line.contains('\n'), "{line}");
    }
}
