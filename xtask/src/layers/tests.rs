use super::{Package, check, rules};

fn package(folder: &str, dependencies: &[&str]) -> Package {
    Package { folder: folder.to_owned(), dependencies: dependencies.iter().map(|name| (*name).to_owned()).collect() }
}

#[test]
fn the_workspace_keeps_to_its_own_table() {
    check().unwrap();
}

#[test]
fn a_lower_crate_may_not_name_a_higher_one() {
    let packages = [package("crates/mesh", &["weft-lint", "weft-model"]), package("crates/lint", &[])];
    let problems = rules::edges(&packages);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].starts_with("crates/mesh -> crates/lint: not allowed."), "{problems:?}");
}

#[test]
fn pure_crates_do_no_io() {
    let problems = rules::edges(&[package("crates/policy", &["tokio-util", "hyper", "kube", "tokenizer"])]);
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(problems.iter().all(|problem| problem.contains("crates/policy is pure")));
}

#[test]
fn model_has_serde_only() {
    let problems = rules::edges(&[package("crates/model", &["serde", "time"])]);
    assert!(problems.len() == 1 && problems[0].starts_with("crates/model -> time"), "{problems:?}");
}

#[test]
fn an_unknown_crate_needs_a_row() {
    let problems = rules::edges(&[package("crates/odd", &[])]);
    assert!(problems.len() == 1 && problems[0].contains("not in the crate table"), "{problems:?}");
}

#[test]
fn a_row_that_says_something_else_is_told() {
    let document = "| `crates/api` | types | model, lint |\n";
    let problems = rules::table(document);
    assert!(problems.iter().any(|problem| problem.contains("lets crates/api depend on \"model, lint\"")));
}
