//! Configuration objects and their findings, and what the page asks first (`GET /api/v1/meta`, `/api/v1/config`).

use serde::{Deserialize, Serialize};

use crate::{Diagnostic, ObjectRef, link::NodeLink};

/// Answer of `GET /api/v1/meta`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    /// Weft's version.
    pub version: String,
    /// The directory or cluster that is shown.
    pub name: String,
    /// Where the manifests are on the console's machine, for commands; empty of a cluster, for those who do not see
    /// every namespace, and for those who have not signed in where people do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub directory: String,
    /// What proxies of the shown mesh call their cluster (`source_cluster`, `destination_cluster`).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cluster: String,
    /// Whether configuration is read from the API server of a cluster rather than from a directory.
    #[serde(default)]
    pub cluster_source: bool,
    /// Whether people sign in.
    pub sign_in: bool,
    /// Who may change configuration.
    #[serde(default)]
    pub writes: Writes,
    /// Prometheus' address, for links; empty when none is configured, and for those who do not see every namespace.
    pub prometheus_url: String,
    /// Namespaces that are known.
    pub namespaces: Vec<String>,
    /// Pages of other programs that show a node of the graph.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub node_links: Vec<NodeLink>,
}

/// Who may change configuration on the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Writes {
    /// Whoever reaches the page: it listens on this machine only.
    #[default]
    Open,
    /// Whoever gives a bearer token of the cluster, within that token's rights.
    Token,
    /// Whoever signed in, within their rights.
    Session,
}

/// Whose token it is and what it may: answer of `GET /api/v1/who`, asked with the token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Who {
    /// Name of the user, such as `system:serviceaccount:shop:deployer`.
    pub user: String,
    /// The user's groups.
    pub groups: Vec<String>,
    /// Whether the user may move weights, by namespace.
    pub rights: Vec<Right>,
}

/// Whether a user may change the VirtualServices of one namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Right {
    /// Namespace.
    pub namespace: String,
    /// Whether it is allowed.
    pub allowed: bool,
    /// Why, in the API server's words; may be empty.
    pub reason: String,
}

/// One row of the configuration list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConfigRow {
    /// The object.
    pub object: ObjectRef,
    /// File it stands in, if any.
    pub file: Option<String>,
    /// One-based line where its document starts.
    pub line: Option<u32>,
    /// When that file changed last, milliseconds since the Unix epoch.
    pub changed_at_ms: Option<u64>,
    /// When what it says changed last while this console watched, milliseconds since the Unix epoch, whoever changed it;
    /// absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_ms: Option<u64>,
    /// Findings about it, worst first.
    pub findings: Vec<Diagnostic>,
    /// The tool that keeps it, such as `Argo CD`; absent when nothing tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// When it was made on its cluster, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Tells what it says from what it said before: the beginning of a hash; absent of Secrets.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub content: String,
}

/// Answer of `GET /api/v1/config`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConfigList {
    /// Objects, ordered by kind, namespace and name.
    pub rows: Vec<ConfigRow>,
    /// Findings that belong to no object: files that could not be read. The last good version of such a file is what
    /// stays in force. They are on the first page.
    pub file_findings: Vec<Diagnostic>,
    /// Where the next page begins (`cursor`), if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Answer of `GET /api/v1/config/object?apiVersion=…&kind=…&namespace=…&name=…`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConfigObject {
    /// The row of the list.
    pub row: ConfigRow,
    /// The document as it stands in its file.
    pub yaml: String,
    /// Line of the file at which `yaml` begins.
    pub first_line: u32,
    /// The same with kubectl, to copy.
    pub command: String,
    /// What an edit of the whole document starts from.
    #[serde(default)]
    pub revision: String,
    /// What the object does, in sentences.
    #[serde(default)]
    pub sentences: Vec<String>,
}

/// An error of the API (RFC 9457), `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Problem {
    /// A short code to copy, such as `conflict`.
    #[serde(rename = "type")]
    pub kind: String,
    /// One sentence: what went wrong.
    pub title: String,
    /// What to do.
    pub detail: String,
    /// The HTTP status.
    pub status: u16,
    /// The change as a patch to commit, when a GitOps tool owns the object and would take it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<String>,
}

/// Event `status`: the state of what the console depends on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Whether Prometheus answers; the words say what to do when not.
    pub prometheus: Dependency,
    /// Whether the operator answers.
    pub operator: Dependency,
    /// Whether the console's own database keeps what it is given, spans included.
    pub database: Dependency,
    /// Findings by severity: errors, warnings, infos.
    pub findings: (usize, usize, usize),
    /// Share of requests that are mutual TLS over the last minute, 0 to 1.
    pub mtls_share: Option<f64>,
}

/// One dependency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Dependency {
    /// Whether it answered last time; of several questions, at least one.
    pub up: bool,
    /// What is wrong and what to do, when it did not, or not all.
    pub problem: Option<String>,
}
