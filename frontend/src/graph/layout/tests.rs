use super::*;

fn topology(nodes: &[(&str, &str)], edges: &[(&str, &str)]) -> Topology {
    let mut nodes: Vec<(String, String)> = nodes.iter().map(|(id, ns)| ((*id).to_owned(), (*ns).to_owned())).collect();
    nodes.sort();
    let index = |name: &str| nodes.iter().position(|(id, _)| id == name).unwrap();
    let mut edges: Vec<(usize, usize)> = edges.iter().map(|(from, to)| (index(from), index(to))).collect();
    edges.sort_unstable();
    Topology { nodes, edges }
}

fn shop() -> Topology {
    topology(
        &[
            ("gateway", "istio-system"),
            ("storefront", "shop"),
            ("checkout", "shop"),
            ("order-v1", "shop"),
            ("order-v2", "shop"),
            ("payment", "shop"),
            ("inventory", "shop"),
            ("legacy", "billing"),
            ("unknown", ""),
        ],
        &[
            ("gateway", "storefront"),
            ("gateway", "order-v1"),
            ("storefront", "checkout"),
            ("checkout", "order-v1"),
            ("checkout", "order-v2"),
            ("order-v1", "payment"),
            ("order-v2", "payment"),
            ("order-v1", "inventory"),
            ("order-v2", "inventory"),
            ("legacy", "payment"),
            ("unknown", "storefront"),
        ],
    )
}

fn check_disjoint(topology: &Topology, layout: &Layout) {
    let rects: Vec<Rect> = layout.nodes.keys().map(|id| layout.rect(id).unwrap()).collect();
    for (index, a) in rects.iter().enumerate() {
        assert!(rects[index + 1..].iter().all(|b| !a.meets(*b)), "two nodes overlap");
    }
    let mut boxes: BTreeMap<&str, Vec<Rect>> = BTreeMap::new();
    for (id, namespace) in &topology.nodes {
        let name = if namespace.is_empty() { id } else { namespace };
        boxes.entry(name).or_default().push(layout.rect(id).unwrap());
    }
    let boxes: Vec<Rect> = boxes.into_values().map(|rects| surround(rects.into_iter()).unwrap()).collect();
    for (index, a) in boxes.iter().enumerate() {
        assert!(boxes[index + 1..].iter().all(|b| !a.meets(*b)), "two boxes overlap");
    }
}

#[test]
fn calls_run_from_left_to_right_and_boxes_stay_apart() {
    let topology = shop();
    let layout = layout(&topology, Direction::Right, None);
    check_disjoint(&topology, &layout);
    for (from, to) in &layout.links {
        assert!(layout.nodes[from].x < layout.nodes[to].x, "{from} -> {to}");
    }
}

#[test]
fn a_caller_stands_next_to_whom_it_calls() {
    let layout = layout(&shop(), Direction::Right, None);
    assert_eq!(layout.nodes["payment"].x - layout.nodes["legacy"].x, Direction::Right.layer());
}

#[test]
fn long_calls_are_led_around_nodes() {
    let layout = layout(&shop(), Direction::Right, None);
    let bends = &layout.bends[&("gateway".to_owned(), "order-v1".to_owned())];
    for bend in bends {
        assert!(layout.nodes.keys().all(|id| !layout.rect(id).unwrap().holds(*bend)), "{bend:?} lies under a node");
    }
}

/// The shop once more in another cluster, which the first one calls.
fn two_clusters() -> Topology {
    let shop = shop();
    let of = |cluster: &str| -> Vec<(String, String)> {
        let boxed = shop.nodes.iter().filter(|(_, home)| !home.is_empty());
        boxed.map(|(id, home)| (format!("{id}@{cluster}"), format!("{home}@{cluster}"))).collect()
    };
    let nodes: Vec<(String, String)> =
        [of("east"), of("west"), vec![("unknown".to_owned(), String::new())]].into_iter().flatten().collect();
    let mut edges: Vec<(String, String)> = vec![
        ("unknown".to_owned(), "storefront@east".to_owned()),
        ("order-v1@east".to_owned(), "payment@west".to_owned()),
    ];
    for (from, to) in shop.links().iter().filter(|(from, _)| from != "unknown") {
        edges.extend(["east", "west"].map(|cluster| (format!("{from}@{cluster}"), format!("{to}@{cluster}"))));
    }
    topology(
        &nodes.iter().map(|(id, home)| (id.as_str(), home.as_str())).collect::<Vec<_>>(),
        &edges.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect::<Vec<_>>(),
    )
}

