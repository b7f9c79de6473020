//! The TLS port that proxies talk to: certificates by CSR, configuration by ADS, both as gRPC over HTTP/2.

pub mod listener;
pub mod peer;
pub mod tls;

pub use listener::{Limits, serve};
pub use peer::Peer;
