use std::fmt::Write as _;

use weft_model::trace::Attempt;

use super::*;

fn span(id: &str, parent: &str, start_us: u64) -> Span {
    Span {
        span_id: id.into(),
        parent_id: parent.into(),
        kind: "server".into(),
        start_us,
        duration_us: 1,
        ..Span::default()
    }
}

fn shape(spans: Vec<Span>) -> (Vec<(String, usize)>, usize) {
    let trace = arrange("t".into(), spans);
    (trace.spans.into_iter().map(|span| (span.span_id, span.depth)).collect(), trace.missing_parents)
}

/// A hop as our proxies report it, in milliseconds.
fn hop(id: &str, parent: &str, kind: &str, edge: (&str, &str), from: u64, length: u64, waited: u64) -> Span {
    let own = if kind == "client" { edge.0 } else { edge.1 };
    let attributes = [
        ("component", "proxy".to_owned()),
        ("destination.namespace", "shop".to_owned()),
        ("destination.workload", edge.1.to_owned()),
        ("source.namespace", "shop".to_owned()),
        ("source.workload", edge.0.to_owned()),
        ("upstream_address", "127.0.0.1:1".to_owned()),
        ("upstream_time_us", (waited * 1000).to_string()),
    ];
    Span {
        span_id: id.into(),
        parent_id: parent.into(),
        kind: kind.into(),
        workload: format!("shop/{own}"),
        start_us: from * 1000,
        duration_us: length * 1000,
        attributes: attributes.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        ..Span::default()
    }
}

/// The spans' own time in milliseconds: `proxy 2, network 8`.
fn spent(span: &Span) -> String {
    span.parts.iter().fold(String::new(), |mut text, part| {
        let comma = if text.is_empty() { "" } else { ", " };
        let _ = write!(text, "{comma}{} {}", format!("{:?}", part.tone).to_lowercase(), part.duration_us / 1000);
        text
    })
}

#[test]
fn children_follow_their_parent_by_start() {
    let (order, missing) =
        shape(vec![span("d", "b", 9), span("c", "a", 3), span("b", "a", 2), span("a", "", 1), span("e", "c", 4)]);
    let expected = [("a", 0), ("b", 1), ("d", 2), ("c", 1), ("e", 2)];
    assert_eq!(order, expected.map(|(id, depth)| (id.to_owned(), depth)));
    assert_eq!(missing, 0);
}

#[test]
fn orphans_stand_below_a_gap_and_circles_are_shown() {
    let (order, missing) = shape(vec![span("x", "gone", 5), span("p", "q", 1), span("q", "p", 2), span("s", "s", 3)]);
    let expected = [("p", 0), ("q", 1), ("s", 0), ("", 0), ("x", 1)];
    assert_eq!(order, expected.map(|(id, depth)| (id.to_owned(), depth)));
    assert_eq!(missing, 1);
}

#[test]
fn time_is_split_between_proxies_network_and_applications() {
    let trace = arrange(
        "t".into(),
        vec![
            hop("a", "", "client", ("web", "cart"), 0, 100, 98),
            hop("b", "a", "server", ("web", "cart"), 10, 80, 79),
            hop("c", "b", "client", ("cart", "stock"), 30, 40, 39),
            hop("d", "c", "server", ("cart", "stock"), 35, 30, 29),
        ],
    );
    let all: Vec<_> = trace.spans.iter().map(spent).collect();
    assert_eq!(
        all,
        [
            "proxy 2, network 8, network 10",
            "proxy 1, application 19, application 20",
            "proxy 1, network 4, network 5",
            "proxy 1, application 29",
        ]
    );
    assert_eq!((trace.totals.proxy_us, trace.totals.network_us), (5000, 27_000));
    assert_eq!((trace.totals.application_us, trace.totals.unknown_us), (68_000, 0));
    assert_eq!((trace.gaps, trace.skewed), (0, 0));
    assert_eq!(trace.spans[3].edge, "shop/cart->shop/stock");
}

#[test]
fn retries_are_attempts_of_one_call() {
    let mut call = hop("a", "", "client", ("web", "cart"), 0, 100, 30);
    call.attributes.insert(3, ("retry.attempts".into(), "2".into()));
    let first = hop("b", "a", "server", ("web", "cart"), 10, 20, 20);
    let second = hop("c", "a", "server", ("web", "cart"), 60, 30, 30);
    let trace = arrange("t".into(), vec![call, second, first]);
    assert_eq!(trace.spans[0].attempts, 3);
    assert_eq!(spent(&trace.spans[0]), "proxy 10, proxy 30, proxy 10", "30 ms of 100 were the answered attempt");
    let attempts: Vec<_> = trace.spans[1..].iter().map(|span| (span.span_id.as_str(), span.attempt)).collect();
    let attempt = |number| Some(Attempt { number, of: 3 });
    assert_eq!(attempts, [("b", attempt(2)), ("c", attempt(3))], "one reached nobody");
}

#[test]
fn a_hop_without_a_span_is_a_stated_gap() {
    let trace = arrange(
        "t".into(),
        vec![
            hop("a", "", "client", ("web", "cart"), 0, 100, 90),
            hop("c", "lost", "client", ("cart", "stock"), 30, 40, 39),
            hop("d", "c", "server", ("cart", "stock"), 35, 30, 29),
        ],
    );
    let all: Vec<_> = trace.spans.iter().map(|span| (span.kind.as_str(), span.workload.as_str(), span.depth)).collect();
    assert_eq!(
        all,
        [
            ("client", "shop/web", 0),
            ("gap", "shop/cart", 1),
            ("gap", "shop/cart", 0),
            ("client", "shop/cart", 1),
            ("server", "shop/stock", 2),
        ]
    );
    assert_eq!((trace.gaps, trace.missing_parents), (2, 1));
    assert!(trace.spans[1].name.starts_with("shop/cart sent no span of this call"));
    assert_eq!(spent(&trace.spans[0]), "proxy 10, unknown 90");
}

#[test]
fn a_call_that_reached_nobody_has_no_gap() {
    let mut call = hop("a", "", "client", ("web", "cart"), 0, 10, 0);
    call.attributes.retain(|(key, _)| key != "upstream_address");
    call.attributes.insert(3, ("response_flags".into(), "UH".into()));
    let trace = arrange("t".into(), vec![call]);
    assert_eq!((trace.gaps, spent(&trace.spans[0]).as_str()), (0, "proxy 10"));
}

#[test]
fn times_are_never_negative() {
    // Clocks off by days, children longer than parents, parts that overlap.
    let mut late = hop("b", "a", "server", ("web", "cart"), 90_000_000, 500, 1);
    late.duration_us = u64::MAX;
    let spans = vec![
        hop("a", "", "client", ("web", "cart"), 100_000, 100, 400),
        late,
        hop("c", "b", "client", ("cart", "stock"), 1, 10, 39),
        hop("d", "c", "server", ("cart", "stock"), 900_000, 3, 2),
    ];
    let trace = arrange("t".into(), spans);
    assert!(trace.skewed >= 1, "{trace:#?}");
    for span in &trace.spans {
        let own: u64 = span.parts.iter().map(|part| part.duration_us).sum();
        assert!(own <= span.duration_us);
        assert!(span.parts.is_sorted_by(|a, b| a.start_us.saturating_add(a.duration_us) <= b.start_us));
    }
}
