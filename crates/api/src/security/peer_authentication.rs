//! PeerAuthentication (<https://istio.io/latest/docs/reference/config/security/peer_authentication/>).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Selector;
use crate::one_of::words;

/// Whether mutual TLS is demanded, by workload, namespace (no selector) or mesh (no selector, root namespace).
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct PeerAuthentication {
    /// Which workloads; none is all of the namespace.
    pub selector: Option<Selector>,
    /// For all ports.
    pub mtls: Option<MutualTls>,
    /// For single ports of the workload (not of its Service); needs a selector.
    pub port_level_mtls: BTreeMap<u32, MutualTls>,
}

/// Whether mutual TLS is demanded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct MutualTls {
    /// Whether.
    pub mode: MutualTlsMode,
}

words! {
    /// Whether mutual TLS is demanded.
    MutualTlsMode {
        /// As the wider policy says; PERMISSIVE when there is none.
        #[default]
        Unset = "UNSET",
        /// Plaintext only.
        Disable = "DISABLE",
        /// Both.
        Permissive = "PERMISSIVE",
        /// Mutual TLS only.
        Strict = "STRICT",
    }
}
