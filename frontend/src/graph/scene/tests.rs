use weft_model::{
    Counted,
    graph::{Badge, Edge, Node, Sources},
};

use super::*;
use crate::{
    format,
    graph::layout::{Direction, Topology, layout},
};

struct Even;

impl Measure for Even {
    fn title(&self, text: &str) -> f64 {
        text.chars().count() as f64 * 7.0
    }

    fn small(&self, text: &str) -> f64 {
        text.chars().count() as f64 * 6.0
    }
}

fn node(id: &str) -> Node {
    let (namespace, workload) = id.split_once('/').unwrap_or(("", id));
    let version = workload.rsplit_once('-').map(|(_, version)| version).filter(|version| version.starts_with('v'));
    Node {
        id: id.into(),
        kind: NodeKind::Workload,
        namespace: namespace.into(),
        workload: workload.into(),
        app: String::new(),
        version: version.unwrap_or_default().into(),
        health: Health::Healthy,
        rate_in: 12.4,
        rate_out: 0.0,
        error_share: Some(0.031),
        badges: vec![Badge { kind: "canary".into(), severity: None, text: "90/10".into(), namespace: String::new() }],
        ..Node::default()
    }
}

fn edge(source: &str, destination: &str, lock: Lock) -> Edge {
    Edge {
        id: format!("{source}->{destination}"),
        source: source.into(),
        destination: destination.into(),
        protocol: "http".into(),
        rate: 12.4,
        error_share: Some(0.0),
        p50_ms: Some(3.0),
        p95_ms: Some(48.0),
        p99_ms: None,
        health: Health::Healthy,
        lock,
        plaintext_share: (lock != Lock::Unknown).then_some(if lock == Lock::Plaintext { 1.0 } else { 0.0 }),
        codes: vec![],
        ..Edge::default()
    }
}

fn shop() -> Graph {
    let names = ["shop/legacy", "shop/order-v1", "shop/order-v2", "shop/payment-v1", "shop/storefront-v1"];
    Graph {
        at_ms: 1,
        window_s: 60,
        nodes: names.map(node).into(),
        edges: vec![
            edge("shop/legacy", "shop/payment-v1", Lock::Plaintext),
            edge("shop/order-v1", "shop/payment-v1", Lock::Mtls),
            edge("shop/order-v2", "shop/payment-v1", Lock::Mtls),
            edge("shop/storefront-v1", "shop/order-v1", Lock::Mtls),
            edge("shop/storefront-v1", "shop/order-v2", Lock::Mtls),
        ],
        sources: Sources::default(),
        ..Graph::default()
    }
}

fn scene(graph: &Graph, choice: &Choice) -> Scene {
    Scene::new(graph, &layout(&Topology::of(graph), Direction::Right, None), choice, &Even)
}

#[test]
fn a_broken_lock_is_always_drawn_and_a_closed_one_on_request() {
    let locks = |choice: &Choice| -> Vec<Option<Lock>> {
        scene(&shop(), choice).edges.iter().map(|edge| edge.label.as_ref().and_then(|label| label.lock)).collect()
    };
    assert_eq!(locks(&Choice::default()), [Some(Lock::Plaintext), None, None, None, None]);
    let all = locks(&Choice { locks: true, ..Choice::default() });
    assert!(all.iter().all(Option::is_some));
}

