//! Rows of the workload table.

use std::{net::IpAddr, sync::Arc};

use weft_wire::workload::Workload;

use super::{At, Result, each, fail, same_name};
use crate::config::WorkloadRow;

pub(super) fn read(name: &Arc<str>, message: Workload) -> Result<WorkloadRow> {
    same_name(name, &message.uid, "uid")?;
    let addresses = each("addresses", &message.addresses, |bytes| match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes.as_slice()).map(IpAddr::from).map_err(|_| fail("is not an address")),
        16 => <[u8; 16]>::try_from(bytes.as_slice()).map(IpAddr::from).map_err(|_| fail("is not an address")),
        n => Err(fail(format!("an address has 4 or 16 bytes, not {n}"))),
    })?;
    if message.namespace.is_empty() {
        return Err(fail("is needed")).at("namespace");
    }
    Ok(WorkloadRow {
        uid: name.clone(),
        name: message.name.into(),
        namespace: message.namespace.into(),
        addresses,
        trust_domain: message.trust_domain.into(),
        service_account: message.service_account.into(),
        canonical_service: message.canonical_name.into(),
        canonical_revision: message.canonical_revision.into(),
        workload: message.workload_name.into(),
        cluster: message.cluster_id.into(),
        app: message.app.into(),
        version: message.version.into(),
    })
}
