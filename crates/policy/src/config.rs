//! What the control plane told this proxy, compact and with every pattern compiled.
//!
//! [`crate::read`] makes these from xDS messages. They are immutable and shared by `Arc`; names are `Arc<str>`.

mod cluster;
mod endpoint;
mod fraction;
mod headers;
mod listener;
mod matcher;
mod retry;
mod route;
mod secret;
mod set;
mod tls;
mod workload;

pub use cluster::*;
pub use endpoint::*;
pub use fraction::*;
pub use headers::*;
pub use listener::*;
pub use matcher::*;
pub use retry::*;
pub use route::*;
pub use secret::*;
pub use set::*;
pub use tls::*;
pub use workload::*;
