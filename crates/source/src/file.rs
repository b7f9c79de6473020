//! One file: its text, the objects in it, and what is wrong with it.

use std::{fmt::Write, ops::Range, path::PathBuf, sync::Arc};

use serde_json::Value;
use sha2::{Digest, Sha256};
use weft_api::{Object, ObjectError, code, field};
use weft_model::{Diagnostic, ObjectRef, Severity};

use crate::{
    location::Lines,
    reading::{self, Reading},
    yaml::{self, Node, SyntaxError, steps},
};

/// A file that was read, whether or not it is sound.
#[derive(Debug)]
pub struct SourceFile {
    /// Its name, as it was given or found; `-` is standard input.
    pub name: String,
    /// Where it is on disk; `None` for standard input.
    pub path: Option<PathBuf>,
    /// Its text.
    pub text: Arc<str>,
    /// SHA-256 of its bytes, in hex.
    pub revision: String,
    /// When it changed last, milliseconds since the Unix epoch.
    pub changed_at_ms: Option<u64>,
    /// The objects that could be read, in the order they are written.
    pub objects: Vec<SourceObject>,
    /// What keeps the file from being taken as a whole.
    pub errors: Vec<Diagnostic>,
    /// What is wrong and does no harm: fields without effect.
    pub notes: Vec<Diagnostic>,
    chunks: Vec<Range<usize>>,
    lines: Lines,
    json: bool,
}

/// One object of a file.
#[derive(Clone, Debug)]
pub struct SourceObject {
    /// The object.
    pub object: Arc<Object>,
    /// Index of its document in the file.
    pub document: usize,
    /// Its place in the document: empty, or `items[3]` in a List.
    pub prefix: String,
}

/// Where a file's text comes from and when it changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    pub(crate) name: String,
    pub(crate) path: Option<PathBuf>,
    pub(crate) changed_at_ms: Option<u64>,
}

