use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn value(text: &str) -> Value {
    parse(text).unwrap().unwrap().to_value()
}

fn at(text: &str, path: &str) -> String {
    let node = parse(text).unwrap().unwrap();
    let node = node.find(&steps(path).unwrap()).unwrap();
    text[node.start..node.end].to_owned()
}

#[test]
fn scalars_mean_what_kubernetes_takes_them_for() {
    let text = "a: yes\nb: 'yes'\nc: 0x1f\nd: 1_000\ne: 010\nf: 1e3\ng: ~\nh:\ni: 1.2.3\nj: 2024-01-01\nk: !!str 5\nl: -7\nm: v1\nn: .5\no: '90'\n";
    assert_eq!(
        value(text),
        json!({"a": true, "b": "yes", "c": 31, "d": 1000, "e": 8, "f": 1000.0, "g": null, "h": null, "i": "1.2.3",
            "j": "2024-01-01", "k": "5", "l": -7, "m": "v1", "n": 0.5, "o": "90"})
    );
    assert!(parse("a: .inf").is_err());
    assert!(parse("a: !custom x").is_err());
}

#[test]
fn a_tab_that_indents_is_told_as_what_it_is() {
    for (text, offset) in [
        ("\tapiVersion: v1\nkind: Service\n", 0),
        ("\tapiVersion: v1\n\tkind: Service\n", 0),
        ("apiVersion: v1\n\tkind: Service\n", 15),
        ("kind: Service\nmetadata:\n\tname: a\n", 24),
        ("kind: Service\nmetadata:\n  \tname: a\n", 26),
        ("kind: Service\nmetadata:\n  name: a\n\tnamespace: b\nspec: {}\n", 34),
        ("spec:\n  ports:\n\t- port: 80\n", 15),
        ("spec:\n  ports:\n  - port: 80\n\t  name: a\n", 28),
    ] {
        let error = parse(text).expect_err(text);
        assert!(error.message.contains("tab") && error.message.contains("spaces"), "{text:?}: {error}");
        assert_eq!(error.offset, offset, "{text:?}: {error}");
    }
    // Where a tab does no harm.
    for text in [
        "a: b\t# told\n\t\n\t# more\nc: d\n",
        "a: {\n  \tb: 1,\n  \tc: [\n  \t2]}\n",
        "a: |\n  one\n  \ttwo\nb: 1\n",
        "a: 'one\n  \ttwo'\n",
        "{\n\t\"a\": 1\n}\n",
    ] {
        parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    }
}

#[test]
fn nodes_know_their_bytes() {
    let text = "# é comment\nspec:\n  http:\n  - route:\n    - destination: {host: \"a b\"}\n      weight: 90 # ninety\n    - weight: '10'\n  text: |\n    two\n    lines\n  empty:\n";
    assert_eq!(at(text, "spec.http[0].route[0].weight"), "90");
    assert_eq!(at(text, "spec.http[0].route[1].weight"), "'10'");
    assert_eq!(at(text, "spec.http[0].route[0].destination"), "{host: \"a b\"}");
    assert_eq!(at(text, "spec.http[0].route[0].destination.host"), "\"a b\"");
    assert_eq!(at(text, "spec.empty"), "");
    let node = parse(text).unwrap().unwrap();
    let offset = node.nearest(&steps("spec.http[0].route[1].headers.x").unwrap());
    assert!(text[offset..].starts_with("weight: '10'"), "{}", &text[offset..]);
    let offset = node.nearest(&steps("spec.http[0].route[0].weight").unwrap());
    assert!(text[offset..].starts_with("weight: 90"));
}

#[test]
fn anchors_aliases_and_merges() {
    let text = "base: &b {x: 1, y: 2}\nuse: *b\nmore:\n  <<: *b\n  y: 3\n";
    assert_eq!(value(text), json!({"base": {"x": 1, "y": 2}, "use": {"x": 1, "y": 2}, "more": {"y": 3, "x": 1}}));
    let node = parse(text).unwrap().unwrap();
    for (path, shared) in [("base", true), ("use.x", true), ("more.x", true), ("more.y", false)] {
        assert_eq!(node.find(&steps(path).unwrap()).unwrap().shared, shared, "{path}");
    }
}

