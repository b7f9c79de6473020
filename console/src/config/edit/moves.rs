//! What edits of whole objects did to weighted routes: they are in the routes' history beside the moves on the cards.

use weft_api::{
    Object, Spec,
    networking::virtual_service::{Destination, RouteDestination},
};
use weft_model::{
    ObjectRef,
    canary::{FIRST_TCP, FIRST_TLS},
};

use crate::db::{Edit, Edits};

/// Between the id of an edit of a whole object and the index of the route in the id of what it did there.
pub const OF_ROUTE: char = '.';

/// Destinations of a route, each with its weight as it counts.
type Arms<'a> = Vec<(&'a Destination, u32)>;

struct Route<'a> {
    /// See [`weft_model::canary::place`].
    index: usize,
    name: &'a str,
    arms: Arms<'a>,
}

/// What one route's weights were, and are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Move {
    route_index: usize,
    from: Vec<u32>,
    to: Vec<u32>,
}

/// The weighted routes that an edit changed: their weights, or where they go.
pub(super) fn moves(before: &Object, after: &Object) -> Vec<Move> {
    let (before, after) = (routes(before), routes(after));
    let shifted = before.len() != after.len();
    let moved = |route: &Route<'_>| {
        let named = before.iter().find(|old| !route.name.is_empty() && old.name == route.name);
        // A route that was put in moves those below it on, which changes nothing of them.
        let elsewhere = || before.iter().find(|old| shifted && old.name == route.name && old.arms == route.arms);
        let there = || before.iter().find(|old| old.index == route.index);
        let old = named.or_else(elsewhere).or_else(there)?;
        let weights = |arms: &Arms<'_>| arms.iter().map(|(_, weight)| *weight).collect::<Vec<_>>();
        let is_move = old.arms != route.arms && old.arms.len().max(route.arms.len()) > 1;
        is_move.then(|| Move { route_index: route.index, from: weights(&old.arms), to: weights(&route.arms) })
    };
    after.iter().filter_map(moved).collect()
}

fn routes(object: &Object) -> Vec<Route<'_>> {
    let Spec::VirtualService(spec) = &object.spec else { return Vec::new() };
    let http = spec.http.iter().enumerate().map(|(index, route)| {
        let arms = route.route.iter().map(|to| (&to.destination, counted(to.weight))).collect();
        Route { index, name: &route.name, arms: alone(arms) }
    });
    let tls = spec.tls.iter().enumerate().map(|(at, route)| (FIRST_TLS + at, &route.route));
    let tcp = spec.tcp.iter().enumerate().map(|(at, route)| (FIRST_TCP + at, &route.route));
    http.chain(tls.chain(tcp).map(|(index, route)| Route { index, name: "", arms: alone(opaque(route)) })).collect()
}

fn counted(weight: Option<i32>) -> u32 {
    weight.and_then(|weight| u32::try_from(weight).ok()).unwrap_or(0)
}

/// As proxies get it: all alike when none has a weight.
fn opaque(route: &[RouteDestination]) -> Arms<'_> {
    let none = route.iter().all(|to| counted(to.weight) == 0);
    route.iter().map(|to| (&to.destination, if none { 1 } else { counted(to.weight) })).collect()
}

/// A single destination gets everything, whatever its weight.
fn alone(mut arms: Arms<'_>) -> Arms<'_> {
    if let [(_, weight)] = &mut arms[..] {
        *weight = 100;
    }
    arms
}

/// Writes down what an edit did to routes. It is made already, so what cannot be written down is told in the log.
pub(super) async fn note(edits: &Edits, moves: Vec<Move>, (id, by, at_ms): (&str, &str, u64), object: &ObjectRef) {
    for Move { route_index, from, to } in moves {
        let edit = Edit {
            id: format!("{id}{OF_ROUTE}{route_index}"),
            at_ms,
            by: by.to_owned(),
            object: object.clone(),
            route_index,
            weights_before: from,
            weights_after: to,
            revision_before: String::new(),
            revision_after: String::new(),
            undoes: None,
        };
        write(edits, &edit, id).await;
    }
}

/// Writes down that an edit of an object was taken back, for each route that it had changed.
pub(super) async fn note_undo(edits: &Edits, id: &str, (new, by, at_ms): (&str, &str, u64)) {
    let done = match edits.of_object(&format!("{id}{OF_ROUTE}")).await {
        Ok(done) => done,
        Err(error) => {
            tracing::warn!(%error, id, "the history of weights does not tell that an edit was taken back");
            return;
        }
    };
    for edit in done {
        let undo = Edit {
            id: format!("{new}{OF_ROUTE}{}", edit.route_index),
            at_ms,
            by: by.to_owned(),
            undoes: Some(edit.id),
            weights_before: edit.weights_after,
            weights_after: edit.weights_before,
            ..edit
        };
        write(edits, &undo, new).await;
    }
}

async fn write(edits: &Edits, edit: &Edit, id: &str) {
    let mut written = edits.intend(edit).await;
    if written.is_ok() {
        // Names the edit: what the file came to is nobody's question here.
        written = edits.complete(&edit.id, id).await;
    }
    if let Err(error) = written {
        tracing::warn!(%error, ?edit, "the history of weights did not take an edit; this line stands for it");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn routed(http: &Value, tcp: &Value) -> Object {
        let object = json!({
            "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "metadata": {"name": "cart", "namespace": "shop"},
            "spec": {"hosts": ["cart"], "http": http, "tcp": tcp},
        });
        weft_api::parse(&object, "default").unwrap().object
    }

    fn route(name: &str, arms: &[(&str, u32)]) -> Value {
        let arm = |(subset, weight): &(&str, u32)| json!({"destination": {"host": "cart", "subset": subset}, "weight": weight});
        json!({"name": name, "route": arms.iter().map(arm).collect::<Vec<_>>()})
    }

    fn moved(route_index: usize, from: &[u32], to: &[u32]) -> Move {
        Move { route_index, from: from.to_vec(), to: to.to_vec() }
    }

    #[test]
    fn an_edit_of_weights_or_destinations_is_a_move() {
        let before = routed(&json!([route("", &[("v1", 90), ("v2", 10)])]), &json!([]));
        let after = |arms: &[(&str, u32)]| moves(&before, &routed(&json!([route("", arms)]), &json!([])));
        assert!(after(&[("v1", 90), ("v2", 10)]).is_empty());
        assert_eq!(after(&[("v1", 50), ("v2", 50)]), [moved(0, &[90, 10], &[50, 50])]);
        assert_eq!(after(&[("v1", 90), ("v9", 10)]), [moved(0, &[90, 10], &[90, 10])], "it goes elsewhere");
        assert_eq!(after(&[("v2", 0)]), [moved(0, &[90, 10], &[100])]);
    }

    #[test]
    fn a_route_that_only_stands_elsewhere_has_not_moved() {
        let (canary, testers) = (route("", &[("v1", 90), ("v2", 10)]), route("testers", &[("v2", 0)]));
        let (tcp, even) = (json!([route("", &[("v1", 3), ("v2", 1)])]), json!([route("", &[("v1", 0), ("v2", 0)])]));
        let before = routed(&json!([canary]), &tcp);
        assert!(moves(&before, &routed(&json!([testers, canary]), &tcp)).is_empty());
        assert_eq!(moves(&before, &routed(&json!([canary]), &even)), [moved(FIRST_TCP, &[3, 1], &[1, 1])]);
    }
}