#[test]
fn clusters_have_boxes_around_their_namespaces() {
    let mut graph = shop();
    assert!(scene(&graph, &Choice::default()).boxes.iter().all(|shape| shape.kind == BoxKind::Namespace));
    for node in &mut graph.nodes {
        node.cluster = "east".into();
    }
    for id in ["shop/order-v1@west", "mail/sender@west", "bank/ledger@west", "unknown"] {
        let cluster = if id == "unknown" { "" } else { "west" };
        graph.nodes.push(Node { cluster: cluster.into(), ..node(id) });
    }
    graph.edges.push(edge("shop/order-v1", "shop/order-v1@west", Lock::Mtls));
    graph.edges.push(edge("shop/order-v1@west", "mail/sender@west", Lock::Mtls));
    graph.edges.push(edge("unknown", "bank/ledger@west", Lock::Unknown));
    for direction in [Direction::Right, Direction::Down] {
        let layout = layout(&Topology::of(&graph), direction, None);
        let scene = Scene::new(&graph, &layout, &Choice::default(), &Even);
        let keys: Vec<&str> = scene.boxes.iter().map(|shape| shape.key.as_str()).collect();
        assert_eq!(keys, ["@east", "@west", "bank@west", "mail@west", "shop", "shop@west"]);
        let (clusters, namespaces) = scene.boxes.split_at(2);
        assert!(!clusters[0].rect.meets(clusters[1].rect), "{direction:?}: clusters overlap");
        for (index, shape) in namespaces.iter().enumerate() {
            let own = &clusters[usize::from(shape.key.ends_with("@west"))];
            assert_eq!(
                shape.rect.overlap(own.rect),
                shape.rect.w * shape.rect.h,
                "{direction:?}: {} sticks out",
                shape.key
            );
            assert!(!shape.rect.meets(own.handle(1.0)), "{direction:?}: {} covers the name", shape.key);
            assert!(namespaces[index + 1..].iter().all(|other| !other.rect.meets(shape.rect)), "{direction:?}");
        }
        let lone = scene.nodes.iter().find(|node| node.id == "unknown").unwrap();
        assert!(scene.boxes.iter().all(|shape| !shape.rect.meets(lone.rect)), "{direction:?}: a caller from nowhere");
        // A press on a name folds that box and no other.
        for (index, shape) in scene.boxes.iter().enumerate() {
            assert_eq!(
                scene.hit(shape.handle(1.0).centre(), 0.0, 1.0),
                Some(Hit::Box(index)),
                "{direction:?}: {}",
                shape.key
            );
        }
    }
}

#[test]
fn labels_can_be_read() {
    let graph = shop();
    let scene = scene(&graph, &Choice { locks: true, labels: vec![Label::P95] });
    let labels: Vec<&LabelShape> = scene.edges.iter().filter_map(|edge| edge.label.as_ref()).collect();
    assert_eq!(labels.len(), graph.edges.len());
    for (index, label) in labels.iter().enumerate() {
        assert!(labels[index + 1..].iter().all(|other| !other.rect.meets(label.rect)), "{:?} is covered", label.lines);
        assert!(scene.nodes.iter().all(|node| !node.rect.meets(label.rect)), "{:?} lies on a node", label.lines);
    }
    assert_eq!(
        (labels[0].lines.as_slice(), labels[0].note.as_deref()),
        (&["48 ms".to_owned()][..], Some("100 % plaintext"))
    );
    assert_eq!(labels[1].lines, ["48 ms"]);
}

#[test]
fn several_numbers_on_a_call_stand_below_each_other() {
    let graph = shop();
    for labels in
        [vec![Label::Rate, Label::P95], vec![Label::Rate, Label::Share], vec![Label::Rate, Label::Errors, Label::P95]]
    {
        for locks in [false, true] {
            let scene = scene(&graph, &Choice { locks, labels: labels.clone() });
            let shapes: Vec<&LabelShape> = scene.edges.iter().filter_map(|edge| edge.label.as_ref()).collect();
            assert_eq!(shapes.len(), graph.edges.len(), "{labels:?}: a label is missing");
            for (index, shape) in shapes.iter().enumerate() {
                assert_eq!(shape.lines.len(), labels.len(), "{:?}", shape.lines);
                assert!(shapes[index + 1..].iter().all(|other| !other.rect.meets(shape.rect)), "{labels:?}");
                assert!(scene.nodes.iter().all(|node| !node.rect.meets(shape.rect)), "{labels:?}");
                let starts: Vec<Point> = shape.starts().collect();
                assert_eq!(starts.len(), labels.len() + usize::from(shape.note.is_some()));
                assert!(
                    starts.iter().all(|start| shape.rect.grow(-8.0).holds(*start + Point::new(4.0, 0.0))),
                    "{starts:?} in {:?}",
                    shape.rect
                );
            }
        }
    }
}

#[test]
fn names_leave_their_version_to_the_tab() {
    let scene = scene(&shop(), &Choice::default());
    let order = &scene.nodes[1];
    assert_eq!((order.title.as_str(), order.name.as_str()), ("order", "order-v1"));
    assert_eq!(order.version.as_ref().map(|(version, _)| version.as_str()), Some("v1"));
    assert_eq!(order.subtitle, "12.4/s · 3.1 %");
    assert!(scene.nodes[0].version.is_none());
    assert_eq!(nodes::fit("a-very-long-name-of-a-workload-v1", 70.0, |text| Even.title(text)), "a-ver…d-v1");
}

