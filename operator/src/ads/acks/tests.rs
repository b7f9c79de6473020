use std::sync::Arc;

use super::*;
use crate::ads::{node::NodeInfo, registry::Registry};

fn vs(name: &str) -> ObjectRef {
    ObjectRef {
        api_version: "networking.istio.io/v1".into(),
        kind: "VirtualService".into(),
        namespace: "shop".into(),
        name: name.into(),
    }
}

struct Bench {
    book: AckBook,
    registry: Arc<Registry>,
}

impl Bench {
    fn new() -> Self {
        Self { book: AckBook::new(Histogram::new([1.0])), registry: Arc::default() }
    }

    fn connect(&self, name: &str) -> ProxyId {
        let node = NodeInfo {
            id: name.to_owned(),
            kind: weft_mesh::ProxyKind::Sidecar,
            workload: weft_model::WorkloadRef::new("shop", name),
            engine: weft_mesh::Engine::Weft,
            version: String::new(),
            capture: weft_mesh::proxy::Capture::None,
            in_pod: false,
        };
        let id = self.registry.enter(node, weft_model::SpiffeId::new("cluster.local", "shop", name)).id;
        self.book.connected(id, name);
        id
    }

    fn publish(&self, generation: u64, objects: &[(&ObjectRef, &str)], at: u64) {
        self.book.take_up(generation, objects.iter().copied(), at);
    }

    fn report(&self, proxy: ProxyId, generation: u64, unconfirmed: &[&ObjectRef], at: u64) {
        let unconfirmed = unconfirmed.iter().map(|object| (*object).clone()).collect();
        self.book.report(proxy, generation, &unconfirmed, &BTreeSet::new(), at);
    }

    fn row(&self, object: &ObjectRef) -> ObjectAck {
        self.book.list().into_iter().find(|row| row.object == *object).unwrap()
    }
}

#[test]
fn waits_for_the_last_proxy_that_was_there() {
    let bench = Bench::new();
    let (a, b) = (bench.connect("a"), bench.connect("b"));
    let order = vs("order");
    bench.publish(1, &[(&order, "one")], 100);
    assert_eq!(bench.row(&order).pending, ["a", "b"]);

    // A report about an older snapshot confirms nothing, and one that still lacks something of it does not either.
    bench.report(a, 0, &[], 110);
    bench.report(b, 1, &[&order], 120);
    assert_eq!(bench.row(&order).pending, ["a", "b"]);
    bench.report(a, 1, &[], 130);
    assert_eq!((bench.row(&order).acked_at_ms, bench.row(&order).pending), (None, vec!["b".to_owned()]));
    bench.report(b, 1, &[], 140);
    let row = bench.row(&order);
    assert_eq!((row.changed_at_ms, row.acked_at_ms, row.pending.len()), (100, Some(140), 0));

    // Unchanged content stays acknowledged; a change opens it; an object that goes is forgotten.
    bench.publish(2, &[(&order, "one")], 200);
    assert_eq!(bench.row(&order).acked_at_ms, Some(140));
    bench.publish(3, &[(&order, "two")], 300);
    assert_eq!((bench.row(&order).acked_at_ms, bench.row(&order).content), (None, "two".to_owned()));
    bench.publish(4, &[], 400);
    assert!(bench.book.list().is_empty());
}

#[test]
fn one_that_goes_is_not_waited_for_and_nobody_is_no_confirmation() {
    let bench = Bench::new();
    let order = vs("order");
    bench.publish(1, &[(&order, "one")], 100);
    assert_eq!((bench.row(&order).acked_at_ms, bench.row(&order).pending.len()), (None, 0));

    let (a, b) = (bench.connect("a"), bench.connect("b"));
    assert_eq!(bench.row(&order).pending, ["a", "b"], "those that come while it is open are waited for");
    bench.report(a, 1, &[], 150);
    bench.book.disconnected(b, 160);
    assert_eq!(bench.row(&order).acked_at_ms, Some(160));

    bench.publish(2, &[(&order, "two")], 200);
    bench.book.disconnected(a, 210);
    assert_eq!(bench.row(&order).acked_at_ms, None, "nobody has confirmed this content");
}

#[test]
fn one_that_comes_back_with_older_content_opens_it_again() {
    let bench = Bench::new();
    let order = vs("order");
    let a = bench.connect("a");
    bench.publish(1, &[(&order, "one")], 100);
    bench.report(a, 1, &[], 110);
    assert_eq!(bench.row(&order).acked_at_ms, Some(110));

    let b = bench.connect("b");
    let stale = BTreeSet::from([order.clone()]);
    bench.book.report(b, 1, &stale, &stale, 120);
    assert_eq!((bench.row(&order).acked_at_ms, bench.row(&order).pending), (None, vec!["b".to_owned()]));
    bench.report(b, 1, &[], 130);
    assert_eq!(bench.row(&order).acked_at_ms, Some(130));
}

#[test]
fn what_was_there_at_the_start_is_told_so_until_somebody_had_other_content() {
    let bench = Bench::new();
    let (old, new) = (vs("old"), vs("new"));
    bench.publish(1, &[(&old, "one")], 100);
    let a = bench.connect("a");
    bench.publish(2, &[(&old, "one"), (&new, "one")], 200);
    bench.report(a, 2, &[], 210);
    assert_eq!([&old, &new].map(|object| bench.row(object).found), [true, false]);
    bench.book.report(a, 2, &BTreeSet::new(), &[old.clone()].into(), 300);
    assert!(!bench.row(&old).found, "a proxy came back with something else in force");
    bench.publish(3, &[(&old, "two")], 400);
    assert!(!bench.row(&old).found);
}
