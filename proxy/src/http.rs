//! HTTP on both sides of the proxy. [`server`] and `upstream::client` are the only files that name a codec.

mod activity;
mod exchange;
mod framing;
pub mod grpc;
pub mod headers;
mod reply;
mod request_body;
mod response_body;
mod runtime;
pub mod server;

pub use activity::{Activity, Phase, Watched};
pub use exchange::Exchange;
pub use framing::Framing;
pub use reply::{fail, grpc_reply, reply};
pub use request_body::{Attempt, BodyError, MAX_REPLAY, RequestBody, Source};
pub use response_body::{ResponseBody, ResponseError};
pub use runtime::LocalExecutor;
