//! A snapshot and a proxy into xDS resources. Each resource is made by a small function of what it is about, so that what
//! is equal between two snapshots or two proxies comes out equal to the byte.

mod authz;
mod clusters;
mod endpoints;
mod hcm;
mod listeners;
mod memo;
mod plan;
mod proto;
mod routes;
mod secrets;
mod tcp;
mod tls;
mod workloads;

use crate::{Proxy, Resources, Snapshot};

pub use memo::Translator;

/// Everything that `proxy` should have. Depends on nothing but its arguments. Who translates again and again keeps a
/// [`Translator`].
pub fn translate(snapshot: &Snapshot, proxy: &Proxy) -> Resources {
    Translator::default().translate(snapshot, proxy)
}
