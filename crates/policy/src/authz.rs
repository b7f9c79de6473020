//! Authorization: Envoy's RBAC configuration, evaluated.

use std::sync::Arc;

use crate::{
    config::{Cidr, HeaderMatch, StringMatch},
    facts::{ConnectionFacts, RequestFacts},
};

/// One RBAC filter's rules.
#[derive(Debug)]
pub struct Rbac {
    /// What a match means.
    pub action: RbacAction,
    /// Policies in the order of their names.
    pub policies: Vec<Policy>,
}

/// What a match means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RbacAction {
    /// Allowed only on a match.
    Allow,
    /// Denied on a match.
    Deny,
    /// Always allowed; a match is only told.
    Log,
}

/// A named policy: some permission and some principal must both match.
#[derive(Debug)]
pub struct Policy {
    /// Name, as access logs tell it.
    pub name: Arc<str>,
    /// What is done; one must match.
    pub permissions: Vec<Rule>,
    /// Who does it; one must match.
    pub principals: Vec<Rule>,
}

/// A condition, for permissions and principals alike.
#[derive(Debug)]
pub enum Rule {
    /// Always so, or never.
    Constant(bool),
    /// All.
    All(Vec<Rule>),
    /// At least one.
    AnyOf(Vec<Rule>),
    /// Not.
    Not(Box<Rule>),
    /// A header; without a request, one that is missing.
    Header(Box<HeaderMatch>),
    /// The path without its query.
    Path(StringMatch),
    /// The address that was dialled.
    DestinationIp(Cidr),
    /// Its port, within the bounds (inclusive).
    DestinationPort(u16, u16),
    /// SNI; a connection without one has the empty name.
    ServerName(StringMatch),
    /// The verified peer's URI name; `None` asks only that there is a verified peer.
    Peer(Option<StringMatch>),
    /// The connection's own source address.
    DirectRemoteIp(Cidr),
    /// The client's address as trusted headers tell it.
    RemoteIp(Cidr),
}

/// What a filter decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict<'a> {
    /// Whether the request may pass.
    pub allowed: bool,
    /// The policy that matched, if one did.
    pub policy: Option<&'a Arc<str>>,
}

impl Rbac {
    /// Decides about a request.
    pub fn check_request(&self, request: &RequestFacts<'_>) -> Verdict<'_> {
        self.check(request.connection, Some(request))
    }

    /// Decides about a connection whose bytes are opaque.
    pub fn check_connection(&self, connection: &ConnectionFacts<'_>) -> Verdict<'_> {
        self.check(connection, None)
    }

    fn check(&self, connection: &ConnectionFacts<'_>, request: Option<&RequestFacts<'_>>) -> Verdict<'_> {
        let hit = self.policies.iter().find(|p| p.matches(connection, request)).map(|p| &p.name);
        let allowed = match self.action {
            RbacAction::Allow => hit.is_some(),
            RbacAction::Deny => hit.is_none(),
            RbacAction::Log => true,
        };
        Verdict { allowed, policy: hit }
    }
}

/// Runs filters in order. The first refusal ends it and is returned, naming the policy (none when nothing allowed it).
pub fn refused_request<'a>(filters: &'a [Arc<Rbac>], request: &RequestFacts<'_>) -> Option<Verdict<'a>> {
    deciding(filters).map(|f| f.check_request(request)).find(|v| !v.allowed)
}

/// The same for an opaque connection.
pub fn refused_connection<'a>(filters: &'a [Arc<Rbac>], connection: &ConnectionFacts<'_>) -> Option<Verdict<'a>> {
    deciding(filters).map(|f| f.check_connection(connection)).find(|v| !v.allowed)
}

/// Filters that only tell cannot refuse.
fn deciding(filters: &[Arc<Rbac>]) -> impl Iterator<Item = &Arc<Rbac>> {
    filters.iter().filter(|f| f.action != RbacAction::Log)
}

impl Policy {
    fn matches(&self, connection: &ConnectionFacts<'_>, request: Option<&RequestFacts<'_>>) -> bool {
        self.permissions.iter().any(|r| r.matches(connection, request))
            && self.principals.iter().any(|r| r.matches(connection, request))
    }
}

impl Rule {
    fn matches(&self, connection: &ConnectionFacts<'_>, request: Option<&RequestFacts<'_>>) -> bool {
        match self {
            Self::Constant(value) => *value,
            Self::All(rules) => rules.iter().all(|r| r.matches(connection, request)),
            Self::AnyOf(rules) => rules.iter().any(|r| r.matches(connection, request)),
            Self::Not(rule) => !rule.matches(connection, request),
            Self::Header(header) => match request {
                Some(request) => header.matches(request),
                None => header.matches_nothing(),
            },
            Self::Path(path) => request.is_some_and(|r| path.matches(r.path_only())),
            Self::DestinationIp(range) => range.contains(connection.local.ip()),
            Self::DestinationPort(low, high) => (*low..=*high).contains(&connection.local.port()),
            Self::ServerName(name) => name.matches(connection.sni.unwrap_or_default()),
            Self::Peer(None) => connection.peer_uri.is_some(),
            Self::Peer(Some(name)) => connection.peer_uri.is_some_and(|uri| name.matches(uri)),
            Self::DirectRemoteIp(range) => range.contains(connection.peer.ip()),
            Self::RemoteIp(range) => range.contains(request.map_or(connection.peer.ip(), |r| r.remote)),
        }
    }
}

#[cfg(test)]
mod tests;
