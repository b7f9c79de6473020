//! What server-sent events carry beside whole resources.

use serde::{Deserialize, Serialize};

/// There is another graph, or other configuration: whoever shows it asks for it. It is not sent along, because a stream is
/// not compressed and does not know which namespaces are looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Renewed {
    /// Differs whenever it does.
    pub version: String,
}
