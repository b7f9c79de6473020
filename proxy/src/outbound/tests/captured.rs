//! Connections that were redirected: which listener takes them, where they go, and what is counted.

use std::{net::SocketAddr, time::Duration};

use http::StatusCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{config::*, fixture::*};
use crate::state::ConnectionLimits;

/// Tells who connected, and closes.
async fn teller(word: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, peer)) = listener.accept().await {
            stream.write_all(format!("{word} {}", peer.ip()).as_bytes()).await.unwrap();
        }
    });
    address
}

async fn told(mut stream: TcpStream) -> String {
    let mut text = String::new();
    // A refused connection may be reset.
    let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_string(&mut text)).await.unwrap();
    text
}

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

const OUTBOUND: &str = "virtualOutbound";
const INBOUND: &str = "virtualInbound";

fn outbound(default: &str) -> Resources {
    let listener = capturing(listener(OUTBOUND, at("0.0.0.0:15001"), vec![]), tcp_chain(default));
    Resources::default().listener(listener).cluster(original_destination("PassthroughCluster", &[]))
}

#[tokio::test]
async fn the_original_destination_chooses_the_listener() {
    let (exact, wildcard, beyond) = (teller("exact").await, teller("wildcard").await, teller("beyond").await);
    let proxy = Proxy::start("web");
    let one = |name: &str, address: &str, cluster: &str| unbound(listener(name, at(address), vec![tcp_chain(cluster)]));
    proxy.put(
        outbound("PassthroughCluster")
            .cluster(cluster("exact", &[exact]))
            .cluster(cluster("wildcard", &[wildcard]))
            .listener(one("10.0.0.7_3306", "10.0.0.7:3306", "exact"))
            .listener(one("0.0.0.0_3306", "0.0.0.0:3306", "wildcard")),
    );
    let via = |original: SocketAddr| proxy.redirected(OUTBOUND, Some(original));
    assert_eq!(told(via(at("10.0.0.7:3306")).await).await, "exact 127.0.0.1");
    assert_eq!(told(via(at("10.0.0.8:3306")).await).await, "wildcard 127.0.0.1");
    // A service of both families has one listener.
    assert_eq!(told(via(at("[fd00::8]:3306")).await).await, "wildcard 127.0.0.1");
    assert_eq!(told(via(beyond).await).await, "beyond 127.0.0.1");
    let passed = ["destination_service_name=\"PassthroughCluster\"", "destination_service=\"unknown\""];
    proxy.counted("istio_tcp_connections_closed_total", &passed, 1.0).await;
}

#[tokio::test]
async fn http_to_strangers_is_counted_by_its_host() {
    let origin = Origin::echo().await;
    let proxy = Proxy::start("web");
    let chain = http_chain(&manager(table(vec![to("PassthroughCluster", |_| {})])));
    let address = SocketAddr::new(at("0.0.0.0:1").ip(), origin.address.port());
    proxy.put(outbound("BlackHoleCluster").listener(unbound(listener("0.0.0.0_http", address, vec![chain]))));
    let mut client = Client::over(proxy.redirected(OUTBOUND, Some(origin.address)).await).await;
    assert_eq!(client.get("/there").await.body, "/there");
    let labels = ["destination_service_name=\"PassthroughCluster\"", "destination_service=\"order.test\""];
    proxy.counted("istio_requests_total", &labels, 1.0).await;
}

#[tokio::test]
async fn what_may_not_leave_ends_in_the_black_hole() {
    let beyond = teller("beyond").await;
    let proxy = Proxy::start("web");
    proxy.put(outbound("BlackHoleCluster").cluster(cluster("BlackHoleCluster", &[])));
    assert_eq!(told(proxy.redirected(OUTBOUND, Some(beyond)).await).await, "");
    let labels = ["destination_service_name=\"BlackHoleCluster\"", "response_flags=\"UH\""];
    proxy.counted("istio_tcp_connections_closed_total", &labels, 1.0).await;
}

#[tokio::test]
async fn a_connection_to_the_proxys_own_port_does_not_go_round() {
    let proxy = Proxy::start("web");
    proxy.put(outbound("PassthroughCluster"));
    for original in [None, Some(at("127.0.0.1:15001")), Some(at("127.0.0.6:15001"))] {
        assert_eq!(told(proxy.redirected(OUTBOUND, original).await).await, "");
    }
    proxy.counted("weft_proxy_malformed_total", &["not_redirected"], 3.0).await;
}

