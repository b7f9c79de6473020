//! Workload instances.

use std::{collections::BTreeMap, net::IpAddr};

use weft_model::{ObjectRef, WorkloadRef, xds};

/// One instance, as its WorkloadEntry declares it.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// Namespace and name.
    pub reference: WorkloadRef,
    /// The object that declares it.
    pub object: ObjectRef,
    /// Address as written: an IP address, a DNS name or `unix:///path`.
    pub address: String,
    /// The address, if it is an IP address.
    pub ip: Option<IpAddr>,
    /// Labels of the spec, over those of the object.
    pub labels: BTreeMap<String, String>,
    /// Service account; `default` when none is given.
    pub service_account: String,
    /// Port numbers by name.
    pub ports: BTreeMap<String, u16>,
    /// Share among endpoints; at least 1.
    pub weight: u32,
    /// `region/zone/sub-zone`; may be empty.
    pub locality: String,
}

impl Workload {
    /// Whether its proxy speaks mutual TLS.
    pub fn has_mutual_tls(&self) -> bool {
        self.labels.get(xds::TLS_MODE_LABEL).is_some_and(|mode| mode == xds::TLS_MODE_ISTIO)
    }

    /// Canonical service: `service.istio.io/canonical-name`, `app.kubernetes.io/name`, `app`, else the name.
    pub fn canonical_name(&self) -> &str {
        self.first_label(&["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"])
            .unwrap_or(&self.reference.name)
    }

    /// Canonical revision: `service.istio.io/canonical-revision`, `app.kubernetes.io/version`, `version`, else
    /// `latest`.
    pub fn canonical_revision(&self) -> &str {
        self.first_label(&["service.istio.io/canonical-revision", "app.kubernetes.io/version", "version"])
            .unwrap_or("latest")
    }

    /// A label's value, or nothing.
    pub fn label(&self, key: &str) -> &str {
        self.labels.get(key).map_or("", String::as_str)
    }

    fn first_label(&self, keys: &[&str]) -> Option<&str> {
        keys.iter().find_map(|key| self.labels.get(*key)).map(String::as_str).filter(|v| !v.is_empty())
    }
}
