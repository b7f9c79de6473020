use serde_json::json;

use super::*;

fn shown(shape: Shape, value: Value) -> String {
    of(&Answer { shape, value, cut: false }, "http://127.0.0.1:1").unwrap_or_else(|error| panic!("{shape:?}: {error}"))
}

/// The words of the line that has all of `words`.
fn line<'a>(text: &'a str, words: &[&str]) -> &'a str {
    let has = |line: &&str| words.iter().all(|word| line.contains(word));
    text.lines().find(has).unwrap_or_else(|| panic!("no line with {words:?}:\n{text}"))
}

fn object(kind: &str, name: &str) -> Value {
    json!({"apiVersion": "networking.istio.io/v1", "kind": kind, "namespace": "shop", "name": name})
}

fn finding() -> Value {
    json!({
        "code": "WEFT0101", "severity": "error", "message": "subset \"v3\" does not exist",
        "object": object("VirtualService", "order"), "file": "shop.yaml", "line": 7, "column": 3, "suggestion": null,
    })
}

fn sources(words: Option<&str>) -> Value {
    json!({"asked": 5, "answered": 3, "problem": null, "words": words})
}

#[test]
fn the_graph_lists_calls_and_nodes() {
    let node = |id: &str, health: &str| {
        json!({
            "id": id, "kind": "workload", "namespace": "shop", "workload": "x", "app": "x", "version": "v1",
            "health": health, "rateIn": 12.34, "rateOut": 0.0, "errorShare": 0.5,
            "badges": [{"kind": "canary", "severity": null, "text": "A canary."}],
        })
    };
    let text = shown(
        Shape::Graph,
        json!({
            "atMs": 1_700_000_000_000_u64, "windowS": 300, "view": "workload", "sources": sources(Some("No p99.")),
            "ageMs": 61_000, "queries": [], "nodes": [node("shop/cart", "failing")],
            "edges": [{
                "source": "shop/cart", "destination": "shop/order", "protocol": "http", "rate": 123.4, "errorShare": 0.031,
                "p50Ms": 4.0, "p95Ms": 48.21, "p99Ms": null, "health": "degraded", "lock": "mixed", "plaintextShare": 0.25,
                "codes": [],
            }],
        }),
    );
    assert!(text.starts_with("Of 300 s until 2023-11-14T22:13:20Z, by workload."), "{text}");
    let call = line(&text, &["shop/cart", "shop/order"]);
    for word in ["DEGRADED", "http", "123 req/s", "3.10 %", "4.00 ms", "48.2 ms", "25.0 % plaintext"] {
        assert!(call.contains(word), "{word}: {call}");
    }
    let node = line(&text, &["FAILING", "shop/cart"]);
    assert!(node.contains("12.3") && node.contains("50.0 %") && node.contains("canary"), "{node}");
    assert!(text.contains("\nNo p99.\n") && text.contains("from 61 s ago"), "{text}");
}

#[test]
fn what_reached_no_workload_has_the_services_name() {
    let id = "service:pay.shop.svc.cluster.local/none";
    let node = json!({
        "id": id, "kind": "service", "namespace": "shop", "workload": "pay", "app": "", "version": "", "health": "failing",
        "rateIn": 1.5, "rateOut": 0.0, "errorShare": 1.0, "badges": [],
    });
    let edge = json!({
        "source": "shop/order", "destination": id, "protocol": "http", "rate": 1.5, "errorShare": 1.0, "p50Ms": null,
        "p95Ms": null, "p99Ms": null, "health": "failing", "lock": "unknown", "plaintextShare": null, "codes": [],
    });
    let text = shown(
        Shape::Graph,
        json!({
            "atMs": 1, "windowS": 60, "nodes": [node], "edges": [edge], "sources": sources(None), "queries": [],
        }),
    );
    assert!(line(&text, &["shop/order", "shop/pay (no workload)"]).contains("FAILING"), "{text}");
    assert!(!text.contains("service:") && text.contains("  service  "), "{text}");
}

#[test]
fn a_graph_without_calls_says_so() {
    let text = shown(
        Shape::Graph,
        json!({"atMs": 1, "windowS": 60, "nodes": [], "edges": [], "sources": sources(None), "queries": []}),
    );
    assert!(text.contains("Nothing called anything"), "{text}");
}

