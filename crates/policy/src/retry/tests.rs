use proptest::prelude::*;

use super::*;
use crate::{
    config::{Balance, LimitSettings, RetryBudget},
    testing::{Request, cluster, endpoint, upstream},
};

fn policy(on: RetryOn) -> RetryPolicy {
    RetryPolicy {
        on,
        status_codes: vec![429, 503],
        response_headers: Vec::new(),
        request_headers: Vec::new(),
        retries: 2,
        per_try_timeout: None,
        per_try_idle_timeout: None,
        base_interval: Duration::from_millis(25),
        max_interval: Duration::from_millis(250),
        avoid_previous_hosts: true,
        avoid_previous_priorities: false,
    }
}

fn response(policy: &RetryPolicy, code: u16, headers: &[(&'static str, &'static str)]) -> bool {
    let headers = headers.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect::<HeaderMap>();
    policy.wants(Attempt::Response(StatusCode::from_u16(code).unwrap(), &headers))
}

#[test]
fn conditions_on_responses() {
    for (on, yes, no) in [
        (RetryOn::FIVE_XX, vec![500, 503, 599], vec![200, 409, 429]),
        (RetryOn::GATEWAY_ERROR, vec![502, 503, 504], vec![500, 501, 505]),
        (RetryOn::RETRIABLE_4XX, vec![409], vec![404, 500]),
        (RetryOn::STATUS_CODES, vec![429, 503], vec![500, 502]),
        (RetryOn::CONNECT_FAILURE, vec![], vec![500, 503]),
    ] {
        assert!(yes.iter().all(|c| response(&policy(on), *c, &[])), "{on:?}");
        assert!(!no.iter().any(|c| response(&policy(on), *c, &[])), "{on:?}");
    }
    assert!(!response(&policy(RetryOn::FIVE_XX), 503, &[("x-envoy-ratelimited", "true")]));
    assert!(response(&policy(RetryOn::ENVOY_RATELIMITED), 429, &[("x-envoy-ratelimited", "true")]));
}

#[test]
fn grpc_conditions() {
    for (on, code) in [
        (RetryOn::CANCELLED, "1"),
        (RetryOn::DEADLINE_EXCEEDED, "4"),
        (RetryOn::RESOURCE_EXHAUSTED, "8"),
        (RetryOn::INTERNAL, "13"),
        (RetryOn::UNAVAILABLE, "14"),
    ] {
        for other in ["0", "1", "4", "8", "13", "14"] {
            assert_eq!(response(&policy(on), 200, &[("grpc-status", other)]), other == code);
        }
    }
}

#[test]
fn conditions_on_failures() {
    use AttemptFailure as F;
    let all = [
        F::Connect,
        F::RefusedStream,
        F::Reset { sent: false },
        F::Reset { sent: true },
        F::PerTryTimeout,
        F::Overflow,
    ];
    let wanted = |on| all.map(|f| policy(on).wants(Attempt::Failed(f)));
    assert_eq!(wanted(RetryOn::FIVE_XX), [true, true, true, true, true, false]);
    assert_eq!(wanted(RetryOn::GATEWAY_ERROR), [true, true, true, true, true, false]);
    assert_eq!(wanted(RetryOn::RESET), [true, true, true, true, true, false]);
    assert_eq!(wanted(RetryOn::RESET_BEFORE_REQUEST), [true, false, true, false, false, false]);
    assert_eq!(wanted(RetryOn::CONNECT_FAILURE), [true, false, false, false, false, false]);
    assert_eq!(wanted(RetryOn::REFUSED_STREAM), [false, true, false, false, false, false]);
    assert_eq!(wanted(RetryOn::STATUS_CODES), [false; 6]);
}

