//! One weighted route: who moved it, and how it fared over time.

use serde_json::Value;
use weft_model::{ObjectRef, canary};
use weft_runtime::StartupError;

use super::{
    ask::{Ask, Shape},
    pages::{Answer, whole},
    place::Place,
};

/// Moves that the API gives at most.
const MOST_MOVES: u32 = 200;

/// What is asked about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Past {
    /// Who moved its weights, at most so many moves.
    History(Option<u32>),
    /// How its destinations fared, over so many seconds.
    Course(Option<u64>),
}

/// Asks about the one route that is meant, of those that `ask` lists; `route` is its index, where an object has several.
///
/// # Errors
/// When there is none, or several, or the console refuses.
pub async fn past(place: &mut Place, ask: &Ask, route: Option<usize>, past: Past) -> anyhow::Result<Answer> {
    let mut all = ask.clone();
    if let Some(list) = &mut all.list {
        // What is shown of the list does not say where the route may stand.
        (list.limit, list.cursor) = (usize::MAX, String::new());
    }
    let name = ask.list.as_ref().and_then(|list| list.keep.name.clone()).unwrap_or_default();
    let (object, index) = only(&whole(place, &all).await?.value, &name, route)?;
    let (path, shape, more) = match past {
        Past::History(limit) => {
            let limit = limit.map(|limit| ("limit", limit.min(MOST_MOVES).to_string()));
            ("/canaries/history", Shape::History, limit)
        }
        Past::Course(window_s) => {
            ("/canaries/course", Shape::Course, window_s.map(|window_s| ("window", window_s.to_string())))
        }
    };
    let mut one = Ask::plain(path, shape);
    one.query = vec![
        ("apiVersion", object.api_version),
        ("kind", object.kind),
        ("namespace", object.namespace),
        ("name", object.name),
        ("routeIndex", index.to_string()),
    ];
    one.query.extend(more);
    whole(place, &one).await
}

fn only(list: &Value, name: &str, route: Option<usize>) -> Result<(ObjectRef, usize), StartupError> {
    let rows = list.get("canaries").and_then(Value::as_array).into_iter().flatten();
    let routes = rows.filter_map(|row| {
        let object = serde_json::from_value::<ObjectRef>(row.get("object")?.clone()).ok()?;
        Some((object, usize::try_from(row.get("routeIndex")?.as_u64()?).ok()?))
    });
    let found: Vec<(ObjectRef, usize)> =
        routes.filter(|(_, index)| route.is_none_or(|route| route == *index)).collect();
    let what = format!("cannot show the canary {name}");
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => {
            let why = "there is no such weighted route that you may see";
            Err(StartupError::new(what, why, "look for it with weft console canaries"))
        }
        several => {
            let names: Vec<String> = several.iter().take(5).map(named).collect();
            let why = format!("there are {}: {}", several.len(), names.join(", "));
            Err(StartupError::new(what, why, "name its namespace with -n, and its route with --route"))
        }
    }
}

fn named((object, index): &(ObjectRef, usize)) -> String {
    let (list, place) = canary::place(*index);
    format!("{}/{} {list}[{place}] (--route {index})", object.namespace, object.name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_route_is_meant_or_it_is_said_which_there_are() {
        let row = |namespace: &str, index: usize| {
            let object = json!({
                "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "namespace": namespace, "name": "cart",
            });
            json!({"object": object, "routeIndex": index})
        };
        let find = |rows: &[Value], route: Option<usize>| {
            let found = only(&json!({ "canaries": rows }), "cart", route).map_err(|error| error.to_string());
            found.map(|(object, index)| (object.namespace, index))
        };
        assert_eq!(find(&[row("shop", 1)], None), Ok(("shop".to_owned(), 1)));
        let two = [row("shop", 1), row("shop", 20_000)];
        assert_eq!(find(&two, Some(20_000)), Ok(("shop".to_owned(), 20_000)));
        let several = find(&two, None).unwrap_err();
        assert!(
            several.contains("there are 2: shop/cart http[1] (--route 1), shop/cart tcp[0] (--route 20000)"),
            "{several}"
        );
        assert!(find(&two, Some(3)).unwrap_err().contains("weft console canaries"));
    }
}
