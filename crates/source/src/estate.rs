//! Files read once, for checking: whatever can be read is taken, however broken its neighbours are.

use std::{
    collections::HashSet,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use weft_api::Object;
use weft_model::Diagnostic;

use crate::{
    MAX_FILE_BYTES,
    file::{Origin, SourceFile},
    index::Index,
    scan,
};

/// One thing to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A file, or a directory with all below it.
    Path(PathBuf),
    /// Standard input.
    Stdin,
}

/// Everything that was read.
#[derive(Debug)]
pub struct Estate {
    /// Objects and their places. An object that is defined twice counts as it was first.
    pub index: Index,
    /// What is wrong with single files and documents.
    pub diagnostics: Vec<Diagnostic>,
    /// How many files were read.
    pub files: usize,
}

impl Estate {
    /// Every object, by key.
    pub fn objects(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.index.objects()
    }
}

/// Why an input could not be read at all.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {name}: {source}")]
pub struct ReadError {
    /// The input as it was given.
    pub name: String,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// Reads files, directories and standard input. Objects are not validated.
pub fn read_paths(inputs: &[Input], stdin: impl Read) -> Result<Estate, ReadError> {
    let mut files = Files::default();
    let mut stdin = Some(stdin);
    for input in inputs {
        match input {
            Input::Stdin => {
                // Given twice, it is empty the second time.
                let Some(reader) = stdin.take() else { continue };
                files.read.push(Arc::new(read_stdin(reader)?));
            }
            Input::Path(path) => files.read_path(path)?,
        }
    }
    let files = files.read;
    let (index, duplicates) = Index::build(&files);
    let own = files.iter().flat_map(|file| file.errors.iter().chain(&file.notes)).cloned();
    Ok(Estate { diagnostics: own.chain(duplicates).collect(), files: files.len(), index })
}

fn read_stdin(reader: impl Read) -> Result<SourceFile, ReadError> {
    let fail = |source| ReadError { name: "standard input".to_owned(), source };
    let mut bytes = Vec::new();
    // Whole clusters are piped in, so this may be larger than a file.
    let limit = MAX_FILE_BYTES * 16;
    reader.take(limit + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > limit {
        return Err(fail(io::Error::other(format!("there is more than {} MiB of it", limit / 1024 / 1024))));
    }
    Ok(SourceFile::read(Origin { name: "-".to_owned(), ..Origin::default() }, &bytes, false))
}

#[derive(Default)]
struct Files {
    read: Vec<Arc<SourceFile>>,
    seen: HashSet<PathBuf>,
}

impl Files {
    fn read_path(&mut self, path: &Path) -> Result<(), ReadError> {
        let fail = |source| ReadError { name: path.display().to_string(), source };
        if !std::fs::metadata(path).map_err(fail)?.is_dir() {
            return self.read_file(path);
        }
        let found = scan::scan(path).map_err(fail)?;
        if found.is_empty() {
            // A mistyped path must not pass for a sound estate.
            let message = "there is no manifest below it (*.yaml, *.yml or *.json); give the directory that holds them";
            return Err(fail(io::Error::new(io::ErrorKind::NotFound, message)));
        }
        found.iter().try_for_each(|file| self.read_file(&file.path))
    }

    fn read_file(&mut self, path: &Path) -> Result<(), ReadError> {
        let name = path.display().to_string();
        let fail = |source| ReadError { name: name.clone(), source };
        let canonical = path.canonicalize().map_err(fail)?;
        // The same file by two ways (a directory and a file in it) is one file.
        if !self.seen.insert(canonical.clone()) {
            return Ok(());
        }
        let (bytes, stamp) = scan::read(path).map_err(fail)?;
        let origin = Origin { name, path: Some(canonical), changed_at_ms: stamp.modified_ms() };
        self.read.push(Arc::new(SourceFile::read(origin, &bytes, false)));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
