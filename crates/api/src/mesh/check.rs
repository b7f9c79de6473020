//! Checks of a Mesh that need only that object: what passes can be rendered.

mod console;

use serde_json::Value;

use crate::{
    ObjectError,
    error::did_you_mean,
    mesh::{Component, KeyOf, MeshSpec, Profile, Quantity, Resources, SignIn, proxy_config_faults},
};

/// Bytes without which no container of ours starts.
const LEAST_MEMORY: f64 = 16.0 * 1024.0 * 1024.0;

/// Amounts that a container can be given. Extended resources (with a slash) pass unchecked.
const RESOURCES: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
/// Levels of Istio's `sidecar.istio.io/logLevel`, the most talkative first.
pub const LOG_LEVELS: [&str; 9] = ["trace", "debug", "info", "warning", "warn", "error", "critical", "off", "none"];

struct Checks(Vec<ObjectError>);

impl Checks {
    fn error(&mut self, field: impl Into<String>, message: impl Into<String>, suggestion: Option<String>) {
        self.0.push(ObjectError { object: None, field: field.into(), message: message.into(), suggestion });
    }
}

/// Everything that keeps `spec` from being installed; fields begin with `spec.`, objects are not named.
pub fn check(spec: &MeshSpec) -> Vec<ObjectError> {
    let mut checks = Checks(Vec::new());
    if !spec.revision.is_empty()
        && let Err(why) = revision_name(&spec.revision)
    {
        checks.error("spec.revision", why, None);
    }
    for (index, tag) in spec.tags.iter().enumerate() {
        let at = format!("spec.tags[{index}]");
        if let Err(why) = revision_name(tag) {
            checks.error(at, why, None);
        } else if tag == spec.revision_label() {
            checks.error(at, format!("{tag:?} is the revision's own name"), Some("leave it out".into()));
        } else if spec.tags[..index].contains(tag) {
            checks.error(at, format!("the tag {tag:?} is written twice"), None);
        }
    }
    match (&spec.remote, spec.profile()) {
        (None, Profile::Remote) => checks.error(
            "spec.remote",
            "profile remote needs the address of the control plane",
            Some("write spec.remote.controlPlane".into()),
        ),
        (Some(remote), Profile::Remote) if remote.control_plane.trim().is_empty() => {
            checks.error("spec.remote.controlPlane", "is empty", Some("write a host name or an IP address".into()));
        }
        (Some(_), profile) if profile != Profile::Remote => checks.error(
            "spec.remote",
            format!("has no meaning in profile {}", profile.as_str()),
            Some("write profile: remote, or leave it out".into()),
        ),
        _ => {}
    }
    let components = &spec.components;
    component(&components.control_plane, "controlPlane", &mut checks);
    component(&components.ingress_gateway, "ingressGateway", &mut checks);
    component(&components.console, "console", &mut checks);
    if components.control_plane.enabled == Some(false) && spec.profile() != Profile::Remote {
        checks.error(
            "spec.components.controlPlane.enabled",
            "a mesh has a control plane",
            Some("write profile: remote if another cluster's serves this one".into()),
        );
    }
    if components.control_plane.enabled == Some(true) && spec.profile() == Profile::Remote {
        checks.error(
            "spec.components.controlPlane.enabled",
            "profile remote is served by another cluster's control plane",
            Some("choose another profile".into()),
        );
    }
    for (name, found) in [("controlPlane", &components.control_plane), ("console", &components.console)] {
        if !found.service_ports.is_empty() {
            let at = format!("spec.components.{name}.servicePorts");
            checks.error(at, "only a gateway has further ports", Some("use ingressGateway.servicePorts".into()));
        }
    }
    console::check(spec, &mut checks);
    sign_in(&spec.sign_in, &mut checks);
    resources(&components.proxy.resources, "spec.components.proxy.resources", &mut checks);
    if let Some(level) = &components.proxy.log_level
        && !LOG_LEVELS.contains(&level.as_str())
    {
        let message = format!("{level:?} is not one of off, error, warning, info, debug, trace");
        checks.error("spec.components.proxy.logLevel", message, did_you_mean(level, LOG_LEVELS));
    }
    for (field, message) in
        spec.mesh_config.default_config.iter().filter_map(Value::as_object).flat_map(proxy_config_faults)
    {
        checks.error(format!("spec.meshConfig.defaultConfig.{field}"), message, None);
    }
    for (at, image) in [("spec.image.hub", &spec.image.hub), ("spec.image.tag", &spec.image.tag)] {
        if image.as_ref().is_some_and(|text| text.is_empty() || text.contains(char::is_whitespace)) {
            checks.error(at, "is no part of an image reference", None);
        }
    }
    checks.0
}

