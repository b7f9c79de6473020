//! Which files a directory holds.

use std::{
    collections::HashSet,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use crate::MAX_FILE_BYTES;

/// Files beyond this are a mistake in the path rather than configuration.
const MAX_FILES: usize = 100_000;

/// A file that was found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    /// Path below the directory that was scanned.
    pub(crate) relative: PathBuf,
    pub(crate) stamp: Stamp,
}

/// What changes when a file does, nearly always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) modified: SystemTime,
    pub(crate) length: u64,
    inode: u64,
}

impl Stamp {
    pub(crate) fn of(metadata: &fs::Metadata) -> Self {
        Self { modified: metadata.modified().unwrap_or(UNIX_EPOCH), length: metadata.len(), inode: metadata.ino() }
    }

    /// Milliseconds since the Unix epoch.
    pub(crate) fn modified_ms(&self) -> Option<u64> {
        let since = self.modified.duration_since(UNIX_EPOCH).ok()?;
        u64::try_from(since.as_millis()).ok()
    }
}

/// Files `*.yaml`, `*.yml` and `*.json` below a directory, in the order of their paths. What begins with a dot is left
/// out: editors' and Git's own files, and the hidden twins that a mounted ConfigMap has of each of its files. Links are
/// followed, but no directory is read twice.
pub(crate) fn scan(root: &Path) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    let mut visited = HashSet::new();
    walk(root, Path::new(""), &mut visited, &mut found)?;
    found.sort_by(|a: &Found, b: &Found| a.relative.cmp(&b.relative));
    Ok(found)
}

fn walk(
    directory: &Path,
    relative: &Path,
    visited: &mut HashSet<(u64, u64)>,
    found: &mut Vec<Found>,
) -> io::Result<()> {
    let metadata = fs::metadata(directory)?;
    if !visited.insert((metadata.dev(), metadata.ino())) {
        return Ok(());
    }
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        let relative = relative.join(&name);
        // Gone since it was listed, or a link to nowhere.
        let Ok(metadata) = fs::metadata(&path) else { continue };
        if metadata.is_dir() {
            walk(&path, &relative, visited, found)?;
        } else if metadata.is_file() && is_manifest(&path) {
            if found.len() >= MAX_FILES {
                return Err(io::Error::other(format!("more than {MAX_FILES} files")));
            }
            found.push(Found { path, relative, stamp: Stamp::of(&metadata) });
        }
    }
    Ok(())
}

fn is_manifest(path: &Path) -> bool {
    path.extension().and_then(|extension| extension.to_str()).is_some_and(|e| matches!(e, "yaml" | "yml" | "json"))
}

/// Reads a file that is not too large.
pub(crate) fn read(path: &Path) -> io::Result<(Vec<u8>, Stamp)> {
    use io::Read;
    let file = fs::File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other(format!("the file is larger than {} MiB", MAX_FILE_BYTES / 1024 / 1024)));
    }
    Ok((bytes, Stamp::of(&metadata)))
}
