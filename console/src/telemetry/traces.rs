//! Spans: read from OTLP, queued, written in batches, shown as a tree.

mod clock;
mod convert;
mod heat;
mod hops;
mod ingest;
pub(crate) mod link;
mod source;
mod tree;
mod usual;

pub use self::{
    clock::EARLY_US,
    convert::{Converted, convert},
    heat::heat,
    ingest::{Full, Ingest, MAX_AGE, write_batches},
    link::{Link, LinkError},
    source::{Backend, SourceError, SourceKind, TraceArgs, TraceSource},
    tree::{arrange, extent},
    usual::from_prometheus,
};
