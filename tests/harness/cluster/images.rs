//! Images for the node, of the programs that cargo has built.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use tokio::sync::Mutex;

use super::{Cluster, node, sandbox::checked};
use crate::process::{program, root, tool};

/// Makes the archives with `xtask image` and gives their paths: the product's and, with `--test` or `--samples`, more.
pub fn build(more: &str) -> Result<Vec<PathBuf>> {
    run(&[more])
}

fn run(args: &[&str]) -> Result<Vec<PathBuf>> {
    let xtask = program("xtask");
    let programs = xtask.parent().context("xtask lies in a folder")?;
    let output = Command::new(&xtask)
        .env("CARGO_MANIFEST_DIR", root().join("xtask"))
        .arg("image")
        .args(args)
        .arg("--programs")
        .arg(programs)
        .output();
    let text = checked("cargo xtask image", output.context("cannot start xtask")?)?;
    Ok(text.lines().filter_map(|line| line.split("  ").next()).map(PathBuf::from).collect())
}

/// Whether the container runtime answers.
pub fn answers(cluster: &Cluster) -> Result<()> {
    ctr(cluster, &["version"]).map(drop)
}

impl Cluster {
    /// Gives the node what `samples/` runs beside our own images.
    pub fn import_samples(&self) -> Result<()> {
        let archives = build("--samples")?;
        let mut samples = archives.iter().filter(|archive| archive.ends_with("prometheus.tar"));
        samples.try_for_each(|archive| self.import(archive))
    }

    /// Gives the node the product's images once more, as if they were of another version. Nothing happens when it has them.
    pub async fn import_version(&'static self, tag: &str) {
        static IMPORTED: Mutex<BTreeSet<String>> = Mutex::const_new(BTreeSet::new());
        let mut imported = IMPORTED.lock().await;
        if imported.contains(tag) {
            return;
        }
        let dir = tempfile::tempdir().expect("temporary directory");
        let (wanted, out) = (tag.to_owned(), dir.path().display().to_string());
        let import = move || {
            let archives = run(&["--tag", &wanted, "--out", &out])?;
            archives.iter().try_for_each(|archive| self.import(archive))
        };
        tokio::task::spawn_blocking(import).await.expect("no panic").expect("images of another version");
        imported.insert(tag.to_owned());
    }

    /// Gives the node an archive's images.
    pub fn import(&self, archive: &Path) -> Result<()> {
        let path = archive.display().to_string();
        let snapshotter = node::snapshotter();
        ctr(self, &["--namespace=k8s.io", "images", "import", "--snapshotter", snapshotter, &path]).map(drop)
    }
}

fn ctr(cluster: &Cluster, args: &[&str]) -> Result<String> {
    let mut command = cluster.sandbox.command(&tool("ctr", "containerd"));
    command.arg("--address").arg(cluster.dir().join("containerd.sock")).args(args);
    cluster.sandbox.run(command)
}