#[test]
fn the_interval_doubles_up_to_its_cap() {
    let p = policy(RetryOn::FIVE_XX);
    for (made, cap) in [(0, 25), (1, 50), (2, 100), (3, 200), (4, 250), (63, 250), (64, 250), (u32::MAX, 250)] {
        let longest = (0..100).map(|n| p.backoff(made, u64::MAX / 100 * n)).max().unwrap();
        assert!(longest < Duration::from_millis(cap), "{made}");
        let micros = cap * 1000 - 1;
        assert_eq!(p.backoff(made, micros), Duration::from_micros(micros));
    }
}

#[test]
fn request_headers_decide_whether_there_is_a_policy() {
    let mut p = policy(RetryOn::FIVE_XX);
    p.request_headers = vec![crate::config::HeaderMatch {
        key: crate::config::HeaderKey::Method,
        test: crate::config::HeaderTest::Value(crate::config::StringMatch::Exact("GET".into())),
        invert: false,
        missing_as_empty: false,
    }];
    assert!(Request::get("/").with(|f| Retries::new(Some(&p), f).any_left()));
    assert!(!Request::get("/").method("POST").with(|f| Retries::new(Some(&p), f).any_left()));
    assert!(!Request::get("/").with(|f| Retries::new(Some(&policy(RetryOn::NONE)), f).any_left()));
}

fn attempts(policy: &RetryPolicy, upstream: &Upstream) -> (u32, &'static str) {
    let mut permits = Vec::new();
    Request::get("/").with(|f| {
        let mut retries = Retries::new(Some(policy), f);
        let mut attempts = 1;
        loop {
            match retries.next(upstream, Attempt::Failed(AttemptFailure::Connect), 7) {
                Next::Again(_, permit) => {
                    permits.push(permit);
                    attempts += 1;
                }
                Next::Stop => return (attempts, "stop"),
                Next::Exhausted => return (attempts, "URX"),
                Next::OverBudget => return (attempts, "UO"),
            }
        }
    })
}

#[test]
fn ends_by_count_or_by_budget() {
    let u = upstream(cluster(Balance::RoundRobin), vec![endpoint(1)]);
    assert_eq!(attempts(&policy(RetryOn::CONNECT_FAILURE), &u), (3, "URX"));
    assert_eq!(attempts(&policy(RetryOn::RETRIABLE_4XX), &u), (1, "stop"));
    let limits = LimitSettings { retries: 1, ..LimitSettings::default() };
    let u = upstream(crate::config::Cluster { limits, ..cluster(Balance::RoundRobin) }, vec![endpoint(1)]);
    assert_eq!(attempts(&policy(RetryOn::CONNECT_FAILURE), &u), (2, "UO"));
}

proptest! {
    /// However many requests fail at once, attempts in flight stay within requests plus the budget.
    #[test]
    fn retries_do_not_multiply(
        requests in 1usize..60,
        retries in 0u32..10,
        percent in 0.0f64..100.0,
        min_concurrency in 0u32..5,
    ) {
        let limits = LimitSettings {
            requests: u32::MAX,
            retry_budget: Some(RetryBudget { percent, min_concurrency }),
            ..LimitSettings::default()
        };
        let u = upstream(crate::config::Cluster { limits, ..cluster(Balance::RoundRobin) }, vec![endpoint(1)]);
        let policy = RetryPolicy { retries, ..policy(RetryOn::FIVE_XX) };
        let _load: Vec<_> = (0..requests).map(|_| u.acquire(Limit::Requests).unwrap()).collect();
        let budget = ((requests as f64 * percent / 100.0) as u32).max(min_concurrency);
        Request::get("/").with(|f| {
            let mut all: Vec<_> = (0..requests).map(|_| Retries::new(Some(&policy), f)).collect();
            let mut permits = Vec::new();
            for _ in 0..12 {
                for one in &mut all {
                    if let Next::Again(_, permit) = one.next(&u, Attempt::Failed(AttemptFailure::Connect), 1) {
                        permits.push(permit);
                    }
                }
            }
            prop_assert!(permits.len() as u32 <= budget);
            prop_assert!(all.iter().all(|r| r.made() <= retries));
            Ok(())
        })?;
    }
}

