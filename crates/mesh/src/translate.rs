//! A snapshot and a proxy into xDS resources.

mod proto;

use crate::{Proxy, Resources, Snapshot};

/// Everything that `proxy` should have. Depends on nothing but its arguments.
pub fn translate(snapshot: &Snapshot, proxy: &Proxy) -> Resources {
    let _ = (snapshot, proxy);
    Resources::default()
}
