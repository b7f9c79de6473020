//! Names that the proxy does not look up.

use weft_api::networking::service_entry::Resolution;
use weft_mesh::Snapshot;
use weft_model::Diagnostic;

use crate::{code::NAME_NOT_LOOKED_UP, finding::finding};

pub(super) fn check(snapshot: &Snapshot, findings: &mut Vec<Diagnostic>) {
    for entry in snapshot.service_entries() {
        let dns = matches!(entry.resolution, Resolution::Dns | Resolution::DnsRoundRobin | Resolution::DynamicDns);
        let names = entry.endpoints.iter().enumerate().filter(|(_, e)| is_name(&e.address));
        let names: Vec<(usize, &str)> = names.map(|(index, e)| (index, e.address.as_str())).collect();
        let (field, what) = match names.first() {
            _ if !dns => continue,
            // Nothing is to be looked up.
            None if !entry.endpoints.is_empty() || entry.workload_selector.is_some() => continue,
            None => ("spec.resolution".to_owned(), "its hosts are names".to_owned()),
            Some((index, name)) => (format!("spec.endpoints[{index}].address"), format!("{name:?} is a name")),
        };
        let effect = if names.len() == entry.endpoints.len() {
            "a captured pod goes to the address that its application dialled, any other proxy to none"
        } else {
            "only the endpoints that are addresses get requests"
        };
        let message = format!("{what}, and this mesh's proxy looks no names up: {effect}");
        let mut found = finding(NAME_NOT_LOOKED_UP, entry.reference(), field, message);
        found.suggestion = Some("write endpoints with IP addresses and resolution STATIC".to_owned());
        findings.push(found);
    }
}

fn is_name(address: &str) -> bool {
    !address.starts_with("unix://") && address.parse::<std::net::IpAddr>().is_err()
}
