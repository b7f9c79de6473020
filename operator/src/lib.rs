//! The control plane: turns a directory of YAML, or a cluster, into xDS for every connected proxy, and is their certificate authority.

pub mod admin;
pub mod ads;
pub mod ca;
pub mod clock;
pub mod control_plane;
mod credential;
pub mod kubernetes;
pub mod leave;
pub mod metrics;
mod operator;
mod options;
pub mod reconcile;
pub mod reload;
pub mod server;
pub mod serving;
pub mod webhook;

pub use operator::Operator;
pub use options::{Options, SourceKind};
