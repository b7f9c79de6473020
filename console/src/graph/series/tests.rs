use super::*;
use crate::{
    estate::Estate,
    telemetry::prometheus::{Labels, Point},
};

#[test]
fn ids_become_matchers_and_nothing_else() {
    let matching = |id: &str| Subject::node(id, None).unwrap().incoming(&Estate::default()).counted;
    assert_eq!(matching("shop/pay"), "destination_workload_namespace=\"shop\",destination_workload=\"pay\"");
    assert_eq!(
        matching("app:shop/pay/v1"),
        "destination_workload_namespace=\"shop\",destination_app=\"pay\",destination_version=\"v1\""
    );
    assert_eq!(matching("service:pay.shop.svc.cluster.local"), "destination_service=\"pay.shop.svc.cluster.local\"");
    assert_eq!(
        matching("service:pay.shop.svc.cluster.local/none"),
        "destination_service=\"pay.shop.svc.cluster.local\",destination_workload=~\"|unknown\"",
        "what arrived is not of it"
    );
    assert_eq!(matching("box:shop"), "destination_workload_namespace=\"shop\"");
    assert_eq!(
        matching("a/\"} or up{x=\"\\"),
        r#"destination_workload_namespace="a",destination_workload="\"} or up{x=\"\\""#
    );
    let edge = Subject::edge("unknown->shop/pay", None).unwrap();
    assert!(
        edge.incoming(&Estate::default())
            .counted
            .starts_with("source_workload=~\"|unknown\",destination_workload_namespace=\"shop\"")
    );
    for bad in ["", "hidden", "pay", &"x/y".repeat(1000)] {
        assert_eq!(Subject::node(bad, None), None, "{bad}");
    }
    assert_eq!((Subject::edge("a/b", None), Subject::edge("hidden->a/b", None)), (None, None));
}

#[test]
fn who_is_not_configured_is_known_by_counts_alone() {
    let workload = crate::estate::Workload { namespace: "shop".into(), app: "pay".into(), ..Default::default() };
    let estate = Estate {
        workloads: [("shop/pay-v1".to_owned(), workload)].into(),
        hosts: [("pay.shop.svc".to_owned(), Vec::new())].into(),
        namespaces: ["shop".to_owned()].into(),
        ..Estate::default()
    };
    let node = |id: &str| Subject::node(id, None).unwrap().is_known(&estate);
    for known in ["shop/pay-v1", "app:shop/pay/v1", "service:pay.shop.svc", "box:shop", "external:x.example", "unknown"]
    {
        assert!(node(known), "{known}");
    }
    for other in ["shop/nope", "app:shop/nope", "service:nope.shop.svc", "box:nope"] {
        assert!(!node(other), "{other}");
    }
    assert!(Subject::node("shop/nope", None).unwrap().is_known(&Estate::default()), "nothing has been read yet");
    let edge = |id: &str| Subject::edge(id, None).unwrap().is_known(&estate);
    assert!(edge("unknown->shop/pay-v1") && !edge("shop/nope->shop/pay-v1") && !edge("shop/pay-v1->shop/nope"));
}

#[test]
fn rights_are_those_of_both_ends() {
    let of = |id: &str| Subject::edge(id, None).unwrap().namespaces(&Estate::default());
    assert_eq!(of("a/x->b/y"), ["a", "b"]);
    assert_eq!(of("a/x->external:api.example.com"), ["a"]);
    assert_eq!(of("unknown->external:api.example.com"), ["", ""]);
    assert_eq!(of("a/x->service:pay.shop.svc.cluster.local"), ["a", "shop"]);
    assert_eq!(of("a/x->service:pay.shop.svc.cluster.local/none"), ["a", "shop"]);
    assert_eq!(of("external/x->service/y"), ["external", "service"], "namespaces may be called so");
}

