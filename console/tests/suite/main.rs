//! The console against real parts: Prometheus, HTTP, files.

mod counted;
mod http;
mod parts;
