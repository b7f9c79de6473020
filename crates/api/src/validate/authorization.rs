//! The kinds of `security.istio.io`.

use super::checks::{Checks, shorten};
use crate::security::{
    AuthorizationPolicy, PeerAuthentication, RequestAuthentication, Selector, TargetRef,
    authorization_policy::{Action, Condition, Operation, Source},
};

/// Attributes that a condition may be about; those that end in `[` take a name in brackets.
const ATTRIBUTES: [&str; 15] = [
    "request.headers[",
    "source.ip",
    "remote.ip",
    "source.namespace",
    "source.principal",
    "source.serviceAccount",
    "request.auth.principal",
    "request.auth.audiences",
    "request.auth.presenter",
    "request.auth.claims[",
    "destination.ip",
    "destination.port",
    "connection.sni",
    "experimental.envoy.filters.",
    "request.auth.claims",
];

pub(super) fn check_peer(spec: &PeerAuthentication, checks: &mut Checks<'_>) {
    let selects = spec.selector.as_ref().is_some_and(|selector| !selector.match_labels.is_empty());
    if !spec.port_level_mtls.is_empty() && !selects {
        checks.error("spec.portLevelMtls", "settings of single ports need a selector with labels");
    }
    for port in spec.port_level_mtls.keys() {
        let mut field = "spec.portLevelMtls".to_owned();
        crate::field::push_key(&mut field, &port.to_string());
        checks.port(field, *port);
    }
    labels(spec.selector.as_ref(), checks);
}

pub(super) fn check_request(spec: &RequestAuthentication, checks: &mut Checks<'_>) {
    targets(spec.selector.as_ref(), spec.target_ref.as_ref(), &spec.target_refs, checks);
    for (index, rule) in spec.jwt_rules.iter().enumerate() {
        let at = format!("spec.jwtRules[{index}]");
        if rule.issuer.is_empty() {
            checks.error(&at, "the issuer is missing");
        }
        if !rule.jwks.is_empty() && !rule.jwks_uri.is_empty() {
            checks.error(&at, "only one of jwks and jwksUri may be given");
        }
        if !rule.jwks_uri.is_empty() && !rule.jwks_uri.starts_with("https://") && !rule.jwks_uri.starts_with("http://")
        {
            checks.error(format!("{at}.jwksUri"), format!("{:?} is not an http or https URL", shorten(&rule.jwks_uri)));
        }
        for (index, header) in rule.from_headers.iter().enumerate() {
            checks.header_name(format!("{at}.fromHeaders[{index}].name"), &header.name);
        }
        for (index, copy) in rule.output_claim_to_headers.iter().enumerate() {
            checks.header_name(format!("{at}.outputClaimToHeaders[{index}].header"), &copy.header);
            if copy.claim.is_empty() {
                checks.error(format!("{at}.outputClaimToHeaders[{index}]"), "the claim is missing");
            }
        }
        checks.duration(format!("{at}.timeout"), rule.timeout);
    }
}

pub(super) fn check(spec: &AuthorizationPolicy, checks: &mut Checks<'_>) {
    targets(spec.selector.as_ref(), spec.target_ref.as_ref(), &spec.target_refs, checks);
    match (&spec.action, &spec.provider) {
        (Action::Custom, None) => checks.error("spec", "action CUSTOM needs a provider"),
        (Action::Custom, Some(provider)) if provider.name.is_empty() => {
            checks.error("spec.provider", "the provider has no name");
        }
        (Action::Custom, Some(_)) | (_, None) => {}
        (action, Some(_)) => checks.error("spec.provider", format!("action {action} asks no provider")),
    }
    for (index, rule) in spec.rules.iter().enumerate() {
        let at = format!("spec.rules[{index}]");
        for (index, from) in rule.from.iter().enumerate() {
            source(&from.source, &format!("{at}.from[{index}].source"), checks);
        }
        for (index, to) in rule.to.iter().enumerate() {
            operation(&to.operation, &format!("{at}.to[{index}].operation"), checks);
        }
        for (index, when) in rule.when.iter().enumerate() {
            condition(when, &format!("{at}.when[{index}]"), checks);
        }
    }
}