#[test]
fn canaries_stand_beside_what_was_configured() {
    let share = |subset: &str, configured: f64, observed: Option<f64>| {
        json!({
            "host": "order", "subset": subset, "configuredPercent": configured, "requests": 4812,
            "observedPercent": observed, "interval": observed.map(|value| [value - 1.0, value + 1.0]), "rate": 8.0,
            "errorShare": 0.0, "p95Ms": 12.0,
        })
    };
    let text = shown(
        Shape::Canaries,
        json!({
            "canaries": [{
                "object": object("VirtualService", "order"), "routeIndex": 1, "route": "order.1",
                "shares": [share("v1", 90.0, Some(90.4)), share("v2", 10.0, None)],
                "testers": [{"route": "order.0", "matches": "x-canary: true", "destination": "order v2", "requests": 3}],
                "verdict": "diverging", "sentence": "v2 gets nothing.", "sinceMs": null, "revision": "r", "query": "q",
            }],
            "sources": sources(None), "next": "abc",
        }),
    );
    let first = line(&text, &["shop/order http[1]", "order v1"]);
    for word in ["90.0 %", "90.4 %", "89.4–91.4", "4812", "DIVERGING"] {
        assert!(first.contains(word), "{word}: {first}");
    }
    assert!(line(&text, &["order v2", "10.0 %"]).contains("  -  "), "{text}");
    // The rate is of more than the shares are: it stands apart from them, with a word about that.
    let head = line(&text, &["OBSERVED", "VERDICT"]);
    assert!(head.contains("VERDICT") && head.find("VERDICT") < head.find("RATE BY ANY ROUTE"), "{head}");
    assert!(first.find("DIVERGING") < first.find("8.00 req/s") && first.contains("8.00 req/s"), "{first}");
    assert!(text.contains("shop/order http[1]: v2 gets nothing."), "{text}");
    assert!(text.contains("x-canary: true go to order v2: 3 requests"), "{text}");
    assert!(text.contains("--cursor abc"), "{text}");
}

#[test]
fn a_canary_of_connections_speaks_of_no_requests() {
    let text = shown(
        Shape::Canaries,
        json!({
            "canaries": [{
                "object": object("VirtualService", "ledger"), "routeIndex": weft_model::canary::FIRST_TCP + 2,
                "route": "tcp[2]", "connections": true,
                "shares": [{
                    "host": "ledger", "subset": "v1", "configuredPercent": 100.0, "requests": 1,
                    "observedPercent": 100.0, "interval": null, "rate": 8.0, "errorShare": null, "p95Ms": null,
                }],
                "testers": [], "verdict": "too-little-traffic", "sentence": "1 connection.", "sinceMs": null,
                "revision": "r", "query": "q",
            }],
            "sources": sources(None),
        }),
    );
    let row = line(&text, &["shop/ledger tcp[2]", "ledger v1"]);
    assert!(row.contains(" 1 connection ") && row.contains("8.00 conn/s"), "{row}");
    assert!(!text.to_lowercase().contains("request"), "{text}");
}

#[test]
fn configuration_comes_with_its_findings() {
    let row = json!({
        "object": object("VirtualService", "order"), "file": "shop.yaml", "line": 4, "changedAtMs": 1,
        "findings": [finding()], "owner": "Argo CD",
    });
    let text = shown(Shape::Config, json!({"rows": [row], "fileFindings": []}));
    let line = line(&text, &["VirtualService", "shop.yaml:4"]);
    assert!(line.contains("1 error") && line.contains("Argo CD"), "{line}");
    assert!(text.contains("subset \"v3\" does not exist"), "{text}");
    let one = shown(
        Shape::Object,
        json!({
            "row": row, "yaml": "kind: VirtualService\nspec:\n\thosts: [a]\n", "firstLine": 4, "command": "",
            "sentences": ["Requests go to v1."],
        }),
    );
    assert!(one.starts_with("VirtualService shop/order (shop.yaml:4)\nRequests go to v1.\n"), "{one}");
    assert!(one.contains("\nkind: VirtualService\nspec:\n    hosts: [a]\n") && one.contains("WEFT0101"), "{one}");
}