/// SHA-256 of bytes, in hex.
pub fn revision(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

impl SourceFile {
    /// Reads a text. With `validate`, an object that makes no sense counts as an error of the file.
    pub(crate) fn read(origin: Origin, bytes: &[u8], validate: bool) -> Self {
        let mut file = Self {
            name: origin.name,
            path: origin.path,
            text: Arc::from(""),
            revision: revision(bytes),
            changed_at_ms: origin.changed_at_ms,
            objects: Vec::new(),
            errors: Vec::new(),
            notes: Vec::new(),
            chunks: Vec::new(),
            lines: Lines::new(""),
            json: false,
        };
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                // What comes before the bad byte tells its line.
                let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
                file.lines = Lines::new(&good);
                file.text = Arc::from(good);
                file.syntax_error(
                    0,
                    SyntaxError { offset: error.valid_up_to(), message: "this is not UTF-8".to_owned() },
                );
                return file;
            }
        };
        file.text = Arc::from(text);
        file.lines = Lines::new(text);
        file.json = text.trim_start().starts_with('{') && (file.name.ends_with(".json") || file.name == "-");
        file.chunks = if file.json {
            std::iter::once(0..text.len()).collect()
        } else {
            yaml::split(text).into_iter().map(|chunk| chunk.range).collect()
        };
        for document in 0..file.chunks.len() {
            file.read_document(document, validate);
        }
        file
    }

    /// A file that could not even be read.
    pub(crate) fn unreadable(name: &str, message: String) -> Diagnostic {
        Diagnostic {
            code: code::UNREADABLE.to_owned(),
            aliases: Vec::new(),
            severity: Severity::Error,
            message,
            object: None,
            field: String::new(),
            file: Some(name.to_owned()),
            line: None,
            column: None,
            suggestion: None,
        }
    }

    /// Whether nothing is wrong that keeps the file from being taken.
    pub fn is_sound(&self) -> bool {
        self.errors.is_empty()
    }

    /// Whether it is JSON rather than YAML.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// The bytes of each document.
    pub(crate) fn chunks(&self) -> &[Range<usize>] {
        &self.chunks
    }

    /// The text of a document, without blank lines around it.
    pub fn document_text(&self, document: usize) -> &str {
        self.chunks.get(document).and_then(|range| self.text.get(range.clone())).unwrap_or_default().trim_end()
    }

    /// One-based line at which a document begins.
    pub fn document_line(&self, document: usize) -> u32 {
        let start = self.chunks.get(document).map_or(0, |range| range.start);
        self.lines.place(&self.text, start).0
    }

    /// One-based line and column of a byte.
    pub fn place(&self, offset: usize) -> (u32, u32) {
        self.lines.place(&self.text, offset)
    }

    /// Reads a document's tree again; its offsets count from the beginning of the document.
    pub(crate) fn tree(&self, document: usize) -> Result<Option<Node>, SyntaxError> {
        let text = self.chunks.get(document).and_then(|range| self.text.get(range.clone())).unwrap_or_default();
        if self.json { yaml::parse_json(text).map(Some) } else { yaml::parse(text) }
    }

    fn syntax_error(&mut self, base: usize, error: SyntaxError) {
        let (line, column) = self.place(base + error.offset);
        let mut diagnostic = Self::unreadable(&self.name, error.message);
        (diagnostic.line, diagnostic.column) = (Some(line), Some(column));
        self.errors.push(diagnostic);
    }

    fn read_document(&mut self, document: usize, validate: bool) {
        let base = self.chunks[document].start;
        let tree = match self.tree(document) {
            Ok(Some(tree)) => tree,
            Ok(None) => return,
            Err(error) => return self.syntax_error(base, error),
        };
        let value = tree.to_value();
        match value {
            Value::Null => {}
            Value::Object(ref map) => match items(map) {
                Some(items) => {
                    for (index, item) in items.into_iter().enumerate() {
                        self.read_object(document, &tree, &format!("items[{index}]"), &item, validate);
                    }
                }
                None if is_kustomization(&value) => {}
                None => self.read_object(document, &tree, "", &value, validate),
            },
            value => self.read_object(document, &tree, "", &value, validate),
        }
    }

    fn read_object(&mut self, document: usize, tree: &Node, prefix: &str, value: &Value, validate: bool) {
        let Reading { object, errors, notes } = reading::read(value, validate);
        for (error, code) in errors {
            let diagnostic = self.located(document, tree, prefix, error, code);
            self.errors.push(diagnostic);
        }
        for (note, code) in notes {
            let diagnostic = self.located(document, tree, prefix, note, code);
            self.notes.push(diagnostic);
        }
        let Some(object) = object else { return };
        self.objects.push(SourceObject { object: Arc::new(object), document, prefix: prefix.to_owned() });
    }

    fn located(&self, document: usize, tree: &Node, prefix: &str, error: ObjectError, code: &str) -> Diagnostic {
        let path = field::join(prefix, &error.field);
        let mut diagnostic = error.diagnostic(code);
        let offset = tree.nearest(&steps(&path).unwrap_or_default());
        let (line, column) = self.place(self.chunks[document].start + offset);
        diagnostic.file = Some(self.name.clone());
        (diagnostic.line, diagnostic.column) = (Some(line), Some(column));
        diagnostic
    }

    /// A second definition of an object that is in force already.
    pub(crate) fn duplicate(&self, object: &SourceObject, first: (&str, u32)) -> Diagnostic {
        let reference: &ObjectRef = &object.object.reference;
        let error = ObjectError {
            object: Some(reference.clone()),
            field: "metadata.name".to_owned(),
            message: format!("{reference} is defined in {}:{} already; that one is in force", first.0, first.1),
            suggestion: Some("delete or rename one of them".to_owned()),
        };
        let mut diagnostic = error.diagnostic(code::DUPLICATE_OBJECT);
        diagnostic.file = Some(self.name.clone());
        let (line, column) = self.locate(object, "metadata.name");
        (diagnostic.line, diagnostic.column) = (Some(line), Some(column));
        diagnostic
    }

    /// One-based line and column of a field of an object, or of its nearest ancestor that is written.
    pub fn locate(&self, object: &SourceObject, field: &str) -> (u32, u32) {
        let tree = self.tree(object.document).ok().flatten();
        let path = steps(&field::join(&object.prefix, field)).unwrap_or_default();
        let offset = tree.map_or(0, |tree| tree.nearest(&path));
        self.place(self.chunks.get(object.document).map_or(0, |range| range.start) + offset)
    }
}

/// The items of a List, each with the type that a typed list (`VirtualServiceList`) leaves out.
fn items(map: &serde_json::Map<String, Value>) -> Option<Vec<Value>> {
    let kind = map.get("kind")?.as_str()?.strip_suffix("List")?;
    let items = map.get("items")?.as_array()?;
    let typed = |item: &Value| {
        let mut item = item.clone();
        if let Value::Object(object) = &mut item
            && !kind.is_empty()
        {
            object.entry("kind").or_insert_with(|| kind.into());
            if let Some(version) = map.get("apiVersion") {
                object.entry("apiVersion").or_insert_with(|| version.clone());
            }
        }
        item
    };
    Some(items.iter().map(typed).collect())
}

/// `kustomization.yaml` stands among manifests and is none.
fn is_kustomization(value: &Value) -> bool {
    value.get("apiVersion").and_then(Value::as_str).is_some_and(|v| v.starts_with("kustomize.config.k8s.io/"))
}
