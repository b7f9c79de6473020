use std::{sync::Arc, time::Duration};

use envoy_types::pb::{
    envoy::{
        config::{
            cluster::v3::{self as cluster, Cluster, OutlierDetection, circuit_breakers::Thresholds},
            core::v3::{self as core, Address, SocketAddress, address, socket_address},
            endpoint::v3::{ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints, lb_endpoint},
            listener::v3::{Filter, FilterChain, FilterChainMatch, Listener, filter},
            route::v3::{self as route, RouteConfiguration, RouteMatch, VirtualHost, route_match::PathSpecifier},
        },
        extensions::{
            filters::network::tcp_proxy::v3::{TcpProxy, tcp_proxy},
            transport_sockets::tls::v3::{Secret, TlsCertificate, secret},
        },
        r#type::matcher::v3::{RegexMatchAndSubstitute, RegexMatcher},
    },
    google::protobuf::{self, Any, UInt32Value},
};
use proptest::prelude::*;
use prost::{Message, Name};

use super::*;
use crate::config::{Action, ChainKind, Config, Delta, Discovery, PathRewrite, SecretContent};

fn number(value: u32) -> Option<UInt32Value> {
    Some(UInt32Value { value })
}

fn socket(ip: &str, port: u32) -> Option<Address> {
    Some(Address {
        address: Some(address::Address::SocketAddress(SocketAddress {
            address: ip.into(),
            port_specifier: Some(socket_address::PortSpecifier::PortValue(port)),
            ..SocketAddress::default()
        })),
    })
}

fn read_as<M: Message>(kind: Kind, name: &str, message: &M) -> Result<Resource> {
    read(kind, &name.into(), &message.encode_to_vec())
}

fn refusal<M: Message>(kind: Kind, name: &str, message: &M) -> String {
    read_as(kind, name, message).unwrap_err().to_string()
}

fn eds() -> Cluster {
    Cluster {
        name: "c".into(),
        cluster_discovery_type: Some(cluster::cluster::ClusterDiscoveryType::Type(3)),
        ..Cluster::default()
    }
}

fn to(cluster: &str) -> route::route::Action {
    route::route::Action::Route(route::RouteAction {
        cluster_specifier: Some(route::route_action::ClusterSpecifier::Cluster(cluster.into())),
        ..route::RouteAction::default()
    })
}

fn plain_route(action: route::route::Action) -> route::Route {
    route::Route {
        r#match: Some(RouteMatch { path_specifier: Some(PathSpecifier::Prefix("/".into())), ..RouteMatch::default() }),
        action: Some(action),
        ..route::Route::default()
    }
}

fn host(routes: Vec<route::Route>) -> VirtualHost {
    VirtualHost { name: "h".into(), domains: vec!["H.example.com".into()], routes, ..VirtualHost::default() }
}

fn tcp_listener() -> Listener {
    let proxy =
        TcpProxy { cluster_specifier: Some(tcp_proxy::ClusterSpecifier::Cluster("c".into())), ..TcpProxy::default() };
    let any = Any { type_url: TcpProxy::type_url(), value: proxy.encode_to_vec() };
    let filter = Filter { name: "tcp".into(), config_type: Some(filter::ConfigType::TypedConfig(any)) };
    Listener {
        name: "l".into(),
        address: socket("127.0.0.1", 80),
        filter_chains: vec![FilterChain { filters: vec![filter], ..FilterChain::default() }],
        ..Listener::default()
    }
}

#[test]
fn a_cluster_with_envoys_defaults() {
    let Ok(Resource::Cluster(c)) = read_as(Kind::Cluster, "c", &eds()) else { panic!() };
    assert!(matches!(&c.discovery, Discovery::Eds(name) if &**name == "c"));
    assert_eq!((c.connect_timeout, c.panic_threshold), (Duration::from_secs(5), 50.0));
    assert_eq!((c.limits.connections, c.limits.retries, c.outlier), (1024, 3, None));
}

