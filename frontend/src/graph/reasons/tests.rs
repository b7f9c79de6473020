use weft_model::graph::Node;

use super::*;

fn code(code: &str, flags: &str, rate: f64) -> CodeRate {
    CodeRate { code: code.into(), flags: flags.into(), rate, ..CodeRate::default() }
}

fn applies(kind: &str, name: &str) -> Applies {
    let object = ObjectRef { kind: kind.into(), name: name.into(), ..ObjectRef::default() };
    Applies { object, ..Applies::default() }
}

fn names(objects: &[Applies]) -> Vec<&str> {
    objects.iter().map(|one| one.object.name.as_str()).collect()
}

#[test]
fn a_node_is_told_with_the_calls_on_which_it_fails() {
    let edge = |source: &str, to: &str, health: Health, share: f64| Edge {
        id: format!("{source}->{to}"),
        source: source.into(),
        destination: to.into(),
        rate: 10.0,
        error_share: Some(share),
        health,
        ..Edge::default()
    };
    let mut edges = vec![
        edge("web", "bff", Health::Failing, 1.0),
        edge("bff", "cart", Health::Healthy, 0.0),
        edge("bff", "orders", Health::Failing, 1.0),
        edge("bff", "stock", Health::Degraded, 0.01),
    ];
    assert_eq!(failing(&edges, "bff"), ["bff->orders", "bff->stock"]);
    edges.extend([edge("bff", "a", Health::Failing, 0.5), edge("bff", "b", Health::Failing, 0.4)]);
    assert_eq!(failing(&edges, "bff"), ["bff->orders", "bff->a", "bff->b"], "the least is left out");
    assert!(failing(&edges, "cart").is_empty());
    let refused = Edge { client_error_share: 0.9, ..edge("bff", "payment", Health::Failing, 0.0) };
    edges.push(refused);
    assert_eq!(failing(&edges, "bff"), ["bff->orders", "bff->a", "bff->payment"], "what is refused is lost too");
}

fn chain() -> Vec<Edge> {
    let edge = |source: &str, to: &str, codes: Vec<CodeRate>, share: f64| Edge {
        id: format!("{source}->{to}"),
        source: source.into(),
        destination: to.into(),
        rate: 10.0,
        error_share: Some(share),
        health: if share > 0.0 { Health::Failing } else { Health::Healthy },
        codes,
        ..Edge::default()
    };
    let refused = Edge {
        client_error_share: 0.7,
        health: Health::Failing,
        ..edge("order", "payment", vec![code("403", "-", 7.0), code("200", "-", 3.0)], 0.0)
    };
    vec![
        edge("store", "bff", vec![code("500", "-", 6.0), code("200", "-", 4.0)], 0.6),
        edge("store", "images", vec![code("500", "-", 1.0), code("200", "-", 9.0)], 0.1),
        edge("bff", "order", vec![code("500", "URX", 6.0)], 0.6),
        refused,
        edge("payment", "bank", vec![code("200", "-", 3.0)], 0.0),
    ]
}

#[test]
fn failures_are_followed_to_where_they_begin() {
    let mut edges = chain();
    for from in ["node:store", "edge:store->bff", "node:order"] {
        assert_eq!(begins(&edges, from).as_deref(), Some("order->payment"), "{from}");
    }
    for from in ["edge:order->payment", "node:payment", "edge:payment->bank", "", "box:shop"] {
        assert_eq!(begins(&edges, from), None, "{from}");
    }
    edges[0].codes[0].flags = "UT".into();
    assert_eq!(begins(&edges, "node:store").as_deref(), Some("store->bff"), "a proxy decided it there");
}

#[test]
fn a_refusal_that_is_passed_on_and_a_circle_of_calls_lead_on() {
    let mut edges = chain();
    edges[2].codes = vec![code("403", "-", 6.0)];
    assert_eq!(begins(&edges, "node:store").as_deref(), Some("order->payment"), "the application passed it on");
    edges[3].destination = "store".into();
    edges[3].id = "order->store".into();
    edges[3].codes = vec![code("500", "-", 7.0)];
    edges[2].codes = vec![code("500", "-", 6.0)];
    assert_eq!(begins(&edges, "node:store").as_deref(), Some("bff->order"), "it ends where it came from");
}

#[test]
fn what_holds_at_gateways_holds_for_their_calls() {
    let node = |id: &str, kind: NodeKind| Node { id: id.into(), kind, ..Node::default() };
    let nodes = vec![node("edge", NodeKind::Gateway), node("store", NodeKind::Workload)];
    let mut edges = chain();
    edges[1].source = "edge".into();
    edges[1].destination = "store".into();
    let graph = Graph { nodes, edges, ..Graph::default() };
    for from in ["node:edge", "node:store", "edge:edge->store"] {
        assert!(at_gateway(&graph, from), "{from}");
    }
    for from in ["node:bff", "edge:store->bff", ""] {
        assert!(!at_gateway(&graph, from), "{from}");
    }
}

