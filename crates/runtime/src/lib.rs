//! Process chassis that operator, proxy, console and demo share: logging, shutdown, admin HTTP, exit codes.

pub mod admin;
pub mod log;
pub mod shutdown;
pub mod startup;

pub use shutdown::Shutdown;
pub use startup::StartupError;