#[test]
fn limits_and_outlier_detection() {
    let mut message = eds();
    message.circuit_breakers = Some(cluster::CircuitBreakers {
        thresholds: vec![Thresholds {
            max_connections: number(100),
            max_pending_requests: number(50),
            ..Thresholds::default()
        }],
        ..Default::default()
    });
    message.outlier_detection = Some(OutlierDetection {
        consecutive_5xx: number(5),
        base_ejection_time: Some(protobuf::Duration { seconds: 400, nanos: 0 }),
        max_ejection_percent: number(50),
        ..OutlierDetection::default()
    });
    let Ok(Resource::Cluster(c)) = read_as(Kind::Cluster, "c", &message) else { panic!() };
    assert_eq!((c.limits.connections, c.limits.pending, c.limits.requests), (100, 50, 1024));
    let outlier = c.outlier.unwrap();
    assert_eq!((outlier.consecutive_5xx, outlier.max_ejection_percent, outlier.enforcing_gateway_failure), (5, 50, 0));
    assert!(!outlier.always_eject_one, "the share holds unless the configuration says otherwise");
    assert_eq!((outlier.interval, outlier.max_ejection), (Duration::from_secs(10), Duration::from_secs(400)));
}

#[test]
fn refusals_name_the_field() {
    let mut c = eds();
    c.health_checks = vec![core::HealthCheck::default()];
    assert_eq!(refusal(Kind::Cluster, "c", &c), "health_checks: not supported by this proxy");
    assert_eq!(refusal(Kind::Cluster, "other", &eds()), "name: \"c\" is not the resource's name \"other\"");
    let dns = Cluster { cluster_discovery_type: Some(cluster::cluster::ClusterDiscoveryType::Type(1)), ..eds() };
    assert_eq!(refusal(Kind::Cluster, "c", &dns), "type: DNS discovery is not supported");
    assert_eq!(refusal(Kind::Cluster, "c", &Cluster { lb_policy: 99, ..eds() }), "lb_policy: unknown value 99");
    let mut c = eds();
    c.typed_extension_protocol_options.insert("x".into(), Any::default());
    assert_eq!(refusal(Kind::Cluster, "c", &c), "typed_extension_protocol_options: \"x\" is not supported");

    let regex = PathSpecifier::SafeRegex(RegexMatcher { regex: "(".into(), ..RegexMatcher::default() });
    let mut bad = plain_route(to("c"));
    bad.r#match = Some(RouteMatch { path_specifier: Some(regex), ..RouteMatch::default() });
    let error = refusal(Kind::VirtualHost, "80/h", &host(vec![plain_route(to("c")), bad]));
    assert_eq!(error, "routes[1].match.safe_regex: bad regular expression: unclosed group");
    assert!(refusal(Kind::VirtualHost, "h", &host(vec![])).contains("<route configuration>/<virtual host>"));

    let endpoint = LbEndpoint {
        host_identifier: Some(lb_endpoint::HostIdentifier::Endpoint(Endpoint {
            address: socket("example.com", 80),
            ..Endpoint::default()
        })),
        ..LbEndpoint::default()
    };
    let group = LocalityLbEndpoints { lb_endpoints: vec![endpoint], ..LocalityLbEndpoints::default() };
    let cla = ClusterLoadAssignment { cluster_name: "c".into(), endpoints: vec![group], ..Default::default() };
    let wanted =
        "endpoints[0].lb_endpoints[0].endpoint.address.socket_address.address: \"example.com\" is not an IP address";
    assert_eq!(refusal(Kind::Endpoints, "c", &cla), wanted);
    assert!(read(Kind::Listener, &"l".into(), b"\xff").unwrap_err().to_string().contains("not a valid message"));
}

#[test]
fn listeners() {
    let Ok(Resource::Listener(l)) = read_as(Kind::Listener, "l", &tcp_listener()) else { panic!() };
    assert_eq!(l.address, "127.0.0.1:80".parse().unwrap());
    assert!(!l.peek() && l.bind);
    let ChainKind::Tcp(tcp) = &l.chains[0].kind else { panic!() };
    assert_eq!(tcp.idle_timeout, Some(Duration::from_secs(3600)));
    let mut twice = tcp_listener();
    twice.filter_chains.push(twice.filter_chains[0].clone());
    assert_eq!(refusal(Kind::Listener, "l", &twice), "filter_chains[1]: has the same criteria as filter_chains[0]");
    let mut sourced = tcp_listener();
    sourced.filter_chains[0].filter_chain_match =
        Some(FilterChainMatch { source_ports: vec![1], ..FilterChainMatch::default() });
    let wanted = "filter_chains[0].filter_chain_match.source_ports: not supported by this proxy";
    assert_eq!(refusal(Kind::Listener, "l", &sourced), wanted);
    let mut odd = tcp_listener();
    let any = Any { type_url: "type.googleapis.com/x.Y".into(), value: Vec::new() };
    odd.filter_chains[0].filters[0].config_type = Some(filter::ConfigType::TypedConfig(any));
    assert_eq!(refusal(Kind::Listener, "l", &odd), "filter_chains[0].filters[0]: filter x.Y is not supported here");
}

