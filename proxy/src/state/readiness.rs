//! What the readiness endpoint waits for.

use std::sync::atomic::{AtomicBool, Ordering};

/// Three things must have happened before the proxy takes traffic; none is taken back later, because the proxy serves
/// its last configuration while the control plane is away.
#[derive(Default)]
pub struct Readiness {
    configured: AtomicBool,
    bound: AtomicBool,
}

impl Readiness {
    /// The first full configuration is in force.
    pub fn set_configured(&self) {
        self.configured.store(true, Ordering::Release);
    }

    /// The first full configuration is in force.
    pub fn configured(&self) -> bool {
        self.configured.load(Ordering::Acquire)
    }

    /// All listeners of the first full configuration are bound, or some could not be for so long that the others are not
    /// to wait for them any more.
    pub fn set_listeners_bound(&self) {
        self.bound.store(true, Ordering::Release);
    }

    /// Whether listeners are bound.
    pub fn listeners_bound(&self) -> bool {
        self.bound.load(Ordering::Acquire)
    }
}