fn sign_in(found: &SignIn, checks: &mut Checks) {
    match &found.public_url {
        None if found.signs_in() => checks.error(
            "spec.signIn.publicUrl",
            "is missing: cookies and redirects go by it",
            Some("write the console's address as browsers do, such as https://weft.example.org".into()),
        ),
        Some(url) if !url.starts_with("https://") && !is_loopback(url) => checks.error(
            "spec.signIn.publicUrl",
            format!("{url:?} is not https"),
            Some("plain http is for loopback addresses only, such as http://127.0.0.1:20001".into()),
        ),
        _ => {}
    }
    if let Some(oidc) = &found.oidc {
        for (name, text) in [("issuer", &oidc.issuer), ("clientId", &oidc.client_id)] {
            if text.is_empty() {
                checks.error(format!("spec.signIn.oidc.{name}"), "is missing", None);
            }
        }
        if !oidc.issuer.is_empty() && !oidc.issuer.starts_with("https://") && !is_loopback(&oidc.issuer) {
            checks.error("spec.signIn.oidc.issuer", format!("{:?} is not https", oidc.issuer), None);
        }
        for (name, key) in [("clientSecret", &oidc.client_secret), ("ca", &oidc.ca)] {
            key_of(key.as_ref(), &format!("spec.signIn.oidc.{name}"), checks);
        }
        for (index, scope) in oidc.scopes.iter().enumerate() {
            if scope.is_empty() || scope.contains([',', ' ']) {
                checks.error(format!("spec.signIn.oidc.scopes[{index}]"), format!("{scope:?} is no scope"), None);
            }
        }
    }
    for (name, networks) in
        [("trustedProxies", &found.trusted_proxies), ("forwardedForFrom", &found.forwarded_for_from)]
    {
        for (index, network) in networks.iter().enumerate() {
            if network.parse::<ipnet::IpNet>().is_err() {
                let at = format!("spec.signIn.{name}[{index}]");
                checks.error(at, format!("{network:?} is no network"), Some("write one such as 10.1.0.0/16".into()));
            }
        }
    }
    if !found.forwarded_for_from.is_empty() && !found.guards() {
        checks.error(
            "spec.signIn.forwardedForFrom",
            "nobody signs in, and no proxy reaches the console",
            Some("write oidc, trustedProxies or anonymous beside it".into()),
        );
    }
    if found.impersonate && !found.signs_in() {
        checks.error(
            "spec.signIn.impersonate",
            "nobody signs in whom the console could act for",
            Some("write oidc or trustedProxies beside it".into()),
        );
    }
}

fn key_of(found: Option<&KeyOf>, at: &str, checks: &mut Checks) {
    if found.is_some_and(|key| key.name.is_empty() || key.key.is_empty()) {
        checks.error(at, "names no object and key", Some("write name and key".into()));
    }
}

