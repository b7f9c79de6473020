//! Where the demo finds the programs that it starts.

use std::path::{Path, PathBuf};

use anyhow::Context;
use weft_runtime::StartupError;

/// Which program a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// `weft-operator`
    Operator,
    /// `weft-proxy`
    Proxy,
    /// `weft-console`
    Console,
    /// `weft-demo-app`
    App,
    /// `prometheus`
    Prometheus,
}

/// Where the programs are.
pub struct Programs {
    dir: PathBuf,
    prometheus: PathBuf,
    /// This very program.
    pub weft: PathBuf,
}

impl Programs {
    /// Weft's own programs lie beside this one; Prometheus is looked up on the PATH.
    pub fn find() -> anyhow::Result<Self> {
        let weft = std::env::current_exe().context("cannot tell where this program is")?;
        let dir = weft.parent().map(Path::to_path_buf).unwrap_or_default();
        for name in ["weft-operator", "weft-proxy", "weft-console", "weft-demo-app"] {
            if !dir.join(name).is_file() {
                return Err(StartupError::new(
                    format!("cannot find {name}"),
                    format!("it is not in {}", dir.display()),
                    "build all of Weft with make demo or cargo build",
                )
                .into());
            }
        }
        let prometheus = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .map(|dir| dir.join("prometheus"))
            .find(|path| path.is_file())
            .ok_or_else(|| {
                StartupError::new(
                    "cannot find prometheus",
                    "it is not on the PATH",
                    "run scripts/bootstrap, or install Debian's package prometheus",
                )
            })?;
        Ok(Self { dir, prometheus, weft })
    }

    /// Where one of them is.
    pub fn path(&self, program: Program) -> PathBuf {
        match program {
            Program::Operator => self.dir.join("weft-operator"),
            Program::Proxy => self.dir.join("weft-proxy"),
            Program::Console => self.dir.join("weft-console"),
            Program::App => self.dir.join("weft-demo-app"),
            Program::Prometheus => self.prometheus.clone(),
        }
    }
}
