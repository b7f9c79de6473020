use std::{collections::HashMap, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::{
    config::Endpoint,
    testing::{address, cluster, endpoint, outlier, upstream},
    upstream::{LocalFailure, Outcome},
};

const RING: Balance = Balance::RingHash { minimum: 1024, maximum: 1 << 16 };
const MAGLEV: Balance = Balance::Maglev { table: 65_537 };
const P2C: Balance = Balance::LeastRequest { choices: 2 };

fn weighted(last: u16, weight: u32) -> Endpoint {
    Endpoint { weight, ..endpoint(last) }
}

fn with_health(last: u16, health: Health) -> Endpoint {
    Endpoint { health, ..endpoint(last) }
}

fn at(priority: u32, last: u16) -> Endpoint {
    Endpoint { priority, ..endpoint(last) }
}

fn counts(upstream: &Upstream, picks: u64) -> HashMap<String, u64> {
    let mut out = HashMap::new();
    for n in 0..picks {
        let host = upstream.pick(&PickRequest { random: mix(n), ..PickRequest::default() }).unwrap();
        *out.entry(host.address().to_string()).or_default() += 1;
    }
    out
}

fn count(counts: &HashMap<String, u64>, last: u16) -> u64 {
    counts.get(&address(last).to_string()).copied().unwrap_or(0)
}

fn eject(upstream: &Upstream, at: usize) {
    let host = upstream.hosts[at].clone();
    for _ in 0..5 {
        upstream.report(&host, Outcome::Failed(LocalFailure::Connect), Duration::from_secs(1), 0);
    }
    assert!(host.state.is_ejected());
}

#[test]
fn xxh64_gives_the_published_values() {
    assert_eq!(xxh64(b"", 0), 0xef46_db37_51d8_e999);
    assert_eq!(xxh64(b"a", 0), 0xd24e_c4f1_a98c_6e5b);
    assert_eq!(xxh64(b"abc", 0), 0x44bc_2cf5_ad77_0999);
    assert_eq!(xxh64(b"Nobody inspects the spammish repetition", 0), 0xfbce_a83c_8a37_8bf1);
}

#[test]
fn round_robin_is_exact_and_smooth() {
    let u = upstream(cluster(Balance::RoundRobin), vec![weighted(1, 5), weighted(2, 1), weighted(3, 1)]);
    let order: Vec<String> = (0..7).map(|_| u.pick(&PickRequest::default()).unwrap().address().to_string()).collect();
    let a = address(1).to_string();
    assert_eq!(order.iter().filter(|o| **o == a).count(), 5);
    // nginx's example: a a b a c a a, never all five in a row.
    assert!(order.windows(4).all(|w| w.iter().any(|o| *o != a)));
    let c = counts(&u, 7000);
    assert_eq!((count(&c, 1), count(&c, 2), count(&c, 3)), (5000, 1000, 1000));
}

#[test]
fn huge_weights_are_scaled() {
    let u =
        upstream(cluster(Balance::RoundRobin), vec![weighted(1, u32::MAX), weighted(2, u32::MAX / 3), weighted(3, 1)]);
    let c = counts(&u, 4096 * 3);
    assert!((count(&c, 1) as f64 / count(&c, 2) as f64 - 3.0).abs() < 0.05);
    assert!(count(&c, 3) > 0);
}

#[test]
fn random_follows_the_weights() {
    let u = upstream(cluster(Balance::Random), vec![weighted(1, 9), weighted(2, 1)]);
    let share = count(&counts(&u, 20_000), 2) as f64 / 20_000.0;
    assert!((share - 0.1).abs() < 0.01, "{share}");
}

#[test]
fn least_request_prefers_the_idle_host() {
    let u = upstream(cluster(P2C), vec![endpoint(1), endpoint(2)]);
    let busy: Vec<_> = (0..10).map(|_| u.hosts[0].begin()).collect();
    let c = counts(&u, 10_000);
    // The busy host only wins when it is drawn twice.
    assert!((count(&c, 1) as f64 / 10_000.0 - 0.25).abs() < 0.02, "{c:?}");
    drop(busy);
    assert_eq!(u.hosts[0].state.active(), 0);
    let c = counts(&u, 10_000);
    assert!((count(&c, 1) as f64 / 10_000.0 - 0.5).abs() < 0.26);
}

#[test]
fn consistent_hashes_move_little() {
    for policy in [RING, MAGLEV] {
        let before = upstream(cluster(policy), (1..=10).map(endpoint).collect());
        let after = upstream(cluster(policy), (1..=9).map(endpoint).collect());
        let mut moved = 0;
        let mut per_host: HashMap<String, u32> = HashMap::new();
        for n in 0..2000 {
            let request = PickRequest { hash: Some(mix(n)), random: n, ..PickRequest::default() };
            let (a, b) = (before.pick(&request).unwrap().address(), after.pick(&request).unwrap().address());
            assert_eq!(a, before.pick(&PickRequest { random: !n, ..request }).unwrap().address());
            *per_host.entry(a.to_string()).or_default() += 1;
            moved += u32::from(a != b);
        }
        assert!(moved < 2000 * 2 / 10, "{policy:?} moved {moved}");
        assert_eq!(per_host.len(), 10, "{policy:?}");
        assert!(per_host.values().all(|n| (100..320).contains(n)), "{policy:?} {per_host:?}");
    }
}

#[test]
fn an_ejected_hosts_keys_go_to_others_and_come_back() {
    let mut settings = cluster(RING);
    settings.outlier = Some(outlier());
    let u = upstream(settings, (1..=4).map(endpoint).collect());
    let pick = |n| u.pick(&PickRequest { hash: Some(mix(n)), ..PickRequest::default() }).unwrap().address().clone();
    let before: Vec<_> = (0..500).map(pick).collect();
    eject(&u, 0);
    for (n, was) in before.iter().enumerate() {
        let now = pick(n as u64);
        assert_ne!(now, address(1));
        assert!(*was == address(1) || now == *was);
    }
}

#[test]
fn priorities_fail_over_by_health() {
    // Priority 0: half of the hosts healthy, so 0.5 × 1.4 = 70 % stays.
    let mut list = vec![at(0, 1), at(1, 3)];
    list.push(Endpoint { health: Health::Unhealthy, ..at(0, 2) });
    let u = upstream(cluster(Balance::RoundRobin), list);
    let share = count(&counts(&u, 10_000), 1) as f64 / 10_000.0;
    assert!((share - 0.7).abs() < 0.02, "{share}");
    assert_eq!(count(&counts(&u, 1000), 2), 0);
    let u = upstream(cluster(Balance::RoundRobin), vec![at(0, 1), at(1, 2)]);
    assert_eq!(count(&counts(&u, 1000), 1), 1000);
}

#[test]
fn degraded_hosts_come_after_healthy_ones() {
    let list = vec![with_health(1, Health::Unhealthy), with_health(2, Health::Degraded)];
    let u = upstream(cluster(P2C), list);
    assert_eq!(count(&counts(&u, 100), 2), 100);
    let u = upstream(cluster(P2C), vec![endpoint(1), with_health(2, Health::Degraded)]);
    let share = count(&counts(&u, 10_000), 1) as f64 / 10_000.0;
    assert!((share - 0.7).abs() < 0.02, "{share}");
}

#[test]
fn panic_uses_everyone_only_above_zero_threshold() {
    let list = || (1..=10).map(|n| if n == 1 { endpoint(n) } else { with_health(n, Health::Unhealthy) }).collect();
    let u = upstream(cluster(Balance::RoundRobin), list());
    assert_eq!(count(&counts(&u, 1000), 1), 1000);
    let panicky = Cluster { panic_threshold: 50.0, ..cluster(Balance::RoundRobin) };
    let u = upstream(panicky, list());
    assert_eq!(count(&counts(&u, 1000), 7), 100);
}

#[test]
fn nobody_left_is_an_error() {
    let u = upstream(cluster(P2C), vec![with_health(1, Health::Unhealthy), with_health(2, Health::Draining)]);
    assert_eq!(u.pick(&PickRequest::default()).unwrap_err(), NoHost::Unhealthy);
    assert_eq!(upstream(cluster(P2C), vec![]).pick(&PickRequest::default()).unwrap_err(), NoHost::Empty);
    let panicky = Cluster { panic_threshold: 100.0, ..cluster(P2C) };
    let u = upstream(panicky, vec![with_health(1, Health::Draining)]);
    assert_eq!(u.pick(&PickRequest::default()).unwrap_err(), NoHost::Unhealthy);
}

#[test]
fn tried_hosts_are_avoided_while_there_are_others() {
    for policy in [Balance::RoundRobin, P2C, Balance::Random, RING, MAGLEV] {
        let u = upstream(cluster(policy), (1..=3).map(endpoint).collect());
        for n in 0..200 {
            let avoid = [u.hosts[0].clone(), u.hosts[2].clone()];
            let request = PickRequest { random: mix(n), hash: Some(mix(n)), avoid: &avoid, ..PickRequest::default() };
            assert_eq!(*u.pick(&request).unwrap().address(), address(2), "{policy:?}");
        }
        let request = PickRequest { avoid: &u.hosts, ..PickRequest::default() };
        assert!(u.pick(&request).is_ok(), "{policy:?}");
    }
    let u = upstream(cluster(P2C), vec![at(0, 1), at(0, 2), at(1, 3)]);
    let avoid = [u.hosts[0].clone()];
    let request = PickRequest { avoid: &avoid, avoid_priorities: true, ..PickRequest::default() };
    assert_eq!(*u.pick(&request).unwrap().address(), address(3));
}

#[test]
fn localities_share_by_weight() {
    let place = |region: &str| Arc::new(crate::config::Locality { region: region.into(), ..Default::default() });
    let in_locality =
        |last, name: &str, weight| Endpoint { locality: place(name), locality_weight: Some(weight), ..endpoint(last) };
    let list = vec![in_locality(1, "a", 80), in_locality(2, "b", 20), in_locality(3, "b", 20), in_locality(4, "c", 0)];
    let u = upstream(Cluster { locality_weighted: true, ..cluster(Balance::Random) }, list);
    let c = counts(&u, 20_000);
    assert!((count(&c, 1) as f64 / 20_000.0 - 0.8).abs() < 0.02, "{c:?}");
    assert_eq!(count(&c, 4), 0);
}

fn health() -> impl Strategy<Value = Health> {
    prop_oneof![
        4 => Just(Health::Healthy),
        1 => Just(Health::Degraded),
        1 => Just(Health::Unhealthy),
        1 => Just(Health::Draining),
    ]
}

fn policy() -> impl Strategy<Value = Balance> {
    prop_oneof![
        Just(Balance::RoundRobin),
        Just(P2C),
        Just(Balance::Random),
        Just(Balance::RingHash { minimum: 64, maximum: 1024 }),
        Just(Balance::Maglev { table: 251 }),
    ]
}

proptest! {
    #[test]
    fn never_picks_who_is_out(
        policy in policy(),
        hosts in prop::collection::vec((health(), 1u32..20, 0u32..3, any::<bool>()), 0..12),
        threshold in prop_oneof![Just(0.0), Just(50.0)],
        randoms in prop::collection::vec(any::<u64>(), 20),
    ) {
        let list = hosts.iter().enumerate().map(|(i, (health, weight, priority, _))| Endpoint {
            health: *health, weight: *weight, priority: *priority, ..endpoint(i as u16)
        });
        let settings = Cluster {
            panic_threshold: threshold,
            outlier: Some(crate::config::OutlierSettings { max_ejection_percent: 100, ..outlier() }),
            ..cluster(policy)
        };
        let u = upstream(settings, list.collect());
        for (i, (_, _, _, out)) in hosts.iter().enumerate() {
            if *out {
                eject(&u, i);
            }
        }
        let available = u.hosts.iter().filter(|h| h.is_available()).count();
        for random in randoms {
            match u.pick(&PickRequest { random, hash: Some(mix(random)), ..PickRequest::default() }) {
                Ok(host) if threshold == 0.0 => prop_assert!(host.is_available()),
                Ok(host) => prop_assert!(host.endpoint.health != Health::Draining),
                Err(NoHost::Empty) => prop_assert!(hosts.is_empty()),
                Err(NoHost::Unhealthy) => prop_assert!(available == 0),
            }
        }
    }
}