/// No cluster reaches into another, nor around what is in none.
fn check_clusters(topology: &Topology, layout: &Layout) {
    let mut boxes: BTreeMap<&str, Vec<Rect>> = BTreeMap::new();
    for (id, home) in &topology.nodes {
        boxes.entry(home).or_default().push(layout.rect(id).unwrap());
    }
    let mut clusters: BTreeMap<&str, Vec<Rect>> = BTreeMap::new();
    let lone = boxes.remove("").unwrap_or_default();
    for (home, rects) in boxes {
        clusters.entry(cluster_of(home)).or_default().extend(surround(rects.into_iter()));
    }
    let mut areas: Vec<Rect> = clusters.into_values().map(|rects| enclose(rects.into_iter()).unwrap()).collect();
    areas.extend(lone);
    for (index, a) in areas.iter().enumerate() {
        assert!(areas[index + 1..].iter().all(|b| !a.meets(*b)), "two clusters overlap");
    }
}

#[test]
fn clusters_stay_apart_and_nothing_moves() {
    let topology = two_clusters();
    for direction in [Direction::Right, Direction::Down] {
        let first = layout(&topology, direction, None);
        check_disjoint(&topology, &first);
        check_clusters(&topology, &first);
        assert_eq!(layout(&topology, direction, Some(&first)), first);
        // One more workload in a cluster moves nobody, or everybody into another good order.
        let mut more = topology.clone();
        more.nodes.push(("zz@west".to_owned(), "shop@west".to_owned()));
        let caller = more.nodes.iter().position(|(id, _)| id == "payment@west").unwrap();
        more.edges.push((caller, more.nodes.len() - 1));
        more.edges.sort_unstable();
        let after = layout(&more, direction, Some(&first));
        check_disjoint(&more, &after);
        check_clusters(&more, &after);
    }
}

#[test]
fn cycles_are_broken() {
    let topology = topology(&[("a", "n"), ("b", "n"), ("c", "n")], &[("a", "b"), ("b", "c"), ("c", "a"), ("c", "b")]);
    let layout = layout(&topology, Direction::Right, None);
    check_disjoint(&topology, &layout);
    assert_eq!(layout.nodes.len(), 3);
}

#[test]
fn the_same_topology_moves_nothing() {
    let topology = shop();
    let mut first = layout(&topology, Direction::Right, None);
    first.nodes.get_mut("payment").unwrap().y += 40.0;
    assert_eq!(layout(&topology, Direction::Right, Some(&first)), first);
    let quiet = Topology { edges: topology.edges[1..].to_vec(), ..topology.clone() };
    let second = layout(&quiet, Direction::Right, Some(&first));
    assert_eq!(second.nodes, first.nodes);
    assert_eq!(layout(&topology, Direction::Right, Some(&second)).nodes, first.nodes);
}

#[test]
fn a_new_node_appears_in_place() {
    let old = shop();
    let before = layout(&old, Direction::Right, None);
    let mut nodes: Vec<(&str, &str)> = old.nodes.iter().map(|(id, ns)| (id.as_str(), ns.as_str())).collect();
    let mut edges: Vec<(&str, &str)> = before.links.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
    nodes.push(("order-v3", "shop"));
    edges.extend([("checkout", "order-v3"), ("order-v3", "payment")]);
    let new = topology(&nodes, &edges);
    let after = layout(&new, Direction::Right, Some(&before));
    check_disjoint(&new, &after);
    assert!(before.nodes.iter().all(|(id, point)| after.nodes[id] == *point));
    assert_eq!(after.nodes["order-v3"].x, after.nodes["order-v1"].x);
}

#[test]
fn what_is_gone_leaves_the_rest_alone() {
    let old = shop();
    let before = layout(&old, Direction::Right, None);
    let nodes: Vec<(&str, &str)> =
        old.nodes.iter().filter(|(id, _)| id != "legacy").map(|(id, ns)| (id.as_str(), ns.as_str())).collect();
    let links = before.links.iter().filter(|(from, _)| from != "legacy");
    let edges: Vec<(&str, &str)> = links.map(|(from, to)| (from.as_str(), to.as_str())).collect();
    let after = layout(&topology(&nodes, &edges), Direction::Right, Some(&before));
    assert!(!after.nodes.contains_key("legacy"));
    assert!(after.nodes.iter().all(|(id, point)| before.nodes[id] == *point));
}

#[test]
fn first_calls_bring_idle_workloads_into_order() {
    let full = shop();
    let idle = Topology { nodes: full.nodes.clone(), edges: vec![] };
    let before = layout(&idle, Direction::Right, None);
    check_disjoint(&idle, &before);
    let after = layout(&full, Direction::Right, Some(&before));
    check_disjoint(&full, &after);
    assert!(after.links.iter().all(|(from, to)| after.nodes[from].x < after.nodes[to].x));
}

