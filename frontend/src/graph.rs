//! The service graph: what of it is drawn, where nodes stand, what the pointer meets. All of it is plain data; only the
//! drawing itself needs a browser.

pub mod export;
pub mod flow;
pub mod focus;
pub mod fold;
pub mod geometry;
pub mod layout;
pub mod picture;
pub mod query;
#[cfg(test)]
mod sample;
pub mod scene;
pub mod scope;
pub mod sheets;
pub mod trend;
pub mod viewport;
pub mod ways;

#[cfg(target_arch = "wasm32")]
pub(crate) mod memory;
#[cfg(target_arch = "wasm32")]
pub(crate) mod palette;
#[cfg(target_arch = "wasm32")]
pub(crate) mod render;
#[cfg(target_arch = "wasm32")]
pub(crate) mod stage;
#[cfg(target_arch = "wasm32")]
pub(crate) mod worker;
