//! The operator as a whole, over real TLS, with clients in this process.

mod acks;
mod bench;
mod client;
mod discovery;
mod identity;
mod reload;
mod scale;
