//! What a pod's annotations ask for.

use std::net::IpAddr;

use serde_json::{Map, Value};
use weft_api::mesh::{Quantity, Resources, proxy_config_faults};

use super::{InjectError, merge};

/// ProxyConfig for one pod, in YAML.
pub(super) const PROXY_CONFIG: &str = "proxy.istio.io/config";
/// How much the proxy logs.
pub(super) const LOG_LEVEL: &str = "sidecar.istio.io/logLevel";
/// What is added to a pod.
pub(super) const TEMPLATES: &str = "inject.istio.io/templates";
const READINESS: &str = "readiness.status.sidecar.istio.io/";
/// Memory below which every proxy is killed, again and again: an idle one takes about 10 MiB.
const LEAST_MEMORY: f64 = 8.0 * 1_048_576.0;

/// Objects by name, in their order.
type Named = Vec<(String, Map<String, Value>)>;

/// A pod's annotations.
pub(super) struct Annotations<'p>(pub(super) Option<&'p Map<String, Value>>);

fn wrong(key: &str, message: impl Into<String>) -> InjectError {
    InjectError { field: format!("metadata.annotations[{key:?}]"), message: message.into() }
}

impl<'p> Annotations<'p> {
    pub(super) fn of(pod: &'p Value) -> Self {
        Self(pod["metadata"]["annotations"].as_object())
    }

