use super::{Package, check, page, rules};

fn package(folder: &str, dependencies: &[&str]) -> Package {
    let dependencies = dependencies.iter().map(|name| (*name).to_owned()).collect();
    Package { folder: folder.to_owned(), dependencies, optional: Vec::new() }
}

const TABLE: &str = "\
| room | what it is | may depend on |
|---|---|---|
| `crates/model` | nouns | – |
| `crates/policy` | decisions | model |
| `crates/mesh` | heart | model |
| `crates/lint` | analyzers | model, mesh |
| `operator/` | control plane | all of crates |
| `tests/` | end to end | all |
";

fn edges(packages: &[Package]) -> Vec<String> {
    rules::edges(packages, &rules::table(TABLE))
}

#[test]
fn the_workspace_keeps_to_its_own_table() {
    check().unwrap();
}

#[test]
fn a_lower_crate_may_not_name_a_higher_one() {
    let packages = [package("crates/mesh", &["weft-lint", "weft-model"]), package("crates/lint", &[])];
    let problems = edges(&packages);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].starts_with("crates/mesh -> crates/lint: not allowed."), "{problems:?}");
}

#[test]
fn pure_crates_do_no_io() {
    let problems = edges(&[package("crates/policy", &["tokio-util", "hyper", "kube", "tokenizer"])]);
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(problems.iter().all(|problem| problem.contains("crates/policy is pure")));
}

#[test]
fn model_has_serde_only() {
    let problems = edges(&[package("crates/model", &["serde", "time"])]);
    assert!(problems.len() == 1 && problems[0].starts_with("crates/model -> time"), "{problems:?}");
    let mut schemas = package("crates/model", &["serde", "schemars"]);
    assert_eq!(edges(&[package("crates/model", &["schemars"])]).len(), 1, "the page would have it");
    schemas.optional.push("schemars".to_owned());
    assert!(edges(&[schemas]).is_empty());
}

#[test]
fn an_unknown_crate_needs_a_row() {
    let problems = edges(&[package("crates/odd", &[])]);
    assert!(problems.len() == 1 && problems[0].contains("not in the crate table"), "{problems:?}");
}

#[test]
fn rows_name_folders_and_groups_of_them() {
    let packages = ["crates/model", "crates/policy", "crates/mesh", "crates/lint", "tests"].map(|f| package(f, &[]));
    let with =
        |last: Package| edges(&packages.iter().map(|p| package(&p.folder, &[])).chain([last]).collect::<Vec<_>>());
    assert!(with(package("operator", &["weft-lint", "weft-policy"])).is_empty());
    assert!(with(package("crates/policy", &["weft-model"])).is_empty());
    let problems = with(package("operator", &["weft-tests"]));
    assert!(problems.len() == 1 && problems[0].starts_with("operator -> tests: not allowed."), "{problems:?}");
}

#[test]
fn tests_of_the_page_lie_where_the_host_builds() {
    const LIB: &str =
        "pub mod form;\n#[cfg(target_arch = \"wasm32\")]\n// Draws.\npub(crate) mod rooms;\npub mod graph;\n";
    const TESTS: &str = "fn f() {}\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn t() {}\n}\n";
    let untested = |files: &[(&str, &str)]| {
        let files = files.iter().chain([&("lib.rs", LIB)]).map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        page::untested(&files.collect())
    };
    let graph = "#[cfg(test)]\nmod tests;\n#[cfg(target_arch = \"wasm32\")]\nmod stage;\nmod scene;\n";
    let host = [("form.rs", TESTS), ("graph.rs", graph), ("graph/tests.rs", "#[test]\n"), ("graph/scene.rs", TESTS)];
    assert!(untested(&host).is_empty(), "{:?}", untested(&host));
    assert!(untested(&[("rooms.rs", "mod mesh;\n"), ("rooms/mesh.rs", "fn f() {}\n")]).is_empty());

    let below = untested(&[("rooms.rs", "pub mod mesh;\n"), ("rooms/mesh.rs", TESTS)]);
    assert!(below.len() == 1 && below[0].starts_with("frontend/src/rooms/mesh.rs: "), "{below:?}");
    let hidden: [&[(&str, &str)]; 5] = [
        &[("rooms.rs", TESTS)],
        &[("graph.rs", graph), ("graph/stage.rs", "#[cfg(all(test, debug_assertions))]\nmod tests {}\n")],
        &[("form.rs", "#![cfg(target_arch = \"wasm32\")]\n#[cfg(test)]\nmod tests {}\n")],
        &[("form.rs", "#[cfg(all(test, target_arch = \"wasm32\"))]\nmod tests;\n"), ("form/tests.rs", "#[test]\n")],
        &[("left.rs", TESTS)],
    ];
    for files in hidden {
        assert_eq!(untested(files).len(), 1, "{files:?}");
    }
}
