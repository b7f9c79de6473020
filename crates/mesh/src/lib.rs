//! The pure heart of the mesh: objects go into a [`Store`], a [`Snapshot`] comes out, and [`translate`] turns a snapshot
//! and one [`Proxy`] into the xDS resources that this proxy should have. No I/O, no clock, no randomness: the same
//! objects always give the same bytes.

mod canonical;
mod client;
pub mod dump;
pub mod proxy;
pub mod resolve;
pub mod resource;
pub mod settings;
pub mod snapshot;
pub mod store;
pub mod translate;
mod view;

pub(crate) use client::Ask;
pub use client::{Asked, Class, Client};
pub use proxy::{Capture, Engine, Proxy, ProxyKind};
pub use resource::{Difference, Named, Resource, Resources, type_url};
pub use settings::Settings;
pub use snapshot::{Snapshot, Typed};
pub use store::Store;
pub use translate::{Translator, translate};
pub use view::View;
