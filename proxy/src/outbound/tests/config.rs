//! Configurations as the control plane sends them, small.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use envoy_types::pb::{
    envoy::{
        config::{
            cluster::v3::{
                CircuitBreakers, Cluster, OutlierDetection,
                circuit_breakers::Thresholds,
                cluster::{ClusterDiscoveryType, DiscoveryType, LbPolicy},
            },
            core::v3::{
                self as core, Address, Metadata, SocketAddress, TrafficDirection, TransportSocket, address,
                socket_address::PortSpecifier, transport_socket,
            },
            endpoint::v3::{
                ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints, lb_endpoint::HostIdentifier,
            },
            listener::v3::{Filter, FilterChain, FilterChainMatch, Listener, ListenerFilter, filter, listener_filter},
            rbac::v3::{Permission, Policy, Principal, Rbac as Rules, permission, principal, rbac},
            route::v3::{
                RetryPolicy, Route, RouteAction, RouteConfiguration, RouteMatch, VirtualHost, route, route_action,
                route_match,
            },
        },
        extensions::{
            filters::{
                http::{fault::v3::HttpFault, rbac::v3::Rbac, router::v3::Router},
                network::{
                    http_connection_manager::v3::{
                        HttpConnectionManager, HttpFilter, Rds, http_connection_manager, http_filter,
                    },
                    tcp_proxy::v3::{TcpProxy, tcp_proxy},
                },
            },
            transport_sockets::tls::v3::{
                CommonTlsContext, DownstreamTlsContext, SdsSecretConfig, UpstreamTlsContext, common_tls_context,
            },
            upstreams::http::v3::{HttpProtocolOptions, http_protocol_options},
        },
    },
    google::protobuf::{Any, Struct, UInt32Value, Value, value},
};
use prost::{Message, Name};
use weft_policy::{
    config::{Config, Delta, Kind},
    read::read,
};

/// Puts resources of all kinds in force at once.
#[derive(Default)]
pub struct Resources(Delta);

impl Resources {
    fn put<M: Message>(mut self, kind: Kind, name: &str, message: &M) -> Self {
        let name: Arc<str> = name.into();
        let resource = read(kind, &name, &message.encode_to_vec()).unwrap_or_else(|error| panic!("{name}: {error}"));
        self.0.put.push((name, resource));
        self
    }

    pub fn listener(self, listener: Listener) -> Self {
        self.put(Kind::Listener, &listener.name.clone(), &listener)
    }

    pub fn cluster(self, cluster: Cluster) -> Self {
        self.put(Kind::Cluster, &cluster.name.clone(), &cluster)
    }

    pub fn routes(self, routes: RouteConfiguration) -> Self {
        self.put(Kind::RouteConfig, &routes.name.clone(), &routes)
    }

    pub fn gone(mut self, kind: Kind, name: &str) -> Self {
        self.0.remove.push((kind, name.into()));
        self
    }

    pub fn onto(self, config: &Config) -> Config {
        config.update(self.0)
    }
}

pub fn any<M: Message + Name>(message: &M) -> Any {
    Any { type_url: format!("type.googleapis.com/{}", M::full_name()), value: message.encode_to_vec() }
}

pub fn proto(duration: Duration) -> envoy_types::pb::google::protobuf::Duration {
    envoy_types::pb::google::protobuf::Duration {
        seconds: duration.as_secs() as i64,
        nanos: duration.subsec_nanos() as i32,
    }
}

pub fn number(value: u32) -> Option<UInt32Value> {
    Some(UInt32Value { value })
}

fn address_of(address: SocketAddr) -> Option<Address> {
    Some(Address {
        address: Some(address::Address::SocketAddress(SocketAddress {
            address: address.ip().to_string(),
            port_specifier: Some(PortSpecifier::PortValue(address.port().into())),
            ..SocketAddress::default()
        })),
    })
}

/// An outbound listener without peeking.
pub fn listener(name: &str, address: SocketAddr, chains: Vec<FilterChain>) -> Listener {
    Listener {
        name: name.into(),
        address: address_of(address),
        traffic_direction: TrafficDirection::Outbound.into(),
        filter_chains: chains,
        ..Listener::default()
    }
}

pub fn inbound(mut listener: Listener) -> Listener {
    listener.traffic_direction = TrafficDirection::Inbound.into();
    listener
}

