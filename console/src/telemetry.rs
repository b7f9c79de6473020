//! What is observed: Prometheus' counters and the spans that proxies send.

mod access;
pub mod prometheus;
pub mod traces;
