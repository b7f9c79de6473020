//! What one row says of a workload, of several together, or of a service.

use std::collections::{BTreeMap, BTreeSet};

use weft_mesh::snapshot::Service;
use weft_model::{
    details::{Proxies, Row, Subject},
    graph::{CodeRate, Edge, Health, Lock},
};

use super::{
    Lists,
    asked::{code, once},
};
use crate::{
    details::words,
    graph::{error_share, health::client_error_share, tamed, tamed_host},
};

impl<'a> Lists<'a> {
    pub(super) fn workload(&self, id: &str) -> Row {
        let (namespace, name) = id.split_once('/').unwrap_or(("", id));
        let (incoming, outgoing) = self.edges(id);
        let known = self.moment.view.estate.workloads.get(id);
        let kind = match (known.is_some_and(|known| known.gateway), self.instances(id).first()) {
            (true, _) => "Gateway",
            (false, Some(instance)) if instance.is_pod() => "Pods",
            (false, Some(_)) => "WorkloadEntry",
            (false, None) => "",
        };
        let node = self.nodes.get(id);
        let mut row = Row {
            subject: Subject::Workload,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            kind: kind.to_owned(),
            health: node.map_or(self.nothing(), |node| node.health),
            rate: node.map_or(0.0, |node| node.rate_in),
            rate_out: node.map_or(0.0, |node| node.rate_out),
            error_share: node.and_then(|node| node.error_share),
            mode: self.mode(&[id]),
            proxies: self.proxies(id),
            versions: known
                .map(|known| known.version.clone())
                .filter(|version| !version.is_empty())
                .into_iter()
                .collect(),
            findings: self.findings(&[id], |_| false),
            workloads: vec![id.to_owned()],
            ..Row::default()
        };
        let sends = incoming.is_empty() && !outgoing.is_empty();
        traffic(&mut row, incoming);
        let codes = codes(if sends { outgoing } else { incoming });
        row.client_error_share = client_error_share(&codes).unwrap_or_default();
        row.reason = words::reason(row.health, &codes, sends, self.window_s());
        row
    }

    /// What something is that nobody has seen: idle, or not known when nobody could have been seen.
    pub(super) fn nothing(&self) -> Health {
        if self.moment.observed.rates_problem.is_some() { Health::Unknown } else { Health::Idle }
    }

    fn window_s(&self) -> u64 {
        self.moment.observed.window_s
    }

    /// Workloads taken together. The worst of them gives the health; its name is in the reason.
    pub(super) fn group(&self, subject: Subject, namespace: &str, name: &str, ids: &[&str]) -> Row {
        let members: Vec<Row> = ids.iter().map(|id| self.workload(id)).collect();
        let inside: BTreeSet<&str> = ids.iter().copied().collect();
        let of = |all: &BTreeMap<&str, Vec<&'a Edge>>, other: fn(&Edge) -> &String| -> Vec<&'a Edge> {
            let edges = ids.iter().filter_map(|id| all.get(id)).flatten().copied();
            edges.filter(|edge| !inside.contains(other(edge).as_str())).collect()
        };
        // What goes round inside of it is neither in nor out.
        let incoming = of(&self.incoming, |edge| &edge.source);
        let outgoing = of(&self.outgoing, |edge| &edge.destination);
        let (came_in, went_out) = (codes(&incoming), codes(&outgoing));
        let worst = members.iter().max_by_key(|row| row.health);
        let proxies = members.iter().map(|member| member.proxies).fold(Proxies::default(), together);
        let health = worst.map_or(self.nothing(), |row| row.health);
        let mut row = Row {
            subject,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            health,
            reason: match worst {
                Some(worst) if health >= Health::Degraded => format!("{}: {}", worst.name, worst.reason),
                Some(worst) => worst.reason.clone(),
                None => "No workload of it is known to the mesh.".to_owned(),
            },
            rate: incoming.iter().fold(0.0, |sum, edge| sum + edge.rate),
            rate_out: outgoing.iter().fold(0.0, |sum, edge| sum + edge.rate),
            error_share: error_share(&came_in).or_else(|| error_share(&went_out)),
            client_error_share: client_error_share(&came_in)
                .or_else(|| client_error_share(&went_out))
                .unwrap_or_default(),
            mode: self.mode(ids),
            proxies,
            versions: members
                .iter()
                .flat_map(|row| row.versions.clone())
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect(),
            findings: match subject {
                Subject::Namespace => self.findings(&[], |object| object.namespace == name),
                _ => self.findings(ids, |_| false),
            },
            workloads: ids.iter().map(|id| (*id).to_owned()).collect(),
            ..Row::default()
        };
        traffic(&mut row, &incoming);
        // A call inside of it is no traffic of the group, but it can be the one that is not encrypted.
        let every: Vec<&Edge> = ids.iter().filter_map(|id| self.incoming.get(id)).flatten().copied().collect();
        encryption(&mut row, &every);
        row
    }

