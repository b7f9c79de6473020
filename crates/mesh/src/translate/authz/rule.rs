//! One rule: who may do what, under which conditions.

use envoy_types::pb::envoy::{
    config::rbac::v3::{Permission, Policy, Principal, permission, principal},
    r#type::matcher::v3::StringMatcher,
};
use weft_api::security::authorization_policy::{Operation, Rule, Source};

use super::{Context, condition, text};
use crate::translate::proto::{quote_regex, regex};

/// A condition that cannot be expressed where it stands.
#[derive(Debug)]
pub(super) struct Inexpressible;

/// The rule as an RBAC policy; `None` when it cannot be expressed and must not let anybody in.
pub(super) fn translate(rule: &Rule, context: &Context<'_>) -> Option<Policy> {
    let conditions = condition::all(&rule.when, context).ok()?;
    let mut permissions = Vec::new();
    for to in &rule.to {
        permissions.push(operation(&to.operation, context).ok()?);
    }
    if permissions.is_empty() {
        permissions.push(Vec::new());
    }
    let mut principals = Vec::new();
    for from in &rule.from {
        principals.push(source(&from.source, context).ok()?);
    }
    if principals.is_empty() {
        principals.push(Vec::new());
    }
    Some(Policy {
        permissions: permissions.into_iter().map(|p| every_permission(p, &conditions.permissions)).collect(),
        principals: principals.into_iter().map(|p| every_principal(p, &conditions.principals)).collect(),
        ..Policy::default()
    })
}

fn every_permission(mut rules: Vec<Permission>, more: &[Permission]) -> Permission {
    rules.extend_from_slice(more);
    match rules.len() {
        0 => permit(permission::Rule::Any(true)),
        1 => rules.remove(0),
        _ => permit(permission::Rule::AndRules(permission::Set { rules })),
    }
}

fn every_principal(mut ids: Vec<Principal>, more: &[Principal]) -> Principal {
    ids.extend_from_slice(more);
    match ids.len() {
        0 => who(principal::Identifier::Any(true)),
        1 => ids.remove(0),
        _ => who(principal::Identifier::AndIds(principal::Set { ids })),
    }
}

pub(super) fn permit(rule: permission::Rule) -> Permission {
    Permission { rule: Some(rule) }
}

pub(super) fn who(identifier: principal::Identifier) -> Principal {
    Principal { identifier: Some(identifier) }
}

/// Collects the parts that must all hold; a part that is inexpressible is dropped or fatal as the context says.
pub(super) struct All<'a, T> {
    context: &'a Context<'a>,
    parts: Vec<T>,
}

impl<'a, T> All<'a, T> {
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        Self { context, parts: Vec::new() }
    }

    /// `values` and `not_values` of one field: any of the first, none of the second.
    pub(super) fn field<'v>(
        &mut self,
        values: &'v [String],
        not_values: &'v [String],
        one: impl Fn(&'v str) -> Result<Vec<T>, Inexpressible>,
        any_of: impl Fn(Vec<T>) -> T,
        not: impl Fn(T) -> T,
    ) -> Result<(), Inexpressible> {
        for (list, negated) in [(values, false), (not_values, true)] {
            if list.is_empty() {
                continue;
            }
            let mut alternatives = Vec::new();
            let mut failed = false;
            for value in list {
                match one(value) {
                    Ok(translated) => alternatives.extend(translated),
                    Err(Inexpressible) if self.context.strict => return Err(Inexpressible),
                    Err(Inexpressible) => failed = true,
                }
            }
            // With one alternative missing, the list as a whole would match too little: leave it out.
            if failed || alternatives.is_empty() {
                continue;
            }
            let part = if alternatives.len() == 1 { alternatives.remove(0) } else { any_of(alternatives) };
            self.parts.push(if negated { not(part) } else { part });
        }
        Ok(())
    }

    pub(super) fn done(self) -> Vec<T> {
        self.parts
    }
}

impl All<'_, Permission> {
    pub(super) fn permission<'v>(
        &mut self,
        values: &'v [String],
        not_values: &'v [String],
        one: impl Fn(&'v str) -> Result<permission::Rule, Inexpressible>,
    ) -> Result<(), Inexpressible> {
        self.field(
            values,
            not_values,
            |value| Ok(vec![permit(one(value)?)]),
            |rules| permit(permission::Rule::OrRules(permission::Set { rules })),
            |rule| permit(permission::Rule::NotRule(Box::new(rule))),
        )
    }
}

