//! Rows of workloads, services, applications and namespaces: their pages, their rates, and the ways from them to the
//! graph and to traces.

use weft_model::{
    Counted,
    details::{Detail, Row, Subject},
    graph::{APP, Health, SERVICE, View as NodeView},
};

use crate::{
    format,
    graph::fold,
    location::{Room, View},
};

/// The address of a row's page, with the scope that is chosen now.
pub fn link(view: &View, subject: Subject, place: &str) -> String {
    View { subject, place: place.to_owned(), ..view.enter(Room::Workloads) }.fragment()
}

/// `namespace/name`; of a namespace its name.
pub fn place(row: &Row) -> String {
    if row.subject == Subject::Namespace { row.name.clone() } else { format!("{}/{}", row.namespace, row.name) }
}

/// Requests per second as they are shown; nothing where nobody could count them.
pub fn known_rate(rate: f64, health: Health) -> String {
    let known = rate > 0.0 || health != Health::Unknown;
    format::maybe(known.then_some(rate), |rate| format::rate(rate, Counted::REQUESTS))
}

/// The graph with what is open in its middle.
pub fn graph_of(one: &Detail, view: &View) -> View {
    let (row, mut to) = (&one.row, view.enter(Room::Graph));
    (to.graph.nodes, to.graph.focus) = match row.subject {
        Subject::Namespace => (to.graph.nodes, fold::id(&row.name)),
        Subject::App => (NodeView::App, format!("{APP}{}", place(row))),
        Subject::Workload => (NodeView::Workload, place(row)),
        Subject::Service => (NodeView::Service, format!("{SERVICE}{}", row.host)),
    };
    if !view.shows(&row.namespace) {
        to.namespaces.clear();
    }
    to
}

/// The search for all traces of what is open, not only for those of one of its workloads.
pub fn traces_of(one: &Detail, view: &View) -> View {
    let (row, mut to) = (&one.row, view.enter(Room::Traces));
    let called = |host: &str| vec![format!("destination.service={host}")];
    match (row.subject, row.workloads.as_slice(), one.services.first()) {
        (Subject::Namespace, ..) => to.namespaces = vec![row.name.clone()],
        (Subject::Service, ..) => to.traces.tags = called(&row.host),
        (_, [only], _) => to.workload = only.clone(),
        // Whoever calls one of its versions calls the host.
        (_, _, Some(service)) => to.traces.tags = called(&service.host),
        (_, _, None) => to.namespaces = vec![row.namespace.clone()],
    }
    to
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_counted_is_not_zero() {
        assert_eq!(known_rate(0.0, Health::Unknown), "–");
        assert_eq!(known_rate(0.0, Health::Idle), format::rate(0.0, Counted::REQUESTS));
        assert_eq!(known_rate(3.0, Health::Unknown), format::rate(3.0, Counted::REQUESTS));
    }

    fn detail(subject: Subject, workloads: &[&str], service: Option<&str>) -> Detail {
        let workloads = workloads.iter().map(|id| (*id).to_owned()).collect();
        let row = |subject, host: &str| Row { subject, host: host.into(), namespace: "shop".into(), ..Row::default() };
        let name = if subject == Subject::Namespace { "shop" } else { "cart" };
        Detail {
            row: Row { name: name.into(), workloads, ..row(subject, "cart.shop.svc.cluster.local") },
            services: service.map(|host| row(Subject::Service, host)).into_iter().collect(),
            ..Detail::default()
        }
    }

    #[test]
    fn traces_are_those_of_all_that_is_open() {
        let two = ["shop/cart-v1", "shop/cart-v2"];
        let view = View { namespaces: vec!["bank".into()], ..View::default() };
        let to = |subject, workloads: &[&str], service| traces_of(&detail(subject, workloads, service), &view);
        let namespace = to(Subject::Namespace, &two, None);
        assert_eq!((namespace.namespaces, namespace.workload), (vec!["shop".to_owned()], String::new()));
        let service = to(Subject::Service, &two, None);
        assert_eq!(service.traces.tags, ["destination.service=cart.shop.svc.cluster.local"]);
        assert_eq!(to(Subject::App, &two, Some("c.shop")).traces.tags, ["destination.service=c.shop"]);
        assert_eq!(to(Subject::App, &two[..1], Some("c.shop")).workload, "shop/cart-v1");
        assert_eq!(to(Subject::Workload, &two[1..], Some("c.shop")).workload, "shop/cart-v2");
    }

    #[test]
    fn the_graph_stands_around_what_is_open() {
        let view = View { namespaces: vec!["bank".into()], ..View::default() };
        let to = |subject| graph_of(&detail(subject, &[], None), &view);
        let focus = |subject| to(subject).graph.focus;
        assert_eq!(focus(Subject::Namespace), "box:shop");
        assert_eq!(focus(Subject::App), "app:shop/cart");
        assert_eq!(focus(Subject::Workload), "shop/cart");
        assert_eq!(focus(Subject::Service), "service:cart.shop.svc.cluster.local");
        assert!(to(Subject::Workload).namespaces.is_empty(), "what is not in scope is not on the graph");
        assert_eq!(to(Subject::Service).graph.nodes, NodeView::Service);
    }
}
