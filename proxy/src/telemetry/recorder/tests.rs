use weft_policy::flags::Flag;

use super::*;
use crate::{
    state::testing::shared,
    telemetry::{
        exposition as write,
        testing::{edge, request, tcp},
    },
};

fn samples(shared: &Shared, name: &str) -> Vec<String> {
    let text = write(shared, &[0]);
    text.lines().filter(|line| line.starts_with(&format!("{name}{{"))).map(str::to_owned).collect()
}

#[test]
fn workers_are_summed_under_istios_labels() {
    let shared = shared();
    for _ in 0..2 {
        let recorder = Recorder::new(shared.clone());
        let edge = recorder.edge(edge());
        recorder.record(&request(&edge, 200, 7));
        recorder.record(&request(&edge, 200, 3));
    }
    let totals = samples(&shared, "istio_requests_total");
    assert_eq!(
        totals,
        ["istio_requests_total{reporter=\"destination\",source_workload=\"web\",source_canonical_service=\"web\",\
          source_canonical_revision=\"v1\",source_workload_namespace=\"shop\",\
          source_principal=\"spiffe://cluster.local/ns/shop/sa/web\",source_app=\"web\",source_version=\"v1\",\
          source_cluster=\"Kubernetes\",destination_workload=\"api\",destination_workload_namespace=\"shop\",\
          destination_principal=\"spiffe://cluster.local/ns/shop/sa/api\",destination_app=\"api\",\
          destination_version=\"v2\",destination_service=\"api.shop.svc.cluster.local\",\
          destination_canonical_service=\"api\",destination_canonical_revision=\"v2\",destination_service_name=\"api\",\
          destination_service_namespace=\"shop\",destination_cluster=\"Kubernetes\",request_protocol=\"http\",\
          response_code=\"200\",response_flags=\"-\",connection_security_policy=\"mutual_tls\"} 4"]
    );
    let buckets = samples(&shared, "istio_request_duration_milliseconds_bucket");
    assert_eq!(buckets.len(), 20);
    let of = |bound: &str| {
        let bucket = buckets.iter().find(|line| line.contains(&format!("le=\"{bound}\"")));
        bucket.unwrap().rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    assert_eq!((of("1"), of("5"), of("10"), of("3600000"), of("+Inf")), (0, 2, 4, 4, 4));
    assert!(samples(&shared, "istio_request_duration_milliseconds_sum")[0].ends_with(" 20"));
    assert!(samples(&shared, "istio_response_bytes_sum")[0].ends_with(" 4096"));
    assert!(samples(&shared, "istio_request_messages_total").is_empty());
}

#[test]
fn outcomes_are_told_apart() {
    let shared = shared();
    let recorder = Recorder::new(shared.clone());
    let edge = recorder.edge(edge());
    let mut failed = request(&edge, 503, 1);
    failed.flags.set(Flag::UpstreamConnectionFailure);
    failed.flags.set(Flag::UpstreamRetryLimitExceeded);
    recorder.record(&failed);
    let mut grpc = request(&edge, 200, 1);
    (grpc.grpc, grpc.grpc_status, grpc.request_messages, grpc.response_messages) = (true, Some(14), 1, 2);
    recorder.record(&grpc);
    let totals = samples(&shared, "istio_requests_total");
    assert_eq!(totals.len(), 2);
    assert!(totals.iter().any(|line| line.contains("response_code=\"503\",response_flags=\"UF,URX\"")));
    assert!(totals.iter().any(|line| line.contains("\"grpc\"") && line.contains("grpc_response_status=\"14\"")));
    assert!(samples(&shared, "istio_response_messages_total")[0].ends_with(" 2"));
}

#[test]
fn equal_edges_are_one() {
    let recorder = Recorder::new(shared());
    assert!(Rc::ptr_eq(&recorder.edge(edge()), &recorder.edge(edge())));
}

#[test]
fn opaque_connections_count_bytes_while_they_last() {
    let shared = shared();
    let recorder = Recorder::new(shared.clone());
    let edge = recorder.edge(edge());
    let series = recorder.tcp_opened(&edge);
    series.received(10);
    series.sent(15);
    series.sent(5);
    assert!(samples(&shared, "istio_tcp_sent_bytes_total")[0].ends_with(" 20"));
    assert!(samples(&shared, "istio_tcp_connections_closed_total")[0].ends_with(" 0"));
    recorder.tcp_closed(series, &tcp(&edge));
    assert!(samples(&shared, "istio_tcp_connections_closed_total")[0].ends_with(" 1"));
    let line = &samples(&shared, "istio_tcp_received_bytes_total")[0];
    assert!(line.contains("request_protocol=\"tcp\"") && !line.contains("response_code"), "{line}");
}

#[test]
fn picks_name_their_route() {
    let shared = shared();
    let recorder = Recorder::new(shared.clone());
    let (vs, route, host) = ("shop/api".into(), "http[1]".into(), "api.shop.svc.cluster.local".into());
    for subset in ["v1", "v1", "v2"] {
        recorder.route_picked(&vs, &route, &subset.into(), &host);
    }
    let lines = samples(&shared, "weft_route_requests_total");
    assert_eq!(lines.len(), 2);
    assert_eq!(
        lines[0],
        "weft_route_requests_total{virtual_service=\"shop/api\",route=\"http[1]\",subset=\"v1\",\
         host=\"api.shop.svc.cluster.local\",source_workload=\"web-1\",source_workload_namespace=\"shop\"} 2"
    );
}

#[test]
fn series_are_bounded() {
    let shared = shared();
    let recorder = Recorder::new(shared.clone());
    let (vs, route, host): (Arc<str>, Arc<str>, Arc<str>) = ("a/b".into(), "http[0]".into(), "h".into());
    for subset in 0..MAX_SERIES + 5 {
        recorder.route_picked(&vs, &route, &subset.to_string().into(), &host);
    }
    assert_eq!(samples(&shared, "weft_route_requests_total").len(), MAX_SERIES);
    let text = write(&shared, &[]);
    assert!(text.contains("\nweft_proxy_series_dropped_total 5\n"));
}

#[test]
fn label_values_are_escaped() {
    let mut labels = String::new();
    exposition::label(&mut labels, "a", "x\"y\\z\n");
    assert_eq!(labels, r#"a="x\"y\\z\n""#);
}
