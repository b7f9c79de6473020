use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::resource::type_url;

fn row(name: u16, content: u8) -> Arc<Resource> {
    Arc::new(Resource {
        name: format!("r{name}"),
        type_url: type_url::CLUSTER,
        value: vec![content],
        version: content.to_string(),
        origins: Vec::new(),
    })
}

fn set(rows: &BTreeMap<String, Arc<Resource>>, pieces: Option<&Pieces<Resource>>) -> Named {
    Named::collect(rows.values().map(Arc::clone).collect(), pieces).0
}

/// How many pieces of one are pieces of the other.
fn common(a: &Named, b: &Named) -> usize {
    a.pieces.iter().filter(|piece| b.pieces.iter().any(|other| Arc::ptr_eq(piece, other))).count()
}

#[test]
fn sets_that_differ_in_one_row_differ_in_one_piece() {
    let pool = Pieces::default();
    let rows: Vec<_> = (0..2000).map(|n| row(n, 0)).collect();
    let (whole, apart) = Named::collect(rows.clone(), Some(&pool));
    assert!(apart && whole.len() == 2000 && whole.pieces.len() > 30);
    let (without, _) = Named::collect(rows.iter().filter(|r| r.name != "r777").map(Arc::clone).collect(), Some(&pool));
    assert!(common(&whole, &without) >= whole.pieces.len() - 2, "they came about apart, and share all the same");
    let edited = whole.edited([row(777, 1)], [], Some(&pool));
    assert_eq!(common(&whole, &edited), whole.pieces.len() - 1);
    let names: Vec<&str> = whole.differences(&edited).map(|difference| difference.name()).collect();
    assert_eq!(names, ["r777"]);
}

#[test]
fn the_first_of_a_name_stays() {
    let (named, apart) = Named::collect(vec![row(2, 0), row(1, 1), row(1, 2)], None);
    assert!(!apart);
    assert_eq!(named.get("r1").unwrap().version, "1");
    assert_eq!(named.names().collect::<Vec<_>>(), ["r1", "r2"]);
}

#[test]
fn pieces_that_nobody_has_any_more_go() {
    let pool = Pieces::default();
    for round in 0..50 {
        let rows = (0..2000).map(|n| row(n, round)).collect();
        drop(Named::collect(rows, Some(&pool)));
    }
    assert!(pool.len() < 3 * 1024, "{} pieces are held", pool.len());
}

proptest! {
    /// Edits, look-ups and comparisons are those of an ordinary map, and where pieces begin depends on the names alone.
    #[test]
    fn it_is_a_map(
        first in prop::collection::btree_map(0..400u16, 0..3u8, 0..300),
        edits in prop::collection::btree_map(0..400u16, prop::option::of(0..3u8), 0..40),
    ) {
        let mut rows: BTreeMap<String, Arc<Resource>> =
            first.iter().map(|(name, content)| (format!("r{name}"), row(*name, *content))).collect();
        let before = set(&rows, None);
        let put: Vec<_> = edits.iter().filter_map(|(name, new)| Some(row(*name, (*new)?))).collect();
        let gone: Vec<String> = edits.iter().filter(|(_, new)| new.is_none()).map(|(name, _)| format!("r{name}")).collect();
        let after = before.with(put.iter().map(Arc::clone), gone.iter().map(String::as_str));
        let old = rows.clone();
        for resource in &put {
            rows.insert(resource.name.clone(), Arc::clone(resource));
        }
        rows.retain(|name, _| !gone.contains(name));

        prop_assert_eq!(after.len(), rows.len());
        prop_assert!(after.iter().eq(rows.values()));
        let scratch = set(&rows, None);
        prop_assert_eq!(&after, &scratch);
        let sizes = |named: &Named| named.pieces.iter().map(|piece| piece.len()).collect::<Vec<_>>();
        prop_assert_eq!(sizes(&after), sizes(&scratch));
        for name in 0..400 {
            let name = format!("r{name}");
            prop_assert_eq!(after.get(&name), rows.get(&name));
        }
        let found: Vec<_> = before.differences(&after).map(|d| (d.name().to_owned(), d.here.cloned(), d.there.cloned())).collect();
        let names: std::collections::BTreeSet<&String> = old.keys().chain(rows.keys()).collect();
        let expected: Vec<_> = names
            .into_iter()
            .map(|name| (name.clone(), old.get(name).cloned(), rows.get(name).cloned()))
            .filter(|(_, here, there)| here != there)
            .collect();
        prop_assert_eq!(found, expected);

        let mut adopted = scratch.clone();
        adopted.adopt(&after);
        prop_assert!(adopted.same(&after));
    }
}
