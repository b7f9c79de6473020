//! Who asks for a service: by the very counts that its row has, so that the rows of its callers come to what it says.

use std::collections::{BTreeMap, BTreeSet};

use weft_model::{
    details::Row,
    graph::{CodeRate, Edge, Health, Lock},
};

use super::Lists;
use crate::graph::{
    Flow, Reporter, UNKNOWN_ID, error_share,
    health::{Direction, Rules, client_error_share},
};

impl<'a> Lists<'a> {
    /// Requests and new connections that were asked of a host, as both sides counted them.
    pub(super) fn asked_of(&self, host: &str) -> Vec<&'a Flow> {
        let observed = &self.moment.observed;
        let all = observed.requests.iter().chain(&observed.tcp);
        all.filter(|flow| &*flow.host == host && matches!(&*flow.what, "" | "opened")).collect()
    }

    /// The health of a service by what it was answered with.
    pub(super) fn judged(&self, [host, namespace, name]: [&str; 3], codes: &[CodeRate]) -> Health {
        let defaults = Rules::default();
        let tolerances = &self.moment.view.estate.tolerances;
        let mesh = || tolerances.mesh.of(namespace, "service", name);
        let rules = tolerances.hosts.get(host).map(|rules| &**rules).or_else(mesh).unwrap_or(&defaults);
        match (self.nothing(), rules.judge(codes, Direction::Inbound)) {
            (Health::Unknown, _) => Health::Unknown,
            (_, health) => health,
        }
    }

    /// The calls to a service, one for each caller and protocol. What its caller's proxy answered itself, for want of an
    /// endpoint or by a fault that was injected, reached none of its workloads and is among them all the same.
    pub fn callers(&self, row: &Row) -> Vec<Edge> {
        let mut calls: BTreeMap<(&str, &str), Vec<CodeRate>> = BTreeMap::new();
        for flow in once(&self.asked_of(&row.host)) {
            calls.entry((caller(flow), protocol(flow))).or_default().push(code(flow));
        }
        // Connections that were opened before still move bytes.
        for flow in self.moment.observed.tcp.iter().filter(|flow| *flow.host == *row.host && flow.rate > 0.0) {
            calls.entry((caller(flow), "tcp")).or_default();
        }
        let call = |((source, protocol), codes): ((&str, &str), Vec<CodeRate>)| {
            let behind = row.workloads.iter().filter_map(|id| self.incoming.get(id.as_str())).flatten();
            let edges: Vec<&Edge> = behind.filter(|edge| edge.source == source).copied().collect();
            let health = match self.judged([&row.host, &row.namespace, &row.name], &codes) {
                Health::Idle if codes.is_empty() => Health::Healthy,
                health => health,
            };
            Edge {
                source: source.to_owned(),
                protocol: protocol.to_owned(),
                rate: codes.iter().fold(0.0, |sum, code| sum + code.rate),
                error_share: error_share(&codes),
                client_error_share: client_error_share(&codes).unwrap_or_default(),
                p95_ms: edges.iter().filter_map(|edge| edge.p95_ms).reduce(f64::max),
                lock: edges.iter().fold(Lock::Unknown, |lock, edge| both(lock, edge.lock)),
                health,
                codes,
                ..Edge::default()
            }
        };
        calls.into_iter().map(call).collect()
    }
}

/// Each request once: as its caller counted it, or as the service did where the caller has no proxy. That is decided
/// for each caller, as the graph does: one that has a proxy says nothing of the requests of those that have none.
pub(super) fn once<'a>(flows: &[&'a Flow]) -> Vec<&'a Flow> {
    let told = flows.iter().filter(|flow| flow.reporter == Reporter::Source && flow.rate > 0.0);
    let callers: BTreeSet<&str> = told.map(|flow| &*flow.source.id).collect();
    let once = |flow: &&Flow| (flow.reporter == Reporter::Source) == callers.contains(&*flow.source.id);
    flows.iter().copied().filter(once).collect()
}

/// What requests were answered with, as one side counted them.
pub(super) fn code(flow: &Flow) -> CodeRate {
    CodeRate {
        code: flow.code.to_string(),
        grpc: flow.grpc.to_string(),
        flags: flow.flags.to_string(),
        rate: flow.rate,
    }
}

/// What encrypts two things taken together, as far as it is known.
pub fn both(one: Lock, other: Lock) -> Lock {
    match (one, other) {
        (Lock::Unknown, known) | (known, Lock::Unknown) => known,
        (one, other) if one == other => one,
        _ => Lock::Mixed,
    }
}

fn caller(flow: &Flow) -> &str {
    flow.source.id().unwrap_or(UNKNOWN_ID)
}