#[tokio::test]
async fn inbound_connections_reach_the_application_from_the_bypass_address() {
    let (app, other) = (teller("app").await, teller("other").await);
    let proxy = Proxy::start("web");
    let (name, port) = (format!("inbound|{}||", app.port()), app.port());
    let default = tcp_chain("InboundPassthroughCluster");
    let virtual_inbound = listener(INBOUND, at("0.0.0.0:15006"), vec![for_port(tcp_chain(&name), port)]);
    // What other pods are called by must not catch calls to this one.
    let headless = unbound(listener("headless", app, vec![tcp_chain("nowhere")]));
    proxy.put(
        Resources::default()
            .listener(inbound(capturing(virtual_inbound, default)))
            .listener(headless)
            .cluster(original_destination(&name, &["127.0.0.6", "::6"]))
            .cluster(original_destination("InboundPassthroughCluster", &["127.0.0.6"])),
    );
    assert_eq!(told(proxy.redirected(INBOUND, Some(app)).await).await, "app 127.0.0.6");
    assert_eq!(told(proxy.redirected(INBOUND, Some(other)).await).await, "other 127.0.0.6");
    let labels = ["destination_service_name=\"InboundPassthroughCluster\"", "reporter=\"destination\""];
    proxy.counted("istio_tcp_connections_closed_total", &labels, 1.0).await;
}

#[tokio::test]
async fn a_server_that_speaks_first_is_not_waited_for_where_nothing_depends_on_the_client() {
    let app = teller("hello").await;
    let proxy = Proxy::start("web");
    let name = format!("inbound|{}||", app.port());
    let plain = for_port(tcp_chain(&name), app.port());
    let elsewhere = for_port(matching(tcp_chain(&name), "", &["http/1.1"]), 1);
    let virtual_inbound = listener(INBOUND, at("0.0.0.0:15006"), vec![plain, elsewhere]);
    let virtual_inbound = capturing(virtual_inbound, mutual_tls(tcp_chain("InboundPassthroughCluster")));
    proxy.put(
        Resources::default()
            .listener(inbound(peeking(virtual_inbound, Duration::from_secs(3600))))
            .cluster(original_destination(&name, &["127.0.0.6"])),
    );
    assert_eq!(told(proxy.redirected(INBOUND, Some(app)).await).await, "hello 127.0.0.6");
}

#[tokio::test]
async fn a_full_listener_leaves_room_for_others() {
    let origin = Origin::echo().await;
    let proxy = Proxy::limited("web", ConnectionLimits { process: 3, listener: 2 });
    let (one, two) = (free(), free());
    let chain = || http_chain(&manager(table(vec![to("order", |_| {})])));
    let resources = Resources::default().cluster(cluster("order", &[origin.address]));
    proxy
        .apply(resources.listener(listener("one", one, vec![chain()])).listener(listener("two", two, vec![chain()])))
        .await;
    // Those that `apply` looked with are gone again.
    until("they are gone", || async { proxy.count("weft_proxy_listener_connections", &[]) == 0.0 }).await;
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(one).await;
        assert_eq!(client.get("/").await.status, StatusCode::OK);
        clients.push(client);
    }
    assert_eq!(told(TcpStream::connect(one).await.unwrap()).await, "");
    let mut other = Client::connect(two).await;
    assert_eq!(other.get("/").await.status, StatusCode::OK);
    assert_eq!(told(TcpStream::connect(two).await.unwrap()).await, "");
    let refused = "weft_proxy_listener_connections_refused_total";
    assert_eq!(proxy.count(refused, &["listener=\"one\""]), 1.0);
    assert_eq!(proxy.count("weft_proxy_connections_refused_total", &[]), 2.0);
    proxy.counted("weft_proxy_listener_connections", &["listener=\"one\""], 2.0).await;
}

#[tokio::test]
async fn the_dump_is_json_throughout() {
    let proxy = Proxy::start("web");
    let retrying =
        to("order", |action| action.retry_policy = Some(retries("5xx,reset", 2, Some(Duration::from_millis(1500)))));
    let chain = http_chain(&with_rbac(manager(table(vec![retrying])), deny_path("/no")));
    let order = ejecting(limited(cluster("order", &[at("127.0.0.9:80")]), 7, 8), 5);
    let virtual_outbound =
        capturing(listener(OUTBOUND, at("0.0.0.0:15001"), vec![for_port(chain, 80)]), tcp_chain("order"));
    proxy.put(Resources::default().listener(virtual_outbound).cluster(order));
    let dump = crate::admin::dump::config(&proxy.shared);
    let listener = &dump["listeners"][OUTBOUND];
    assert_eq!((&listener["bound"], &listener["use_original_dst"]), (&false.into(), &true.into()));
    assert_eq!(listener["filter_chains"][0]["match"]["destination_port"], 80);
    let host = &listener["filter_chains"][0]["http"]["routes"]["inline"]["virtual_hosts"][0];
    let route = &host["routes"][0];
    assert_eq!((&route["match"]["prefix"], &route["route"]["clusters"][0]["cluster"]), (&"/".into(), &"order".into()));
    let policy = &route["route"]["retry_policy"];
    assert_eq!((&policy["retry_on"], &policy["per_try_timeout"]), (&"5xx,reset".into(), &"1.5s".into()));
    let order = &dump["clusters"]["order"];
    assert_eq!(order["circuit_breakers"]["max_connections"], 7);
    assert_eq!(order["outlier_detection"]["base_ejection_time"], "30s");
    assert_eq!(order["endpoints"][0]["address"], "127.0.0.9:80");
    let text = dump.to_string();
    assert!(!["Some(", "None", " { "].iter().any(|debug| text.contains(debug)), "{text}");
}
