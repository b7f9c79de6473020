use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::draft::from_yaml;

const TEXT: &str = "\
# head
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: orders, namespace: shop}
spec:
  hosts:
    - orders # short
  http:
    # Testers first.
    - name: testers
      match:
        - headers:
            x-canary:
              exact: \"true\"
      route:
        - destination:
            host: orders
            subset: v2
    - name: rest
      route:
        - destination: {host: orders, subset: v1}
          weight: 90 # most
        - destination: {host: orders, subset: v2}
          weight: 10
      timeout: 10s
# tail
";

fn changed(change: impl FnOnce(&mut Value)) -> String {
    let mut value = from_yaml(TEXT).unwrap();
    change(&mut value);
    let new = rewrite(TEXT, &value);
    assert!(says(&new, &value), "{new}");
    assert!(new.contains("# head"), "it was written anew:\n{new}");
    new
}

#[test]
fn what_is_not_changed_stays_as_it_is() {
    assert_eq!(changed(|_| {}), TEXT);
    assert_eq!(
        changed(|value| {
            value["spec"]["http"][1]["route"][0]["weight"] = json!(75);
            value["spec"]["http"][1]["route"][1]["weight"] = json!(25);
        }),
        TEXT.replace("90 # most", "75 # most").replace("weight: 10\n", "weight: 25\n")
    );
}

#[test]
fn entries_come_and_go() {
    assert_eq!(
        changed(|value| value["spec"]["http"][1]["retries"] = json!({"attempts": 2, "perTryTimeout": "2s"})),
        TEXT.replace(
            "timeout: 10s\n",
            "timeout: 10s\n      retries:\n        attempts: 2\n        perTryTimeout: 2s\n"
        )
    );
    assert_eq!(
        changed(|value| drop(value["spec"]["http"][1].as_object_mut().unwrap().remove("timeout"))),
        TEXT.replace("      timeout: 10s\n", "")
    );
    // The first key of an item stands behind its dash.
    assert_eq!(
        changed(|value| drop(value["spec"]["http"][0].as_object_mut().unwrap().remove("name"))),
        TEXT.replace("- name: testers\n      match", "- match")
    );
    assert_eq!(
        changed(|value| value["spec"]["http"][1]["route"][0]["destination"]["port"] = json!({"number": 80})),
        TEXT.replace("{host: orders, subset: v1}", "{host: orders, subset: v1, port: {number: 80}}")
    );
}

#[test]
fn items_come_and_go() {
    let rule = json!({"match": [{"uri": {"prefix": "/a b"}}], "route": [{"destination": {"host": "cart"}}]});
    let lines = "    - match:\n        - uri:\n            prefix: \"/a b\"\n      route:\n        - destination:\n            host: cart\n";
    assert_eq!(
        changed(|value| value["spec"]["http"].as_array_mut().unwrap().insert(1, rule.clone())),
        TEXT.replace("    - name: rest", &format!("{lines}    - name: rest"))
    );
    assert_eq!(
        changed(|value| value["spec"]["http"].as_array_mut().unwrap().push(rule.clone())),
        TEXT.replace("# tail", &format!("{lines}# tail"))
    );
    let first = changed(|value| drop(value["spec"]["http"].as_array_mut().unwrap().remove(0)));
    assert!(first.contains("  http:\n    # Testers first.\n    - name: rest\n"), "{first}");
    let none = changed(|value| value["spec"]["http"] = json!([]));
    assert!(none.contains("  http: []\n# tail"), "{none}");
    let other = changed(|value| value["spec"] = json!({"hosts": ["cart"]}));
    assert!(other.contains("spec:\n  hosts:\n    - cart # short\n# tail"), "{other}");
}

#[test]
fn what_cannot_be_changed_in_place_is_written_anew() {
    let shared = "a: &x {b: 1}\nc: *x\n";
    let wanted = json!({"a": {"b": 1}, "c": {"b": 2}});
    assert!(says(&rewrite(shared, &wanted), &wanted));
    assert!(says(&rewrite("a: |\n  text\n\n\nb: 1\n", &json!({"a": "x", "b": 1})), &json!({"a": "x", "b": 1})));
    assert!(says(&rewrite("no: [", &wanted), &wanted));
    assert_eq!(written(&json!({"spec": {}, "kind": "X", "apiVersion": "v1"})), "apiVersion: v1\nkind: X\nspec: {}\n");
    assert_eq!(rewrite("a: 1", &json!({"a": 1, "b": [1]})), "a: 1\nb:\n  - 1");
    assert_eq!(rewrite("l:\n- 1\nm: 1\n", &json!({"l": [1, 2], "m": [3]})), "l:\n- 1\n- 2\nm:\n- 3\n");
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        (-9i64..99).prop_map(Value::from),
        "[a-z0-9:#'\" \n{}<>é-]{0,6}".prop_map(Value::from),
        Just(Value::Null),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map("[a-d]{1,2}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_wanted_is_said(before in values(), after in values()) {
        let (before, after) = (json!({"k": before, "same": 1}), json!({"k": after, "same": 1}));
        let text = written(&before);
        prop_assert!(says(&text, &before), "{text}");
        let new = rewrite(&text, &after);
        prop_assert!(says(&new, &after), "{text}\n→\n{new}");
    }
}
