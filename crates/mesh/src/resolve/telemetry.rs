//! Which traces a workload's proxy begins, and what its spans say: Telemetry objects over the mesh's own settings.

use std::collections::BTreeMap;

use weft_api::{
    Labels,
    telemetry::{CustomTag, Telemetry, WorkloadMode},
};

use crate::{View, snapshot::Typed};

/// Which side of calls a proxy is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Its workload, or whoever is outside of a gateway, calls others.
    Client,
    /// Its workload is called.
    Server,
}

/// What one side of a proxy does about traces.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tracing {
    /// How many of the requests without a decision start a trace, in parts per ten thousand; `None` where no spans are
    /// reported.
    pub sampling: Option<u16>,
    /// Attributes of its spans by name, beside the proxy's own.
    pub tags: BTreeMap<String, Tag>,
}

/// What an attribute of spans says.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tag {
    /// This.
    Literal(String),
    /// A variable of the proxy's environment.
    Environment {
        /// Its name.
        name: String,
        /// Where there is none; empty is nothing.
        default: String,
    },
    /// A header of the request.
    Header {
        /// Its name.
        name: String,
        /// Where there is none; empty is nothing.
        default: String,
    },
}

/// The objects that hold for a workload, the widest first: the mesh's (root namespace, no selector), the namespace's (no
/// selector), and the one that selects the workload. The oldest of several counts. A selector looks no further than its own
/// namespace, also in the root namespace.
pub fn in_force<'a>(
    view: &View<'a>,
    namespace: &str,
    labels: &Labels,
) -> impl Iterator<Item = &'a Typed<Telemetry>> + use<'a> {
    let root = view.settings().root_namespace.as_str();
    let mesh = if namespace == root { None } else { wide(view, root) };
    let own = view
        .telemetries_in(namespace)
        .find(|t| !t.is_attached() && t.labels().is_some_and(|selector| labels.carry(selector)));
    [mesh, wide(view, namespace), own].into_iter().flatten()
}

/// What a side of a workload's proxy does. Each field is what the narrowest object has that says something about it; of
/// several entries of one object, the last. What none says is as the mesh's settings have it.
pub fn tracing(view: &View<'_>, namespace: &str, labels: &Labels, side: Side) -> Tracing {
    let mut percent = view.mesh().trace_sampling;
    let mut silent = false;
    let mut tags: Option<&BTreeMap<String, CustomTag>> = None;
    for telemetry in in_force(view, namespace, labels) {
        for entry in telemetry.spec.tracing.iter().filter(|entry| concerns(entry.mode(), side)) {
            percent = entry.random_sampling_percentage.unwrap_or(percent);
            silent = entry.disable_span_reporting.unwrap_or(silent);
            tags = Some(&entry.custom_tags).filter(|tags| !tags.is_empty()).or(tags);
        }
    }
    if silent {
        // Without spans nothing else matters, and what does not matter makes no difference.
        return Tracing { sampling: None, tags: BTreeMap::new() };
    }
    let named = tags.into_iter().flatten().filter(|(name, _)| !name.is_empty());
    Tracing {
        sampling: Some(parts(percent)),
        tags: named.filter_map(|(name, written)| Some((name.clone(), tag(written)?))).collect(),
    }
}

fn wide<'a>(view: &View<'a>, namespace: &str) -> Option<&'a Typed<Telemetry>> {
    view.telemetries_in(namespace).find(|t| !t.is_attached() && t.labels().is_none())
}

fn concerns(mode: WorkloadMode, side: Side) -> bool {
    match mode {
        WorkloadMode::ClientAndServer => true,
        WorkloadMode::Client => side == Side::Client,
        WorkloadMode::Server => side == Side::Server,
    }
}

/// Not-a-number counts as 0.
fn parts(percent: f64) -> u16 {
    (percent.clamp(0.0, 100.0) * 100.0).round() as u16
}

/// `None` for what says nothing; an Envoy would refuse it.
fn tag(written: &CustomTag) -> Option<Tag> {
    if let Some(literal) = &written.literal {
        return Some(literal.value.clone()).filter(|value| !value.is_empty()).map(Tag::Literal);
    }
    if let Some(variable) = written.environment.as_ref().filter(|variable| !variable.name.is_empty()) {
        return Some(Tag::Environment { name: variable.name.clone(), default: variable.default_value.clone() });
    }
    let header = written.header.as_ref().filter(|header| !header.name.is_empty())?;
    Some(Tag::Header { name: header.name.clone(), default: header.default_value.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_in_steps_of_a_hundredth_of_a_percent() {
        for (percent, expected) in [(0.0, 0), (0.014, 1), (12.34, 1234), (100.0, 10_000), (1e9, 10_000), (-1.0, 0)] {
            assert_eq!(parts(percent), expected, "{percent}");
        }
        assert_eq!(parts(f64::NAN), 0);
    }

    #[test]
    fn a_tag_that_says_nothing_is_left_out() {
        let read = |value| tag(&serde_json::from_value::<CustomTag>(value).unwrap());
        assert_eq!(read(serde_json::json!({})), None);
        assert_eq!(read(serde_json::json!({"literal": {"value": ""}})), None);
        assert_eq!(read(serde_json::json!({"header": {"defaultValue": "x"}})), None);
        let header = read(serde_json::json!({"header": {"name": "x-tenant", "defaultValue": "none"}}));
        assert_eq!(header, Some(Tag::Header { name: "x-tenant".into(), default: "none".into() }));
    }
}
