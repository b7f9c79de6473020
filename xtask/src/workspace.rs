//! What cargo knows about this workspace.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The checkout's root directory: of the checkout that cargo runs us from, because several may share a target directory,
/// and else of the one that this crate was compiled in.
pub fn root() -> Result<PathBuf> {
    let running = std::env::var_os("CARGO_MANIFEST_DIR");
    let manifest = running.map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest.parent().map(PathBuf::from).context("xtask has no parent directory; run it from a checkout")
}

/// A `cargo` command that runs in the workspace root, with the cargo that started us.
pub fn cargo() -> Result<Command> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()?);
    Ok(command)
}

/// `cargo metadata` without the packages of others.
pub fn metadata() -> Result<Value> {
    let output = cargo()?
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .output()
        .context("cannot start cargo; install Rust with rustup")?;
    if !output.status.success() {
        bail!("cargo metadata failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).context("cargo metadata gave no JSON")
}
