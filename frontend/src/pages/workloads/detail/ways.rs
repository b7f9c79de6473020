//! The ways from a page of details to the graph and to traces.

use std::sync::Arc;

use leptos::prelude::*;
use weft_model::{
    details::{Detail, Subject},
    graph::View as NodeView,
};

use crate::{
    components::shape::Glyph,
    graph::fold,
    icons::Icon,
    location::{Room, View},
    pages::workloads::parts::place,
    state::app,
};

/// The ways to the graph around what is open, and to its traces.
#[component]
pub fn Ways(detail: Memo<Option<Arc<Detail>>>) -> impl IntoView {
    let app = app();
    let known = Memo::new(move |_| detail.with(Option::is_some));
    let to = move |place: fn(&Detail, &View) -> View| {
        move || detail.with(|detail| detail.as_ref().map(|one| app.view.with(|view| place(one, view).fragment())))
    };
    view! {
        <Show when=move || known.get()>
            <a class="button" href=to(graph_of) data-testid="detail-graph"><Glyph icon=Icon::Graph />"Graph"</a>
            <a class="button" href=to(traces_of) data-testid="detail-traces"><Glyph icon=Icon::Traces />"Traces"</a>
        </Show>
    }
}

/// The graph with what is open in its middle.
fn graph_of(one: &Detail, view: &View) -> View {
    let (row, mut to) = (&one.row, view.enter(Room::Graph));
    (to.graph.nodes, to.graph.focus) = match row.subject {
        Subject::Namespace => (to.graph.nodes, fold::id(&row.name)),
        Subject::App => (NodeView::App, format!("app/{}", place(row))),
        Subject::Workload => (NodeView::Workload, place(row)),
        Subject::Service => (NodeView::Service, format!("service/{}", row.host)),
    };
    if !view.shows(&row.namespace) {
        to.namespaces.clear();
    }
    to
}

/// The search for all traces of what is open, not only for those of one of its workloads.
fn traces_of(one: &Detail, view: &View) -> View {
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
    use weft_model::details::Row;

    use super::*;

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
        assert_eq!(focus(Subject::App), "app/shop/cart");
        assert_eq!(focus(Subject::Workload), "shop/cart");
        assert_eq!(focus(Subject::Service), "service/cart.shop.svc.cluster.local");
        assert!(to(Subject::Workload).namespaces.is_empty(), "what is not in scope is not on the graph");
        assert_eq!(to(Subject::Service).graph.nodes, NodeView::Service);
    }
}
