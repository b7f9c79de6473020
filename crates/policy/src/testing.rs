//! Clusters, endpoints and requests for this crate's tests.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    config::*,
    facts::{ConnectionFacts, RequestFacts},
    upstream::Upstream,
};

pub(crate) fn address(last: u16) -> EndpointAddress {
    EndpointAddress::Socket(SocketAddr::from(([10, 0, (last >> 8) as u8, last as u8], 8080)))
}

pub(crate) fn endpoint(last: u16) -> Endpoint {
    Endpoint {
        address: address(last),
        hostname: "".into(),
        weight: 1,
        health: Health::Healthy,
        locality: Arc::default(),
        locality_weight: None,
        priority: 0,
        tls_mode: None,
        workload: None,
    }
}

pub(crate) fn cluster(balance: Balance) -> Cluster {
    Cluster {
        name: "outbound|8080||a".into(),
        discovery: Discovery::Eds("outbound|8080||a".into()),
        balance,
        connect_timeout: Duration::from_secs(1),
        limits: LimitSettings::default(),
        outlier: None,
        protocol: UpstreamProtocol::Http1,
        max_requests_per_connection: None,
        max_concurrent_streams: None,
        idle_timeout: None,
        max_connection_duration: None,
        tls: Vec::new(),
        keepalive: None,
        panic_threshold: 0.0,
        locality_weighted: false,
        services: Vec::new(),
        subset: None,
        bind: Vec::new(),
    }
}

pub(crate) fn outlier() -> OutlierSettings {
    OutlierSettings {
        consecutive_5xx: 5,
        consecutive_gateway_failure: 0,
        consecutive_local_origin_failure: 0,
        split_local_origin: false,
        interval: Duration::from_secs(10),
        base_ejection: Duration::from_secs(30),
        max_ejection: Duration::from_secs(300),
        max_ejection_percent: 50,
        always_eject_one: true,
        enforcing_5xx: 100,
        enforcing_gateway_failure: 100,
        enforcing_local_origin: 100,
    }
}

pub(crate) fn endpoints(endpoints: Vec<Endpoint>) -> Arc<Endpoints> {
    Arc::new(Endpoints { cluster: "outbound|8080||a".into(), endpoints, overprovisioning: 140 })
}

pub(crate) fn upstream(cluster: Cluster, list: Vec<Endpoint>) -> Upstream {
    Upstream::new(Arc::new(cluster), Some(&endpoints(list)), None)
}

/// A request with its parts owned; borrow it with [`Request::with`].
pub(crate) struct Request {
    pub method: String,
    pub path: String,
    pub authority: String,
    pub headers: HeaderMap,
    pub peer_uri: Option<String>,
    pub sni: Option<String>,
    pub peer: SocketAddr,
    pub local: SocketAddr,
    pub remote: IpAddr,
}

impl Request {
    pub(crate) fn get(path: &str) -> Self {
        Self {
            method: "GET".into(),
            path: path.into(),
            authority: "order-service:8080".into(),
            headers: HeaderMap::new(),
            peer_uri: None,
            sni: None,
            peer: SocketAddr::from(([10, 1, 2, 3], 40000)),
            local: SocketAddr::from(([10, 0, 0, 1], 8080)),
            remote: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)),
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        self.headers.append(name, HeaderValue::from_str(value).unwrap());
        self
    }

    pub(crate) fn method(mut self, method: &str) -> Self {
        self.method = method.into();
        self
    }

    pub(crate) fn peer(mut self, uri: &str) -> Self {
        self.peer_uri = Some(uri.into());
        self
    }

    pub(crate) fn with<T>(&self, test: impl FnOnce(&RequestFacts<'_>) -> T) -> T {
        let connection = ConnectionFacts {
            peer: self.peer,
            local: self.local,
            transport: if self.peer_uri.is_some() { Transport::Tls } else { Transport::Raw },
            sni: self.sni.as_deref(),
            peer_uri: self.peer_uri.as_deref(),
        };
        test(&RequestFacts {
            method: &self.method,
            path: &self.path,
            authority: &self.authority,
            scheme: "http",
            headers: &self.headers,
            remote: self.remote,
            connection: &connection,
        })
    }
}

/// A listener without chains.
pub(crate) fn listener(name: &str, direction: Direction, address: SocketAddr, bind: bool) -> Listener {
    Listener {
        name: name.into(),
        address,
        bind,
        original_destination: false,
        direction,
        peek_tls: true,
        peek_http: true,
        peek_timeout: Duration::ZERO,
        continue_on_peek_timeout: true,
        chains: Vec::new(),
        default_chain: None,
    }
}
