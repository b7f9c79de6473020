//! Listeners as JSON.

use serde_json::{Map, Value, json};
use weft_policy::config::{
    ChainKind, ChainMatch, Codec, Direction, DownstreamTls, FilterChain, HttpChain, Listener, RouteSource, TcpChain,
    Transport,
};

use super::{
    matchers::{duration, string},
    routes::{table, weighted},
};

/// `failure` says why it is not bound, where that was tried in vain.
pub fn listener(listener: &Listener, failure: Option<&String>) -> Value {
    json!({
        "address": listener.address.to_string(),
        "direction": match listener.direction {
            Direction::Inbound => "INBOUND",
            Direction::Outbound => "OUTBOUND",
        },
        "bind_to_port": listener.bind,
        "bound": listener.bind && failure.is_none(),
        "bind_error": failure,
        "use_original_dst": listener.original_destination,
        "peeks": { "tls": listener.peek_tls, "http": listener.peek_http, "timeout": duration(listener.peek_timeout) },
        "filter_chains": listener.chains.iter().map(chain).collect::<Vec<_>>(),
        "default_filter_chain": listener.default_chain.as_ref().map(chain),
    })
}

fn chain(chain: &FilterChain) -> Value {
    let (kind, filter) = match &chain.kind {
        ChainKind::Http(chain) => ("http", http(chain)),
        ChainKind::Tcp(chain) => ("tcp", tcp(chain)),
    };
    json!({
        "name": &*chain.name,
        "match": criteria(&chain.criteria),
        "tls": chain.tls.as_deref().map(tls),
        kind: filter,
    })
}

/// Only what is asked for.
fn criteria(criteria: &ChainMatch) -> Value {
    let mut asked = Map::new();
    if let Some(port) = criteria.destination_port {
        asked.insert("destination_port".into(), port.into());
    }
    if !criteria.destination.is_empty() {
        let ranges = criteria.destination.iter().map(|range| format!("{}/{}", range.network, range.bits));
        asked.insert("destination".into(), ranges.collect());
    }
    if !criteria.server_names.is_empty() {
        let names = criteria.server_names.iter().map(|name| match name.starts_with('.') {
            true => format!("*{name}"),
            false => name.to_string(),
        });
        asked.insert("server_names".into(), names.collect());
    }
    if let Some(transport) = criteria.transport {
        let name = match transport {
            Transport::Tls => "tls",
            Transport::Raw => "raw_buffer",
        };
        asked.insert("transport_protocol".into(), name.into());
    }
    if !criteria.application_protocols.is_empty() {
        asked.insert("application_protocols".into(), criteria.application_protocols.iter().map(|p| &**p).collect());
    }
    Value::Object(asked)
}

fn tls(tls: &DownstreamTls) -> Value {
    json!({
        "certificate": &*tls.certificate,
        "roots": tls.roots.as_deref(),
        "client_certificate_required": tls.require_client_certificate,
        "client_san": tls.client_san.iter().map(string).collect::<Vec<_>>(),
        "alpn": tls.alpn.iter().map(|alpn| &**alpn).collect::<Vec<_>>(),
    })
}

fn http(http: &HttpChain) -> Value {
    json!({
        "stat_prefix": &*http.stat_prefix,
        "codec": match http.codec {
            Codec::Auto => "AUTO",
            Codec::Http1 => "HTTP1",
            Codec::Http2 => "HTTP2",
        },
        "routes": match &http.routes {
            RouteSource::Rds(name) => json!({ "rds": &**name }),
            RouteSource::Inline(inline) => json!({ "inline": table(inline) }),
        },
        "connection_authorization_filters": http.connection_authz.len(),
        "authorization_filters": http.authz.len(),
        "fault": http.fault,
        "cors": http.cors,
        "tracing": http.tracing.map(|sampling| json!({
            "random_percent": f64::from(sampling.random) / 100.0,
            "overall_percent": f64::from(sampling.overall) / 100.0,
            // What they say may be nobody's business who looks at this.
            "tags": http.span_tags.iter().map(|tag| &*tag.name).collect::<Vec<_>>(),
        })),
        "use_remote_address": http.use_remote_address,
        "xff_trusted_hops": http.xff_trusted_hops,
        "upgrades": http.upgrades.iter().map(|name| &**name).collect::<Vec<_>>(),
        "idle_timeout": http.idle_timeout.map(duration),
        "request_timeout": http.request_timeout.map(duration),
        "request_headers_timeout": http.request_headers_timeout.map(duration),
        "stream_idle_timeout": http.stream_idle_timeout.map(duration),
        "max_connection_duration": http.max_connection_duration.map(duration),
    })
}

fn tcp(tcp: &TcpChain) -> Value {
    json!({
        "stat_prefix": &*tcp.stat_prefix,
        "clusters": weighted(&tcp.clusters),
        "authorization_filters": tcp.authz.len(),
        "idle_timeout": tcp.idle_timeout.map(duration),
        "max_connect_attempts": tcp.max_connect_attempts,
        "max_duration": tcp.max_duration.map(duration),
        "hash_source_ip": tcp.hash_source_ip,
    })
}