/// Takes redirected connections, here only from the test's hand.
pub fn capturing(mut listener: Listener, default: FilterChain) -> Listener {
    listener.use_original_dst = Some(envoy_types::pb::google::protobuf::BoolValue { value: true });
    listener.default_filter_chain = Some(default);
    unbound(listener)
}

/// Only serves connections that another listener hands over.
pub fn unbound(mut listener: Listener) -> Listener {
    listener.bind_to_port = Some(envoy_types::pb::google::protobuf::BoolValue { value: false });
    listener
}

/// Restricts a chain to connections to this port.
pub fn for_port(mut chain: FilterChain, port: u16) -> FilterChain {
    let criteria = chain.filter_chain_match.get_or_insert_default();
    criteria.destination_port = number(port.into());
    chain
}

/// A cluster that goes where the connection was going, from an address of each family if some are given.
pub fn original_destination(name: &str, from: &[&str]) -> Cluster {
    let address = |ip: &&str| SocketAddress { address: (*ip).to_owned(), ..SocketAddress::default() };
    let mut from = from.iter().map(address);
    Cluster {
        name: name.into(),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::OriginalDst.into())),
        lb_policy: LbPolicy::ClusterProvided.into(),
        connect_timeout: Some(proto(Duration::from_secs(1))),
        upstream_bind_config: Some(core::BindConfig {
            source_address: from.next(),
            extra_source_addresses: from
                .map(|address| core::ExtraSourceAddress { address: Some(address), ..Default::default() })
                .collect(),
            ..core::BindConfig::default()
        }),
        ..Cluster::default()
    }
}

/// Lets a listener look at the first bytes.
pub fn peeking(mut listener: Listener, timeout: Duration) -> Listener {
    let inspector = |name: &str| ListenerFilter {
        name: format!("envoy.filters.listener.{name}"),
        config_type: None::<listener_filter::ConfigType>,
        ..ListenerFilter::default()
    };
    listener.listener_filters = vec![inspector("tls_inspector"), inspector("http_inspector")];
    listener.listener_filters_timeout = Some(proto(timeout));
    listener.continue_on_listener_filters_timeout = true;
    listener
}

fn filter_of<M: Message + Name>(name: &str, message: &M) -> Filter {
    Filter { name: name.into(), config_type: Some(filter::ConfigType::TypedConfig(any(message))) }
}

fn http_filter<M: Message + Name>(name: &str, message: &M) -> HttpFilter {
    HttpFilter {
        name: name.into(),
        config_type: Some(http_filter::ConfigType::TypedConfig(any(message))),
        ..HttpFilter::default()
    }
}

/// An HTTP connection manager with these routes.
pub fn manager(routes: RouteConfiguration) -> HttpConnectionManager {
    HttpConnectionManager {
        stat_prefix: "test".into(),
        http_filters: vec![
            http_filter("envoy.filters.http.fault", &HttpFault::default()),
            http_filter("envoy.filters.http.router", &Router::default()),
        ],
        route_specifier: Some(http_connection_manager::RouteSpecifier::RouteConfig(routes)),
        ..HttpConnectionManager::default()
    }
}

pub fn with_rbac(mut manager: HttpConnectionManager, rules: Rules) -> HttpConnectionManager {
    let rbac = Rbac { rules: Some(rules), ..Rbac::default() };
    manager.http_filters.insert(0, http_filter("envoy.filters.http.rbac", &rbac));
    manager
}

/// Denies a path to everybody.
pub fn deny_path(path: &str) -> Rules {
    use envoy_types::pb::envoy::r#type::matcher::v3::{
        PathMatcher, StringMatcher, path_matcher, string_matcher::MatchPattern,
    };
    let path = StringMatcher { match_pattern: Some(MatchPattern::Exact(path.into())), ..StringMatcher::default() };
    let path = PathMatcher { rule: Some(path_matcher::Rule::Path(path)) };
    let policy = Policy {
        permissions: vec![Permission { rule: Some(permission::Rule::UrlPath(path)) }],
        principals: vec![Principal { identifier: Some(principal::Identifier::Any(true)) }],
        ..Policy::default()
    };
    Rules {
        action: rbac::Action::Deny.into(),
        policies: [("ns[shop]-policy[no]-rule[0]".to_owned(), policy)].into(),
        ..Rules::default()
    }
}

