//! The console's server: the graph of what proxies counted, canary verdicts, configuration with its findings, traces,
//! and the edits that move a canary.

pub mod app;
pub mod args;
pub mod audit;
pub mod auth;
pub mod canary;
pub mod clock;
pub mod config;
pub mod db;
pub mod details;
pub mod estate;
pub mod graph;
pub mod http;
pub mod live;
pub mod mesh;
pub mod metrics;
pub mod node_link;
pub mod operator;
pub mod place;
pub mod redact;
pub mod server;
pub mod telemetry;
pub mod wizard;

pub use args::Args;
pub use server::Console;
