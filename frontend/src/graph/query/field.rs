//! What can be asked for: fields with their units, marks, and the values of those that have a fixed set.

use weft_model::graph::{Health, NodeKind};

use crate::words;

/// Which node a field is read of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The node itself; of an edge the edge, else the node that it leads to.
    Own,
    /// Of an edge, the caller.
    From,
    /// Of an edge, the called one.
    To,
}

/// A field with its value's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Name,
    Namespace,
    App,
    Version,
    Host,
    Cluster,
    Id,
    Kind,
    Health,
    Protocol,
    Code,
    Flags,
    Rate,
    Out,
    Share,
    Error,
    ClientError,
    P50,
    P95,
    P99,
    Throughput,
    Mtls,
}

/// What a field's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    Text,
    Choice,
    Rate,
    Percent,
    Time,
    Bytes,
}

/// A value that was understood: text in lower case, or a number in the field's own unit.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(String),
    Number(f64),
}

impl Field {
    /// All, with their names (the first is the one that is offered) and what they mean.
    pub const ALL: [(Self, &'static [&'static str], &'static str); 22] = [
        (Self::Name, &["name", "workload", "node"], "workload, service or host"),
        (Self::Namespace, &["ns", "namespace"], "namespace"),
        (Self::App, &["app"], "label app"),
        (Self::Version, &["version"], "label version"),
        (Self::Host, &["host"], "host of a service or outside"),
        (Self::Cluster, &["cluster"], "cluster"),
        (Self::Id, &["id"], "exactly one node"),
        (Self::Kind, &["kind", "type"], "workload, ingress, external …"),
        (Self::Health, &["health", "state"], "healthy, degraded, failing …"),
        (Self::Protocol, &["protocol"], "of a call: http, grpc, tcp"),
        (Self::Code, &["code", "status"], "of a call: an answer it got"),
        (Self::Flags, &["flags", "flag"], "of a call: a response flag"),
        (Self::Rate, &["rate", "rps", "in"], "requests per second; of what only sends, those"),
        (Self::Out, &["out"], "of a node: requests sent per second"),
        (Self::Share, &["share"], "of a call: part of what its caller sends"),
        (Self::Error, &["error", "errors", "%error"], "share of failed requests"),
        (Self::ClientError, &["4xx"], "share of 4xx answers"),
        (Self::P50, &["p50"], "median latency"),
        (Self::P95, &["p95"], "95th percentile"),
        (Self::P99, &["p99"], "99th percentile"),
        (Self::Throughput, &["throughput", "bytes"], "bytes per second"),
        (Self::Mtls, &["mtls"], "share of mutual TLS"),
    ];

    pub fn named(name: &str) -> Option<Self> {
        let name = name.to_lowercase();
        Self::ALL.into_iter().find(|(_, names, _)| names.contains(&name.as_str())).map(|(field, ..)| field)
    }

    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(field, ..)| *field == self).and_then(|(_, names, _)| names.first()).unwrap_or(&"")
    }

    pub fn sort(self) -> Sort {
        match self {
            Self::Name | Self::Namespace | Self::App | Self::Version | Self::Host | Self::Cluster | Self::Id => {
                Sort::Text
            }
            Self::Code | Self::Flags => Sort::Text,
            Self::Kind | Self::Health | Self::Protocol => Sort::Choice,
            Self::Rate | Self::Out => Sort::Rate,
            Self::Share | Self::Error | Self::ClientError | Self::Mtls => Sort::Percent,
            Self::P50 | Self::P95 | Self::P99 => Sort::Time,
            Self::Throughput => Sort::Bytes,
        }
    }

    /// Whether only calls have it.
    pub fn of_calls(self) -> bool {
        matches!(self, Self::Protocol | Self::Code | Self::Flags | Self::Share)
    }

    /// The values of a field that has a fixed set.
    pub fn choices(self) -> Vec<&'static str> {
        match self {
            Self::Kind => KINDS.iter().map(|(name, _)| *name).collect(),
            Self::Health => HEALTHS.into_iter().map(words::health).collect(),
            Self::Protocol => vec!["http", "grpc", "tcp", "mixed"],
            _ => Vec::new(),
        }
    }

    /// Examples of values, for those that are numbers.
    pub fn examples(self) -> &'static [&'static str] {
        match self.sort() {
            Sort::Rate => &["1", "10", "100"],
            Sort::Percent if self == Self::Mtls => &["100%"],
            Sort::Percent => &["0%", "1%", "5%"],
            Sort::Time => &["100ms", "500ms", "1s"],
            Sort::Bytes => &["1kB", "1MB"],
            Sort::Text | Sort::Choice => &[],
        }
    }
}

/// The states of health.
const HEALTHS: [Health; 5] = [Health::Healthy, Health::Degraded, Health::Failing, Health::Idle, Health::Unknown];

