//! The console against real parts: Prometheus, HTTP, files.

// Everything here is test code, functions without `#[test]` included.
#![allow(clippy::unwrap_used)]

mod cluster;
mod counted;
mod graph;
mod http;
mod parts;
mod state;
