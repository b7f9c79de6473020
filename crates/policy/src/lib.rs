//! Decisions about one request or connection, and the reading of xDS into the types that they are made from.
//!
//! Nothing here does I/O, reads a clock or draws a random number: the time since the process started and random bits
//! are arguments. Deciding about a request allocates nothing unless a header or path has to be rewritten.

pub mod affinity;
pub mod authz;
pub mod balance;
pub mod chain;
pub mod config;
pub mod cors;
pub mod facts;
pub mod fault;
pub mod flags;
pub mod headers;
pub mod path;
pub mod read;
pub mod retry;
pub mod rewrite;
pub mod route;
pub mod upstream;

#[cfg(test)]
mod testing;
