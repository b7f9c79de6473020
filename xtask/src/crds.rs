//! `cargo xtask crds`: the generated files of the Helm chart.

use std::fs;

use anyhow::{Context, Result};

use crate::workspace;

/// Writes them; a test of `crates/install` fails while they differ from what the types say.
pub fn write() -> Result<()> {
    let chart = workspace::root()?.join("charts/weft");
    for (name, text) in weft_install::chart::files() {
        let path = chart.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        println!("crds: {}", path.display());
    }
    Ok(())
}
