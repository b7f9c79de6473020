use super::*;
use crate::{
    config::{Balance, Endpoint},
    testing::{address, cluster, endpoint, endpoints},
};

fn put(list: Vec<(&str, Resource)>) -> Delta {
    Delta { put: list.into_iter().map(|(n, r)| (n.into(), r)).collect(), remove: Vec::new() }
}

fn remove(kind: Kind, name: &str) -> Delta {
    Delta { put: Vec::new(), remove: vec![(kind, name.into())] }
}

fn vhost(name: &str, domains: &[&str]) -> Resource {
    let domains = domains.iter().map(|d| Arc::from(*d)).collect();
    Resource::VirtualHost(Arc::new(VirtualHost { name: name.into(), domains, ..VirtualHost::default() }))
}

fn table(name: &str) -> Resource {
    Resource::RouteConfig(Arc::new(RouteTable::awaited(name.into())))
}

fn found(config: &Config, table: &str, authority: &str) -> Option<String> {
    config.route_table(table)?.virtual_host(authority).map(|h| h.name.to_string())
}

const NAME: &str = "outbound|8080||a";

#[test]
fn virtual_hosts_and_their_table_may_come_in_any_order() {
    let config = Config::default().update(put(vec![("8080/a:8080", vhost("one", &["a", "a:8080"]))]));
    assert!(config.route_table("8080").is_none());
    let config = config.update(put(vec![("8080", table("8080"))]));
    assert_eq!(found(&config, "8080", "a:8080").as_deref(), Some("one"));
    // A new version of the table keeps what VHDS delivered.
    let config = config.update(put(vec![("8080", table("8080")), ("8080/b:8080", vhost("two", &["b"]))]));
    assert_eq!(found(&config, "8080", "a").as_deref(), Some("one"));
    assert_eq!(found(&config, "8080", "b").as_deref(), Some("two"));
    let config = config.update(remove(Kind::RouteConfig, "8080"));
    assert!(config.route_table("8080").is_none() && config.route_tables().count() == 0);
    let config = config.update(remove(Kind::VirtualHost, "8080/a:8080"));
    let config = config.update(put(vec![("8080", table("8080"))]));
    assert_eq!(found(&config, "8080", "a"), None);
    assert_eq!(found(&config, "8080", "b").as_deref(), Some("two"));
    let config = config.update(remove(Kind::VirtualHost, "8080/b:8080"));
    assert_eq!(config.route_table("8080").unwrap().hosts().len(), 0);
}

fn listener(name: &str, direction: Direction, address: &str, bind: bool) -> (Arc<str>, Resource) {
    let listener = crate::testing::listener(name, direction, address.parse().unwrap(), bind);
    (name.into(), Resource::Listener(Arc::new(listener)))
}

#[test]
fn a_destination_finds_its_unbound_listener() {
    let put = vec![
        listener("exact", Direction::Outbound, "10.0.0.7:80", false),
        listener("all", Direction::Outbound, "0.0.0.0:80", false),
        listener("all6", Direction::Outbound, "[::]:81", false),
        listener("bound", Direction::Outbound, "0.0.0.0:82", true),
    ];
    let config = Config::default().update(Delta { put, remove: Vec::new() });
    let found = |direction, address: &str| {
        config.captured(direction, address.parse().unwrap()).map(|listener| listener.name.to_string())
    };
    let out = |address| found(Direction::Outbound, address);
    assert_eq!(out("10.0.0.7:80").as_deref(), Some("exact"));
    assert_eq!(out("10.0.0.8:80").as_deref(), Some("all"));
    assert_eq!(out("[fd00::1]:80").as_deref(), Some("all"));
    assert_eq!(out("10.0.0.8:81").as_deref(), Some("all6"));
    assert_eq!((out("10.0.0.8:82"), found(Direction::Inbound, "10.0.0.7:80")), (None, None));
    let config = config.update(remove(Kind::Listener, "exact"));
    let all = config.captured(Direction::Outbound, "10.0.0.7:80".parse().unwrap());
    assert_eq!(&*all.unwrap().name, "all");
}

#[test]
fn a_route_edit_shares_everything_else() {
    let hosts: Vec<(String, Resource)> = (0..500)
        .map(|i| (format!("8080/h{i}:8080"), vhost(&format!("h{i}"), &[&format!("h{i}"), &format!("h{i}:8080")])))
        .collect();
    let mut delta = put(hosts.iter().map(|(n, r)| (n.as_str(), r.clone())).collect());
    delta.put.push(("8080".into(), table("8080")));
    delta.put.push((NAME.into(), Resource::Cluster(Arc::new(cluster(Balance::RoundRobin)))));
    let before = Config::default().update(delta);
    let after = before.update(put(vec![("8080/h7:8080", vhost("new", &["h7", "h7:8080"]))]));
    assert_eq!(found(&after, "8080", "h7").as_deref(), Some("new"));
    assert_eq!(found(&before, "8080", "h7").as_deref(), Some("h7"), "the old version is as it was");
    assert_eq!(found(&after, "8080", "h499:8080").as_deref(), Some("h499"));
    assert!(Arc::ptr_eq(&before.upstreams, &after.upstreams));
    let resource = after.route_table("8080").unwrap().delivered("8080/h7:8080").unwrap();
    assert_eq!(&*resource.name, "new");
    // Other domains: the index follows.
    let after = after.update(put(vec![("8080/h7:8080", vhost("moved", &["elsewhere"]))]));
    assert_eq!(found(&after, "8080", "h7"), None);
    assert_eq!(found(&after, "8080", "elsewhere").as_deref(), Some("moved"));
}