#[test]
fn many_nodes_are_laid_out_in_time() {
    let names: Vec<String> = (0..400).map(|index| format!("n{index:03}")).collect();
    let spaces: Vec<String> = (0..400).map(|index| format!("ns{}", index % 7)).collect();
    let nodes: Vec<(&str, &str)> = names.iter().zip(&spaces).map(|(id, ns)| (id.as_str(), ns.as_str())).collect();
    let edges: Vec<(&str, &str)> = (1..400)
        .flat_map(|index| [(index / 3, index), (index / 7, index)])
        .map(|(a, b)| (nodes[a].0, nodes[b].0))
        .collect();
    let topology = Topology {
        edges: {
            let mut e = topology(&nodes, &edges).edges;
            e.retain(|(a, b)| a != b);
            e.dedup();
            e
        },
        ..topology(&nodes, &[])
    };
    let started = std::time::Instant::now();
    let layout = layout(&topology, Direction::Right, None);
    check_disjoint(&topology, &layout);
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}

#[test]
fn wishes_are_met_as_far_as_the_order_allows() {
    let at = place::closest(&[(10.0, 1.0), (0.0, 1.0), (50.0, 1.0)], &[10.0, 10.0]);
    assert_eq!(at, [0.0, 10.0, 50.0]);
    assert!(place::closest(&[], &[]).is_empty());
}

#[test]
fn nothing_gives_nothing() {
    assert_eq!(layout(&Topology::default(), Direction::Right, None), Layout::default());
}

/// Twelve folded namespaces of which each calls most of those behind it.
fn summary() -> Topology {
    let names: Vec<String> = (0..12).map(|index| format!("box:ns{index:02}")).collect();
    let nodes: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), FOLDED)).collect();
    let pairs = (0..12).flat_map(|from| (from + 1..12).map(move |to| (from, to)));
    let pairs = pairs.filter(|(from, to)| to - from == 1 || (from * 7 + to * 5) % 3 != 0);
    let edges: Vec<(&str, &str)> = pairs.map(|(from, to)| (names[from].as_str(), names[to].as_str())).collect();
    topology(&nodes, &edges)
}

#[test]
fn a_summary_fills_its_canvas() {
    let topology = summary();
    let scale =
        |layout: &Layout| crate::graph::viewport::Viewport::fit(layout.bounds().unwrap(), 1_384.0, 720.0, 28.0).scale;
    let line = anew(&topology, Direction::Right);
    assert!(scale(&line) < 0.45, "a column for each: {}", scale(&line));
    let chosen = Direction::choose(&topology, 1_384.0, 720.0, 28.0);
    check_disjoint(&topology, &chosen);
    assert!(scale(&chosen) >= 0.55, "names and rates can be read: {}", scale(&chosen));
    assert_eq!(Direction::choose(&topology, 1_384.0, 720.0, 28.0), chosen);
    // A call that is new within a column moves nothing.
    let lone = topology.edges.iter().position(|(from, to)| {
        let place = |index: &usize| chosen.direction.turn(chosen.nodes[&topology.nodes[*index].0]).x;
        place(from) == place(to)
    });
    let mut less = topology.clone();
    less.edges.remove(lone.expect("a call within a column"));
    let kept = Layout { links: less.links(), ..chosen.clone() };
    assert_eq!(layout(&topology, chosen.direction, Some(&kept)).nodes, chosen.nodes);
    // What is not folded keeps its columns.
    let open = Topology {
        nodes: topology.nodes.iter().map(|(id, _)| (id.clone(), "shop".to_owned())).collect(),
        ..topology.clone()
    };
    let chosen = Direction::choose(&open, 1_384.0, 720.0, 28.0);
    assert!(chosen.links.iter().all(|(from, to)| match chosen.direction {
        Direction::Right => chosen.nodes[from].x < chosen.nodes[to].x,
        Direction::Down => chosen.nodes[from].y < chosen.nodes[to].y,
    }));
}

#[test]
fn on_a_narrow_canvas_calls_run_downwards() {
    let topology = shop();
    assert_eq!(Direction::choose(&topology, 1400.0, 800.0, 28.0).direction, Direction::Right);
    assert_eq!(Direction::choose(&topology, 844.0, 700.0, 28.0).direction, Direction::Down);
    let down = layout(&topology, Direction::Down, None);
    check_disjoint(&topology, &down);
    for (from, to) in &down.links {
        assert!(down.nodes[from].y < down.nodes[to].y, "{from} -> {to}");
    }
    assert!(down.bounds().unwrap().w < layout(&topology, Direction::Right, None).bounds().unwrap().w);
    // A layout that ran the other way is no place to start from.
    assert_eq!(layout(&topology, Direction::Right, Some(&down)), layout(&topology, Direction::Right, None));
    assert_eq!(layout(&topology, Direction::Down, Some(&down)), down);
}
