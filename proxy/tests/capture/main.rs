//! `weft-proxy capture` for real: a network namespace of its own with a second one beyond a veth pair, both backends, both
//! families. Needs root; says so where it is skipped, and fails in CI.

// Everything here is test code, functions without `#[test]` included.
#![allow(clippy::unwrap_used)]

mod namespace;

use std::{
    net::{IpAddr, SocketAddr},
    process::Command,
};

use namespace::{Beyond, as_proxy, ask, bypassing, from_beyond, serve_application, serve_proxy};

const OWN: [&str; 2] = ["10.9.0.2", "fd00:9::2"];
const PEER: [&str; 2] = ["10.9.0.99", "fd00:9::99"];
const EXCLUDED: [&str; 2] = ["10.8.0.99", "fd00:8::99"];

fn at(ip: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip.parse::<IpAddr>().unwrap(), port)
}

#[test]
fn connections_are_redirected() {
    if let Some(reason) = namespace::missing() {
        assert!(std::env::var_os("CI").is_none(), "capture cannot be tested in CI: {reason}");
        eprintln!("SKIPPED: capture was not tested: {reason}");
        return;
    }
    for backend in ["nft", "iptables"] {
        let output = Command::new("unshare")
            .arg("--net")
            .arg(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "within_a_namespace", "--nocapture"])
            .env("WEFT_TEST_BACKEND", backend)
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{backend}:\n{}", String::from_utf8_lossy(&text));
    }
}

#[test]
#[ignore = "runs in a namespace that the test above makes"]
fn beyond_the_pod() {
    namespace::serve_beyond();
}

#[test]
#[ignore = "runs in a namespace that the test above makes"]
fn within_a_namespace() {
    let backend = std::env::var("WEFT_TEST_BACKEND").expect("run by connections_are_redirected");
    let beyond = Beyond::start(OWN, PEER, EXCLUDED);
    serve_proxy(15001, "outbound");
    serve_proxy(15006, "inbound");
    serve_application(8080);
    serve_application(15020);
    // A second run changes nothing.
    for _ in 0..2 {
        let capture = Command::new(env!("CARGO_BIN_EXE_weft-proxy"))
            .args(["capture", "--backend", &backend, "-o", "81", "-x", "10.8.0.0/24,fd00:8::/64"])
            .status()
            .unwrap();
        assert!(capture.success());
    }
    for family in 0..2 {
        let (own, peer, excluded) = (OWN[family], PEER[family], EXCLUDED[family]);
        let (loopback, bypass) = [("127.0.0.1", "127.0.0.6"), ("::1", "::6")][family];

        // The application's own connections, and what is excluded.
        assert_eq!(ask(at(peer, 80)), format!("outbound {}", at(peer, 80)));
        assert_eq!(ask(at(peer, 53)), "beyond", "DNS over TCP");
        assert_eq!(ask(at(peer, 81)), "beyond", "an excluded port");
        assert_eq!(ask(at(excluded, 80)), "beyond", "an excluded range");
        assert_eq!(ask(at(loopback, 8080)), format!("application {loopback}"));
        assert_eq!(ask(at(own, 8080)), format!("application {own}"), "its talk with itself");

        // The proxy's own connections: out straight, and in again where they go to the pod itself.
        assert_eq!(as_proxy(at(peer, 80)), "beyond", "an excluded user");
        assert_eq!(as_proxy(at(own, 8080)), format!("inbound {}", at(own, 8080)));
        assert_eq!(as_proxy(at(loopback, 8080)), format!("application {loopback}"));
        assert_eq!(bypassing(bypass.parse().unwrap(), at(own, 8080)), format!("application {bypass}"));

        // Others' connections to the pod.
        assert_eq!(from_beyond(&beyond, at(own, 8080)), format!("inbound {}", at(own, 8080)));
        assert_eq!(from_beyond(&beyond, at(own, 15020)), format!("application {peer}"), "an excluded port of the pod");
    }
}
