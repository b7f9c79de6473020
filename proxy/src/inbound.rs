//! Connections for the application behind this proxy: who calls, whether it may, and how the application learns of it.

mod authorize;
mod client_cert;
mod source;

pub use authorize::{refused_connection, refused_request};
pub use client_cert::forward_client_cert;
pub use source::{edge, facts};