fn row(subject: &str, name: &str) -> Value {
    json!({
        "subject": subject, "namespace": "shop", "name": name, "kind": "Deployment or pod", "health": "healthy",
        "reason": "All is well.", "rate": 3.0, "rateOut": 0.0, "errorShare": 0.0, "p95Ms": 5.5, "lock": "mtls",
        "plaintextShare": 0.0, "mode": "STRICT", "versions": ["v1", "v2"], "workloads": [],
        "proxies": {"instances": 3, "present": 2, "missing": 1, "away": 0, "stale": 1, "refused": 0},
        "findings": {"errors": 0, "warnings": 2, "notes": 0},
    })
}

#[test]
fn lists_and_details_tell_health_traffic_and_proxies() {
    let text = shown(
        Shape::Inventory,
        json!({
            "atMs": 1, "windowS": 60, "rows": [row("workload", "cart")], "sources": sources(None), "commands": [],
            "operatorProblem": "The operator is away",
        }),
    );
    let cart = line(&text, &["shop/cart"]);
    for word in ["healthy", "5.50 ms", "mTLS, STRICT", "2/3, 1 missing, 1 stale", "v1, v2", "2 warnings"] {
        assert!(cart.contains(word), "{word}: {cart}");
    }
    assert!(text.contains("The operator is away"), "{text}");
    let detail = shown(
        Shape::Detail,
        json!({
            "row": row("workload", "cart"), "atMs": 1, "moreInstances": 4, "workloads": [], "services": [row("service", "cart")],
            "instances": [{
                "namespace": "shop", "name": "cart-1", "address": "10.0.0.1", "version": "v1", "serviceAccount": "cart",
                "ready": false, "terminating": false, "restarts": 2, "sync": "refused", "words": "no such filter",
                "proxyVersion": "0.1.0", "object": object("Pod", "cart-1"),
            }],
            "callers": [{
                "peer": "shop/web", "known": true, "protocol": "http", "rate": 1.0, "errorShare": null, "p95Ms": null,
                "health": "healthy", "lock": "plaintext",
            }],
            "called": [], "sources": sources(None), "operatorProblem": null, "commands": [],
            "config": [{"object": object("Sidecar", "all"), "why": "It is the namespace's.",
                "findings": {"errors": 0, "warnings": 0, "notes": 0}}],
        }),
    );
    assert!(line(&detail, &["cart-1", "NO", "REFUSED"]).contains("no such filter"), "{detail}");
    assert!(detail.contains("and 4 more") && detail.contains("All is well."), "{detail}");
    assert!(line(&detail, &["shop/web"]).contains("plaintext"), "{detail}");
    assert!(line(&detail, &["Sidecar shop/all"]).contains("the namespace's"), "{detail}");
    assert!(!detail.contains("\nCalls:"), "nothing is called: {detail}");
}

#[test]
fn traces_are_listed_and_drawn() {
    let text = shown(
        Shape::Traces,
        json!({
            "traces": [{
                "traceId": "ab", "root": "GET /", "workload": "shop/web", "startUs": 1_700_000_000_000_000_u64,
                "durationUs": 48_200, "spans": 7, "error": true,
            }],
            "note": "Not everything was searched.",
        }),
    );
    let first = line(&text, &["2023-11-14T22:13:20Z", "ab"]);
    assert!(first.contains("48.2 ms") && first.contains("FAILED") && first.contains("GET /"), "{first}");
    assert!(text.contains("Not everything was searched."), "{text}");
    let span = |name: &str, start: u64, depth: usize| {
        json!({
            "spanId": "1", "parentId": "", "name": name, "workload": "shop/web", "kind": "client", "startUs": start,
            "durationUs": 2_000, "error": false, "depth": depth, "attributes": [],
            "attempt": (depth == 1).then(|| json!({"number": 2, "of": 3})),
        })
    };
    let mut spans = [span("root", 1_000_000, 0), span("call", 1_004_000, 1)];
    spans[0]["error"] = true.into();
    spans[0]["attributes"] = json!([["http.status_code", "503"], ["response_flags", "DI,FI"]]);
    spans[1]["attributes"] = json!([["http.status_code", "200"], ["response_flags", "-"]]);
    let text = shown(Shape::Trace, json!({"traceId": "ab", "spans": spans, "missingParents": 1, "gaps": 0}));
    assert!(line(&text, &["+4.00 ms"]).ends_with("  call (attempt 2 of 3)"), "{text}");
    assert!(line(&text, &["FAILED 503 DI,FI"]).ends_with("  root"), "{text}");
    assert!(line(&text, &["ok 200 "]).contains("+4.00 ms"), "{text}");
    assert!(text.contains("1 spans whose parent") && !text.contains("hops that sent"), "{text}");
}

