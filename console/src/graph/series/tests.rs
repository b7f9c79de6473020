use super::*;
use crate::{
    estate::Estate,
    telemetry::prometheus::{Labels, Point},
};

#[test]
fn ids_become_matchers_and_nothing_else() {
    let matching = |id: &str| Subject::node(id, None).unwrap().matching(&Estate::default());
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
        edge.matching(&Estate::default())
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
        known.matching(&estate),
        r#"source_workload_namespace="shop",source_workload=~"web-v1|web\\.v2",destination_service="pay.shop.svc""#
    );
    assert!(!known.is_of_all_callers(&estate));
    let other = call("service:gone.shop.svc->service:pay.shop.svc");
    assert_eq!(other.matching(&estate), "destination_service=\"pay.shop.svc\"");
    assert!(other.is_of_all_callers(&estate) && !call("shop/web->shop/pay").is_of_all_callers(&estate));
    let east = Subject::edge("service:web.shop.svc->shop/pay", Some("east")).unwrap();
    assert!(east.matching(&estate).contains("source_cluster=\"east\",destination_"), "{}", east.matching(&estate));
    let west = Subject::edge("service:web.shop.svc@west->shop/pay", Some("east")).unwrap();
    assert!(west.is_of_all_callers(&estate), "what is configured here says nothing of another cluster");
}

#[test]
fn with_several_clusters_series_and_rights_are_of_one() {
    let node = |id: &str| Subject::node(id, Some("east")).unwrap();
    let edge = |id: &str| Subject::edge(id, Some("east")).unwrap();
    let workload = "destination_workload_namespace=\"shop\",destination_workload=\"pay\"";
    assert_eq!(node("shop/pay").matching(&Estate::default()), format!("{workload},destination_cluster=\"east\""));
    assert_eq!(
        node("shop/pay@arn:aws/we\"st").matching(&Estate::default()),
        format!("{workload},destination_cluster=\"arn:aws/we\\\"st\"")
    );
    assert_eq!(
        node("shop/pay@unknown").matching(&Estate::default()),
        format!("{workload},destination_cluster=~\"|unknown\"")
    );
    assert_eq!(node("box:@west").matching(&Estate::default()), "destination_cluster=\"west\"");
    assert_eq!(node("box:@west").outgoing().as_deref(), Some("source_cluster=\"west\""));
    assert_eq!(Subject::node("external:api.example.com@west", Some("east")), None);
    // Without several clusters an `@` is a letter like others.
    assert!(
        Subject::node("shop/pay@west", None)
            .unwrap()
            .matching(&Estate::default())
            .ends_with("destination_workload=\"pay@west\"")
    );

    let estate = Estate::default();
    assert_eq!(node("shop/pay").namespaces(&estate), ["shop"]);
    assert_eq!(node("shop/pay@west").namespaces(&estate), ["shop", ""]);
    assert_eq!(edge("shop/web->shop/pay@west").namespaces(&estate), ["shop", "shop", ""]);
    assert!(edge("shop/web@west->external:api.example.com").namespaces(&estate).contains(&String::new()));
    let lost = node("service:pay.shop.svc/none").matching(&estate);
    assert!(lost.ends_with(",source_cluster=\"east\""), "what arrived nowhere is of its caller's cluster: {lost}");
    for whole in ["box:@west", "box:@east"] {
        assert_eq!(node(whole).namespaces(&estate), [""], "{whole}");
    }
    assert_eq!(edge("shop/web->shop/pay").namespaces(&estate), ["shop", "shop"]);
}

#[test]
fn lines_keep_to_the_grid_and_count_each_request_once() {
    let track = |reporter: &str, code: &str, points: &[(f64, f64)]| Track {
        labels: Labels::from([("reporter", reporter), ("response_code", code)]),
        points: points.iter().map(|(at, value)| Point { at: *at, value: *value }).collect(),
    };
    let grid = Grid { times: vec![100, 110, 120], step_s: 10 };
    let tracks = [
        track("source", "200", &[(100.0, 9.0), (120.0, 4.0), (130.0, 77.0)]),
        track("source", "503", &[(100.0, 1.0)]),
        track("destination", "200", &[(100.0, 9.0), (110.0, 5.0)]),
    ];
    let lines = grid.of_codes(&tracks, "");
    assert_eq!(lines[0].values, [Some(10.0), None, Some(4.0)]);
    assert_eq!(lines[1].values, [Some(1.0), None, Some(0.0)]);
    assert_eq!(grid.line("p50", "ms", &[]), None);
    let unseen = [track("source", "200", &[(100.0, 0.0)]), track("destination", "200", &[(100.0, 2.0)])];
    assert_eq!(grid.of_codes(&unseen, "")[0].values[0], Some(2.0));
}

#[test]
fn the_step_grows_with_the_window() {
    for window_s in [60, 3600, 10_800, 43_200, 86_400, 604_800] {
        let points = |asked| Grid::new(2_000_000_000_000, window_s, step(window_s, asked)).times.len();
        assert!(points(None) <= 61, "{window_s}");
        assert!(points(Some(1)) <= 300, "{window_s}: whoever asks for every second of a week gets what can be drawn");
    }
}
