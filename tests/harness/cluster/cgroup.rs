//! Control groups of a cluster's pods: one folder in each hierarchy, cgroup v1 or v2.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

/// Makes the folder that the kubelet is told to be its root.
pub fn make(name: &str) -> Result<()> {
    for folder in folders(name) {
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    Ok(())
}

/// Removes the folder with all below. The kernel refuses as long as a process is in it; after `limit` so do we.
pub fn remove(name: &str, limit: Duration) -> Result<()> {
    let started = Instant::now();
    for folder in folders(name).into_iter().filter(|folder| folder.is_dir()) {
        while let Err(error) = remove_tree(&folder) {
            if started.elapsed() > limit {
                return Err(error).with_context(|| format!("cannot remove {}", folder.display()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(())
}

/// Only folders can be removed; the files in them are the kernel's.
fn remove_tree(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(folder)
}

fn folders(name: &str) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts.lines().filter_map(|line| hierarchy(line).map(|path| path.join(name))).collect()
}

/// The mount point in a line of /proc/mounts when it is a hierarchy of controllers.
fn hierarchy(line: &str) -> Option<PathBuf> {
    let mut fields = line.split(' ').skip(1);
    let (path, kind) = (fields.next()?, fields.next()?);
    (kind == "cgroup" || kind == "cgroup2").then(|| PathBuf::from(path))
}