fn is_loopback(url: &str) -> bool {
    let host = url.strip_prefix("http://").unwrap_or_default();
    ["127.0.0.1", "[::1]", "localhost"]
        .iter()
        .any(|name| host.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/'])))
}

fn component(found: &Component, name: &str, checks: &mut Checks) {
    let at = format!("spec.components.{name}");
    if found.replicas.is_some_and(|count| count < 1) {
        let message = "at least one replica runs";
        checks.error(format!("{at}.replicas"), message, Some("write enabled: false to leave it out".into()));
    }
    if let Some(scaling) = &found.autoscaling {
        if found.replicas.is_some() {
            checks.error(format!("{at}.replicas"), "replicas and autoscaling exclude each other", None);
        }
        if scaling.min_replicas < 1 || scaling.max_replicas < scaling.min_replicas {
            checks.error(format!("{at}.autoscaling"), "needs 1 ≤ minReplicas ≤ maxReplicas", None);
        }
        if scaling.target_cpu.is_some_and(|percent| percent < 1) {
            checks.error(format!("{at}.autoscaling.targetCpu"), "is a percentage from 1", None);
        }
    }
    resources(&found.resources, &format!("{at}.resources"), checks);
    for own in ["app", "istio", "istio.io/rev", "weft.dev/component", "weft.dev/mesh"] {
        if found.pod_labels.contains_key(own) {
            checks.error(format!("{at}.podLabels[{own:?}]"), "selectors rely on this label, it is set by Weft", None);
        }
    }
    if found.image.as_ref().is_some_and(|text| text.is_empty() || text.contains(char::is_whitespace)) {
        checks.error(format!("{at}.image"), "is no image reference", None);
    }
    for name in found.env.keys().filter(|name| name.is_empty() || name.contains('=')) {
        checks.error(format!("{at}.env[{name:?}]"), "is no name of an environment variable", None);
    }
    service_ports(found, &at, checks);
}

fn service_ports(found: &Component, at: &str, checks: &mut Checks) {
    const TAKEN: [(&str, i32); 3] = [("status-port", 15021), ("http2", 80), ("https", 443)];
    for (index, port) in found.service_ports.iter().enumerate() {
        let at = format!("{at}.servicePorts[{index}]");
        if !is_label(&port.name) || port.name.len() > 15 {
            checks.error(format!("{at}.name"), format!("{:?} is not a port's name", port.name), None);
        }
        if !(1..=65535).contains(&port.port) {
            checks.error(format!("{at}.port"), "is not between 1 and 65535", None);
        }
        let target = port.target_port.unwrap_or(port.port);
        if !(1024..=65535).contains(&target) {
            let message = format!("no gateway can listen on {target}, it does not run as root");
            checks.error(format!("{at}.targetPort"), message, Some("write one from 1024 to 65535".into()));
        }
        let earlier = found.service_ports[..index].iter().map(|port| (port.name.as_str(), port.port));
        if TAKEN.into_iter().chain(earlier).any(|(name, number)| name == port.name || number == port.port) {
            checks.error(at, "its name or number is another port's", None);
        }
    }
}

fn resources(found: &Resources, at: &str, checks: &mut Checks) {
    for (list, amounts) in [("requests", &found.requests), ("limits", &found.limits)] {
        for (name, amount) in amounts {
            let mut at = format!("{at}.{list}");
            crate::field::push_key(&mut at, name);
            if !RESOURCES.contains(&name.as_str()) && !name.contains('/') {
                checks.error(&at, format!("{name:?} is not a resource"), did_you_mean(name, RESOURCES));
            }
            if amount.value().is_none_or(|value| value < 0.0) {
                let message = format!("{:?} is not an amount", amount.0);
                checks.error(&at, message, Some("write one such as 100m or 64Mi".into()));
            }
        }
    }
    if let Some(limit) =
        found.limits.get("memory").filter(|limit| limit.value().is_some_and(|bytes| bytes < LEAST_MEMORY))
    {
        let message = format!("{:?} is too little: nothing of the mesh runs in less than 16Mi", limit.0);
        checks.error(format!("{at}.limits.memory"), message, Some("leave it out for the profile's".into()));
    }
    for (name, request) in &found.requests {
        if let (Some(request), Some(limit)) = (request.value(), found.limits.get(name).and_then(Quantity::value))
            && request > limit
        {
            checks.error(format!("{at}.requests.{name}"), "is more than its limit", None);
        }
    }
}

impl Quantity {
    /// The amount in units (cores, bytes); nothing when it is not an amount.
    pub fn value(&self) -> Option<f64> {
        const SUFFIXES: [(&str, f64); 14] = [
            ("Ki", 1024.0),
            ("Mi", 1_048_576.0),
            ("Gi", 1_073_741_824.0),
            ("Ti", 1_099_511_627_776.0),
            ("Pi", 1_125_899_906_842_624.0),
            ("n", 1e-9),
            ("u", 1e-6),
            ("m", 1e-3),
            ("k", 1e3),
            ("M", 1e6),
            ("G", 1e9),
            ("T", 1e12),
            ("P", 1e15),
            ("E", 1e18),
        ];
        let text = self.0.as_str();
        let (number, factor) = SUFFIXES
            .iter()
            .find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, *factor)))
            .unwrap_or((text, 1.0));
        if !number.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'+' | b'-' | b'e' | b'E')) {
            return None;
        }
        number.parse::<f64>().ok().filter(|value| value.is_finite()).map(|value| value * factor)
    }
}

fn is_label(text: &str) -> bool {
    text.len() <= 40
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Checks the name of a revision or a tag.
///
/// # Errors
/// The rule, when it is no such name.
pub fn revision_name(written: &str) -> Result<(), String> {
    if is_label(written) {
        return Ok(());
    }
    let shown: String = written.chars().take(80).collect();
    Err(format!("{shown:?} is not a name: at most 40 lower-case letters, digits and '-', beginning with a letter"))
}
