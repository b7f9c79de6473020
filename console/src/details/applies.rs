//! Which objects apply to something, and what they do there.

use std::collections::BTreeSet;

use weft_mesh::Snapshot;
use weft_model::{
    ObjectRef,
    details::{Applies, Row, Subject},
};

use super::{Moment, inventory::Lists};
use crate::{
    config::View,
    graph::{tamed, tamed_host},
};

/// Objects listed at most.
const MOST: usize = 200;

/// Objects that concern any of the row's workloads, the service itself among them, in the order of kind and name.
pub fn to(moment: &Moment, lists: &Lists<'_>, row: &Row) -> Vec<Applies> {
    let ids: BTreeSet<&str> = row.workloads.iter().map(String::as_str).collect();
    let own = |object: &ObjectRef| match row.subject {
        Subject::Namespace => object.namespace == row.name && decides(&object.kind),
        Subject::Service => object.kind == row.kind && object.namespace == row.namespace && object.name == row.name,
        Subject::App | Subject::Workload => false,
    };
    let concerned = moment.view.estate.concerned.iter();
    let here = concerned.filter(|(object, set)| own(object) || set.iter().any(|id| ids.contains(id.as_str())));
    let applies = |object: &ObjectRef| {
        let gateways_only = only_at_gateways(&moment.view.snapshot, object);
        Applies {
            object: object.clone(),
            why: if gateways_only { AT_GATEWAYS } else { why(&object.kind) }.to_owned(),
            gateways_only,
            findings: lists.findings_of(object),
        }
    };
    let mut all: Vec<Applies> = here.map(|(object, _)| applies(object)).collect();
    if row.subject == Subject::Namespace {
        // What stands in the namespace counts, whether it reaches a workload or not.
        let rows = moment.view.list.rows.iter().filter(|found| own(&found.object));
        let known: BTreeSet<ObjectRef> = all.iter().map(|one| one.object.clone()).collect();
        all.extend(rows.filter(|found| !known.contains(&found.object)).map(|found| applies(&found.object)));
    }
    all.sort_by(|a, b| {
        let order = |one: &Applies| (one.object.kind.clone(), one.object.namespace.clone(), one.object.name.clone());
        order(a).cmp(&order(b))
    });
    all
}

/// What the reader may see of it, and how many objects are kept from them: that something applies is no secret to whoever
/// sees what it does.
pub fn shown(all: Vec<Applies>, sees: &dyn Fn(&str) -> bool) -> (Vec<Applies>, usize) {
    let (mut shown, hidden): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| sees(&one.object.namespace));
    shown.truncate(MOST);
    (shown, hidden.len())
}

/// The objects that are about one thing, by configuration alone: nobody is asked what was observed. Of a namespace
/// everything in it is.
pub fn objects<'a>(view: &'a View, subject: Subject, namespace: &str, name: &str) -> BTreeSet<&'a ObjectRef> {
    let estate = &view.estate;
    let service = match subject {
        Subject::Service => view.snapshot.services_in(namespace).iter().find(|service| tamed(&service.name) == name),
        Subject::Namespace | Subject::App | Subject::Workload => None,
    };
    let id = format!("{namespace}/{name}");
    let known = || estate.workloads.iter().filter(move |(_, known)| known.namespace == namespace);
    let ids: BTreeSet<&str> = match subject {
        Subject::Workload => [id.as_str()].into(),
        Subject::App => known().filter(|(_, known)| known.app == name).map(|(id, _)| id.as_str()).collect(),
        Subject::Namespace => known().map(|(id, _)| id.as_str()).collect(),
        Subject::Service => {
            let behind = service.and_then(|service| estate.hosts.get(&*tamed_host(service.host.as_str())));
            behind.into_iter().flatten().map(String::as_str).collect()
        }
    };
    let own = |object: &ObjectRef| match subject {
        Subject::Namespace => object.namespace == namespace,
        Subject::Service => service.is_some_and(|service| service.object == *object),
        Subject::App | Subject::Workload => false,
    };
    let concerned = estate.concerned.iter().filter(|(_, set)| set.iter().any(|id| ids.contains(id.as_str())));
    let listed = view.list.rows.iter().map(|row| &row.object).filter(|object| own(object));
    concerned.map(|(object, _)| object).chain(listed).collect()
}

/// Whether objects of a kind decide about requests or connections.
pub fn decides(kind: &str) -> bool {
    DECISIVE.contains(&kind)
}

/// Kinds that decide about requests or connections.
const DECISIVE: [&str; 8] = [
    "VirtualService",
    "DestinationRule",
    "Gateway",
    "ServiceEntry",
    "Sidecar",
    "PeerAuthentication",
    "AuthorizationPolicy",
    "RequestAuthentication",
];

/// What a VirtualService does that holds at gateways only.
const AT_GATEWAYS: &str = "Decides where requests go that come in at a gateway";

/// Whether it is a VirtualService that callers inside the mesh are not routed by.
fn only_at_gateways(snapshot: &Snapshot, object: &ObjectRef) -> bool {
    let mut all = snapshot.virtual_services().iter();
    object.kind == "VirtualService"
        && all.any(|vs| vs.reference() == object && !vs.gateways().any(|gateway| gateway == "mesh"))
}

fn why(kind: &str) -> &'static str {
    match kind {
        "VirtualService" => "Decides where requests go",
        "DestinationRule" => "Says how callers connect, and names subsets",
        "PeerAuthentication" => "Says whether plaintext is accepted",
        "AuthorizationPolicy" => "Allows or denies requests",
        "RequestAuthentication" => "Checks the tokens of requests",
        "Telemetry" => "Says what is traced",
        "Gateway" => "Opens ports",
        "Sidecar" => "Says what the proxy listens on and sees",
        "Service" => "Leads callers here",
        "ServiceEntry" => "Names a host outside",
        "WorkloadEntry" => "Declares an instance",
        _ => "Concerns it",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;
    use weft_api::Change;
    use weft_mesh::{Settings, Store};

    use super::*;

    #[test]
    fn a_route_that_holds_at_gateways_only_is_told_as_that() {
        let mut store = Store::new(Settings::default());
        let routes = [("inside", json!([])), ("both", json!(["web", "mesh"])), ("outside", json!(["web"]))];
        for (name, gateways) in &routes {
            let object = json!({
                "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
                "metadata": {"name": name, "namespace": "shop"},
                "spec": {"hosts": ["cart"], "gateways": gateways, "http": [{"route": [{"destination": {"host": "cart"}}]}]},
            });
            store.apply(vec![Change::Put(Arc::new(weft_api::parse(&object, "default").unwrap().object))]);
        }
        let snapshot = store.snapshot();
        let only = |name: &str| {
            let mut all = snapshot.virtual_services().iter();
            let object = all.find(|vs| vs.name() == name).unwrap().reference().clone();
            only_at_gateways(&snapshot, &object)
        };
        assert_eq!(["inside", "both", "outside"].map(only), [false, false, true]);
    }

    #[test]
    fn what_the_reader_may_not_see_is_counted() {
        let one = |namespace: &str, name: &str| Applies {
            object: ObjectRef { namespace: namespace.into(), name: name.into(), ..ObjectRef::default() },
            ..Applies::default()
        };
        let all = vec![one("istio-system", "deny-all"), one("shop", "readers"), one("istio-system", "default")];
        let (seen, hidden) = shown(all.clone(), &|namespace| namespace == "shop");
        assert_eq!((seen, hidden), (vec![one("shop", "readers")], 2));
        assert_eq!(shown(all.clone(), &|_| true), (all, 0));
    }
}
