//! Which object stands where: an immutable picture of the files in force.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use weft_api::{Object, ObjectKey, field};
use weft_model::Diagnostic;

use crate::{
    file::{SourceFile, SourceObject},
    location::Location,
    yaml::{Node, steps},
};

/// Objects by key, with the files they stand in. Clones are cheap and share everything.
#[derive(Clone, Debug, Default)]
pub struct Index(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    objects: BTreeMap<ObjectKey, Entry>,
    /// The document that was looked into last: findings come document by document, and reading one anew for each
    /// finding would be quadratic in a large List.
    recent: Mutex<Option<Recent>>,
}

#[derive(Debug)]
struct Entry {
    file: Arc<SourceFile>,
    object: usize,
}

#[derive(Debug)]
struct Recent {
    file: Arc<SourceFile>,
    document: usize,
    tree: Arc<Node>,
}

/// An object in its file.
#[derive(Clone, Copy, Debug)]
pub struct Document<'i> {
    /// The object.
    pub object: &'i Arc<Object>,
    /// The file's name, as it was given or found.
    pub file: &'i str,
    /// The file on disk; `None` for standard input.
    pub path: Option<&'i Path>,
    /// One-based line at which the document begins.
    pub line: u32,
    /// The document as it is written.
    pub text: &'i str,
    /// When the file changed last, milliseconds since the Unix epoch.
    pub changed_at_ms: Option<u64>,
    /// SHA-256 of the file's bytes.
    pub revision: &'i str,
}

impl Index {
    /// Takes the objects of files in their order; the first definition of an object wins, and the others are findings.
    pub(crate) fn build<'f>(files: impl IntoIterator<Item = &'f Arc<SourceFile>>) -> (Self, Vec<Diagnostic>) {
        let mut objects: BTreeMap<ObjectKey, Entry> = BTreeMap::new();
        let mut duplicates = Vec::new();
        for file in files {
            for (index, object) in file.objects.iter().enumerate() {
                match objects.entry(object.object.key()) {
                    std::collections::btree_map::Entry::Vacant(place) => {
                        place.insert(Entry { file: Arc::clone(file), object: index });
                    }
                    std::collections::btree_map::Entry::Occupied(taken) => {
                        let first = taken.get();
                        let line =
                            first.file.objects.get(first.object).map_or(1, |o| first.file.document_line(o.document));
                        duplicates.push(file.duplicate(object, (&first.file.name, line)));
                    }
                }
            }
        }
        (Self(Arc::new(Inner { objects, recent: Mutex::default() })), duplicates)
    }

    /// Where a field of an object stands; when it is not written, its nearest ancestor that is.
    pub fn locate(&self, key: &ObjectKey, field: &str) -> Option<Location> {
        let (file, object) = self.entry(key)?;
        let tree = self.tree(file, object.document)?;
        let path = steps(&field::join(&object.prefix, field)).unwrap_or_default();
        let base = file.chunks().get(object.document)?.start;
        let (line, column) = file.place(base + tree.nearest(&path));
        Some(Location { file: file.name.clone(), line, column })
    }

    /// Gives findings that name an object their file, line and column.
    pub fn locate_all(&self, diagnostics: &mut [Diagnostic]) {
        for diagnostic in diagnostics.iter_mut().filter(|diagnostic| diagnostic.file.is_none()) {
            let Some(reference) = &diagnostic.object else { continue };
            if let Some(place) = self.locate(&ObjectKey::from(reference), &diagnostic.field) {
                diagnostic.file = Some(place.file);
                (diagnostic.line, diagnostic.column) = (Some(place.line), Some(place.column));
            }
        }
    }

    /// One object in its file.
    pub fn document(&self, key: &ObjectKey) -> Option<Document<'_>> {
        let (file, object) = self.entry(key)?;
        Some(Self::view(file, object))
    }

    /// Every object in its file, by key.
    pub fn documents(&self) -> impl Iterator<Item = Document<'_>> {
        self.0.objects.values().filter_map(|entry| {
            let object = entry.file.objects.get(entry.object)?;
            Some(Self::view(&entry.file, object))
        })
    }

    /// Every object, by key.
    pub fn objects(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.documents().map(|document| document.object)
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.0.objects.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.objects.is_empty()
    }

    pub(crate) fn entry(&self, key: &ObjectKey) -> Option<(&Arc<SourceFile>, &SourceObject)> {
        let entry = self.0.objects.get(key)?;
        Some((&entry.file, entry.file.objects.get(entry.object)?))
    }

    fn view<'i>(file: &'i Arc<SourceFile>, object: &'i SourceObject) -> Document<'i> {
        Document {
            object: &object.object,
            file: &file.name,
            path: file.path.as_deref(),
            line: file.document_line(object.document),
            text: file.document_text(object.document),
            changed_at_ms: file.changed_at_ms,
            revision: &file.revision,
        }
    }

    fn tree(&self, file: &Arc<SourceFile>, document: usize) -> Option<Arc<Node>> {
        let mut recent = self.0.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(recent) = recent.as_ref()
            && Arc::ptr_eq(&recent.file, file)
            && recent.document == document
        {
            return Some(Arc::clone(&recent.tree));
        }
        let tree = Arc::new(file.tree(document).ok().flatten()?);
        *recent = Some(Recent { file: Arc::clone(file), document, tree: Arc::clone(&tree) });
        Some(tree)
    }
}
