//! Rows of workloads, services, applications and namespaces: their pages, their rates, and the ways from them to the
//! graph and to traces.

use weft_model::{
    Counted,
    canary::Canary,
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

/// What the audit is asked about: `workloads/shop/cart-v1`, `namespaces/shop`.
pub fn about(subject: Subject, place: &str) -> String {
    format!("{}/{place}", subject.slug())
}

/// The same in words.
pub fn about_words(about: &str) -> String {
    let words = |one: &str| {
        let (slug, place) = one.split_once('/').unwrap_or(("", one));
        match Subject::ALL.into_iter().find(|subject| subject.slug() == slug) {
            Some(subject) => format!("{} {place}", subject.word()),
            None => one.to_owned(),
        }
    };
    about.split(',').map(words).collect::<Vec<_>>().join(", ")
}

/// Requests per second as they are shown; nothing where nobody could count them.
pub fn known_rate(rate: f64, health: Health) -> String {
    let known = rate > 0.0 || health != Health::Unknown;
    format::maybe(known.then_some(rate), |rate| format::rate(rate, Counted::REQUESTS))
}

/// Whether nothing comes in to it that anybody counts, and something goes out: a gateway, or who only calls others.
pub fn only_sends(row: &Row) -> bool {
    matches!(row.subject, Subject::App | Subject::Workload) && row.rate <= 0.0 && row.rate_out > 0.0
}

/// The rate that a row is known by: what comes in, or what is sent by one that only sends.
pub fn main_rate(row: &Row) -> f64 {
    if only_sends(row) { row.rate_out } else { row.rate }
}

/// The same in words.
pub fn rate_words(row: &Row) -> String {
    let rate = known_rate(main_rate(row), row.health);
    if only_sends(row) { format!("sends {rate}") } else { rate }
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

/// Whether a weighted route leads to what is open: one of its destinations is a service with it behind.
pub fn is_split(canary: &Canary, one: &Detail) -> bool {
    let own = (one.row.subject == Subject::Service).then_some(&one.row);
    let services = || own.into_iter().chain(&one.services);
    canary.shares.iter().any(|share| services().any(|row| names(&share.host, &canary.object.namespace, row)))
}

/// Whether `host`, as somebody in `namespace` writes it, is the service's.
fn names(host: &str, namespace: &str, service: &Row) -> bool {
    let mut parts = host.splitn(3, '.');
    let short = parts.next() == Some(service.name.as_str())
        && parts.next().unwrap_or(namespace) == service.namespace
        && parts.next().is_none_or(|rest| rest == "svc" || rest.starts_with("svc."));
    short || host == service.host
}

#[cfg(test)]
mod tests {
    use weft_model::{
        ObjectRef,
        canary::{Share, Verdict},
    };

    use super::*;

    #[test]
    fn nobody_counted_is_not_zero() {
        assert_eq!(known_rate(0.0, Health::Unknown), "–");
        assert_eq!(known_rate(0.0, Health::Idle), format::rate(0.0, Counted::REQUESTS));
        assert_eq!(known_rate(3.0, Health::Unknown), format::rate(3.0, Counted::REQUESTS));
    }

    #[test]
    fn who_only_sends_is_known_by_that() {
        let row = |subject, rate, rate_out| Row { subject, rate, rate_out, health: Health::Healthy, ..Row::default() };
        let gateway = row(Subject::Workload, 0.0, 30.0);
        assert!(only_sends(&gateway));
        assert_eq!(rate_words(&gateway), "sends 30 req/s");
        assert_eq!(rate_words(&row(Subject::Workload, 3.0, 30.0)), "3 req/s");
        assert_eq!(rate_words(&row(Subject::Workload, 0.0, 0.0)), "0 req/s");
        assert!(!only_sends(&row(Subject::Namespace, 0.0, 30.0)), "its charts count every call inside of it");
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
    fn what_the_audit_is_about_has_words() {
        assert_eq!(about_words(&about(Subject::Workload, "shop/cart-v1")), "workload shop/cart-v1");
        assert_eq!(about_words("namespaces/shop"), "namespace shop");
        assert_eq!(about_words("apps/a/b,namespaces/c"), "application a/b, namespace c");
        assert_eq!((about_words("pods/x"), about_words("")), ("pods/x".to_owned(), String::new()));
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

    #[test]
    fn a_split_leads_to_what_is_behind_its_hosts() {
        let service = |name: &str, host: &str| Row {
            subject: Subject::Service,
            namespace: "shop".into(),
            name: name.into(),
            host: host.into(),
            ..Row::default()
        };
        let cart = service("cart", "cart.shop.svc.cluster.local");
        for (host, namespace, whether) in [
            ("cart", "shop", true),
            ("cart", "bank", false),
            ("cart.shop", "bank", true),
            ("cart.shop.svc", "bank", true),
            ("cart.shop.svc.cluster.local", "bank", true),
            ("cart.shop.example.com", "shop", false),
            ("cart-old", "shop", false),
        ] {
            assert_eq!(names(host, namespace, &cart), whether, "{host} in {namespace}");
        }
        assert!(names("pay.example.com", "bank", &service("pay", "pay.example.com")));

        // The workload has a name of its own; its service says which routes lead to it.
        let canary = |host: &str| Canary {
            object: ObjectRef { namespace: "shop".into(), ..ObjectRef::default() },
            shares: vec![Share {
                host: host.into(),
                subset: String::new(),
                configured_percent: 100.0,
                requests: 0,
                observed_percent: None,
                interval: None,
                rate: 0.0,
                error_share: None,
                p95_ms: None,
            }],
            route_index: 0,
            route: String::new(),
            connections: false,
            testers: Vec::new(),
            verdict: Verdict::Unknown,
            sentence: String::new(),
            since_ms: None,
            since_text: String::new(),
            revision: String::new(),
            query: String::new(),
            findings: Vec::new(),
        };
        let one = Detail { services: vec![cart.clone()], ..detail(Subject::Workload, &["shop/basket"], None) };
        assert!(is_split(&canary("cart"), &one) && !is_split(&canary("order"), &one));
        let one = Detail { row: cart, ..Detail::default() };
        assert!(is_split(&canary("cart"), &one));
    }
}
