//! Requests that none of a VirtualService's routes takes, because each asks for something that most of them do not have.

use std::collections::BTreeSet;

use weft_api::{
    StringMatch,
    networking::{
        VirtualService,
        virtual_service::{HttpMatch, HttpRoute},
    },
};
use weft_mesh::{Snapshot, Typed};
use weft_model::Diagnostic;

use super::host;
use crate::{
    code::REQUESTS_LEFT_OUT,
    finding::{finding, listed},
};

pub(super) fn check(snapshot: &Snapshot, findings: &mut Vec<Diagnostic>) {
    for vs in snapshot.virtual_services() {
        // At gateways the routes of several objects are put together, and what is not offered is often not meant to be.
        if !vs.spec.in_mesh() || !leaves_out(&vs.spec.http) {
            continue;
        }
        let hosts = vs.spec.hosts.iter().map(String::as_str).filter(|host| takes(snapshot, vs, host));
        let hosts: Vec<&str> = hosts.collect();
        if hosts.is_empty() {
            continue;
        }
        let message = format!("requests for {} that fit none of its routes are answered with 404", listed(hosts));
        let mut found = finding(REQUESTS_LEFT_OUT, vs.reference(), "spec.http", message);
        found.suggestion = Some("add a route without match at the end".to_owned());
        findings.push(found);
    }
}

/// Whether calls of one of its hosts depend on this object: something is there that would answer them without it, and no
/// other object claims them.
fn takes(snapshot: &Snapshot, vs: &Typed<VirtualService>, host: &str) -> bool {
    let host = snapshot.resolve_host(host, vs.namespace());
    let mut others = snapshot.virtual_services_of(&host).filter(|other| other.reference() != vs.reference());
    !host.is_wildcard() && host::known(snapshot, &host) && !others.any(|other| other.spec.in_mesh())
}

/// Whether every route asks for a header, a query parameter or one method: what has none of them is left out, which is
/// seldom meant. Where a path, a caller or the absence of something is asked for, or one method after the other, the
/// routes may be all that there is.
fn leaves_out(routes: &[HttpRoute]) -> bool {
    let mut methods = BTreeSet::new();
    for matching in routes.iter().flat_map(|route| &route.matches) {
        let Some(method) = narrow(matching) else { return false };
        if matching.headers.is_empty() && matching.query_params.is_empty() {
            methods.insert(method);
        }
    }
    !routes.is_empty() && routes.iter().all(|route| !route.matches.is_empty()) && methods.len() < 2
}

/// The method that a match asks for, empty for any; `None` for a match that asks for more or less than headers, query
/// parameters and a method.
fn narrow(matching: &HttpMatch) -> Option<&str> {
    let method: &str = match &matching.method {
        None => "",
        Some(StringMatch::Exact(method)) => method,
        // It may be all of them.
        Some(_) => return None,
    };
    let more = matching.uri.is_some()
        || matching.scheme.is_some()
        || matching.authority.is_some()
        || matching.port.is_some()
        || !matching.source_labels.is_empty()
        || !matching.source_namespace.is_empty()
        || !matching.gateways.is_empty()
        // Every request has a host.
        || matching.headers.contains_key("host")
        || !matching.without_headers.is_empty();
    let less = method.is_empty() && matching.headers.is_empty() && matching.query_params.is_empty();
    (!more && !less).then_some(method)
}
