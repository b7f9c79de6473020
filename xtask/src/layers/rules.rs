//! Who may depend on whom.

use std::collections::BTreeSet;

use super::Package;

/// A crate's folder and the folders that it may depend on.
const ALLOWED: [(&str, &[&str]); 17] = [
    ("crates/model", &[]),
    ("crates/wire", &[]),
    ("crates/api", &["crates/model"]),
    ("crates/source", &["crates/model", "crates/api"]),
    ("crates/mesh", &["crates/model", "crates/api", "crates/wire"]),
    ("crates/policy", &["crates/model", "crates/wire"]),
    ("crates/lint", &["crates/model", "crates/api", "crates/mesh"]),
    ("crates/install", &["crates/model", "crates/api"]),
    ("crates/runtime", &["crates/model"]),
    ("operator", CRATES),
    ("proxy", &["crates/model", "crates/wire", "crates/policy", "crates/runtime"]),
    ("console", &["crates/model", "crates/api", "crates/source", "crates/mesh", "crates/lint", "crates/runtime"]),
    ("frontend", &["crates/model"]),
    (
        "cli",
        &[
            "crates/api",
            "crates/install",
            "crates/lint",
            "crates/mesh",
            "crates/model",
            "crates/policy",
            "crates/runtime",
            "crates/source",
            "crates/wire",
            "operator",
        ],
    ),
    ("demo/app", &["crates/runtime"]),
    ("tests", ALL),
    ("xtask", &[]),
];

const CRATES: &[&str] = &[
    "crates/api",
    "crates/install",
    "crates/lint",
    "crates/mesh",
    "crates/model",
    "crates/policy",
    "crates/runtime",
    "crates/source",
    "crates/wire",
];

const ALL: &[&str] = &[
    "crates/api",
    "crates/install",
    "crates/lint",
    "crates/mesh",
    "crates/model",
    "crates/policy",
    "crates/runtime",
    "crates/source",
    "crates/wire",
    "cli",
    "console",
    "demo/app",
    "operator",
    "proxy",
];

/// Crates without I/O: time, randomness and bytes are handed to them.
const PURE: [&str; 6] =
    ["crates/model", "crates/api", "crates/mesh", "crates/policy", "crates/lint", "crates/install"];

/// First parts of the names of crates that do I/O.
const IO: [&str; 7] = ["tokio", "hyper", "kube", "reqwest", "axum", "sqlx", "notify"];

/// Sentences for each edge that is not allowed.
pub fn edges(packages: &[Package]) -> Vec<String> {
    let mut problems = Vec::new();
    for package in packages {
        let Some((_, allowed)) = ALLOWED.iter().find(|(folder, _)| *folder == package.folder) else {
            problems.push(format!(
                "{} is not in the crate table; add a row to ARCHITECTURE.md and to xtask/src/layers/rules.rs",
                package.folder
            ));
            continue;
        };
        for name in &package.dependencies {
            if let Some(target) = folder_of(name, packages)
                && !allowed.contains(&target)
            {
                problems.push(format!(
                    "{} -> {target}: not allowed. {} may depend on {}; move what both need to the lower crate, or hand \
                     it in as an argument",
                    package.folder,
                    package.folder,
                    words(allowed)
                ));
            }
            if PURE.contains(&package.folder.as_str()) && does_io(name) {
                problems.push(format!(
                    "{} -> {name}: not allowed. {} is pure; await sockets and files in a program and pass the result",
                    package.folder, package.folder
                ));
            }
            if package.folder == "crates/model" && name != "serde" {
                problems.push(format!(
                    "crates/model -> {name}: not allowed. model has serde only, so that the page stays small; write it \
                     by hand or put it where it is used"
                ));
            }
        }
    }
    problems
}

/// Sentences for each row of the document that says something else than [`ALLOWED`].
pub fn table(document: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for (folder, allowed) in ALLOWED {
        let Some(cell) = row(document, folder) else {
            problems.push(format!("ARCHITECTURE.md has no row for {folder}; add one to the table of rooms"));
            continue;
        };
        let mut written: BTreeSet<&str> = BTreeSet::new();
        for name in cell.split(',').map(str::trim) {
            match name {
                "–" | "-" | "" => {}
                "all" => written.extend(ALL),
                "all of crates" => written.extend(CRATES),
                name => {
                    written.insert(full(name));
                }
            }
        }
        let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
        if written != allowed {
            problems.push(format!(
                "ARCHITECTURE.md lets {folder} depend on \"{cell}\", xtask/src/layers/rules.rs on {}; make them agree",
                words(&allowed.into_iter().collect::<Vec<_>>())
            ));
        }
    }
    problems
}

/// The last cell of the row that begins with `folder` in backticks.
fn row<'a>(document: &'a str, folder: &str) -> Option<&'a str> {
    let mark = format!("| `{}` ", folder);
    let slashed = format!("| `{}/` ", folder);
    let line = document.lines().find(|line| line.starts_with(&mark) || line.starts_with(&slashed))?;
    line.trim().trim_end_matches('|').rsplit('|').next().map(str::trim)
}

fn full(name: &str) -> &str {
    CRATES.iter().find(|folder| folder.strip_prefix("crates/") == Some(name)).copied().unwrap_or(name)
}

fn folder_of<'a>(name: &str, packages: &'a [Package]) -> Option<&'a str> {
    let short = name.strip_prefix("weft-")?;
    let folders = packages.iter().map(|package| package.folder.as_str());
    folders.into_iter().find(|folder| *folder == short || folder.rsplit('/').next() == Some(short))
}

fn does_io(name: &str) -> bool {
    IO.iter().any(|io| name == *io || name.strip_prefix(io).is_some_and(|rest| rest.starts_with('-')))
}

fn words(folders: &[&str]) -> String {
    if folders.is_empty() { "no crate of ours".to_owned() } else { folders.join(", ") }
}
