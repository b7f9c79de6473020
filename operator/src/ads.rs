//! Delta ADS: every connected proxy is brought from what it acknowledged to what the present snapshot says it should have.
//!
//! [`session`] decides what to send and knows nothing of sockets or clocks; [`stream`] feeds it; [`acks`] sums up over all
//! proxies when an object has arrived everywhere.

pub mod acks;
pub mod kind;
pub mod nack;
pub mod node;
pub mod published;
pub mod registry;
pub mod roots;
pub mod service;
pub mod session;
pub mod stream;

pub use acks::AckBook;
pub use kind::Kind;
pub use published::Published;
pub use registry::Registry;
pub use service::Ads;
pub use session::State;
