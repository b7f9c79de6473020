//! How much the proxy holds.

/// Downstream connections held at most; more are closed at once and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// By the process.
    pub process: usize,
    /// By one listener, so that a single port cannot take every place.
    pub listener: usize,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self { process: 20_000, listener: 10_000 }
    }
}
