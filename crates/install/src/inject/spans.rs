//! Where proxies send spans, by Istio's mesh config: a provider of tracing, or else `tracing` of ProxyConfig
//! (<https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/>).

mod warn;

use serde_json::{Map, Value};
use weft_api::mesh::MeshConfig;

use super::InjectConfig;
use crate::render::env;

pub(super) use warn::mesh_warnings;

/// Where Zipkin takes spans when nobody says.
const ZIPKIN_PATH: &str = "/api/v2/spans";

// The proxy's flags.
const OTLP_VARIABLE: &str = "WEFT_OTLP_ENDPOINT";
const ZIPKIN_VARIABLE: &str = "WEFT_ZIPKIN_ENDPOINT";
const LENGTH_VARIABLE: &str = "WEFT_MAX_TAG_LENGTH";

/// What the providers of a mesh come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Spans {
    /// `http://host:port` of an OTLP collector; empty is none.
    pub(super) otlp: String,
    /// `http://host:port/path` of a Zipkin; empty is none.
    pub(super) zipkin: String,
    /// Characters of a request's path; 0 when nobody says.
    pub(super) max_tag_length: u64,
    /// Nothing is sent, whatever ProxyConfig says.
    pub(super) off: bool,
}

impl Spans {
    /// The first provider that proxies can send to: of those that the mesh names as its default ones, else of all.
    pub(super) fn of(config: &MeshConfig) -> Self {
        if config.enable_tracing == Some(false) {
            return Self { off: true, ..Self::default() };
        }
        let all = &config.extension_providers;
        let named = named(config);
        let chosen = if named.is_empty() {
            all.iter().find_map(provider)
        } else {
            named.iter().filter_map(|name| all.iter().find(|one| one["name"] == **name)).find_map(provider)
        };
        // Whoever names providers does not mean what proxies say for themselves.
        chosen.unwrap_or_else(|| Self { off: !named.is_empty(), ..Self::default() })
    }
}

/// `defaultProviders.tracing`.
fn named(config: &MeshConfig) -> Vec<&str> {
    let list = config.default_providers.as_ref().and_then(|all| all["tracing"].as_array());
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// A provider that proxies can send to: Zipkin, or OpenTelemetry over HTTP.
fn provider(provider: &Value) -> Option<Spans> {
    let (zipkin, otlp) = (&provider["zipkin"], &provider["opentelemetry"]);
    let mut spans = Spans::default();
    let settings = if zipkin.is_object() {
        let path = zipkin["path"].as_str().filter(|path| !path.is_empty()).unwrap_or(ZIPKIN_PATH);
        let sound = path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic());
        spans.zipkin = base(zipkin).filter(|_| sound)? + path;
        zipkin
    } else {
        otlp["http"].as_object()?;
        spans.otlp = base(otlp)?;
        otlp
    };
    spans.max_tag_length = settings["maxTagLength"].as_u64().unwrap_or_default();
    Some(spans)
}

/// `http://host:port` of a provider.
fn base(provider: &Value) -> Option<String> {
    let port = &provider["port"];
    let port = port.as_u64().or_else(|| port.as_str()?.parse().ok())?;
    // `namespace/host` says which namespace's view of the host is meant; all share one DNS.
    let host = provider["service"].as_str()?.rsplit('/').next()?;
    address(host, u16::try_from(port).ok()?)
}

fn address(host: &str, port: u16) -> Option<String> {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    (!host.is_empty() && port > 0 && host.bytes().all(sound)).then(|| format!("http://{host}:{port}"))
}

/// ProxyConfig's `tracing.zipkin.address`, which is `host:port`.
fn own_zipkin(tracing: &Value) -> Option<String> {
    let (host, port) = tracing["zipkin"]["address"].as_str()?.rsplit_once(':')?;
    Some(address(host, port.parse().ok()?)? + ZIPKIN_PATH)
}

impl InjectConfig {
    /// The proxy's settings of spans, as variables, where `proxy_config` is its ProxyConfig. `given` tells which variables
    /// it is given anyway: they win, and a proxy has one collector.
    pub(crate) fn span_variables(&self, proxy_config: &Map<String, Value>, given: impl Fn(&str) -> bool) -> Vec<Value> {
        if self.tracing_off || given(OTLP_VARIABLE) || given(ZIPKIN_VARIABLE) {
            return Vec::new();
        }
        let tracing = proxy_config.get("tracing").unwrap_or(&Value::Null);
        let mut variables = Vec::new();
        if !self.otlp_endpoint.is_empty() {
            variables.push(env(OTLP_VARIABLE, self.otlp_endpoint.as_str()));
        } else if !self.zipkin_endpoint.is_empty() {
            variables.push(env(ZIPKIN_VARIABLE, self.zipkin_endpoint.as_str()));
        } else if let Some(url) = own_zipkin(tracing) {
            variables.push(env(ZIPKIN_VARIABLE, url));
        } else {
            return variables;
        }
        let length = Some(self.max_tag_length).filter(|length| *length > 0);
        let length = length.or_else(|| tracing["maxPathTagLength"].as_u64()).filter(|_| !given(LENGTH_VARIABLE));
        variables.extend(length.map(|length| env(LENGTH_VARIABLE, length.to_string())));
        variables
    }
}

#[cfg(test)]
mod tests;
