//! Every custom resource that a user writes, as a Rust type, and the checks that need only that one object.
//!
//! [`parse`] turns a JSON value into an [`Object`] by the rules of protobuf JSON, which are Istio's: unknown fields are
//! reported beside the object and do no harm, numbers may be strings, `null` is absence.

pub mod code;
pub mod core;
pub mod crd;
pub mod duration;
pub mod error;
pub mod field;
pub mod kind;
pub mod labels;
pub mod matching;
pub mod mesh;
pub mod networking;
pub mod object;
mod one_of;
mod read;
pub mod schema;
pub mod security;
pub mod telemetry;
mod validate;

pub use duration::Duration;
pub use error::{ObjectError, UnknownField};
pub use kind::{Kind, Scope};
pub use labels::Labels;
pub use matching::StringMatch;
pub use object::{Change, Object, ObjectKey, ObjectMeta, Parsed, Spec, parse, parse_noting};
pub use validate::is_dns_label;
