//! What a route of a VirtualService does.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use envoy_types::pb::envoy::{
    config::{
        core::v3::{DataSource, data_source::Specifier},
        route::v3::{
            DirectResponseAction, RedirectAction, Route, RouteAction, RouteMatch, WeightedCluster,
            redirect_action::{PathRewriteSpecifier, RedirectResponseCode, SchemeRewriteSpecifier},
            route::Action,
            route_action::{
                ClusterSpecifier, HashPolicy, HostRewriteSpecifier, RequestMirrorPolicy,
                hash_policy::{ConnectionProperties, Cookie, CookieAttribute, Header, PolicySpecifier, QueryParameter},
            },
            weighted_cluster::{ClusterWeight, cluster_weight},
        },
    },
    r#type::matcher::v3::RegexMatchAndSubstitute,
};
use weft_api::networking::virtual_service::{
    DerivePort, Destination, DirectResponse, HttpRoute, HttpRouteDestination, Redirect,
};
use weft_model::{Hostname, xds};

use super::{cors, decorator, fault, headers::Changes, retry, set_timeout};
use crate::{
    canonical::pack_plain,
    resolve::{delegate::OwnedRoute, destination_rule, scope::Scope, virtual_service::Caller},
    translate::{
        hcm::{CORS_FILTER, FAULT_FILTER},
        proto,
    },
};

/// A route but for its match, which one route may have several of.
pub(super) struct Made<'a> {
    owned: &'a OwnedRoute<'a>,
    port: u16,
    action: Action,
    changes: Changes,
}

impl<'a> Made<'a> {
    pub(super) fn new(scope: &Scope<'_>, caller: &Caller<'_>, owned: &'a OwnedRoute<'a>) -> Self {
        let route = owned.route.as_ref();
        let mut changes = Changes::read(route.headers.as_ref());
        let action = if let Some(redirect) = &route.redirect {
            Action::Redirect(redirect_action(redirect, caller.port))
        } else if let Some(response) = &route.direct_response {
            Action::DirectResponse(direct_response(response))
        } else {
            let (action, more) = forward(scope, caller, owned, changes.authority.take());
            changes = changes.then(more);
            Action::Route(action)
        };
        Self { owned, port: caller.port, action, changes }
    }

    /// The route of one match.
    pub(super) fn route(&self, matcher: RouteMatch, host: &Hostname) -> Route {
        let HttpRoute { name, fault: faults, cors_policy, .. } = self.owned.route.as_ref();
        let written = &self.owned.owner;
        // A delegated route is counted under the name that it has where it is written.
        let own_name = written.spec.http.get(self.owned.index).map_or(name, |r| &r.name);
        let route_id = xds::route_id(self.owned.index, Some(own_name));
        let mut made = Route {
            name: route_id.clone(),
            r#match: Some(matcher),
            metadata: proto::metadata(vec![(
                xds::WEFT_METADATA,
                proto::structure([
                    (xds::META_VIRTUAL_SERVICE, proto::text(format!("{}/{}", written.namespace(), written.name()))),
                    (xds::META_ROUTE, proto::text(route_id)),
                ]),
            )]),
            decorator: Some(decorator(host, self.port, "/*")),
            action: Some(self.action.clone()),
            request_headers_to_add: self.changes.request_add.clone(),
            request_headers_to_remove: self.changes.request_remove.clone(),
            response_headers_to_add: self.changes.response_add.clone(),
            response_headers_to_remove: self.changes.response_remove.clone(),
            ..Route::default()
        };
        if let Some(fault) = faults.as_ref().and_then(fault::translate) {
            made.typed_per_filter_config.insert(FAULT_FILTER.into(), pack_plain(&fault));
        }
        if let Some(policy) = cors_policy {
            made.typed_per_filter_config.insert(CORS_FILTER.into(), pack_plain(&cors::translate(policy)));
        }
        made
    }
}

