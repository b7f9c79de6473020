//! PeerAuthentication, AuthorizationPolicy, RequestAuthentication.

use weft_api::security::{
    AuthorizationPolicy, PeerAuthentication, RequestAuthentication, Selector, TargetRef,
    authorization_policy::{Action, Condition, Operation, Rule, Source},
    peer_authentication::MutualTlsMode,
};

use super::{labels, list};

/// Which workloads a policy is for.
pub(super) fn whom(selector: Option<&Selector>, targets: &[&TargetRef], namespace: &str) -> String {
    if !targets.is_empty() {
        let names: Vec<String> = targets.iter().map(|target| format!("{} {}", target.kind, target.name)).collect();
        return list(&names, "and");
    }
    match selector.filter(|selector| !selector.match_labels.is_empty()) {
        Some(selector) => format!("workloads with {} in {namespace}", labels(&selector.match_labels)),
        // The usual root namespace; another one is told as the namespace that it is.
        None if namespace == "istio-system" => "all workloads of the mesh".to_owned(),
        None => format!("all workloads in {namespace}"),
    }
}

pub(super) fn peer(spec: &PeerAuthentication, namespace: &str) -> Vec<String> {
    let whom = whom(spec.selector.as_ref(), &[], namespace);
    let words = |mode| match mode {
        MutualTlsMode::Unset => "take what the wider policy says (both, when there is none)",
        MutualTlsMode::Disable => "take plaintext only: nothing is encrypted",
        MutualTlsMode::Permissive => "take mutual TLS as well as plaintext",
        MutualTlsMode::Strict => "take mutual TLS only: callers without a proxy are refused",
    };
    let mode = spec.mtls.map(|mtls| mtls.mode).unwrap_or_default();
    let mut out = vec![format!("Of {whom}, all ports {}.", words(mode))];
    out.extend(spec.port_level_mtls.iter().map(|(port, mtls)| {
        format!("Port {port} differs; callers of it {}.", words(mtls.mode).replace("take", "may use"))
    }));
    out
}

pub(super) fn authorization(spec: &AuthorizationPolicy, namespace: &str) -> Vec<String> {
    let targets: Vec<&TargetRef> = spec.target_ref.iter().chain(&spec.target_refs).collect();
    let whom = whom(spec.selector.as_ref(), &targets, namespace);
    let (verb, rest) = match spec.action {
        Action::Allow => {
            ("may call", Some("Any other call to them is refused (403), unless another ALLOW policy lets it in."))
        }
        Action::Deny => ("may not call", None),
        Action::Audit => ("are noted when they call", None),
        Action::Custom => ("are put before the provider when they call", None),
    };
    if spec.rules.is_empty() {
        return vec![match spec.action {
            Action::Allow => format!("Nobody may call {whom}: ALLOW without rules lets nobody in."),
            _ => format!("It has no rules, so it does nothing to {whom}."),
        }];
    }
    let mut out: Vec<String> = spec.rules.iter().map(|rule| self::rule(rule, verb, &whom)).collect();
    out.extend(rest.map(str::to_owned));
    if spec.action == Action::Custom {
        out.extend(spec.provider.as_ref().map(|provider| format!("The provider is {}.", provider.name)));
    }
    out
}

fn rule(rule: &Rule, verb: &str, whom: &str) -> String {
    let sources: Vec<String> = rule.from.iter().map(|from| source(&from.source)).collect();
    let who = if sources.is_empty() { "All callers".to_owned() } else { format!("Callers {}", sources.join(", or ")) };
    let operations: Vec<String> =
        rule.to.iter().map(|to| operation(&to.operation)).filter(|words| !words.is_empty()).collect();
    let what = if operations.is_empty() { String::new() } else { format!(" {}", operations.join(", or ")) };
    let conditions: Vec<String> = rule.when.iter().map(condition).collect();
    let when = if conditions.is_empty() { String::new() } else { format!(", when {}", list(&conditions, "and")) };
    format!("{who} {verb} {whom}{what}{when}.")
}

/// Whichever of `lists` are given, each with the words in front of it.
fn given(lists: &[(&str, &[String])]) -> String {
    let words: Vec<String> = lists
        .iter()
        .filter(|(_, entries)| !entries.is_empty())
        .map(|(words, entries)| format!("{words} {}", list(entries, "or")))
        .collect();
    list(&words, "and")
}

fn source(source: &Source) -> String {
    given(&[
        ("who are", &source.principals),
        ("who are not", &source.not_principals),
        ("with the service account", &source.service_accounts),
        ("without the service account", &source.not_service_accounts),
        ("in namespace", &source.namespaces),
        ("outside of namespace", &source.not_namespaces),
        ("with a token of", &source.request_principals),
        ("without a token of", &source.not_request_principals),
        ("from address", &source.ip_blocks),
        ("not from address", &source.not_ip_blocks),
        ("from client address", &source.remote_ip_blocks),
        ("not from client address", &source.not_remote_ip_blocks),
    ])
}

fn operation(operation: &Operation) -> String {
    given(&[
        ("with method", &operation.methods),
        ("with another method than", &operation.not_methods),
        ("at", &operation.paths),
        ("anywhere but at", &operation.not_paths),
        ("for host", &operation.hosts),
        ("for any host but", &operation.not_hosts),
        ("on port", &operation.ports),
        ("on any port but", &operation.not_ports),
    ])
}

fn condition(condition: &Condition) -> String {
    let is = given(&[("is", &condition.values), ("is not", &condition.not_values)]);
    format!("{} {is}", condition.key)
}

pub(super) fn request(spec: &RequestAuthentication, namespace: &str) -> Vec<String> {
    let targets: Vec<&TargetRef> = spec.target_ref.iter().chain(&spec.target_refs).collect();
    let whom = whom(spec.selector.as_ref(), &targets, namespace);
    if spec.jwt_rules.is_empty() {
        return vec![format!("It knows no issuer, so it does nothing to {whom}.")];
    }
    let issuer = |rule: &weft_api::security::request_authentication::JwtRule| {
        let audience =
            if rule.audiences.is_empty() { String::new() } else { format!(" for {}", list(&rule.audiences, "or")) };
        format!("{}{audience}", rule.issuer)
    };
    let issuers: Vec<String> = spec.jwt_rules.iter().map(issuer).collect();
    vec![
        format!("Of requests to {whom}, tokens (JWT) are accepted from {}.", list(&issuers, "and")),
        "A request with any other token is refused (401); one without a token is let through, unless an AuthorizationPolicy asks for one.".to_owned(),
    ]
}
