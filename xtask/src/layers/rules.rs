//! Who may depend on whom: the table of rooms in ARCHITECTURE.md is the rule, and this reads it.

use std::collections::{BTreeMap, BTreeSet};

use super::Package;

/// A crate's folder and the folders that it may depend on.
pub type Table = BTreeMap<String, BTreeSet<String>>;

/// Crates without I/O: time, randomness and bytes are handed to them.
const PURE: [&str; 6] = ["crates/model", "crates/api", "crates/mesh", "crates/policy", "crates/lint", "crates/install"];

/// First parts of the names of crates that do I/O.
const IO: [&str; 7] = ["tokio", "hyper", "kube", "reqwest", "axum", "sqlx", "notify"];

/// Reads the rows that begin with a folder in backticks; their last cell says what it may depend on: folders (those of
/// `crates/` by their short names), `all of crates`, `all`, or a dash.
pub fn table(document: &str) -> Table {
    let rows: Vec<(&str, &str)> = document.lines().filter_map(row).collect();
    let folders = || rows.iter().map(|(folder, _)| *folder);
    rows.iter()
        .map(|(folder, cell)| {
            let mut allowed = BTreeSet::new();
            for name in cell.split(',').map(str::trim) {
                match name {
                    "–" | "-" | "" => {}
                    "all" => allowed.extend(folders().map(str::to_owned)),
                    "all of crates" => {
                        allowed.extend(folders().filter(|name| name.starts_with("crates/")).map(str::to_owned));
                    }
                    short => {
                        let full = format!("crates/{short}");
                        let is_crate = folders().any(|folder| folder == full);
                        allowed.insert(if is_crate { full } else { short.to_owned() });
                    }
                }
            }
            ((*folder).to_owned(), allowed)
        })
        .collect()
}

/// The folder and the last cell of a row of the table of rooms.
fn row(line: &str) -> Option<(&str, &str)> {
    let (folder, rest) = line.strip_prefix("| `")?.split_once("` |")?;
    let cell = rest.trim().strip_suffix('|')?.rsplit('|').next()?;
    Some((folder.trim_end_matches('/'), cell.trim()))
}

/// Sentences for each edge that the table does not allow.
pub fn edges(packages: &[Package], table: &Table) -> Vec<String> {
    let mut problems = Vec::new();
    for package in packages {
        let Some(allowed) = table.get(&package.folder) else {
            problems.push(format!(
                "{} is not in the crate table; add a row to the table of rooms in ARCHITECTURE.md",
                package.folder
            ));
            continue;
        };
        for name in &package.dependencies {
            if let Some(target) = folder_of(name, packages)
                && !allowed.contains(target)
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
            // The page leaves the feature out that brings schemas.
            let schemas = name == "schemars" && package.optional.contains(name);
            if package.folder == "crates/model" && name != "serde" && !schemas {
                problems.push(format!(
                    "crates/model -> {name}: not allowed. model has serde only, so that the page stays small; write it \
                     by hand or put it where it is used"
                ));
            }
        }
    }
    problems
}

fn folder_of<'a>(name: &str, packages: &'a [Package]) -> Option<&'a str> {
    let short = name.strip_prefix("weft-")?;
    let folders = packages.iter().map(|package| package.folder.as_str());
    folders.into_iter().find(|folder| *folder == short || folder.rsplit('/').next() == Some(short))
}

fn does_io(name: &str) -> bool {
    IO.iter().any(|io| name == *io || name.strip_prefix(io).is_some_and(|rest| rest.starts_with('-')))
}

fn words(folders: &BTreeSet<String>) -> String {
    let folders: Vec<&str> = folders.iter().map(String::as_str).collect();
    if folders.is_empty() { "no crate of ours".to_owned() } else { folders.join(", ") }
}
