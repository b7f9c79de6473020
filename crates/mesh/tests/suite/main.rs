//! Translations of whole estates, written as the YAML that people write.

// A test that meets something unexpected should stop there, in its helper functions too.
#![allow(clippy::unwrap_used)]

mod authorization;
mod clusters;
mod debug_text;
mod estate;
mod gateways;
mod goldens;
mod incremental;
mod listeners;
mod remembering;
mod routes;
mod store;
mod telemetry;
