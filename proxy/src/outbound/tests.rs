//! The request path from socket to socket: real worker threads, in-process origins, configurations read from xDS.

mod captured;
mod config;
mod fixture;
mod garbage;
mod http;
mod http2;
mod lifecycle;
mod opaque;
mod pools;
mod repeatable;
mod resilience;
mod tracing;
