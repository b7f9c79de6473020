//! Whole objects made, replaced and removed in their files. What else is in a file stays as it is, byte for byte.

mod cut;
mod place;

use std::{path::PathBuf, sync::Arc};

use similar::TextDiff;
use weft_api::{Object, ObjectKey};

use crate::{
    config_store::{FileUndo, Opened, StoreError, Undo, Way, open, replace, write},
    draft::{Draft, text_revision},
    file::{Origin, SourceFile},
    index::Index,
};

/// A change of one whole object.
#[derive(Clone, Debug)]
pub enum WholeEdit {
    /// A new object.
    Create(Arc<Draft>),
    /// Another text for an object, which must have the revision.
    Update(ObjectKey, Arc<Draft>, String),
    /// No object any more; it must have the revision.
    Delete(ObjectKey, String),
}

impl WholeEdit {
    /// The object that is changed; `None` when the draft is no object.
    pub fn key(&self) -> Option<ObjectKey> {
        match self {
            Self::Create(draft) => draft.object().map(|object| object.key()),
            Self::Update(key, ..) | Self::Delete(key, _) => Some(key.clone()),
        }
    }

    /// The new text's object, which must be the one that is changed.
    pub(crate) fn after(&self) -> Result<Option<Arc<Object>>, StoreError> {
        match self {
            Self::Delete(..) => Ok(None),
            Self::Create(draft) => Ok(Some(sound(draft)?)),
            Self::Update(key, draft, _) => {
                let object = sound(draft)?;
                let to = object.key();
                if to == *key {
                    Ok(Some(object))
                } else {
                    Err(StoreError::Renamed { from: Box::new(key.clone()), to: Box::new(to) })
                }
            }
        }
    }
}

fn sound(draft: &Draft) -> Result<Arc<Object>, StoreError> {
    let broken = || {
        let reason = draft.findings().first().map(ToString::to_string).unwrap_or_default();
        StoreError::Broken { file: "the text".to_owned(), reason }
    };
    draft.object().cloned().ok_or_else(broken)
}

/// What a change of a whole object would do.
#[derive(Clone, Debug)]
pub struct WholePreview {
    /// Unified diff; empty when nothing would change.
    pub diff: String,
    /// The file, or the object on its cluster.
    pub place: String,
    /// The object as it is.
    pub before: Option<Arc<Object>>,
    /// The object as it would be.
    pub after: Option<Arc<Object>>,
    /// Who would take the change back, so that it is to be committed elsewhere.
    pub owner: Option<String>,
}

/// A change of a whole object that was made.
#[derive(Clone, Debug)]
pub struct WholeApplied {
    /// The object as it is now.
    pub after: Option<Arc<Object>>,
    /// Takes it back.
    pub undo: Undo,
}

/// An object that is not the one that an edit starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// The object.
    pub key: ObjectKey,
    /// Its text now; `None` when it is gone.
    pub theirs: Option<String>,
    /// Who wrote it last, as far as that is known.
    pub by: Option<String>,
}

/// A change of a file, worked out but not made.
pub(crate) struct FilePlan {
    path: PathBuf,
    name: String,
    /// The file now; `None` when there is none yet.
    old: Option<Arc<str>>,
    /// The file then; `None` when it is removed.
    new: Option<String>,
    before: Option<Arc<Object>>,
    after: Option<Arc<Object>>,
}

impl FilePlan {
    pub(crate) fn new(root: Option<&PathBuf>, index: &Index, edit: &WholeEdit) -> Result<Self, StoreError> {
        let after = edit.after()?;
        match edit {
            WholeEdit::Create(draft) => create(root, index, draft, after),
            WholeEdit::Update(key, draft, revision) => {
                let opened = current(index, key, revision)?;
                let file = &opened.file;
                let unsafe_edit = || StoreError::Unsafe { file: file.name.clone() };
                if !opened.object.prefix.is_empty() || !draft.is_document_only() {
                    return Err(unsafe_edit());
                }
                let range = file.chunks().get(opened.object.document).cloned().ok_or_else(unsafe_edit)?;
                let end = range.start + file.document_text(opened.object.document).len();
                let new = format!("{}{}{}", &file.text[..range.start], draft.document(), &file.text[end..]);
                Self::over(opened, Some(new), after)
            }
            WholeEdit::Delete(key, revision) => {
                let opened = current(index, key, revision)?;
                if !opened.object.prefix.is_empty() || opened.file.is_json() && opened.file.objects.len() > 1 {
                    return Err(StoreError::Unsafe { file: opened.file.name });
                }
                let new = cut::document(&opened.file.text, opened.file.chunks(), opened.object.document);
                Self::over(opened, new, None)
            }
        }
    }

