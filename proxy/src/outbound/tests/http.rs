//! HTTP/1.1 through one proxy.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, Full};

use super::{config::*, fixture::*};

async fn proxied(
    routes: Vec<envoy_types::pb::envoy::config::route::v3::Route>,
    origin: &Origin,
) -> (Proxy, std::net::SocketAddr) {
    let (proxy, address) = (Proxy::start("web"), free());
    let chain = http_chain(&manager(table(routes)));
    let resources = Resources::default().cluster(cluster("order", &[origin.address]));
    proxy.apply(resources.listener(listener("web", address, vec![chain]))).await;
    (proxy, address)
}

#[tokio::test]
async fn connections_are_kept_on_both_sides() {
    let origin = Origin::echo().await;
    let (proxy, address) = proxied(vec![to("order", |_| {})], &origin).await;
    let mut client = Client::connect(address).await;
    for number in 0..20 {
        let answer = client.get(&format!("/{number}")).await;
        assert_eq!((answer.status, answer.body), (StatusCode::OK, Bytes::from(format!("/{number}"))));
        assert!(answer.headers.contains_key("x-envoy-upstream-service-time"));
    }
    assert_eq!(origin.connections(), 1);
    proxy.requests(200, "-", 20.0).await;
    proxy.counted("istio_requests_total", &["destination_service_name=\"order\"", "reporter=\"source\""], 20.0).await;
}

#[tokio::test]
async fn bodies_stream_both_ways() {
    let origin = Origin::start(|_, request| {
        Box::pin(async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            http::Response::new(Full::new(body).boxed())
        })
    })
    .await;
    let (proxy, address) = proxied(vec![to("order", |_| {})], &origin).await;
    let mut client = Client::connect(address).await;
    for size in [0, 1, 1000, 100_000, 3_000_000] {
        let body = Bytes::from(vec![b'x'; size]);
        let answer = client.send(post("/", body.clone())).await.unwrap();
        assert!(answer.body == body, "{size} bytes");
    }
    proxy.requests(200, "-", 5.0).await;
    proxy.counted("istio_request_bytes_sum", &[], 3_101_001.0).await;
    proxy.counted("istio_response_bytes_sum", &[], 3_101_001.0).await;
}

