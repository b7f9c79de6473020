use super::{
    graph::{HOPS, LABELS, Label},
    traces::{CallSearch, Cell},
    *,
};

#[test]
fn the_empty_address_is_the_graph() {
    assert_eq!(View::parse(""), View::default());
    assert_eq!(View::parse("#/graph?window=7&x=y&="), View::default());
    assert_eq!(View::default().fragment(), "#/graph");
}

#[test]
fn a_row_has_the_address_of_the_view_with_it_selected() {
    for find in ["", "a&b"] {
        let view = View { find: find.to_owned(), room: Room::Configuration, ..View::default() };
        let chosen = View { select: "a/b=c?d".to_owned(), ..view.clone() };
        assert_eq!(View::parse(&selecting(&view.fragment(), "a/b=c?d")), chosen);
    }
}

#[test]
fn a_path_that_no_page_has_is_kept_until_another_room_is_entered() {
    let lost = View::parse("#/now here/<b>?ns=shop");
    assert_eq!((lost.lost.as_str(), lost.room), ("now here/<b>", Room::Graph));
    assert_eq!(View::parse(&lost.fragment()), lost);
    assert_eq!(lost.enter(Room::Mesh).fragment(), "#/mesh?ns=shop");
    assert!(Room::ALL.into_iter().all(|room| View::parse(room.slug()).lost.is_empty()));
}

#[test]
fn every_field_comes_back() {
    let view = View {
        room: Room::Traces,
        lost: String::new(),
        window_s: 900,
        namespaces: vec!["default".into(), "shop".into()],
        select: "edge:default/a->default/b".into(),
        find: "ns = shop & 100 %".into(),
        graph: GraphView {
            nodes: weft_model::graph::View::VersionedApp,
            labels: vec![Label::Rate, Label::P95],
            locks: true,
            list: true,
            idle: false,
            without: vec!["tcp".into()],
            folded: vec!["default".into()],
            open: vec!["*".into()],
            focus: "shop/cart-v1".into(),
            hops: 3,
            hide: "rate < 1 or (kind = external)".into(),
            at_ms: 1_700_000_000_000,
            legend: true,
            explain: true,
        },
        workload: "default/order-service-v1".into(),
        errors: true,
        traces: TraceView {
            operation: "GET cart.shop.svc.cluster.local:80/*".into(),
            tags: vec!["http.status_code=503".into(), "user_agent=a, b=c & d".into()],
            min_us: 500,
            max_us: 250_000,
            cell: Some(Cell { from_ms: 1_700_000_000_000, to_ms: 1_700_000_001_250, min_us: 0, max_us: 100 }),
        },
        action: "weights".into(),
        about: "services/shop/cart & more".into(),
        hours: 24,
        tab: "proxy".into(),
        split: "response_code".into(),
        outgoing: Some(true),
        sort: "-rate".into(),
        instance: "order-service-v1".into(),
        ..View::default()
    };
    assert_eq!(View::parse(&view.fragment()), view);
}

#[test]
fn broken_escapes_do_no_harm() {
    assert_eq!(View::parse("#/graph?find=%").find, "%");
    assert_eq!(View::parse("#/graph?find=%f").find, "%f");
    assert_eq!(View::parse("#/graph?find=%zz%C3").find, "%zz\u{fffd}");
    assert_eq!(View::parse("#/graph?find=größe").find, "größe");
}

#[test]
fn another_room_keeps_the_scope() {
    let view = View { namespaces: vec!["shop".into()], window_s: 300, select: "node:x".into(), ..View::default() };
    let other = view.enter(Room::Canaries);
    assert_eq!((other.room, other.window_s, other.select.as_str()), (Room::Canaries, 300, ""));
    assert!(other.shows("shop") && other.shows("") && !other.shows("default"));
}

#[test]
fn labels_are_few_and_in_order() {
    let mut graph = GraphView::default();
    for label in [Label::P95, Label::Errors, Label::Throughput] {
        graph.toggle_label(label);
    }
    assert_eq!(graph.labels, [Label::Errors, Label::P95, Label::Throughput]);
    assert_eq!(graph.labels.len(), LABELS);
    graph.toggle_label(Label::P95);
    assert_eq!(graph.labels, [Label::Errors, Label::Throughput]);
    let none = View { graph: GraphView { labels: vec![], ..GraphView::default() }, ..View::default() };
    assert_eq!(none.fragment(), "#/graph?labels=none");
    assert_eq!(View::parse(&none.fragment()), none);
}

