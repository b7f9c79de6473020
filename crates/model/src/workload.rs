//! Workloads: what runs, as opposed to the Service that it is reached by.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A workload by namespace and name (a Deployment's name on Kubernetes, a WorkloadEntry's in standalone mode).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorkloadRef {
    /// Kubernetes namespace.
    pub namespace: String,
    /// Name within it.
    pub name: String,
}

impl WorkloadRef {
    /// Joins the two parts.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for WorkloadRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