/// Kinds of nodes by the names that people use for them.
pub const KINDS: [(&str, NodeKind); 11] = [
    ("workload", NodeKind::Workload),
    ("service", NodeKind::Service),
    ("app", NodeKind::App),
    ("ingress", NodeKind::Gateway),
    ("egress", NodeKind::Egress),
    ("external", NodeKind::External),
    ("unmeshed", NodeKind::Unmeshed),
    ("unknown", NodeKind::Unknown),
    ("hidden", NodeKind::Hidden),
    ("gateway", NodeKind::Gateway),
    ("serviceentry", NodeKind::External),
];

/// What a node or an edge has or has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Canary,
    Fault,
    Breaker,
    NoProxy,
    Finding,
    Idle,
    Plaintext,
    Failing,
    Outside,
}

impl Mark {
    /// All, with their names and what they mean.
    pub const ALL: [(Self, &'static [&'static str], &'static str); 9] = [
        (Self::Canary, &["canary"], "takes part in a weighted route"),
        (Self::Fault, &["fault"], "has a fault injected"),
        (Self::Breaker, &["breaker", "circuit-breaker", "circuitbreaker"], "has a circuit breaker"),
        (Self::NoProxy, &["noproxy", "missing-sidecar", "nosidecar", "unmeshed"], "has no proxy"),
        (Self::Finding, &["finding", "lint", "badconfig"], "its configuration has a finding"),
        (Self::Idle, &["idle"], "no traffic"),
        (Self::Plaintext, &["plaintext"], "a call that is not all mutual TLS"),
        (Self::Failing, &["failing"], "above the failing threshold"),
        (Self::Outside, &["outside"], "outside of the mesh"),
    ];

    pub fn named(name: &str) -> Option<Self> {
        let name = name.to_lowercase();
        Self::ALL.into_iter().find(|(_, names, _)| names.contains(&name.as_str())).map(|(mark, ..)| mark)
    }
}

/// Expressions that show what can be said, with what they find.
pub const EXAMPLES: [(&str, &str); 6] = [
    ("ns = shop and error > 1%", "failing in one namespace"),
    ("p95 > 200ms", "slow"),
    ("mtls < 100%", "not all encrypted"),
    ("rate >= 10 and not kind = ingress", "busy, without the entrance"),
    ("canary or finding", "marked"),
    ("from.name = storefront", "what one workload calls"),
];

/// Reads a value of `field`; the error says what it should look like.
pub fn value(field: Field, text: &str) -> Result<Value, String> {
    let lower = text.to_lowercase();
    match field.sort() {
        Sort::Text => Ok(Value::Text(lower)),
        Sort::Choice => {
            let all = field.choices();
            if all.contains(&lower.as_str()) {
                return Ok(Value::Text(lower));
            }
            let meant = meant(&lower, all.iter().copied());
            let hint = meant.map(|word| format!("Did you mean {word}?"));
            Err(hint.unwrap_or_else(|| format!("It is one of {}.", all.join(", "))))
        }
        sort => {
            let units = units(sort);
            let digits = lower.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(lower.len());
            let (number, unit) = (lower[..digits].parse::<f64>(), lower[digits..].trim());
            let factor = units.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
            match (number, factor) {
                (Ok(number), Some(factor)) => Ok(Value::Number(number * factor)),
                _ => Err(format!("Write it as {}.", field.examples().join(" or "))),
            }
        }
    }
}

/// Units and what they are in the field's own: per second, parts of one, milliseconds, bytes per second.
fn units(sort: Sort) -> &'static [(&'static str, f64)] {
    match sort {
        Sort::Text | Sort::Choice => &[],
        Sort::Rate => &[("", 1.0), ("/s", 1.0), ("rps", 1.0), ("req/s", 1.0), ("k", 1e3), ("/min", 1.0 / 60.0)],
        Sort::Percent => &[("%", 0.01), ("", 0.01)],
        Sort::Time => &[("ms", 1.0), ("", 1.0), ("s", 1e3), ("us", 1e-3), ("µs", 1e-3), ("m", 6e4), ("min", 6e4)],
        Sort::Bytes => &[
            ("", 1.0),
            ("b", 1.0),
            ("b/s", 1.0),
            ("kb", 1e3),
            ("kb/s", 1e3),
            ("mb", 1e6),
            ("mb/s", 1e6),
            ("gb", 1e9),
            ("gb/s", 1e9),
            ("kib", 1024.0),
            ("mib", 1_048_576.0),
        ],
    }
}

/// The name of a kind for matching, and of those that share it.
pub fn kind_named(name: &str) -> Option<NodeKind> {
    KINDS.iter().find(|(other, _)| *other == name).map(|(_, kind)| *kind)
}

/// The word that was probably meant: at most two letters away, and one only for short words.
pub fn meant<'a>(word: &str, all: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = if word.chars().count() <= 3 { 1 } else { 2 };
    all.map(|other| (distance(word, other), other))
        .filter(|(far, _)| *far <= limit)
        .min_by_key(|(far, _)| *far)
        .map(|(_, other)| other)
}

/// Letters to add, take away, change or swap with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(40).collect(), b.chars().take(40).collect());
    let mut rows: Vec<Vec<usize>> = (0..=a.len()).map(|row| (row..=row + b.len()).collect()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let same = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + same);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}