fn source(source: &Source, at: &str, checks: &mut Checks<'_>) {
    if *source == Source::default() {
        checks.error(at, "the source is empty; leave from out to match every caller");
    }
    lists(
        at,
        &[
            ("principals", &source.principals),
            ("notPrincipals", &source.not_principals),
            ("requestPrincipals", &source.request_principals),
            ("notRequestPrincipals", &source.not_request_principals),
            ("namespaces", &source.namespaces),
            ("notNamespaces", &source.not_namespaces),
            ("serviceAccounts", &source.service_accounts),
            ("notServiceAccounts", &source.not_service_accounts),
        ],
        checks,
    );
    for (list, blocks) in [
        ("ipBlocks", &source.ip_blocks),
        ("notIpBlocks", &source.not_ip_blocks),
        ("remoteIpBlocks", &source.remote_ip_blocks),
        ("notRemoteIpBlocks", &source.not_remote_ip_blocks),
    ] {
        for (index, block) in blocks.iter().enumerate() {
            checks.subnet(format!("{at}.{list}[{index}]"), block);
        }
    }
    for (list, principals) in [("principals", &source.principals), ("notPrincipals", &source.not_principals)] {
        for (index, principal) in principals.iter().enumerate() {
            if let Some(rest) = principal.strip_prefix("spiffe://") {
                checks.advise(
                    format!("{at}.{list}[{index}]"),
                    "a principal is written without \"spiffe://\", so this matches nobody",
                    format!("write {rest:?}"),
                );
            }
        }
    }
    let accounts = !source.service_accounts.is_empty() || !source.not_service_accounts.is_empty();
    let others = !source.principals.is_empty() || !source.namespaces.is_empty();
    if accounts && others {
        checks.error(at, "serviceAccounts cannot be combined with principals or namespaces");
    }
}

fn operation(operation: &Operation, at: &str, checks: &mut Checks<'_>) {
    if *operation == Operation::default() {
        checks.error(at, "the operation is empty; leave to out to match every request");
    }
    lists(
        at,
        &[
            ("hosts", &operation.hosts),
            ("notHosts", &operation.not_hosts),
            ("methods", &operation.methods),
            ("notMethods", &operation.not_methods),
            ("paths", &operation.paths),
            ("notPaths", &operation.not_paths),
        ],
        checks,
    );
    for (list, ports) in [("ports", &operation.ports), ("notPorts", &operation.not_ports)] {
        for (index, port) in ports.iter().enumerate() {
            match port.parse::<u32>() {
                Ok(number) => checks.port(format!("{at}.{list}[{index}]"), number),
                Err(_) => checks.error(format!("{at}.{list}[{index}]"), format!("{:?} is not a port", shorten(port))),
            }
        }
    }
}

fn condition(when: &Condition, at: &str, checks: &mut Checks<'_>) {
    let known = ATTRIBUTES.iter().any(|attribute| match attribute.strip_suffix('[') {
        Some(_) => when.key.starts_with(attribute) && when.key.ends_with(']'),
        None if attribute.ends_with('.') => when.key.starts_with(attribute),
        None => when.key == *attribute && *attribute != "request.auth.claims",
    });
    if when.key.is_empty() {
        checks.error(at, "the key is missing");
    } else if !known {
        let names = ATTRIBUTES.iter().filter(|attribute| !attribute.ends_with(['[', '.'])).copied();
        let suggestion = crate::error::did_you_mean(&when.key, names);
        checks.push(format!("{at}.key"), format!("{:?} is not a known attribute", shorten(&when.key)), suggestion);
    }
    if when.values.is_empty() && when.not_values.is_empty() {
        checks.error(at, "one of values and notValues must be given");
    }
    if matches!(when.key.as_str(), "source.ip" | "remote.ip" | "destination.ip") {
        for (list, blocks) in [("values", &when.values), ("notValues", &when.not_values)] {
            for (index, block) in blocks.iter().enumerate() {
                checks.subnet(format!("{at}.{list}[{index}]"), block);
            }
        }
    }
}

fn lists(at: &str, lists: &[(&str, &Vec<String>)], checks: &mut Checks<'_>) {
    for (name, entries) in lists {
        for (index, entry) in entries.iter().enumerate() {
            if entry.is_empty() {
                checks.error(format!("{at}.{name}[{index}]"), "the entry is empty");
            }
        }
    }
}

pub(super) fn targets(
    selector: Option<&Selector>,
    target: Option<&TargetRef>,
    targets: &[TargetRef],
    checks: &mut Checks<'_>,
) {
    let given = [selector.is_some(), target.is_some(), !targets.is_empty()];
    if given.iter().filter(|given| **given).count() > 1 {
        checks.error("spec", "only one of selector and targetRefs may be given");
    }
    labels(selector, checks);
}

fn labels(selector: Option<&Selector>, checks: &mut Checks<'_>) {
    let Some(selector) = selector else { return };
    for (key, value) in &selector.match_labels {
        let mut field = "spec.selector.matchLabels".to_owned();
        crate::field::push_key(&mut field, key);
        if key.is_empty() {
            checks.error("spec.selector.matchLabels", "a label's name is empty");
        } else if value.contains('*') {
            checks.error(field, "a label's value is compared as it is; \"*\" matches nothing");
        }
    }
}
