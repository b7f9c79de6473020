use weft_model::{Hostname, metrics};

use crate::telemetry::prometheus::Series;

/// Which side of a call counted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reporter {
    /// The caller's proxy.
    Source,
    /// The called one's proxy.
    Destination,
}

/// One end of a call as the labels name it; empty strings stand for what is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Peer {
    /// Namespace.
    pub namespace: String,
    /// Workload.
    pub workload: String,
    /// `app` label.
    pub app: String,
    /// `version` label.
    pub version: String,
}

impl Peer {
    /// `namespace/workload`; `None` when the workload is not known.
    pub fn id(&self) -> Option<String> {
        (!self.workload.is_empty()).then(|| format!("{}/{}", self.namespace, self.workload))
    }
}

/// Traffic of one kind between two workloads, as one side counted it.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    /// The side that counted.
    pub reporter: Reporter,
    /// The caller.
    pub source: Peer,
    /// The called workload; unknown for a request that no endpoint was chosen for.
    pub destination: Peer,
    /// Full name of the called host; empty when not known.
    pub host: String,
    /// `http`, `grpc` or `tcp`.
    pub protocol: String,
    /// Response code; `0` for none, empty for TCP.
    pub code: String,
    /// Response flags, `-` for none.
    pub flags: String,
    /// `connection_security_policy` as it was reported.
    pub policy: String,
    /// Events per second.
    pub rate: f64,
}

fn known(value: &str) -> String {
    if value == metrics::UNKNOWN { String::new() } else { value.to_owned() }
}

impl Flow {
    /// Reads the labels that [`super::queries`] asks for; `None` for a reporter that is neither side (a waypoint's, for
    /// one), since counting it too would count requests twice.
    pub fn read(series: &Series) -> Option<Self> {
        let label = |name| series.labels.get(name);
        let reporter = match label("reporter") {
            metrics::REPORTER_SOURCE => Reporter::Source,
            metrics::REPORTER_DESTINATION => Reporter::Destination,
            _ => return None,
        };
        let host = Hostname::new(known(label("destination_service")));
        let host = if host.as_str().is_empty() { known(label("destination_service_name")) } else { host.to_string() };
        Some(Self {
            reporter,
            source: Peer {
                namespace: known(label("source_workload_namespace")),
                workload: known(label("source_workload")),
                app: known(label("source_app")),
                version: known(label("source_version")),
            },
            destination: Peer {
                namespace: known(label("destination_workload_namespace")),
                workload: known(label("destination_workload")),
                app: known(label("destination_app")),
                version: known(label("destination_version")),
            },
            host,
            protocol: label("request_protocol").to_owned(),
            code: label("response_code").to_owned(),
            flags: match label("response_flags") {
                "" => "-".to_owned(),
                flags => flags.to_owned(),
            },
            policy: label("connection_security_policy").to_owned(),
            rate: series.value,
        })
    }

    /// Whether the connection was mutual TLS; only the destination knows, `None` from the source or when not said.
    pub fn mutual_tls(&self) -> Option<bool> {
        match (self.reporter, self.policy.as_str()) {
            (Reporter::Destination, metrics::MUTUAL_TLS) => Some(true),
            (Reporter::Destination, metrics::NO_TLS) => Some(false),
            _ => None,
        }
    }
}