#[test]
fn a_box_named_counts_before_every_box() {
    let mut graph = GraphView::default();
    assert!(!graph.is_folded("shop", false) && graph.is_folded("shop", true));
    graph.fold("shop", false);
    assert!(!graph.is_folded("shop", true) && graph.is_folded("mail", true));
    graph.fold_all(true);
    graph.fold("mail", false);
    assert!(graph.is_folded("shop", false) && !graph.is_folded("mail", false));
    graph.fold("mail", true);
    assert!(graph.is_folded("mail", false) && graph.open.is_empty());
    graph.fold_all(false);
    assert!(!graph.is_folded("mail", true));
}

#[test]
fn nonsense_in_the_address_is_left_at_its_default() {
    let view = View::parse("#/graph?hops=999&view=pods&labels=rate,size,p99&without=udp,grpc&at=yesterday");
    assert_eq!((view.graph.hops, view.graph.at_ms), (HOPS, 0));
    assert_eq!(view.graph.nodes, weft_model::graph::View::Workload);
    assert_eq!(view.graph.labels, [Label::Rate, Label::P99]);
    assert_eq!(view.graph.without, ["grpc"]);
}

#[test]
fn a_page_of_details_is_a_path() {
    let view = View {
        room: Room::Workloads,
        subject: Subject::Service,
        place: "shop/order-service".into(),
        tab: "config".into(),
        ..View::default()
    };
    assert_eq!(view.fragment(), "#/services/shop/order-service?tab=config");
    assert_eq!(View::parse(&view.fragment()), view);
    let list = View::parse("#/namespaces");
    assert_eq!((list.room, list.subject, list.place.as_str()), (Room::Workloads, Subject::Namespace, ""));
    assert_eq!(View::parse("#/apps/a%3Cb/c").place, "a<b/c");
    assert_eq!(view.enter(Room::Mesh).fragment(), "#/mesh");
}

#[test]
fn filters_and_wizards_of_configuration_come_back() {
    let view = View {
        room: Room::Configuration,
        configuration: ConfigurationView {
            kind: "VirtualService".into(),
            severity: "error".into(),
            owner: "Argo CD".into(),
            new: String::new(),
            wizard: "faults".into(),
            of: "shop/order-service".into(),
        },
        ..View::default()
    };
    let fragment = view.fragment();
    assert_eq!(
        fragment,
        "#/configuration?kind=VirtualService&severity=error&owner=Argo%20CD&wizard=faults&of=shop/order-service"
    );
    assert_eq!(View::parse(&fragment), view);
    assert_eq!(view.enter(Room::Graph).fragment(), "#/graph");
    assert!(view.configuration.is_filtered());
}

#[test]
fn a_call_is_searched_by_its_ends() {
    use weft_model::graph::{Node, NodeKind};
    let node = |kind, id: &str, workloads: &[&str]| Node {
        id: id.into(),
        kind,
        workloads: workloads.iter().map(|&id| id.to_owned()).collect(),
        ..Node::default()
    };
    let web = node(NodeKind::Workload, "shop/web", &[]);
    let cart = node(NodeKind::App, "app:shop/cart", &["shop/cart-v1"]);
    let service =
        Node { host: "cart.shop.svc".into(), ..node(NodeKind::Service, "service:cart.shop.svc", &["shop/cart-v1"]) };
    let search =
        |from: &Node, to: &Node| CallSearch::between(from, to).map(|found| (found.workload, found.tags.join(" ")));
    let found = |workload: &str, tags: &str| Some((workload.to_owned(), tags.to_owned()));
    let to_cart = "destination.namespace=shop destination.workload=cart-v1";
    assert_eq!(search(&web, &cart), found("shop/web", to_cart));
    assert_eq!(search(&web, &service), found("shop/web", "destination.service=cart.shop.svc"));
    let bare = node(NodeKind::Unmeshed, "shop/old", &[]);
    assert_eq!(search(&bare, &cart), found("", &format!("{to_cart} source.namespace=shop source.workload=old")));
    assert_eq!(search(&service, &cart), None);
    assert_eq!(search(&web, &node(NodeKind::Hidden, "hidden", &[])), None);
}

#[test]
fn long_windows_are_restored() {
    for (seconds, _) in WINDOWS {
        let view = View { window_s: seconds, ..View::default() };
        assert_eq!(View::parse(&view.fragment()), view);
    }
    assert_eq!(View::parse("#/graph?window=604800").window_s, 604_800);
}

#[test]
fn only_places_of_this_page_are_kept() {
    assert_eq!(place("#/canaries?select=a"), Some("#/canaries?select=a"));
    for other in ["", "#", "#/", "https://example.org/", "//example.org", "#a"] {
        assert_eq!(place(other), None, "{other}");
    }
}
