//! A directory of manifests, followed as it changes.

mod watch;

use std::{
    collections::{BTreeMap, HashSet},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use weft_api::{Change, Object, ObjectKey};
use weft_model::Diagnostic;

use crate::{
    file::{Origin, SourceFile},
    index::Index,
    scan::{self, Found, Stamp},
};
use watch::Watch;

/// How a directory is followed.
#[derive(Clone, Copy, Debug)]
pub struct DirectoryOptions {
    /// How long writes must have rested before files are read.
    pub settle: Duration,
    /// How often the directory is looked through although nothing was noticed: file systems without notifications,
    /// links to the outside, and queues that overflowed.
    pub poll: Duration,
}

impl Default for DirectoryOptions {
    fn default() -> Self {
        Self { settle: Duration::from_millis(50), poll: Duration::from_secs(2) }
    }
}

/// What is different since the batch before.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Changes, to be taken together. May be empty when only findings or places changed.
    pub changes: Vec<Change>,
    /// Everything that is wrong with the files now.
    pub diagnostics: Vec<Diagnostic>,
    /// Where everything in force stands now.
    pub index: Index,
    /// The objects of files that are not taken as they are written, as far as they can be read.
    pub refused: Index,
}

/// Why a directory cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is nothing of this name.
    #[error("the manifest directory {0} does not exist: create it, or give another one")]
    Missing(PathBuf),
    /// It is a file.
    #[error("{0} is not a directory: give the directory that holds the manifests")]
    NotADirectory(PathBuf),
    /// It cannot be read.
    #[error("cannot read the manifest directory {path}: {source}")]
    Unreadable {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A directory whose files are in force as far as they are sound. A file is taken as a whole or not at all: while any of
/// its documents is broken, its last good version stays in force.
#[derive(Debug)]
pub struct DirectorySource {
    root: PathBuf,
    options: DirectoryOptions,
    files: BTreeMap<PathBuf, Tracked>,
    objects: BTreeMap<ObjectKey, Arc<Object>>,
    diagnostics: Vec<Diagnostic>,
    index: Index,
    refused: Index,
    watch: Watch,
}

#[derive(Debug)]
struct Tracked {
    stamp: Option<Stamp>,
    /// The version in force.
    good: Option<Arc<SourceFile>>,
    /// The version that was read last, where it is not sound.
    refused: Option<Arc<SourceFile>>,
    /// Revision of the bytes that were read last, sound or not.
    revision: String,
    problems: Vec<Diagnostic>,
}

impl Tracked {
    /// What of the file is in force, in words for the log.
    fn in_force(&self) -> &'static str {
        match &self.good {
            // A field without effect does not keep the rest from being taken.
            Some(good) if good.revision == self.revision => "the file, without what is told here",
            Some(_) => "its last good version",
            None => "nothing of it",
        }
    }
}

impl DirectorySource {
    /// Reads the directory and begins to follow it. The batch holds everything that is there.
    pub fn open(root: impl Into<PathBuf>, options: DirectoryOptions) -> Result<(Self, Batch), OpenError> {
        let root = root.into();
        match std::fs::metadata(&root) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return Err(OpenError::NotADirectory(root)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(OpenError::Missing(root)),
            Err(source) => return Err(OpenError::Unreadable { path: root, source }),
        }
        // Watching begins before the first look, so that no change falls in between.
        let watch = Watch::start(&root);
        let mut source = Self {
            root,
            options,
            files: BTreeMap::new(),
            objects: BTreeMap::new(),
            diagnostics: Vec::new(),
            index: Index::default(),
            refused: Index::default(),
            watch,
        };
        let found = scan::scan(&source.root)
            .map_err(|error| OpenError::Unreadable { path: source.root.clone(), source: error })?;
        source.take(found, &HashSet::new());
        let batch = source.publish(&[]);
        Ok((source, batch))
    }

    /// Waits until something is different. Nothing is lost when this is dropped halfway.
    pub async fn next(&mut self) -> Batch {
        loop {
            self.watch.settled(self.options.settle, self.options.poll).await;
            if let Some(batch) = self.look() {
                return batch;
            }
        }
    }

