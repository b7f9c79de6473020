//! The console against real parts: Prometheus, HTTP, files.

// Everything here is test code, functions without `#[test]` included.
#![allow(clippy::unwrap_used)]

mod audit;
mod cluster;
mod counted;
mod details;
mod graph;
mod http;
mod hung;
mod parts;
mod sign_in;
mod state;
mod tempo;
mod trace_sight;
mod trace_sources;
