//! How a piece of text is matched.

use schemars::JsonSchema;
use serde::Deserialize;

/// Istio's StringMatch: exactly one way, or none, which asks only that the text is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "Fields")]
pub enum StringMatch {
    /// There at all, whatever the value (written `{}`).
    #[default]
    Present,
    /// Equal.
    Exact(String),
    /// Begins so.
    Prefix(String),
    /// Matches as a whole, in RE2's syntax.
    Regex(String),
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Fields {
    /// Equal.
    exact: Option<String>,
    /// Begins so.
    prefix: Option<String>,
    /// Matches as a whole, in RE2's syntax.
    regex: Option<String>,
}

impl TryFrom<Fields> for StringMatch {
    type Error = &'static str;

    fn try_from(fields: Fields) -> Result<Self, Self::Error> {
        match (fields.exact, fields.prefix, fields.regex) {
            (None, None, None) => Ok(Self::Present),
            (Some(exact), None, None) => Ok(Self::Exact(exact)),
            (None, Some(prefix), None) => Ok(Self::Prefix(prefix)),
            (None, None, Some(regex)) => Ok(Self::Regex(regex)),
            _ => Err("only one of exact, prefix and regex may be set"),
        }
    }
}

impl JsonSchema for StringMatch {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StringMatch".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Fields::json_schema(generator)
    }
}
