//! HTTP connection managers and their filters.

use std::{sync::Arc, time::Duration};

use envoy_types::pb::envoy::{
    config::core::v3::http_protocol_options::HeadersWithUnderscoresAction,
    extensions::filters::{
        http::{cors, fault::v3::HttpFault, grpc_stats, rbac::v3::Rbac as RbacMessage, router::v3::Router},
        network::http_connection_manager::v3::{
            HttpConnectionManager, HttpFilter,
            http_connection_manager::{
                CodecType, ForwardClientCertDetails, PathWithEscapedSlashesAction, RouteSpecifier,
                ServerHeaderTransformation, SetCurrentClientCertDetails, Tracing, UpgradeConfig,
            },
            http_filter::ConfigType,
        },
    },
    r#type::{
        tracing::v3::{CustomTag, custom_tag::Type},
        v3::Percent,
    },
};
use http::HeaderName;
use prost::Name;

use super::{
    At, Result, each, fail, fault,
    proto::{boolean, choice, duration_or, is_true, timeout, type_name, uint32, unpack},
    rbac, unsupported, virtual_host,
};
use crate::{
    authz::Rbac,
    config::{
        ClientCertDetails, Codec, EscapedSlashes, ForwardClientCert, HttpChain, PathNormalization, RouteSource,
        Sampling, ServerHeader, SpanTag, TagValue,
    },
};

const SERVER_NAME: &str = "weft";

