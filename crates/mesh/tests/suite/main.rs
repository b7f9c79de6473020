//! Translations of whole estates, written as the YAML that people write.

mod authorization;
mod clusters;
mod debug_text;
mod estate;
mod gateways;
mod goldens;
mod incremental;
mod listeners;
mod routes;
mod store;
