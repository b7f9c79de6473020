//! Istio's `telemetry.istio.io` (<https://istio.io/latest/docs/reference/config/telemetry/>). Tracing has an effect; metrics
//! and the access log are kept as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    one_of::words,
    security::{Selector, TargetRef},
};

/// What is told of requests, by workload, namespace (no selector) or mesh (no selector, root namespace). What a narrower
/// one leaves out is as the wider one has it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Telemetry {
    /// Which workloads; none is all of the namespace, or of the mesh in the root namespace.
    pub selector: Option<Selector>,
    /// What it is attached to, in place of a selector, deprecated form. Without effect.
    pub target_ref: Option<TargetRef>,
    /// What it is attached to, in place of a selector. Without effect.
    pub target_refs: Vec<TargetRef>,
    /// Spans; later entries win over earlier ones.
    pub tracing: Vec<Tracing>,
    /// Metrics. Without effect: every proxy counts Istio's standard metrics.
    pub metrics: Vec<Value>,
    /// The access log. Without effect: it is set where a proxy is started.
    pub access_logging: Vec<Value>,
}

impl Telemetry {
    /// The labels of the workloads that it selects; `None` when it is for all of its namespace.
    pub fn labels(&self) -> Option<&BTreeMap<String, String>> {
        self.selector.as_ref().map(|selector| &selector.match_labels).filter(|labels| !labels.is_empty())
    }

    /// Whether it is attached to objects, so that it is for no workload by its labels.
    pub fn is_attached(&self) -> bool {
        self.target_ref.is_some() || !self.target_refs.is_empty()
    }
}

/// Which spans are reported, and what they say.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Tracing {
    /// Which side of calls; none is both.
    #[serde(rename = "match")]
    pub matches: Option<TracingMatch>,
    /// Who gets the spans, by name in `meshConfig.extensionProviders`; the first one counts.
    pub providers: Vec<Provider>,
    /// Percent of the requests without a decision that start a trace, from 0 to 100 in steps of 0.01; none is as the
    /// wider object has it.
    pub random_sampling_percentage: Option<f64>,
    /// Whether spans are kept back. The context of a trace is passed on all the same.
    pub disable_span_reporting: Option<bool>,
    /// Attributes of spans by name; any here take the place of all that a wider object has.
    pub custom_tags: BTreeMap<String, CustomTag>,
    /// Whether `x-request-id` carries the decision. Without effect: the context of the trace carries it.
    pub use_request_id_for_trace_sampling: Option<bool>,
    /// Whether spans get Istio's own attributes. Without effect: they always do.
    pub enable_istio_tags: Option<bool>,
}

impl Tracing {
    /// Which side of calls it is about.
    pub fn mode(&self) -> WorkloadMode {
        self.matches.as_ref().map(|matches| matches.mode).unwrap_or_default()
    }
}

/// Which requests of a workload are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct TracingMatch {
    /// Which side of calls.
    pub mode: WorkloadMode,
}

words! {
    /// Which side of calls a workload is on.
    WorkloadMode {
        /// Both.
        #[default]
        ClientAndServer = "CLIENT_AND_SERVER",
        /// It calls others; a gateway does nothing else.
        Client = "CLIENT",
        /// It is called.
        Server = "SERVER",
    }
}

/// A provider of `meshConfig.extensionProviders`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Provider {
    /// Its name there.
    pub name: String,
}

/// What an attribute of spans says; one of these.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct CustomTag {
    /// The same for every span.
    pub literal: Option<LiteralTag>,
    /// From the proxy's environment.
    pub environment: Option<NamedTag>,
    /// From a header of the request.
    pub header: Option<NamedTag>,
    /// Words of Envoy's access log. Without effect.
    pub formatter: Option<Value>,
}

/// A value that is the same for every span.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct LiteralTag {
    /// The value.
    pub value: String,
}

/// A value that is looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct NamedTag {
    /// Name of the variable or the header.
    pub name: String,
    /// What is said where there is none; empty leaves the attribute out.
    pub default_value: String,
}
