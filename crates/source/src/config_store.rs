//! The way back: edits of objects, applied where they are written.

pub(crate) mod write;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use similar::TextDiff;
use weft_api::{Object, ObjectError, ObjectKey};

pub use crate::patch::{FieldEdit, PatchError};
use crate::{
    cluster_store::{ClusterError, ClusterUndo},
    file::{Origin, SourceFile, SourceObject, revision},
    index::Index,
    patch, scan,
    whole::{self, FilePlan, Stale, WholeApplied, WholeEdit, WholePreview},
    yaml::steps,
};

/// Reads and edits objects in their files. An edit starts from a revision of the file and is refused when the file is
/// another one by now. Edits through one store come one after the other.
#[derive(Debug, Default)]
pub struct ConfigStore {
    writing: Mutex<()>,
    /// Where files of new objects go.
    root: Option<PathBuf>,
}

/// An object as it is written.
#[derive(Clone, Debug)]
pub struct ConfigDocument {
    /// The object.
    pub object: Arc<Object>,
    /// The file's name.
    pub file: String,
    /// One-based line at which the document begins.
    pub first_line: u32,
    /// The document.
    pub text: String,
    /// SHA-256 of the file's bytes: what an edit starts from.
    pub revision: String,
}

/// What an edit would do.
#[derive(Clone, Debug)]
pub struct Preview {
    /// Unified diff of the file; empty when nothing would change.
    pub diff: String,
    /// The object as it is.
    pub before: Arc<Object>,
    /// The object as it would be.
    pub after: Arc<Object>,
    /// The GitOps tool that would take the edit back, on a cluster.
    pub owner: Option<String>,
}

/// An edit that was made.
#[derive(Clone, Debug)]
pub struct Applied {
    /// Revision of the file now.
    pub revision: String,
    /// The object as it is now.
    pub object: Arc<Object>,
    /// Takes it back.
    pub undo: Undo,
}

/// Takes an edit back, as long as what was edited is as the edit left it. It can be written down and read again; what the
/// object was is in it.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Undo {
    pub(crate) way: Way,
}

/// How an edit is taken back.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) enum Way {
    File(FileUndo),
    Cluster(ClusterUndo),
    /// An object that was not on its cluster before.
    Created(ObjectKey, String),
    /// An object that is not on its cluster any more, as it was.
    Deleted(ObjectKey, serde_json::Value),
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct FileUndo {
    pub(crate) path: PathBuf,
    pub(crate) name: String,
    /// The file as it was; `None` when there was none.
    pub(crate) before: Option<Arc<str>>,
    /// Revision of the file that the edit left; `None` when it took it away.
    pub(crate) after: Option<String>,
}

