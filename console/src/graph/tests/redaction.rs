use serde_json::json;
use weft_api::Change;
use weft_mesh::{Settings, Store};
use weft_model::graph::Badge;

use super::*;
use crate::graph::HIDDEN_ID;

/// `namespace/name` on both ends.
fn between(source: &str, destination: &str, code: &str, rate: f64) -> Flow {
    let end = |id: &str| match id.split_once('/') {
        Some((namespace, name)) => (namespace.to_owned(), name.to_owned()),
        None => ("unknown".to_owned(), id.to_owned()),
    };
    let ((sn, s), (dn, d)) = (end(source), end(destination));
    let host = if d == "unknown" { "secret.example.com".to_owned() } else { format!("{d}.{dn}.svc.cluster.local") };
    let labels = Labels::from([
        ("reporter", "source"),
        ("source_workload", &s),
        ("source_workload_namespace", &sn),
        ("source_app", &s),
        ("destination_workload", &d),
        ("destination_workload_namespace", &dn),
        ("destination_app", &d),
        ("destination_service", &host),
        ("request_protocol", "http"),
        ("response_code", code),
        ("response_flags", "-"),
    ]);
    Flow::read(&Series { labels, value: rate }).unwrap()
}

fn bank() -> Observed {
    observed(vec![
        between("shop/web", "shop/cart", "200", 5.0),
        between("shop/web", "vault/ledger", "200", 3.0),
        between("shop/web", "vault/ledger", "500", 1.0),
        between("shop/web", "vault/keys", "200", 2.0),
        between("vault/ledger", "vault/keys", "200", 7.0),
        between("vault/ledger", "unknown", "200", 1.0),
        between("vault/ledger", "shop/cart", "200", 0.5),
    ])
}

#[test]
fn what_is_hidden_leaves_totals_and_no_trace() {
    for view in View::ALL {
        let graph = draw_view(&bank(), &Details::default(), &Estate::default(), view, None);
        let shown = redacted(graph, &|namespace| namespace == "shop");
        let text = serde_json::to_string(&shown).unwrap();
        for word in ["vault", "ledger", "keys", "secret"] {
            assert!(!text.contains(word), "{view}: {word} in {text}");
        }
        let hidden = node(&shown, HIDDEN_ID);
        assert_eq!((hidden.kind, hidden.rate_in), (NodeKind::Hidden, 14.0), "{view}");
        let out = shown.edges.iter().find(|edge| edge.destination == HIDDEN_ID).unwrap();
        assert_eq!((out.rate, out.codes.len(), out.p99_ms), (6.0, 0, None));
        assert!(out.error_share.is_some_and(|share| (share - 1.0 / 6.0).abs() < 0.001));
        let back = shown.edges.iter().find(|edge| edge.source == HIDDEN_ID).unwrap();
        assert_eq!(back.rate, 0.5);
        assert_eq!(shown.edges.len(), 3, "{view}");
    }
}

#[test]
fn what_reached_none_of_a_hidden_service_is_hidden_as_that_is() {
    let host = "ledger.vault.svc.cluster.local";
    let lost = |rate| Flow { host: host.into(), flags: "NC".into(), ..between("shop/web", "unknown", "503", rate) };
    let seen = observed(vec![between("shop/web", "shop/cart", "200", 5.0), lost(2.0)]);
    let estate = Estate { hosts: [(host.to_owned(), vec!["vault/ledger".to_owned()])].into(), ..Estate::default() };
    for view in View::ALL {
        let graph = draw_view(&seen, &Details::default(), &estate, view, None);
        assert!(graph.nodes.iter().any(|node| node.host == host && node.namespace == "vault"), "{view}: {graph:?}");
        let shown = redacted(graph, &|namespace| namespace == "shop");
        let text = serde_json::to_string(&shown).unwrap();
        assert!(!text.contains("vault") && !text.contains("ledger"), "{view}: {text}");
        assert_eq!(node(&shown, HIDDEN_ID).rate_in, 2.0, "{view}");
    }
}

#[test]
fn who_sees_all_sees_all() {
    let graph = draw_view(&bank(), &Details::default(), &Estate::default(), View::Workload, None);
    assert_eq!(redacted(graph.clone(), &|_| true), graph);
    let nothing = redacted(graph, &|_| false);
    assert_eq!((nothing.nodes.len(), nothing.edges.len()), (1, 0));
}

#[test]
fn a_host_outside_is_shown_to_those_whose_workload_calls_it() {
    let graph = draw_view(&bank(), &Details::default(), &Estate::default(), View::Workload, None);
    let shown = redacted(graph, &|namespace| namespace == "vault");
    assert_eq!(node(&shown, "external:secret.example.com").rate_in, 1.0);
}

