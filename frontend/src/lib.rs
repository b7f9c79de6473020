//! The console's page (leptos, rendered in the browser). Modules that only compute are public and build on any target,
//! so that their tests run on the host; what touches the browser builds for wasm alone, and `cargo xtask layers` lets it have
//! no tests.

pub mod certificates;
pub mod changes;
pub mod chart;
pub mod command;
pub mod drafts;
pub mod findings;
pub mod form;
pub mod format;
pub mod graph;
pub mod icons;
pub mod location;
pub mod objects;
pub mod order;
pub mod patience;
pub mod proof;
pub mod queries;
pub mod search;
pub mod shown;
pub mod sign_in;
pub mod sources;
pub mod traces;
pub mod turns;
pub mod undo;
pub mod verdicts;
pub mod waterfall;
pub mod weights;
pub mod words;
pub mod workloads;
pub mod yaml;

#[cfg(target_arch = "wasm32")]
mod api;
#[cfg(target_arch = "wasm32")]
mod app;
#[cfg(target_arch = "wasm32")]
mod browser;
#[cfg(target_arch = "wasm32")]
mod components;
#[cfg(target_arch = "wasm32")]
mod keys;
#[cfg(target_arch = "wasm32")]
mod live;
#[cfg(target_arch = "wasm32")]
mod pages;
#[cfg(target_arch = "wasm32")]
mod poll;
#[cfg(target_arch = "wasm32")]
mod start;
#[cfg(target_arch = "wasm32")]
mod state;
#[cfg(target_arch = "wasm32")]
mod wanted;
