//! Collectors that a mesh's configuration names and that proxies send nothing to.

use serde_json::Value;
use weft_api::mesh::MeshConfig;

use super::{named, own_zipkin, provider};

/// Of the Datadog agent, which takes OTLP as well.
const DATADOG: &str =
    "the Datadog agent takes OTLP: write opentelemetry with its service, port 4318 and http: {path: /v1/traces}";
/// Of everything else.
const OTHERS: &str = "write zipkin, or opentelemetry with the http address of a collector that hands spans on";

/// Providers of tracing whose protocol proxies do not speak, and what does instead.
const PROVIDERS: [(&str, &str); 5] = [
    ("datadog", DATADOG),
    ("lightstep", OTHERS),
    ("opencensus", OTHERS),
    ("skywalking", OTHERS),
    ("stackdriver", OTHERS),
];

/// The same in ProxyConfig's `tracing`.
const OWN: [(&str, &str); 4] =
    [("datadog", DATADOG), ("lightstep", OTHERS), ("openCensusAgent", OTHERS), ("stackdriver", OTHERS)];

/// One sentence for each of them, with the remedy; nothing where tracing is off.
pub(crate) fn mesh_warnings(config: &MeshConfig) -> Vec<String> {
    if config.enable_tracing == Some(false) {
        return Vec::new();
    }
    let all = &config.extension_providers;
    let unknown = named(config).into_iter().filter(|name| !all.iter().any(|one| one["name"] == *name)).map(|name| {
        format!("spec.meshConfig.defaultProviders.tracing: no extension provider is called {name:?}; correct the name")
    });
    let unfit = all
        .iter()
        .enumerate()
        .filter_map(|(index, one)| Some(format!("spec.meshConfig.extensionProviders[{index}]{}", unfit(one)?)));
    let tracing = config.default_config.as_ref().map_or(&Value::Null, |own| &own["tracing"]);
    unknown.chain(unfit).chain(own(tracing)).collect()
}

/// Why no span goes to a provider of tracing, after its path.
fn unfit(one: &Value) -> Option<String> {
    if let Some((kind, remedy)) = PROVIDERS.iter().find(|(kind, _)| one[*kind].is_object()) {
        return Some(format!(".{kind}: proxies do not speak its protocol and send it no spans; {remedy}"));
    }
    let otlp = &one["opentelemetry"];
    if otlp.is_object() && !otlp["http"].is_object() {
        let remedy = "write http: {path: /v1/traces} and the port of OTLP over HTTP, most often 4318";
        return Some(format!(".opentelemetry: proxies send OTLP over HTTP, not over gRPC; {remedy}"));
    }
    let kind = ["zipkin", "opentelemetry"].into_iter().find(|kind| one[*kind].is_object())?;
    let missing = provider(one).is_none();
    missing.then(|| {
        format!(".{kind}: this is no address; write service: HOST and port: NUMBER, and a path that begins with /")
    })
}

fn own(tracing: &Value) -> Option<String> {
    const AT: &str = "spec.meshConfig.defaultConfig.tracing";
    if let Some((kind, remedy)) = OWN.iter().find(|(kind, _)| tracing[*kind].is_object()) {
        return Some(format!(
            "{AT}.{kind}: proxies do not speak its protocol and send it no spans; as a provider in extensionProviders, {remedy}"
        ));
    }
    let wrong = tracing["zipkin"].is_object() && own_zipkin(tracing).is_none();
    wrong.then(|| format!("{AT}.zipkin.address: this is no address; write HOST:PORT"))
}