    pub(super) fn service(&self, service: &Service) -> Row {
        let host = tamed_host(service.host.as_str());
        let host = &*host;
        let namespace = tamed(&service.namespace);
        // Several namespaces may declare one host, and each chooses among its own workloads.
        let own = |id: &&str| id.split_once('/').is_some_and(|(home, _)| *home == *namespace);
        let behind = self.moment.view.estate.hosts.get(host).into_iter().flatten().map(String::as_str);
        let ids: Vec<&str> = behind.filter(own).collect();
        let flows = self.asked_of(host);
        let codes: Vec<CodeRate> = once(&flows).into_iter().map(code).collect();
        let health = self.judged([host, &service.namespace, &service.name], &codes);
        let part = |wanted: bool| {
            flows.iter().filter(|flow| flow.mutual_tls() == Some(wanted)).fold(0.0, |sum, flow| sum + flow.rate)
        };
        let (mtls, plaintext) = (part(true), part(false));
        let latency = ids.iter().filter_map(|id| self.incoming.get(*id)).flatten().filter_map(|edge| edge.p95_ms);
        let estate = &self.moment.view.estate;
        let versions = ids.iter().filter_map(|id| estate.workloads.get(*id)).map(|known| known.version.clone());
        let proxies = ids.iter().map(|id| self.proxies(id)).fold(Proxies::default(), together);
        Row {
            subject: Subject::Service,
            namespace: namespace.into_owned(),
            name: tamed(&service.name).into_owned(),
            kind: service.object.kind.clone(),
            host: host.to_owned(),
            health,
            reason: words::reason(health, &codes, false, self.window_s()),
            rate: codes.iter().fold(0.0, |sum, code| sum + code.rate),
            rate_out: 0.0,
            error_share: error_share(&codes),
            client_error_share: client_error_share(&codes).unwrap_or_default(),
            p95_ms: latency.reduce(f64::max),
            lock: lock(mtls, plaintext),
            plaintext_share: (mtls + plaintext > 0.0).then(|| plaintext / (mtls + plaintext)),
            mode: self.mode(&ids),
            proxies,
            versions: versions.filter(|version| !version.is_empty()).collect::<BTreeSet<_>>().into_iter().collect(),
            findings: self.findings(&ids, |object| *object == service.object),
            workloads: ids.iter().map(|id| (*id).to_owned()).collect(),
        }
    }
}

fn together(all: Proxies, one: Proxies) -> Proxies {
    Proxies {
        instances: all.instances + one.instances,
        present: all.present + one.present,
        missing: all.missing + one.missing,
        away: all.away + one.away,
        stale: all.stale + one.stale,
        refused: all.refused + one.refused,
    }
}

fn lock(mtls: f64, plaintext: f64) -> Lock {
    match (mtls > 0.0, plaintext > 0.0) {
        (true, true) => Lock::Mixed,
        (true, false) => Lock::Mtls,
        (false, true) => Lock::Plaintext,
        (false, false) => Lock::Unknown,
    }
}

/// Latency and encryption of what comes in.
fn traffic(row: &mut Row, incoming: &[&Edge]) {
    row.p95_ms = incoming.iter().filter_map(|edge| edge.p95_ms).reduce(f64::max);
    encryption(row, incoming);
}

/// How much of `incoming` is encrypted.
fn encryption(row: &mut Row, incoming: &[&Edge]) {
    // Edges that carry only old connections have no rate; each still says what it is.
    let weight = |edge: &Edge| edge.rate.max(1e-9);
    let told = incoming.iter().filter_map(|edge| Some((weight(edge), edge.plaintext_share?)));
    let (all, plaintext) = told.fold((0.0, 0.0), |(all, plain), (rate, share)| (all + rate, plain + rate * share));
    row.lock = lock(all - plaintext, plaintext);
    row.plaintext_share = (all > 0.0).then(|| plaintext / all);
}

