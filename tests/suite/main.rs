//! End-to-end tests with real components. They need what `scripts/bootstrap` installs and what `make test` builds.
// All of this binary is tests, also what stands outside the test functions.
#![allow(clippy::unwrap_used)]

mod accessibility;
mod bars;
mod canary;
mod chapter;
mod cli;
mod clock;
mod configuration;
mod console;
mod demo;
mod details;
mod garbage;
mod graph;
mod kubernetes;
mod lint;
mod protocols;
mod resilience;
mod search;
mod sign_in;
mod states;
mod traces;