/// Sends requests on. Header changes of a single destination are the route's own.
fn forward(
    scope: &Scope<'_>,
    caller: &Caller<'_>,
    owned: &OwnedRoute<'_>,
    authority: Option<String>,
) -> (RouteAction, Changes) {
    let route = owned.route.as_ref();
    let namespace = owned.owner.namespace();
    let cluster = |destination: &Destination| cluster_name(scope, destination, namespace, caller.port);
    let mut action = RouteAction::default();
    let mut changes = Changes::default();
    let mut authority = authority;
    match weighted(&route.route).as_slice() {
        [] => action.cluster_specifier = Some(ClusterSpecifier::Cluster(xds::BLACK_HOLE_CLUSTER.into())),
        [(only, _)] => {
            changes = Changes::read(only.headers.as_ref());
            authority = changes.authority.take().or(authority);
            action.cluster_specifier = Some(ClusterSpecifier::Cluster(cluster(&only.destination)));
        }
        several => {
            let clusters = several.iter().map(|(d, weight)| weighted_cluster(d, *weight, cluster(&d.destination)));
            action.cluster_specifier = Some(ClusterSpecifier::WeightedClusters(WeightedCluster {
                clusters: clusters.collect(),
                ..WeightedCluster::default()
            }));
        }
    }
    for destination in route.route.iter().map(|r| &r.destination) {
        let host = scope.view.resolve_host(&destination.host, namespace);
        for policy in hash_policies(scope, &host, port_of(scope, &host, destination, caller.port), &destination.subset)
        {
            if !action.hash_policy.contains(&policy) {
                action.hash_policy.push(policy);
            }
        }
    }
    let sticky = !action.hash_policy.is_empty();
    let mesh = scope.view.mesh();
    set_timeout(&mut action, route.timeout.map(|d| d.get()).unwrap_or_default());
    action.retry_policy = match &route.retries {
        Some(retries) => retry::translate(retries, mesh, sticky),
        None => retry::default(mesh, sticky),
    };
    if let Some(rewrite) = &route.rewrite {
        if let Some(by_pattern) = &rewrite.uri_regex_rewrite {
            action.regex_rewrite = Some(RegexMatchAndSubstitute {
                pattern: Some(proto::re2(&by_pattern.pattern)),
                substitution: by_pattern.rewrite.clone(),
            });
        } else {
            action.prefix_rewrite.clone_from(&rewrite.uri);
        }
        if !rewrite.authority.is_empty() {
            authority = Some(rewrite.authority.clone());
        }
    }
    action.host_rewrite_specifier = authority.map(HostRewriteSpecifier::HostRewriteLiteral);
    action.request_mirror_policies = mirrors(route, &cluster);
    (action, changes)
}

/// The destinations that get anything: those with a weight, or all alike when none has one.
fn weighted(destinations: &[HttpRouteDestination]) -> Vec<(&HttpRouteDestination, u32)> {
    let weight = |d: &HttpRouteDestination| d.weight.and_then(|w| u32::try_from(w).ok()).unwrap_or(0);
    let some: Vec<_> = destinations.iter().map(|d| (d, weight(d))).filter(|(_, w)| *w > 0).collect();
    if some.is_empty() { destinations.iter().map(|d| (d, 1)).collect() } else { some }
}

fn weighted_cluster(destination: &HttpRouteDestination, weight: u32, name: String) -> ClusterWeight {
    let changes = Changes::read(destination.headers.as_ref());
    ClusterWeight {
        name,
        weight: proto::uint32(weight),
        request_headers_to_add: changes.request_add,
        request_headers_to_remove: changes.request_remove,
        response_headers_to_add: changes.response_add,
        response_headers_to_remove: changes.response_remove,
        host_rewrite_specifier: changes.authority.map(cluster_weight::HostRewriteSpecifier::HostRewriteLiteral),
        ..ClusterWeight::default()
    }
}

/// The cluster of a destination. It need not exist: a subset or host that is not defined makes a route that answers 503
/// (flag NC), not one that is refused.
pub(in crate::translate) fn cluster_name(
    scope: &Scope<'_>,
    destination: &Destination,
    namespace: &str,
    listener_port: u16,
) -> String {
    let host = scope.view.resolve_host(&destination.host, namespace);
    let port = port_of(scope, &host, destination, listener_port);
    xds::outbound_cluster(port, &destination.subset, host.as_str())
}

/// The port that is said, else the host's only one, else the one that was called.
fn port_of(scope: &Scope<'_>, host: &Hostname, destination: &Destination, listener_port: u16) -> u16 {
    if let Some(port) = destination.port.as_ref().and_then(|p| u16::try_from(p.number).ok()).filter(|p| *p > 0) {
        return port;
    }
    match scope.service(host).map(|s| s.ports.as_slice()) {
        Some([only]) => only.number,
        _ => listener_port,
    }
}

