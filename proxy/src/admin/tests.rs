use axum::{
    body::Body,
    extract::connect_info::MockConnectInfo,
    http::{Method, Request, StatusCode, header},
};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;
use crate::{
    pod::{AppMetrics, Probes},
    state::testing::shared,
    workers::Workers,
};

/// An application with metrics and a health page, and 15020 for it.
async fn context() -> (Context, Workers) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let router: Router = Router::new()
        .route("/metrics", get(|| async { "app_total 1\n" }))
        .route("/sick", get(|| async { StatusCode::IM_A_TEAPOT }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let probes = format!(r#"{{"/app-health/web/livez":{{"httpGet":{{"port":{port},"path":"/sick"}}}}}}"#);
    let application = Application {
        probes: Probes::parse(&probes).unwrap(),
        metrics: Some(AppMetrics::parse(&format!(r#"{{"port":{port}}}"#)).unwrap()),
    };
    let shared = shared();
    let workers = Workers::start(&shared, 1, |_, _| Box::pin(async {})).unwrap();
    let (shutdown, dispatcher) = (Shutdown::new(), workers.dispatcher());
    (Context { shared, dispatcher, shutdown, application: Arc::new(application) }, workers)
}

async fn ask(context: &Context, from: &str, method: Method, path: &str) -> (StatusCode, String) {
    let peer: SocketAddr = from.parse().unwrap();
    let router = merged(true).with_state(context.clone()).layer(MockConnectInfo(peer));
    let request = Request::builder().method(method).uri(path).header(header::USER_AGENT, "kube-probe/1");
    let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.into()).unwrap())
}

#[tokio::test]
async fn a_pods_port_serves_its_application() {
    let (context, workers) = context().await;
    let get = |path| ask(&context, "10.0.0.1:1", Method::GET, path);
    let (status, text) = get("/stats/prometheus").await;
    assert!(status.is_success() && text.contains("weft_build_info{") && text.ends_with("app_total 1\n"));
    assert_eq!(get("/app-health/web/livez").await.0, StatusCode::IM_A_TEAPOT);
    assert_eq!(get("/app-health/web/readyz").await.0, StatusCode::NOT_FOUND);

    let quit = |from| ask(&context, from, Method::POST, "/quitquitquit");
    assert_eq!(quit("10.0.0.1:1").await.0, StatusCode::FORBIDDEN);
    assert!(!context.shutdown.begun());
    assert_eq!(quit("[::ffff:127.0.0.1]:1").await.0, StatusCode::OK);
    assert!(context.shutdown.begun());
    workers.stop().await;
}

#[tokio::test]
async fn readiness_says_what_it_waits_for() {
    let (context, workers) = context().await;
    let shared = &context.shared;
    shared.sockets.told(&"web".into(), Err("cannot listen on 127.0.0.1:8443: in use".into()));
    let ready = || ask(&context, "10.0.0.1:1", Method::GET, "/healthz/ready");
    let (status, text) = ready().await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(text.contains("no certificate yet") && text.contains("127.0.0.1:8443: in use"), "{text}");
    let ca = crate::tls::testing::TestCa::new();
    shared.identity.store(Some(Arc::new(ca.issue("spiffe://cluster.local/ns/shop/sa/web"))));
    shared.readiness.set_configured();
    shared.readiness.set_listeners_bound();
    assert_eq!(ready().await.0, StatusCode::OK);
    shared.drain.announce();
    assert_eq!(ready().await.0, StatusCode::SERVICE_UNAVAILABLE);
    workers.stop().await;
}

#[test]
fn the_admin_pages_are_never_on_the_network() {
    let mut node = shared().node.clone();
    for (in_pod, address, expected) in [
        (false, "127.0.0.10", "127.0.0.10"),
        (false, "::1", "::1"),
        (false, "10.0.0.5", "127.0.0.1"),
        (false, "2001:db8::5", "127.0.0.1"),
        (true, "10.0.0.5", "127.0.0.1"),
        (true, "127.0.0.10", "127.0.0.1"),
    ] {
        (node.in_pod, node.address) = (in_pod, address.parse().unwrap());
        assert_eq!(debug_address(&node).to_string(), expected, "{address}");
    }
}
