//! Views that people named: the address that restores one (`/api/v1/views`).

use serde::{Deserialize, Serialize};

/// One saved view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SavedView {
    /// Names it in addresses.
    pub id: String,
    /// Who saved it; of others' only the name without the rest of an address, but for who administrates the console.
    pub owner: String,
    /// Its name, as its owner gave it.
    pub name: String,
    /// The page's address behind `#`, as it stands in the browser.
    pub location: String,
    /// Whether everybody sees it who sees the namespaces that it names.
    pub shared: bool,
    /// When it was saved last, milliseconds since the Unix epoch.
    pub created_ms: u64,
    /// Whether it is the caller's own.
    pub mine: bool,
}

/// Answer of `GET /api/v1/views`: the caller's own and those that others share, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SavedViews {
    /// The views.
    pub views: Vec<SavedView>,
}

/// Body of `POST /api/v1/views`. A name that its owner has already is given the new location.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct NewView {
    /// At most 120 characters.
    pub name: String,
    /// At most 4 kB.
    pub location: String,
    /// Whether everybody sees it.
    #[serde(default)]
    pub shared: bool,
}