#[test]
fn the_mesh_says_what_is_wrong_first() {
    let up = json!({"up": true, "problem": null});
    let shows = |secret: &str, problem: Value| {
        let gateway =
            json!({"apiVersion": "networking.istio.io/v1", "kind": "Gateway", "namespace": "shop", "name": "web"});
        json!({
            "gateway": gateway, "hosts": [], "namespace": "edge", "secret": secret, "subject": "CN=x", "names": ["shop.test"],
            "issuer": "CN=Some CA", "fingerprint": "ab", "notBeforeMs": 0, "notAfterMs": 1, "problem": problem,
        })
    };
    let mut early = shows("early", Value::Null);
    (early["notBeforeMs"], early["notAfterMs"]) = (json!(1_700_000_000_000_u64), json!(1_800_000_000_000_u64));
    let text = shown(
        Shape::Mesh,
        json!({
            "atMs": 1, "consoleVersion": "0.1.0", "verdicts": [{"health": "degraded", "text": "One proxy is stale."}],
            "controlPlanes": [{
                "name": "cp-1", "address": "", "revision": "", "version": "0.1.0", "problem": null, "proxies": 2, "pushes": 9,
                "pushP50Ms": 1.5, "pushP99Ms": null, "nacks": 0,
            }],
            "proxies": [{
                "namespace": "shop", "name": "cart", "version": "0.1.0", "controlPlane": "cp-1", "sync": "stale", "words": "",
                "connectedAtMs": 1, "skewed": true,
            }],
            "inStep": [2, 1], "versions": [["0.1.0", 2]],
            "certificates": [{
                "role": "root", "name": "CN=root", "fingerprint": "ab", "notBeforeMs": 1, "notAfterMs": 1_700_000_000_000_u64,
                "signs": true,
            }],
            "certificatesNote": null, "serving": [shows("web-tls", Value::Null), shows("gone", json!("there is no such Secret")), early],
            "servingNote": null, "costs": [{"namespace": "shop", "proxies": 2, "memory": 10_485_760.0, "cpu": 0.02}],
            "costsNote": null, "mtlsShare": 0.5, "prometheus": up, "operator": up, "commands": [],
        }),
    );
    assert!(text.starts_with("DEGRADED  One proxy is stale."), "{text}");
    assert!(text.contains("1 of 2 proxies are in step; mutual TLS: 50.0 %"), "{text}");
    assert!(line(&text, &["shop/cart", "STALE"]).contains("too far"), "{text}");
    assert!(line(&text, &["CN=root"]).contains("2023-11-14"), "{text}");
    let serving = line(&text, &["shop/web", "edge/web-tls"]);
    assert!(serving.contains("shop.test") && serving.contains("CN=Some CA") && serving.contains("EXPIRED"), "{text}");
    assert!(line(&text, &["edge/early"]).contains("NOT VALID BEFORE 2023-11-14"), "{text}");
    assert!(line(&text, &["edge/gone"]).contains("there is no such Secret"), "{text}");
    assert!(line(&text, &["shop", "10.0 MiB"]).contains("0.020"), "{text}");
}

