//! What was decided about a request, and what it changes in it.

use std::{net::SocketAddr, rc::Rc, sync::Arc, time::UNIX_EPOCH};

use http::{HeaderMap, HeaderValue, Version, header::HOST, uri::PathAndQuery};
use weft_model::xds;
use weft_policy::{
    config::{Config, Forward, HttpChain, Route, VirtualHost, WeightedCluster},
    facts::ConnectionFacts,
    flags::Flags,
    headers::FormatFacts,
    route::RouteTable,
    upstream::{Host, Upstream},
};

use super::admit::Admitted;
use crate::{
    http::{Exchange, headers},
    listener::Downstream,
};

/// What was decided about a request.
#[derive(Clone, Copy)]
pub(super) struct Plan<'a> {
    pub downstream: &'a Rc<Downstream>,
    pub chain: &'a HttpChain,
    pub config: &'a Config,
    pub table: &'a Arc<RouteTable>,
    pub host: &'a Arc<VirtualHost>,
    pub route: &'a Arc<Route>,
    pub forward: &'a Forward,
    pub cluster: &'a WeightedCluster,
}

impl Plan<'_> {
    /// Counts the weighted pick for the canary verdict: first attempts only. What goes to a cluster that does not exist
    /// was picked as well; its name tells where it was to go.
    pub(super) fn count_pick(&self, upstream: Option<&Upstream>) {
        static NO_SUBSET: std::sync::LazyLock<Arc<str>> = std::sync::LazyLock::new(|| "".into());
        let (Some(service), Some(route)) = (&self.route.virtual_service, &self.route.route_id) else { return };
        let recorder = &self.downstream.worker.recorder;
        let Some(upstream) = upstream else {
            let name = &self.cluster.cluster;
            let (subset, host) = xds::outbound_destination(name).unwrap_or(("", name));
            return recorder.route_picked(service, route, &subset.into(), &host.into());
        };
        let cluster = &upstream.cluster;
        let subset = cluster.subset.as_ref().unwrap_or(&NO_SUBSET);
        let host = cluster.services.first().map_or(&cluster.name, |service| &service.host);
        recorder.route_picked(service, route, subset, host);
    }

    pub(super) fn change_request(
        &self,
        admitted: &Admitted,
        connection: &ConnectionFacts<'_>,
        headers: &mut HeaderMap,
        exchange: &Exchange,
    ) {
        if self.forward.append_forwarded_host {
            headers.append(headers::FORWARDED_HOST, admitted.authority.clone());
        }
        let mut ops = self.table.request_ops(self.host, self.route, Some(self.cluster)).peekable();
        if ops.peek().is_none() {
            return;
        }
        let facts = self.format(admitted, connection, exchange, None, None);
        ops.for_each(|ops| ops.apply(headers, &facts));
    }

    /// What header values may be made of.
    pub(super) fn format<'f>(
        &'f self,
        admitted: &'f Admitted,
        connection: &'f ConnectionFacts<'f>,
        exchange: &Exchange,
        status: Option<u16>,
        request_headers: Option<&'f HeaderMap>,
    ) -> FormatFacts<'f> {
        FormatFacts {
            connection,
            remote: SocketAddr::new(admitted.remote, self.downstream.peer.port()),
            method: admitted.method.as_str(),
            path: admitted.path.as_str(),
            authority: admitted.authority.to_str().unwrap_or_default(),
            scheme: admitted.scheme,
            request_headers,
            protocol: if exchange.record.version >= Version::HTTP_2 { "HTTP/2" } else { "HTTP/1.1" },
            upstream_host: None,
            upstream_cluster: Some(&self.cluster.cluster),
            route: &self.route.name,
            status,
            flags: Flags::default(),
            start: exchange.record.start.duration_since(UNIX_EPOCH).unwrap_or_default(),
        }
    }

    pub(super) fn new_path(&self, admitted: &Admitted) -> Option<PathAndQuery> {
        let new = self.forward.rewrite_path(&self.route.matcher.path, admitted.path.as_str())?;
        // A rewrite that is no path would be a configuration error; the request goes on as it was.
        PathAndQuery::try_from(new).ok()
    }

    /// What depends on the endpoint, or on which attempt it is.
    pub(super) fn per_attempt(
        &self,
        admitted: &Admitted,
        connection: &ConnectionFacts<'_>,
        headers: &mut HeaderMap,
        host: &Host,
        attempt: u32,
    ) {
        if self.host.include_attempt_count {
            headers.insert(headers::ATTEMPT_COUNT, HeaderValue::from(attempt));
        }
        if self.forward.authority.is_none() && self.cluster.authority.is_none() {
            return;
        }
        let facts = admitted.facts(headers, connection);
        let new = self.forward.rewrite_authority(self.cluster, &facts, &host.endpoint.hostname);
        if let Some(Ok(authority)) = new.map(|new| HeaderValue::from_str(&new)) {
            headers.insert(HOST, authority);
        }
    }
}
