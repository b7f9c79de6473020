//! The service graph: where nodes stand, what is drawn, what the pointer meets. All of it is plain data; only the
//! drawing itself needs a browser.

pub mod flow;
pub mod geometry;
pub mod layout;
pub mod scene;
pub mod scope;
pub mod viewport;

#[cfg(target_arch = "wasm32")]
pub(crate) mod memory;
#[cfg(target_arch = "wasm32")]
pub(crate) mod palette;
#[cfg(target_arch = "wasm32")]
pub(crate) mod render;
#[cfg(target_arch = "wasm32")]
pub(crate) mod stage;
