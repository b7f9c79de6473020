//! Forms that write configuration (`GET` and `POST /api/v1/wizards/{kind}`). The server says what to ask and what the
//! answers come to; a page only shows it.

use serde::{Deserialize, Serialize};

use crate::edit::ObjectEdit;

/// What a wizard is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum WizardKind {
    /// Shares of traffic between versions.
    TrafficShifting,
    /// Which requests go where.
    RequestRouting,
    /// Delays and errors on purpose.
    Faults,
    /// How long a request may take and how often it is tried.
    Timeouts,
    /// Bounds of connections and requests, and leaving out what fails.
    CircuitBreaking,
    /// Whether plaintext is accepted.
    PeerAuthentication,
    /// Who may call what.
    AuthorizationPolicy,
}

impl WizardKind {
    /// All, in the order in which they are offered.
    pub const ALL: [Self; 7] = [
        Self::TrafficShifting,
        Self::RequestRouting,
        Self::Faults,
        Self::Timeouts,
        Self::CircuitBreaking,
        Self::PeerAuthentication,
        Self::AuthorizationPolicy,
    ];

    /// As it is written in addresses.
    pub fn slug(self) -> &'static str {
        match self {
            Self::TrafficShifting => "traffic-shifting",
            Self::RequestRouting => "request-routing",
            Self::Faults => "faults",
            Self::Timeouts => "timeouts",
            Self::CircuitBreaking => "circuit-breaking",
            Self::PeerAuthentication => "peer-authentication",
            Self::AuthorizationPolicy => "authorization-policy",
        }
    }

    /// By its slug.
    pub fn named(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.slug() == slug)
    }

    /// As people call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::TrafficShifting => "Traffic shifting",
            Self::RequestRouting => "Request routing",
            Self::Faults => "Faults",
            Self::Timeouts => "Timeouts and retries",
            Self::CircuitBreaking => "Circuit breaking",
            Self::PeerAuthentication => "Peer authentication",
            Self::AuthorizationPolicy => "Authorization policy",
        }
    }

    /// Whether it is about workloads, and not about calls of a service.
    pub fn is_security(self) -> bool {
        matches!(self, Self::PeerAuthentication | Self::AuthorizationPolicy)
    }
}

/// Body of `POST /api/v1/wizards/{kind}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "WizardAsk"))]
#[serde(rename_all = "camelCase", bound(deserialize = "V: Deserialize<'de>"))]
pub struct WizardAsk<V> {
    /// Namespace of what it is about.
    pub namespace: String,
    /// The service, or for security a service, an application or a workload; empty there for the whole namespace.
    #[serde(default)]
    pub name: String,
    /// The form, as it was filled in; absent for the one that says what is configured now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<V>,
}

/// Answer of both: the form, and what it comes to. `V` is any JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Wizard"))]
#[serde(rename_all = "camelCase")]
pub struct Wizard<V> {
    /// What it is for.
    pub kind: WizardKind,
    /// Namespace of what it is about.
    pub namespace: String,
    /// Name of what it is about.
    pub name: String,
    /// The form as it was understood.
    pub form: V,
    /// What is asked, in order.
    pub parts: Vec<Part<V>>,
    /// What it comes to, in the order in which to apply it; nothing when nothing would change or the form cannot stand.
    pub steps: Vec<Step>,
    /// Worth knowing.
    pub notes: Vec<String>,
    /// What is wrong that no single field shows.
    pub problems: Vec<String>,
    /// The same with curl.
    pub command: String,
}

/// One object to make or to change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "WizardStep"))]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Why, in a few words.
    pub title: String,
    /// What `POST /api/v1/config/preview` and `/apply` take.
    pub edit: ObjectEdit,
}

/// Fields that belong together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "WizardPart"))]
#[serde(rename_all = "camelCase", bound(deserialize = "V: Deserialize<'de>"))]
pub struct Part<V> {
    /// Heading.
    pub title: String,
    /// A sentence below it; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// Lines of fields.
    pub rows: Vec<FormRow>,
    /// What more can be had of its list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adds: Vec<Add<V>>,
    /// JSON pointer of the item that the whole part is, when it may go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remove: Option<String>,
}

/// Fields on one line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct FormRow {
    /// The fields.
    pub fields: Vec<Field>,
    /// JSON pointer of the item that the line is, when it may go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remove: Option<String>,
}

/// One more item.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "WizardAdd"))]
#[serde(rename_all = "camelCase")]
pub struct Add<V> {
    /// Words of the button.
    pub label: String,
    /// JSON pointer of the list.
    pub at: String,
    /// The item.
    pub item: V,
}

/// One value of the form.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Field {
    /// JSON pointer of the value in the form.
    pub at: String,
    /// Its name.
    pub label: String,
    /// How it is asked.
    pub control: Control,
    /// What may be chosen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<Choice>,
    /// What holds without it, or an example.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hint: String,
    /// Unit of a number; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
    /// Whether another choice begins the form anew: all other values follow from it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resets: bool,
    /// What is wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// How a value is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Control {
    /// A string.
    #[default]
    Text,
    /// A number, or null.
    Number,
    /// A share in percent, with a slider; when a list has two, they add up to 100.
    Weight,
    /// One of the options, a string.
    Choice,
    /// Any of the options, a list of strings.
    Many,
    /// A list of strings, written with commas.
    Words,
}

/// Something that may be chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Choice {
    /// What is in the form.
    pub value: String,
    /// What is shown.
    pub label: String,
}
