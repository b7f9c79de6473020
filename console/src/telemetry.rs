//! What is observed: Prometheus' counters and the spans that proxies send.

pub mod prometheus;
pub mod traces;
