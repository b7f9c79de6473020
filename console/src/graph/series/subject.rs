use std::fmt::Write;

use crate::{
    estate::Estate,
    graph::{
        HIDDEN_ID,
        links::{EXTERNAL, UNKNOWN_ID},
        places::{APP, SERVICE},
    },
};

/// Before the name in the id of a namespace that a page draws as one node.
const BOX: &str = "box:";
/// Longest id that is taken, in bytes.
const MAX_ID: usize = 1200;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Point {
    Workload { namespace: String, workload: String },
    App { namespace: String, app: String, version: Option<String> },
    Service { host: String },
    External { host: String },
    Namespace { namespace: String },
    Unknown,
}

impl Point {
    fn parse(id: &str) -> Option<Self> {
        if id.is_empty() || id.len() > MAX_ID || id == HIDDEN_ID {
            return None;
        }
        if id == UNKNOWN_ID {
            return Some(Self::Unknown);
        }
        if let Some(host) = id.strip_prefix(SERVICE) {
            return Some(Self::Service { host: host.to_owned() });
        }
        if let Some(host) = id.strip_prefix(EXTERNAL) {
            return Some(Self::External { host: host.to_owned() });
        }
        if let Some(namespace) = id.strip_prefix(BOX) {
            return Some(Self::Namespace { namespace: namespace.to_owned() });
        }
        if let Some((namespace, app)) = id.strip_prefix(APP).and_then(|rest| rest.split_once('/')) {
            let (app, version) = match app.split_once('/') {
                Some((app, version)) => (app, Some(version.to_owned())),
                None => (app, None),
            };
            return Some(Self::App { namespace: namespace.to_owned(), app: app.to_owned(), version });
        }
        let (namespace, workload) = id.split_once('/')?;
        Some(Self::Workload { namespace: namespace.to_owned(), workload: workload.to_owned() })
    }

    /// The label matchers of one end; `side` is `source` or `destination`.
    fn matching(&self, side: &str) -> String {
        match self {
            Self::Workload { namespace, workload } => {
                format!("{side}_workload_namespace={},{side}_workload={}", quoted(namespace), quoted(workload))
            }
            Self::App { namespace, app, version } => {
                let mut text = format!("{side}_workload_namespace={},{side}_app={}", quoted(namespace), quoted(app));
                if let Some(version) = version {
                    let _ = match version.as_str() {
                        UNKNOWN_ID => write!(text, ",{side}_version=~\"|unknown\""),
                        version => write!(text, ",{side}_version={}", quoted(version)),
                    };
                }
                text
            }
            // Callers are known by what they are, not by the service that they are called as.
            Self::Service { host } => format!("destination_service={}", quoted(host)),
            Self::External { host } => {
                format!("destination_service={},destination_workload=~\"|unknown\"", quoted(host))
            }
            Self::Namespace { namespace } => format!("{side}_workload_namespace={}", quoted(namespace)),
            Self::Unknown => format!("{side}_workload=~\"|unknown\""),
        }
    }

    fn namespace(&self, estate: &Estate) -> String {
        match self {
            Self::Workload { namespace, .. } | Self::App { namespace, .. } | Self::Namespace { namespace } => {
                namespace.clone()
            }
            Self::Service { host } => match estate.service_namespaces.get(host) {
                Some(namespace) => namespace.clone(),
                None if host.contains(".svc.") => host.split('.').nth(1).unwrap_or_default().to_owned(),
                None => String::new(),
            },
            Self::External { .. } | Self::Unknown => String::new(),
        }
    }
}

/// A string of PromQL.
fn quoted(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    text.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

/// What series are of: a node, or an edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    source: Option<Point>,
    destination: Point,
}

impl Subject {
    /// The node of this id; `None` when that is no id, or that of what is hidden.
    pub fn node(id: &str) -> Option<Self> {
        Some(Self { source: None, destination: Point::parse(id)? })
    }

    /// The edge of this id.
    pub fn edge(id: &str) -> Option<Self> {
        let (source, destination) = id.split_once("->")?;
        Some(Self { source: Some(Point::parse(source)?), destination: Point::parse(destination)? })
    }

    /// The namespaces that somebody has to see to be told; "" is the mesh as a whole. An edge into the unknown takes only
    /// the end that is known.
    pub fn namespaces(&self, estate: &Estate) -> Vec<String> {
        let own = self.destination.namespace(estate);
        match &self.source {
            None => vec![own],
            Some(source) => {
                let mut both = vec![source.namespace(estate), own];
                if both.iter().any(|namespace| !namespace.is_empty()) {
                    both.retain(|namespace| !namespace.is_empty());
                }
                both
            }
        }
    }

    /// Matchers of what it receives.
    pub(super) fn matching(&self) -> String {
        match (&self.source, &self.destination) {
            (None, destination) => destination.matching("destination"),
            // A service calls by its workloads, whose names the id does not tell.
            (Some(Point::Service { .. }), destination) => destination.matching("destination"),
            (Some(source), destination) => {
                format!("{},{}", source.matching("source"), destination.matching("destination"))
            }
        }
    }

    /// Matchers of what a node sends; `None` for an edge and for what cannot send.
    pub(super) fn outgoing(&self) -> Option<String> {
        match (&self.source, &self.destination) {
            (None, Point::Workload { .. } | Point::App { .. } | Point::Namespace { .. } | Point::Unknown) => {
                Some(self.destination.matching("source"))
            }
            _ => None,
        }
    }
}
