use super::*;
use crate::{
    balance::PickRequest,
    config::{Balance, LimitSettings, OutlierSettings, RetryBudget},
    testing::{address, cluster, endpoint, endpoints, outlier, upstream},
};

const NOW: Duration = Duration::from_secs(100);

fn guarded(settings: OutlierSettings, hosts: u16) -> Upstream {
    let cluster = Cluster { outlier: Some(settings), ..cluster(Balance::RoundRobin) };
    upstream(cluster, (1..=hosts).map(endpoint).collect())
}

fn fail(u: &Upstream, host: usize, times: u32) -> Option<Ejection> {
    (0..times).find_map(|_| u.report(&u.hosts[host], Outcome::Response(500), NOW, 0))
}

#[test]
fn limits_are_exact_and_given_back() {
    let limits = LimitSettings { connections: 2, ..LimitSettings::default() };
    let u = upstream(Cluster { limits, ..cluster(Balance::RoundRobin) }, vec![endpoint(1)]);
    let first = u.acquire(Limit::Connections).unwrap();
    let _second = u.acquire(Limit::Connections).unwrap();
    let refused = u.acquire(Limit::Connections).unwrap_err();
    assert_eq!(refused, Overflow { limit: Limit::Connections, max: 2 });
    assert_eq!(refused.to_string(), "the cluster's limit of 2 connections is reached");
    drop(first);
    assert!(u.acquire(Limit::Connections).is_ok());
    assert_eq!(u.state.in_use(Limit::Connections), 1);
}

#[test]
fn limits_hold_between_threads() {
    let limits = LimitSettings { requests: 10, ..LimitSettings::default() };
    let u = upstream(Cluster { limits, ..cluster(Balance::RoundRobin) }, vec![endpoint(1)]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..2000 {
                    let permit = u.acquire(Limit::Requests);
                    assert!(u.state.in_use(Limit::Requests) <= 10);
                    drop(permit);
                }
            });
        }
    });
    assert_eq!(u.state.in_use(Limit::Requests), 0);
}

#[test]
fn the_retry_budget_follows_the_load() {
    let budget = Some(RetryBudget { percent: 20.0, min_concurrency: 3 });
    let limits = LimitSettings { retry_budget: budget, ..LimitSettings::default() };
    let u = upstream(Cluster { limits, ..cluster(Balance::RoundRobin) }, vec![endpoint(1)]);
    assert_eq!(u.maximum(Limit::Retries), 3);
    let _load: Vec<_> = (0..50).map(|_| u.acquire(Limit::Requests).unwrap()).collect();
    assert_eq!(u.maximum(Limit::Retries), 10);
    let retries: Vec<_> = (0..20).filter_map(|_| u.acquire(Limit::Retries).ok()).collect();
    assert_eq!(retries.len(), 10);
}

#[test]
fn state_outlives_an_update() {
    let before = guarded(outlier(), 2);
    let permit = before.acquire(Limit::Requests).unwrap();
    let active = before.hosts[1].begin();
    fail(&before, 1, 5);
    let list = endpoints(vec![endpoint(3), Endpoint { weight: 7, ..endpoint(2) }]);
    let after = Upstream::new(before.cluster.clone(), Some(&list), Some(&before));
    let kept = after.host(&address(2)).unwrap();
    assert!(kept.state.is_ejected());
    assert_eq!((kept.state.active(), kept.endpoint.weight), (1, 7));
    assert_eq!(after.state.ejected(), 1);
    assert_eq!(after.state.in_use(Limit::Requests), 1);
    drop((permit, active));
    assert_eq!((kept.state.active(), after.state.in_use(Limit::Requests)), (0, 0));
    assert!(after.host(&address(1)).is_none());
}

#[test]
fn two_endpoints_of_one_address_do_not_share() {
    let list = endpoints(vec![endpoint(1), endpoint(1)]);
    let first = Upstream::new(Arc::new(cluster(Balance::RoundRobin)), Some(&list), None);
    let second = Upstream::new(first.cluster.clone(), Some(&list), Some(&first));
    assert!(!Arc::ptr_eq(&second.hosts[0].state, &second.hosts[1].state));
}