#[test]
fn the_audit_the_status_and_who_asks() {
    let entry = json!({
        "id": 3, "atMs": 1_700_000_000_000_u64, "who": "ada@example.org", "how": "session", "address": "10.0.0.9",
        "action": "weights", "object": object("VirtualService", "order"), "diff": "", "detail": "http[0]: 90/10 → 50/50",
    });
    let text = shown(Shape::Audit, json!({"entries": [entry], "next": null}));
    let first = line(&text, &["ada@example.org"]);
    for word in ["2023-11-14T22:13:20Z", "session from 10.0.0.9", "weights", "VirtualService shop/order", "50/50"] {
        assert!(first.contains(word), "{word}: {first}");
    }
    assert!(!text.contains("--cursor"), "{text}");

    let away = json!({"up": false, "problem": "Start it."});
    let up = json!({"up": true, "problem": null});
    let status = json!({"prometheus": away, "operator": up, "database": up, "findings": [1, 2, 3], "mtlsShare": null});
    let text = shown(Shape::Status, status);
    assert!(line(&text, &["Prometheus"]).contains("DOES NOT ANSWER  Start it."), "{text}");
    assert!(line(&text, &["database"]).contains("answers"), "{text}");
    assert!(text.contains("1 errors, 2 warnings, 3 notes") && text.contains("not known"), "{text}");

    let person = json!({
        "name": "ada", "email": null, "groups": ["leads"], "roles": [], "how": "token", "admin": false, "seesAll": false,
        "seesAny": true, "expiresMs": null, "canSignOut": false,
    });
    let text = shown(Shape::Session, json!({"guarded": true, "person": person, "methods": []}));
    assert_eq!(text, "ada (token) sees some namespaces\nGroups: leads\n");
    let ways = json!([{"kind": "link"}, {"kind": "oidc", "provider": "dex.example"}]);
    let text = shown(Shape::Session, json!({"guarded": true, "person": null, "methods": ways}));
    assert!(text.contains("weft console login LINK") && text.contains("dex.example"), "{text}");
}

