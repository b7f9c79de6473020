//! HTTP options of a cluster.

use std::time::Duration;

use envoy_types::pb::envoy::{
    config::{cluster::v3::Cluster as Message, core::v3::HttpProtocolOptions as CommonOptions},
    extensions::upstreams::http::v3::{
        HttpProtocolOptions,
        http_protocol_options::{UpstreamProtocolOptions, explicit_http_config::ProtocolConfig},
    },
};

use super::super::{
    At, Result, fail,
    proto::{timeout, uint32, unpack},
    unsupported,
};
use crate::config::UpstreamProtocol;

/// Key of the options in `typed_extension_protocol_options`.
const KEY: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
/// Envoy's idle timeout of upstream connections when none is given.
const IDLE: Duration = Duration::from_secs(3600);

pub(super) struct Options {
    pub protocol: UpstreamProtocol,
    pub idle_timeout: Option<Duration>,
    pub max_connection_duration: Option<Duration>,
    pub max_requests_per_connection: Option<u32>,
    pub max_concurrent_streams: Option<u32>,
}

#[allow(deprecated, reason = "older control planes set the options at the cluster itself")]
pub(super) fn read(m: &Message) -> Result<Options> {
    if let Some(other) = m.typed_extension_protocol_options.keys().find(|k| *k != KEY) {
        return Err(fail(format!("{other:?} is not supported"))).at("typed_extension_protocol_options");
    }
    let typed = m.typed_extension_protocol_options.get(KEY).map(unpack::<HttpProtocolOptions>).transpose();
    let typed = typed.at(&format!("typed_extension_protocol_options[{KEY:?}]"))?;
    let mut options = match &typed {
        Some(typed) => read_typed(typed).at("typed_extension_protocol_options")?,
        None => {
            let protocol =
                if m.http2_protocol_options.is_some() { UpstreamProtocol::Http2 } else { UpstreamProtocol::Http1 };
            let streams = m.http2_protocol_options.as_ref().and_then(|o| uint32(&o.max_concurrent_streams));
            with_common(protocol, m.common_http_protocol_options.as_ref(), streams)?
        }
    };
    let old = uint32(&m.max_requests_per_connection).filter(|n| *n > 0);
    options.max_requests_per_connection = options.max_requests_per_connection.or(old);
    Ok(options)
}

fn read_typed(m: &HttpProtocolOptions) -> Result<Options> {
    unsupported(m.outlier_detection.is_some(), "outlier_detection")?;
    unsupported(!m.request_mirror_policies.is_empty(), "request_mirror_policies")?;
    unsupported(!m.hash_policy.is_empty(), "hash_policy")?;
    unsupported(m.retry_policy.is_some(), "retry_policy")?;
    let codec_only = m.http_filters.iter().all(|f| f.name == "envoy.filters.http.upstream_codec");
    unsupported(!codec_only, "http_filters")?;
    if let Some(upstream) = &m.upstream_http_protocol_options {
        // They set the SNI from the request's authority, or check the server's name against it.
        let by_request =
            upstream.auto_sni || upstream.auto_san_validation || !upstream.override_auto_sni_header.is_empty();
        unsupported(by_request, "upstream_http_protocol_options")?;
    }
    let (protocol, http2) = match &m.upstream_protocol_options {
        Some(UpstreamProtocolOptions::ExplicitHttpConfig(explicit)) => match &explicit.protocol_config {
            Some(ProtocolConfig::Http2ProtocolOptions(http2)) => (UpstreamProtocol::Http2, Some(http2)),
            Some(ProtocolConfig::HttpProtocolOptions(_)) => (UpstreamProtocol::Http1, None),
            Some(ProtocolConfig::Http3ProtocolOptions(_)) => {
                return Err(fail("HTTP/3 is not supported")).at("explicit_http_config");
            }
            None => return Err(fail("a protocol is needed")).at("explicit_http_config"),
        },
        Some(UpstreamProtocolOptions::UseDownstreamProtocolConfig(c)) => {
            (UpstreamProtocol::Downstream, c.http2_protocol_options.as_ref())
        }
        Some(UpstreamProtocolOptions::AutoConfig(c)) => (UpstreamProtocol::Alpn, c.http2_protocol_options.as_ref()),
        None => return Err(fail("a protocol is needed")).at("upstream_protocol_options"),
    };
    let streams = http2.and_then(|o| uint32(&o.max_concurrent_streams));
    with_common(protocol, m.common_http_protocol_options.as_ref(), streams)
}

fn with_common(protocol: UpstreamProtocol, common: Option<&CommonOptions>, streams: Option<u32>) -> Result<Options> {
    let default = CommonOptions::default();
    let common = common.unwrap_or(&default);
    unsupported(common.max_stream_duration.is_some(), "common_http_protocol_options.max_stream_duration")?;
    Ok(Options {
        protocol,
        idle_timeout: timeout("common_http_protocol_options.idle_timeout", &common.idle_timeout, Some(IDLE))?,
        max_connection_duration: timeout(
            "common_http_protocol_options.max_connection_duration",
            &common.max_connection_duration,
            None,
        )?,
        max_requests_per_connection: uint32(&common.max_requests_per_connection).filter(|n| *n > 0),
        max_concurrent_streams: streams.filter(|n| *n > 0),
    })
}
