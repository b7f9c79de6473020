//! The workload table: who owns which address.

use std::net::IpAddr;

use weft_wire::workload;

use crate::{
    Named, Snapshot,
    resource::{Resource, type_url},
    snapshot::{Workload, WorkloadKind},
};

/// Every workload, with a proxy or without: a plaintext peer is named by its address too.
pub(super) fn resources(snapshot: &Snapshot) -> &Named {
    snapshot.workload_rows(|workload| resource(snapshot, workload))
}

fn resource(snapshot: &Snapshot, workload: &Workload) -> Resource {
    let row = row(snapshot, workload);
    Resource::plain(row.uid.clone(), type_url::WORKLOAD, &row)
}

/// Namespace and name of the workload's uid are its own, so that it stays the same whatever else changes.
fn row(snapshot: &Snapshot, workload: &Workload) -> workload::Workload {
    let cluster = &snapshot.settings().cluster;
    let reference = &workload.reference;
    workload::Workload {
        uid: match workload.kind {
            WorkloadKind::Entry => {
                format!("{cluster}/networking.istio.io/WorkloadEntry/{}/{}", reference.namespace, reference.name)
            }
            WorkloadKind::Pod => format!("{cluster}//Pod/{}/{}", reference.namespace, reference.name),
        },
        name: reference.name.clone(),
        namespace: reference.namespace.clone(),
        addresses: workload.addresses.iter().map(octets).collect(),
        trust_domain: String::new(),
        service_account: workload.service_account.clone(),
        canonical_name: workload.canonical_name().to_owned(),
        canonical_revision: workload.canonical_revision().to_owned(),
        workload_name: workload.name.clone(),
        cluster_id: cluster.clone(),
        app: workload.label("app").to_owned(),
        version: workload.label("version").to_owned(),
    }
}

fn octets(ip: &IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}
