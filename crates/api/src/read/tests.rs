use std::collections::BTreeMap;

use serde_json::json;

use super::*;

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Retry {
    attempts: u32,
    per_try: Option<crate::Duration>,
    share: Option<f64>,
    codes: Vec<String>,
    ports: BTreeMap<u32, bool>,
    inner: Option<Box<Retry>>,
}

fn protobuf(value: &Value) -> (Result<Retry, Failure>, Vec<UnknownField>) {
    let mut unknown = Vec::new();
    let result = read(value, Rules::Protobuf, "spec", &mut unknown);
    (result, unknown)
}

#[test]
fn protobuf_json_is_forgiving() {
    let value = json!({
        "attempts": "3", "per_try": "2s", "share": 50, "codes": null, "ports": {"8080": true}, "inner": null
    });
    let (retry, unknown) = protobuf(&value);
    let retry = retry.unwrap();
    assert_eq!(retry.attempts, 3);
    assert_eq!(retry.per_try.unwrap().0.as_secs(), 2);
    assert_eq!(retry.share, Some(50.0));
    assert_eq!(retry.ports, BTreeMap::from([(8080, true)]));
    assert!(unknown.is_empty());
}

#[test]
fn unknown_fields_are_named_with_their_path() {
    let value = json!({"inner": {"atempts": 3, "zebra": {}}});
    let (retry, unknown) = protobuf(&value);
    assert!(retry.is_ok());
    assert_eq!(unknown[0].field, "spec.inner.atempts");
    assert_eq!(unknown[0].suggestion.as_deref(), Some("did you mean \"attempts\"?"));
    assert_eq!(unknown[1].field, "spec.inner.zebra");
    assert_eq!(unknown[1].suggestion, None);
}

#[test]
fn failures_say_where_and_what() {
    let failure = protobuf(&json!({"codes": ["a", 5]})).0.unwrap_err();
    assert_eq!((failure.path.as_str(), failure.message.as_str()), ("spec.codes[1]", "expected a string, found 5"));
    assert_eq!(failure.suggestion.as_deref(), Some("write it in quotes: \"5\""));
    let failure = protobuf(&json!({"inner": {"attempts": -1}})).0.unwrap_err();
    assert_eq!(failure.path, "spec.inner.attempts");
    assert_eq!(failure.message, "expected a whole number from 0, found -1");
    let failure = protobuf(&json!({"attempts": []})).0.unwrap_err();
    assert_eq!(failure.message, "expected a whole number from 0, found a list");
    let failure = protobuf(&json!({"perTry": "2 sec"})).0.unwrap_err();
    assert_eq!(failure.path, "spec.perTry");
    let failure = protobuf(&json!([])).0.unwrap_err();
    assert_eq!(failure.message, "expected a mapping, found a list");
}

/// The field that was meant stands under another name; what is wrong is in another one.
#[test]
fn unknown_fields_are_named_beside_a_failure() {
    for (before, after) in [("atempts", "zebra"), ("zebra", "atempts")] {
        let value = json!({"a": "first", "inner": {"attempts": {}, before: 1, after: 2}, "nope": 1});
        let (retry, unknown) = protobuf(&value);
        assert!(retry.is_err());
        let mut names: Vec<&str> = unknown.iter().map(|unknown| unknown.field.as_str()).collect();
        names.sort_unstable();
        assert!(names.contains(&"spec.inner.atempts") && names.contains(&"spec.inner.zebra"), "{names:?}");
        assert!(names.contains(&"spec.nope"), "{names:?}");
    }
}
