//! What an HTTP route matches and does.

use weft_api::{
    StringMatch,
    networking::virtual_service::{HttpMatch, HttpRoute},
};

use super::{
    labels, list, percent, time,
    virtual_service::{destination, split},
};

/// What a request looks like that a match takes; empty when it takes all.
pub(super) fn case(case: &HttpMatch) -> String {
    let mut words = Vec::new();
    let no_case = if case.ignore_uri_case { " in any case" } else { "" };
    words.extend(case.uri.as_ref().map(|uri| match uri {
        StringMatch::Present => "for any path".to_owned(),
        StringMatch::Exact(path) => format!("for the path {path}{no_case}"),
        StringMatch::Prefix(path) => format!("for paths that begin with {path}{no_case}"),
        StringMatch::Regex(pattern) => format!("for paths like the pattern {pattern}"),
    }));
    words.extend(case.method.as_ref().map(|method| format!("with method {}", text(method))));
    words.extend(case.authority.as_ref().map(|host| format!("for host {}", text(host))));
    words.extend(case.scheme.as_ref().map(|scheme| format!("over {}", text(scheme))));
    words.extend(case.headers.iter().map(|(name, value)| match value {
        StringMatch::Present => format!("with the header {name}"),
        value => format!("with {name}: {}", text(value)),
    }));
    words.extend(case.without_headers.iter().map(|(name, value)| match value {
        StringMatch::Present => format!("without the header {name}"),
        value => format!("without {name}: {}", text(value)),
    }));
    words.extend(case.query_params.iter().map(|(name, value)| format!("with ?{name}={}", text(value))));
    words.extend(case.port.map(|port| format!("to port {port}")));
    words.extend(
        (!case.source_labels.is_empty()).then(|| format!("from workloads with {}", labels(&case.source_labels))),
    );
    words.extend((!case.source_namespace.is_empty()).then(|| format!("from namespace {}", case.source_namespace)));
    words.extend((!case.gateways.is_empty()).then(|| format!("through {}", list(&case.gateways, "or"))));
    list(&words, "and")
}

fn text(value: &StringMatch) -> String {
    match value {
        StringMatch::Present => "anything".to_owned(),
        StringMatch::Exact(text) => text.clone(),
        StringMatch::Prefix(text) => format!("{text}…"),
        StringMatch::Regex(pattern) => format!("the pattern {pattern}"),
    }
}

/// What happens to the requests of a route: `go to …`.
pub(super) fn outcome(route: &HttpRoute) -> String {
    if let Some(redirect) = &route.redirect {
        let code = redirect.redirect_code.unwrap_or(301);
        let mut to = Vec::new();
        to.extend((!redirect.scheme.is_empty()).then(|| redirect.scheme.clone()));
        to.extend((!redirect.authority.is_empty()).then(|| format!("host {}", redirect.authority)));
        to.extend(redirect.port.map(|port| format!("port {port}")));
        to.extend((!redirect.uri.is_empty()).then(|| format!("path {}", redirect.uri)));
        return format!("are redirected ({code}) to {}", list(&to, "and"));
    }
    if let Some(answer) = &route.direct_response {
        return format!("are answered with {} and go nowhere", answer.status);
    }
    if let Some(delegate) = &route.delegate {
        let namespace = if delegate.namespace.is_empty() { String::new() } else { format!("{}/", delegate.namespace) };
        return format!("are routed as VirtualService {namespace}{} says", delegate.name);
    }
    match route.route.len() {
        0 => "have no destination, so they fail".to_owned(),
        1 => format!("go to {}", split(route.route.iter().map(|arm| (&arm.destination, arm.weight)))),
        _ => format!("go {}", split(route.route.iter().map(|arm| (&arm.destination, arm.weight)))),
    }
}

/// What else is done to the requests of a route.
pub(super) fn extras(route: &HttpRoute) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(fault) = &route.fault {
        let share = |given: Option<f64>| match given {
            Some(100.0) => "every request".to_owned(),
            Some(value) => format!("{} of requests", percent(value)),
            None => "no request, as no percentage is given".to_owned(),
        };
        if let Some(delay) = &fault.delay {
            let length = delay.fixed_delay.map(time).unwrap_or_else(|| "no time".to_owned());
            let given = delay.percentage.map(|share| share.value).or(delay.percent.map(f64::from));
            out.push(format!("{length} of delay is put in on purpose for {}", share(given)));
        }
        if let Some(abort) = &fault.abort {
            let status = match (abort.http_status, &abort.grpc_status) {
                (Some(status), _) => format!("status {status}"),
                (None, Some(status)) => format!("gRPC status {status}"),
                (None, None) => "an error".to_owned(),
            };
            out.push(format!(
                "{status} is answered on purpose to {}",
                share(abort.percentage.map(|share| share.value))
            ));
        }
    }
    if let Some(timeout) = route.timeout.filter(|timeout| !timeout.get().is_zero()) {
        out.push(format!("a request may take {} in all", time(timeout)));
    }
    if let Some(retries) = &route.retries {
        out.push(match retries.attempts {
            ..=0 => "nothing is tried again".to_owned(),
            attempts => {
                let times = if attempts == 1 { "once".to_owned() } else { format!("up to {attempts} times") };
                let each =
                    retries.per_try_timeout.map(|each| format!(", each try within {}", time(each))).unwrap_or_default();
                let on = if retries.retry_on.is_empty() {
                    String::new()
                } else {
                    format!(", after {}", retries.retry_on.replace(',', ", "))
                };
                format!("a failed request is tried again {times}{each}{on}")
            }
        });
    }
    if let Some(rewrite) = &route.rewrite {
        let mut what = Vec::new();
        what.extend((!rewrite.uri.is_empty()).then(|| format!("the path becomes {}", rewrite.uri)));
        what.extend(
            rewrite.uri_regex_rewrite.as_ref().map(|by| format!("paths like {} become {}", by.pattern, by.rewrite)),
        );
        what.extend((!rewrite.authority.is_empty()).then(|| format!("the host becomes {}", rewrite.authority)));
        out.extend((!what.is_empty()).then(|| list(&what, "and")));
    }
    let whole =
        route.mirror_percentage.map(|share| share.value).or(route.mirror_percent.map(f64::from)).unwrap_or(100.0);
    let mirrors = route.mirror.iter().map(|to| (to, whole));
    let more =
        route.mirrors.iter().map(|mirror| (&mirror.destination, mirror.percentage.map_or(100.0, |share| share.value)));
    for (to, share) in mirrors.chain(more) {
        out.push(format!(
            "a copy of {} goes to {}, whose answers are dropped",
            if share >= 100.0 { "each".to_owned() } else { percent(share) },
            destination(to)
        ));
    }
    if let Some(headers) = &route.headers {
        for (which, changes) in [("request", &headers.request), ("response", &headers.response)] {
            let Some(changes) = changes else { continue };
            let set = changes.set.keys().map(|name| format!("{name} is set"));
            let add = changes.add.keys().map(|name| format!("{name} is added"));
            let remove = changes.remove.iter().map(|name| format!("{name} is removed"));
            let words: Vec<String> = set.chain(add).chain(remove).collect();
            out.extend((!words.is_empty()).then(|| format!("of the {which}'s headers {}", list(&words, "and"))));
        }
    }
    if route.cors_policy.is_some() {
        out.push("cross-origin requests are answered by the proxy".to_owned());
    }
    out
}