#[test]
fn names_from_afar_are_cut_once_and_keep_what_tells_them_apart() {
    let mut graph = shop();
    graph.nodes =
        ["shop/order-service-north-12", "shop/order-service-north-13", "shop/payment-service"].map(node).into();
    graph.edges.clear();
    let scene = scene(&graph, &Choice::default());
    let name = |node: &NodeShape, scale: f64| scene.letters.cut(&node.bare, node.far_room(node.far_size(scale)));
    let names = |scale: f64| scene.nodes.iter().map(|node| name(node, scale)).collect::<Vec<_>>();
    assert!(scene.nodes[0].title.contains('…'), "the title is cut already: {}", scene.nodes[0].title);
    assert_eq!(names(0.18), ["ord…12", "ord…13", "pay…ce"]);
    assert_eq!(names(0.54), ["order-se…orth-12", "order-se…orth-13", "payment-service"]);
}

#[test]
fn a_folded_box_keeps_its_rate_from_afar() {
    let mut graph = shop();
    graph.nodes.push(Node { workloads: vec!["bank/ledger".into()], ..node("box:bank") });
    let scene = scene(&graph, &Choice::default());
    let rates: Vec<&str> = scene.nodes.iter().map(|node| node.rate.as_str()).collect();
    assert_eq!(rates, ["", "", "", "", "", "12.4 req/s"]);
}

#[test]
fn a_broken_lock_has_its_place_from_afar() {
    let scene = scene(&shop(), &Choice { locks: true, ..Choice::default() });
    let broken: Vec<bool> = scene.edges.iter().map(|edge| edge.broken.is_some()).collect();
    assert_eq!(broken, [true, false, false, false, false]);
    let (edge, at) = (&scene.edges[0], scene.edges[0].broken.unwrap());
    assert!(edge.curve.distance(at) < 1.0, "it stands on its line");
}

#[test]
fn only_the_name_of_a_box_folds_it() {
    let scene = scene(&shop(), &Choice::default());
    let shape = &scene.boxes[0];
    for scale in [1.0, 0.3] {
        let handle = shape.handle(scale);
        assert!(handle.w < shape.rect.w / 2.0, "{handle:?}");
        let within = Point::new(handle.x + 10.0, handle.y + 10.0);
        assert_eq!(scene.hit(within, 0.0, scale), Some(Hit::Box(0)));
        assert_eq!(scene.hit(Point::new(handle.x + handle.w + 40.0, handle.y + 10.0), 0.0, scale), None);
    }
}

#[test]
fn what_is_not_known_is_not_called_nothing() {
    let mut node = Node { rate_in: 0.0, error_share: None, ..node("shop/order-v1") };
    assert_eq!(traffic(&node), "no traffic");
    node.health = Health::Unknown;
    assert_eq!(traffic(&node), "not known");
    node.connections_in = 2.0;
    assert_eq!(traffic(&node), format::rate(2.0, Counted::CONNECTIONS));
    let mut call = edge("a", "b", Lock::Unknown);
    call.rate = 0.0;
    assert_eq!(call_rate(&call), format::rate(0.0, Counted::REQUESTS));
    call.health = Health::Unknown;
    assert_eq!(call_rate(&call), "not known");
}

#[test]
fn edges_start_and_end_at_their_nodes() {
    let graph = shop();
    let scene = scene(&graph, &Choice::default());
    for edge in &scene.edges {
        let (from, to) = (scene.nodes[edge.ends.0].rect, scene.nodes[edge.ends.1].rect);
        assert!(from.grow(4.0).holds(edge.curve.at(0.0)), "{}", edge.id);
        assert!(to.grow(4.0).holds(edge.curve.at(edge.curve.length())), "{}", edge.id);
    }
    assert!(scene.bounds().is_some());
}

#[test]
fn a_call_within_a_column_stays_beside_it() {
    let mut graph = shop();
    graph.edges.push(edge("shop/order-v1", "shop/order-v2", Lock::Unknown));
    for direction in [Direction::Right, Direction::Down] {
        let mut layout = layout(&Topology::of(&graph), direction, None);
        let first = direction.turn(layout.nodes["shop/order-v1"]);
        let second = Point::new(first.x, first.y + 2.0 * direction.row());
        layout.nodes.insert("shop/order-v2".into(), direction.turn(second));
        let scene = Scene::new(&graph, &layout, &Choice::default(), &Even);
        let within = scene.edges.iter().find(|edge| edge.id == "shop/order-v1->shop/order-v2").unwrap();
        let area = direction.turn_rect(within.curve.bounds().unwrap());
        let side = first.x + direction.node().0 / 2.0;
        assert!(area.x >= side && area.x + area.w <= side + direction.layer() - direction.node().0, "{area:?}");
    }
}