fn protocol(flow: &Flow) -> &'static str {
    match (&*flow.what, &*flow.protocol) {
        ("opened", _) => "tcp",
        (_, "grpc") => "grpc",
        _ => "http",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use weft_mesh::{Settings, Store};
    use weft_model::graph::Graph;
    use weft_source::Index;

    use super::*;
    use crate::{
        config::View,
        details::{Moment, page::page},
        graph::Observed,
        telemetry::prometheus::Series,
    };

    const HOST: &str = "payment-service.shop.svc.cluster.local";

    fn flow(reporter: &str, source: &str, (code, flags): (&str, &str), rate: f64) -> Flow {
        let reached = flags != "FI";
        let labels = [
            ("reporter", reporter),
            ("source_workload_namespace", "shop"),
            ("source_workload", source),
            ("destination_workload_namespace", if reached { "shop" } else { "unknown" }),
            ("destination_workload", if reached { "payment" } else { "unknown" }),
            ("destination_service", HOST),
            ("request_protocol", "http"),
            ("response_code", code),
            ("response_flags", flags),
        ];
        Flow::read(&Series { labels: labels.into(), value: rate }).unwrap()
    }

    #[test]
    fn callers_without_a_proxy_are_counted_beside_those_with_one() {
        let flows = [
            flow("source", "checkout", ("200", "-"), 29.9),
            flow("destination", "checkout", ("200", "-"), 29.8),
            flow("destination", "batch", ("200", "-"), 2.0),
            flow("destination", "batch", ("500", "-"), 1.0),
            // It has a proxy that has counted nothing lately.
            flow("source", "idle", ("200", "-"), 0.0),
            flow("destination", "idle", ("200", "-"), 0.5),
        ];
        let flows: Vec<&Flow> = flows.iter().collect();
        let counted = once(&flows);
        let told: Vec<(&str, f64)> = counted.iter().map(|flow| (&*flow.source.workload, flow.rate)).collect();
        assert_eq!(told, [("checkout", 29.9), ("batch", 2.0), ("batch", 1.0), ("idle", 0.5)]);
    }

    fn moment(requests: Vec<Flow>) -> Moment {
        let view = View::new(1, Store::new(Settings::default()).snapshot(), Index::default(), Vec::new());
        let observed = Observed { requests, window_s: 60, ..Observed::default() };
        let edge = Edge {
            source: "shop/order-v1".into(),
            destination: "shop/payment".into(),
            p95_ms: Some(171.0),
            lock: Lock::Mtls,
            health: Health::Healthy,
            rate: 15.2,
            ..Edge::default()
        };
        let graph = Graph { edges: vec![edge], ..Graph::default() };
        Moment { view: Arc::new(view), observed: Arc::new(observed), graph: Arc::new(graph), seen: Arc::default() }
    }

    /// A fault that its caller's proxy injects never comes to the service's own.
    #[test]
    fn callers_of_a_service_come_to_what_its_row_says() {
        let moment = moment(vec![
            flow("source", "order-v1", ("200", "-"), 15.2),
            flow("source", "order-v1", ("503", "FI"), 0.8),
            flow("destination", "order-v1", ("200", "-"), 15.1),
            flow("destination", "legacy-billing", ("403", "-"), 2.16),
            flow("destination", "legacy-billing", ("200", "-"), 0.84),
        ]);
        let lists = Lists::of(&moment);
        let row = Row {
            subject: weft_model::details::Subject::Service,
            namespace: "shop".into(),
            name: "payment-service".into(),
            host: HOST.into(),
            workloads: vec!["shop/payment".into()],
            ..Row::default()
        };
        let page = page(&moment, &lists, row, &|_| true);
        let [order, legacy] = page.callers.as_slice() else { panic!("{:?}", page.callers) };
        let near = |value: f64, wanted: f64| (value - wanted).abs() < 1e-9;
        assert_eq!((order.peer.as_str(), legacy.peer.as_str()), ("shop/order-v1", "shop/legacy-billing"));
        assert!(near(order.rate, 16.0) && near(order.error_share.unwrap(), 0.05), "{order:?}");
        assert_eq!((order.p95_ms, order.lock, order.health), (Some(171.0), Lock::Mtls, Health::Degraded));
        assert!(near(legacy.rate, 3.0) && near(legacy.client_error_share, 0.72), "{legacy:?}");
        assert_eq!(legacy.health, Health::Failing, "what is refused counts for health");
    }

    #[test]
    fn connections_that_were_opened_before_are_calls() {
        let labels = [
            ("reporter", "source"),
            ("source_workload_namespace", "shop"),
            ("source_workload", "order-v1"),
            ("destination_workload_namespace", "shop"),
            ("destination_workload", "payment"),
            ("destination_service", HOST),
            ("request_protocol", "tcp"),
            ("what", "sent"),
        ];
        let sent = Flow::read(&Series { labels: labels.into(), value: 900.0 }).unwrap();
        let mut moment = moment(Vec::new());
        moment.observed = Arc::new(Observed { tcp: vec![sent], window_s: 60, ..Observed::default() });
        let row = Row { host: HOST.into(), workloads: vec!["shop/payment".into()], ..Row::default() };
        let calls = Lists::of(&moment).callers(&row);
        let [call] = calls.as_slice() else { panic!("{calls:?}") };
        assert_eq!((call.protocol.as_str(), call.rate, call.health), ("tcp", 0.0, Health::Healthy));
    }

    #[test]
    fn what_is_not_known_of_encryption_says_nothing() {
        assert_eq!(both(Lock::Unknown, Lock::Mtls), Lock::Mtls);
        assert_eq!(both(Lock::Plaintext, Lock::Unknown), Lock::Plaintext);
        assert_eq!(both(Lock::Mtls, Lock::Mtls), Lock::Mtls);
        assert_eq!(both(Lock::Mtls, Lock::Plaintext), Lock::Mixed);
    }
}