#[tokio::test]
async fn a_hundred_clients_at_once() {
    let origin = Origin::echo().await;
    let (proxy, address) = proxied(vec![to("order", |_| {})], &origin).await;
    let clients = (0..100).map(|_| {
        tokio::spawn(async move {
            let mut client = Client::connect(address).await;
            for _ in 0..10 {
                assert_eq!(client.get("/").await.status, StatusCode::OK);
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    proxy.requests(200, "-", 1000.0).await;
    assert!(origin.connections() <= 100, "{} connections", origin.connections());
}

#[tokio::test]
async fn headers_are_cleaned_and_added() {
    let origin = Origin::start(|_, request| {
        Box::pin(async move {
            let mut names: Vec<_> = request.headers().iter().map(|(name, value)| format!("{name}={value:?}")).collect();
            names.sort();
            let mut response = text(StatusCode::OK, &names.join("\n"));
            response.headers_mut().insert("keep-alive", HeaderValue::from_static("timeout=1"));
            response
        })
    })
    .await;
    let (_proxy, address) = proxied(vec![to("order", |_| {})], &origin).await;
    let mut request = get("/");
    for (name, value) in [
        ("connection", "x-private"),
        ("x-private", "1"),
        ("te", "trailers"),
        ("x-forwarded-client-cert", "By=me"),
        ("x-envoy-peer-metadata", "lies"),
        ("x-keep", "1"),
    ] {
        request.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    let answer = Client::connect(address).await.send(request).await.unwrap();
    let seen = String::from_utf8(answer.body.to_vec()).unwrap();
    for gone in ["x-private", "x-forwarded-client-cert", "x-envoy-peer-metadata", "x-forwarded-for"] {
        assert!(!seen.contains(gone), "{seen}");
    }
    for there in ["x-request-id", "x-forwarded-proto=\"http\"", "te=\"trailers\"", "x-keep", "host=\"order.test\""] {
        assert!(seen.contains(there), "{there} in {seen}");
    }
    assert!(!answer.headers.contains_key("keep-alive"));
}

#[tokio::test]
async fn targets_are_read_in_every_form() {
    let origin = Origin::echo().await;
    let (proxy, address) = proxied(vec![to("order", |_| {})], &origin).await;
    let absolute =
        raw(address, b"GET http://order.test/abs HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n").await;
    assert!(absolute.starts_with("HTTP/1.1 200") && absolute.ends_with("/abs"), "{absolute}");
    let missing = raw(address, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    assert!(missing.starts_with("HTTP/1.1 400"), "{missing}");
    let twice = raw(address, b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n").await;
    assert!(twice.starts_with("HTTP/1.1 400"), "{twice}");
    let connect =
        raw(address, b"CONNECT order.test:80 HTTP/1.1\r\nHost: order.test:80\r\nConnection: close\r\n\r\n").await;
    assert!(connect.starts_with("HTTP/1.1 405"), "{connect}");
    let old = raw(address, b"GET /old HTTP/1.0\r\nHost: order.test\r\n\r\n").await;
    assert!(old.starts_with("HTTP/1.0 200") && old.ends_with("/old"), "{old}");
    proxy.counted("istio_requests_total", &["response_flags=\"DPE\""], 3.0).await;
}

#[tokio::test]
async fn what_has_no_route_is_not_found() {
    let origin = Origin::echo().await;
    let (proxy, address) = proxied(vec![to("missing", |_| {})], &origin).await;
    let mut client = Client::connect(address).await;
    assert_eq!(client.get("/").await.status, StatusCode::SERVICE_UNAVAILABLE);
    let mut other = get("/");
    other.headers_mut().insert(header::HOST, HeaderValue::from_static("stranger.test"));
    assert_eq!(client.send(other).await.unwrap().status, StatusCode::NOT_FOUND);
    proxy.requests(503, "NC", 1.0).await;
    proxy.requests(404, "NR", 1.0).await;
}

#[tokio::test]
async fn what_was_picked_counts_where_its_cluster_is_missing() {
    use envoy_types::pb::envoy::config::core::v3::Metadata;
    let origin = Origin::echo().await;
    let mut route = to("outbound|80|v9|order.shop.svc.cluster.local", |_| {});
    route.metadata = Some(Metadata {
        filter_metadata: [("weft.dev".to_owned(), strings(&[("virtual_service", "shop/order"), ("route", "http[0]")]))]
            .into(),
        ..Metadata::default()
    });
    let (proxy, address) = proxied(vec![route], &origin).await;
    let mut client = Client::connect(address).await;
    assert_eq!(client.get("/").await.status, StatusCode::SERVICE_UNAVAILABLE);
    let host = "host=\"order.shop.svc.cluster.local\"";
    let picked = ["virtual_service=\"shop/order\"", "route=\"http[0]\"", "subset=\"v9\"", host];
    proxy.counted("weft_route_requests_total", &picked, 1.0).await;
    let meant = [
        "response_flags=\"NC\"",
        "destination_service=\"order.shop.svc.cluster.local\"",
        "destination_service_name=\"order\"",
        "destination_service_namespace=\"shop\"",
        "destination_workload=\"unknown\"",
    ];
    proxy.counted("istio_requests_total", &meant, 1.0).await;
}

/// A VirtualService whose conditions nobody meets is an outage of its host, not of somebody unknown.
#[tokio::test]
async fn what_no_route_takes_counts_at_its_host() {
    use envoy_types::pb::envoy::config::route::v3::route_match::PathSpecifier;
    let origin = Origin::echo().await;
    let mut never = to("order", |_| {});
    if let Some(matcher) = &mut never.r#match {
        matcher.path_specifier = Some(PathSpecifier::Prefix("/never".into()));
    }
    let mut routes = table(vec![never]);
    routes.virtual_hosts[0].name = "80/order.shop.svc.cluster.local:80".into();
    let (proxy, address) = (Proxy::start("web"), free());
    let resources = Resources::default().cluster(cluster("order", &[origin.address]));
    proxy.apply(resources.listener(listener("web", address, vec![http_chain(&manager(routes))]))).await;
    assert_eq!(Client::connect(address).await.get("/").await.status, StatusCode::NOT_FOUND);
    let meant = [
        "response_flags=\"NR\"",
        "destination_service=\"order.shop.svc.cluster.local\"",
        "destination_service_name=\"order\"",
        "destination_service_namespace=\"shop\"",
        "destination_workload=\"unknown\"",
    ];
    proxy.counted("istio_requests_total", &meant, 1.0).await;
}

#[tokio::test]
async fn head_and_empty_answers_have_no_body() {
    let origin = Origin::start(|_, request| {
        Box::pin(async move {
            match request.method() {
                &Method::HEAD => {
                    let mut response = text(StatusCode::OK, "");
                    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("1234"));
                    response
                }
                _ => text(StatusCode::NO_CONTENT, ""),
            }
        })
    })
    .await;
    let (proxy, address) = proxied(vec![to("order", |_| {})], &origin).await;
    let mut client = Client::connect(address).await;
    let mut head = get("/");
    *head.method_mut() = Method::HEAD;
    let answer = client.send(head).await.unwrap();
    assert_eq!(answer.headers[header::CONTENT_LENGTH], "1234");
    assert_eq!(client.get("/").await.status, StatusCode::NO_CONTENT);
    assert_eq!(origin.connections(), 1);
    proxy.requests(200, "-", 1.0).await;
    proxy.requests(204, "-", 1.0).await;
}

#[tokio::test]
async fn faults_are_injected() {
    use envoy_types::pb::envoy::{
        extensions::filters::{
            common::fault::v3::{FaultDelay, fault_delay},
            http::fault::v3::{FaultAbort, HttpFault, fault_abort},
        },
        r#type::v3::{FractionalPercent, fractional_percent::DenominatorType},
    };
    let origin = Origin::echo().await;
    let all = Some(FractionalPercent { numerator: 100, denominator: DenominatorType::Hundred.into() });
    let fault = HttpFault {
        delay: Some(FaultDelay {
            percentage: all,
            fault_delay_secifier: Some(fault_delay::FaultDelaySecifier::FixedDelay(proto(Duration::from_millis(50)))),
        }),
        abort: Some(FaultAbort {
            percentage: all,
            error_type: Some(fault_abort::ErrorType::HttpStatus(418)),
            ..FaultAbort::default()
        }),
        ..HttpFault::default()
    };
    let mut route = to("order", |_| {});
    route.typed_per_filter_config = [("envoy.filters.http.fault".to_owned(), any(&fault))].into();
    let (proxy, address) = proxied(vec![route], &origin).await;
    let begun = std::time::Instant::now();
    let answer = Client::connect(address).await.get("/").await;
    assert_eq!((answer.status.as_u16(), &answer.body[..]), (418, &b"fault filter abort"[..]));
    assert!(begun.elapsed() >= Duration::from_millis(50));
    assert_eq!(origin.requests(), 0);
    proxy.requests(418, "DI,FI", 1.0).await;
}

#[tokio::test]
async fn a_denied_request_never_arrives() {
    let origin = Origin::echo().await;
    let (proxy, address) = (Proxy::start("order"), free());
    let manager = with_rbac(manager(table(vec![to("order", |_| {})])), deny_path("/admin"));
    let resources = Resources::default().cluster(cluster("order", &[origin.address]));
    proxy.apply(resources.listener(inbound(listener("in", address, vec![http_chain(&manager)])))).await;
    let mut client = Client::connect(address).await;
    let denied = client.get("/admin").await;
    assert_eq!((denied.status, &denied.body[..]), (StatusCode::FORBIDDEN, &b"RBAC: access denied"[..]));
    assert_eq!(client.get("/").await.status, StatusCode::OK);
    assert_eq!(origin.requests(), 1);
    proxy.requests(403, "UAEX", 1.0).await;
    proxy
        .counted("istio_requests_total", &["connection_security_policy=\"none\"", "reporter=\"destination\""], 2.0)
        .await;
}

#[tokio::test]
async fn picks_follow_the_weights_and_are_counted() {
    use envoy_types::pb::envoy::config::{
        core::v3::Metadata,
        route::v3::{WeightedCluster, route::Action, route_action::ClusterSpecifier, weighted_cluster::ClusterWeight},
    };
    let origin = Origin::start(|_, request| {
        Box::pin(async move {
            let version = request.headers().get("x-version").map(|value| value.to_str().unwrap().to_owned());
            text(StatusCode::OK, &version.unwrap_or_default())
        })
    })
    .await;
    let mut route = to("", |action| {
        let weighted =
            |name: &str, weight| ClusterWeight { name: name.into(), weight: number(weight), ..Default::default() };
        action.cluster_specifier = Some(ClusterSpecifier::WeightedClusters(WeightedCluster {
            clusters: vec![weighted("v1", 90), weighted("v2", 10), weighted("v3", 0)],
            ..Default::default()
        }));
    });
    assert!(matches!(route.action, Some(Action::Route(_))));
    route.metadata = Some(Metadata {
        filter_metadata: [("weft.dev".to_owned(), strings(&[("virtual_service", "shop/order"), ("route", "http[0]")]))]
            .into(),
        ..Metadata::default()
    });
    let (proxy, address) = (Proxy::start("web"), free());
    let mut settings = manager(table(vec![]));
    settings.route_specifier = Some(by_rds("8080"));
    let mut routes = table(vec![route]);
    routes.name = "8080".into();
    let version = |name: &str| subset(cluster(name, &[origin.address]), name);
    let resources = Resources::default().cluster(version("v1")).cluster(version("v2")).cluster(version("v3"));
    proxy.apply(resources.routes(routes).listener(listener("web", address, vec![http_chain(&settings)]))).await;
    let mut client = Client::connect(address).await;
    for _ in 0..500 {
        assert_eq!(client.get("/").await.status, StatusCode::OK);
    }
    let picks = |version: &str| {
        let subset = format!("subset=\"{version}\"");
        proxy.count("weft_route_requests_total", &["virtual_service=\"shop/order\"", "route=\"http[0]\"", &subset])
    };
    assert_eq!(picks("v1") + picks("v2"), 500.0);
    assert_eq!(picks("v3"), 0.0);
    // Six standard deviations of a binomial of 500 at a tenth.
    assert!((10.0..=90.0).contains(&picks("v2")), "{}", picks("v2"));
}

#[tokio::test]
async fn websockets_pass() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let origin = Origin::start(|_, request| {
        Box::pin(async move {
            let upgrade = hyper::upgrade::on(request);
            tokio::spawn(async move {
                let mut io = hyper_util::rt::TokioIo::new(upgrade.await.unwrap());
                let mut buffer = [0; 5];
                io.read_exact(&mut buffer).await.unwrap();
                io.write_all(&buffer).await.unwrap();
                io.shutdown().await.unwrap();
            });
            let mut response = text(StatusCode::SWITCHING_PROTOCOLS, "");
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            response
        })
    })
    .await;
    let (proxy, address) = (Proxy::start("web"), free());
    let mut settings = manager(table(vec![to("order", |_| {})]));
    settings.upgrade_configs = vec![
        envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_connection_manager::UpgradeConfig {
            upgrade_type: "websocket".into(),
            ..Default::default()
        },
    ];
    let resources = Resources::default().cluster(cluster("order", &[origin.address]));
    proxy.apply(resources.listener(listener("web", address, vec![http_chain(&settings)]))).await;
    let answer = raw(
        address,
        b"GET /chat HTTP/1.1\r\nHost: order.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("upgrade: websocket"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
    proxy.requests(101, "-", 1.0).await;
}

#[tokio::test]
async fn mirrors_get_a_marked_copy() {
    use envoy_types::pb::envoy::config::{
        core::v3::RuntimeFractionalPercent, route::v3::route_action::RequestMirrorPolicy,
    };
    let origin = Origin::echo().await;
    let (seen, mut copies) = tokio::sync::mpsc::unbounded_channel();
    let shadow = Origin::start(move |_, request| {
        let seen = seen.clone();
        Box::pin(async move {
            let host = request.headers()[header::HOST].to_str().unwrap().to_owned();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            seen.send((host, body)).unwrap();
            text(StatusCode::INTERNAL_SERVER_ERROR, "")
        })
    })
    .await;
    let (proxy, address) = (Proxy::start("web"), free());
    let route = to("order", |action| {
        action.request_mirror_policies = vec![RequestMirrorPolicy {
            cluster: "shadow".into(),
            runtime_fraction: None::<RuntimeFractionalPercent>,
            ..RequestMirrorPolicy::default()
        }];
    });
    let resources = Resources::default()
        .cluster(cluster("order", &[origin.address]))
        .cluster(cluster("shadow", &[shadow.address]))
        .listener(listener("web", address, vec![http_chain(&manager(table(vec![route])))]));
    proxy.apply(resources).await;
    let answer = Client::connect(address).await.send(post("/", "payload")).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    let (host, body) = copies.recv().await.unwrap();
    assert_eq!((host.as_str(), &body[..]), ("order.test-shadow", &b"payload"[..]));
}

#[tokio::test]
async fn a_body_is_asked_for_when_it_is_wanted() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let origin = Origin::start(|_, request| {
        Box::pin(async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            http::Response::new(Full::new(body).boxed())
        })
    })
    .await;
    let (_proxy, address) = proxied(vec![to("order", |_| {})], &origin).await;
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head =
        b"PUT / HTTP/1.1\r\nHost: order.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"body").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("body"), "{answer}");
}

/// Proxies on the way add fields of their own; the limit is for what the client sent.
#[tokio::test]
async fn a_hundred_fields_pass_every_proxy_of_the_mesh() {
    let origin = Origin::echo().await;
    let ca = crate::tls::testing::TestCa::new();
    let (client, server, own, address) = (Proxy::start("web"), Proxy::start("order"), free(), free());
    client.shared.identity.store(Some(std::sync::Arc::new(ca.issue("spiffe://cluster.local/ns/shop/sa/web"))));
    server.shared.identity.store(Some(std::sync::Arc::new(ca.issue("spiffe://cluster.local/ns/shop/sa/order"))));
    let chain = mutual_tls(http_chain(&manager(table(vec![to("app", |_| {})]))));
    let there = Resources::default().cluster(cluster("app", &[origin.address]));
    server.apply(there.listener(inbound(listener("order", own, vec![chain])))).await;
    let out = listener("web", address, vec![http_chain(&manager(table(vec![to("order", |_| {})])))]);
    client.apply(Resources::default().cluster(over_tls(cluster("order", &[own]))).listener(out)).await;
    for (fields, status) in [(100, "200"), (101, "431")] {
        let mut head = "GET / HTTP/1.1\r\nHost: order.test\r\nConnection: close\r\n".to_owned();
        (2..fields).for_each(|number| head.push_str(&format!("x-{number}: 1\r\n")));
        let answer = raw(address, format!("{head}\r\n").as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{fields} fields: {answer}");
    }
    assert_eq!(origin.requests(), 1);
}
