//! A text that somebody is writing: one object, with the place of whatever is wrong with it.

use std::{ops::Range, sync::Arc};

use serde_json::Value;
use weft_api::{Object, ObjectError, code};
use weft_model::Diagnostic;

use crate::{
    file::{Origin, SourceFile, SourceObject},
    yaml,
};

/// The longest draft, in bytes: etcd takes no object that is larger.
pub const MAX_DRAFT_BYTES: usize = 1024 * 1024;

/// A text that was read as one object. Places are those of the text.
#[derive(Debug)]
pub struct Draft {
    file: SourceFile,
    problems: Vec<Diagnostic>,
}

impl Draft {
    /// Reads a text. Whatever is wrong with it is found in [`Self::findings`].
    pub fn read(text: &str) -> Self {
        let refused = |message: &str, offset: usize| {
            let mut draft = Self { file: SourceFile::read(Origin::default(), b"", true), problems: Vec::new() };
            let before = text.as_bytes().get(..offset).unwrap_or_default();
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            draft.problem(message, None, u32::try_from(line).unwrap_or(u32::MAX), 1);
            draft
        };
        if text.len() > MAX_DRAFT_BYTES {
            return refused("the text is longer than 1 MiB, which is more than a cluster keeps of one object", 0);
        }
        if let Some(offset) = text.bytes().position(|byte| byte == 0) {
            return refused("a NUL byte stands here, which YAML does not have: delete it", offset);
        }
        let file = SourceFile::read(Origin::default(), text.as_bytes(), true);
        let mut draft = Self { file, problems: Vec::new() };
        let documents = draft.file.chunks().len();
        if documents > 1 {
            let line = draft.file.document_line(1);
            draft.problem("a second document begins here: save one object at a time", None, line, 1);
        } else if let Some(object) = draft.file.objects.iter().find(|object| !object.prefix.is_empty()) {
            let object = object.clone();
            let (line, column) = draft.file.locate(&object, "");
            draft.problem("this is a list: save one object at a time", None, line, column);
        } else if draft.file.objects.is_empty() && draft.file.errors.is_empty() {
            let message =
                "there is no object here: write apiVersion, kind, metadata and spec, or begin with a template";
            draft.problem(message, None, 1, 1);
        }
        draft
    }

    fn problem(&mut self, message: &str, suggestion: Option<String>, line: u32, column: u32) {
        let error = ObjectError { object: None, field: String::new(), message: message.to_owned(), suggestion };
        let mut diagnostic = error.diagnostic(code::UNREADABLE);
        (diagnostic.line, diagnostic.column) = (Some(line), Some(column));
        self.problems.push(diagnostic);
    }

    /// The object, when the text is one that may be saved.
    pub fn object(&self) -> Option<&Arc<Object>> {
        if self.is_sound() { self.only().map(|object| &object.object) } else { None }
    }

    fn only(&self) -> Option<&SourceObject> {
        match self.file.objects.as_slice() {
            [object] if object.prefix.is_empty() => Some(object),
            _ => None,
        }
    }

    /// Whether nothing keeps the text from being saved.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty() && self.file.is_sound()
    }

    /// What is wrong, errors first.
    pub fn findings(&self) -> Vec<Diagnostic> {
        let own = self.problems.iter().chain(&self.file.errors).chain(&self.file.notes).cloned();
        own.map(|finding| Diagnostic { file: None, ..finding }).collect()
    }

    /// One-based line and column of a field, or of its nearest ancestor that is written.
    pub fn locate(&self, field: &str) -> (u32, u32) {
        self.only().map_or((1, 1), |object| self.file.locate(object, field))
    }

    /// The whole text, its comments included.
    pub fn text(&self) -> &str {
        &self.file.text
    }

    /// The document alone, without blank space around it.
    pub fn document(&self) -> &str {
        self.file.document_text(0)
    }

    /// Whether there is nothing but the document: no comment before a `---`, for example.
    pub(crate) fn is_document_only(&self) -> bool {
        let Range { start, end } = self.file.chunks().first().cloned().unwrap_or_default();
        let outside = [&self.file.text[..start], &self.file.text[end..]];
        outside.iter().all(|text| matches!(text.trim(), "" | "---" | "..."))
    }

    /// The document as JSON.
    pub(crate) fn value(&self) -> Option<Value> {
        self.file.tree(0).ok().flatten().map(|tree| tree.to_value())
    }
}

/// What an edit of a document starts from: SHA-256 of its text without blank space behind it, in hex.
pub fn text_revision(text: &str) -> String {
    crate::file::revision(text.trim_end().as_bytes())
}

/// The value as people would write it.
pub fn to_yaml(value: &Value) -> String {
    // JSON always has a YAML form; JSON itself is YAML should the writer ever disagree.
    serde_saphyr::to_string(value).unwrap_or_else(|_| value.to_string())
}

/// A YAML document as JSON; `None` when it is none.
pub fn from_yaml(text: &str) -> Option<Value> {
    yaml::parse(text).ok().flatten().map(|tree| tree.to_value())
}

#[cfg(test)]
mod tests;