#[test]
fn a_service_calls_by_its_workloads() {
    let behind = ["shop/web-v1".to_owned(), "shop/web.v2".to_owned()];
    let estate = Estate { hosts: [("web.shop.svc".to_owned(), behind.to_vec())].into(), ..Estate::default() };
    let call = |id: &str| Subject::edge(id, None).unwrap();
    let known = call("service:web.shop.svc->service:pay.shop.svc");
    assert_eq!(
        known.incoming(&estate).counted,
        r#"source_workload_namespace="shop",source_workload=~"web-v1|web\\.v2",destination_service="pay.shop.svc""#
    );
    assert!(!known.is_of_all_callers(&estate));
    let other = call("service:gone.shop.svc->service:pay.shop.svc");
    assert_eq!(other.incoming(&estate).counted, "destination_service=\"pay.shop.svc\"");
    assert!(other.is_of_all_callers(&estate) && !call("shop/web->shop/pay").is_of_all_callers(&estate));
    let east = Subject::edge("service:web.shop.svc->shop/pay", Some("east")).unwrap();
    assert!(
        east.incoming(&estate).counted.contains("source_cluster=\"east\",destination_"),
        "{}",
        east.incoming(&estate).counted
    );
    let west = Subject::edge("service:web.shop.svc@west->shop/pay", Some("east")).unwrap();
    assert!(west.is_of_all_callers(&estate), "what is configured here says nothing of another cluster");
}

#[test]
fn with_several_clusters_series_and_rights_are_of_one() {
    let node = |id: &str| Subject::node(id, Some("east")).unwrap();
    let edge = |id: &str| Subject::edge(id, Some("east")).unwrap();
    let workload = "destination_workload_namespace=\"shop\",destination_workload=\"pay\"";
    assert_eq!(
        node("shop/pay").incoming(&Estate::default()).counted,
        format!("{workload},destination_cluster=\"east\"")
    );
    assert_eq!(
        node("shop/pay@arn:aws/we\"st").incoming(&Estate::default()).counted,
        format!("{workload},destination_cluster=\"arn:aws/we\\\"st\"")
    );
    assert_eq!(
        node("shop/pay@unknown").incoming(&Estate::default()).counted,
        format!("{workload},destination_cluster=~\"|unknown\"")
    );
    assert_eq!(node("box:@west").incoming(&Estate::default()).counted, "destination_cluster=\"west\"");
    assert_eq!(node("box:@west").outgoing().unwrap().counted, "source_cluster=\"west\"");
    assert_eq!(Subject::node("external:api.example.com@west", Some("east")), None);
    // Without several clusters an `@` is a letter like others.
    assert!(
        Subject::node("shop/pay@west", None)
            .unwrap()
            .incoming(&Estate::default())
            .counted
            .ends_with("destination_workload=\"pay@west\"")
    );

    let estate = Estate::default();
    assert_eq!(node("shop/pay").namespaces(&estate), ["shop"]);
    assert_eq!(node("shop/pay@west").namespaces(&estate), ["shop", ""]);
    assert_eq!(edge("shop/web->shop/pay@west").namespaces(&estate), ["shop", "shop", ""]);
    assert!(edge("shop/web@west->external:api.example.com").namespaces(&estate).contains(&String::new()));
    let lost = node("service:pay.shop.svc/none").incoming(&estate).counted;
    assert!(lost.ends_with(",source_cluster=\"east\""), "what arrived nowhere is of its caller's cluster: {lost}");
    for whole in ["box:@west", "box:@east"] {
        assert_eq!(node(whole).namespaces(&estate), [""], "{whole}");
    }
    assert_eq!(edge("shop/web->shop/pay").namespaces(&estate), ["shop", "shop"]);
}

