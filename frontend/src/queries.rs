//! What lists are asked for; `api` knows how it is written in an address, [`crate::command`] how in a command.

/// Which entries of the audit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AuditQuery {
    /// By whom; empty for anybody.
    pub who: String,
    /// From which address; empty for any.
    pub address: String,
    /// About objects of these namespaces; empty for all.
    pub namespaces: Vec<String>,
    /// What was done; empty for anything.
    pub action: String,
    /// About what configures this, such as `workloads/shop/cart-v1`; empty for anything.
    pub about: String,
    /// Not before, milliseconds since the Unix epoch.
    pub from_ms: Option<u64>,
    /// Not after.
    pub to_ms: Option<u64>,
    /// Where a page begins.
    pub cursor: Option<String>,
    /// Entries of a page; the console's own number without one.
    pub limit: Option<usize>,
}

/// A search for traces; what is empty is not looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TraceQuery {
    /// A workload that took part, `namespace/name`.
    pub workload: String,
    /// Name of a span.
    pub operation: String,
    /// Attributes of a span, `key=value`.
    pub tags: Vec<String>,
    /// Only those in which a span failed.
    pub errors: bool,
    /// At least so many microseconds.
    pub min_us: u64,
    /// At most so many.
    pub max_us: Option<u64>,
    /// Not before, milliseconds since the Unix epoch.
    pub from_ms: Option<u64>,
    /// Not after.
    pub to_ms: Option<u64>,
    /// With spans of these namespaces.
    pub namespaces: Vec<String>,
    /// Where a page begins.
    pub before: Option<String>,
    /// Rows.
    pub limit: usize,
}
