//! The data plane: carries a workload's traffic as the control plane's xDS says, over mutual TLS, and tells what it
//! did. The main thread speaks to the control plane and accepts connections; worker threads carry them.

pub mod admin;
pub mod backoff;
pub mod capture;
pub mod control_plane;
pub mod error;
pub mod flags;
pub mod http;
pub mod identity;
pub mod inbound;
pub mod listener;
pub mod outbound;
pub mod pod;
pub mod program;
pub mod state;
pub mod telemetry;
pub mod tls;
pub mod upstream;
pub mod wait;
pub mod workers;
pub mod xds;