pub(super) fn manager(m: HttpConnectionManager) -> Result<HttpChain> {
    refuse_unsupported(&m)?;
    let filters = read_filters(&m.http_filters)?;
    let options = m.common_http_protocol_options.unwrap_or_default();
    let underscores: HeadersWithUnderscoresAction =
        choice("headers_with_underscores_action", options.headers_with_underscores_action)
            .at("common_http_protocol_options")?;
    unsupported(
        underscores != HeadersWithUnderscoresAction::Allow,
        "common_http_protocol_options.headers_with_underscores_action",
    )?;
    unsupported(options.max_stream_duration.is_some(), "common_http_protocol_options.max_stream_duration")?;
    let hour = Some(Duration::from_secs(3600));
    let details = m.set_current_client_cert_details.unwrap_or_default();
    Ok(HttpChain {
        connection_authz: Vec::new(),
        authz: filters.authz,
        fault: filters.fault,
        cors: filters.cors,
        tracing: m.tracing.as_ref().map(sampling).transpose().at("tracing")?,
        span_tags: match &m.tracing {
            Some(tracing) => each("tracing.custom_tags", &tracing.custom_tags, span_tag)?,
            None => Vec::new(),
        },
        codec: match choice("codec_type", m.codec_type)? {
            CodecType::Auto => Codec::Auto,
            CodecType::Http1 => Codec::Http1,
            CodecType::Http2 => Codec::Http2,
            CodecType::Http3 => return Err(fail("HTTP/3 is not supported")).at("codec_type"),
        },
        server_name: if m.server_name.is_empty() { SERVER_NAME } else { m.server_name.as_str() }.into(),
        server_header: match choice("server_header_transformation", m.server_header_transformation)? {
            ServerHeaderTransformation::Overwrite => ServerHeader::Overwrite,
            ServerHeaderTransformation::AppendIfAbsent => ServerHeader::AppendIfAbsent,
            ServerHeaderTransformation::PassThrough => ServerHeader::PassThrough,
        },
        forward_client_cert: match choice("forward_client_cert_details", m.forward_client_cert_details)? {
            ForwardClientCertDetails::Sanitize => ForwardClientCert::Sanitize,
            ForwardClientCertDetails::ForwardOnly => ForwardClientCert::ForwardOnly,
            ForwardClientCertDetails::AppendForward => ForwardClientCert::AppendForward,
            ForwardClientCertDetails::SanitizeSet => ForwardClientCert::SanitizeSet,
            ForwardClientCertDetails::AlwaysForwardOnly => ForwardClientCert::AlwaysForwardOnly,
        },
        client_cert_details: cert_details(&details).at("set_current_client_cert_details")?,
        use_remote_address: is_true(&m.use_remote_address),
        xff_trusted_hops: m.xff_num_trusted_hops,
        append_forwarded_for: !m.skip_xff_append,
        generate_request_id: boolean(&m.generate_request_id).unwrap_or(true),
        preserve_request_id: m.preserve_external_request_id,
        normalize: PathNormalization {
            dot_segments: is_true(&m.normalize_path),
            merge_slashes: m.merge_slashes,
            escaped_slashes: match choice("path_with_escaped_slashes_action", m.path_with_escaped_slashes_action)? {
                PathWithEscapedSlashesAction::ImplementationSpecificDefault
                | PathWithEscapedSlashesAction::KeepUnchanged => EscapedSlashes::Keep,
                PathWithEscapedSlashesAction::RejectRequest => EscapedSlashes::Reject,
                PathWithEscapedSlashesAction::UnescapeAndRedirect => EscapedSlashes::UnescapeAndRedirect,
                PathWithEscapedSlashesAction::UnescapeAndForward => EscapedSlashes::Unescape,
            },
        },
        request_timeout: timeout("request_timeout", &m.request_timeout, None)?,
        request_headers_timeout: timeout("request_headers_timeout", &m.request_headers_timeout, None)?,
        idle_timeout: timeout("common_http_protocol_options.idle_timeout", &options.idle_timeout, hour)?,
        stream_idle_timeout: timeout("stream_idle_timeout", &m.stream_idle_timeout, Some(Duration::from_secs(300)))?,
        drain_timeout: duration_or("drain_timeout", &m.drain_timeout, Duration::from_secs(5))?,
        max_connection_duration: timeout(
            "common_http_protocol_options.max_connection_duration",
            &options.max_connection_duration,
            None,
        )?,
        max_requests_per_connection: uint32(&options.max_requests_per_connection).filter(|n| *n > 0),
        // Envoy allows 1 to 8192.
        max_request_headers_kb: uint32(&m.max_request_headers_kb).unwrap_or(60).clamp(1, 8192),
        max_concurrent_streams: m
            .http2_protocol_options
            .as_ref()
            .and_then(|o| uint32(&o.max_concurrent_streams))
            .unwrap_or(1024)
            .max(1),
        upgrades: each("upgrade_configs", &m.upgrade_configs, upgrade)?.into_iter().flatten().collect(),
        routes: match m.route_specifier {
            Some(RouteSpecifier::Rds(rds)) if !rds.route_config_name.is_empty() => {
                RouteSource::Rds(rds.route_config_name.into())
            }
            Some(RouteSpecifier::Rds(_)) => return Err(fail("is empty")).at("rds.route_config_name"),
            Some(RouteSpecifier::RouteConfig(config)) => {
                RouteSource::Inline(Arc::new(virtual_host::read_table(None, config).at("route_config")?))
            }
            Some(RouteSpecifier::ScopedRoutes(_)) => return Err(fail("is not supported")).at("scoped_routes"),
            None => return Err(fail("routes are needed")).at("route_specifier"),
        },
        stat_prefix: m.stat_prefix.into(),
    })
}

fn refuse_unsupported(m: &HttpConnectionManager) -> Result<()> {
    unsupported(is_true(&m.add_user_agent), "add_user_agent")?;
    unsupported(m.scheme_header_transformation.is_some(), "scheme_header_transformation")?;
    unsupported(!m.original_ip_detection_extensions.is_empty(), "original_ip_detection_extensions")?;
    unsupported(!m.early_header_mutation_extensions.is_empty(), "early_header_mutation_extensions")?;
    unsupported(!m.via.is_empty(), "via")?;
    unsupported(m.always_set_request_id_in_response, "always_set_request_id_in_response")?;
    unsupported(m.forward_client_cert_matcher.is_some(), "forward_client_cert_matcher")?;
    unsupported(m.local_reply_config.is_some(), "local_reply_config")?;
    unsupported(m.strip_matching_host_port, "strip_matching_host_port")?;
    unsupported(m.strip_port_mode.is_some(), "strip_port_mode")?;
    unsupported(m.strip_trailing_host_dot, "strip_trailing_host_dot")?;
    unsupported(m.path_normalization_options.is_some(), "path_normalization_options")?;
    unsupported(m.append_x_forwarded_port, "append_x_forwarded_port")?;
    unsupported(m.forward_proto_config.is_some(), "forward_proto_config")
}

#[derive(Default)]
struct Filters {
    authz: Vec<Arc<Rbac>>,
    fault: bool,
    cors: bool,
}

