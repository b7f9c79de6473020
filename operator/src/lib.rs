//! The control plane: turns a directory of YAML into xDS for every connected proxy, and is their certificate authority.

pub mod admin;
pub mod ads;
pub mod ca;
pub mod metrics;
pub mod server;