#[test]
fn what_is_refused_is_told_beside_what_fails() {
    assert_eq!(failures(Some(0.0), 0.0), format::share(0.0));
    let told = failures(Some(0.0), 0.68);
    assert!(told.starts_with(&format::share(0.0)) && told.ends_with(&format!("{} refused", format::share(0.68))));
}

#[test]
fn a_refusal_names_the_policies_that_can_be_behind_it() {
    let config = [
        applies("VirtualService", "route"),
        applies("AuthorizationPolicy", "deny-all"),
        applies("RequestAuthentication", "tokens"),
        applies("AuthorizationPolicy", "readers"),
    ];
    let all = reasons(&[code("200", "-", 90.0), code("403", "UAEX", 3.0), code("503", "URX,UF", 7.0)], &config);
    let flags: Vec<&str> = all.iter().map(|one| one.flags.as_str()).collect();
    assert_eq!(flags, ["URX,UF", "UAEX"], "the most frequent first, each call once");
    assert_eq!(all[0].words, "All retries are used up. The destination did not accept the connection.");
    assert_eq!(all[0].kinds, ["VirtualService", "PeerAuthentication", "DestinationRule"]);
    assert_eq!(names(&all[0].objects), ["route"]);
    assert_eq!(names(&all[1].objects), ["deny-all", "readers", "tokens"]);
    assert_eq!(all[1].words, "An authorization policy denied the request.");
}

#[test]
fn what_an_application_answers_is_its_own() {
    let config = [applies("AuthorizationPolicy", "readers")];
    let all = reasons(&[code("500", "-", 1.0), code("403", "", 2.0), code("302", "-", 5.0)], &config);
    assert_eq!(all.len(), 2);
    assert_eq!((all[0].code.as_str(), names(&all[0].objects)), ("403", vec!["readers"]));
    assert!(all[1].kinds.is_empty() && all[1].words.contains("application"));
    assert!(reasons(&[code("200", "-", 9.0), code("503", "UO", 0.0)], &config).is_empty(), "nothing fails");
}

#[test]
fn the_same_failure_is_told_once() {
    let all = reasons(&[code("503", "UO", 1.0), code("503", "UO", 2.0)], &[]);
    assert_eq!((all.len(), all[0].rate), (1, 3.0));
    assert!(all[0].objects.is_empty() && !all[0].kinds.is_empty(), "nothing that could be why applies");
}

#[test]
fn a_delay_alone_fails_nothing() {
    let config = [applies("VirtualService", "payment")];
    let codes = [code("200", "DI", 3.0), code("503", "FI", 1.5), code("503", "DI,FI", 0.2)];
    let all = reasons(&codes, &config);
    let [one] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((one.code.as_str(), one.flags.as_str(), one.delayed), ("503", "FI", "some also delayed, DI"));
    assert!((one.rate - 1.7).abs() < 1e-9 && names(&one.objects) == ["payment"], "{one:?}");
    let all = reasons(&codes[2..], &config);
    assert_eq!((all.len(), all[0].delayed), (1, "all also delayed, DI"));
    let slow = reasons(&[code("500", "DI", 1.0)], &config);
    assert_eq!((slow[0].flags.as_str(), slow[0].kinds.len()), ("", 0), "the application answered so");
    assert!(slow[0].words.contains("application") && reasons(&codes[..1], &config).is_empty());
}

#[test]
fn an_object_that_changed_of_late_is_told_with_when() {
    let row = |name: &str, changed_ms: Option<u64>| ConfigRow {
        object: ObjectRef { api_version: "v1".into(), ..applies("VirtualService", name).object },
        changed_ms,
        ..ConfigRow::default()
    };
    let rows = [row("new", Some(90)), row("old", Some(10)), row("newer", Some(95)), row("calm", None)];
    let objects = ["old", "new", "calm", "newer", "gone"].map(|name| applies("VirtualService", name));
    let all = changed(&objects, &rows);
    let told = |span_ms, at_ms, now_ms| -> Vec<(String, u64)> {
        recent(&all, span_ms, at_ms, now_ms).into_iter().map(|(object, at)| (object.name, at)).collect()
    };
    assert_eq!(told(40, 0, 92), [("newer".to_owned(), 95), ("new".to_owned(), 90)], "its clock is ahead");
    assert_eq!(told(40, 50, 92), [("old".to_owned(), 10)], "not what came after the moment that is looked at");
    assert!(told(40, 0, 200).is_empty(), "that was long ago");
}