#[test]
fn the_pointer_meets_nodes_marks_labels_and_edges() {
    let scene = scene(&shop(), &Choice::default());
    let node = &scene.nodes[1];
    assert_eq!(scene.hit(node.rect.centre(), 6.0, 1.0), Some(Hit::Node(1, None)));
    assert_eq!(scene.hit(node.marks[0].rect.centre(), 6.0, 1.0), Some(Hit::Node(1, Some(0))));
    let label = scene.edges[0].label.as_ref().unwrap();
    assert_eq!(scene.hit(label.rect.centre(), 0.0, 1.0), Some(Hit::Edge(0)));
    let quarter = scene.edges[3].curve.at(scene.edges[3].curve.length() * 0.3);
    assert_eq!(scene.hit(quarter + Point::new(0.0, 3.0), 6.0, 1.0), Some(Hit::Edge(3)));
    assert_eq!(scene.hit(Point::new(-5000.0, 0.0), 6.0, 1.0), None);
}

#[test]
fn badges_leave_room_for_what_is_counted() {
    let mut graph = shop();
    let badge = |kind: &str| Badge { kind: kind.into(), severity: None, text: kind.into(), namespace: String::new() };
    graph.nodes[1].badges =
        ["canary", "circuit-breaker", "fault", "other", "missing-sidecar"].into_iter().map(badge).collect();
    let scene = scene(&graph, &Choice::default());
    let node = &scene.nodes[1];
    let kinds: Vec<&str> = node.marks.iter().map(|mark| mark.kind.as_str()).collect();
    assert_eq!(kinds, ["missing-sidecar", "canary", "more"], "what is wrong is not among the rest");
    assert_eq!(node.marks[2].text, "circuit-breaker\nfault\nother");
    assert_eq!(node.subtitle, "12.4/s");
    assert!(node.rect.x + 28.0 + Even.small(&node.subtitle) <= node.marks[0].rect.x);
}

#[test]
fn hovering_says_what_a_node_gets() {
    let graph = shop();
    assert_eq!(numbers(&graph.nodes[3], &graph.edges), "12.4 req/s · 3.1 % errors · 48 ms p95");
    let sender = Node { rate_in: 0.0, rate_out: 3.0, error_share: None, ..node("shop/legacy") };
    assert_eq!(numbers(&sender, &graph.edges), "sends 3/s");
}

#[test]
fn a_path_goes_both_ways() {
    let scene = scene(&shop(), &Choice::default());
    let path = scene.through_node(1);
    assert_eq!(path.nodes.into_iter().collect::<Vec<_>>(), [1, 3, 4]);
    assert_eq!(path.edges.into_iter().collect::<Vec<_>>(), [1, 3]);
    let edge = scene.through_edge(0);
    assert_eq!((edge.nodes.len(), edge.edges.len()), (2, 1));
    let call = Found { edges: ["shop/legacy->shop/payment-v1".to_owned()].into(), ..Found::default() };
    assert_eq!(scene.found(&call).nodes.into_iter().collect::<Vec<_>>(), [0, 3], "the ends of a call come along");
    let nodes = Found { nodes: ["shop/order-v1", "shop/payment-v1"].map(str::to_owned).into(), ..Found::default() };
    assert_eq!(scene.found(&nodes).edges.into_iter().collect::<Vec<_>>(), [1], "so do calls between nodes");
}

#[test]
fn calls_to_oneself_and_back_have_a_way() {
    let mut graph = shop();
    graph.edges.push(edge("shop/payment-v1", "shop/storefront-v1", Lock::Unknown));
    graph.edges.push(edge("shop/payment-v1", "shop/payment-v1", Lock::Unknown));
    graph.edges.push(edge("shop/payment-v1", "shop/nowhere", Lock::Unknown));
    let scene = scene(&graph, &Choice::default());
    assert_eq!(scene.edges.len(), 7);
    assert!(scene.edges.iter().all(|edge| edge.curve.length() > 40.0));
}
