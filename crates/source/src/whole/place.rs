//! Where a new object's file goes.

use std::path::{Path, PathBuf};

use weft_api::ObjectKey;

use crate::index::Index;

/// Names are tried with a number behind them until one is free.
const MAX_TRIES: u32 = 1000;

/// A file that is not there yet: beside most of what its namespace has, or else in the directory itself.
pub(super) fn of(root: &Path, index: &Index, key: &ObjectKey) -> PathBuf {
    let directory = usual(root, index, &key.namespace).unwrap_or_else(|| root.to_owned());
    let stem = format!("{}-{}", safe(&key.name), safe(&key.kind.to_lowercase()));
    let names = std::iter::once(format!("{stem}.yaml")).chain((2..MAX_TRIES).map(|n| format!("{stem}-{n}.yaml")));
    let mut paths = names.map(|name| directory.join(name));
    // Should all be taken, writing says so.
    paths.find(|path| !path.exists()).unwrap_or_else(|| directory.join(format!("{stem}.yaml")))
}

/// The directory below `root` that holds a namespace and nothing else.
fn usual(root: &Path, index: &Index, namespace: &str) -> Option<PathBuf> {
    if namespace.is_empty() {
        return None;
    }
    let mut own: Option<&Path> = None;
    for document in index.documents() {
        let here = document.object.reference.namespace == namespace;
        let directory = document.path.and_then(Path::parent)?;
        if here && directory != root && directory.starts_with(root) && own.is_none_or(|own| own == directory) {
            own = Some(directory);
        } else if here {
            return None;
        }
    }
    own.map(Path::to_owned)
}

/// A part of a file's name that can be nothing else: names of objects are checked by others, but never trusted here.
fn safe(text: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    let name: String = text.chars().take(120).map(kept).collect();
    name.trim_start_matches('.').to_owned()
}
