//! `cargo xtask layers`: the crate table of ARCHITECTURE.md, held against what the manifests say; and the page's
//! tests, held against what the host builds.
//!
//! Only direct edges count, and dev-dependencies are exempt: a test may look behind the wall, the code may not.

mod page;
mod rules;
#[cfg(test)]
mod tests;

use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::workspace;

/// One crate of the workspace with the crates that its manifest names.
pub struct Package {
    /// Folder below the root, such as `crates/model`.
    pub folder: String,
    /// Names of dependencies, dev-dependencies left out.
    pub dependencies: Vec<String>,
    /// Those of them that only a feature brings.
    pub optional: Vec<String>,
}

/// Prints every forbidden edge, and every file of the page whose tests never run, with its remedy; an error when there
/// is one.
pub fn check() -> Result<()> {
    let root = workspace::root()?;
    let packages = packages(&workspace::metadata()?)?;
    let document = fs::read_to_string(root.join("ARCHITECTURE.md")).context("cannot read ARCHITECTURE.md")?;
    let mut problems = rules::edges(&packages, &rules::table(&document));
    problems.extend(page::untested(&page::files(&root)?));
    if problems.is_empty() {
        println!("layers: {} crates keep to the table in ARCHITECTURE.md, and the page's tests run", packages.len());
        return Ok(());
    }
    for problem in &problems {
        eprintln!("{problem}");
    }
    bail!("{} problems with layers, above", problems.len())
}

fn packages(metadata: &Value) -> Result<Vec<Package>> {
    let root = metadata["workspace_root"].as_str().context("cargo metadata names no workspace root")?;
    let list = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    list.iter()
        .map(|package| {
            let manifest = package["manifest_path"].as_str().context("a package without a manifest")?;
            let folder = manifest
                .strip_prefix(root)
                .and_then(|path| path.strip_suffix("Cargo.toml"))
                .map(|path| path.trim_matches(['/', '\\']).replace('\\', "/"))
                .with_context(|| format!("{manifest} lies outside of {root}"))?;
            let all = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
            let own = || all.iter().filter(|dependency| dependency["kind"] != "dev");
            let name = |dependency: &Value| dependency["name"].as_str().map(str::to_owned);
            let dependencies = own().filter_map(name).collect();
            let optional = own().filter(|dependency| dependency["optional"] == true).filter_map(name).collect();
            Ok(Package { folder, dependencies, optional })
        })
        .collect()
}
