//! Who calls, and what they may.
//!
//! A request is somebody's by the first of these that it has: headers of a trusted proxy, a session's cookie, a bearer
//! token. Rights come from the API server on a cluster and from the role file elsewhere, and what is not allowed is
//! refused.

mod admission;
pub mod args;
mod attempts;
mod caller;
mod cluster;
mod cookie;
mod identity;
mod limit;
mod link;
mod policy_file;
mod provider;
mod proxy;
mod return_to;
mod roles;
mod seal;
mod secret;
mod service;
mod session;
mod sign_in;
mod verb;

pub(crate) use self::provider::{is_loopback, one_line};
pub use self::{
    args::AuthArgs,
    caller::{Caller, Sight},
    cluster::{Reviewer, Whose},
    cookie::SESSION as SESSION_COOKIE,
    identity::User,
    limit::{Limit, network},
    seal::Seal,
    service::Auth,
    sign_in::{Answer, CallbackQuery, SignInProblem},
    verb::Verb,
};
