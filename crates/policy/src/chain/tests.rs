use std::sync::Arc;

use super::*;
use crate::config::{ChainKind, Direction, TcpChain, Weighted};

fn chain(name: &str, criteria: ChainMatch) -> FilterChain {
    let tcp = TcpChain {
        stat_prefix: "".into(),
        clusters: Weighted::single("c".into()),
        authz: Vec::new(),
        idle_timeout: None,
        max_connect_attempts: 1,
        max_duration: None,
        hash_source_ip: false,
    };
    let kind = ChainKind::Tcp(Arc::new(tcp));
    FilterChain { name: name.into(), criteria, tls: None, handshake_timeout: None, kind }
}

fn listener(chains: Vec<FilterChain>, default_chain: Option<FilterChain>) -> Listener {
    let own = crate::testing::listener("l", Direction::Inbound, "127.0.0.1:80".parse().unwrap(), true);
    Listener { chains, default_chain, ..own }
}

fn list(values: &[&str]) -> Vec<Arc<str>> {
    values.iter().map(|v| Arc::from(*v)).collect()
}

fn by_protocol(transport: Option<Transport>, protocols: &[&str]) -> ChainMatch {
    ChainMatch { transport, application_protocols: list(protocols), ..ChainMatch::default() }
}

fn by_name(names: &[&str]) -> ChainMatch {
    ChainMatch { server_names: list(names), ..ChainMatch::default() }
}

fn pick(l: &Listener, transport: Transport, sni: Option<&str>, protocols: &[&str]) -> Option<String> {
    let facts = ChainFacts { local: "10.0.0.1:8080".parse().unwrap(), transport, sni, protocols };
    l.choose(&facts).map(|c| c.name.to_string())
}

#[test]
fn a_permissive_inbound_listener() {
    let l = listener(
        vec![
            chain("mtls-http", by_protocol(Some(Transport::Tls), &["istio-http/1.1", "istio-h2"])),
            chain("mtls-tcp", by_protocol(Some(Transport::Tls), &["istio"])),
            chain("app-tls", by_protocol(Some(Transport::Tls), &[])),
            chain("http", by_protocol(Some(Transport::Raw), &["http/1.1", "h2c"])),
            chain("tcp", by_protocol(Some(Transport::Raw), &[])),
        ],
        None,
    );
    let pick = |t, p: &[&str]| pick(&l, t, None, p).unwrap();
    assert_eq!(pick(Transport::Tls, &["istio-h2", "h2"]), "mtls-http");
    assert_eq!(pick(Transport::Tls, &["istio"]), "mtls-tcp");
    assert_eq!(pick(Transport::Tls, &["h2", "http/1.1"]), "app-tls");
    assert_eq!(pick(Transport::Tls, &[]), "app-tls");
    assert_eq!(pick(Transport::Raw, &["h2c"]), "http");
    assert_eq!(pick(Transport::Raw, &[]), "tcp");
}

#[test]
fn names_from_specific_to_general() {
    let l = listener(
        vec![
            chain("any", ChainMatch::default()),
            chain("com", by_name(&[".com"])),
            chain("example", by_name(&[".example.com"])),
            chain("api", by_name(&["api.example.com", "other.org"])),
        ],
        None,
    );
    let pick = |sni| pick(&l, Transport::Tls, sni, &[]).unwrap();
    assert_eq!(pick(Some("api.example.com")), "api");
    assert_eq!(pick(Some("www.example.com")), "example");
    assert_eq!(pick(Some("a.b.example.com")), "example");
    assert_eq!(pick(Some("example.com")), "com");
    assert_eq!(pick(Some("example.net")), "any");
    assert_eq!(pick(None), "any");
}

#[test]
fn there_is_no_way_back() {
    // The name decides before the protocol: once a chain has the exact name, one without names is out.
    let named = ChainMatch { application_protocols: list(&["h2"]), ..by_name(&["a.com"]) };
    let l = listener(
        vec![chain("named", named), chain("any", ChainMatch::default())],
        Some(chain("default", ChainMatch::default())),
    );
    assert_eq!(pick(&l, Transport::Tls, Some("a.com"), &["h2"]).unwrap(), "named");
    assert_eq!(pick(&l, Transport::Tls, Some("a.com"), &["http/1.1"]).unwrap(), "default");
    assert_eq!(pick(&l, Transport::Tls, Some("b.com"), &["http/1.1"]).unwrap(), "any");
    let l = listener(vec![chain("named", by_name(&["a.com"]))], None);
    assert_eq!(pick(&l, Transport::Tls, None, &[]), None);
}

#[test]
fn ports_and_ranges_come_first() {
    let range = |s: &str, bits| vec![Cidr { network: s.parse().unwrap(), bits }];
    let l = listener(
        vec![
            chain("port", ChainMatch { destination_port: Some(8080), ..by_name(&["a.com"]) }),
            chain(
                "wide",
                ChainMatch { destination_port: Some(8080), destination: range("10.0.0.0", 8), ..ChainMatch::default() },
            ),
            chain(
                "narrow",
                ChainMatch {
                    destination_port: Some(8080),
                    destination: range("10.0.0.0", 24),
                    ..ChainMatch::default()
                },
            ),
            chain("rest", ChainMatch::default()),
        ],
        None,
    );
    assert_eq!(pick(&l, Transport::Tls, Some("a.com"), &[]).unwrap(), "narrow");
    let facts = ChainFacts::<&str> {
        local: "10.9.0.1:8080".parse().unwrap(),
        transport: Transport::Raw,
        sni: None,
        protocols: &[],
    };
    assert_eq!(&*l.choose(&facts).unwrap().name, "wide");
    let facts = ChainFacts { local: "10.9.0.1:9090".parse().unwrap(), ..facts };
    assert_eq!(&*l.choose(&facts).unwrap().name, "rest");
}

#[test]
fn only_chains_of_the_port_are_candidates() {
    let port = |port, more: ChainMatch| ChainMatch { destination_port: Some(port), ..more };
    let chains = vec![
        chain("80", port(80, ChainMatch::default())),
        chain("81-tls", port(81, ChainMatch { transport: Some(Transport::Tls), ..ChainMatch::default() })),
        chain("any", by_name(&["a"])),
    ];
    let l = listener(chains, Some(chain("default", ChainMatch::default())));
    let names = |port| l.candidates(port).map(|c| c.name.to_string()).collect::<Vec<_>>();
    assert_eq!(names(80), ["80"]);
    assert_eq!(names(81), ["81-tls", "default"]);
    assert_eq!(names(82), ["any", "default"]);
}
