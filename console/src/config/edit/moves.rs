//! What edits of whole objects did to weighted routes: they are in the routes' history beside the moves on the cards.

use weft_api::{
    Object, Spec,
    networking::virtual_service::{Destination, RouteDestination},
};
use weft_model::{
    ObjectRef,
    canary::{FIRST_TCP, FIRST_TLS, place},
};

use crate::db::{Edit, Edits};

/// Between the id of an edit of a whole object and the index of the route in the id of what it did there, and between that
/// and the index that the route had before, if it was another one.
pub const OF_ROUTE: char = '.';

/// Destinations of a route, each with its weight as it counts.
type Arms<'a> = Vec<(&'a Destination, u32)>;

struct Route<'a> {
    /// See [`place`].
    index: usize,
    name: &'a str,
    arms: Arms<'a>,
}

/// What one route's weights were, and are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Move {
    route_index: usize,
    /// Its index before.
    was_at: usize,
    from: Vec<u32>,
    to: Vec<u32>,
}

/// Whether a route may be what another one was before.
type Rule<'r> = &'r dyn Fn(&Route<'_>, &Route<'_>) -> bool;

/// The weighted routes that an edit changed: their weights, or where they go.
pub(super) fn moves(before: &Object, after: &Object) -> Vec<Move> {
    let (before, after) = (routes(before), routes(after));
    let moved = |(old, new): (&Route<'_>, &Route<'_>)| {
        let weights = |arms: &Arms<'_>| arms.iter().map(|(_, weight)| *weight).collect::<Vec<_>>();
        let is_move = old.arms != new.arms && old.arms.len().max(new.arms.len()) > 1;
        is_move.then(|| Move {
            route_index: new.index,
            was_at: old.index,
            from: weights(&old.arms),
            to: weights(&new.arms),
        })
    };
    pairs(&before, &after).into_iter().filter_map(moved).collect()
}

/// Each route with what it was before. Each is one route's past at most, and what has none was put in: that moves those
/// below it on, and changes nothing of them.
fn pairs<'a, 'r>(before: &'r [Route<'a>], after: &'r [Route<'a>]) -> Vec<(&'r Route<'a>, &'r Route<'a>)> {
    let list = |route: &Route<'_>| place(route.index).0;
    let many = |all: &[Route<'_>], of: &Route<'_>| all.iter().filter(|route| list(route) == list(of)).count();
    // The surest first; what only stands where another one stood says something only where none came or went.
    let rules: [Rule<'_>; 5] = [
        &|old, new| !new.name.is_empty() && old.name == new.name,
        &|old, new| old.index == new.index && old.arms == new.arms,
        &|old, new| old.arms == new.arms,
        &|old, new| old.name == new.name && goes(old).eq(goes(new)),
        &|old, new| old.index == new.index && many(before, new) == many(after, new),
    ];
    let (mut left, mut open) = (before.iter().collect::<Vec<_>>(), after.iter().collect::<Vec<_>>());
    let mut pairs = Vec::new();
    for rule in rules {
        open.retain(|&new| {
            let found = left.iter().position(|&old| list(old) == list(new) && rule(old, new));
            pairs.extend(found.map(|at| (left.remove(at), new)));
            found.is_none()
        });
    }
    pairs.sort_by_key(|(_, new)| new.index);
    pairs
}

/// Where a route goes, whatever the weights.
fn goes<'r>(route: &'r Route<'_>) -> impl Iterator<Item = &'r Destination> {
    route.arms.iter().map(|(to, _)| *to)
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
    for Move { route_index, was_at, from, to } in moves {
        let before = if was_at == route_index { String::new() } else { format!("{OF_ROUTE}{was_at}") };
        let edit = Edit {
            id: format!("{id}{OF_ROUTE}{route_index}{before}"),
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

/// Writes down that an edit of an object was taken back, for each route that it had changed, where that stands again.
pub(super) async fn note_undo(edits: &Edits, id: &str, (new, by, at_ms): (&str, &str, u64)) {
    let done = match edits.of_object(&format!("{id}{OF_ROUTE}")).await {
        Ok(done) => done,
        Err(error) => {
            tracing::warn!(%error, id, "the history of weights does not tell that an edit was taken back");
            return;
        }
    };
    for edit in done {
        let route_index = was_at(&edit);
        let undo = Edit {
            id: format!("{new}{OF_ROUTE}{route_index}"),
            at_ms,
            by: by.to_owned(),
            route_index,
            undoes: Some(edit.id),
            weights_before: edit.weights_after,
            weights_after: edit.weights_before,
            ..edit
        };
        write(edits, &undo, new).await;
    }
}

/// The index of a route before the edit.
fn was_at(edit: &Edit) -> usize {
    edit.id.split(OF_ROUTE).nth(2).and_then(|index| index.parse().ok()).unwrap_or(edit.route_index)
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
    use crate::db::{DatabaseUrl, State};

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
        Move { route_index, was_at: route_index, from: from.to_vec(), to: to.to_vec() }
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

    #[test]
    fn a_route_that_is_put_in_is_no_move_of_the_one_that_stood_there() {
        let both = |first: u32, second: u32| route("", &[("v1", first), ("v2", second)]);
        let elsewhere = route("", &[("v3", 50), ("v4", 50)]);
        let of = |before: &[&Value], after: &[&Value]| {
            moves(&routed(&json!(before), &json!([])), &routed(&json!(after), &json!([])))
        };
        let (canary, even) = (both(90, 10), both(50, 50));
        assert!(of(&[&canary], &[&elsewhere, &canary]).is_empty());
        assert!(of(&[&canary], &[&even, &canary]).is_empty(), "to the same destinations");
        assert!(of(&[&elsewhere, &canary], &[&canary]).is_empty(), "the other one was taken out");
        assert!(of(&[&canary, &elsewhere], &[&elsewhere, &canary]).is_empty(), "they changed places");
        assert_eq!(of(&[&canary, &canary], &[&elsewhere, &canary]), [moved(0, &[90, 10], &[50, 50])], "two alike");
        // What was moved as well is told, with where it stood.
        let on = Move { was_at: 0, ..moved(1, &[90, 10], &[50, 50]) };
        assert_eq!(of(&[&canary], &[&elsewhere, &even]), [on]);
        assert_eq!(of(&[&canary], &[&even, &elsewhere]), [moved(0, &[90, 10], &[50, 50])]);
    }

    #[tokio::test]
    async fn what_is_taken_back_is_in_the_history_of_where_the_route_stands_again() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(&DatabaseUrl::in_directory(dir.path())).await.unwrap();
        let (edits, object) = (state.edits.clone(), ObjectRef::default());
        let on = Move { was_at: 0, ..moved(1, &[90, 10], &[50, 50]) };
        note(&edits, vec![on, moved(2, &[1, 1], &[3, 1])], ("e1", "ada", 1), &object).await;
        note_undo(&edits, "e1", ("e2", "ada", 2)).await;
        let mut undone = Vec::new();
        for route_index in 0..3 {
            let history = edits.of_route(&object, route_index, 9).await.unwrap();
            undone
                .push(history.into_iter().map(|edit| (edit.weights_after, edit.undoes.is_some())).collect::<Vec<_>>());
        }
        let expected =
            [vec![(vec![90, 10], true)], vec![(vec![50, 50], false)], vec![(vec![1, 1], true), (vec![3, 1], false)]];
        assert_eq!(undone, expected);
    }
}
