//! The operator as a whole, over real TLS, with clients in this process.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod acks;
mod bench;
mod client;
mod discovery;
mod identity;
mod reload;
mod scale;