#[test]
fn routes_and_their_defaults() {
    let mut action = route::RouteAction {
        cluster_specifier: Some(route::route_action::ClusterSpecifier::Cluster("c".into())),
        regex_rewrite: Some(RegexMatchAndSubstitute {
            pattern: Some(RegexMatcher { regex: "/a/(.*)".into(), ..RegexMatcher::default() }),
            substitution: r"/b/$\1\\".into(),
        }),
        ..route::RouteAction::default()
    };
    let message = host(vec![plain_route(route::route::Action::Route(action.clone()))]);
    let Ok(Resource::VirtualHost(h)) = read_as(Kind::VirtualHost, "80/h", &message) else { panic!() };
    assert_eq!(&*h.domains[0], "h.example.com");
    let Action::Forward(forward) = &h.routes[0].action else { panic!() };
    assert_eq!((forward.timeout, forward.clusters.total), (Some(Duration::from_secs(15)), 1));
    let Some(PathRewrite::Regex(regex, with)) = &forward.path else { panic!() };
    assert_eq!(regex.replace("/a/x", &**with), "/b/$x\\");
    action.regex_rewrite.as_mut().unwrap().substitution = r"\2".into();
    let error = refusal(Kind::VirtualHost, "80/h", &host(vec![plain_route(route::route::Action::Route(action))]));
    assert_eq!(error, "routes[0].route.regex_rewrite.substitution: the pattern has no group 2");
}

#[test]
fn a_table_takes_hosts_inline_or_one_by_one() {
    let message = RouteConfiguration {
        name: "80".into(),
        virtual_hosts: vec![host(vec![plain_route(to("c"))])],
        ..RouteConfiguration::default()
    };
    let resource = read_as(Kind::RouteConfig, "80", &message).unwrap();
    let config = Config::default().update(Delta { put: vec![("80".into(), resource)], remove: Vec::new() });
    assert!(config.route_table("80").unwrap().virtual_host("h.example.com").is_some());
    let mut twice = message;
    twice.virtual_hosts.push(VirtualHost { name: "g".into(), ..host(vec![]) });
    let error = refusal(Kind::RouteConfig, "80", &twice);
    assert_eq!(error, "virtual_hosts: two virtual hosts claim the domain \"h.example.com\"");
}

fn data(text: &str) -> Option<core::DataSource> {
    let specifier = Some(core::data_source::Specifier::InlineString(text.into()));
    Some(core::DataSource { specifier, ..core::DataSource::default() })
}

#[test]
fn secrets_are_never_shown() {
    let pem = "-----BEGIN PRIVATE KEY-----\nVERYSECRET\n-----END PRIVATE KEY-----\n";
    let certificate = |key: &str| Secret {
        name: "kubernetes://a".into(),
        r#type: Some(secret::Type::TlsCertificate(TlsCertificate {
            certificate_chain: data("-----BEGIN CERTIFICATE-----\n"),
            private_key: data(key),
            ..TlsCertificate::default()
        })),
    };
    let resource = read_as(Kind::Secret, "kubernetes://a", &certificate(pem)).unwrap();
    assert!(!format!("{resource:?}").contains("SECRET"));
    let Resource::Secret(secret) = resource else { panic!() };
    assert!(matches!(&secret.content, SecretContent::Certificate { key, .. } if **key == *pem.as_bytes()));
    let error = refusal(Kind::Secret, "kubernetes://a", &certificate("VERYSECRET"));
    assert_eq!(error, "tls_certificate.private_key: is not PEM");
}

