use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::yaml;

fn edit(field: &str, old: Option<Value>, new: Value) -> FieldEdit {
    FieldEdit { field: field.to_owned(), old, new }
}

fn apply(text: &str, edits: &[FieldEdit]) -> Result<String, PatchError> {
    let tree = yaml::parse(text).unwrap().unwrap();
    patch(text, &tree, edits, false)
}

const ROUTE: &str = "http:\n- route:\n  - destination:\n      host: a # first\n    weight: 90   # most\n  - destination: {host: a,   subset: v2}\n    weight: '10'\n";

#[test]
fn only_the_scalars_change() {
    let edits = [
        edit("http[0].route[0].weight", Some(json!(90)), json!(50)),
        edit("http[0].route[1].weight", Some(json!("10")), json!(50)),
    ];
    assert_eq!(apply(ROUTE, &edits).unwrap(), ROUTE.replace("90 ", "50 ").replace("'10'", "50"));
}

#[test]
fn absent_weights_are_put_in() {
    let text = "route:\n- destination:\n    host: a # c\n# next\n- destination: {host: b}\n- {destination: {host: c}}\n- headers:\n    x: |\n      t\n- destination:\n";
    let edits: Vec<_> = (0..5).map(|i| edit(&format!("route[{i}].weight"), None, json!(i))).collect();
    let expected = "route:\n- destination:\n    host: a # c\n  weight: 0\n# next\n- destination: {host: b}\n  weight: 1\n- {destination: {host: c}, weight: 2}\n- weight: 3\n  headers:\n    x: |\n      t\n- weight: 4\n  destination:\n";
    assert_eq!(apply(text, &edits).unwrap(), expected);
    let crlf = "a:\r\n  b: 1\r\n";
    assert_eq!(apply(crlf, &[edit("a.weight", None, json!(2))]).unwrap(), "a:\r\n  b: 1\r\n  weight: 2\r\n");
    assert_eq!(apply("a:\n  b: 1", &[edit("a.w", None, json!(2))]).unwrap(), "a:\n  b: 1\n  w: 2");
    assert_eq!(apply("a: {}\n", &[edit("a.w", None, json!(2))]).unwrap(), "a: {w: 2}\n");
    assert_eq!(apply("a: 1\nw:\n", &[edit("w", Some(Value::Null), json!(2))]).unwrap(), "a: 1\nw: 2\n");
}

#[test]
fn json_keeps_its_lines() {
    let text = "{\n  \"a\": {\n    \"b\": 1\n  },\n  \"c\": {\"d\": 2}\n}\n";
    let tree = yaml::parse_json(text).unwrap();
    let edits =
        [edit("a.weight", None, json!(3)), edit("c.weight", None, json!(4)), edit("c.d", Some(json!(2)), json!("x"))];
    let patched = patch(text, &tree, &edits, true).unwrap();
    assert_eq!(
        patched,
        "{\n  \"a\": {\n    \"b\": 1,\n    \"weight\": 3\n  },\n  \"c\": {\"d\": \"x\", \"weight\": 4}\n}\n"
    );
}

#[test]
fn what_cannot_be_edited_says_why() {
    let fail = |text: &str, edits: FieldEdit| apply(text, &[edits]).unwrap_err().to_string();
    assert!(fail("a: 1\n", edit("a", Some(json!(2)), json!(3))).contains("a is 1, not 2"));
    assert!(fail("a: 1\n", edit("a", None, json!(3))).contains("a is 1, not absent"));
    assert!(fail("a: &x 1\nb: *x\n", edit("a", Some(json!(1)), json!(3))).contains("anchor"));
    assert!(fail("a: &x 1\nb: *x\n", edit("b", Some(json!(1)), json!(3))).contains("anchor"));
    assert!(fail("a: [1]\n", edit("a", Some(json!([1])), json!(3))).contains("not a single value"));
    assert!(fail("a: |\n  x\n", edit("a", Some(json!("x\n")), json!("y"))).contains("block of text"));
    assert!(fail("a: 1\n", edit("b.c", None, json!("y"))).contains("not there"));
    assert!(fail("a: [1]\n", edit("a[4]", None, json!("y"))).contains("no such item"));
}

/// Scalars in the ways people write them, with what they mean.
fn scalars() -> impl Strategy<Value = (String, Value)> {
    prop_oneof![
        (0u32..101).prop_map(|n| (n.to_string(), json!(n))),
        (0u32..101).prop_map(|n| (format!("'{n}'"), json!(n.to_string()))),
        "[a-z]{1,6}".prop_map(|s| (format!("\"{s} é\""), json!(format!("{s} é")))),
        Just(("true".to_owned(), json!(true))),
        Just(("~".to_owned(), Value::Null)),
    ]
}

fn new_values() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<u32>().prop_map(|n| json!(n)),
        any::<bool>().prop_map(|b| json!(b)),
        "[ -~é\n]{0,12}".prop_map(|s| json!(s)),
        Just(Value::Null),
    ]
}

proptest! {
    /// A patch changes the scalar's bytes and nothing else, and means what was asked for.
    #[test]
    fn bytes_around_stay(
        items in prop::collection::vec((scalars(), prop::bool::ANY, "( ?# [a-zé]{0,8})?"), 1..6),
        pick in any::<prop::sample::Index>(),
        new in new_values(),
        flow in prop::bool::ANY,
    ) {
        let mut text = String::from("# höher\nspec:\n  routes:\n");
        for ((written, _), weighted, comment) in &items {
            let comment = if comment.is_empty() { String::new() } else { format!(" {}", comment.trim_start()) };
            match (flow, weighted) {
                (true, true) => text.push_str(&format!("  - {{host: a, weight: {written}}}{comment}\n")),
                (true, false) => text.push_str(&format!("  - {{host: a}}{comment}\n")),
                (false, true) => text.push_str(&format!("  - host: a\n    weight: {written}{comment}\n")),
                (false, false) => text.push_str(&format!("  - host: a{comment}\n")),
            }
        }
        text.push_str("  tail: x # end\n");
        let index = pick.index(items.len());
        let ((written, old), weighted, _) = &items[index];
        let field = format!("spec.routes[{index}].weight");
        let edit = edit(&field, weighted.then(|| old.clone()), new.clone());
        let patched = apply(&text, &[edit]).unwrap();
        let tree = yaml::parse(&patched).unwrap().unwrap();
        let mut expected = yaml::parse(&text).unwrap().unwrap().to_value();
        expected["spec"]["routes"][index]["weight"] = new;
        prop_assert_eq!(tree.to_value(), expected);
        let prefix = text.bytes().zip(patched.bytes()).take_while(|(a, b)| a == b).count();
        let suffix = text.bytes().rev().zip(patched.bytes().rev()).take_while(|(a, b)| a == b).count();
        // What differs lies within the scalar that was there, or nothing was taken away.
        let taken = text.len().saturating_sub(prefix + suffix);
        prop_assert!(taken <= if *weighted { written.len() } else { 0 }, "{} bytes taken", taken);
    }
}