#[test]
fn changes_of_one_batch_do_not_confuse_each_other() {
    let delta = put(vec![
        ("t", table("t")),
        ("t/a", vhost("a", &["a"])),
        ("t/b", vhost("b", &["b"])),
        ("t/c", vhost("c", &["c"])),
    ]);
    let config = Config::default().update(delta);
    let mut delta = put(vec![("t/c", vhost("c2", &["c"])), ("t/d", vhost("d", &["d"])), ("t/d", vhost("d2", &["d"]))]);
    delta.remove.push((Kind::VirtualHost, "t/a".into()));
    let config = config.update(delta);
    let all: Vec<_> = ["a", "b", "c", "d"].map(|a| found(&config, "t", a)).into();
    assert_eq!(all, [None, Some("b".into()), Some("c2".into()), Some("d2".into())]);
}

#[test]
fn clusters_and_endpoints_may_come_in_any_order() {
    let list = |last| Resource::Endpoints(endpoints(vec![endpoint(last)]));
    let config = Config::default().update(put(vec![(NAME, list(1))]));
    assert!(config.upstream(NAME).is_none());
    let config = config.update(put(vec![(NAME, Resource::Cluster(Arc::new(cluster(Balance::RoundRobin))))]));
    let first = config.upstream(NAME).unwrap().clone();
    assert_eq!(*first.hosts[0].address(), address(1));
    let config = config.update(put(vec![(NAME, list(2))]));
    let second = config.upstream(NAME).unwrap();
    assert_eq!(*second.hosts[0].address(), address(2));
    assert!(Arc::ptr_eq(&first.state, &second.state));
    let config = config.update(remove(Kind::Endpoints, NAME));
    assert!(config.upstream(NAME).unwrap().hosts.is_empty());
    let config = config.update(remove(Kind::Cluster, NAME));
    assert!(config.upstream(NAME).is_none());
}

#[test]
fn unchanged_hosts_are_shared() {
    let many = |weight| {
        let list = (1..=3).map(|n| Endpoint { weight: if n == 1 { weight } else { 1 }, ..endpoint(n) });
        Resource::Endpoints(endpoints(list.collect()))
    };
    let cluster = Resource::Cluster(Arc::new(cluster(Balance::RoundRobin)));
    let before = Config::default().update(put(vec![(NAME, cluster), (NAME, many(1))]));
    let after = before.update(put(vec![(NAME, many(2))]));
    let (b, a) = (before.upstream(NAME).unwrap(), after.upstream(NAME).unwrap());
    assert!(!Arc::ptr_eq(&b.hosts[0], &a.hosts[0]) && Arc::ptr_eq(&b.hosts[0].state, &a.hosts[0].state));
    assert!(Arc::ptr_eq(&b.hosts[1], &a.hosts[1]));
}

#[test]
fn workloads_are_found_by_address() {
    let row = |uid: &str, ips: &[&str]| {
        let addresses = ips.iter().map(|i| i.parse().unwrap()).collect();
        Resource::Workload(Arc::new(WorkloadRow { uid: uid.into(), addresses, ..WorkloadRow::default() }))
    };
    let uid = |c: &Config, ip: &str| c.workload(ip.parse().unwrap()).map(|w| w.uid.to_string());
    let config = Config::default().update(put(vec![("a", row("a", &["127.0.0.1", "fd00::1"]))]));
    assert_eq!(uid(&config, "::ffff:127.0.0.1").as_deref(), Some("a"));
    assert_eq!(uid(&config, "fd00::1").as_deref(), Some("a"));
    // The address moves to another workload before its old one is gone.
    let config = config.update(put(vec![("b", row("b", &["127.0.0.1"]))]));
    let config = config.update(remove(Kind::Workload, "a"));
    assert_eq!(uid(&config, "127.0.0.1").as_deref(), Some("b"));
    assert_eq!(uid(&config, "fd00::1"), None);
}

#[test]
fn type_urls_are_distinct() {
    for kind in Kind::EVERY {
        assert_eq!(Kind::from_type_url(kind.type_url()), Some(kind));
    }
    assert_eq!(Kind::from_type_url("type.googleapis.com/x"), None);
}
