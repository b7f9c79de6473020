use super::*;
use crate::telemetry::prometheus::Point;

fn wanted(subject: Subject, split: &str) -> Wanted {
    Wanted {
        subject,
        namespace: "shop".into(),
        name: "car\"t".into(),
        incoming: true,
        reporter: None,
        between: None,
        split: split.into(),
        window_s: 60,
        own: None,
    }
}

#[test]
fn with_several_clusters_charts_are_of_the_own_one() {
    let wanted = Wanted { own: Some("east".into()), ..wanted(Subject::Workload, "source_workload") };
    let promql = &wanted.queries()[0].3;
    assert!(promql.contains(",destination_cluster=\"east\"}"), "{promql}");
    assert!(promql.contains("by (source_workload, source_workload_namespace, source_cluster)"), "{promql}");
    let track = |cluster, workload| Track {
        labels: Labels::from([
            ("source_workload", workload),
            ("source_workload_namespace", "shop"),
            ("source_cluster", cluster),
        ]),
        points: vec![Point { at: 10.0, value: 1.0 }],
    };
    let tracks = [track("east", "web"), track("west", "far"), track("unknown", "old")];
    let names = |sees: &dyn Fn(&str) -> bool| -> Vec<String> {
        split(&wanted, &tracks, "requests", "req/s", &[10], sees).into_iter().map(|line| line.name).collect()
    };
    assert_eq!(names(&|namespace: &str| namespace == "shop"), ["hidden", "web"]);
    assert_eq!(names(&|_: &str| true), ["far", "old", "web"]);
}

#[test]
fn a_name_cannot_leave_its_quotes() {
    let queries = wanted(Subject::Workload, "response_code").queries();
    let of = "destination_workload=\"car\\\"t\",destination_workload_namespace=\"shop\"}[30s])";
    assert!(queries[0].3.starts_with("sum by (response_code) ("), "{}", queries[0].3);
    assert_eq!(queries[0].3.matches(of).count(), 3, "{}", queries[0].3);
    assert!(queries.len() <= 10);
    assert!(!Wanted::is_label("le"));
    assert!(Wanted::is_label("source_version"));
}

/// A fault that is injected, a route that is not there, a breaker that is open: the called one's proxy counts none of it.
#[test]
fn what_the_callers_proxy_answered_itself_is_charted() {
    let one = Wanted { name: "pay.shop.svc".into(), ..wanted(Subject::Service, "response_code") };
    let between = "destination_workload_namespace=\"shop\",destination_workload=~\"pay-v1\"";
    let both = Wanted { between: Some(between.into()), ..one.clone() };
    let of = "destination_service=\"pay.shop.svc\"";
    let expected = format!(
        "sum by (response_code) ((rate(istio_requests_total{{reporter=\"source\",{of}}}[30s]) or \
         (rate(istio_requests_total{{reporter=\"destination\",{of}}}[30s]) unless on (source_workload_namespace, \
         source_workload, destination_workload_namespace, destination_workload) \
         (rate(istio_requests_total{{reporter=\"source\",{between}}}[30s]) > 0))))"
    );
    let queries = both.queries();
    assert_eq!(queries[0].3, expected);
    for (chart, name, _, promql) in &queries {
        let (open, close) = (promql.matches('(').count(), promql.matches(')').count());
        assert_eq!(open, close, "{chart} {name}: {promql}");
        assert!(promql.contains("reporter=\"source\"") && promql.contains("reporter=\"destination\""), "{promql}");
    }
    let failed = &queries[1].3;
    assert_eq!(failed.matches("response_code=~").count(), 2, "who counts itself is told by all calls: {failed}");
    let sent = &queries.last().unwrap().3;
    assert!(!sent.contains("istio_requests_total"), "bytes of TCP are told by themselves: {sent}");
    let called = Wanted { reporter: Some(Reporter::Destination), ..one };
    assert_eq!(
        called.queries()[0].3,
        format!("sum by (response_code) (rate(istio_requests_total{{reporter=\"destination\",{of}}}[30s]))")
    );
}

#[test]
fn what_reached_no_workload_of_a_service_is_in_no_cluster() {
    let own = Some("arn:aws/east".to_owned());
    let service = Wanted { own: own.clone(), ..wanted(Subject::Service, "") };
    let promql = &service.queries()[0].3;
    assert!(promql.contains(r#",destination_cluster=~"|unknown|arn\\:aws\\/east"}"#), "{promql}");
    assert!(promql.contains("source_cluster, destination_cluster) (rate("), "{promql}");
    let workload = Wanted { own, ..wanted(Subject::Workload, "") };
    assert!(workload.queries()[0].3.contains("destination_cluster=\"arn:aws/east\"}"));
}

#[test]
fn a_week_has_as_many_points_as_an_hour() {
    for window_s in [3_600, 10_800, 43_200, 86_400, 604_800] {
        let wanted = Wanted { window_s, ..wanted(Subject::Workload, "") };
        let (step_s, rate_s) = wanted.steps();
        assert_eq!((window_s / step_s, rate_s), (POINTS, 4 * step_s));
    }
}

#[test]
fn what_may_not_be_seen_is_one_line() {
    let track = |namespace, workload, value| Track {
        labels: Labels::from([("source_workload", workload), ("source_workload_namespace", namespace)]),
        points: vec![Point { at: 10.0, value }],
    };
    let tracks = [track("shop", "web", 1.0), track("bank", "ledger", 2.0), track("bank", "vault", 3.0)];
    let wanted = wanted(Subject::Workload, "source_workload");
    let sees = |namespace: &str| namespace == "shop";
    let lines = split(&wanted, &tracks, "requests", "req/s", &[5, 10], &sees);
    let named: Vec<_> = lines.iter().map(|line| (line.name.as_str(), line.values.clone())).collect();
    assert_eq!(named, [("hidden", vec![None, Some(5.0)]), ("web", vec![None, Some(1.0)])]);
    assert_eq!(split(&wanted, &tracks, "p95", "ms", &[5, 10], &sees).len(), 1);
}