#[test]
fn five_in_a_row_eject_and_a_success_starts_over() {
    let u = guarded(outlier(), 2);
    assert_eq!(fail(&u, 0, 4), None);
    u.report(&u.hosts[0], Outcome::Response(200), NOW, 0);
    assert_eq!(fail(&u, 0, 4), None);
    let ejection = fail(&u, 0, 1).unwrap();
    assert_eq!(ejection, Ejection { cause: EjectionCause::Consecutive5xx, duration: Duration::from_secs(30) });
    assert_eq!(u.hosts[0].state.ejected_until(), Some(NOW + Duration::from_secs(30)));
    for _ in 0..20 {
        assert_eq!(*u.pick(&PickRequest::default()).unwrap().address(), address(2));
    }
}

#[test]
fn the_percentage_bounds_ejections_but_one_is_always_allowed() {
    let u = guarded(outlier(), 4);
    for host in 0..4 {
        fail(&u, host, 5);
    }
    assert_eq!(u.hosts.iter().filter(|h| h.state.is_ejected()).count(), 2);
    let u = guarded(OutlierSettings { max_ejection_percent: 10, ..outlier() }, 2);
    fail(&u, 0, 5);
    fail(&u, 1, 5);
    assert_eq!(u.state.ejected(), 1);
    let strict = OutlierSettings { max_ejection_percent: 10, always_eject_one: false, ..outlier() };
    let u = guarded(strict, 2);
    assert_eq!(fail(&u, 0, 5), None);
    // The only endpoint stays: it is all of the cluster.
    assert_eq!(fail(&guarded(OutlierSettings { always_eject_one: false, ..outlier() }, 1), 0, 5), None);
}

#[test]
fn ejections_grow_and_fade() {
    let u = guarded(outlier(), 2);
    let mut now = Duration::from_secs(100);
    u.sweep(now);
    for wanted in [30, 60, 90] {
        let report = |_| u.report(&u.hosts[0], Outcome::Response(503), now, 0);
        let ejection = (0..5).find_map(report).unwrap();
        assert_eq!(ejection.duration, Duration::from_secs(wanted));
        now += Duration::from_secs(wanted - 1);
        assert_eq!(u.sweep(now), 0);
        now += Duration::from_secs(11);
        assert_eq!(u.sweep(now), 1);
        assert_eq!(u.sweep(now), 0, "once per interval");
    }
    for _ in 0..3 {
        now += Duration::from_secs(10);
        u.sweep(now);
    }
    let report = |_| u.report(&u.hosts[0], Outcome::Response(503), now, 0);
    assert_eq!((0..5).find_map(report).unwrap().duration, Duration::from_secs(30));
}

#[test]
fn gateway_and_local_failures_have_their_own_counts() {
    let settings = OutlierSettings { consecutive_5xx: 0, consecutive_gateway_failure: 3, ..outlier() };
    let u = guarded(settings, 2);
    let send = |status| u.report(&u.hosts[0], Outcome::Response(status), NOW, 0);
    assert!([500, 500, 500, 502, 503].map(send).iter().all(Option::is_none));
    assert_eq!(send(504).unwrap().cause, EjectionCause::ConsecutiveGatewayFailure);

    let settings = OutlierSettings { split_local_origin: true, consecutive_local_origin_failure: 2, ..outlier() };
    let u = guarded(settings, 2);
    let send = |outcome| u.report(&u.hosts[0], outcome, NOW, 0);
    assert_eq!(send(Outcome::Failed(LocalFailure::Timeout)), None);
    assert_eq!(send(Outcome::Connected), None);
    assert_eq!(send(Outcome::Failed(LocalFailure::Connect)), None);
    let cause = send(Outcome::Failed(LocalFailure::Reset)).unwrap().cause;
    assert_eq!(cause, EjectionCause::ConsecutiveLocalOriginFailure);
}

#[test]
fn enforcing_is_a_chance() {
    let u = guarded(OutlierSettings { enforcing_5xx: 30, ..outlier() }, 2);
    let report = |random| (0..5).find_map(|_| u.report(&u.hosts[0], Outcome::Response(500), NOW, random));
    assert_eq!(report(30), None);
    assert!(report(29).is_some());
}

#[test]
fn switching_detection_off_brings_everybody_back() {
    let before = guarded(outlier(), 2);
    fail(&before, 0, 5);
    let list = endpoints(vec![endpoint(1), endpoint(2)]);
    let after = Upstream::new(Arc::new(cluster(Balance::RoundRobin)), Some(&list), Some(&before));
    assert_eq!(after.state.ejected(), 0);
    assert!(after.hosts.iter().all(|h| h.is_available()));
}
