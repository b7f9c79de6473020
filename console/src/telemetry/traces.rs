//! Spans: read from OTLP, queued, written in batches, shown as a tree.

mod convert;
mod ingest;
mod tree;

pub use self::{
    convert::{Converted, convert},
    ingest::{Full, Ingest, MAX_AGE, write_batches},
    tree::arrange,
};
