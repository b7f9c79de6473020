use std::fmt::Write;

use weft_model::graph::{APP, EXTERNAL, SERVICE, UNREACHED};

use super::queries::Choice;
use crate::{
    estate::Estate,
    graph::{HIDDEN_ID, links::UNKNOWN_ID},
};

/// Before the name in the id of a namespace that a page draws as one node.
const BOX: &str = "box:";
/// Before the cluster at the end of the id of what is of another one.
const CLUSTER: char = '@';
/// Longest id that is taken, in bytes.
const MAX_ID: usize = 1200;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Point {
    Workload {
        namespace: String,
        workload: String,
    },
    App {
        namespace: String,
        app: String,
        version: Option<String>,
    },
    Service {
        host: String,
    },
    /// What was asked of a service and reached none of its workloads.
    Unreached {
        host: String,
    },
    External {
        host: String,
    },
    Namespace {
        namespace: String,
    },
    /// All that is in a cluster.
    Everything,
    Unknown,
}

/// A point where it is: `foreign` is of another cluster than the console's own. Without several clusters there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    point: Point,
    cluster: Option<String>,
    foreign: bool,
}

impl Place {
    /// `own` is the console's own cluster where several are told apart.
    fn parse(id: &str, own: Option<&str>) -> Option<Self> {
        let Some(own) = own else {
            return Some(Self { point: Point::parse(id)?, cluster: None, foreign: false });
        };
        if id.len() > MAX_ID {
            return None;
        }
        let (bare, cluster) = match id.split_once(CLUSTER) {
            Some((bare, cluster)) => (bare, Some(cluster)),
            None => (id, None),
        };
        let point = if bare == BOX { Point::Everything } else { Point::parse(bare)? };
        let foreign = cluster.is_some_and(|cluster| cluster != own);
        let cluster = match point {
            Point::Unknown | Point::External { .. } if cluster.is_some() => return None,
            Point::Unknown | Point::External { .. } => None,
            _ => Some(cluster.unwrap_or(own).to_owned()),
        };
        Some(Self { point, cluster, foreign })
    }

    fn matching(&self, side: &str) -> String {
        self.with_cluster(self.point.matching(side), side)
    }

    fn with_cluster(&self, matching: String, side: &str) -> String {
        // What arrived nowhere has no cluster but its caller's.
        let side = if matches!(self.point, Point::Unreached { .. }) { "source" } else { side };
        let cluster = self.cluster.as_deref().map(|cluster| match cluster {
            UNKNOWN_ID => format!("{side}_cluster=~\"|unknown\""),
            cluster => format!("{side}_cluster={}", quoted(cluster)),
        });
        let parts = [Some(matching).filter(|text| !text.is_empty()), cluster];
        parts.into_iter().flatten().collect::<Vec<_>>().join(",")
    }

    /// The same as the one that calls. A service does by its workloads; `None` where none is known.
    fn calling(&self, estate: &Estate) -> Option<String> {
        match &self.point {
            Point::Service { host } => self.behind(host, "source", estate),
            _ => Some(self.matching("source")),
        }
    }

    /// The same as the workloads that are called, whatever host they are called as; without those that are known, as the
    /// host.
    fn called(&self, estate: &Estate) -> String {
        let behind = match &self.point {
            Point::Service { host } => self.behind(host, "destination", estate),
            _ => None,
        };
        behind.unwrap_or_else(|| self.matching("destination"))
    }

    /// Matchers of the workloads behind a service; `None` where none is known.
    fn behind(&self, host: &str, side: &str, estate: &Estate) -> Option<String> {
        let ids = estate.hosts.get(host).filter(|_| !self.foreign)?;
        let workloads: Vec<(&str, &str)> = ids.iter().filter_map(|id| id.split_once('/')).collect();
        // A service chooses among the workloads of its own namespace.
        let (namespace, _) = workloads.first()?;
        let names: Vec<String> = workloads.iter().map(|(_, name)| literally(name)).collect();
        let (namespace, names) = (quoted(namespace), quoted(&names.join("|")));
        Some(self.with_cluster(format!("{side}_workload_namespace={namespace},{side}_workload=~{names}"), side))
    }
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
            return Some(match host.strip_suffix(UNREACHED) {
                Some(host) => Self::Unreached { host: host.to_owned() },
                None => Self::Service { host: host.to_owned() },
            });
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
            Self::Unreached { host } | Self::External { host } => {
                format!("destination_service={},destination_workload=~\"|unknown\"", quoted(host))
            }
            Self::Namespace { namespace } => format!("{side}_workload_namespace={}", quoted(namespace)),
            Self::Everything => String::new(),
            Self::Unknown => format!("{side}_workload=~\"|unknown\""),
        }
    }

    fn is_known(&self, estate: &Estate) -> bool {
        match self {
            Self::Workload { namespace, workload } => estate.workloads.contains_key(&format!("{namespace}/{workload}")),
            Self::App { namespace, app, .. } => {
                estate.workloads.values().any(|known| known.namespace == *namespace && known.app == *app)
            }
            Self::Service { host } | Self::Unreached { host } => {
                estate.hosts.contains_key(host) || estate.service_namespaces.contains_key(host)
            }
            Self::Namespace { namespace } => estate.namespaces.contains(namespace),
            Self::External { .. } | Self::Everything | Self::Unknown => true,
        }
    }

    fn namespace(&self, estate: &Estate) -> String {
        match self {
            Self::Workload { namespace, .. } | Self::App { namespace, .. } | Self::Namespace { namespace } => {
                namespace.clone()
            }
            Self::Service { host } | Self::Unreached { host } => match estate.service_namespaces.get(host) {
                Some(namespace) => namespace.clone(),
                None if host.contains(".svc.") => host.split('.').nth(1).unwrap_or_default().to_owned(),
                None => String::new(),
            },
            Self::External { .. } | Self::Everything | Self::Unknown => String::new(),
        }
    }
}

