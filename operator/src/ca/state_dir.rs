//! The operator's state directory: created private, files written whole, secrets never left readable by others.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use weft_runtime::StartupError;

/// A directory of the operator's own (mode 0700) that holds `ca/` and `tokens/`.
#[derive(Clone, Debug)]
pub struct StateDir {
    path: PathBuf,
}

impl StateDir {
    /// Opens or creates it. An existing directory that others may write to is refused: whoever can replace a file
    /// here is the certificate authority.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StartupError> {
        let path = path.into();
        private_dir(&path)?;
        Ok(Self { path })
    }

    /// A subdirectory, created with mode 0700 when it is missing.
    pub fn subdir(&self, name: &str) -> Result<PathBuf, StartupError> {
        let path = self.path.join(name);
        private_dir(&path)?;
        Ok(path)
    }

    /// Holds other processes out of this directory until the guard is dropped (advisory lock).
    pub fn lock(&self) -> Result<Lock, StartupError> {
        Lock::take(&self.path).map_err(|error| {
            StartupError::new(
                format!("cannot lock {}", self.path.join(LOCK_FILE).display()),
                error,
                "make the directory writable for this user, or choose another with --state-dir",
            )
        })
    }
}

const LOCK_FILE: &str = ".lock";

/// An advisory lock on a directory, shared by every process of the mesh that writes there; released on drop.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code, reason = "held for its drop, which releases the lock")] File);

impl Lock {
    /// Waits for the lock. Blocks the thread.
    pub fn take(dir: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(dir.join(LOCK_FILE))?;
        file.lock()?;
        Ok(Self(file))
    }
}

fn private_dir(path: &Path) -> Result<(), StartupError> {
    let fail = |error: &io::Error| {
        StartupError::new(
            format!("cannot use the state directory {}", path.display()),
            error,
            "create it for this user with mode 0700, or choose another with --state-dir",
        )
    };
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| fail(&error))?;
    let mode = fs::metadata(path).map_err(|error| fail(&error))?.permissions().mode();
    if mode & 0o022 != 0 {
        return Err(StartupError::new(
            format!("will not keep keys in {}", path.display()),
            format!("others may write to it (mode {:04o})", mode & 0o7777),
            format!("chmod 700 {}", path.display()),
        ));
    }
    Ok(())
}

/// Writes `bytes` to `path` with mode 0600 so that a reader sees the old file or the new one, never half of it.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_with_mode(path, bytes, 0o600)
}

/// As [`write_private`], with another mode.
pub fn write_with_mode(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{:016x}.new", rand::random::<u64>()));
    let fresh = path.with_file_name(name);
    let written = OpenOptions::new().create_new(true).write(true).mode(mode).open(&fresh).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let placed = written.and_then(|()| fs::rename(&fresh, path));
    if placed.is_err() {
        // The error that matters is the first one; a leftover is removed if it can be.
        let _ = fs::remove_file(&fresh);
    }
    placed
}

/// Reads a private key file. `forbidden` are the permission bits that make it too open to trust.
pub fn read_key(path: &Path, forbidden: u32) -> Result<String, StartupError> {
    let what = || format!("cannot use the key {}", path.display());
    let mode = fs::metadata(path)
        .map_err(|error| StartupError::new(what(), error, "make the file readable for this user"))?
        .permissions()
        .mode();
    if mode & forbidden != 0 {
        return Err(StartupError::new(
            what(),
            format!("others may read it (mode {:04o})", mode & 0o7777),
            format!("chmod 600 {}, and replace the key if it may have leaked", path.display()),
        ));
    }
    fs::read_to_string(path).map_err(|error| StartupError::new(what(), error, "make the file readable for this user"))
}
