//! The mesh's certificate authority: keys on disk, leaf certificates, join tokens, and the gRPC service over them.

pub mod authority;
pub mod plugged;
pub mod service;
pub mod state_dir;
pub mod tokens;

pub use authority::{Authority, Issued, SignError};
pub use state_dir::StateDir;
pub use tokens::{JoinToken, TokenRecord, TokenStore};

#[cfg(test)]
mod tests;
