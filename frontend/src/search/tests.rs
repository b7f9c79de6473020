use weft_model::{ObjectRef, canary::Verdict, graph::NodeKind};

use super::*;

fn node(id: &str, kind: NodeKind, name: &str, app: &str) -> Node {
    Node { id: id.into(), kind, namespace: "shop".into(), workload: name.into(), app: app.into(), ..Node::default() }
}

fn object(kind: &str, namespace: &str, name: &str) -> ConfigRow {
    let api_version = "networking.istio.io/v1".to_owned();
    let object = ObjectRef { api_version, kind: kind.into(), namespace: namespace.into(), name: name.into() };
    ConfigRow { object, ..ConfigRow::default() }
}

fn shop() -> Catalogue {
    let mut all = Catalogue::default();
    all.namespaces(&["shop".to_owned(), "Cartography".to_owned()]);
    all.nodes(&[
        node("shop/cart-v1", NodeKind::Workload, "cart-v1", "cart"),
        node("shop/shopping-cart", NodeKind::Workload, "shopping-cart", "unknown"),
        node("shop/uncarted", NodeKind::Unmeshed, "uncarted", ""),
        node("external:cart.example", NodeKind::External, "cart.example", ""),
        node("hidden", NodeKind::Hidden, "cart", ""),
        Node { cluster: "west".into(), ..node("shop/cart-west@west", NodeKind::Workload, "cart-west", "cart-west") },
    ]);
    all.services(&[Row {
        subject: Subject::Service,
        namespace: "shop".into(),
        name: "cart".into(),
        workloads: vec!["shop/cart-v1".into(), "shop/cart-v2".into()],
        ..Row::default()
    }]);
    all.objects(&[object("VirtualService", "shop", "cart"), object("Gateway", "edge", "public")]);
    all
}

fn names(found: &[Entry]) -> Vec<(&'static str, &str)> {
    found.iter().map(|entry| (entry.group.title(), entry.name.as_str())).collect()
}

#[test]
fn the_best_fit_comes_first_and_groups_stay_together() {
    let (found, all) = shop().find(" CART ");
    assert_eq!(
        names(&found),
        [
            // The name itself.
            ("Applications", "cart"),
            ("Services", "cart"),
            ("Configuration", "cart"),
            // What begins with it, what has a word that does, and what has it anywhere.
            ("Workloads", "cart-v1"),
            ("Workloads", "cart-v2"),
            ("Workloads", "shopping-cart"),
            ("Workloads", "uncarted"),
            ("Namespaces", "Cartography"),
        ]
    );
    assert_eq!(all, 8, "a workload that two answers name is one; others' clusters, hosts and hidden ones have no page");
}

#[test]
fn each_rank_is_nearer_than_the_next() {
    let all = shop();
    let rank = |name: &str, text: &str| {
        let of = |entry: &&Entry| entry.name == name && entry.group == Group::Page(Subject::Workload);
        all.0.iter().find(of).unwrap().rank(text)
    };
    assert_eq!(rank("cart-v1", "cart-v1"), Some(0));
    assert_eq!(rank("cart-v1", "cart"), Some(1));
    assert_eq!(rank("shopping-cart", "cart"), Some(2));
    assert_eq!(rank("uncarted", "cart"), Some(3));
    assert_eq!(rank("cart-v1", "v1 cart"), Some(4));
    assert_eq!(rank("cart-v1", "workload cart"), Some(4));
    assert_eq!(rank("cart-v1", "service cart"), None);
    assert_eq!(rank("cart-v1", "shop"), None, "a namespace is not the name");
    assert_eq!((rank("cart-v1", "shop/cart-v1"), rank("cart-v1", "shop/ca")), (Some(0), Some(1)));
}

#[test]
fn of_many_only_some_are_shown_and_all_are_counted() {
    let mut all = Catalogue::default();
    let rows: Vec<_> = (10..60).map(|nth| object("Sidecar", "shop", &format!("card-{nth}"))).collect();
    all.objects(&rows);
    let (found, count) = all.find("card");
    assert_eq!((found.len(), count, found[0].name.as_str()), (SHOWN, 50, "card-10"));
    assert_eq!((all.find("  "), all.find("nowhere")), ((vec![], 0), (vec![], 0)));
}

#[test]
fn a_result_leads_to_its_place_and_the_scope_stays_where_it_can() {
    let mut all = shop();
    let split = |route_index| Canary {
        object: object("VirtualService", "shop", "order").object,
        route_index,
        route: String::new(),
        connections: false,
        shares: vec![],
        testers: vec![],
        verdict: Verdict::Unknown,
        sentence: String::new(),
        since_ms: None,
        since_text: String::new(),
        revision: String::new(),
        query: String::new(),
        findings: Vec::new(),
    };
    all.canaries(&[split(0), split(1)]);
    let leads = |text: &str, scope: &str| {
        let now = View::parse(&format!("#/traces?{scope}find=x&window=300"));
        let (found, _) = all.find(text);
        found.iter().map(|entry| entry.view(&now).fragment()).collect::<Vec<_>>()
    };
    assert_eq!(leads("cart-v1", "ns=shop&"), ["#/workloads/shop/cart-v1?ns=shop&window=300"]);
    assert_eq!(leads("cart-v1", "ns=edge&"), ["#/workloads/shop/cart-v1?window=300"], "it would not be in scope");
    assert_eq!(leads("mesh", "ns=edge&"), ["#/mesh?ns=edge&window=300"]);
    assert_eq!(leads("order", ""), ["#/canaries?window=300&find=shop/order"], "two routes of one object are one");
    assert_eq!(leads("public", ""), ["#/configuration?window=300&select=networking.istio.io/v1~Gateway~edge~public"]);
    assert_eq!(leads("cartography", ""), ["#/namespaces/Cartography?window=300"]);
    assert_eq!(all.find("public").0[0].about(), "Gateway · edge");
    assert_eq!(all.find("mesh").0[0].about(), "");
}
