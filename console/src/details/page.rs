//! The page of one namespace, application, workload or service.

use std::collections::BTreeMap;

use weft_model::{
    details::{Call, Detail, Instance, Row, Subject},
    graph::{Edge, Health},
};

use super::{
    Moment, applies,
    inventory::{Lists, both, is_workload},
};
use crate::graph::tamed;

/// Instances listed at most.
pub const MOST_INSTANCES: usize = 200;

/// Everything about one row. `sees` says which namespaces the reader may see: peers elsewhere are taken together.
pub fn page(moment: &Moment, lists: &Lists<'_>, row: Row, sees: &dyn Fn(&str) -> bool) -> Detail {
    let edges = |incoming: bool| {
        let of = |id: &String| {
            let (to, from) = lists.edges(id);
            if incoming { to.to_vec() } else { from.to_vec() }
        };
        let other = |edge: &&Edge| !row.workloads.contains(if incoming { &edge.source } else { &edge.destination });
        let all: Vec<&Edge> = row.workloads.iter().flat_map(of).collect();
        // Calls inside of a workload are its own; inside of a larger thing they are neither in nor out.
        let whole = row.subject == Subject::Workload;
        calls(all.into_iter().filter(|edge| whole || other(edge)), incoming, lists, sees)
    };
    let mut instances: Vec<Instance> =
        row.workloads.iter().flat_map(|id| lists.instances(id)).map(|one| instance(moment, lists, one)).collect();
    let more_instances = instances.len().saturating_sub(MOST_INSTANCES);
    // Those in trouble are never the ones that are left out.
    instances.sort_by(|a, b| b.sync.cmp(&a.sync).then_with(|| a.name.cmp(&b.name)));
    instances.truncate(MOST_INSTANCES);
    let workloads = match row.subject {
        Subject::Workload => Vec::new(),
        _ => row.workloads.iter().filter_map(|id| id.split_once('/')).collect::<Vec<_>>(),
    };
    let workloads = workloads.into_iter().filter(|(namespace, _)| sees(namespace));
    let services = match row.subject {
        Subject::Service => Vec::new(),
        Subject::Namespace => moment.view.snapshot.services_in(&row.name).to_vec(),
        Subject::App | Subject::Workload => {
            let hosts = &moment.view.estate.hosts;
            let leads = |host: &str| hosts.get(host).is_some_and(|ids| ids.iter().any(|id| row.workloads.contains(id)));
            moment.view.snapshot.services().iter().filter(|one| leads(one.host.as_str())).cloned().collect()
        }
    };
    let services = services.iter().filter(|service| sees(&service.namespace));
    let (config, hidden_config) = applies::shown(applies::to(moment, lists, &row), sees);
    Detail {
        at_ms: moment.observed.at_ms,
        instances,
        more_instances,
        workloads: workloads.filter_map(|(ns, name)| lists.row(Subject::Workload, ns, name)).collect(),
        services: services.filter_map(|one| lists.row(Subject::Service, &one.namespace, &one.name)).collect(),
        refused_plaintext: 0.0,
        callers: match row.subject {
            // Not all that is asked of a service reaches one of its workloads, and they may be called by other hosts, too.
            Subject::Service => calls(lists.callers(&row).iter(), true, lists, sees),
            Subject::Namespace | Subject::App | Subject::Workload => edges(true),
        },
        called: if row.subject == Subject::Service { Vec::new() } else { edges(false) },
        config,
        hidden_config,
        sources: moment.observed.sources.clone(),
        operator_problem: moment.seen.problem(),
        commands: commands(&row),
        row,
    }
}

