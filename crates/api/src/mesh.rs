//! Weft's own `Mesh` object (`weft.dev/v1alpha1`, cluster-scoped): one installation with its mesh-wide settings.

mod check;
mod component;
mod config;
mod proxy_config;
mod schema;
mod sign_in;
mod status;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use component::{
    Autoscaling, Component, Components, Image, ProxySettings, PullPolicy, Quantity, Remote, Resources, ServicePort,
    ServiceType,
};
pub use config::{
    AccessLogEncoding, MeshConfig, MeshNetworks, MeshOutboundTrafficPolicy, Network, NetworkEndpoints, NetworkGateway,
};
pub use proxy_config::{proxy_config_duration, proxy_config_faults};
pub use sign_in::{KeyOf, Oidc, SignIn};
pub use status::{ComponentStatus, Condition, ConditionStatus, MeshStatus};

pub use check::{LOG_LEVELS, check, revision_name};
pub(crate) use schema::schema;

/// The version of a Mesh's revision when it names none, as the label `istio.io/rev` says it.
pub const DEFAULT_REVISION: &str = "default";

/// What an installation consists of and how it is set.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct MeshSpec {
    /// What is installed: `minimal` (the control plane alone), `default` (with gateway and console, highly available),
    /// `demo` (everything, small) or `remote` (served by another cluster's control plane).
    pub profile: Option<Profile>,
    /// Name of this control plane beside others; empty is the default one. It cannot change: make a second Mesh.
    pub revision: String,
    /// Further names of this revision for the label `istio.io/rev`, such as `prod`; `default` takes over the label
    /// `istio-injection`.
    pub tags: Vec<String>,
    /// Where images come from.
    pub image: Image,
    /// Mesh-wide settings, as in Istio's MeshConfig.
    #[schemars(schema_with = "schema::as_written")]
    pub mesh_config: MeshConfig,
    /// Settings of single components.
    pub components: Components,
    /// Who may use the console.
    pub sign_in: SignIn,
    /// The control plane elsewhere; only in profile `remote`, and required there.
    pub remote: Option<Remote>,
}

impl MeshSpec {
    /// The profile in force.
    pub fn profile(&self) -> Profile {
        self.profile.unwrap_or_default()
    }

    /// The revision as labels say it: [`DEFAULT_REVISION`] when none is named.
    pub fn revision_label(&self) -> &str {
        if self.revision.is_empty() { DEFAULT_REVISION } else { &self.revision }
    }

    /// `name` for the default revision, `name-<revision>` for others.
    pub fn revisioned(&self, name: &str) -> String {
        if self.revision.is_empty() || self.revision == DEFAULT_REVISION {
            name.to_owned()
        } else {
            format!("{name}-{}", self.revision)
        }
    }
}

/// What an installation is made of. Written in lower case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// The control plane alone.
    Minimal,
    /// The control plane, a gateway and the console.
    #[default]
    Default,
    /// Everything, small.
    Demo,
    /// A cluster that is served by another one's control plane.
    Remote,
}

impl Profile {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minimal => "minimal",
            Self::Default => "default",
            Self::Demo => "demo",
            Self::Remote => "remote",
        }
    }
}

#[cfg(test)]
mod tests;