/// What follows each of these failures in turn; permits are given back at once, as when attempts follow each other.
fn follow(retries: &mut Retries<'_>, upstream: &Upstream, failures: &[AttemptFailure]) -> Vec<&'static str> {
    let told = |failure: &AttemptFailure| match retries.next(upstream, Attempt::Failed(*failure), 0) {
        Next::Again(..) => "again",
        Next::Stop => "stop",
        Next::Exhausted => "URX",
        Next::OverBudget => "UO",
    };
    failures.iter().map(told).collect()
}

#[test]
fn what_was_handed_back_does_not_use_up_the_policys_number() {
    use AttemptFailure::{Connect, HandedBack};
    let u = upstream(cluster(Balance::RoundRobin), vec![endpoint(1)]);
    let policy = policy(RetryOn::CONNECT_FAILURE);
    Request::get("/").with(|f| {
        // In between and before: the policy's two are left.
        let mut retries = Retries::new(Some(&policy), f);
        let failures = [HandedBack, Connect, HandedBack, HandedBack, Connect, HandedBack, Connect];
        assert_eq!(follow(&mut retries, &u, &failures), ["again", "again", "again", "again", "again", "again", "URX"]);
        assert_eq!(retries.made(), 2);
        // Handing back is free even when the policy's number is used up, so the request is kept.
        assert!(retries.any_left());
        assert_eq!(follow(&mut retries, &u, &[HandedBack; 4]), ["again"; 4]);
        assert!(!retries.any_left());
        assert_eq!(follow(&mut retries, &u, &[HandedBack]), ["URX"]);
    });
}

#[test]
fn eight_are_free_and_the_next_count() {
    let u = upstream(cluster(Balance::RoundRobin), vec![endpoint(1)]);
    let policy = policy(RetryOn::CONNECT_FAILURE);
    Request::get("/").with(|f| {
        let mut retries = Retries::new(Some(&policy), f);
        assert_eq!(follow(&mut retries, &u, &[AttemptFailure::HandedBack; 8]), ["again"; 8]);
        assert_eq!(retries.made(), 0);
        assert_eq!(follow(&mut retries, &u, &[AttemptFailure::HandedBack; 3]), ["again", "again", "URX"]);
        assert_eq!(retries.made(), 2);
    });
}

#[test]
fn free_attempts_are_for_policies_that_retry_such_failures_and_within_the_budget() {
    let u = upstream(cluster(Balance::RoundRobin), vec![endpoint(1)]);
    let handed_back = [AttemptFailure::HandedBack];
    Request::get("/").with(|f| {
        let none = RetryPolicy { retries: 0, ..policy(RetryOn::CONNECT_FAILURE) };
        assert!(!Retries::new(Some(&none), f).any_left());
        assert_eq!(follow(&mut Retries::new(Some(&none), f), &u, &handed_back), ["URX"]);
        let other = policy(RetryOn::RETRIABLE_4XX);
        assert_eq!(follow(&mut Retries::new(Some(&other), f), &u, &handed_back), ["stop"]);
        assert_eq!(follow(&mut Retries::new(None, f), &u, &handed_back), ["stop"]);
        // The cluster's limit holds for them too, and one that it refused is still free later.
        let limits = LimitSettings { retries: 1, ..LimitSettings::default() };
        let u = upstream(crate::config::Cluster { limits, ..cluster(Balance::RoundRobin) }, vec![endpoint(1)]);
        let policy = policy(RetryOn::CONNECT_FAILURE);
        let mut retries = Retries::new(Some(&policy), f);
        let busy = u.acquire(Limit::Retries).unwrap();
        assert_eq!(follow(&mut retries, &u, &handed_back), ["UO"]);
        drop(busy);
        assert_eq!(follow(&mut retries, &u, &[AttemptFailure::HandedBack; 8]), ["again"; 8]);
    });
}
