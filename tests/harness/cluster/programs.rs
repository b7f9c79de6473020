//! Where the programs of a cluster are: built from tests/cluster/go.mod, Debian's, or what `KUBEBUILDER_ASSETS` names.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result};

use super::sandbox::checked;
use crate::process::{root, tool};

/// The programs of a cluster.
pub struct Programs {
    built: PathBuf,
    assets: Option<PathBuf>,
}

impl Programs {
    /// Builds what is not built yet, which takes some ten minutes of CPU the first time.
    pub fn ready() -> Result<Self> {
        let script = root().join("scripts/cluster-programs");
        let output = Command::new(&script).output().with_context(|| format!("cannot start {}", script.display()))?;
        let built = PathBuf::from(checked("scripts/cluster-programs", output)?.trim());
        Ok(Self { built, assets: std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from) })
    }

    /// A Kubernetes program, or `dns`, our CoreDNS.
    pub fn kubernetes(&self, name: &str) -> PathBuf {
        self.asset(name).unwrap_or_else(|| self.built.join(name))
    }

    /// etcd.
    pub fn etcd(&self) -> PathBuf {
        self.asset("etcd").unwrap_or_else(|| tool("etcd", "etcd-server"))
    }

    fn asset(&self, name: &str) -> Option<PathBuf> {
        self.assets.as_ref().map(|dir| dir.join(name)).filter(|path| path.is_file())
    }
}