/// Why an object could not be read or edited.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No file defines it.
    #[error("{0} is in no file")]
    NotFound(ObjectKey),
    /// It came from standard input.
    #[error("{0} was not read from a file and cannot be edited")]
    NotAFile(ObjectKey),
    /// The file is another one than the edit starts from.
    #[error("{file} changed since it was read: look at it again and repeat the edit")]
    Conflict {
        /// The file.
        file: String,
    },
    /// The object is another one than the edit starts from.
    #[error("{} was changed by someone else since it was read", .0.key)]
    Stale(Box<Stale>),
    /// There is such an object already.
    #[error("{0} exists already")]
    Exists(ObjectKey),
    /// The text names another object than the one that is edited.
    #[error("the text is {to}, not {from}: an edit keeps kind, namespace and name")]
    Renamed {
        /// The object that is edited.
        from: Box<ObjectKey>,
        /// The object that the text is.
        to: Box<ObjectKey>,
    },
    /// The file is broken at present.
    #[error("{file} cannot be read as it stands: {reason}")]
    Broken {
        /// The file.
        file: String,
        /// The first thing that is wrong.
        reason: String,
    },
    /// A field cannot be changed.
    #[error(transparent)]
    Patch(#[from] PatchError),
    /// The object would make no sense.
    #[error("the edit would make a broken object: {0}")]
    Invalid(Box<ObjectError>),
    /// A cluster refuses.
    #[error(transparent)]
    Cluster(Box<ClusterError>),
    /// What is to be taken back was done in another store.
    #[error("the edit was made in another place and cannot be taken back here: set the values by hand")]
    Elsewhere,
    /// The edit would change more than was asked for.
    #[error("{file} is written in a way that this edit cannot be made safely: edit it by hand")]
    Unsafe {
        /// The file.
        file: String,
    },
    /// The file cannot be read or written.
    #[error("cannot write {file}: {source}")]
    Io {
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// An edit, worked out but not made.
struct Plan {
    path: PathBuf,
    name: String,
    old: Arc<str>,
    new: String,
    before: Arc<Object>,
    after: Arc<Object>,
}

impl ConfigStore {
    /// A store over whatever the index of each call names; new objects have no place in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// A store whose new objects get files below `root`.
    pub fn in_directory(root: PathBuf) -> Self {
        Self { root: Some(root), ..Self::default() }
    }

    /// Works a change of a whole object out without making it.
    pub fn preview_whole(&self, index: &Index, edit: &WholeEdit) -> Result<WholePreview, StoreError> {
        Ok(FilePlan::new(self.root.as_ref(), index, edit)?.preview())
    }

    /// Makes, replaces or removes a whole object.
    pub fn apply_whole(&self, index: &Index, edit: &WholeEdit) -> Result<WholeApplied, StoreError> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        FilePlan::new(self.root.as_ref(), index, edit)?.make()
    }

    /// The object as it is written on disk now, which may be newer than the index.
    pub fn read(&self, index: &Index, key: &ObjectKey) -> Result<ConfigDocument, StoreError> {
        let Opened { file, object } = open(index, key)?;
        Ok(ConfigDocument {
            first_line: file.document_line(object.document),
            text: file.document_text(object.document).to_owned(),
            object: object.object,
            revision: file.revision,
            file: file.name,
        })
    }

    /// Works an edit out without making it.
    pub fn preview(
        &self,
        index: &Index,
        key: &ObjectKey,
        revision: &str,
        edits: &[FieldEdit],
    ) -> Result<Preview, StoreError> {
        let plan = plan(index, key, revision, edits)?;
        let diff = if *plan.old == *plan.new {
            String::new()
        } else {
            let (a, b) = (
                format!("a/{}", plan.name.trim_start_matches('/')),
                format!("b/{}", plan.name.trim_start_matches('/')),
            );
            TextDiff::from_lines(&*plan.old, plan.new.as_str())
                .unified_diff()
                .context_radius(3)
                .header(&a, &b)
                .to_string()
        };
        Ok(Preview { diff, before: plan.before, after: plan.after, owner: None })
    }

    /// Makes an edit. The file is replaced in one step, by one that differs in the edited scalars only.
    pub fn apply(
        &self,
        index: &Index,
        key: &ObjectKey,
        revision: &str,
        edits: &[FieldEdit],
    ) -> Result<Applied, StoreError> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let plan = plan(index, key, revision, edits)?;
        let after_revision = replace(&plan.path, &plan.name, revision, &plan.new)?;
        let undo =
            FileUndo { path: plan.path, name: plan.name, before: Some(plan.old), after: Some(after_revision.clone()) };
        Ok(Applied { revision: after_revision, object: plan.after, undo: Undo { way: Way::File(undo) } })
    }

    /// Takes an edit back; gives the revision of the file then.
    pub fn undo(&self, undo: &Undo) -> Result<String, StoreError> {
        let Way::File(undo) = &undo.way else { return Err(StoreError::Elsewhere) };
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let FileUndo { path, name, before, after } = undo;
        match (before, after) {
            (Some(before), Some(after)) => replace(path, name, after, before),
            (Some(before), None) => Ok(whole::put(path, name, None, Some(before))?.after.unwrap_or_default()),
            (None, after) => {
                let now =
                    scan::read(path).ok().and_then(|(bytes, _)| String::from_utf8(bytes).ok()).map(Arc::<str>::from);
                let now = now.filter(|now| Some(revision(now.as_bytes())) == *after);
                let now = now.ok_or_else(|| StoreError::Conflict { file: name.clone() })?;
                whole::put(path, name, Some(&now), None).map(|_| String::new())
            }
        }
    }
}

/// Replaces a file that is still the one we know.
pub(crate) fn replace(path: &Path, name: &str, known: &str, new: &str) -> Result<String, StoreError> {
    let io = |source| StoreError::Io { file: name.to_owned(), source };
    let unchanged = || scan::read(path).map(|(bytes, _)| revision(&bytes) == known);
    if !write::atomically(path, new.as_bytes(), unchanged).map_err(io)? {
        return Err(StoreError::Conflict { file: name.to_owned() });
    }
    Ok(revision(new.as_bytes()))
}