fn read_filters(messages: &[HttpFilter]) -> Result<Filters> {
    let mut filters = Filters::default();
    let mut routed = false;
    for (i, filter) in messages.iter().enumerate() {
        if filter.disabled {
            continue;
        }
        if routed {
            return Err(fail("stands behind the router")).at_index("http_filters", i);
        }
        read_filter(filter, &mut filters, &mut routed).at_index("http_filters", i)?;
    }
    if routed { Ok(filters) } else { Err(fail("the router is missing")).at("http_filters") }
}

fn read_filter(filter: &HttpFilter, filters: &mut Filters, routed: &mut bool) -> Result<()> {
    let any = match &filter.config_type {
        Some(ConfigType::TypedConfig(any)) => any,
        Some(ConfigType::ConfigDiscovery(_)) => return Err(fail("is not supported")).at("config_discovery"),
        None => return Err(fail(format!("{:?} has no configuration", filter.name))),
    };
    match type_name(any) {
        name if name == Router::full_name() => *routed = true,
        name if name == RbacMessage::full_name() => {
            let m: RbacMessage = unpack(any)?;
            unsupported(m.matcher.is_some(), "matcher")?;
            unsupported(m.shadow_matcher.is_some(), "shadow_matcher")?;
            filters.authz.extend(rbac::filters(&m.rules, &m.shadow_rules)?);
        }
        name if name == HttpFault::full_name() => {
            // A fault for every request of a listener would bypass the routes; only route faults are injected.
            unsupported(fault::read(&unpack(any)?)?.is_some(), "typed_config")?;
            filters.fault = true;
        }
        name if name == cors::v3::Cors::full_name() => filters.cors = true,
        // Only counts.
        name if name == grpc_stats::v3::FilterConfig::full_name() => {}
        _ if filter.is_optional => {}
        other => return Err(fail(format!("filter {other} is not supported"))),
    }
    Ok(())
}

fn sampling(m: &Tracing) -> Result<Sampling> {
    Ok(Sampling {
        random: parts(&m.random_sampling).at("random_sampling")?,
        client: parts(&m.client_sampling).at("client_sampling")?,
        overall: parts(&m.overall_sampling).at("overall_sampling")?,
    })
}

fn span_tag(m: &CustomTag) -> Result<SpanTag> {
    if m.tag.is_empty() {
        return Err(fail("is empty")).at("tag");
    }
    let value = match &m.r#type {
        Some(Type::Literal(of)) => TagValue::Literal(of.value.as_str().into()),
        Some(Type::Environment(of)) => {
            TagValue::Environment { name: of.name.as_str().into(), default: of.default_value.as_str().into() }
        }
        Some(Type::RequestHeader(of)) => {
            TagValue::Header { name: HeaderName::try_from(&of.name).ok(), default: of.default_value.as_str().into() }
        }
        Some(Type::Metadata(_) | Type::Value(_)) => return Err(fail("is not supported")).at("type"),
        None => return Err(fail("is missing")).at("type"),
    };
    Ok(SpanTag { name: m.tag.as_str().into(), value })
}

/// Parts per ten thousand; a missing percentage is 100.
fn parts(percent: &Option<Percent>) -> Result<u16> {
    match percent.as_ref().map_or(100.0, |p| p.value) {
        value if (0.0..=100.0).contains(&value) => Ok((value * 100.0).round() as u16),
        value => Err(fail(format!("{value} is not a percentage"))),
    }
}

fn cert_details(m: &SetCurrentClientCertDetails) -> Result<ClientCertDetails> {
    unsupported(m.cert, "cert")?;
    unsupported(m.chain, "chain")?;
    unsupported(m.issuer, "issuer")?;
    Ok(ClientCertDetails { subject: is_true(&m.subject), uri: m.uri, dns: m.dns })
}

fn upgrade(m: &UpgradeConfig) -> Result<Option<Arc<str>>> {
    if boolean(&m.enabled) == Some(false) {
        return Ok(None);
    }
    unsupported(!m.filters.is_empty(), "filters")?;
    unsupported(m.upgrade_type.eq_ignore_ascii_case("connect"), "upgrade_type")?;
    Ok(Some(m.upgrade_type.to_ascii_lowercase().into()))
}
