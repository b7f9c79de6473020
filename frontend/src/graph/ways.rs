//! Ways out of the graph: from a node to the page about it, and to the forms that change it.

use weft_model::{
    details::Subject,
    graph::{Node, NodeKind},
    link::{NodeLink, Shown},
    wizard::WizardKind,
};

use super::fold;

/// The page about what a node stands for, and its place there (`namespace/name`, a namespace by its name). `None` where
/// this console has no page: of other clusters, of hosts outside, of what is not known or not the reader's to see.
pub fn page(node: &Node) -> Option<(Subject, String)> {
    if let Some(key) = fold::folded(&node.id) {
        // A namespace of another cluster, and a cluster, have it in their key.
        return (!key.contains('@')).then(|| (Subject::Namespace, key.to_owned()));
    }
    if node.is_foreign() || node.namespace.is_empty() || node.workload.is_empty() {
        return None;
    }
    let own = || format!("{}/{}", node.namespace, node.workload);
    match node.kind {
        NodeKind::Service => Some((Subject::Service, own())),
        NodeKind::App => Some((Subject::App, own())),
        // A version stands for workloads with names of their own.
        NodeKind::Workload | NodeKind::Unmeshed | NodeKind::Gateway | NodeKind::Egress => {
            Some((Subject::Workload, node.workloads.first().cloned().unwrap_or_else(own)))
        }
        NodeKind::External | NodeKind::Unknown | NodeKind::Hidden => None,
    }
}

/// Pages of other programs that show what a node stands for, each with its name; over the `window_s` seconds until `at_ms`.
pub fn elsewhere(node: &Node, links: &[NodeLink], at_ms: u64, window_s: u64) -> Vec<(String, String)> {
    let Some((subject, place)) = page(node) else { return Vec::new() };
    let (namespace, name) = place.split_once('/').unwrap_or((place.as_str(), ""));
    let (workload, app, service) = match subject {
        Subject::Workload => (name, node.app.as_str(), ""),
        Subject::App => ("", name, ""),
        Subject::Service => ("", "", node.host.as_str()),
        Subject::Namespace => ("", "", ""),
    };
    let from_ms = at_ms.saturating_sub(window_s * 1000);
    let shown = Shown { namespace, workload, app, service, from_ms, to_ms: at_ms };
    let web = |address: &String| address.starts_with("https://") || address.starts_with("http://");
    links.iter().filter_map(|link| Some((link.name.clone(), link.address(&shown).filter(web)?))).collect()
}

/// The forms about a node, each with what it is about, `namespace/name`: those about calls for a service, those about who
/// may call for workloads, too.
pub fn forms(node: &Node) -> Vec<(WizardKind, String)> {
    let Some((subject, place)) = page(node) else { return Vec::new() };
    let fits = |kind: &WizardKind| match subject {
        Subject::Service => true,
        Subject::App | Subject::Workload => kind.is_security() && node.kind != NodeKind::Unmeshed,
        Subject::Namespace => false,
    };
    WizardKind::ALL.into_iter().filter(fits).map(|kind| (kind, place.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: &str, kind: NodeKind, name: &str) -> Node {
        Node { id: id.into(), kind, namespace: "shop".into(), workload: name.into(), ..Node::default() }
    }

    #[test]
    fn a_node_is_shown_elsewhere_as_far_as_it_is_known() {
        let link = |name: &str, template: &str| NodeLink { name: name.into(), template: template.into() };
        let links = [
            link("Jaeger", "https://jaeger/search?service={workload}.{namespace}&start={fromMs}"),
            link("Grafana", "https://grafana/d/s?var-service={service}"),
            link("Bad", "javascript:{namespace}"),
        ];
        let of = |node: &Node| elsewhere(node, &links, 90_000, 60);
        let pair = |name: &str, address: &str| vec![(name.to_owned(), address.to_owned())];
        assert_eq!(
            of(&node("shop/cart-v1", NodeKind::Workload, "cart-v1")),
            pair("Jaeger", "https://jaeger/search?service=cart-v1.shop&start=30000")
        );
        let service = Node { host: "cart.shop.svc".into(), ..node("service/cart.shop.svc", NodeKind::Service, "cart") };
        assert_eq!(of(&service), pair("Grafana", "https://grafana/d/s?var-service=cart.shop.svc"));
        assert!(of(&node("hidden", NodeKind::Hidden, "")).is_empty());
    }

    #[test]
    fn a_node_has_the_page_of_what_it_stands_for() {
        let of = page;
        let way = |subject, place: &str| Some((subject, place.to_owned()));
        assert_eq!(of(&node("shop/cart-v1", NodeKind::Workload, "cart-v1")), way(Subject::Workload, "shop/cart-v1"));
        assert_eq!(of(&node("service:cart.shop", NodeKind::Service, "cart")), way(Subject::Service, "shop/cart"));
        assert_eq!(of(&node("app:shop/cart", NodeKind::App, "cart")), way(Subject::App, "shop/cart"));
        let version = node("app:shop/cart/v1", NodeKind::Workload, "cart-v1");
        let version = Node { workloads: vec!["shop/cart-main".into()], ..version };
        assert_eq!(of(&version), way(Subject::Workload, "shop/cart-main"));
        let folded = Node { namespace: String::new(), ..node("box:shop", NodeKind::Workload, "shop") };
        assert_eq!(of(&folded), way(Subject::Namespace, "shop"));
        let foreign = Node { cluster: "west".into(), ..node("shop/cart-v1@west", NodeKind::Workload, "cart-v1") };
        let elsewhere = ["box:@west", "box:shop@west"].map(|id| node(id, NodeKind::Workload, "shop"));
        let outside = node("external:mail.example", NodeKind::External, "mail.example");
        for none in [foreign, outside].into_iter().chain(elsewhere) {
            assert_eq!((of(&none), forms(&none)), (None, vec![]), "{}", none.id);
        }
    }

    #[test]
    fn a_service_has_all_forms_and_a_workload_those_of_its_own() {
        let service = forms(&node("service:cart.shop", NodeKind::Service, "cart"));
        assert_eq!(service.len(), WizardKind::ALL.len());
        assert!(service.iter().all(|(_, of)| of == "shop/cart"));
        let workload = forms(&node("shop/cart-v1", NodeKind::Workload, "cart-v1"));
        assert_eq!(
            workload.into_iter().map(|(kind, _)| kind).collect::<Vec<_>>(),
            [WizardKind::PeerAuthentication, WizardKind::AuthorizationPolicy]
        );
        assert!(forms(&node("shop/old", NodeKind::Unmeshed, "old")).is_empty(), "without a proxy nothing holds");
    }
}