impl All<'_, Principal> {
    pub(super) fn principal<'v>(
        &mut self,
        values: &'v [String],
        not_values: &'v [String],
        one: impl Fn(&'v str) -> Result<Vec<principal::Identifier>, Inexpressible>,
    ) -> Result<(), Inexpressible> {
        self.field(
            values,
            not_values,
            |value| Ok(one(value)?.into_iter().map(who).collect()),
            |ids| who(principal::Identifier::OrIds(principal::Set { ids })),
            |id| who(principal::Identifier::NotId(Box::new(id))),
        )
    }
}

fn source(source: &Source, context: &Context<'_>) -> Result<Vec<Principal>, Inexpressible> {
    let mut all = All::new(context);
    let s = source;
    all.principal(&s.principals, &s.not_principals, |v| Ok(principals(v, context)))?;
    all.principal(&s.request_principals, &s.not_request_principals, |_| jwt(context))?;
    all.principal(&s.namespaces, &s.not_namespaces, |v| Ok(vec![namespace(v)]))?;
    all.principal(&s.service_accounts, &s.not_service_accounts, |v| Ok(vec![service_account(v, context)]))?;
    all.principal(&s.ip_blocks, &s.not_ip_blocks, |v| {
        Ok(vec![principal::Identifier::DirectRemoteIp(text::address_range(v).ok_or(Inexpressible)?)])
    })?;
    all.principal(&s.remote_ip_blocks, &s.not_remote_ip_blocks, |v| {
        Ok(vec![principal::Identifier::RemoteIp(text::address_range(v).ok_or(Inexpressible)?)])
    })?;
    Ok(all.done())
}

fn operation(operation: &Operation, context: &Context<'_>) -> Result<Vec<Permission>, Inexpressible> {
    let mut all = All::new(context);
    let o = operation;
    let http = |rule: permission::Rule| if context.tcp { Err(Inexpressible) } else { Ok(rule) };
    all.permission(&o.hosts, &o.not_hosts, |v| http(permission::Rule::Header(text::host(v))))?;
    all.permission(&o.ports, &o.not_ports, port)?;
    all.permission(&o.methods, &o.not_methods, |v| http(permission::Rule::Header(text::header(":method", v))))?;
    all.permission(&o.paths, &o.not_paths, |v| http(permission::Rule::UrlPath(text::path(v))))?;
    Ok(all.done())
}

pub(super) fn port(value: &str) -> Result<permission::Rule, Inexpressible> {
    value.parse::<u16>().map(|port| permission::Rule::DestinationPort(port.into())).map_err(|_| Inexpressible)
}

fn authenticated(name: StringMatcher) -> principal::Identifier {
    principal::Identifier::Authenticated(principal::Authenticated { principal_name: Some(name) })
}

/// A peer identity without `spiffe://`. One of this mesh's trust domain (or `cluster.local`, which always stands for it)
/// means the same account in each of the mesh's trust domains.
pub(super) fn principals(value: &str, context: &Context<'_>) -> Vec<principal::Identifier> {
    let own = value.split_once('/').filter(|(domain, _)| {
        !domain.contains('*') && (*domain == "cluster.local" || context.trust_domains.iter().any(|td| td == domain))
    });
    match own {
        Some((_, path)) => context
            .trust_domains
            .iter()
            .map(|domain| authenticated(text::prefixed(&format!("{domain}/{path}"), "spiffe://")))
            .collect(),
        None => vec![authenticated(text::prefixed(value, "spiffe://"))],
    }
}

/// A peer namespace: the identity's `ns` part.
pub(super) fn namespace(value: &str) -> principal::Identifier {
    let pattern: Vec<String> = value.split('*').map(quote_regex).collect();
    authenticated(regex(format!("spiffe://[^/]+/ns/{}/sa/.+", pattern.join("[^/]*"))))
}

/// A peer service account, `name` in the policy's namespace or `namespace/name`.
pub(super) fn service_account(value: &str, context: &Context<'_>) -> principal::Identifier {
    let (namespace, name) = value.split_once('/').unwrap_or((context.namespace, value));
    authenticated(regex(format!("spiffe://[^/]+/ns/{}/sa/{}", quote_regex(namespace), quote_regex(name))))
}

/// Something out of a JWT. None is verified here, so nothing of it is ever there; on TCP there is no request at all.
pub(super) fn jwt(context: &Context<'_>) -> Result<Vec<principal::Identifier>, Inexpressible> {
    if context.tcp {
        return Err(Inexpressible);
    }
    Ok(vec![principal::Identifier::NotId(Box::new(who(principal::Identifier::Any(true))))])
}
