//! Which route a request takes, and which of its clusters.

mod domains;
mod matching;
mod table;

use domains::DomainIndex;
pub(crate) use table::HostChange;
pub use table::RouteTable;
