//! The path of a request through the proxy, and of opaque connections. Inbound traffic takes the same path: its route
//! leads to the application, and its filters ask who calls.

mod admit;
mod answer;
mod attempt;
mod copy;
mod edge;
mod fault;
mod forward;
pub mod http;
mod mirror;
mod outcome;
mod plan;
pub mod tcp;
mod timeouts;
mod upgrade;

pub use edge::{edge, service};

#[cfg(test)]
mod tests;