/// The file that defines an object, read anew, and the object in it.
pub(crate) struct Opened {
    pub(crate) file: SourceFile,
    pub(crate) object: SourceObject,
}

pub(crate) fn open(index: &Index, key: &ObjectKey) -> Result<Opened, StoreError> {
    let (known, _) = index.entry(key).ok_or_else(|| StoreError::NotFound(key.clone()))?;
    let path = known.path.clone().ok_or_else(|| StoreError::NotAFile(key.clone()))?;
    let name = known.name.clone();
    let (bytes, stamp) = match scan::read(&path) {
        Ok(read) => read,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(StoreError::NotFound(key.clone())),
        Err(source) => return Err(StoreError::Io { file: name, source }),
    };
    let origin = Origin { name: name.clone(), path: Some(path), changed_at_ms: stamp.modified_ms() };
    let file = SourceFile::read(origin, &bytes, true);
    if let Some(error) = file.errors.first() {
        return Err(StoreError::Broken { file: name, reason: error.to_string() });
    }
    let object = file.objects.iter().find(|object| object.object.key() == *key);
    let object = object.cloned().ok_or_else(|| StoreError::NotFound(key.clone()))?;
    Ok(Opened { file, object })
}

fn plan(index: &Index, key: &ObjectKey, expected: &str, edits: &[FieldEdit]) -> Result<Plan, StoreError> {
    let Opened { file, object: SourceObject { object: before, document, prefix } } = open(index, key)?;
    let name = file.name.clone();
    if file.revision != expected {
        return Err(StoreError::Conflict { file: name });
    }
    let unsafe_edit = || StoreError::Unsafe { file: name.clone() };
    let range = file.chunks().get(document).cloned().ok_or_else(unsafe_edit)?;
    let tree = file.tree(document).ok().flatten().ok_or_else(unsafe_edit)?;
    let inside: Vec<FieldEdit> = edits
        .iter()
        .map(|edit| FieldEdit { field: weft_api::field::join(&prefix, &edit.field), ..edit.clone() })
        .collect();
    let patched = patch::patch(&file.text[range.clone()], &tree, &inside, file.is_json())?;
    let new = format!("{}{patched}{}", &file.text[..range.start], &file.text[range.end..]);

    // The text is trusted only after it was read back: the edited document says what was asked for, and nothing else
    // says anything different.
    let origin = Origin { name: name.clone(), ..Origin::default() };
    let read_back = SourceFile::read(origin, new.as_bytes(), true);
    if let Some(error) = read_back.errors.into_iter().next() {
        let field = error.field;
        return Err(match error.object {
            Some(object) => StoreError::Invalid(Box::new(ObjectError {
                object: Some(object),
                field,
                message: error.message,
                suggestion: error.suggestion,
            })),
            None => unsafe_edit(),
        });
    }
    let mut wanted = tree.to_value();
    for edit in &inside {
        set(&mut wanted, &edit.field, &edit.new).ok_or_else(unsafe_edit)?;
    }
    let chunks: Vec<_> = crate::yaml::split(&new).into_iter().map(|chunk| chunk.range).collect();
    let same_documents = file.is_json() || chunks.len() == file.chunks().len();
    let back = if file.is_json() {
        crate::yaml::parse_json(&patched).ok()
    } else {
        crate::yaml::parse(&patched).ok().flatten()
    };
    if !same_documents || back.map(|node| node.to_value()) != Some(wanted) {
        return Err(unsafe_edit());
    }
    let after = read_back.objects.into_iter().find(|object| object.object.key() == *key).ok_or_else(unsafe_edit)?;
    let path = file.path.clone().ok_or_else(|| StoreError::NotAFile(key.clone()))?;
    Ok(Plan { path, name: name.clone(), old: file.text, new, before, after: after.object })
}

/// Sets a field of a JSON value whose parent is there.
fn set(value: &mut serde_json::Value, path: &str, new: &serde_json::Value) -> Option<()> {
    use crate::yaml::Step;
    let path = steps(path)?;
    let (last, parents) = path.split_last()?;
    let parent = parents.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Index(index) => value.get_mut(index),
    })?;
    match last {
        Step::Key(key) => {
            parent.as_object_mut()?.insert(key.clone(), new.clone());
        }
        Step::Index(index) => *parent.get_mut(index)? = new.clone(),
    }
    Some(())
}

#[cfg(test)]
mod tests;
