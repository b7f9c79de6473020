//! Virtual hosts and their routes.

mod action;
mod cors;
mod fault;
mod headers;
mod matcher;
mod retry;

pub(super) use action::cluster_name;

use std::collections::BTreeSet;

use envoy_types::pb::envoy::config::route::v3::{
    Decorator, DirectResponseAction, Route, RouteAction, RouteConfiguration, RouteMatch, Vhds, VirtualHost,
    route::Action, route_action::ClusterSpecifier, route_match::PathSpecifier,
};
use weft_api::networking::sidecar::OutboundMode;
use weft_model::{Hostname, ObjectRef, xds};

use super::proto;
use crate::{
    Engine,
    resolve::{delegate::OwnedRoute, scope::Scope, virtual_service::Caller},
    resource::{Resource, type_url},
};

/// A virtual host, and the VirtualServices that shaped it.
pub(super) struct Host {
    pub(super) virtual_host: VirtualHost,
    pub(super) origins: BTreeSet<ObjectRef>,
}

/// Adds a route configuration: one resource for each virtual host for our proxy, all in one for Envoy. Of two virtual hosts
/// that claim a domain, the first keeps it.
pub(super) fn add(engine: Engine, mut config: RouteConfiguration, mut hosts: Vec<Host>, out: &mut Vec<Resource>) {
    let mut taken: BTreeSet<String> = BTreeSet::new();
    for host in &mut hosts {
        host.virtual_host.domains.retain(|domain| taken.insert(domain.clone()));
    }
    hosts.retain(|host| !host.virtual_host.domains.is_empty());
    let name = config.name.clone();
    match engine {
        Engine::Weft => {
            config.vhds = Some(Vhds { config_source: proto::ads() });
            out.push(Resource::new(name, type_url::ROUTE, &config, BTreeSet::new()));
            for host in hosts {
                let resource = Resource::new(
                    host.virtual_host.name.clone(),
                    type_url::VIRTUAL_HOST,
                    &host.virtual_host,
                    host.origins,
                );
                out.push(resource);
            }
        }
        Engine::Envoy => {
            let origins = hosts.iter().flat_map(|h| h.origins.iter().cloned()).collect();
            config.virtual_hosts = hosts.into_iter().map(|h| h.virtual_host).collect();
            out.push(Resource::new(name, type_url::ROUTE, &config, origins));
        }
    }
}

/// The routes of a VirtualService for one host and caller, and the VirtualServices they are written in.
pub(super) fn of_virtual_service(
    scope: &Scope<'_>,
    caller: &Caller<'_>,
    host: &Hostname,
    owned: &[OwnedRoute<'_>],
) -> (Vec<Route>, BTreeSet<ObjectRef>) {
    let mut routes = Vec::new();
    let mut origins = BTreeSet::new();
    for route in owned {
        origins.insert(route.owner.reference().clone());
        origins.extend(route.root.map(|root| root.reference().clone()));
        let made = action::Made::new(scope, caller, route);
        let matchers = if route.route.matches.is_empty() {
            vec![matcher::everything()]
        } else {
            route.route.matches.iter().map(matcher::translate).collect()
        };
        for matcher in matchers {
            routes.push(made.route(matcher, host));
        }
    }
    (routes, origins)
}

/// The only route of a host without a VirtualService.
pub(super) fn to_service(scope: &Scope<'_>, host: &Hostname, port: u16) -> Route {
    let cluster = xds::outbound_cluster(port, "", host.as_str());
    let action = RouteAction {
        cluster_specifier: Some(ClusterSpecifier::Cluster(cluster)),
        hash_policy: action::hash_policies(scope, host, port, ""),
        ..default_action(scope)
    };
    Route {
        name: "default".into(),
        r#match: Some(matcher::everything()),
        decorator: Some(decorator(host, port, "/*")),
        action: Some(Action::Route(action)),
        ..Route::default()
    }
}

/// The only route of an inbound port. Retries are the caller's business.
pub(super) fn to_application(operation: String, cluster: String) -> Route {
    let action = RouteAction {
        cluster_specifier: Some(ClusterSpecifier::Cluster(cluster)),
        timeout: Some(proto::duration(std::time::Duration::ZERO)),
        ..RouteAction::default()
    };
    Route {
        name: "default".into(),
        r#match: Some(matcher::everything()),
        decorator: Some(Decorator { operation, ..Decorator::default() }),
        action: Some(Action::Route(action)),
        ..Route::default()
    }
}

/// What answers hosts that nobody knows.
pub(super) fn unknown_host(scope: &Scope<'_>, name: String, domains: Vec<String>) -> Host {
    let passed_on = scope.client.captured && scope.outbound_mode() == OutboundMode::AllowAny;
    let route = if passed_on { pass_on() } else { block_all() };
    let virtual_host = VirtualHost {
        name,
        domains,
        routes: vec![route],
        include_request_attempt_count: true,
        ..VirtualHost::default()
    };
    Host { virtual_host, origins: BTreeSet::new() }
}

/// On to the address that was dialled.
fn pass_on() -> Route {
    let action = RouteAction {
        cluster_specifier: Some(ClusterSpecifier::Cluster(xds::PASSTHROUGH_CLUSTER.into())),
        timeout: Some(proto::duration(std::time::Duration::ZERO)),
        ..RouteAction::default()
    };
    Route {
        name: "allow_any".into(),
        r#match: Some(matcher::everything()),
        action: Some(Action::Route(action)),
        ..Route::default()
    }
}

fn block_all() -> Route {
    Route {
        name: "block_all".into(),
        r#match: Some(RouteMatch { path_specifier: Some(PathSpecifier::Prefix("/".into())), ..RouteMatch::default() }),
        action: Some(Action::DirectResponse(DirectResponseAction { status: 502, ..DirectResponseAction::default() })),
        ..Route::default()
    }
}

/// No timeout, and the mesh's retries.
fn default_action(scope: &Scope<'_>) -> RouteAction {
    let mut action = RouteAction { retry_policy: retry::default(scope.view.mesh(), false), ..RouteAction::default() };
    set_timeout(&mut action, std::time::Duration::ZERO);
    action
}

/// Zero switches the timeout off; a caller's `grpc-timeout` is capped by the same.
#[allow(deprecated)] // The successor, max_stream_duration, ends streams that Istio lets live.
fn set_timeout(action: &mut RouteAction, timeout: std::time::Duration) {
    action.timeout = Some(proto::duration(timeout));
    action.max_grpc_timeout = Some(proto::duration(timeout));
}

/// What spans of such requests are called.
fn decorator(host: &Hostname, port: u16, path: &str) -> Decorator {
    Decorator { operation: format!("{host}:{port}{path}"), ..Decorator::default() }
}