fn instance(moment: &Moment, lists: &Lists<'_>, one: &weft_mesh::snapshot::Workload) -> Instance {
    let (sync, words) = lists.sync(one);
    let (namespace, name) = (&one.reference.namespace, &one.reference.name);
    Instance {
        namespace: namespace.clone(),
        name: name.clone(),
        address: one.address.clone(),
        version: tamed(one.label("version")).into_owned(),
        service_account: one.service_account.clone(),
        ready: one.ready,
        terminating: one.terminating,
        restarts: None,
        sync,
        words,
        proxy_version: moment.seen.proxy(namespace, name).map(|(proxy, _)| proxy.version.clone()).unwrap_or_default(),
        object: one.object.clone(),
    }
}

fn calls<'a>(
    edges: impl Iterator<Item = &'a Edge>,
    incoming: bool,
    lists: &Lists<'_>,
    sees: &dyn Fn(&str) -> bool,
) -> Vec<Call> {
    let mut by_peer: BTreeMap<(String, String), Call> = BTreeMap::new();
    for edge in edges {
        let peer = if incoming { &edge.source } else { &edge.destination };
        // Rights are those of the own cluster; what is of another one takes the right to see the mesh as a whole.
        let visible = match peer.split_once('/') {
            _ if lists.is_foreign(peer) => sees(""),
            Some((namespace, _)) if is_workload(peer) => sees(namespace),
            // What reached none of a service's workloads is of its namespace; a host outside is of none.
            _ => lists.namespace(peer).is_none_or(sees),
        };
        let peer = if visible { peer.clone() } else { "hidden".to_owned() };
        let known = visible && !lists.instances(&peer).is_empty();
        let call = by_peer.entry((peer.clone(), edge.protocol.clone())).or_insert_with(|| Call {
            peer,
            known,
            protocol: edge.protocol.clone(),
            lock: edge.lock,
            health: Health::Idle,
            ..Call::default()
        });
        let failed = call.error_share.unwrap_or(0.0) * call.rate + edge.error_share.unwrap_or(0.0) * edge.rate;
        let refused = call.client_error_share * call.rate + edge.client_error_share * edge.rate;
        call.rate += edge.rate;
        call.error_share = (call.rate > 0.0).then(|| failed / call.rate);
        call.client_error_share = if call.rate > 0.0 { refused / call.rate } else { 0.0 };
        call.p95_ms = call.p95_ms.into_iter().chain(edge.p95_ms).reduce(f64::max);
        call.health = call.health.max(edge.health);
        call.lock = both(call.lock, edge.lock);
    }
    let mut calls: Vec<Call> = by_peer.into_values().collect();
    calls.sort_by(|a, b| b.rate.total_cmp(&a.rate));
    calls
}

/// Commands that show the same.
fn commands(row: &Row) -> Vec<(String, String)> {
    let Row { namespace, name, .. } = row;
    let pair = |what: &str, command: String| (what.to_owned(), command);
    let mut all = match (row.subject, row.kind.as_str()) {
        (Subject::Namespace, _) => vec![pair("Its pods", format!("kubectl get pods -n {name} -o wide"))],
        (Subject::App, _) => vec![pair("Its pods", format!("kubectl get pods -n {namespace} -l app={name} -o wide"))],
        (Subject::Workload, "WorkloadEntry") => {
            vec![pair("The object", format!("kubectl get workloadentry {name} -n {namespace} -o yaml"))]
        }
        (Subject::Workload, _) => {
            vec![pair("The object", format!("kubectl get deployment {name} -n {namespace} -o yaml"))]
        }
        (Subject::Service, _) => {
            vec![pair("The object", format!("kubectl get {} {name} -n {namespace} -o yaml", row.kind.to_lowercase()))]
        }
    };
    all.push(pair("The state of its proxies", format!("weft proxy-status -n {namespace}")));
    all.push(pair(
        "The same as JSON",
        match row.subject {
            Subject::Namespace => format!("curl -s $CONSOLE/api/v1/namespaces/{name}"),
            subject => format!("curl -s $CONSOLE/api/v1/{}/{namespace}/{name}", subject.slug()),
        },
    ));
    all
}
