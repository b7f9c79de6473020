//! Reading xDS. What is not supported and would change behaviour is an error, so that it is answered with a NACK
//! instead of being ignored; the message names the field.

mod cluster;
mod cors;
mod endpoints;
mod fault;
mod headers;
mod http;
mod listener;
mod outlier;
mod proto;
mod rbac;
mod retry;
mod route;
mod secret;
mod strings;
mod tcp;
mod tls;
mod virtual_host;
mod workload;

use std::{fmt, sync::Arc};

use crate::config::{Kind, Resource};

/// Why a resource is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ReadError {
    /// Path of the field, such as `filter_chains[0].filters[1]`; empty for the resource as a whole.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() { f.write_str(&self.reason) } else { write!(f, "{}: {}", self.field, self.reason) }
    }
}

/// Reads one resource: `name` as in the delta response, `value` the bytes inside its `Any`. Never panics.
pub fn read(kind: Kind, name: &Arc<str>, value: &[u8]) -> Result<Resource, ReadError> {
    Ok(match kind {
        Kind::Cluster => Resource::Cluster(Arc::new(cluster::read(name, decode(value)?)?)),
        Kind::Endpoints => Resource::Endpoints(Arc::new(endpoints::read(name, decode(value)?)?)),
        Kind::Listener => Resource::Listener(Arc::new(listener::read(name, decode(value)?)?)),
        Kind::RouteConfig => Resource::RouteConfig(Arc::new(virtual_host::read_table(Some(name), decode(value)?)?)),
        Kind::VirtualHost => {
            if !name.contains('/') {
                return Err(fail(format!("resource name {name:?} is not <route configuration>/<virtual host>")));
            }
            Resource::VirtualHost(Arc::new(virtual_host::read(decode(value)?)?))
        }
        Kind::Secret => Resource::Secret(Arc::new(secret::read(name, decode(value)?)?)),
        Kind::Workload => Resource::Workload(Arc::new(workload::read(name, decode(value)?)?)),
    })
}

type Result<T, E = ReadError> = std::result::Result<T, E>;

fn decode<M: prost::Message + Default>(value: &[u8]) -> Result<M> {
    M::decode(value).map_err(|e| fail(format!("not a valid message: {e}")))
}

/// A problem with the message at hand; callers say where it is with [`At`].
fn fail(reason: impl Into<String>) -> ReadError {
    ReadError { field: String::new(), reason: reason.into() }
}

/// Refuses a field whose meaning this proxy would have to ignore.
fn unsupported(present: bool, field: &str) -> Result<()> {
    if present { Err(ReadError { field: field.into(), reason: "not supported by this proxy".into() }) } else { Ok(()) }
}

/// Refuses a resource that is named differently than its message.
fn same_name(resource: &str, message: &str, field: &str) -> Result<()> {
    if resource == message {
        return Ok(());
    }
    Err(fail(format!("{message:?} is not the resource's name {resource:?}"))).at(field)
}

/// Puts a field's name before an error's path.
trait At<T> {
    fn at(self, field: &str) -> Result<T>;
    fn at_index(self, field: &str, index: usize) -> Result<T>;
}

impl<T> At<T> for Result<T> {
    fn at(self, field: &str) -> Result<T> {
        self.map_err(|mut e| {
            e.field = if e.field.is_empty() { field.into() } else { format!("{field}.{}", e.field) };
            e
        })
    }

    fn at_index(self, field: &str, index: usize) -> Result<T> {
        self.map_err(|mut e| {
            let inner = if e.field.is_empty() { String::new() } else { format!(".{}", e.field) };
            e.field = format!("{field}[{index}]{inner}");
            e
        })
    }
}

/// Reads a repeated field.
fn each<M, T>(field: &str, messages: impl IntoIterator<Item = M>, read: impl Fn(M) -> Result<T>) -> Result<Vec<T>> {
    messages.into_iter().enumerate().map(|(i, m)| read(m).at_index(field, i)).collect()
}

#[cfg(test)]
mod tests;
