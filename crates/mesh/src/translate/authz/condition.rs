//! `when`: conditions by attribute.

use envoy_types::pb::envoy::config::rbac::v3::{Permission, Principal, permission, principal};
use weft_api::security::authorization_policy::Condition;

use super::{
    Context,
    rule::{All, Inexpressible, jwt, namespace, port, principals, service_account},
    text,
};

/// What holds beside a rule's sources and operations.
#[derive(Default)]
pub(super) struct Conditions {
    pub(super) permissions: Vec<Permission>,
    pub(super) principals: Vec<Principal>,
}

pub(super) fn all(conditions: &[Condition], context: &Context<'_>) -> Result<Conditions, Inexpressible> {
    let mut permissions = All::new(context);
    let mut who = All::new(context);
    for c in conditions {
        let (values, not_values) = (c.values.as_slice(), c.not_values.as_slice());
        match c.key.as_str() {
            "source.ip" => who.principal(values, not_values, |v| {
                Ok(vec![principal::Identifier::DirectRemoteIp(text::address_range(v).ok_or(Inexpressible)?)])
            })?,
            "remote.ip" => who.principal(values, not_values, |v| {
                Ok(vec![principal::Identifier::RemoteIp(text::address_range(v).ok_or(Inexpressible)?)])
            })?,
            "source.namespace" => who.principal(values, not_values, |v| Ok(vec![namespace(v)]))?,
            "source.principal" => who.principal(values, not_values, |v| Ok(principals(v, context)))?,
            "source.serviceAccount" => {
                who.principal(values, not_values, |v| Ok(vec![service_account(v, context)]))?;
            }
            "destination.ip" => permissions.permission(values, not_values, |v| {
                Ok(permission::Rule::DestinationIp(text::address_range(v).ok_or(Inexpressible)?))
            })?,
            "destination.port" => permissions.permission(values, not_values, port)?,
            "connection.sni" => permissions
                .permission(values, not_values, |v| Ok(permission::Rule::RequestedServerName(text::pattern(v))))?,
            key if key.starts_with("request.auth.") => who.principal(values, not_values, |_| jwt(context))?,
            key => {
                let header = key.strip_prefix("request.headers[").and_then(|k| k.strip_suffix(']'));
                who.principal(values, not_values, |v| match header {
                    Some(name) if !context.tcp && !name.is_empty() => {
                        Ok(vec![principal::Identifier::Header(text::header(name, v))])
                    }
                    _ => Err(Inexpressible),
                })?;
            }
        }
    }
    Ok(Conditions { permissions: permissions.done(), principals: who.done() })
}
