//! Who calls, and what they may.

mod caller;
mod verb;

pub use self::{caller::Caller, verb::Verb};