#[test]
fn what_would_blow_up_is_refused() {
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let previous = format!("*a{}", level - 1);
        laughs.push_str(&format!("a{level}: &a{level} [{}]\n", [previous.as_str(); 10].join(", ")));
    }
    assert!(parse(&laughs).unwrap_err().message.contains("values"));
    assert!(parse(&"[".repeat(100_000)).is_err());
    assert!(parse_json(&"[".repeat(100_000)).is_err());
    assert!(parse("a: &a [*a]").is_err());
    assert!(parse("a: *nowhere").is_err());
}

#[test]
fn keys_written_twice_are_errors_with_their_place() {
    let text = "spec:\n  host: a\n  host: b\n";
    let error = parse(text).unwrap_err();
    assert!(text[error.offset..].starts_with("host: b"));
    let text = "{\"a\": 1, \"a\": 2}";
    assert_eq!(parse_json(text).unwrap_err().offset, 9);
}

#[test]
fn documents_are_parted_by_lines() {
    let text =
        "\u{feff}# only a comment\n---\na: 1\n--- \nb: |\n  x\n...\n---\n# nothing\n---\n%YAML 1.2\n---\nc: ---\n";
    let texts: Vec<_> = split(text).into_iter().map(|chunk| text[chunk.range].trim()).collect();
    assert_eq!(texts, ["a: 1", "b: |\n  x", "c: ---"]);
}

#[test]
fn json_with_places() {
    let text = "\t{\"a\": [1, true, null, \"\\ud83d\\ude00\\/\"], \"b\": -1.5e3}\n";
    let node = parse_json(text).unwrap();
    assert_eq!(node.to_value(), json!({"a": [1, true, null, "😀/"], "b": -1500.0}));
    let weight = node.find(&steps("a[1]").unwrap()).unwrap();
    assert_eq!(&text[weight.start..weight.end], "true");
    for bad in ["", "{", "[1,]", "{\"a\"}", "{a: 1}", "\"x", "1 2", "nul", "\"\\", "[1 2]"] {
        assert!(parse_json(bad).is_err(), "{bad}");
    }
}

#[test]
fn paths_come_apart() {
    use super::Step::{Index, Key};
    let key = |k: &str| Key(k.to_owned());
    assert_eq!(steps("a.b[0].c").unwrap(), [key("a"), key("b"), Index(0), key("c")]);
    assert_eq!(steps("m[\"a.b/c\"].d").unwrap(), [key("m"), key("a.b/c"), key("d")]);
    assert_eq!(steps("m[\"q\\\"]\"]").unwrap(), [key("m"), key("q\"]")]);
    assert_eq!(steps("").unwrap(), []);
    for bad in ["a..b", "a[", "a[x]", ".a", "a[0]b"] {
        assert_eq!(steps(bad), None, "{bad}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever the text, reading ends and never panics; spans lie inside the text.
    #[test]
    fn any_text(text in "([a-c:\\-#\\[\\]{},&*|>!%'\" \n\t?é~<]|: |- |\n  ){0,60}") {
        for chunk in split(&text) {
            if let Ok(Some(node)) = parse(&text[chunk.range.clone()]) {
                check(&node, chunk.range.len());
            }
        }
        let _ = parse_json(&text);
    }
}

fn check(node: &Node, length: usize) {
    assert!(node.start <= node.end && node.end <= length);
    match &node.kind {
        Kind::Scalar(_) => {}
        Kind::List(items) => items.iter().for_each(|item| check(item, length)),
        Kind::Map(entries) => entries.iter().for_each(|entry| check(&entry.value, length)),
    }
}
