use proptest::prelude::*;
use weft_model::graph::{Badge, Graph, Lock, NodeKind};

use super::*;
use crate::graph::sample::{graph, node};

fn shop() -> Graph {
    let mut graph = graph(
        &[
            ("ingress/gateway", "shop/front-v1"),
            ("shop/front-v1", "shop/order-v1"),
            ("shop/front-v1", "shop/order-v2"),
            ("shop/order-v2", "mail/smtp"),
        ],
        &["shop/batch"],
    );
    graph.nodes[0].kind = NodeKind::Gateway;
    let idle = graph.nodes.iter_mut().find(|node| node.id == "shop/batch").unwrap();
    (idle.rate_in, idle.error_share) = (0.0, None);
    let order = graph.nodes.iter_mut().find(|node| node.id == "shop/order-v2").unwrap();
    order.error_share = Some(0.05);
    order.badges.push(Badge { kind: "canary".into(), severity: None, text: "90/10".into(), namespace: String::new() });
    let edge = &mut graph.edges[3];
    (edge.protocol, edge.rate, edge.error_share) = ("tcp".into(), 2.0, None);
    (edge.lock, edge.plaintext_share, edge.p95_ms) = (Lock::Mixed, Some(0.25), Some(800.0));
    graph.edges[2].error_share = Some(0.05);
    graph
}

/// Ids that match, nodes before edges.
fn found(text: &str) -> Vec<String> {
    let graph = shop();
    let query = Query::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}")).expect("an expression");
    let index = Index::new(&graph);
    let nodes =
        graph.nodes.iter().filter(|node| query.matches(Subject::Node(node, &index))).map(|node| node.id.clone());
    let edges =
        graph.edges.iter().filter(|edge| query.matches(Subject::Edge(edge, &index))).map(|edge| edge.id.clone());
    nodes.chain(edges).collect()
}

fn error(text: &str) -> (usize, String, String) {
    let error = Query::parse(text).expect_err(text);
    (error.column, error.what, error.remedy)
}

#[test]
fn comparisons_find_nodes_and_calls() {
    let order = ["shop/order-v2", "shop/front-v1->shop/order-v2"];
    assert_eq!(found("ns = shop and error > 1%"), order);
    assert_eq!(found("error > 1 ns=shop"), order);
    assert_eq!(found("error >= 5 %"), order);
    assert_eq!(found("p95 > 200ms"), ["mail/smtp", "shop/order-v2->mail/smtp"]);
    assert_eq!(found("p95 > 0.2 s"), ["mail/smtp", "shop/order-v2->mail/smtp"]);
    assert_eq!(found("mtls < 100%"), ["mail/smtp", "shop/order-v2->mail/smtp"]);
    assert_eq!(found("mtls = 75%"), ["mail/smtp", "shop/order-v2->mail/smtp"]);
    assert_eq!(found("kind = ingress"), ["ingress/gateway"]);
    assert_eq!(found("version = v2"), ["shop/order-v2", "shop/front-v1->shop/order-v2"]);
    assert_eq!(found("name = order-* and version != v2"), ["shop/order-v1", "shop/front-v1->shop/order-v1"]);
    assert_eq!(found("rate < 5 and not idle"), ["shop/order-v2->mail/smtp"]);
    assert_eq!(found("idle"), ["shop/batch"]);
    assert_eq!(found("ns = mail, ingress"), ["ingress/gateway", "mail/smtp", "shop/order-v2->mail/smtp"]);
    assert_eq!(found("app ~ ord and canary"), order);
}

#[test]
fn what_only_sends_has_the_rate_that_it_sends() {
    let mut graph = shop();
    let gateway = &mut graph.nodes[0];
    (gateway.rate_in, gateway.rate_out) = (0.0, 30.0);
    let index = Index::new(&graph);
    let matches = |text: &str| {
        let query = Query::parse(text).unwrap().unwrap();
        query.matches(Subject::Node(index.node("ingress/gateway").unwrap(), &index))
    };
    assert!(!matches("rate < 5"), "hiding what is idle leaves the entrance");
    assert!(matches("rate >= 10"));
    assert!(!matches("rate = 0"));
}

#[test]
fn words_are_looked_for_in_names() {
    assert_eq!(found("ORDER v2"), ["shop/order-v2", "shop/front-v1->shop/order-v2"]);
    assert_eq!(found("\"smtp\""), ["mail/smtp", "shop/order-v2->mail/smtp"]);
    assert!(found("nothing-like-it").is_empty());
}

#[test]
fn what_a_field_says_nothing_about_is_left_alone() {
    assert_eq!(found("protocol = tcp"), ["shop/order-v2->mail/smtp"]);
    assert_eq!(found("not protocol = tcp").len(), 3, "edges only");
    assert_eq!(found("from.ns = ingress"), ["ingress/gateway->shop/front-v1"]);
    // The error share of an idle workload is not known, so it is neither above nor below.
    assert!(!found("error < 1%").contains(&"shop/batch".to_owned()));
    assert!(!found("not error > 1%").contains(&"shop/batch".to_owned()));
}

#[test]
fn parentheses_and_the_order_of_and_before_or() {
    let all = found("ns = mail or ns = shop and version = v2");
    assert_eq!(all, found("ns = mail or (ns = shop and version = v2)"));
    assert_ne!(all, found("(ns = mail or ns = shop) and version = v2"));
    assert_eq!(found("!(kind = workload)"), found("not kind = workload"));
    assert_eq!(found("idle || canary"), found("idle or canary"));
    assert_eq!(found("ns = shop && canary"), found("ns = shop and canary"));
}

