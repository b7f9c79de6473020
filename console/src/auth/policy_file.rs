//! The role file, read again when it changes. A file that cannot be read leaves the last good one in force.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use parking_lot::RwLock;
use weft_runtime::StartupError;

use super::roles::Policy;

/// How often the file is looked at. A mounted ConfigMap is swapped by a link, which notifications on the file miss.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Rights by roles, as the file says now.
#[derive(Clone)]
pub(super) struct PolicyFile {
    file: Option<PathBuf>,
    default_role: Option<String>,
    policy: Arc<RwLock<Arc<Policy>>>,
}

impl PolicyFile {
    /// Reads the file; at the start a wrong one is an error.
    pub(super) fn open(file: Option<PathBuf>, default_role: Option<String>) -> Result<Self, StartupError> {
        let policy = match &file {
            None => Policy::new("", default_role.as_deref()).map_err(|error| {
                StartupError::new("cannot use --default-role", error, "choose role:viewer, role:operator or role:admin")
            })?,
            Some(path) => {
                let refuse = |why: String| {
                    StartupError::new(format!("cannot use --roles-file {}", path.display()), why, "correct the file")
                };
                let text = fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
                Policy::new(&text, default_role.as_deref()).map_err(|error| refuse(error.to_string()))?
            }
        };
        Ok(Self { file, default_role, policy: Arc::new(RwLock::new(Arc::new(policy))) })
    }

    /// What is in force.
    pub(super) fn present(&self) -> Arc<Policy> {
        self.policy.read().clone()
    }

    /// Follows the file until the task is dropped.
    pub(super) async fn follow(self) {
        let Some(file) = &self.file else { return };
        let mut seen = stamp(file);
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = stamp(file);
            if now == seen {
                continue;
            }
            seen = now;
            let read = fs::read_to_string(file).map_err(|error| error.to_string());
            match read.and_then(|text| Policy::new(&text, self.default_role.as_deref()).map_err(|e| e.to_string())) {
                Ok(policy) => {
                    *self.policy.write() = Arc::new(policy);
                    tracing::info!(file = %file.display(), "the role file was read again");
                }
                Err(error) => {
                    tracing::error!(%error, file = %file.display(), "the role file is wrong; what it said before stays in force");
                }
            }
        }
    }
}

fn stamp(file: &Path) -> Option<(SystemTime, u64)> {
    let meta = fs::metadata(file).ok()?;
    Some((meta.modified().ok()?, meta.len()))
}
