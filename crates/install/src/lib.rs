//! Pure rendering: from a `Mesh` to every object that it installs, and from a pod to its injected self.
//!
//! [`render()`] and [`inject()`] know no cluster: what they depend on is handed to them, so that `weft install
//! --dry-run`, the reconciler and the webhook cannot differ.

pub mod chart;
mod error;
pub mod inject;
mod input;
pub mod names;
pub mod profile;
mod proxy;
pub mod render;
pub mod version;

pub use error::RenderError;
pub use inject::{InjectConfig, InjectError, Injection, Skip, inject};
pub use input::{Capabilities, MeshInput};
pub use render::render;
pub use weft_api::crd::Crd;

/// Version of this build: the tag of images that no Mesh names otherwise.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Every CustomResourceDefinition that an installation needs, our own first. Foreign ones are created only when absent.
pub fn crds() -> Vec<Crd> {
    weft_api::crd::all()
}