#[test]
fn errors_say_where_and_what_was_meant() {
    assert_eq!(error("ns = shop and nmae = x"), (15, "There is no field nmae.".into(), "Did you mean name?".into()));
    assert_eq!(error("health = faling").2, "Did you mean failing?");
    assert_eq!(error("p95 > 3%").0, 7);
    assert_eq!(error("p95 > 3%").2, "Write it as 100ms or 500ms or 1s.");
    assert_eq!(error("(ns = shop").0, 1);
    assert_eq!(error("ns = shop)").0, 10);
    assert_eq!(error("ns =").0, 5);
    assert_eq!(error("and ns = shop").0, 1);
    assert_eq!(error("ns = shop or").0, 13);
    assert_eq!(error("ns > shop").2, "Use = != (and ~ !~ for a part of it).");
    assert_eq!(error("rate ~ 3").2, "Use = != < <= > >=.");
    assert_eq!(error("\"open").0, 1);
    assert_eq!(error("rate > 1, 2").1, "> takes one value.");
    assert!(error(&"(".repeat(300)).1.contains("nested"));
    assert!(error(&"x".repeat(LONGEST + 1)).1.contains("2000"));
    assert_eq!(Query::parse("   "), Ok(None));
}

#[test]
fn completion_knows_what_comes_next() {
    let graph = shop();
    let words = |text: &str| complete(text, &graph).into_iter().map(|one| one.word).collect::<Vec<_>>();
    assert_eq!(words("na"), ["name", "ns"]);
    assert_eq!(words("ns "), ["=", "!=", "~", "!~"]);
    assert_eq!(words("ns = "), ["ingress", "mail", "shop"]);
    assert_eq!(words("ns = sh"), ["shop"]);
    assert_eq!(complete("ns = sh", &graph)[0].text, "ns = shop ");
    assert_eq!(words("ns = shop "), ["and", "or", "not", "from.", "to."]);
    assert_eq!(words("ns = shop and error "), ["=", "!=", "<", "<=", ">", ">="]);
    assert_eq!(words("health = f"), ["failing"]);
    assert_eq!(words("from.v"), ["from.version"]);
    assert!(words("").is_empty());
}

#[test]
fn what_is_offered_can_be_read() {
    for (text, _) in EXAMPLES {
        assert!(Query::parse(text).is_ok(), "{text}");
    }
    let graph = shop();
    let taken = complete("name = o", &graph);
    assert!(Query::parse(&taken[0].text).is_ok());
}

#[test]
fn made_expressions_match_exactly_their_own() {
    for id in ["shop/order-v2", "mail/smtp"] {
        let found = found(&exactly(id));
        assert_eq!(found.iter().filter(|other| !other.contains("->")).count(), 1);
        assert_eq!(found[0], id);
    }
    assert_eq!(found(&call("shop/order-v2", "mail/smtp")), ["shop/order-v2->mail/smtp"]);
    assert_eq!(either("idle", &call("a/b", "c/d")), "idle or (from.id = a/b and to.id = c/d)");
    assert_eq!(
        (either("", "idle"), quoted("and"), quoted("a b\"")),
        ("idle".into(), "\"and\"".into(), "\"a b\\\"\"".into())
    );
}

proptest! {
    /// Whatever is typed: no panic, an error has a column within the text, and the same text gives the same answer.
    #[test]
    fn any_text_is_harmless(text in "\\PC{0,80}") {
        let graph = shop();
        drop(complete(&text, &graph));
        match Query::parse(&text) {
            Ok(Some(query)) => {
                let index = Index::new(&graph);
                for node in &graph.nodes {
                    let answer = query.matches(Subject::Node(node, &index));
                    prop_assert_eq!(answer, query.matches(Subject::Node(node, &index)));
                }
            }
            Ok(None) => prop_assert!(text.trim().is_empty()),
            Err(error) => prop_assert!((1..=text.chars().count() + 1).contains(&error.column), "{:?}", error),
        }
    }

    /// The same for texts made of the language's own pieces.
    #[test]
    fn any_order_of_pieces_is_harmless(
        pieces in prop::collection::vec(
            prop::sample::select(vec!["ns", "=", "shop", "and", "or", "not", "(", ")", "error", ">", "1%", ",", "~", "canary", "p95", "\"x y\"", "!"]),
            0..16,
        )
    ) {
        let text = pieces.join(" ");
        if let Err(error) = Query::parse(&text) {
            prop_assert!((1..=text.chars().count() + 1).contains(&error.column));
            prop_assert!(!error.what.is_empty() && !error.remedy.is_empty());
        }
    }

    /// An id of any characters is found by the expression that is made for it.
    #[test]
    fn any_id_can_be_named(id in "\\PC{1,24}") {
        let mut graph = shop();
        graph.nodes.push(node(&id));
        let query = Query::parse(&exactly(&id)).unwrap().unwrap();
        let index = Index::new(&graph);
        // A star in a name stands for anything, so more may match.
        prop_assert!(query.matches(Subject::Node(graph.nodes.last().unwrap(), &index)));
    }

    /// A text and its opposite never both match.
    #[test]
    fn an_opposite_never_agrees(text in prop::sample::select(vec!["ns = shop", "error > 1%", "protocol = tcp", "canary", "p95 < 50ms", "mtls < 100%", "order"])) {
        let graph = shop();
        let index = Index::new(&graph);
        let (one, other) = (Query::parse(text).unwrap().unwrap(), Query::parse(&format!("not ({text})")).unwrap().unwrap());
        for node in &graph.nodes {
            let subject = Subject::Node(node, &index);
            prop_assert!(!(one.matches(subject) && other.matches(subject)));
        }
        for edge in &graph.edges {
            let subject = Subject::Edge(edge, &index);
            prop_assert!(!(one.matches(subject) && other.matches(subject)));
        }
    }
}
