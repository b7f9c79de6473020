//! The mesh's own state: control planes, proxies and what they hold, certificates.

pub mod dump;
pub mod exposition;
pub mod fleet;
pub mod measured;
pub mod proxy;
pub mod reading;
pub mod report;
pub mod versions;
