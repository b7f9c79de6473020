use http::HeaderMap;

use super::*;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

#[test]
fn traceparent_is_read_and_passed_on() {
    let mut headers = headers(&[("traceparent", &format!("00-{TRACE}-{SPAN}-01"))]);
    let context = TraceContext::of(&headers, 0.0);
    assert_eq!((context.trace.to_string().as_str(), context.sampled), (TRACE, true));
    assert_eq!(context.parent.unwrap().to_string(), SPAN);
    let span = SpanId::random();
    context.inject(span, &mut headers);
    assert_eq!(headers["traceparent"], format!("00-{TRACE}-{span}-01"));
    assert!(!headers.contains_key("b3"));
}

#[test]
fn a_bad_traceparent_begins_a_new_trace() {
    for bad in [
        "",
        "00",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
    ] {
        let context = TraceContext::of(&headers(&[("traceparent", bad)]), 1.0);
        assert_eq!((context.parent, context.sampled), (None, true), "{bad}");
        assert_ne!(context.trace.to_string(), TRACE);
    }
}

#[test]
fn the_callers_decision_holds() {
    let context = TraceContext::of(&headers(&[("traceparent", &format!("00-{TRACE}-{SPAN}-00"))]), 1.0);
    assert!(!context.sampled);
    assert!(!TraceContext::of(&HeaderMap::new(), 0.0).sampled);
    assert!(TraceContext::of(&HeaderMap::new(), 1.0).sampled);
}

#[test]
fn b3_comes_in_and_goes_out_in_both_forms() {
    let mut single = headers(&[("b3", &format!("{TRACE}-{SPAN}-1"))]);
    let context = TraceContext::of(&single, 0.0);
    assert!(context.sampled && context.format == Format::B3Single);
    let span = SpanId::random();
    context.inject(span, &mut single);
    assert_eq!(single["b3"], format!("{TRACE}-{span}-1-{SPAN}"));
    assert_eq!(single["traceparent"], format!("00-{TRACE}-{span}-01"));

    let mut multi = headers(&[("x-b3-traceid", "a3ce929d0e0e4736"), ("x-b3-spanid", SPAN), ("x-b3-sampled", "0")]);
    let context = TraceContext::of(&multi, 1.0);
    assert_eq!((context.trace.to_string().as_str(), context.sampled), ("0000000000000000a3ce929d0e0e4736", false));
    context.inject(span, &mut multi);
    assert_eq!(multi["x-b3-spanid"], span.to_string());
    assert_eq!(multi["x-b3-parentspanid"], SPAN);
    assert_eq!(multi["x-b3-sampled"], "0");
}
