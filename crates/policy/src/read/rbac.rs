//! RBAC rules.

use std::sync::Arc;

use envoy_types::pb::envoy::config::rbac::v3::{
    Permission, Policy as PolicyMessage, Principal, Rbac as RbacMessage, permission, principal, rbac::Action,
};

use super::{
    At, ReadError, Result, each, fail, headers,
    proto::{choice, cidr, port},
    strings, unsupported,
};
use crate::{
    authz::{Policy, Rbac, RbacAction, Rule},
    config::Cidr,
};

/// Rules that decide, and rules that would (`shadow_rules`), which are only told.
pub(super) fn filters(rules: &Option<RbacMessage>, shadow: &Option<RbacMessage>) -> Result<Vec<Arc<Rbac>>> {
    let mut out = Vec::new();
    if let Some(rules) = rules {
        out.push(Arc::new(rbac(rules).at("rules")?));
    }
    if let Some(shadow) = shadow {
        let shadow = rbac(shadow).at("shadow_rules")?;
        out.push(Arc::new(Rbac { action: RbacAction::Log, ..shadow }));
    }
    Ok(out)
}

fn rbac(message: &RbacMessage) -> Result<Rbac> {
    let action = match choice("action", message.action)? {
        Action::Allow => RbacAction::Allow,
        Action::Deny => RbacAction::Deny,
        Action::Log => RbacAction::Log,
    };
    let mut named: Vec<_> = message.policies.iter().collect();
    named.sort_unstable_by_key(|(name, _)| *name);
    let policies = named.into_iter().map(|(name, message)| policy(name, message).at(&format!("policies[{name:?}]")));
    Ok(Rbac { action, policies: policies.collect::<Result<_>>()? })
}

fn policy(name: &str, message: &PolicyMessage) -> Result<Policy> {
    unsupported(message.condition.is_some(), "condition")?;
    unsupported(message.checked_condition.is_some(), "checked_condition")?;
    Ok(Policy {
        name: name.into(),
        permissions: each("permissions", &message.permissions, permission)?,
        principals: each("principals", &message.principals, principal)?,
    })
}

#[allow(deprecated, reason = "Istio still writes `metadata`")]
fn permission(message: &Permission) -> Result<Rule> {
    use permission::Rule as Message;
    Ok(match message.rule.as_ref().ok_or_else(|| fail("no rule is given"))? {
        Message::AndRules(set) => Rule::All(each("and_rules.rules", &set.rules, permission)?),
        Message::OrRules(set) => Rule::AnyOf(each("or_rules.rules", &set.rules, permission)?),
        Message::NotRule(rule) => Rule::Not(Box::new(permission(rule).at("not_rule")?)),
        Message::Any(any) => constant(*any)?,
        Message::Header(m) => Rule::Header(Box::new(headers::header(m).at("header")?)),
        Message::UrlPath(m) => Rule::Path(strings::path(m).at("url_path")?),
        Message::DestinationIp(range) => Rule::DestinationIp(cidr(range).at("destination_ip")?),
        Message::DestinationPort(number) => {
            let number = port(*number).at("destination_port")?;
            Rule::DestinationPort(number, number)
        }
        Message::DestinationPortRange(range) => {
            let bounds = (u16::try_from(range.start), u16::try_from(range.end.saturating_sub(1)));
            let (Ok(low), Ok(high)) = bounds else {
                return Err(fail(format!("[{}, {}) is not a range of ports", range.start, range.end)))
                    .at("destination_port_range");
            };
            Rule::DestinationPort(low, high)
        }
        Message::RequestedServerName(m) => Rule::ServerName(strings::string(m).at("requested_server_name")?),
        // No filter of ours writes dynamic metadata, so there is never a value to match.
        Message::Metadata(m) => Rule::Constant(m.invert),
        Message::Matcher(_) => return Err(other("matcher")),
        Message::UriTemplate(_) => return Err(other("uri_template")),
        Message::SourcedMetadata(_) => return Err(other("sourced_metadata")),
    })
}

#[allow(deprecated, reason = "Istio still writes `source_ip` and `metadata`")]
fn principal(message: &Principal) -> Result<Rule> {
    use principal::Identifier as Message;
    let range = |m, field| -> Result<Cidr> { cidr(m).at(field) };
    Ok(match message.identifier.as_ref().ok_or_else(|| fail("no identifier is given"))? {
        Message::AndIds(set) => Rule::All(each("and_ids.ids", &set.ids, principal)?),
        Message::OrIds(set) => Rule::AnyOf(each("or_ids.ids", &set.ids, principal)?),
        Message::NotId(id) => Rule::Not(Box::new(principal(id).at("not_id")?)),
        Message::Any(any) => constant(*any)?,
        Message::Authenticated(a) => {
            let name = a.principal_name.as_ref().map(strings::string).transpose();
            Rule::Peer(name.at("authenticated.principal_name")?)
        }
        Message::SourceIp(m) => Rule::DirectRemoteIp(range(m, "source_ip")?),
        Message::DirectRemoteIp(m) => Rule::DirectRemoteIp(range(m, "direct_remote_ip")?),
        Message::RemoteIp(m) => Rule::RemoteIp(range(m, "remote_ip")?),
        Message::Header(m) => Rule::Header(Box::new(headers::header(m).at("header")?)),
        Message::UrlPath(m) => Rule::Path(strings::path(m).at("url_path")?),
        Message::Metadata(m) => Rule::Constant(m.invert),
        Message::FilterState(_) => return Err(other("filter_state")),
        Message::SourcedMetadata(_) => return Err(other("sourced_metadata")),
        Message::Custom(_) => return Err(other("custom")),
    })
}

/// Envoy's schema allows only `any: true`.
fn constant(any: bool) -> Result<Rule> {
    if any { Ok(Rule::Constant(true)) } else { Err(fail("must be true")).at("any") }
}

fn other(field: &str) -> ReadError {
    ReadError { field: field.into(), reason: "not supported by this proxy".into() }
}
