//! Who talks to whom, as the labels of Istio's standard metrics say it.

use std::{
    net::IpAddr,
    sync::{Arc, LazyLock},
};

use weft_model::{SpiffeId, metrics::UNKNOWN};
use weft_policy::{
    config::{Config, EndpointAddress, EndpointWorkload, ServiceRef, WorkloadRow},
    upstream::Host,
};

use super::{Reporter, Security};

/// What is known of one workload. Shared by `Arc`, so that a request copies a pointer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Facts {
    /// `*_workload`.
    pub workload: Arc<str>,
    /// `*_workload_namespace`.
    pub namespace: Arc<str>,
    /// Not a label; what the certificate is compared with.
    pub service_account: Arc<str>,
    /// `*_canonical_service`.
    pub canonical_service: Arc<str>,
    /// `*_canonical_revision`.
    pub canonical_revision: Arc<str>,
    /// `*_app`.
    pub app: Arc<str>,
    /// `*_version`.
    pub version: Arc<str>,
    /// `*_cluster`.
    pub cluster: Arc<str>,
}

impl Facts {
    /// A workload of which nothing is known; one shared value.
    pub fn unknown() -> Arc<Self> {
        static UNKNOWN_FACTS: LazyLock<Arc<Facts>> = LazyLock::new(|| {
            let unknown: Arc<str> = UNKNOWN.into();
            Arc::new(Facts {
                workload: unknown.clone(),
                namespace: unknown.clone(),
                service_account: unknown.clone(),
                canonical_service: unknown.clone(),
                canonical_revision: unknown.clone(),
                app: unknown.clone(),
                version: unknown.clone(),
                cluster: unknown,
            })
        });
        UNKNOWN_FACTS.clone()
    }

    /// What the workload table says.
    pub fn of_row(row: &WorkloadRow) -> Self {
        Self {
            workload: known(&row.workload),
            namespace: known(&row.namespace),
            service_account: known(&row.service_account),
            canonical_service: known(&row.canonical_service),
            canonical_revision: known(&row.canonical_revision),
            app: known(&row.app),
            version: known(&row.version),
            cluster: known(&row.cluster),
        }
    }

    /// The source of an inbound connection. With a verified certificate: the row of the workload table that has the
    /// peer's address, if it is of the certificate's namespace and service account; else only what the certificate
    /// proves. Without one: the peer is named by its address, because anybody can claim to be anybody.
    pub fn of_peer(config: &Config, peer: IpAddr, certificate: Option<&SpiffeId>) -> Arc<Self> {
        let Some(id) = certificate else {
            return Arc::new(Self::named(&peer.to_canonical().to_string(), UNKNOWN));
        };
        match config.workload(peer) {
            Some(row) if *row.namespace == *id.namespace && *row.service_account == *id.service_account => {
                Arc::new(Self::of_row(row))
            }
            _ => Arc::new(Self {
                service_account: id.service_account.as_str().into(),
                ..Self::named(UNKNOWN, &id.namespace)
            }),
        }
    }

    /// The destination of an outbound request: from the workload table by the endpoint's address, else from the
    /// endpoint's metadata.
    pub fn of_host(config: &Config, host: &Host) -> Arc<Self> {
        if let EndpointAddress::Socket(address) = host.address()
            && let Some(row) = config.workload(address.ip())
        {
            return Arc::new(Self::of_row(row));
        }
        host.endpoint.workload.as_ref().map_or_else(Self::unknown, |workload| Arc::new(Self::of_endpoint(workload)))
    }

    fn of_endpoint(workload: &EndpointWorkload) -> Self {
        Self {
            workload: known(&workload.name),
            namespace: known(&workload.namespace),
            canonical_service: known(&workload.canonical_service),
            canonical_revision: known(&workload.canonical_revision),
            cluster: known(&workload.cluster),
            ..(*Self::unknown()).clone()
        }
    }

    /// A peer that proved no identity, or one that the workload table does not confirm: named by its address or by
    /// what its certificate proves, everything else unknown.
    pub fn named(workload: &str, namespace: &str) -> Self {
        Self { workload: workload.into(), namespace: namespace.into(), ..(*Self::unknown()).clone() }
    }
}

fn known(value: &Arc<str>) -> Arc<str> {
    if value.is_empty() { Facts::unknown().workload.clone() } else { value.clone() }
}

/// The service that a request was for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Service {
    /// `destination_service`: full host name.
    pub host: Arc<str>,
    /// `destination_service_name`: short name.
    pub name: Arc<str>,
    /// `destination_service_namespace`.
    pub namespace: Arc<str>,
}

impl Service {
    /// A cluster's service.
    pub fn of(service: &ServiceRef) -> Arc<Self> {
        Arc::new(Self { host: service.host.clone(), name: service.name.clone(), namespace: service.namespace.clone() })
    }

    /// No service is known; one shared value.
    pub fn unknown() -> Arc<Self> {
        static UNKNOWN_SERVICE: LazyLock<Arc<Service>> = LazyLock::new(|| {
            let unknown: Arc<str> = UNKNOWN.into();
            Arc::new(Service { host: unknown.clone(), name: unknown.clone(), namespace: unknown })
        });
        UNKNOWN_SERVICE.clone()
    }
}

/// Everything that labels a request but its outcome. Interned per worker by [`super::Recorder::edge`]; make one per
/// inbound connection or outbound endpoint and keep it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Edge {
    /// Which side counts.
    pub reporter: Reporter,
    /// The calling workload.
    pub source: Arc<Facts>,
    /// `source_principal`: `spiffe://…`, or `unknown`.
    pub source_principal: Arc<str>,
    /// The called workload.
    pub destination: Arc<Facts>,
    /// `destination_principal`: `spiffe://…`, or `unknown`.
    pub destination_principal: Arc<str>,
    /// The service that was asked for.
    pub service: Arc<Service>,
    /// `connection_security_policy`.
    pub security: Security,
}
