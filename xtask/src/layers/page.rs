//! Tests of the page that never run: `cargo test` builds the host, and modules for wasm alone are left out of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context, Result};

/// Where the page's code lies below the root.
const SOURCES: &str = "frontend/src";

/// The page's files with their text, by their paths below [`SOURCES`].
pub type Files = BTreeMap<String, String>;

/// Reads the page's code.
pub fn files(root: &Path) -> Result<Files> {
    let mut files = Files::new();
    read(&root.join(SOURCES), "", &mut files)?;
    Ok(files)
}

fn read(folder: &Path, place: &str, files: &mut Files) -> Result<()> {
    let what = || format!("cannot read {}", folder.display());
    for entry in fs::read_dir(folder).with_context(what)? {
        let entry = entry.with_context(what)?;
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if entry.file_type().with_context(what)?.is_dir() {
            read(&path, &format!("{place}{name}/"), files)?;
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            files.insert(format!("{place}{name}"), text);
        }
    }
    Ok(())
}

/// Sentences for each file with tests that no build for the host takes in.
pub fn untested(files: &Files) -> Vec<String> {
    let mut host = BTreeSet::new();
    reach(files, "lib.rs", "", &mut host);
    let has_tests = |text: &str| text.lines().map(str::trim).any(|line| line == "#[test]" || is_for_tests(line));
    let unreached = files.iter().filter(|(path, text)| !host.contains(path.as_str()) && has_tests(text));
    unreached
        .map(|(path, _)| {
            format!(
                "{SOURCES}/{path}: has tests that never run, as the host does not build it. Move what they test, without \
                 leptos and web_sys, to a module that {SOURCES}/lib.rs declares for any target"
            )
        })
        .collect()
}

/// Adds `file`, and what it declares for the host below `folder`.
fn reach(files: &Files, file: &str, folder: &str, host: &mut BTreeSet<String>) {
    let Some(text) = files.get(file) else { return };
    if text.lines().any(|line| line.starts_with("#![") && is_for_wasm(line)) || !host.insert(file.to_owned()) {
        return;
    }
    let mut wasm = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") {
            wasm |= is_for_wasm(line);
        } else if !line.is_empty() && !line.starts_with("//") {
            if let Some(name) = module(line).filter(|_| !wasm) {
                reach(files, &format!("{folder}{name}.rs"), &format!("{folder}{name}/"), host);
            }
            wasm = false;
        }
    }
}

/// The name in `pub mod name;`, whatever its visibility.
fn module(line: &str) -> Option<&str> {
    let name = line.strip_suffix(';')?;
    let (before, name) = name.rsplit_once("mod ").unwrap_or_default();
    let visible = before.is_empty() || (before.starts_with("pub") && before.ends_with(' '));
    (visible && !name.is_empty()).then_some(name)
}

/// An attribute that leaves the host out. What is more than plain counts, too: rather a test too few than one that
/// never runs.
fn is_for_wasm(attribute: &str) -> bool {
    attribute.contains("cfg") && attribute.contains("wasm") && !attribute.contains("not(")
}

fn is_for_tests(line: &str) -> bool {
    line.starts_with("#[cfg(") && line.split(|c: char| !c.is_alphanumeric()).any(|word| word == "test")
}
