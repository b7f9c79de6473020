//! Routes as JSON, in Envoy's words.

use serde_json::{Value, json};
use weft_policy::{
    config::{
        AbortStatus, Action, AuthorityRewrite, Cors, Fault, Forward, HashBy, HashPolicy, PathRewrite, Redirect,
        RedirectPath, RequireTls, RetryOn, RetryPolicy, Route, VirtualHost, Weighted,
    },
    route::RouteTable,
};

use super::matchers::{self, duration, fraction, header, header_ops, string, text};

pub fn table(table: &RouteTable) -> Value {
    json!({
        "virtual_hosts_on_demand": table.on_demand,
        "ignore_port_in_host_matching": table.ignore_port,
        "request_headers": header_ops(&table.request_headers),
        "response_headers": header_ops(&table.response_headers),
        "virtual_hosts": table.hosts().map(|host| virtual_host(host)).collect::<Vec<_>>(),
    })
}

fn virtual_host(host: &VirtualHost) -> Value {
    json!({
        "name": &*host.name,
        "domains": host.domains.iter().map(|domain| &**domain).collect::<Vec<_>>(),
        "require_tls": match host.require_tls {
            RequireTls::No => "NONE",
            RequireTls::External => "EXTERNAL_ONLY",
            RequireTls::All => "ALL",
        },
        "request_headers": header_ops(&host.request_headers),
        "response_headers": header_ops(&host.response_headers),
        "routes": host.routes.iter().map(|one| route(one)).collect::<Vec<_>>(),
    })
}

fn route(route: &Route) -> Value {
    let (kind, action) = match &route.action {
        Action::Forward(action) => ("route", forward(action)),
        Action::Redirect(action) => ("redirect", redirect(action)),
        Action::Respond(answer) => {
            ("direct_response", json!({ "status": answer.status.as_u16(), "body_bytes": answer.body.len() }))
        }
    };
    json!({
        "name": &*route.name,
        "virtual_service": route.virtual_service.as_deref(),
        "route_id": route.route_id.as_deref(),
        "match": matchers::route(&route.matcher),
        "request_headers": header_ops(&route.request_headers),
        "response_headers": header_ops(&route.response_headers),
        "fault": route.fault.as_deref().map(fault),
        "cors": route.cors.as_deref().map(cors),
        kind: action,
    })
}

pub fn weighted(weighted: &Weighted) -> Value {
    let cluster = |cluster: &weft_policy::config::WeightedCluster| {
        json!({
            "cluster": &*cluster.cluster,
            "weight": cluster.weight,
            "host_rewrite": cluster.authority.as_deref(),
            "request_headers": header_ops(&cluster.request_headers),
            "response_headers": header_ops(&cluster.response_headers),
        })
    };
    weighted.clusters.iter().map(cluster).collect()
}

fn forward(forward: &Forward) -> Value {
    json!({
        "clusters": weighted(&forward.clusters),
        "path_rewrite": forward.path.as_ref().map(path),
        "host_rewrite": forward.authority.as_ref().map(authority),
        "append_x_forwarded_host": forward.append_forwarded_host,
        "timeout": forward.timeout.map(duration),
        "idle_timeout": forward.idle_timeout.map(duration),
        "max_stream_duration": forward.max_stream_duration.map(duration),
        "max_grpc_timeout": forward.max_grpc_timeout.map(duration),
        "retry_policy": forward.retry.as_ref().map(retry),
        "request_mirror_policies": forward.mirrors.iter().map(|mirror| json!({
            "cluster": &*mirror.cluster,
            "fraction": fraction(mirror.share),
            "shadow_host_suffix": mirror.host_suffix,
        })).collect::<Vec<_>>(),
        "hash_policy": forward.hash.iter().map(hash).collect::<Vec<_>>(),
        "upgrades": forward.upgrades.iter().map(|(name, on)| json!({ "type": &**name, "enabled": on })).collect::<Vec<_>>(),
        "cluster_not_found_response": forward.cluster_not_found.as_u16(),
    })
}

fn path(rewrite: &PathRewrite) -> Value {
    match rewrite {
        PathRewrite::Prefix(prefix) => json!({ "prefix": &**prefix }),
        PathRewrite::Regex(pattern, with) => json!({ "regex": pattern.as_str(), "substitution": &**with }),
    }
}

