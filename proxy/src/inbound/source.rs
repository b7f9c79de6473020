//! Who calls. Never taken from a header: a certificate proves namespace and service account; the rest comes from the
//! workload table, and only where it agrees with the certificate.

use std::{net::IpAddr, rc::Rc, sync::Arc};

use weft_model::metrics::UNKNOWN;
use weft_policy::config::{ServiceRef, WorkloadRow};

use crate::{
    listener::Peer,
    outbound::service,
    telemetry::{Edge, Facts, Reporter, Security},
    workers::Worker,
};

/// Labels of what a client of the application does.
pub fn edge(worker: &Worker, peer: IpAddr, identity: Option<&Peer>, to: Option<&ServiceRef>) -> Rc<Edge> {
    let shared = &worker.shared;
    let config = shared.config.load();
    let row = config.workload(peer);
    let destination = shared.facts.load_full();
    let unknown: Arc<str> = UNKNOWN.into();
    let edge = match identity {
        Some(identity) => Edge {
            reporter: Reporter::Destination,
            source: Arc::new(proven(identity, row.map(|row| &**row), &shared.node.trust_domain)),
            source_principal: identity.uri.clone(),
            destination,
            destination_principal: shared
                .identity
                .load()
                .as_ref()
                .map_or(unknown, |identity| identity.spiffe.to_string().into()),
            service: service(to),
            security: Security::MutualTls,
        },
        None => Edge {
            reporter: Reporter::Destination,
            source: Arc::new(claimed(peer, row.map(|row| &**row))),
            source_principal: unknown.clone(),
            destination,
            destination_principal: unknown,
            service: service(to),
            security: Security::None,
        },
    };
    worker.recorder.edge(edge)
}

/// A client with a certificate. The table's row counts only if it tells the same namespace and account.
fn proven(identity: &Peer, row: Option<&WorkloadRow>, trust_domain: &str) -> Facts {
    let spiffe = &identity.spiffe;
    let agrees = |row: &&WorkloadRow| {
        let domain = if row.trust_domain.is_empty() { trust_domain } else { &row.trust_domain };
        *row.namespace == *spiffe.namespace
            && *row.service_account == *spiffe.service_account
            && *domain == *spiffe.trust_domain
    };
    match row.filter(agrees) {
        Some(row) => facts(row),
        None => Facts {
            service_account: spiffe.service_account.as_str().into(),
            ..Facts::named(UNKNOWN, &spiffe.namespace)
        },
    }
}

/// A plaintext client, named by its address: nothing proves that it is what the table says of that address, which is
/// why its principal stays unknown and its connections are marked.
fn claimed(peer: IpAddr, row: Option<&WorkloadRow>) -> Facts {
    match row {
        Some(row) => facts(row),
        None => Facts::named(&peer.to_string(), UNKNOWN),
    }
}

/// A row of the workload table as labels.
pub fn facts(row: &WorkloadRow) -> Facts {
    let or_unknown = |text: &Arc<str>| if text.is_empty() { UNKNOWN.into() } else { text.clone() };
    Facts {
        workload: or_unknown(if row.workload.is_empty() { &row.name } else { &row.workload }),
        namespace: or_unknown(&row.namespace),
        service_account: row.service_account.clone(),
        canonical_service: or_unknown(&row.canonical_service),
        canonical_revision: or_unknown(&row.canonical_revision),
        app: or_unknown(&row.app),
        version: or_unknown(&row.version),
        cluster: or_unknown(&row.cluster),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(account: &str) -> WorkloadRow {
        WorkloadRow {
            name: "order-1".into(),
            workload: "order".into(),
            namespace: "shop".into(),
            service_account: account.into(),
            app: "order".into(),
            ..WorkloadRow::default()
        }
    }

    fn peer() -> Peer {
        let uri = "spiffe://cluster.local/ns/shop/sa/order";
        Peer { spiffe: uri.parse().unwrap(), uri: uri.into(), hash: "00".into(), subject: "".into(), dns: Vec::new() }
    }

    #[test]
    fn the_table_counts_only_where_the_certificate_agrees() {
        assert_eq!(&*proven(&peer(), Some(&row("order")), "cluster.local").workload, "order");
        let disputed = proven(&peer(), Some(&row("thief")), "cluster.local");
        assert_eq!((&*disputed.workload, &*disputed.namespace), ("unknown", "shop"));
        assert_eq!(&*proven(&peer(), Some(&row("order")), "other.domain").workload, "unknown");
    }

    #[test]
    fn plaintext_clients_are_named_by_address() {
        assert_eq!(&*claimed("10.1.2.3".parse().unwrap(), None).workload, "10.1.2.3");
        assert_eq!(&*claimed("10.1.2.3".parse().unwrap(), Some(&row("order"))).workload, "order");
    }
}
