//! What a profile comes to, with a Mesh's overrides applied.

use weft_api::mesh::{Component, Profile, PullPolicy, Quantity, Resources};

use crate::{MeshInput, VERSION, names};

/// A Mesh's settings with every default filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Whether the revision answers for objects that name none.
    pub default_revision: bool,
    /// `host:port` of certificates and configuration.
    pub control_plane: String,
    /// Image of the operator.
    pub operator_image: String,
    /// Image of the proxy.
    pub proxy_image: String,
    /// Image of the console.
    pub console_image: String,
    /// When nodes ask the registry.
    pub pull_policy: PullPolicy,
    /// Trust domain of identities.
    pub trust_domain: String,
    /// Domain of the cluster's services.
    pub domain: String,
    /// Namespace of mesh-wide policies.
    pub root_namespace: String,
    /// Name of the cluster.
    pub cluster_id: String,
    /// CPU and memory of a sidecar.
    pub proxy_resources: Resources,
}

impl Settings {
    /// The settings of `input`.
    pub fn of(input: &MeshInput) -> Self {
        let mesh = &input.mesh;
        let hub = mesh.image.hub.as_deref().unwrap_or("weft").trim_end_matches('/');
        let tag = mesh.image.tag.as_deref().unwrap_or(VERSION);
        let image =
            |name: &str, written: &Option<String>| written.clone().unwrap_or_else(|| format!("{hub}/{name}:{tag}"));
        let components = &mesh.components;
        let remote = mesh.remote.as_ref();
        let host = remote.map_or_else(
            || format!("{}.{}.svc", mesh.revisioned(names::CONTROL_PLANE), input.namespace),
            |remote| remote.control_plane.clone(),
        );
        let small = matches!(mesh.profile(), Profile::Demo | Profile::Minimal);
        let requests = if small { [("cpu", "10m"), ("memory", "32Mi")] } else { [("cpu", "50m"), ("memory", "48Mi")] };
        let limits = [("cpu", "2"), ("memory", "512Mi")];
        Self {
            default_revision: mesh.revision_label() == weft_api::mesh::DEFAULT_REVISION
                || mesh.tags.iter().any(|tag| tag == weft_api::mesh::DEFAULT_REVISION),
            control_plane: format!("{host}:15012"),
            operator_image: image("operator", &components.control_plane.image),
            proxy_image: image("proxy", &components.proxy.image),
            console_image: image("console", &components.console.image),
            pull_policy: mesh.image.pull_policy.unwrap_or_default(),
            trust_domain: mesh.mesh_config.trust_domain.clone().unwrap_or_else(|| "cluster.local".into()),
            domain: "cluster.local".into(),
            root_namespace: mesh.mesh_config.root_namespace.clone().unwrap_or_else(|| "istio-system".into()),
            cluster_id: remote
                .map(|remote| remote.cluster.clone())
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| "Kubernetes".into()),
            proxy_resources: resources(&requests, &limits, &components.proxy.resources),
        }
    }
}

/// Whether a component is installed.
pub fn enabled(found: &Component, profile: Profile, name: &str) -> bool {
    found.enabled.unwrap_or(match name {
        names::CONTROL_PLANE => profile != Profile::Remote,
        _ => matches!(profile, Profile::Default | Profile::Demo),
    })
}

/// A profile's resources with a Mesh's entries in the place of those of the same name.
pub fn resources(requests: &[(&str, &str)], limits: &[(&str, &str)], overrides: &Resources) -> Resources {
    let table = |entries: &[(&str, &str)]| -> std::collections::BTreeMap<String, Quantity> {
        entries.iter().map(|(name, amount)| ((*name).to_owned(), Quantity::from(*amount))).collect()
    };
    let mut merged = Resources { requests: table(requests), limits: table(limits) };
    merged.requests.extend(overrides.requests.clone());
    merged.limits.extend(overrides.limits.clone());
    // A request above a limit that only the profile has lifts that limit; a limit below such a request lowers it.
    for (name, request) in &mut merged.requests {
        if let (Some(wanted), Some(limit)) = (request.value(), merged.limits.get(name))
            && limit.value().is_some_and(|limit| wanted > limit)
        {
            match overrides.limits.get(name) {
                Some(limit) => *request = limit.clone(),
                None => drop(merged.limits.insert(name.clone(), request.clone())),
            }
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn what_a_mesh_says_of_resources_is_kept() {
        let table = |amount: Option<&str>| -> BTreeMap<String, Quantity> {
            amount.map(|amount| ("memory".to_owned(), Quantity::from(amount))).into_iter().collect()
        };
        let merged = |request: Option<&str>, limit: Option<&str>| {
            let overrides = Resources { requests: table(request), limits: table(limit) };
            let found = resources(&[("memory", "256Mi")], &[("memory", "1Gi")], &overrides);
            (found.requests["memory"].0.clone(), found.limits["memory"].0.clone())
        };
        let pair = |request: &str, limit: &str| (request.to_owned(), limit.to_owned());
        assert_eq!(merged(None, None), pair("256Mi", "1Gi"));
        assert_eq!(merged(Some("2Gi"), None), pair("2Gi", "2Gi"), "the profile's limit gives way");
        assert_eq!(merged(None, Some("64Mi")), pair("64Mi", "64Mi"), "the profile's request gives way");
        assert_eq!(merged(Some("64Mi"), Some("128Mi")), pair("64Mi", "128Mi"));
    }
}
