//! Route actions that send the request on.

use std::{sync::Arc, time::Duration};

use envoy_types::pb::envoy::config::{
    core::v3::RoutingPriority,
    route::v3::{
        RouteAction, WeightedCluster as WeightedMessage,
        route_action::{
            ClusterNotFoundResponseCode, ClusterSpecifier, HashPolicy as HashMessage, HostRewriteSpecifier,
            InternalRedirectAction, RequestMirrorPolicy, hash_policy::PolicySpecifier,
        },
        weighted_cluster::{
            ClusterWeight, RandomValueSpecifier, cluster_weight::HostRewriteSpecifier as WeightHostRewrite,
        },
    },
};
use http::{HeaderValue, StatusCode};

use super::{
    super::{
        At, Result, each, fail, headers,
        proto::{boolean, choice, duration, runtime_fraction, timeout, uint32},
        retry, strings, unsupported,
    },
    PerFilter,
};
use crate::config::{
    AuthorityRewrite, Forward, Fraction, HashBy, HashPolicy, HeaderOps, Mirror, PathRewrite, RetryPolicy, Weighted,
    WeightedCluster,
};

/// Envoy's route timeout when none is given.
const TIMEOUT: Duration = Duration::from_secs(15);

/// What a virtual host says for all its routes.
pub(in super::super) struct Defaults<'a> {
    pub filters: &'a PerFilter,
    pub retry: &'a Option<RetryPolicy>,
}