pub fn http_chain(manager: &HttpConnectionManager) -> FilterChain {
    FilterChain {
        filters: vec![filter_of("envoy.filters.network.http_connection_manager", manager)],
        ..FilterChain::default()
    }
}

pub fn tcp_chain(cluster: &str) -> FilterChain {
    let proxy = TcpProxy {
        stat_prefix: "test".into(),
        cluster_specifier: Some(tcp_proxy::ClusterSpecifier::Cluster(cluster.into())),
        ..TcpProxy::default()
    };
    FilterChain { filters: vec![filter_of("envoy.filters.network.tcp_proxy", &proxy)], ..FilterChain::default() }
}

/// Restricts a chain to TLS or plaintext connections, and to protocols.
pub fn matching(mut chain: FilterChain, transport: &str, protocols: &[&str]) -> FilterChain {
    chain.filter_chain_match = Some(FilterChainMatch {
        transport_protocol: transport.into(),
        application_protocols: protocols.iter().map(|name| (*name).to_owned()).collect(),
        ..FilterChainMatch::default()
    });
    chain
}

fn common_tls(alpn: &[&str]) -> CommonTlsContext {
    let sds = |name: &str| SdsSecretConfig { name: name.into(), ..SdsSecretConfig::default() };
    CommonTlsContext {
        alpn_protocols: alpn.iter().map(|name| (*name).to_owned()).collect(),
        tls_certificate_sds_secret_configs: vec![sds("default")],
        validation_context_type: Some(common_tls_context::ValidationContextType::ValidationContextSdsSecretConfig(
            sds("ROOTCA"),
        )),
        ..CommonTlsContext::default()
    }
}

fn socket<M: Message + Name>(context: &M) -> TransportSocket {
    TransportSocket {
        name: "envoy.transport_sockets.tls".into(),
        config_type: Some(transport_socket::ConfigType::TypedConfig(any(context))),
    }
}

/// Mutual TLS, as inbound chains terminate it.
pub fn mutual_tls(mut chain: FilterChain) -> FilterChain {
    chain.transport_socket = Some(socket(&DownstreamTlsContext {
        common_tls_context: Some(common_tls(&["istio-h2", "istio-http/1.1", "istio"])),
        require_client_certificate: Some(envoy_types::pb::google::protobuf::BoolValue { value: true }),
        ..DownstreamTlsContext::default()
    }));
    chain
}

/// All hosts to these routes.
pub fn table(routes: Vec<Route>) -> RouteConfiguration {
    RouteConfiguration {
        name: "test".into(),
        virtual_hosts: vec![VirtualHost {
            name: "test".into(),
            domains: vec!["order.test".into(), "order.test:*".into()],
            routes,
            ..VirtualHost::default()
        }],
        ..RouteConfiguration::default()
    }
}

/// A route of everything to a cluster; `change` sees the action.
pub fn to(cluster: &str, change: impl FnOnce(&mut RouteAction)) -> Route {
    let mut action = RouteAction {
        cluster_specifier: Some(route_action::ClusterSpecifier::Cluster(cluster.into())),
        timeout: Some(proto(Duration::ZERO)),
        ..RouteAction::default()
    };
    change(&mut action);
    Route {
        name: "to".into(),
        r#match: Some(RouteMatch {
            path_specifier: Some(route_match::PathSpecifier::Prefix("/".into())),
            ..RouteMatch::default()
        }),
        action: Some(route::Action::Route(action)),
        ..Route::default()
    }
}

/// Retries without long pauses.
pub fn retries(on: &str, number_of: u32, per_try: Option<Duration>) -> RetryPolicy {
    RetryPolicy {
        retry_on: on.into(),
        num_retries: number(number_of),
        per_try_timeout: per_try.map(proto),
        retriable_status_codes: vec![503],
        ..RetryPolicy::default()
    }
}

/// A cluster with these endpoints.
pub fn cluster(name: &str, endpoints: &[SocketAddr]) -> Cluster {
    let endpoints = endpoints.iter().map(|address| LbEndpoint {
        host_identifier: Some(HostIdentifier::Endpoint(Endpoint {
            address: address_of(*address),
            ..Endpoint::default()
        })),
        ..LbEndpoint::default()
    });
    Cluster {
        name: name.into(),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Static.into())),
        lb_policy: LbPolicy::RoundRobin.into(),
        connect_timeout: Some(proto(Duration::from_secs(1))),
        load_assignment: Some(ClusterLoadAssignment {
            cluster_name: name.into(),
            endpoints: vec![LocalityLbEndpoints {
                lb_endpoints: endpoints.collect(),
                ..LocalityLbEndpoints::default()
            }],
            ..ClusterLoadAssignment::default()
        }),
        metadata: Some(service_metadata()),
        ..Cluster::default()
    }
}