#[test]
fn workloads() {
    let mut row = weft_wire::workload::Workload {
        uid: "k/w/ns/a".into(),
        namespace: "ns".into(),
        addresses: vec![vec![127, 0, 0, 1], vec![0; 16]],
        ..Default::default()
    };
    let Ok(Resource::Workload(w)) = read_as(Kind::Workload, "k/w/ns/a", &row) else { panic!() };
    assert_eq!(w.addresses, ["127.0.0.1".parse::<std::net::IpAddr>().unwrap(), "::".parse().unwrap()]);
    row.addresses[1] = vec![1, 2, 3];
    assert_eq!(refusal(Kind::Workload, "k/w/ns/a", &row), "addresses[1]: an address has 4 or 16 bytes, not 3");
}

#[test]
fn patterns_are_bounded() {
    let with = |regex: &str| strings::whole(&RegexMatcher { regex: regex.into(), ..RegexMatcher::default() });
    assert!(with(&"a".repeat(5000)).is_err());
    assert!(with("((a{100}){100}){100}").is_err());
    assert!(with("a)|(b").is_err());
    let both = with("a|b").unwrap();
    assert!(both.is_match("a") && !both.is_match("ax") && !both.is_match("xb"));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for kind in Kind::EVERY {
            let _ = read(kind, &"80/h".into(), &bytes);
        }
    }

    #[test]
    fn damaged_messages_never_panic(at in 0usize..400, byte in any::<u8>(), cut in 0usize..400) {
        let route = plain_route(to("c"));
        let messages: [(Kind, &str, Vec<u8>); 4] = [
            (Kind::Cluster, "c", eds().encode_to_vec()),
            (Kind::Listener, "l", tcp_listener().encode_to_vec()),
            (Kind::VirtualHost, "80/h", host(vec![route.clone()]).encode_to_vec()),
            (Kind::RouteConfig, "80", RouteConfiguration {
                name: "80".into(), virtual_hosts: vec![host(vec![route])], ..Default::default()
            }.encode_to_vec()),
        ];
        for (kind, name, mut bytes) in messages {
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            bytes.truncate(cut.max(1));
            let name: Arc<str> = name.into();
            if let Ok(resource) = read(kind, &name, &bytes) {
                let _ = Config::default().update(Delta { put: vec![(name, resource)], remove: Vec::new() });
            }
        }
    }
}

#[test]
fn tags_of_spans() {
    use crate::config::{SpanTag, TagValue};
    use envoy_types::pb::envoy::{
        extensions::filters::{
            http::router::v3::Router,
            network::http_connection_manager::v3::{
                HttpConnectionManager, HttpFilter, Rds,
                http_connection_manager::{RouteSpecifier, Tracing},
                http_filter::ConfigType,
            },
        },
        r#type::tracing::v3::{CustomTag, custom_tag},
    };
    let tags = |kind: Option<custom_tag::Type>| {
        let router = Any { type_url: Router::type_url(), value: Router::default().encode_to_vec() };
        let filter = HttpFilter {
            name: "router".into(),
            config_type: Some(ConfigType::TypedConfig(router)),
            ..HttpFilter::default()
        };
        let tag = CustomTag { tag: "t".into(), r#type: kind };
        let message = HttpConnectionManager {
            http_filters: vec![filter],
            route_specifier: Some(RouteSpecifier::Rds(Rds { route_config_name: "r".into(), ..Rds::default() })),
            tracing: Some(Tracing { custom_tags: vec![tag], ..Tracing::default() }),
            ..HttpConnectionManager::default()
        };
        super::http::manager(message).map(|chain| chain.span_tags)
    };
    let header = |name: &str| {
        let header = custom_tag::Header { name: name.into(), default_value: "-".into() };
        tags(Some(custom_tag::Type::RequestHeader(header))).unwrap()
    };
    let expected = |name| vec![SpanTag { name: "t".into(), value: TagValue::Header { name, default: "-".into() } }];
    assert_eq!(header("X-Tenant"), expected(Some(::http::HeaderName::from_static("x-tenant"))));
    // No request has it as a header here: what is said is the default.
    assert_eq!(header(":path"), expected(None));
    let literal = custom_tag::Literal { value: "v".into() };
    let expected = vec![SpanTag { name: "t".into(), value: TagValue::Literal("v".into()) }];
    assert_eq!(tags(Some(custom_tag::Type::Literal(literal))).unwrap(), expected);
    let refused = tags(Some(custom_tag::Type::Value("%PROTOCOL%".into()))).unwrap_err();
    assert_eq!(refused.to_string(), "tracing.custom_tags[0].type: is not supported");
}
