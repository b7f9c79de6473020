//! What server-sent events carry beside whole resources.

use serde::{Deserialize, Serialize};

/// The header of an answer that says which version it is of, where its tag does not: the tag is that of the content, which
/// every replica gives the same, and what a version counts each replica counts by itself.
pub const VERSION_HEADER: &str = "x-weft-version";

/// There is another graph, or other configuration: whoever shows it asks for it. It is not sent along, because a stream is
/// not compressed and does not know which namespaces are looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Renewed {
    /// Differs whenever it does.
    pub version: String,
}
