//! Kubernetes' Service, and mesh-wide settings.

use std::collections::HashSet;

use k8s_openapi::api::core::v1::ServiceSpec;

use super::{
    checks::{Checks, is_host, shorten},
    http_route,
};
use crate::mesh::MeshConfig;

pub(super) fn check_service(spec: &ServiceSpec, checks: &mut Checks<'_>) {
    let ports = spec.ports.as_deref().unwrap_or_default();
    if ports.is_empty() && spec.type_.as_deref() != Some("ExternalName") && spec.cluster_ip.as_deref() != Some("None") {
        checks.error("spec", "the Service has no ports");
    }
    let mut names = HashSet::new();
    let mut numbers = HashSet::new();
    for (index, port) in ports.iter().enumerate() {
        let at = format!("spec.ports[{index}]");
        checks.port(format!("{at}.port"), u32::try_from(port.port).unwrap_or(0));
        let name = port.name.as_deref().unwrap_or_default();
        if name.is_empty() && ports.len() > 1 {
            checks.error(&at, "a port needs a name when there are several");
        } else if !name.is_empty() && !names.insert(name) {
            checks.error(format!("{at}.name"), format!("the port name {:?} is used twice", shorten(name)));
        }
        if !numbers.insert((port.port, port.protocol.as_deref().unwrap_or("TCP"))) {
            checks.error(format!("{at}.port"), format!("port {} is defined twice", port.port));
        }
    }
}

pub(super) fn check_mesh(config: &MeshConfig, at: &str, checks: &mut Checks<'_>) {
    if let Some(domain) = &config.trust_domain {
        let valid = is_host(domain) && !domain.contains('*') && *domain == domain.to_ascii_lowercase();
        if !valid {
            checks.error(format!("{at}.trustDomain"), format!("{:?} is not a trust domain", shorten(domain)));
        }
    }
    checks.duration(format!("{at}.connectTimeout"), config.connect_timeout);
    http_route::retries(config.default_http_retry_policy.as_ref(), &format!("{at}.defaultHttpRetryPolicy"), checks);
}
