//! What traffic is counted in, in the words that whoever shows it uses.

/// Requests, or connections where nobody sees requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// One of them.
    pub one: &'static str,
    /// Several.
    pub many: &'static str,
    /// Several, at the head of a column.
    pub title: &'static str,
    /// How often they come, after a number.
    pub unit: &'static str,
    /// Whether each takes a time that is known.
    pub timed: bool,
}

impl Counted {
    /// Of HTTP and gRPC.
    pub const REQUESTS: Self = Self { one: "request", many: "requests", title: "Requests", unit: "req/s", timed: true };
    /// Of TCP, and of TLS that is passed through.
    pub const CONNECTIONS: Self =
        Self { one: "connection", many: "connections", title: "Connections", unit: "conn/s", timed: false };

    /// By a protocol as calls name it: `http`, `grpc`, `tcp` or `mixed`, which counts requests alone.
    pub fn by_protocol(protocol: &str) -> Self {
        if protocol == "tcp" { Self::CONNECTIONS } else { Self::REQUESTS }
    }
}