    /// A change of a file that is there. It is trusted only after it was read back: everything else says what it said.
    fn over(opened: Opened, new: Option<String>, after: Option<Arc<Object>>) -> Result<Self, StoreError> {
        let Opened { file, object } = opened;
        let unsafe_edit = || StoreError::Unsafe { file: file.name.clone() };
        let back = new.as_deref().unwrap_or_default();
        let back = SourceFile::read(Origin { name: file.name.clone(), ..Origin::default() }, back.as_bytes(), true);
        let key = object.object.key();
        let wanted = file.objects.iter().filter_map(|old| match old.object.key() == key {
            true => after.clone(),
            false => Some(Arc::clone(&old.object)),
        });
        let same = |(wanted, found): (&Arc<Object>, &Arc<Object>)| {
            wanted.key() == found.key() && wanted.content == found.content && wanted.meta == found.meta
        };
        let wanted: Vec<_> = wanted.collect();
        let found: Vec<_> = back.objects.iter().map(|found| Arc::clone(&found.object)).collect();
        if !back.is_sound() || wanted.len() != found.len() || !wanted.iter().zip(&found).all(same) {
            return Err(unsafe_edit());
        }
        let path = file.path.clone().ok_or(StoreError::NotAFile(key))?;
        Ok(Self { path, name: file.name, old: Some(file.text), new, before: Some(object.object), after })
    }

    pub(crate) fn preview(self) -> WholePreview {
        let diff =
            unified(&self.name, self.old.as_deref().unwrap_or_default(), self.new.as_deref().unwrap_or_default());
        WholePreview { diff, place: self.name, before: self.before, after: self.after, owner: None }
    }

    /// Writes it, unless the file is another one by now.
    pub(crate) fn make(self) -> Result<WholeApplied, StoreError> {
        let undo = put(&self.path, &self.name, self.old.as_ref(), self.new.as_deref())?;
        Ok(WholeApplied { after: self.after, undo: Undo { way: Way::File(undo) } })
    }
}

/// Makes a file from `old` to `new`, either of which may be no file at all, and says how to go back.
pub(crate) fn put(
    path: &std::path::Path,
    name: &str,
    old: Option<&Arc<str>>,
    new: Option<&str>,
) -> Result<FileUndo, StoreError> {
    let io = |source| StoreError::Io { file: name.to_owned(), source };
    let known = old.map(|old| crate::file::revision(old.as_bytes()));
    let after_revision = match (&known, new) {
        (Some(known), Some(new)) => Some(replace(path, name, known, new)?),
        (None, Some(new)) => {
            if !write::create(path, new.as_bytes()).map_err(io)? {
                return Err(StoreError::Conflict { file: name.to_owned() });
            }
            Some(crate::file::revision(new.as_bytes()))
        }
        (Some(known), None) => {
            let (now, _) = crate::scan::read(path).map_err(io)?;
            if crate::file::revision(&now) != *known {
                return Err(StoreError::Conflict { file: name.to_owned() });
            }
            std::fs::remove_file(path).map_err(io)?;
            None
        }
        (None, None) => None,
    };
    Ok(FileUndo { path: path.to_owned(), name: name.to_owned(), before: old.cloned(), after: after_revision })
}

fn create(
    root: Option<&PathBuf>,
    index: &Index,
    draft: &Draft,
    after: Option<Arc<Object>>,
) -> Result<FilePlan, StoreError> {
    let Some(object) = after else { return Err(StoreError::Elsewhere) };
    let key = object.key();
    if index.document(&key).is_some() {
        return Err(StoreError::Exists(key));
    }
    let root = root.ok_or_else(|| StoreError::NotAFile(key.clone()))?;
    let path = place::of(root, index, &key);
    let name = path.display().to_string();
    let text = draft.text().trim_end();
    Ok(FilePlan { path, name, old: None, new: Some(format!("{text}\n")), before: None, after: Some(object) })
}

/// The object in its file now, if it is still the one that the edit starts from.
fn current(index: &Index, key: &ObjectKey, revision: &str) -> Result<Opened, StoreError> {
    let stale = |theirs| StoreError::Stale(Box::new(Stale { key: key.clone(), theirs, by: None }));
    let opened = match open(index, key) {
        Err(StoreError::NotFound(_)) => return Err(stale(None)),
        other => other?,
    };
    let text = opened.file.document_text(opened.object.document);
    if text_revision(text) == revision { Ok(opened) } else { Err(stale(Some(text.to_owned()))) }
}

/// The difference of two texts, for people and for `git apply`.
pub(crate) fn unified(name: &str, old: &str, new: &str) -> String {
    if old == new {
        return String::new();
    }
    let name = name.trim_start_matches('/');
    let side = |letter: &str, text: &str| {
        if text.is_empty() { "/dev/null".to_owned() } else { format!("{letter}/{name}") }
    };
    let (a, b) = (side("a", old), side("b", new));
    TextDiff::from_lines(old, new).unified_diff().context_radius(3).header(&a, &b).to_string()
}

#[cfg(test)]
mod tests;
