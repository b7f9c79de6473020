//! Which route a request takes, and which of its clusters.

mod domains;
mod matching;
mod table;

use domains::DomainIndex;
pub(crate) use domains::without_port;
pub(crate) use matching::parameter;
pub(crate) use table::HostChange;
pub use table::RouteTable;

#[cfg(test)]
mod tests;