/// Objects in `vault` that are about `shop/cart`, which the reader may see.
#[test]
fn marks_do_not_name_what_is_hidden() {
    let networking = "networking.istio.io/v1";
    let host = "cart.shop.svc.cluster.local";
    let to = |subset: &str, weight: u32| json!({"destination": {"host": host, "subset": subset}, "weight": weight});
    let entry = |name: &str, version: &str| {
        json!({"apiVersion": networking, "kind": "WorkloadEntry", "metadata": {"name": name, "namespace": "shop"},
            "spec": {"address": "127.0.0.1", "labels": {"app": "cart", "version": version, "security.istio.io/tlsMode": "istio"}}})
    };
    let route = |namespace: &str, subsets: [&str; 2]| {
        json!({"apiVersion": networking, "kind": "VirtualService", "metadata": {"name": "ledger", "namespace": namespace},
            "spec": {"hosts": [host], "http": [{"fault": {"delay": {"fixedDelay": "1s", "percentage": {"value": 1}}},
                "route": [to(subsets[0], 90), to(subsets[1], 10)]}]}})
    };
    let objects = [
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "cart", "namespace": "shop"},
            "spec": {"selector": {"app": "cart"}, "ports": [{"name": "http", "port": 8080}]}}),
        entry("cart", "v1"),
        json!({"apiVersion": networking, "kind": "DestinationRule", "metadata": {"name": "keys", "namespace": "vault"},
            "spec": {"host": host, "trafficPolicy": {"outlierDetection": {}}, "subsets": [{"name": "secret", "labels": {}}]}}),
        route("vault", ["secret", "missing"]),
        route("shop", ["v1", "v2"]),
    ];
    let mut store = Store::new(Settings::default());
    store
        .apply(objects.iter().map(|one| Change::Put(weft_api::parse(one, "default").unwrap().object.into())).collect());
    let snapshot = store.snapshot();
    let findings = weft_lint::analyze(&snapshot, &weft_lint::Options::default());
    let estate = Estate::read(&snapshot, &findings);
    for view in View::ALL {
        let graph = draw_view(&bank(), &Details::default(), &estate, view, None);
        let whole = serde_json::to_string(&graph).unwrap();
        assert!(whole.contains("vault/keys") && whole.contains("vault/ledger"), "{view}: {whole}");
        let shown = redacted(graph, &|namespace| namespace == "shop");
        let text = serde_json::to_string(&shown).unwrap();
        for word in ["vault", "keys"] {
            assert!(!text.contains(word), "{view}: {word} in {text}");
        }
        let marks: Vec<&Badge> = shown.nodes.iter().flat_map(|node| &node.badges).collect();
        for kind in ["canary", "fault", "circuit-breaker", "lint"] {
            assert!(marks.iter().any(|badge| badge.kind == kind), "{view}: {kind} in {marks:?}");
        }
        assert!(marks.iter().any(|badge| badge.text.contains("VirtualService shop/ledger")), "{view}: {marks:?}");
        assert!(marks.iter().any(|badge| badge.text.contains("that you may not read splits")), "{view}: {marks:?}");
    }
}

/// A mark may quote what looks like the name of an object and is none, and words that are namespaces elsewhere.
#[test]
fn marks_keep_what_names_nothing_hidden() {
    let words = "VirtualService shop/cart: 90/10 of read/write, no Gateway \"edge/gate\", exported to every namespace";
    let hidden = "proxies in shop and vault do not see DestinationRule vault/keys";
    let mut graph = draw_view(&bank(), &Details::default(), &Estate::default(), View::Workload, None);
    let badge = |text: &str| Badge { kind: "lint".into(), severity: None, text: text.into(), namespace: "shop".into() };
    let cart = graph.nodes.iter_mut().find(|node| node.id == "shop/cart").unwrap();
    cart.badges = vec![badge(words), badge(hidden)];
    let shown = redact(graph, &|namespace| namespace == "shop", &|word| ["shop", "vault"].contains(&word));
    let [kept, cut] = &node(&shown, "shop/cart").badges[..] else { panic!("a mark is missing") };
    assert_eq!(kept.text, words);
    assert!(cut.text.starts_with("proxies in shop and (") && !cut.text.contains("vault"), "{}", cut.text);
}

/// Ids of hosts, services, apps and boxes begin with words that namespaces may be called too.
#[test]
fn a_namespace_is_hidden_whatever_its_name() {
    for namespace in ["external", "service", "app", "box"] {
        let (till, safe) = (format!("{namespace}/till"), format!("{namespace}/safe"));
        let seen = observed(vec![
            between("shop/web", "shop/cart", "200", 5.0),
            between("shop/web", &till, "200", 3.0),
            between(&till, &safe, "200", 1.0),
        ]);
        for view in View::ALL {
            let graph = draw_view(&seen, &Details::default(), &Estate::default(), view, None);
            assert!(graph.nodes.iter().any(|node| node.namespace == namespace), "{view}: {:?}", graph.nodes);
            assert!(graph.nodes.iter().all(|node| node.kind != NodeKind::External), "{view}: {:?}", graph.nodes);
            let text = serde_json::to_string(&redacted(graph.clone(), &|seen| seen == "shop")).unwrap();
            assert!(!text.contains("till") && !text.contains("safe"), "{view}: {text}");
            let text = serde_json::to_string(&redacted(graph, &|seen| seen == namespace)).unwrap();
            assert!(text.contains("till") && text.contains("safe"), "{view}: {text}");
        }
    }
}

/// Of a name that is too long the end was cut off, and with it the namespace that hides it.
#[test]
fn a_long_name_is_hidden_by_its_namespace_too() {
    let long = format!("vault/{}", "n".repeat(300));
    let seen = observed(vec![between("shop/web", "shop/cart", "200", 5.0), between("shop/web", &long, "200", 3.0)]);
    for view in View::ALL {
        let graph = draw_view(&seen, &Details::default(), &Estate::default(), view, None);
        let text = serde_json::to_string(&redacted(graph.clone(), &|namespace| namespace == "shop")).unwrap();
        assert!(!text.contains("vault") && !text.contains("nnn"), "{view}: {text}");
        let text = serde_json::to_string(&redacted(graph, &|namespace| namespace == "vault")).unwrap();
        assert!(text.contains("nnn"), "{view}: {text}");
    }
}
