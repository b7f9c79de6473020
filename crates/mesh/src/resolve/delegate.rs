//! The HTTP routes of a VirtualService with those of its delegates put in place.

use std::borrow::Cow;

use weft_api::{
    StringMatch,
    networking::virtual_service::{HttpMatch, HttpRoute, VirtualService},
};

use crate::{
    View,
    snapshot::{Typed, Visibility},
};

/// A route together with the VirtualService that it is written in.
#[derive(Clone, Debug)]
pub struct OwnedRoute<'a> {
    /// Where it is written: the delegate, for a delegated route.
    pub owner: &'a Typed<VirtualService>,
    /// The VirtualService that delegated to it.
    pub root: Option<&'a Typed<VirtualService>>,
    /// Its place in the owner's `http`.
    pub index: usize,
    /// The route, with what the delegating route adds.
    pub route: Cow<'a, HttpRoute>,
}

/// Every HTTP route in order. A delegate must have neither hosts nor gateways and be visible to the delegating
/// namespace; one that is missing, or that delegates further, gives no routes.
pub fn routes<'a>(view: &View<'a>, root: &'a Typed<VirtualService>) -> Vec<OwnedRoute<'a>> {
    let mut routes = Vec::new();
    for (index, route) in root.spec.http.iter().enumerate() {
        let Some(delegate) = &route.delegate else {
            routes.push(OwnedRoute { owner: root, root: None, index, route: Cow::Borrowed(route) });
            continue;
        };
        let namespace = if delegate.namespace.is_empty() { root.namespace() } else { &delegate.namespace };
        let Some(leaf) = view.virtual_service(namespace, &delegate.name).filter(|leaf| {
            let defaults = &view.mesh().config.default_virtual_service_export_to;
            leaf.hosts.is_empty() && Visibility::read(&leaf.export_to, namespace, defaults).includes(root.namespace())
        }) else {
            continue;
        };
        for (index, leaf_route) in leaf.spec.http.iter().enumerate().filter(|(_, r)| r.delegate.is_none()) {
            if let Some(merged) = merge(route, leaf_route) {
                routes.push(OwnedRoute { owner: leaf, root: Some(root), index, route: Cow::Owned(merged) });
            }
        }
    }
    routes
}

/// The delegate's route, narrowed by the root's matches and completed by the root's settings. `None` when no pair of
/// matches can hold together.
fn merge(root: &HttpRoute, leaf: &HttpRoute) -> Option<HttpRoute> {
    let mut merged = leaf.clone();
    merged.matches = match (root.matches.is_empty(), leaf.matches.is_empty()) {
        (true, _) => leaf.matches.clone(),
        (false, true) => root.matches.clone(),
        (false, false) => {
            let both: Vec<HttpMatch> = root
                .matches
                .iter()
                .flat_map(|r| leaf.matches.iter().filter_map(move |l| merge_matches(r, l)))
                .collect();
            if both.is_empty() {
                return None;
            }
            both
        }
    };
    if merged.name.is_empty() {
        merged.name.clone_from(&root.name);
    }
    merged.rewrite = merged.rewrite.or_else(|| root.rewrite.clone());
    merged.timeout = merged.timeout.or(root.timeout);
    merged.retries = merged.retries.or_else(|| root.retries.clone());
    merged.fault = merged.fault.or_else(|| root.fault.clone());
    merged.mirror = merged.mirror.or_else(|| root.mirror.clone());
    if merged.mirrors.is_empty() {
        merged.mirrors.clone_from(&root.mirrors);
    }
    merged.mirror_percentage = merged.mirror_percentage.or(root.mirror_percentage);
    merged.mirror_percent = merged.mirror_percent.or(root.mirror_percent);
    merged.cors_policy = merged.cors_policy.or_else(|| root.cors_policy.clone());
    merged.headers = merged.headers.or_else(|| root.headers.clone());
    Some(merged)
}

/// Both matches at once; `None` when they ask for different values of one thing.
fn merge_matches(root: &HttpMatch, leaf: &HttpMatch) -> Option<HttpMatch> {
    let mut merged = leaf.clone();
    merged.uri = match (&root.uri, &leaf.uri) {
        (Some(r), Some(l)) if narrows(r, l) => Some(l.clone()),
        (Some(_), Some(_)) => return None,
        (r, l) => l.clone().or_else(|| r.clone()),
    };
    merged.scheme = one(&root.scheme, &leaf.scheme)?;
    merged.method = one(&root.method, &leaf.method)?;
    merged.authority = one(&root.authority, &leaf.authority)?;
    for (ours, theirs) in [
        (&mut merged.headers, &root.headers),
        (&mut merged.without_headers, &root.without_headers),
        (&mut merged.query_params, &root.query_params),
    ] {
        for (name, wanted) in theirs {
            match ours.get(name) {
                Some(other) if other != wanted => return None,
                _ => ours.insert(name.clone(), wanted.clone()),
            };
        }
    }
    for (label, wanted) in &root.source_labels {
        match merged.source_labels.get(label) {
            Some(other) if other != wanted => return None,
            _ => merged.source_labels.insert(label.clone(), wanted.clone()),
        };
    }
    merged.port = match (root.port, leaf.port) {
        (Some(r), Some(l)) if r != l => return None,
        (r, l) => l.or(r),
    };
    if merged.source_namespace.is_empty() {
        merged.source_namespace.clone_from(&root.source_namespace);
    } else if !root.source_namespace.is_empty() && root.source_namespace != merged.source_namespace {
        return None;
    }
    if merged.gateways.is_empty() {
        merged.gateways.clone_from(&root.gateways);
    }
    merged.ignore_uri_case |= root.ignore_uri_case;
    Some(merged)
}

/// Both asked for, or the one that is; `None` when they differ.
fn one(root: &Option<StringMatch>, leaf: &Option<StringMatch>) -> Option<Option<StringMatch>> {
    match (root, leaf) {
        (Some(r), Some(l)) if r != l => None,
        (r, l) => Some(l.clone().or_else(|| r.clone())),
    }
}

/// Whether every path that `leaf` matches is surely matched by `root` too.
fn narrows(root: &StringMatch, leaf: &StringMatch) -> bool {
    match (root, leaf) {
        (StringMatch::Present, _) => true,
        (StringMatch::Prefix(r), StringMatch::Prefix(l) | StringMatch::Exact(l)) => l.starts_with(r.as_str()),
        (r, l) => r == l,
    }
}