    pub(super) fn get(&self, key: &str) -> Option<&'p str> {
        self.0?.get(key)?.as_str()
    }

    /// `true` or `false`; nothing when it is not there.
    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, InjectError> {
        match self.get(key).map(str::trim) {
            None | Some("") => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(wrong(key, format!("{other:?} is neither \"true\" nor \"false\""))),
        }
    }

    /// A list of ports, or `*` where `all` allows it; as capture takes it.
    pub(super) fn ports(&self, key: &str, all: bool) -> Result<Option<String>, InjectError> {
        self.items(key, |item| (all && item == "*") || item.parse::<u16>().is_ok_and(|port| port > 0), "a port")
    }

    /// A list of address ranges, or `*`.
    pub(super) fn ranges(&self, key: &str) -> Result<Option<String>, InjectError> {
        self.items(key, |item| item == "*" || is_range(item), "a range such as 10.0.0.0/8")
    }

    /// A list of interfaces.
    pub(super) fn interfaces(&self, key: &str) -> Result<Option<String>, InjectError> {
        let valid = |item: &str| {
            item.len() < 16 && item.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'+'))
        };
        self.items(key, valid, "an interface")
    }

    fn items(&self, key: &str, valid: impl Fn(&str) -> bool, what: &str) -> Result<Option<String>, InjectError> {
        let Some(text) = self.get(key) else { return Ok(None) };
        let items: Vec<&str> = text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect();
        match items.iter().find(|item| !valid(item)) {
            Some(item) => Err(wrong(key, format!("{item:?} is not {what}; write a list with commas"))),
            None => Ok(Some(items.join(","))),
        }
    }

    /// CPU and memory of the proxy, over `base`.
    pub(super) fn resources(&self, base: &Resources) -> Result<Resources, InjectError> {
        let mut wanted = Resources::default();
        for (key, requests, name) in [
            ("sidecar.istio.io/proxyCPU", true, "cpu"),
            ("sidecar.istio.io/proxyMemory", true, "memory"),
            ("sidecar.istio.io/proxyCPULimit", false, "cpu"),
            ("sidecar.istio.io/proxyMemoryLimit", false, "memory"),
        ] {
            let Some(text) = self.get(key) else { continue };
            let amount = Quantity(text.trim().to_owned());
            if amount.value().is_none_or(|value| value < 0.0) {
                return Err(wrong(key, format!("{text:?} is not an amount; write one such as 100m or 64Mi")));
            }
            let too_little = |value: f64| value > 0.0 && value < LEAST_MEMORY;
            if !requests && name == "memory" && amount.value().is_some_and(too_little) {
                let why = format!(
                    "{text:?} is below 8Mi, which no proxy runs in: write 16Mi or more, 64Mi where there are thousands of Services"
                );
                return Err(wrong(key, why));
            }
            let list = if requests { &mut wanted.requests } else { &mut wanted.limits };
            list.insert(name.to_owned(), amount);
        }
        let mut merged = base.clone();
        // What the pod says moves what only the mesh says out of its way.
        for (name, request) in &wanted.requests {
            let limit = merged.limits.get(name).and_then(Quantity::value);
            if limit.is_some_and(|limit| request.value().is_some_and(|request| request > limit)) {
                merged.limits.insert(name.clone(), request.clone());
            }
        }
        for (name, limit) in &wanted.limits {
            let request = merged.requests.get(name).and_then(Quantity::value);
            if request.is_some_and(|request| limit.value().is_some_and(|limit| request > limit)) {
                merged.requests.insert(name.clone(), limit.clone());
            }
        }
        merged.requests.extend(wanted.requests.clone());
        merged.limits.extend(wanted.limits.clone());
        for (name, request) in &wanted.requests {
            if let (Some(request), Some(limit)) = (request.value(), wanted.limits.get(name).and_then(Quantity::value))
                && request > limit
            {
                let key = if name == "cpu" { "sidecar.istio.io/proxyCPU" } else { "sidecar.istio.io/proxyMemory" };
                return Err(wrong(key, "is more than the limit that the pod sets"));
            }
        }
        Ok(merged)
    }

    /// What the pod says of its proxy's readiness probe: fields of a probe, and their values.
    pub(super) fn readiness(&self) -> Result<Vec<(&'static str, u32)>, InjectError> {
        let mut fields = Vec::new();
        for (field, least) in [("initialDelaySeconds", 0), ("periodSeconds", 1), ("failureThreshold", 1)] {
            let key = format!("{READINESS}{field}");
            let Some(text) = self.get(&key).map(str::trim).filter(|text| !text.is_empty()) else { continue };
            // The API server's numbers are signed.
            match text.parse::<u32>().ok().filter(|number| (least..=i32::MAX as u32).contains(number)) {
                Some(number) => fields.push((field, number)),
                None => {
                    return Err(wrong(
                        &key,
                        format!("{text:?} is not a whole number from {least}; write one such as 5"),
                    ));
                }
            }
        }
        Ok(fields)
    }

    /// `proxy.istio.io/config` (YAML) over the mesh's own.
    pub(super) fn proxy_config(&self, base: &Map<String, Value>) -> Result<Map<String, Value>, InjectError> {
        let mut merged = Value::Object(base.clone());
        if let Some(text) = self.get(PROXY_CONFIG).filter(|text| !text.trim().is_empty()) {
            let own: Value =
                serde_saphyr::from_str(text).map_err(|error| wrong(PROXY_CONFIG, format!("is not YAML: {error}")))?;
            let Some(settings) = own.as_object() else {
                return Err(wrong(PROXY_CONFIG, "is not a mapping of settings"));
            };
            if let Some((field, why)) = proxy_config_faults(settings).into_iter().next() {
                return Err(wrong(PROXY_CONFIG, format!("{field}: {why}")));
            }
            merge::merge(&mut merged, own);
        }
        Ok(match merged {
            Value::Object(map) => map,
            _ => Map::new(),
        })
    }

    /// A JSON mapping from name to object: `sidecar.istio.io/userVolume` and `…Mount`.
    pub(super) fn named(&self, key: &str) -> Result<Named, InjectError> {
        let Some(text) = self.get(key).filter(|text| !text.trim().is_empty()) else { return Ok(Vec::new()) };
        let shape = || wrong(key, "is not a JSON object of name to object");
        let Ok(Value::Object(map)) = serde_json::from_str(text) else { return Err(shape()) };
        map.into_iter()
            .map(|(name, value)| match value {
                Value::Object(value) => Ok((name, value)),
                _ => Err(shape()),
            })
            .collect()
    }

    /// Whether connections are redirected, by `sidecar.istio.io/interceptionMode`.
    pub(super) fn captured(&self, config: &Map<String, Value>) -> Result<bool, InjectError> {
        const KEY: &str = "sidecar.istio.io/interceptionMode";
        let own = self.get(KEY);
        match own.or_else(|| config.get("interceptionMode")?.as_str()).unwrap_or("REDIRECT") {
            "REDIRECT" | "" => Ok(true),
            "NONE" => Ok(false),
            mode if own.is_some() => {
                Err(wrong(KEY, format!("Weft has no mode {mode:?}; write REDIRECT or NONE, or leave it out")))
            }
            // A mesh-wide setting of another mesh must not stop every pod.
            _ => Ok(true),
        }
    }
}

fn is_range(text: &str) -> bool {
    let (address, bits) = text.split_once('/').unwrap_or((text, ""));
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let most = if address.is_ipv4() { 32 } else { 128 };
    bits.is_empty() && !text.ends_with('/') || bits.parse::<u8>().is_ok_and(|bits| bits <= most)
}
