//! `weft lint` on what the project ships and on the customer's document.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use weft_tests::{
    chapter,
    process::{program, root},
};

fn lint(args: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(program("weft"))
        .arg("lint")
        .args(args)
        .current_dir(root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("weft runs");
    child.stdin.take().expect("stdin").write_all(stdin.as_bytes()).expect("stdin");
    child.wait_with_output().expect("weft ends")
}

fn diagnostics(output: &Output) -> Vec<Value> {
    let json: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stdout)));
    json["diagnostics"].as_array().expect("diagnostics").clone()
}

#[test]
fn the_demo_has_exactly_its_deliberate_faults() {
    let output = lint(&["demo/", "--output", "json"], "");
    let found = diagnostics(&output);
    let place = |finding: &Value| {
        format!("{} {} {}", finding["object"]["name"], finding["field"], finding["severity"]).replace('"', "")
    };
    assert_eq!(
        found.iter().map(place).collect::<Vec<_>>(),
        [
            "checkout-preview spec.http[0].route[0].destination.subset error",
            "checkout-preview spec.http[1].route[0].destination.host error",
        ],
        "{found:#?}"
    );
    assert!(found[1]["suggestion"].as_str().is_some_and(|words| words.contains("payment-service")), "{}", found[1]);
    assert!(found[0]["file"].as_str().is_some_and(|file| file.ends_with("checkout-preview.yaml")));
    let text = std::fs::read_to_string(root().join("demo/checkout-preview.yaml")).unwrap();
    let line = text.lines().position(|line| line.contains("subset: next")).unwrap() + 1;
    assert_eq!(found[0]["line"], line, "the finding points at the field");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(lint(&["demo/", "--fail-on", "never"], "").status.code(), Some(0));
}

#[test]
fn the_chapter_is_clean_where_it_is_whole() {
    let Some(text) = chapter::text() else { return };
    let services = "apiVersion: v1\nkind: Service\nmetadata: {name: order-service}\nspec: {ports: [{name: http, port: 8080}]}\n---\n\
        apiVersion: v1\nkind: Service\nmetadata: {name: inventory-service}\nspec: {ports: [{name: http, port: 8080}]}\n";
    let estate = format!("{services}---\n{}", chapter::yaml_blocks(&text).join("---\n"));
    let output = lint(&["-", "--output", "json"], &estate);
    let errors: Vec<_> = diagnostics(&output).into_iter().filter(|finding| finding["severity"] == "error").collect();
    assert!(errors.is_empty(), "{errors:#?}");
    // Alone, the chapter's VirtualService names subsets that nothing defines.
    let alone = format!("{services}---\n{}", chapter::block(&text, "VirtualService", "order-service"));
    let found = diagnostics(&lint(&["-", "--output", "json"], &alone));
    let subsets: Vec<_> =
        found.iter().filter(|finding| finding["field"].as_str().is_some_and(|f| f.ends_with("subset"))).collect();
    assert_eq!(subsets.len(), 3, "{found:#?}");
    assert!(
        subsets
            .iter()
            .all(|finding| finding["aliases"].as_array().is_some_and(|list| list.contains(&"IST0101".into())))
    );
}

#[test]
fn what_cannot_be_read_is_exit_code_2_and_says_where() {
    assert_eq!(lint(&["/does/not/exist"], "").status.code(), Some(2));
    let output = lint(&["-", "--output", "json"], "apiVersion: v1\nkind: Service\n  bad: [\n");
    let found = diagnostics(&output);
    assert!(matches!(output.status.code(), Some(1 | 2)), "{output:?}");
    assert!(
        found.iter().any(|finding| finding["line"].as_u64().is_some_and(|line| (2..=4).contains(&line))),
        "{found:#?}"
    );
}