fn service_metadata() -> Metadata {
    let text = |text: &str| Value { kind: Some(value::Kind::StringValue(text.into())) };
    let service = Struct {
        fields: [
            ("host".to_owned(), text("order.shop.svc.cluster.local")),
            ("name".to_owned(), text("order")),
            ("namespace".to_owned(), text("shop")),
        ]
        .into(),
    };
    let list = envoy_types::pb::google::protobuf::ListValue {
        values: vec![Value { kind: Some(value::Kind::StructValue(service)) }],
    };
    let istio = Struct { fields: [("services".to_owned(), Value { kind: Some(value::Kind::ListValue(list)) })].into() };
    Metadata { filter_metadata: [("istio".to_owned(), istio)].into(), ..Metadata::default() }
}

/// Names a cluster's subset.
pub fn subset(mut cluster: Cluster, name: &str) -> Cluster {
    let metadata = cluster.metadata.get_or_insert_default();
    metadata.filter_metadata.insert("weft.dev".into(), strings(&[("subset", name)]));
    cluster
}

/// A struct of strings, as metadata has them.
pub fn strings(fields: &[(&str, &str)]) -> Struct {
    let value = |text: &str| Value { kind: Some(value::Kind::StringValue(text.into())) };
    Struct { fields: fields.iter().map(|(name, text)| ((*name).to_owned(), value(text))).collect() }
}

/// Routes from a RouteConfiguration of this name.
pub fn by_rds(name: &str) -> http_connection_manager::RouteSpecifier {
    http_connection_manager::RouteSpecifier::Rds(Rds {
        route_config_name: name.into(),
        config_source: Some(core::ConfigSource {
            config_source_specifier: Some(core::config_source::ConfigSourceSpecifier::Ads(
                core::AggregatedConfigSource {},
            )),
            ..core::ConfigSource::default()
        }),
    })
}

/// Circuit breakers of a cluster.
pub fn limited(mut cluster: Cluster, connections: u32, pending: u32) -> Cluster {
    cluster.circuit_breakers = Some(CircuitBreakers {
        thresholds: vec![Thresholds {
            max_connections: number(connections),
            max_pending_requests: number(pending),
            ..Thresholds::default()
        }],
        ..CircuitBreakers::default()
    });
    cluster
}

pub fn ejecting(mut cluster: Cluster, after: u32) -> Cluster {
    cluster.outlier_detection = Some(OutlierDetection {
        consecutive_5xx: number(after),
        enforcing_consecutive_5xx: number(100),
        max_ejection_percent: number(100),
        base_ejection_time: Some(proto(Duration::from_secs(30))),
        ..OutlierDetection::default()
    });
    cluster
}

/// A cluster that is spoken to in HTTP/2.
pub fn h2(mut cluster: Cluster) -> Cluster {
    let options = HttpProtocolOptions {
        upstream_protocol_options: Some(http_protocol_options::UpstreamProtocolOptions::ExplicitHttpConfig(
            http_protocol_options::ExplicitHttpConfig {
                protocol_config: Some(
                    http_protocol_options::explicit_http_config::ProtocolConfig::Http2ProtocolOptions(
                        core::Http2ProtocolOptions::default(),
                    ),
                ),
            },
        )),
        ..HttpProtocolOptions::default()
    };
    cluster.typed_extension_protocol_options =
        [("envoy.extensions.upstreams.http.v3.HttpProtocolOptions".to_owned(), any(&options))].into();
    cluster
}

/// A cluster that is spoken to in mutual TLS.
pub fn over_tls(mut cluster: Cluster) -> Cluster {
    cluster.transport_socket = Some(socket(&UpstreamTlsContext {
        common_tls_context: Some(common_tls(&["istio"])),
        sni: "outbound_.8080_._.order.shop.svc.cluster.local".into(),
        ..UpstreamTlsContext::default()
    }));
    cluster
}
