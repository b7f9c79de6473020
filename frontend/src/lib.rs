//! The console's page (leptos, rendered in the browser). Modules that only compute are public and build on any target,
//! so that their tests run on the host; what touches the browser builds for wasm alone.

pub mod format;
pub mod graph;
pub mod history;
pub mod location;
pub mod waterfall;
pub mod weights;
pub mod words;
pub mod yaml;