/// What only the called one counts comes beside what callers count, not after all of them are silent.
#[test]
fn both_sides_are_asked_in_every_query() {
    let subject = Subject::node("shop/pay", None).unwrap();
    let all = queries::of(&subject, &Estate::default(), 60);
    let requests = "istio_requests_total";
    let (of, by) = ("destination_workload_namespace=\"shop\",destination_workload=\"pay\"", queries::PAIR);
    assert_eq!(
        all[0].1,
        format!(
            "sum by (response_code, grpc_response_status) ((rate({requests}{{reporter=\"source\",{of}}}[60s]) or \
             (rate({requests}{{reporter=\"destination\",{of}}}[60s]) unless on ({by}) \
             (rate({requests}{{reporter=\"source\",{of}}}[60s]) > 0))))"
        )
    );
    assert_eq!(all.len(), 7, "no more queries than before");
    for (name, promql) in &all {
        let (open, close) = (promql.matches('(').count(), promql.matches(')').count());
        assert_eq!(open, close, "{name}: {promql}");
        assert!(promql.contains("reporter=\"destination\"") && promql.contains("unless on ("), "{name}: {promql}");
    }
    // A connection that was opened long ago moves bytes: whether it is opened is no measure.
    let throughput = &all[4].1;
    assert!(!throughput.contains("connections_opened"), "{throughput}");
    let telling = "unless on (source_workload_namespace, source_workload, destination_workload_namespace, \
                   destination_workload) (rate(istio_tcp_sent_bytes_total{reporter=\"source\"";
    assert!(throughput.contains(telling), "{throughput}");
}

/// Two sides may name a host in two ways: whoever counts a call counts it, whatever it asked for.
#[test]
fn callers_of_a_service_are_known_by_its_workloads() {
    let behind = ["shop/pay-v1".to_owned(), "shop/pay-v2".to_owned()];
    let estate = Estate { hosts: [("pay.shop.svc".to_owned(), behind.to_vec())].into(), ..Estate::default() };
    let node = |id: &str, own| Subject::node(id, own).unwrap().incoming(&estate);
    let own = node("service:pay.shop.svc", None);
    assert_eq!(own.counted, "destination_service=\"pay.shop.svc\"");
    assert_eq!(own.between, r#"destination_workload_namespace="shop",destination_workload=~"pay-v1|pay-v2""#);
    assert!(!own.apart);
    let east = node("service:pay.shop.svc", Some("east"));
    assert!(east.apart && east.between.ends_with(",destination_cluster=\"east\""), "{}", east.between);
    for other in [node("service:gone.shop.svc", None), node("service:pay.shop.svc@west", Some("east"))] {
        assert_eq!(other.between, other.counted);
    }
    let edge = Subject::edge("shop/web->external:api.example.com", Some("east")).unwrap().incoming(&estate);
    assert!(edge.apart, "one end is in a cluster");
}

#[test]
fn lines_keep_to_the_grid() {
    let track = |code: &str, points: &[(f64, f64)]| Track {
        labels: Labels::from([("response_code", code)]),
        points: points.iter().map(|(at, value)| Point { at: *at, value: *value }).collect(),
    };
    let grid = Grid { times: vec![100, 110, 120], step_s: 10 };
    let tracks = [track("200", &[(100.0, 9.0), (120.0, 4.0), (130.0, 77.0)]), track("503", &[(100.0, 1.0)])];
    let lines = grid.of_codes(&tracks, "");
    assert_eq!(lines[0].values, [Some(10.0), None, Some(4.0)]);
    assert_eq!(lines[1].values, [Some(1.0), None, Some(0.0)]);
    assert_eq!(grid.line("p50", "ms", &[]), None);
}

#[test]
fn the_step_grows_with_the_window() {
    for window_s in [60, 3600, 10_800, 43_200, 86_400, 604_800] {
        let points = |asked| Grid::new(2_000_000_000_000, window_s, step(window_s, asked)).times.len();
        assert!(points(None) <= 61, "{window_s}");
        assert!(points(Some(1)) <= 300, "{window_s}: whoever asks for every second of a week gets what can be drawn");
    }
}
