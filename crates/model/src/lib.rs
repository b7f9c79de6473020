//! Nouns that two programs share: identities, names, traffic labels, diagnostics, and the JSON shapes that the
//! console's server and page exchange. serde only; builds for wasm.

pub mod audit;
pub mod canary;
pub mod config;
pub mod counted;
pub mod details;
pub mod diagnostic;
pub mod edit;
pub mod events;
pub mod graph;
pub mod hostname;
pub mod link;
pub mod mesh;
pub mod metrics;
pub mod object;
pub mod ports;
pub mod session;
pub mod spiffe;
pub mod sync;
pub mod trace;
pub mod validity;
pub mod views;
pub mod wizard;
pub mod workload;
pub mod xds;

pub use counted::Counted;
pub use diagnostic::{Diagnostic, Severity};
pub use hostname::Hostname;
pub use object::ObjectRef;
pub use spiffe::SpiffeId;
pub use workload::WorkloadRef;
