use clap::Parser;
use serde_json::json;

use super::*;
use crate::console::ConsoleArgs;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    console: ConsoleArgs,
}

fn ask(line: &str) -> Result<Ask, String> {
    let words = std::iter::once("weft").chain(line.split(' '));
    let args = Line::try_parse_from(words).map_err(|error| error.to_string())?.console;
    args.command.ask(&args.namespaces).map_err(|error| error.to_string())
}

fn address(line: &str) -> String {
    ask(line).unwrap_or_else(|error| panic!("{line}: {error}")).address(&[])
}

#[test]
fn every_view_has_its_address() {
    assert_eq!(
        address("graph -n shop -n bank --view app --window 5m --at 1700000000000 --busy"),
        "/api/v1/graph?view=app&window=300&at=1700000000000&namespaces=shop%2Cbank&idle=false&wait=true"
    );
    assert_eq!(address("-n shop graph"), "/api/v1/graph?view=workload&namespaces=shop&wait=true");
    assert_eq!(address("canaries"), "/api/v1/canaries");
    assert_eq!(address("config virtualservices"), "/api/v1/config");
    assert_eq!(address("workloads --window 1h"), "/api/v1/workloads?window=3600");
    assert_eq!(address("service shop/cart"), "/api/v1/services/shop/cart");
    assert_eq!(address("apps cart -n shop"), "/api/v1/apps/shop/cart");
    assert_eq!(address("namespaces shop"), "/api/v1/namespaces/shop");
    assert_eq!(
        address("charts workload cart -n shop --out --split response_code --window 1h"),
        "/api/v1/workloads/shop/cart/charts?window=3600&direction=out&split=response_code"
    );
    assert_eq!(address("charts namespaces shop"), "/api/v1/namespaces/shop/charts");
    assert_eq!(address("charts node shop/cart"), "/api/v1/graph/series?node=shop%2Fcart");
    assert_eq!(address("charts call a/b->c/d"), "/api/v1/graph/series?edge=a%2Fb-%3Ec%2Fd");
    assert_eq!(address("logs shop/cart"), "/api/v1/workloads/shop/cart/logs");
    assert_eq!(
        address("logs cart -n shop --pod cart-0 --lines 20 --trace ab12"),
        "/api/v1/workloads/shop/cart/logs?lines=20&instance=cart-0&trace=ab12"
    );
    assert_eq!(address("proxy cart-0 -n shop"), "/api/v1/proxies/shop/cart-0");
    assert_eq!(address("views"), "/api/v1/views");
    assert_eq!(address("traces --heat --errors"), "/api/v1/traces/heat?errors=true");
    assert_eq!(
        address("traces --service shop/cart --tag a=b&c --tag d=e --min-ms 20 --errors -n shop"),
        "/api/v1/traces?workload=shop%2Fcart&errors=true&minMs=20&namespace=shop&tag=a%3Db%26c&tag=d%3De"
    );
    assert_eq!(address("trace ../audit?x"), "/api/v1/traces/..%2Faudit%3Fx");
    assert_eq!(
        address("audit --who ada --action weights --since 7 --until 9"),
        "/api/v1/audit?who=ada&action=weights&fromMs=7&toMs=9"
    );
    assert_eq!(address("audit --about workloads/shop/cart-v1"), "/api/v1/audit?about=workloads%2Fshop%2Fcart-v1");
    for (line, path) in [("mesh", "mesh"), ("status", "status"), ("session", "session")] {
        assert_eq!(address(line), format!("/api/v1/{path}"));
    }
}

#[test]
fn one_of_many_needs_its_namespace() {
    for line in ["workloads cart", "services cart -n a -n b", "logs cart", "proxy cart"] {
        assert!(ask(line).unwrap_err().contains("write NAMESPACE/cart"), "{line}");
    }
    for line in [
        "charts pods shop/cart",
        "charts node",
        "charts node a --split response_code",
        "traces --heat --limit 5",
        "canaries --history",
        "canaries x --history --course",
        "canaries x --history --window 5m",
        "logs",
        "logs shop/cart --lines 1001",
    ] {
        assert!(ask(line).is_err(), "{line}");
    }
    for line in ["graph --view pods", "traces --tag x", "canaries --limit 0", "graph --at noon", "trace", "login"] {
        assert!(ask(line).is_err(), "{line}");
    }
}

#[test]
fn rows_are_kept_by_namespace_kind_and_findings() {
    let row = json!({"object": {"kind": "PeerAuthentication", "namespace": "shop", "name": "x"}, "findings": []});
    let keep = |line: &str| ask(line).unwrap().list.unwrap().keep;
    for line in ["config", "config peerauthentication", "config PeerAuthentications -n bank -n shop"] {
        assert!(keep(line).fits(&row), "{line}");
    }
    for line in ["config gateways", "config -n bank", "config --findings"] {
        assert!(!keep(line).fits(&row), "{line}");
    }
    let canary = json!({"object": {"kind": "VirtualService", "namespace": "shop", "name": "cart"}, "routeIndex": 1});
    for line in ["canaries cart", "canaries cart -n shop", "canaries shop/cart -n bank"] {
        assert!(keep(line).fits(&canary) && !keep(line).all(), "{line}");
    }
    for line in ["canaries order", "canaries bank/cart", "canaries cart -n bank"] {
        assert!(!keep(line).fits(&canary), "{line}");
    }
    assert!(is_kind("authorizationpolicies", "AuthorizationPolicy") && is_kind("ingresses", "Ingress"));
    assert!(keep("workloads -n shop").fits(&json!({"namespace": "shop", "kind": "Gateway"})));
}

#[test]
fn pages_are_as_large_as_the_api_gives_them() {
    let list = |line: &str| ask(line).unwrap().list.unwrap();
    assert_eq!((list("traces").limit, list("traces --limit 900").page), (100, 500));
    assert_eq!((list("audit --cursor 7").cursor.as_str(), list("canaries").limit), ("7", 5_000));
}