#[test]
fn what_a_terminal_would_obey_is_not_printed() {
    assert_eq!(clean("a\u{1b}[2Jb\nc\u{202e}d"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d");
    let mut hostile = row("workload", "\u{1b}]0;owned\u{7}");
    hostile["kind"] = json!("x".repeat(10_000));
    let list = json!({
        "atMs": 1, "windowS": 60, "rows": [hostile], "sources": sources(None), "operatorProblem": null, "commands": [],
    });
    let text = shown(Shape::Inventory, list);
    assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text:?}");
    assert!(text.lines().all(|line| line.chars().count() < 400), "{text}");
}

#[test]
fn an_answer_of_another_kind_is_told() {
    let answer = Answer { shape: Shape::Graph, value: json!({"nodes": 1}), cut: false };
    let told = of(&answer, "http://x").unwrap_err().to_string();
    assert!(told.contains("cannot read the answer of http://x") && told.contains("-o json"), "{told}");
    let cut = Answer { shape: Shape::Audit, value: json!({"entries": [], "next": null}), cut: true };
    assert!(of(&cut, "http://x").unwrap().contains("larger --limit"));
}

#[test]
fn figures_have_three_digits_and_moments_an_end() {
    let figures: Vec<String> = [0.0, 0.0123, 1.0, 9.99, 12.34, 99.97, 1234.6].into_iter().map(figure).collect();
    assert_eq!(figures, ["0", "0.012", "1.00", "9.99", "12.3", "100", "1235"]);
    assert_eq!((moment(0), moment(u64::MAX)), (String::new(), "9999-12-31T23:59:59Z".to_owned()));
}

#[test]
fn what_was_is_told_moment_by_moment() {
    let at = 1_700_000_000_000_u64;
    let change = json!({"id": "m2", "atMs": at, "by": "ada", "from": [90, 10], "to": [50, 50], "undoes": "m1"});
    let text = shown(Shape::History, json!({"changes": [change], "more": true}));
    let row = line(&text, &["2023-11-14T22:13:20Z"]);
    for word in ["ada", "90/10", "50/50", "m1", "m2"] {
        assert!(row.contains(word), "{word}: {row}");
    }
    assert!(text.contains("older moves"), "{text}");
    assert!(shown(Shape::History, json!({"changes": [], "more": false})).starts_with("Nobody moved it"));

    let arm = json!({
        "name": "v2", "configuredPercent": [10.0, 50.0], "observedPercent": [9.5, null], "rate": [4.0, 20.0],
        "errorPercent": [0.0, 12.0], "p95Ms": [48.0, 61.0],
        "whole": {"requests": 4812, "rate": 12.0, "errorShare": 0.031, "moreErrors": [0.02, 0.01, 0.03], "p95Ms": 55.0},
    });
    let moved = json!({"id": "m2", "atMs": at, "errorsBefore": 0.01, "errorsAfter": 0.12});
    let course = json!({
        "stepS": 15, "rateS": 60, "timesMs": [at, at + 15_000], "arms": [arm], "moves": [moved],
        "sources": sources(Some("No p99.")), "commands": [],
    });
    let text = shown(Shape::Course, course);
    assert!(line(&text, &["v2", "4812"]).contains("2.00 % (1.00 % to 3.00 %)"), "{text}");
    assert!(line(&text, &["m2"]).contains("12.0 %"), "{text}");
    assert!(line(&text, &["22:13:35Z"]).contains("50.0 %") && text.contains("\nv2:\n"), "{text}");
    assert!(text.contains("No p99."), "{text}");

    let lines = json!([{"name": "200", "unit": "req/s", "values": [1.5, null]}]);
    let chart = json!({"key": "requests", "title": "Requests", "lines": lines, "more": 3});
    let mut charts = json!({
        "stepS": 15, "rateS": 60, "timesMs": [at, at + 15_000], "charts": [chart], "reporter": "destination",
        "sources": sources(None), "commands": [],
    });
    assert!(shown(Shape::Charts, charts.clone()).starts_with("Counted by proxies at the destination.\n"));
    charts["reporter"] = "either".into();
    let text = shown(Shape::Charts, charts);
    assert!(text.starts_with("Counted by callers' proxies, and by the called one's where"), "{text}");
    assert!(
        text.contains("\nRequests:\n") && text.contains("200 (req/s)") && text.contains("and 3 more lines"),
        "{text}"
    );
    assert!(line(&text, &["22:13:20Z"]).contains("1.50"), "{text}");
    let series = json!({"stepS": 15, "timesMs": [at], "lines": [], "sources": sources(None), "queries": []});
    assert!(shown(Shape::Series, series).starts_with("Nothing was counted"));
}

#[test]
fn a_heat_map_and_saved_views_are_tables() {
    let at = 1_700_000_000_000_u64;
    let cell = json!({"column": 1, "row": 0, "traces": 7, "errors": 2});
    let heat = json!({
        "fromMs": at, "toMs": at + 60_000, "columns": 4, "bordersUs": [1_000, 2_000], "cells": [cell], "counted": 7,
        "cut": true,
    });
    let text = shown(Shape::Heat, heat);
    let row = line(&text, &["22:13:35Z"]);
    assert!(row.contains("1.00 ms to 2.00 ms") && row.contains('7') && row.contains('2'), "{text}");
    assert!(text.contains("the newest 7"), "{text}");

    let view = json!({
        "id": "1", "owner": "ada", "name": "Shop", "location": "#/graph?ns=shop", "shared": true, "createdMs": at,
        "mine": false,
    });
    let text = shown(Shape::Views, json!({"views": [view]}));
    assert!(line(&text, &["Shop", "ada", "yes"]).contains("#/graph?ns=shop"), "{text}");
}

#[test]
fn logs_are_lines_with_what_could_not_be_read() {
    let written = |at_ms: Option<u64>, container: &str, text: &str| {
        json!({
            "atMs": at_ms, "instance": "cart-0", "container": container, "text": text,
            "access": null,
        })
    };
    let long = "x".repeat(500);
    let lines = [written(Some(1_700_000_000_000), "proxy", "GET /\u{1b}[2J"), written(None, "app", &long)];
    let text = shown(
        Shape::Logs,
        json!({"lines": lines, "problems": ["cart-1 cannot be read."], "available": true, "commands": []}),
    );
    assert!(line(&text, &["2023-11-14T22:13:20Z"]).contains("cart-0/proxy  GET /\u{fffd}[2J"), "{text}");
    assert!(text.contains(&long) && text.contains("\ncart-1 cannot be read.\n"), "{text}");
    let none = shown(Shape::Logs, json!({"lines": [], "problems": [], "available": true, "commands": []}));
    assert_eq!(none, "Nothing was written.\n");
}
