//! A layer: files, folders and links in a tar whose bytes depend on nothing but them.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

/// A finished layer. Clones share nothing but are cheap enough: an archive is written once.
#[derive(Clone)]
pub struct Layer {
    /// Hex SHA-256 of the tar, which is both the blob's digest and the layer's diff id, as it is not compressed.
    pub digest: String,
    /// The tar.
    pub bytes: Vec<u8>,
}

/// What will be a layer. Paths are absolute in the image; parents come by themselves.
#[derive(Default)]
pub struct LayerBuilder {
    entries: BTreeMap<PathBuf, Entry>,
}

enum Entry {
    Folder(u32),
    File { mode: u32, bytes: Vec<u8> },
    Link(PathBuf),
}

impl LayerBuilder {
    /// A file with its content.
    pub fn file(&mut self, path: impl AsRef<Path>, mode: u32, bytes: impl Into<Vec<u8>>) {
        self.insert(path.as_ref(), Entry::File { mode, bytes: bytes.into() });
    }

    /// A copy of a file of this machine, links followed, executable when that is.
    pub fn copy(&mut self, path: impl AsRef<Path>, from: &Path) -> Result<()> {
        let bytes = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
        let mode = fs::metadata(from).with_context(|| format!("cannot read {}", from.display()))?.permissions().mode();
        self.file(path, if mode & 0o111 == 0 { 0o644 } else { 0o755 }, bytes);
        Ok(())
    }

    /// A copy of a folder of this machine with all below it.
    pub fn copy_folder(&mut self, path: &Path, from: &Path) -> Result<()> {
        for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
            let entry = entry.with_context(|| format!("cannot read {}", from.display()))?;
            let to = path.join(entry.file_name());
            if entry.path().is_dir() {
                self.copy_folder(&to, &entry.path())?;
            } else {
                self.copy(to, &entry.path())?;
            }
        }
        Ok(())
    }

    /// An empty folder.
    pub fn folder(&mut self, path: impl AsRef<Path>, mode: u32) {
        self.insert(path.as_ref(), Entry::Folder(mode));
    }

    /// A symbolic link.
    pub fn link(&mut self, path: impl AsRef<Path>, target: impl Into<PathBuf>) {
        self.insert(path.as_ref(), Entry::Link(target.into()));
    }

    fn insert(&mut self, path: &Path, entry: Entry) {
        let path = path.strip_prefix("/").unwrap_or(path);
        for parent in path.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()) {
            self.entries.entry(parent.to_owned()).or_insert(Entry::Folder(0o755));
        }
        self.entries.insert(path.to_owned(), entry);
    }

    /// The tar. A `BTreeMap` names a folder before what is in it.
    pub fn finish(self) -> Result<Layer> {
        let mut tar = Builder::new(Vec::new());
        for (path, entry) in self.entries {
            let mut header = Header::new_gnu();
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(0);
            header.set_size(0);
            let done = match entry {
                Entry::Folder(mode) => {
                    header.set_entry_type(EntryType::Directory);
                    header.set_mode(mode);
                    tar.append_data(&mut header, path.join(""), std::io::empty())
                }
                Entry::File { mode, bytes } => {
                    header.set_entry_type(EntryType::Regular);
                    header.set_mode(mode);
                    header.set_size(bytes.len() as u64);
                    tar.append_data(&mut header, &path, bytes.as_slice())
                }
                Entry::Link(target) => {
                    header.set_entry_type(EntryType::Symlink);
                    header.set_mode(0o777);
                    tar.append_link(&mut header, &path, &target)
                }
            };
            done.with_context(|| format!("cannot put {} into a layer", path.display()))?;
        }
        let bytes = tar.into_inner().context("cannot finish a layer")?;
        Ok(Layer { digest: digest(&bytes), bytes })
    }
}

/// Hex SHA-256.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