#[allow(deprecated, reason = "deprecated fields are refused, not ignored")]
pub(super) fn read(m: &RouteAction, defaults: &Defaults<'_>) -> Result<Forward> {
    unsupported(m.metadata_match.is_some(), "metadata_match")?;
    unsupported(m.path_rewrite_policy.is_some(), "path_rewrite_policy")?;
    unsupported(!m.path_rewrite.is_empty(), "path_rewrite")?;
    unsupported(m.retry_policy_typed_config.is_some(), "retry_policy_typed_config")?;
    unsupported(!m.rate_limits.is_empty(), "rate_limits")?;
    unsupported(m.cors.is_some(), "cors")?;
    unsupported(m.internal_redirect_policy.is_some(), "internal_redirect_policy")?;
    let internal: InternalRedirectAction = choice("internal_redirect_action", m.internal_redirect_action)?;
    unsupported(internal == InternalRedirectAction::HandleInternalRedirect, "internal_redirect_action")?;
    unsupported(m.hedge_policy.is_some(), "hedge_policy")?;
    let priority: RoutingPriority = choice("priority", m.priority)?;
    unsupported(priority == RoutingPriority::High, "priority")?;
    unsupported(m.grpc_timeout_offset.as_ref().is_some_and(|d| d.seconds != 0 || d.nanos != 0), "grpc_timeout_offset")?;
    let mut max_grpc_timeout = m.max_grpc_timeout.as_ref().map(duration).transpose().at("max_grpc_timeout")?;
    let mut max_stream_duration = None;
    if let Some(stream) = &m.max_stream_duration {
        let offset = stream.grpc_timeout_header_offset.as_ref();
        let offset = offset.is_some_and(|d| d.seconds != 0 || d.nanos != 0);
        unsupported(offset, "max_stream_duration.grpc_timeout_header_offset")?;
        max_stream_duration = timeout("max_stream_duration.max_stream_duration", &stream.max_stream_duration, None)?;
        let grpc = stream.grpc_timeout_header_max.as_ref().map(duration).transpose();
        max_grpc_timeout = grpc.at("max_stream_duration.grpc_timeout_header_max")?.or(max_grpc_timeout);
    }
    let retry = m.retry_policy.as_ref().map(retry::read).transpose().at("retry_policy")?;
    let cluster_not_found = match choice("cluster_not_found_response_code", m.cluster_not_found_response_code)? {
        ClusterNotFoundResponseCode::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        ClusterNotFoundResponseCode::NotFound => StatusCode::NOT_FOUND,
        ClusterNotFoundResponseCode::InternalServerError => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Ok(Forward {
        clusters: clusters(m)?,
        path: path_rewrite(m)?,
        authority: authority_rewrite(m)?,
        append_forwarded_host: m.append_x_forwarded_host,
        timeout: timeout("timeout", &m.timeout, Some(TIMEOUT))?,
        idle_timeout: m.idle_timeout.as_ref().map(duration).transpose().at("idle_timeout")?,
        max_stream_duration,
        max_grpc_timeout,
        retry: retry.or_else(|| defaults.retry.clone()),
        mirrors: each("request_mirror_policies", &m.request_mirror_policies, mirror)?,
        hash: each("hash_policy", &m.hash_policy, hash)?,
        upgrades: each("upgrade_configs", &m.upgrade_configs, |u| {
            unsupported(u.connect_config.is_some(), "connect_config")?;
            Ok((Arc::from(u.upgrade_type.to_ascii_lowercase()), boolean(&u.enabled).unwrap_or(true)))
        })?,
        cluster_not_found,
    })
}

fn clusters(m: &RouteAction) -> Result<Weighted> {
    match &m.cluster_specifier {
        Some(ClusterSpecifier::Cluster(name)) if !name.is_empty() => Ok(Weighted::single(name.as_str().into())),
        Some(ClusterSpecifier::Cluster(_)) => Err(fail("is empty")).at("cluster"),
        Some(ClusterSpecifier::WeightedClusters(weighted)) => read_weighted(weighted).at("weighted_clusters"),
        Some(ClusterSpecifier::ClusterHeader(_)) => Err(fail("is not supported")).at("cluster_header"),
        Some(_) => Err(fail("plugins are not supported")).at("cluster_specifier"),
        None => Err(fail("a cluster is needed")).at("cluster"),
    }
}

fn read_weighted(m: &WeightedMessage) -> Result<Weighted> {
    match &m.random_value_specifier {
        Some(RandomValueSpecifier::HeaderName(_)) => unsupported(true, "header_name")?,
        Some(RandomValueSpecifier::UseHashPolicy(wanted)) => unsupported(wanted.value, "use_hash_policy")?,
        None => {}
    }
    let clusters = each("clusters", &m.clusters, weight)?;
    Weighted::new(clusters).ok_or_else(|| fail("the weights add up to nothing")).at("clusters")
}

fn weight(m: &ClusterWeight) -> Result<WeightedCluster> {
    unsupported(!m.cluster_header.is_empty(), "cluster_header")?;
    unsupported(m.metadata_match.is_some(), "metadata_match")?;
    unsupported(!m.typed_per_filter_config.is_empty(), "typed_per_filter_config")?;
    if m.name.is_empty() {
        return Err(fail("is empty")).at("name");
    }
    Ok(WeightedCluster {
        cluster: m.name.as_str().into(),
        weight: uint32(&m.weight).unwrap_or(0),
        request_headers: headers::ops("request_headers", &m.request_headers_to_add, &m.request_headers_to_remove)?,
        response_headers: headers::ops("response_headers", &m.response_headers_to_add, &m.response_headers_to_remove)?,
        authority: match &m.host_rewrite_specifier {
            Some(WeightHostRewrite::HostRewriteLiteral(host)) => Some(authority(host).at("host_rewrite_literal")?),
            None => None,
        },
    })
}

fn path_rewrite(m: &RouteAction) -> Result<Option<PathRewrite>> {
    match (&m.regex_rewrite, m.prefix_rewrite.as_str()) {
        (None, "") => Ok(None),
        (None, prefix) if prefix.contains(|c: char| c.is_control() || matches!(c, ' ' | '?' | '#')) => {
            Err(fail(format!("{prefix:?} is not a path"))).at("prefix_rewrite")
        }
        (None, prefix) => Ok(Some(PathRewrite::Prefix(prefix.into()))),
        (Some(rewrite), "") => {
            let (regex, with) = strings::substitution(rewrite).at("regex_rewrite")?;
            Ok(Some(PathRewrite::Regex(regex, with)))
        }
        (Some(_), _) => Err(fail("excludes prefix_rewrite")).at("regex_rewrite"),
    }
}

fn authority_rewrite(m: &RouteAction) -> Result<Option<AuthorityRewrite>> {
    Ok(match &m.host_rewrite_specifier {
        None => None,
        Some(HostRewriteSpecifier::HostRewriteLiteral(host)) => {
            Some(AuthorityRewrite::Literal(authority(host).at("host_rewrite_literal")?))
        }
        Some(HostRewriteSpecifier::AutoHostRewrite(auto)) => auto.value.then_some(AuthorityRewrite::Auto),
        Some(HostRewriteSpecifier::HostRewriteHeader(name)) => {
            Some(AuthorityRewrite::Header(headers::header_name(name).at("host_rewrite_header")?))
        }
        Some(HostRewriteSpecifier::HostRewritePathRegex(rewrite)) => {
            let (regex, with) = strings::substitution(rewrite).at("host_rewrite_path_regex")?;
            Some(AuthorityRewrite::PathRegex(regex, with))
        }
        Some(_) => return Err(fail("is not supported")).at("host_rewrite_specifier"),
    })
}

fn authority(host: &str) -> Result<Arc<str>> {
    match host.parse::<http::uri::Authority>() {
        Ok(_) => Ok(host.into()),
        Err(_) => Err(fail(format!("{host:?} is not a host"))),
    }
}

fn mirror(m: &RequestMirrorPolicy) -> Result<Mirror> {
    unsupported(!m.cluster_header.is_empty(), "cluster_header")?;
    unsupported(!m.request_headers_mutations.is_empty(), "request_headers_mutations")?;
    unsupported(!m.host_rewrite_literal.is_empty(), "host_rewrite_literal")?;
    if m.cluster.is_empty() {
        return Err(fail("is empty")).at("cluster");
    }
    Ok(Mirror {
        cluster: m.cluster.as_str().into(),
        share: m.runtime_fraction.as_ref().map_or(Ok(Fraction::ALL), runtime_fraction).at("runtime_fraction")?,
        host_suffix: !m.disable_shadow_host_suffix_append,
    })
}

fn hash(m: &HashMessage) -> Result<HashPolicy> {
    let by = match &m.policy_specifier {
        Some(PolicySpecifier::Header(header)) => {
            unsupported(header.regex_rewrite.is_some(), "header.regex_rewrite")?;
            HashBy::Header(headers::header_name(&header.header_name).at("header.header_name")?)
        }
        Some(PolicySpecifier::Cookie(cookie)) => {
            let attributes = cookie.attributes.iter().map(|a| match a.value.as_str() {
                "" => format!("; {}", a.name),
                value => format!("; {}={value}", a.name),
            });
            let attributes: String = attributes.collect();
            HeaderValue::from_str(&attributes).map_err(|_| fail("is not fit for a header")).at("cookie.attributes")?;
            HashBy::Cookie {
                attributes: attributes.into(),
                name: cookie.name.as_str().into(),
                path: cookie.path.as_str().into(),
                ttl: cookie.ttl.as_ref().map(duration).transpose().at("cookie.ttl")?,
            }
        }
        Some(PolicySpecifier::ConnectionProperties(c)) if c.source_ip => HashBy::SourceIp,
        Some(PolicySpecifier::QueryParameter(q)) => HashBy::Query(q.name.as_str().into()),
        Some(PolicySpecifier::FilterState(_)) => return Err(fail("is not supported")).at("filter_state"),
        Some(PolicySpecifier::ConnectionProperties(_)) | None => return Err(fail("a source is needed")),
    };
    Ok(HashPolicy { by, terminal: m.terminal })
}

impl Weighted {
    /// All to one.
    pub(crate) fn single(cluster: Arc<str>) -> Self {
        let only = WeightedCluster {
            cluster,
            weight: 1,
            request_headers: HeaderOps::default(),
            response_headers: HeaderOps::default(),
            authority: None,
        };
        Self { clusters: vec![only], total: 1 }
    }

    /// Leaves out what has no weight; `None` when nothing is left.
    pub(crate) fn new(mut clusters: Vec<WeightedCluster>) -> Option<Self> {
        clusters.retain(|c| c.weight > 0);
        let total = clusters.iter().map(|c| u64::from(c.weight)).sum();
        (total > 0).then_some(Self { clusters, total })
    }
}
