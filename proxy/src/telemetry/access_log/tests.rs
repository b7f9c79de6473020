use std::rc::Rc;

use serde_json::Value;
use weft_policy::flags::Flag;

use super::*;
use crate::telemetry::testing::{edge, request, tcp};

#[test]
fn a_request_has_istios_fields_in_order() {
    let mut record = request(&Rc::new(edge()), 503, 12);
    record.flags.set(Flag::UpstreamConnectionFailure);
    record.log.path = Some("/api/v1/orders?id=\"7\"".replace('"', "%22").parse().unwrap());
    record.log.authority = Some("api:8080".parse().unwrap());
    record.log.user_agent = Some(http::HeaderValue::from_bytes(b"caf\xe9 \"x\"").unwrap());
    record.log.upstream_host = Some("127.0.0.9:8080".parse().unwrap());
    record.log.response_code_details = "upstream_reset_before_response_started{remote_connection_failure}";
    let line = String::from_utf8(Line::of_request(&record).to_json()).unwrap();
    assert!(line.ends_with("}\n") && line.matches('\n').count() == 1);
    let value: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(value["start_time"], "2023-11-14T22:13:20.123Z");
    assert_eq!(value["path"], "/api/v1/orders?id=%227%22");
    assert_eq!(value["response_code"], 503);
    assert_eq!(value["response_flags"], "UF");
    assert_eq!(value["duration"], 12);
    assert_eq!(value["upstream_host"], "127.0.0.9:8080");
    assert_eq!(value["user_agent"], "caf\u{fffd} \"x\"");
    assert_eq!(value["route_name"], Value::Null);
    let names: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        names.join(" "),
        "start_time method path protocol response_code response_flags response_code_details \
        connection_termination_details upstream_transport_failure_reason bytes_received bytes_sent duration \
        upstream_service_time x_forwarded_for user_agent request_id authority upstream_host upstream_cluster \
        upstream_local_address downstream_local_address downstream_remote_address requested_server_name route_name"
    );
}

#[test]
fn lines_reach_the_file_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("access.log");
    let log = AccessLog::open(&AccessLogTarget::File(path.clone())).unwrap();
    let edge = Rc::new(edge());
    for _ in 0..100 {
        log.request(&request(&edge, 200, 1));
    }
    log.tcp(&tcp(&edge));
    let mut text = String::new();
    // The writer is another thread: wait for the last line.
    while text.lines().count() < 101 {
        std::thread::yield_now();
        text = std::fs::read_to_string(&path).unwrap();
    }
    assert!(text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
    assert_eq!(log.dropped(), 0);
}

#[test]
fn a_full_queue_drops_and_counts() {
    let (queue, _never_read) = sync_channel(1);
    let log = AccessLog { queue: Some(queue), ..AccessLog::default() };
    let record = request(&Rc::new(edge()), 200, 1);
    log.request(&record);
    log.request(&record);
    log.request(&record);
    assert_eq!(log.dropped(), 2);
}

#[test]
fn a_directory_that_does_not_exist_is_an_error() {
    assert!(AccessLog::open(&AccessLogTarget::File("/nonexistent/dir/access.log".into())).is_err());
}

#[test]
fn sampling_leaves_out_successes_only() {
    let none: Sampling = "0".parse().unwrap();
    assert!(none.takes(true) && !none.takes(false));
    assert!(Sampling::default().takes(false));
    let half: Sampling = "50".parse().unwrap();
    let taken = (0..2000).filter(|_| half.takes(false)).count();
    assert!((700..1300).contains(&taken), "{taken}");
    assert!(
        "101".parse::<Sampling>().is_err() && "x".parse::<Sampling>().is_err() && "NaN".parse::<Sampling>().is_err()
    );
}