fn mirrors(route: &HttpRoute, cluster: &impl Fn(&Destination) -> String) -> Vec<RequestMirrorPolicy> {
    let single = route.mirror.iter().map(|destination| {
        let share = route.mirror_percentage.map(|p| p.value).or(route.mirror_percent.map(f64::from));
        (destination, share.unwrap_or(100.0))
    });
    let several = route.mirrors.iter().map(|m| (&m.destination, m.percentage.map_or(100.0, |p| p.value)));
    single
        .chain(several)
        .filter(|(_, share)| *share > 0.0)
        .map(|(destination, share)| RequestMirrorPolicy {
            cluster: cluster(destination),
            runtime_fraction: Some(proto::runtime_fraction(share)),
            trace_sampled: proto::boolean(false),
            ..RequestMirrorPolicy::default()
        })
        .collect()
}

/// What requests to a host are hashed by, if its DestinationRule wants a consistent hash.
pub(super) fn hash_policies(scope: &Scope<'_>, host: &Hostname, port: u16, subset: &str) -> Vec<HashPolicy> {
    let service = scope.service(host).map(AsRef::as_ref);
    let rules = destination_rule::rules(scope.view, scope.client, host, service);
    let policy = rules.policy(port, rules.subsets().get(subset).copied());
    if policy.load_balancer.is_none() && service.is_some_and(|s| s.client_affinity) {
        let by = PolicySpecifier::ConnectionProperties(ConnectionProperties { source_ip: true });
        return vec![HashPolicy { terminal: false, policy_specifier: Some(by) }];
    }
    let Some(hash) = policy.load_balancer.and_then(|lb| lb.consistent_hash.as_ref()) else { return Vec::new() };
    let by = if let Some(name) = &hash.http_header_name {
        PolicySpecifier::Header(Header { header_name: name.clone(), ..Header::default() })
    } else if let Some(cookie) = &hash.http_cookie {
        PolicySpecifier::Cookie(Cookie {
            name: cookie.name.clone(),
            path: cookie.path.clone(),
            ttl: cookie.ttl.map(|d| proto::duration(d.get())),
            attributes: cookie
                .attributes
                .iter()
                .map(|a| CookieAttribute { name: a.name.clone(), value: a.value.clone() })
                .collect(),
        })
    } else if hash.use_source_ip == Some(true) {
        PolicySpecifier::ConnectionProperties(ConnectionProperties { source_ip: true })
    } else if let Some(name) = &hash.http_query_parameter_name {
        PolicySpecifier::QueryParameter(QueryParameter { name: name.clone() })
    } else {
        return Vec::new();
    };
    vec![HashPolicy { terminal: false, policy_specifier: Some(by) }]
}

fn redirect_action(redirect: &Redirect, called_port: u16) -> RedirectAction {
    let code = match redirect.redirect_code {
        Some(302) => RedirectResponseCode::Found,
        Some(303) => RedirectResponseCode::SeeOther,
        Some(307) => RedirectResponseCode::TemporaryRedirect,
        Some(308) => RedirectResponseCode::PermanentRedirect,
        _ => RedirectResponseCode::MovedPermanently,
    };
    let port = match (redirect.port, redirect.derive_port) {
        (Some(port), _) => port,
        (None, Some(DerivePort::FromRequestPort)) => called_port.into(),
        (None, Some(DerivePort::FromProtocolDefault)) => match redirect.scheme.as_str() {
            "http" => 80,
            "https" => 443,
            _ => 0,
        },
        (None, None) => 0,
    };
    let said = |text: &String| (!text.is_empty()).then(|| text.clone());
    RedirectAction {
        host_redirect: redirect.authority.clone(),
        port_redirect: port,
        response_code: code as i32,
        scheme_rewrite_specifier: said(&redirect.scheme).map(SchemeRewriteSpecifier::SchemeRedirect),
        path_rewrite_specifier: said(&redirect.uri).map(PathRewriteSpecifier::PathRedirect),
        ..RedirectAction::default()
    }
}

fn direct_response(response: &DirectResponse) -> DirectResponseAction {
    let body = response.body.as_ref().and_then(|body| match (&body.string, &body.bytes) {
        (Some(text), _) => Some(Specifier::InlineString(text.clone())),
        (None, Some(encoded)) => BASE64_STANDARD.decode(encoded).ok().map(Specifier::InlineBytes),
        (None, None) => None,
    });
    DirectResponseAction {
        status: response.status,
        body: body.map(|specifier| DataSource { specifier: Some(specifier), watched_directory: None }),
        ..DirectResponseAction::default()
    }
}