    /// Where everything in force stands.
    pub fn index(&self) -> Index {
        self.index.clone()
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Looks through the directory now; `None` when nothing is different.
    fn look(&mut self) -> Option<Batch> {
        let touched = self.watch.take();
        let read_anew = match scan::scan(&self.root) {
            Ok(found) => self.take(found, &touched),
            Err(error) => {
                // A directory that is away (a mount being swapped) takes nothing out of force.
                let message = format!("cannot read the directory: {error}; what was read last stays in force");
                let problem = SourceFile::unreadable(&self.root.display().to_string(), message);
                if self.diagnostics.first() == Some(&problem) {
                    return None;
                }
                self.diagnostics.insert(0, problem);
                let diagnostics = self.diagnostics.clone();
                let (index, refused) = (self.index.clone(), self.refused.clone());
                return Some(Batch { changes: Vec::new(), diagnostics, index, refused });
            }
        };
        let before = std::mem::take(&mut self.diagnostics);
        let batch = self.publish(&before);
        (read_anew || !batch.changes.is_empty() || batch.diagnostics != before).then_some(batch)
    }

    /// Reads the files that changed and forgets those that are gone. Says whether any is different.
    fn take(&mut self, found: Vec<Found>, touched: &HashSet<PathBuf>) -> bool {
        let present: HashSet<&PathBuf> = found.iter().map(|file| &file.relative).collect();
        let before = self.files.len();
        self.files.retain(|relative, _| present.contains(relative));
        let mut different = self.files.len() != before;
        for file in &found {
            let tracked = self.files.get(&file.relative);
            // A second write within one tick of the clock leaves the stamp as it was; the notification tells.
            if tracked.is_some_and(|t| t.stamp == Some(file.stamp)) && !touched.contains(&file.relative) {
                continue;
            }
            different |= self.read(file);
        }
        different
    }

    fn read(&mut self, found: &Found) -> bool {
        let name = self.root.join(&found.relative).display().to_string();
        let previous = self.files.remove(&found.relative);
        let (old_revision, good) = previous.map_or((None, None), |tracked| (Some(tracked.revision), tracked.good));
        let tracked = match scan::read(&found.path) {
            Ok((bytes, stamp)) => {
                let revision = crate::file::revision(&bytes);
                let origin =
                    Origin { name: name.clone(), path: Some(found.path.clone()), changed_at_ms: stamp.modified_ms() };
                let file = SourceFile::read(origin, &bytes, true);
                if bytes.is_empty() && good.as_ref().is_some_and(|good| !good.objects.is_empty()) {
                    let message = "the file is empty, as if it was being written; delete it to take its objects away";
                    let problems = vec![SourceFile::unreadable(&name, message.to_owned())];
                    Tracked { stamp: Some(stamp), good, refused: None, revision, problems }
                } else if file.is_sound() {
                    let problems = file.notes.clone();
                    Tracked { stamp: Some(stamp), good: Some(Arc::new(file)), refused: None, revision, problems }
                } else {
                    let problems = file.errors.iter().chain(&file.notes).cloned().collect();
                    Tracked { stamp: Some(stamp), good, refused: Some(Arc::new(file)), revision, problems }
                }
            }
            Err(error) => {
                let problems = vec![SourceFile::unreadable(&name, format!("cannot read the file: {error}"))];
                Tracked { stamp: None, good, refused: None, revision: error.to_string(), problems }
            }
        };
        let different = old_revision.as_ref() != Some(&tracked.revision);
        if different {
            for problem in &tracked.problems {
                tracing::warn!(in_force = tracked.in_force(), "{problem}");
            }
        }
        self.files.insert(found.relative.clone(), tracked);
        different
    }

    /// Compares what is in force now with what was, and remembers it. Logs what `before` does not tell.
    fn publish(&mut self, before: &[Diagnostic]) -> Batch {
        let (index, duplicates) = Index::build(self.files.values().filter_map(|tracked| tracked.good.as_ref()));
        for problem in duplicates.iter().filter(|problem| !before.contains(problem)) {
            tracing::warn!(in_force = "the other definition", "{problem}");
        }
        let mut changes = Vec::new();
        let mut objects = BTreeMap::new();
        for object in index.objects() {
            let key = object.key();
            let same = self.objects.get(&key).is_some_and(|old| {
                old.content == object.content && old.meta == object.meta && old.reference == object.reference
            });
            if !same {
                changes.push(Change::Put(Arc::clone(object)));
            }
            objects.insert(key, Arc::clone(object));
        }
        let gone = self.objects.keys().filter(|key| !objects.contains_key(*key));
        changes.extend(gone.cloned().map(Change::Delete));
        self.objects = objects;
        self.diagnostics = self.files.values().flat_map(|tracked| tracked.problems.iter().cloned()).collect();
        self.diagnostics.extend(duplicates);
        self.index = index.clone();
        // What is defined twice in them is told once they are taken.
        let (refused, _) = Index::build(self.files.values().filter_map(|tracked| tracked.refused.as_ref()));
        self.refused = refused.clone();
        Batch { changes, diagnostics: self.diagnostics.clone(), index, refused }
    }
}

#[cfg(test)]
mod tests;
