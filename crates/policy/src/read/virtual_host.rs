//! Route configurations and virtual hosts.

use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::{
    RouteConfiguration, VirtualHost as Message, virtual_host::TlsRequirementType,
};

use super::{
    At, Result, each, fail, headers,
    proto::choice,
    retry,
    route::{self, Defaults, PerFilter},
    same_name, unsupported,
};
use crate::{
    config::{RequireTls, VirtualHost},
    route::RouteTable,
};

/// A route table; one that is inline in a listener has no resource name.
pub(super) fn read_table(resource: Option<&Arc<str>>, message: RouteConfiguration) -> Result<RouteTable> {
    if let Some(resource) = resource {
        same_name(resource, &message.name, "name")?;
    }
    unsupported(!message.internal_only_headers.is_empty(), "internal_only_headers")?;
    unsupported(!message.cluster_specifier_plugins.is_empty(), "cluster_specifier_plugins")?;
    unsupported(!message.request_mirror_policies.is_empty(), "request_mirror_policies")?;
    unsupported(!message.vhost_header.is_empty(), "vhost_header")?;
    unsupported(message.ignore_path_parameters_in_path_matching, "ignore_path_parameters_in_path_matching")?;
    unsupported(!message.typed_per_filter_config.is_empty(), "typed_per_filter_config")?;
    unsupported(!message.route_specifiers.is_empty(), "route_specifiers")?;
    let hosts = message.virtual_hosts.into_iter().map(|h| (h.name.clone(), h));
    let hosts = hosts.map(|(name, host)| Ok(Arc::new(read(host).at(&format!("virtual_hosts[{name:?}]"))?)));
    let hosts = hosts.collect::<Result<Vec<_>>>()?;
    let mut table = RouteTable::awaited(message.name.into());
    table.ignore_port = message.ignore_port_in_host_matching;
    table.on_demand = message.vhds.is_some();
    table.most_specific_wins = message.most_specific_header_mutations_wins;
    table.request_headers =
        headers::ops("request_headers", &message.request_headers_to_add, &message.request_headers_to_remove)?;
    table.response_headers =
        headers::ops("response_headers", &message.response_headers_to_add, &message.response_headers_to_remove)?;
    let twice = |domain| fail(format!("two virtual hosts claim the domain {domain:?}"));
    table.with_hosts(hosts).map_err(twice).at("virtual_hosts")
}

#[allow(deprecated, reason = "deprecated fields are refused, not ignored")]
pub(super) fn read(message: Message) -> Result<VirtualHost> {
    unsupported(message.matcher.is_some(), "matcher")?;
    unsupported(!message.rate_limits.is_empty(), "rate_limits")?;
    unsupported(message.cors.is_some(), "cors")?;
    unsupported(message.retry_policy_typed_config.is_some(), "retry_policy_typed_config")?;
    unsupported(message.hedge_policy.is_some(), "hedge_policy")?;
    unsupported(!message.request_mirror_policies.is_empty(), "request_mirror_policies")?;
    unsupported(message.include_attempt_count_in_response, "include_attempt_count_in_response")?;
    unsupported(message.include_is_timeout_retry_header, "include_is_timeout_retry_header")?;
    unsupported(!message.route_specifiers.is_empty(), "route_specifiers")?;
    let domains = each("domains", &message.domains, |d| domain(d))?;
    if domains.is_empty() {
        return Err(fail("is empty")).at("domains");
    }
    let filters = route::per_filter(&message.typed_per_filter_config, &PerFilter::default())?;
    let retry = message.retry_policy.as_ref().map(retry::read).transpose().at("retry_policy")?;
    let defaults = Defaults { filters: &filters, retry: &retry };
    Ok(VirtualHost {
        name: message.name.as_str().into(),
        domains,
        routes: each("routes", &message.routes, |m| Ok(Arc::new(route::read(m, &defaults)?)))?,
        request_headers: headers::ops(
            "request_headers",
            &message.request_headers_to_add,
            &message.request_headers_to_remove,
        )?,
        response_headers: headers::ops(
            "response_headers",
            &message.response_headers_to_add,
            &message.response_headers_to_remove,
        )?,
        require_tls: match choice("require_tls", message.require_tls)? {
            TlsRequirementType::None => RequireTls::No,
            TlsRequirementType::ExternalOnly => RequireTls::External,
            TlsRequirementType::All => RequireTls::All,
        },
        include_attempt_count: message.include_request_attempt_count,
    })
}

/// An exact name, `*`, `*suffix` or `prefix*`, in lower case.
fn domain(text: &str) -> Result<Arc<str>> {
    let stars = text.bytes().filter(|b| *b == b'*').count();
    if text.is_empty() || stars > 1 || (stars == 1 && !text.starts_with('*') && !text.ends_with('*')) {
        return Err(fail(format!("{text:?} is not a domain")));
    }
    Ok(text.to_ascii_lowercase().into())
}
