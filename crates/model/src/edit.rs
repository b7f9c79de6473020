//! Whole objects that somebody makes, changes or removes on the page, what that would do, and help while writing
//! (`/api/v1/config/preview`, `/apply`, `/schema`).

use serde::{Deserialize, Serialize};

use crate::{Diagnostic, ObjectRef};

/// What is done to an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is new.
    #[default]
    Create,
    /// It gets another text.
    Update,
    /// It goes.
    Delete,
}

/// Body of `POST /api/v1/config/preview` and `/apply`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ObjectEdit {
    /// What is done.
    pub action: Action,
    /// The object that is there; absent for a new one.
    #[serde(default)]
    pub object: Option<ObjectRef>,
    /// The whole document; empty for a deletion.
    #[serde(default)]
    pub yaml: String,
    /// What the edit starts from (`revision` of the object's answer); empty for a new one.
    #[serde(default)]
    pub revision: String,
}

/// What an edit would do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ObjectPreview {
    /// The object, as far as it could be read.
    pub object: Option<ObjectRef>,
    /// Whether it may be applied as it is. Findings of lint alone are no hindrance.
    pub ready: bool,
    /// Findings about the text, with lines and columns of the text.
    pub findings: Vec<Diagnostic>,
    /// Findings about other objects that come with it.
    pub new_findings: Vec<Diagnostic>,
    /// Findings that go with it.
    pub mended_findings: Vec<Diagnostic>,
    /// What the object would do.
    pub sentences: Vec<String>,
    /// What it does now.
    pub sentences_before: Vec<String>,
    /// Unified diff; empty when nothing would change.
    pub diff: String,
    /// The file, or the object's place in a cluster.
    pub place: String,
    /// Worth knowing before it is applied.
    pub notes: Vec<String>,
    /// Who keeps the object as a repository has it: the diff is to be committed there.
    pub owner: Option<String>,
    /// Why it cannot be applied.
    pub refusal: Option<String>,
    /// Somebody else's version, when the object is not the one that the edit starts from.
    pub conflict: Option<Theirs>,
    /// The same with kubectl; empty where a GitOps tool would take it back.
    pub command: String,
}

/// An object as somebody else left it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Theirs {
    /// Its text; absent when it is gone.
    pub yaml: Option<String>,
    /// What an edit on top of it starts from.
    pub revision: String,
    /// Who wrote it, as far as that is known.
    pub by: Option<String>,
}

/// Answer of `POST /api/v1/config/apply`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ObjectResult {
    /// Takes it back: `POST /api/v1/edits/ID/undo`.
    pub id: String,
    /// The object.
    pub object: ObjectRef,
    /// Until when whoever made it can take it back, milliseconds since the Unix epoch; 0 when nobody can.
    pub undo_until_ms: u64,
    /// What it says now, as `content` in the list; absent when it is gone.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub content: String,
}

/// Answer of `GET /api/v1/config/schema?kind=…`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Schema {
    /// The kind.
    pub kind: String,
    /// Its fields.
    pub fields: Vec<SchemaField>,
    /// A first text for a new object.
    pub template: String,
    /// Names that are known here.
    pub names: Names,
}

/// One field of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SchemaField {
    /// Path such as `spec.http[].match[].headers.*.exact`.
    pub path: String,
    /// `string`, `integer`, `number`, `boolean`, `object` or `array`.
    pub shape: String,
    /// Documentation; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doc: String,
    /// The words that it may be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
}

/// Names that a field may hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Names {
    /// Hosts, as full names.
    pub hosts: Vec<String>,
    /// Subsets.
    pub subsets: Vec<String>,
    /// Gateways, `namespace/name`.
    pub gateways: Vec<String>,
    /// Namespaces.
    pub namespaces: Vec<String>,
}
