//! The HTTP connection manager and its filters.

use envoy_types::pb::envoy::{
    config::{core::v3::HttpProtocolOptions, listener::v3::Filter, route::v3::RouteConfiguration},
    extensions::filters::{
        http::{cors::v3::Cors, fault::v3::HttpFault, router::v3::Router},
        network::http_connection_manager::v3::{
            HttpConnectionManager, HttpFilter, Rds,
            http_connection_manager::{
                CodecType, ForwardClientCertDetails, PathWithEscapedSlashesAction, RouteSpecifier,
                ServerHeaderTransformation, SetCurrentClientCertDetails, Tracing, UpgradeConfig,
            },
            http_filter,
        },
    },
    r#type::tracing::v3::{CustomTag, custom_tag},
};
use envoy_types::pb::{envoy::config::listener::v3::filter, google::protobuf::Any};

use super::proto::{ads, boolean, duration, percent};
use crate::{
    canonical::{pack, pack_plain},
    resolve::telemetry::{self, Tag},
    snapshot::{MeshSettings, PathNormalization},
};

/// Name of the fault filter, and of its configuration at routes.
pub(super) const FAULT_FILTER: &str = "envoy.filters.http.fault";
/// Name of the CORS filter, and of its configuration at routes.
pub(super) const CORS_FILTER: &str = "envoy.filters.http.cors";
const ROUTER_FILTER: &str = "envoy.filters.http.router";
const CONNECTION_MANAGER: &str = "envoy.filters.network.http_connection_manager";

/// Whose requests a connection manager serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Peers calling the application behind this proxy.
    Inbound,
    /// The application calling out.
    Outbound,
    /// Clients outside the mesh.
    Edge,
}

/// Where routes come from.
pub(super) enum Routes {
    /// By RDS.
    Named(String),
    /// Written here.
    Inline(Box<RouteConfiguration>),
}

/// The connection manager as a network filter. `authz` are RBAC filters in order.
pub(super) fn connection_manager(
    side: Side,
    stat_prefix: String,
    routes: Routes,
    authz: Vec<HttpFilter>,
    mesh: &MeshSettings,
    traced: &telemetry::Tracing,
) -> Filter {
    let mut http_filters = authz;
    if side != Side::Inbound {
        http_filters.push(http_filter(CORS_FILTER, pack_plain(&Cors {})));
        http_filters.push(http_filter(FAULT_FILTER, pack_plain(&HttpFault::default())));
    }
    http_filters.push(http_filter(ROUTER_FILTER, pack_plain(&Router::default())));
    // What a client claims about earlier hops is not believed; this hop's certificate is.
    let (forward, details) = match side {
        Side::Outbound => (ForwardClientCertDetails::Sanitize, None),
        Side::Inbound | Side::Edge => (
            ForwardClientCertDetails::SanitizeSet,
            Some(SetCurrentClientCertDetails {
                subject: boolean(true),
                uri: true,
                dns: true,
                ..SetCurrentClientCertDetails::default()
            }),
        ),
    };
    let (normalize, merge, escaped) = normalization(mesh.path_normalization);
    let manager = HttpConnectionManager {
        codec_type: CodecType::Auto as i32,
        stat_prefix,
        http_filters,
        tracing: tracing(traced),
        common_http_protocol_options: mesh
            .idle_timeout
            .map(|idle| HttpProtocolOptions { idle_timeout: Some(duration(idle)), ..HttpProtocolOptions::default() }),
        server_header_transformation: ServerHeaderTransformation::PassThrough as i32,
        // Streams end by route timeouts; a quiet gRPC stream is not an error.
        stream_idle_timeout: Some(duration(std::time::Duration::ZERO)),
        use_remote_address: boolean(side == Side::Edge),
        skip_xff_append: side == Side::Outbound,
        forward_client_cert_details: forward as i32,
        set_current_client_cert_details: details,
        upgrade_configs: vec![UpgradeConfig { upgrade_type: "websocket".into(), ..UpgradeConfig::default() }],
        normalize_path: boolean(normalize),
        merge_slashes: merge,
        path_with_escaped_slashes_action: escaped as i32,
        // Istio keeps the caller's x-request-id within the mesh so that one id follows a request.
        preserve_external_request_id: side != Side::Edge,
        route_specifier: Some(match routes {
            Routes::Named(name) => RouteSpecifier::Rds(Rds { config_source: ads(), route_config_name: name }),
            Routes::Inline(config) => RouteSpecifier::RouteConfig(*config),
        }),
        ..HttpConnectionManager::default()
    };
    Filter { name: CONNECTION_MANAGER.into(), config_type: Some(filter::ConfigType::TypedConfig(pack(&manager))) }
}

/// Nothing where no spans are reported: the context of a trace is passed on as it came.
fn tracing(traced: &telemetry::Tracing) -> Option<Tracing> {
    let parts = traced.sampling?;
    Some(Tracing {
        client_sampling: Some(percent(100.0)),
        random_sampling: Some(percent(f64::from(parts) / 100.0)),
        overall_sampling: Some(percent(100.0)),
        custom_tags: traced.tags.iter().map(|(name, tag)| custom_tag(name, tag)).collect(),
        ..Tracing::default()
    })
}

fn custom_tag(name: &str, tag: &Tag) -> CustomTag {
    use custom_tag::{Environment, Header, Literal, Type};
    let kind = match tag.clone() {
        Tag::Literal(value) => Type::Literal(Literal { value }),
        Tag::Environment { name, default } => Type::Environment(Environment { name, default_value: default }),
        Tag::Header { name, default } => Type::RequestHeader(Header { name, default_value: default }),
    };
    CustomTag { tag: name.to_owned(), r#type: Some(kind) }
}

/// An HTTP filter.
pub(super) fn http_filter(name: &str, config: Any) -> HttpFilter {
    HttpFilter {
        name: name.into(),
        config_type: Some(http_filter::ConfigType::TypedConfig(config)),
        ..HttpFilter::default()
    }
}

fn normalization(level: PathNormalization) -> (bool, bool, PathWithEscapedSlashesAction) {
    match level {
        PathNormalization::None => (false, false, PathWithEscapedSlashesAction::KeepUnchanged),
        PathNormalization::Base => (true, false, PathWithEscapedSlashesAction::KeepUnchanged),
        PathNormalization::MergeSlashes => (true, true, PathWithEscapedSlashesAction::KeepUnchanged),
        PathNormalization::DecodeAndMergeSlashes => (true, true, PathWithEscapedSlashesAction::UnescapeAndForward),
    }
}