fn codes(edges: &[&Edge]) -> Vec<CodeRate> {
    let mut merged: BTreeMap<(&str, &str, &str), f64> = BTreeMap::new();
    for code in edges.iter().flat_map(|edge| &edge.codes) {
        *merged.entry((&code.code, &code.grpc, &code.flags)).or_default() += code.rate;
    }
    let rate = |((code, grpc, flags), rate): ((&str, &str, &str), f64)| CodeRate {
        code: code.to_owned(),
        grpc: grpc.to_owned(),
        flags: flags.to_owned(),
        rate,
    };
    merged.into_iter().map(rate).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};
    use weft_api::Change;
    use weft_mesh::{Settings, Store};
    use weft_model::graph::{Graph, Node};
    use weft_source::Index;

    use super::*;
    use crate::{
        config::View,
        details::{Moment, page::page},
    };

    fn put(kind: &str, namespace: &str, name: &str, spec: &Value) -> Change {
        let text = json!({
            "apiVersion": "networking.istio.io/v1", "kind": kind,
            "metadata": {"name": name, "namespace": namespace}, "spec": spec,
        });
        Change::Put(Arc::new(weft_api::parse(&text, "default").unwrap().object))
    }

    #[test]
    fn what_is_refused_is_told_where_health_comes_from_it() {
        let code =
            |code: &str, rate: f64| CodeRate { code: code.into(), flags: "-".into(), rate, ..CodeRate::default() };
        let edge = Edge {
            id: "shop/order-v1->shop/payment-v1".into(),
            source: "shop/order-v1".into(),
            destination: "shop/payment-v1".into(),
            protocol: "http".into(),
            rate: 10.0,
            error_share: Some(0.0),
            client_error_share: 0.5,
            health: Health::Failing,
            codes: vec![code("403", 5.0), code("200", 5.0)],
            ..Edge::default()
        };
        let nodes = ["shop/order-v1", "shop/payment-v1"].map(|id| Node { id: id.into(), ..Node::default() });
        let graph = Graph { nodes: nodes.into(), edges: vec![edge], ..Graph::default() };
        let view = View::new(1, Store::new(Settings::default()).snapshot(), Index::default(), Vec::new());
        let moment =
            Moment { view: Arc::new(view), observed: Arc::default(), graph: Arc::new(graph), seen: Arc::default() };
        let lists = Lists::of(&moment);
        let row = |name: &str| lists.row(Subject::Workload, "shop", name).unwrap();
        let half = |share: f64| (share - 0.5).abs() < 1e-9;
        assert!(half(row("payment-v1").client_error_share));
        assert!(half(row("order-v1").client_error_share), "what only sends is judged by what it sends");
        let called = page(&moment, &lists, row("payment-v1"), &|_| true);
        assert!(half(called.callers[0].client_error_share));
    }

    #[test]
    fn who_declares_the_host_of_another_namespace_sees_nothing_of_its_workloads() {
        let entry = json!({
            "hosts": ["pay.example"], "location": "MESH_INTERNAL", "resolution": "STATIC",
            "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
            "workloadSelector": {"labels": {"app": "pay"}},
        });
        let instance = |address: &str| json!({"address": address, "labels": {"app": "pay"}});
        let mut store = Store::new(Settings::default());
        store.apply(vec![
            put("ServiceEntry", "bank", "pay", &entry),
            put("WorkloadEntry", "bank", "secret-v1", &instance("10.0.0.1")),
            put("ServiceEntry", "shop", "pay", &entry),
            put("WorkloadEntry", "shop", "pay-v1", &instance("10.0.0.2")),
        ]);
        let view = View::new(1, store.snapshot(), Index::default(), Vec::new());
        assert_eq!(view.estate.service_namespaces["pay.example"], "bank", "nobody takes a host over");
        let moment =
            Moment { view: Arc::new(view), observed: Arc::default(), graph: Arc::default(), seen: Arc::default() };
        let lists = Lists::of(&moment);
        for name in ["pay.example", "pay"] {
            assert_eq!(
                lists.row(Subject::Service, "shop", name).unwrap().name,
                "pay.example",
                "as the graph leads there"
            );
        }
        let rows = lists.rows(Subject::Service);
        assert_eq!(rows.len(), 2);
        for row in rows {
            let [workload] = row.workloads.as_slice() else { panic!("{row:?}") };
            assert!(workload.starts_with(&format!("{}/", row.namespace)), "{row:?}");
        }
    }
}
