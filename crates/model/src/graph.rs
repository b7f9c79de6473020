//! The service graph as the console's server sends it (`GET /api/v1/graph`, event `graph`).

mod edge;
mod node;
mod series;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Diagnostic;

pub use self::{
    edge::{CodeRate, Edge, Lock},
    node::{APP, AppBox, Badge, EXTERNAL, Health, NO_WORKLOAD, Node, NodeKind, SERVICE, UNREACHED, called, is_foreign},
    series::{Line, SeriesAnswer},
};

/// What the nodes of a graph are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum View {
    /// One node for each workload.
    #[default]
    Workload,
    /// One node for each service, between callers and the workloads behind it.
    Service,
    /// One node for each app, its versions taken together.
    App,
    /// One node for each version of an app, in a box for the app.
    VersionedApp,
}

impl View {
    /// All, in the order in which they are offered.
    pub const ALL: [Self; 4] = [Self::Workload, Self::Service, Self::App, Self::VersionedApp];

    /// As it is written in addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Workload => "workload",
            Self::Service => "service",
            Self::App => "app",
            Self::VersionedApp => "versioned-app",
        }
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether all queries behind an answer were answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Sources {
    /// Queries asked.
    pub asked: u32,
    /// Queries answered.
    pub answered: u32,
    /// What went wrong with the others, in words that say the remedy.
    pub problem: Option<String>,
    /// A sentence when not all were answered: `Prometheus answered 3 of 5 queries: no throughput, no p99.`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
    /// What to know about answers that came: that they are empty because nothing is scraped, or hold values that are no
    /// numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// How far the quantiles of a graph are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Progress {
    /// They are in the graph.
    #[default]
    Ready,
    /// They are being asked for; the event stream sends the graph again when they are there.
    Pending,
    /// They cannot be had; [`Quantiles::note`] says why.
    Missing,
}

/// Where p50, p95 and p99 (and, with them, HTTP throughput and gRPC messages) come from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Quantiles {
    /// How far they are.
    pub state: Progress,
    /// Whether they were read from the shipped recording rules rather than from raw histograms.
    pub recorded: bool,
    /// Over how many seconds they are: recording rules know a few lengths only. 0 while there are none.
    pub window_s: u64,
    /// What a reader should know about them, in words: that the rules are not loaded, or that the time differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The graph over one time window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Graph {
    /// End of the window, milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Length of the window in seconds.
    pub window_s: u64,
    /// What the nodes are.
    #[serde(default)]
    pub view: View,
    /// Whether it is of a moment that was asked for, rather than of now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replay: bool,
    /// Nodes, ordered by id. Workloads that are configured but idle are among them.
    pub nodes: Vec<Node>,
    /// Edges, ordered by id.
    #[serde(deserialize_with = "edge::read")]
    pub edges: Vec<Edge>,
    /// Boxes around versions, ordered by id; only in [`View::VersionedApp`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub boxes: Vec<AppBox>,
    /// Completeness.
    pub sources: Sources,
    /// How far the quantiles are.
    #[serde(default)]
    pub quantiles: Quantiles,
    /// What is wrong with annotations that health rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Diagnostic>,
    /// How old the numbers were when they were sent, in milliseconds: above 0 while Prometheus does not answer, and what
    /// was known last is shown on.
    #[serde(default)]
    pub age_ms: u64,
    /// The queries that gave these numbers, by what they give.
    pub queries: Vec<(String, String)>,
}
