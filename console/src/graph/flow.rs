use std::sync::Arc;

use weft_model::{Hostname, graph::is_foreign, metrics};

use super::names::Names;
use crate::telemetry::prometheus::{Row, Series};

/// Which side of a call counted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reporter {
    /// The caller's proxy.
    Source,
    /// The called one's proxy.
    Destination,
}

impl Reporter {
    /// Its value of the label `reporter`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Source => metrics::REPORTER_SOURCE,
            Self::Destination => metrics::REPORTER_DESTINATION,
        }
    }
}

/// One end of a call as the labels name it; empty strings stand for what is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Peer {
    /// Namespace.
    pub namespace: Arc<str>,
    /// Workload.
    pub workload: Arc<str>,
    /// `app` label.
    pub app: Arc<str>,
    /// `version` label.
    pub version: Arc<str>,
    /// Its cluster; empty when it is not known, and wherever clusters are not told apart.
    pub cluster: Arc<str>,
    /// `namespace/workload`, of another cluster than the console's own `namespace/workload@cluster`; empty when the
    /// workload is not known.
    pub id: Arc<str>,
}

impl Peer {
    /// See [`Peer::id`]; `None` when the workload is not known.
    pub fn id(&self) -> Option<&str> {
        Some(&*self.id).filter(|id| !id.is_empty())
    }

    /// Whether it is of another cluster than the console's own.
    pub fn is_foreign(&self) -> bool {
        is_foreign(&self.id, &self.cluster)
    }

    /// What stands behind the ids of nodes for it: `@cluster` of another cluster than the console's own, else nothing.
    pub fn suffix(&self) -> String {
        if self.is_foreign() { format!("@{}", self.cluster) } else { String::new() }
    }
}

/// Traffic of one kind between two workloads, as one side counted it.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    /// The side that counted.
    pub reporter: Reporter,
    /// The caller.
    pub source: Arc<Peer>,
    /// The called workload; unknown for a request that no endpoint was chosen for.
    pub destination: Arc<Peer>,
    /// Full name of the called host; empty when not known.
    pub host: Arc<str>,
    /// `http`, `grpc` or `tcp`.
    pub protocol: Arc<str>,
    /// Response code; `0` for none, empty for TCP.
    pub code: Arc<str>,
    /// gRPC status; empty for what is not gRPC.
    pub grpc: Arc<str>,
    /// Response flags, `-` for none.
    pub flags: Arc<str>,
    /// `connection_security_policy` as it was reported.
    pub policy: Arc<str>,
    /// What is counted, where one query gives several things: the label `what`.
    pub what: Arc<str>,
    /// Events per second; 0 for a series that has not moved.
    pub rate: f64,
}

/// The labels of one series that a flow is read from.
#[derive(Default)]
struct Raw<'a> {
    reporter: &'a str,
    source: [&'a str; 5],
    destination: [&'a str; 5],
    service: &'a str,
    service_name: &'a str,
    protocol: &'a str,
    code: &'a str,
    grpc: &'a str,
    flags: &'a str,
    policy: &'a str,
    what: &'a str,
}

impl<'a> Raw<'a> {
    fn take(&mut self, name: &str, value: &'a str) {
        let known = || if value == metrics::UNKNOWN { "" } else { value };
        match name {
            "reporter" => self.reporter = value,
            "source_workload_namespace" => self.source[0] = known(),
            "source_workload" => self.source[1] = known(),
            "source_app" => self.source[2] = known(),
            "source_version" => self.source[3] = known(),
            "source_cluster" => self.source[4] = known(),
            "destination_workload_namespace" => self.destination[0] = known(),
            "destination_workload" => self.destination[1] = known(),
            "destination_app" => self.destination[2] = known(),
            "destination_version" => self.destination[3] = known(),
            "destination_cluster" => self.destination[4] = known(),
            "destination_service" => self.service = known(),
            "destination_service_name" => self.service_name = known(),
            "request_protocol" => self.protocol = value,
            "response_code" => self.code = value,
            "grpc_response_status" => self.grpc = value,
            "response_flags" => self.flags = value,
            "connection_security_policy" => self.policy = value,
            "what" | "quantile" => self.what = value,
            _ => {}
        }
    }

    fn flow(&self, names: &mut Names, rate: f64) -> Option<Flow> {
        let reporter = match self.reporter {
            metrics::REPORTER_SOURCE => Reporter::Source,
            metrics::REPORTER_DESTINATION => Reporter::Destination,
            _ => return None,
        };
        let host = if self.service.is_empty() {
            names.get(self.service_name)
        } else {
            names.derive(self.service, |service| Hostname::new(service).to_string())
        };
        Some(Flow {
            reporter,
            source: names.peer(self.source),
            destination: names.peer(self.destination),
            host,
            protocol: names.get(self.protocol),
            code: names.get(self.code),
            grpc: names.get(self.grpc),
            flags: names.get(if self.flags.is_empty() { "-" } else { self.flags }),
            policy: names.get(self.policy),
            what: names.get(self.what),
            rate,
        })
    }
}

impl Flow {
    /// Reads the labels that [`super::queries`] asks for; `None` for a reporter that is neither side (a waypoint's, for
    /// one), since counting it too would count requests twice.
    pub fn read(series: &Series) -> Option<Self> {
        let mut raw = Raw::default();
        for (name, value) in series.labels.sorted() {
            raw.take(name, value);
        }
        raw.flow(&mut Names::default(), series.value)
    }

    /// The same of a row; `reporter` is that of rows that name none, because the query did.
    pub(super) fn of_row(row: &Row<'_>, reporter: &str, names: &mut Names, rate: f64) -> Option<Self> {
        let mut raw = Raw { reporter, ..Raw::default() };
        for (name, value) in row {
            raw.take(name, value);
        }
        raw.flow(names, rate)
    }

    /// Whether the connection was mutual TLS; only the destination knows, `None` from the source or when not said.
    pub fn mutual_tls(&self) -> Option<bool> {
        match (self.reporter, &*self.policy) {
            (Reporter::Destination, metrics::MUTUAL_TLS) => Some(true),
            (Reporter::Destination, metrics::NO_TLS) => Some(false),
            _ => None,
        }
    }
}