fn authority(rewrite: &AuthorityRewrite) -> Value {
    match rewrite {
        AuthorityRewrite::Literal(host) => json!({ "literal": &**host }),
        AuthorityRewrite::Auto => json!({ "auto": true }),
        AuthorityRewrite::Header(name) => json!({ "header": name.as_str() }),
        AuthorityRewrite::PathRegex(pattern, with) => {
            json!({ "path_regex": pattern.as_str(), "substitution": &**with })
        }
    }
}

fn redirect(redirect: &Redirect) -> Value {
    json!({
        "scheme": redirect.scheme.as_deref(),
        "host": redirect.host.as_deref(),
        "port": redirect.port,
        "path": redirect.path.as_ref().map(|to| match to {
            RedirectPath::Full(path) => json!({ "full": &**path }),
            RedirectPath::Rewrite(rewrite) => path(rewrite),
        }),
        "strip_query": redirect.strip_query,
        "status": redirect.status.as_u16(),
    })
}

/// Names of retry conditions, Envoy's.
const CONDITIONS: [(RetryOn, &str); 15] = [
    (RetryOn::FIVE_XX, "5xx"),
    (RetryOn::GATEWAY_ERROR, "gateway-error"),
    (RetryOn::RESET, "reset"),
    (RetryOn::RESET_BEFORE_REQUEST, "reset-before-request"),
    (RetryOn::CONNECT_FAILURE, "connect-failure"),
    (RetryOn::REFUSED_STREAM, "refused-stream"),
    (RetryOn::RETRIABLE_4XX, "retriable-4xx"),
    (RetryOn::STATUS_CODES, "retriable-status-codes"),
    (RetryOn::HEADERS, "retriable-headers"),
    (RetryOn::ENVOY_RATELIMITED, "envoy-ratelimited"),
    (RetryOn::CANCELLED, "cancelled"),
    (RetryOn::DEADLINE_EXCEEDED, "deadline-exceeded"),
    (RetryOn::RESOURCE_EXHAUSTED, "resource-exhausted"),
    (RetryOn::INTERNAL, "internal"),
    (RetryOn::UNAVAILABLE, "unavailable"),
];

fn retry(retry: &RetryPolicy) -> Value {
    let on = CONDITIONS.iter().filter(|(condition, _)| retry.on.any(*condition)).map(|(_, name)| *name);
    json!({
        "retry_on": on.collect::<Vec<_>>().join(","),
        "num_retries": retry.retries,
        "retriable_status_codes": retry.status_codes,
        "retriable_headers": retry.response_headers.iter().map(header).collect::<Vec<_>>(),
        "retriable_request_headers": retry.request_headers.iter().map(header).collect::<Vec<_>>(),
        "per_try_timeout": retry.per_try_timeout.map(duration),
        "per_try_idle_timeout": retry.per_try_idle_timeout.map(duration),
        "base_interval": duration(retry.base_interval),
        "max_interval": duration(retry.max_interval),
        "avoid_previous_hosts": retry.avoid_previous_hosts,
        "avoid_previous_priorities": retry.avoid_previous_priorities,
    })
}

fn hash(policy: &HashPolicy) -> Value {
    let (kind, value) = match &policy.by {
        HashBy::Header(name) => ("header", json!(name.as_str())),
        HashBy::Cookie { name, path, ttl, .. } => {
            ("cookie", json!({ "name": &**name, "path": &**path, "ttl": ttl.map(duration) }))
        }
        HashBy::SourceIp => ("source_ip", json!(true)),
        HashBy::Query(name) => ("query_parameter", json!(&**name)),
    };
    json!({ kind: value, "terminal": policy.terminal })
}

fn fault(fault: &Fault) -> Value {
    json!({
        "delay": fault.delay.map(|delay| json!({
            "fixed_delay": duration(delay.duration),
            "percentage": fraction(delay.share),
        })),
        "abort": fault.abort.map(|abort| {
            let (kind, status) = match abort.status {
                AbortStatus::Http(status) => ("http_status", status.as_u16()),
                AbortStatus::Grpc(status) => ("grpc_status", status.into()),
            };
            json!({ kind: status, "percentage": fraction(abort.share) })
        }),
        "headers": fault.headers.iter().map(header).collect::<Vec<_>>(),
        "max_active_faults": fault.max_active,
    })
}

fn cors(cors: &Cors) -> Value {
    json!({
        "allow_origin": cors.origins.iter().map(string).collect::<Vec<_>>(),
        "allow_methods": cors.methods.as_ref().map(text),
        "allow_headers": cors.headers.as_ref().map(text),
        "expose_headers": cors.expose.as_ref().map(text),
        "max_age": cors.max_age.as_ref().map(text),
        "allow_credentials": cors.credentials,
    })
}
