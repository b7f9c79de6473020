//! The control plane: turns a directory of YAML into xDS for every connected proxy, and is their certificate authority.

pub mod admin;
pub mod ads;
pub mod ca;
pub mod metrics;
mod operator;
mod options;
pub mod reload;
pub mod server;

pub use operator::Operator;
pub use options::Options;
