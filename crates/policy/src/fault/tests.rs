use http::StatusCode;

use super::*;
use crate::{
    config::{Abort, Delay, Fraction, HeaderKey, HeaderMatch, HeaderTest},
    testing::Request,
};

fn fault(delay: u32, abort: u32) -> Fault {
    let share = |numerator| Fraction { numerator, denominator: 100 };
    Fault {
        delay: Some(Delay { duration: Duration::from_secs(5), share: share(delay) }),
        abort: Some(Abort { status: AbortStatus::Http(StatusCode::SERVICE_UNAVAILABLE), share: share(abort) }),
        headers: Vec::new(),
        max_active: None,
        active: Arc::default(),
    }
}

#[test]
fn everybody_waits_and_a_tenth_fails() {
    let fault = fault(100, 10);
    let decide = |n: u64| Request::get("/").with(|f| fault.decide(f, n.wrapping_mul(7), n));
    let all: Vec<_> = (0..1000).map(decide).collect();
    assert!(all.iter().all(|d| d.delay == Some(Duration::from_secs(5))));
    assert_eq!(all.iter().filter(|d| d.abort.is_some()).count(), 100);
    assert_eq!(fault.active.load(Relaxed), 1000);
    drop(all);
    assert_eq!(fault.active.load(Relaxed), 0);
}

#[test]
fn zero_percent_does_nothing() {
    let decision = Request::get("/").with(|f| fault(0, 0).decide(f, 0, 0));
    assert!(decision.delay.is_none() && decision.abort.is_none() && decision.permit.is_none());
}

#[test]
fn headers_and_the_number_in_force_limit_it() {
    let header = HeaderMatch {
        key: HeaderKey::Name("x-test".parse().unwrap()),
        test: HeaderTest::Present(true),
        invert: false,
        missing_as_empty: false,
    };
    let fault = Fault { headers: vec![header], max_active: Some(1), ..fault(100, 0) };
    assert!(Request::get("/").with(|f| fault.decide(f, 0, 0)).delay.is_none());
    let decide = || Request::get("/").header("x-test", "1").with(|f| fault.decide(f, 0, 0));
    let first = decide();
    assert!(first.delay.is_some());
    assert!(decide().delay.is_none());
    drop(first);
    assert!(decide().delay.is_some());
}