/// A string of PromQL.
pub(crate) fn quoted(value: &str) -> String {
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

/// A pattern of exactly this text.
pub(crate) fn literally(text: &str) -> String {
    let special = |c: char| !c.is_alphanumeric() && c != '-' && c != '_';
    text.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

/// What series are of: a node, or an edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    source: Option<Place>,
    destination: Place,
}

impl Subject {
    /// The node of this id; `None` when that is no id, or that of what is hidden. `own` is the console's own cluster where
    /// several are told apart.
    pub fn node(id: &str, own: Option<&str>) -> Option<Self> {
        Some(Self { source: None, destination: Place::parse(id, own)? })
    }

    /// The edge of this id.
    pub fn edge(id: &str, own: Option<&str>) -> Option<Self> {
        let (source, destination) = id.split_once("->")?;
        Some(Self { source: Some(Place::parse(source, own)?), destination: Place::parse(destination, own)? })
    }

    /// The namespaces that somebody has to see to be told; "" is the mesh as a whole. An edge into the unknown takes only
    /// the end that is known; an end in another cluster, and a cluster, take the whole.
    pub fn namespaces(&self, estate: &Estate) -> Vec<String> {
        let ends: Vec<&Place> = self.source.iter().chain([&self.destination]).collect();
        let mut all: Vec<String> = ends.iter().map(|end| end.point.namespace(estate)).collect();
        if all.iter().any(|namespace| !namespace.is_empty()) {
            all.retain(|namespace| !namespace.is_empty());
        }
        let whole = ends.iter().any(|end| end.foreign || end.point == Point::Everything);
        if whole && all.iter().all(|namespace| !namespace.is_empty()) {
            all.push(String::new());
        }
        all
    }

    /// Whether configuration, or what an id says, vouches for each end; of others, counts alone tell that they are there.
    /// Where nothing is configured, as right after a start, nobody is known to be missing.
    pub(super) fn is_known(&self, estate: &Estate) -> bool {
        let mut ends = self.source.iter().chain([&self.destination]);
        estate.namespaces.is_empty() || ends.all(|end| !end.foreign && end.point.is_known(estate))
    }

    /// What it receives.
    pub(crate) fn incoming(&self, estate: &Estate) -> Choice {
        let source = self.source.as_ref().and_then(|source| source.calling(estate));
        let with = |destination: String| {
            let ends = source.iter().cloned().chain([destination]).filter(|end| !end.is_empty());
            ends.collect::<Vec<_>>().join(",")
        };
        Choice {
            counted: with(self.destination.matching("destination")),
            between: with(self.destination.called(estate)),
            apart: self.source.iter().chain([&self.destination]).any(|end| end.cluster.is_some()),
        }
    }

    /// Whether it is of a call whose caller cannot be told from others: then it is what all of them call.
    pub(super) fn is_of_all_callers(&self, estate: &Estate) -> bool {
        self.source.as_ref().is_some_and(|source| source.calling(estate).is_none())
    }

    /// What a node sends; `None` for an edge and for what cannot send.
    pub(super) fn outgoing(&self) -> Option<Choice> {
        match (&self.source, &self.destination.point) {
            (
                None,
                Point::Workload { .. }
                | Point::App { .. }
                | Point::Namespace { .. }
                | Point::Everything
                | Point::Unknown,
            ) => {
                let counted = self.destination.matching("source");
                Some(Choice { between: counted.clone(), counted, apart: self.destination.cluster.is_some() })
            }
            _ => None,
        }
    }
}
