//! One HTTP route.

use super::{
    checks::{Checks, shorten},
    virtual_service::{destination, gateways, weights},
};
use crate::{
    StringMatch,
    error::did_you_mean,
    networking::virtual_service::{
        CorsPolicy, DirectResponse, Fault, Headers, HttpMatch, HttpRoute, Redirect, Retry, Rewrite,
    },
};

pub(super) fn check(route: &HttpRoute, at: &str, in_delegate: bool, checks: &mut Checks<'_>) {
    let actions = [
        ("route", !route.route.is_empty()),
        ("redirect", route.redirect.is_some()),
        ("directResponse", route.direct_response.is_some()),
        ("delegate", route.delegate.is_some()),
    ];
    let given: Vec<_> = actions.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
    match given.as_slice() {
        [] => checks.error(at, "the route says nothing to do: give route, redirect, directResponse or delegate"),
        [_] => {}
        several => checks.error(at, format!("only one of {} may be given", several.join(", "))),
    }
    if let Some(delegate) = &route.delegate {
        if in_delegate {
            checks.error(format!("{at}.delegate"), "a delegate cannot delegate again");
        }
        checks.label_name(format!("{at}.delegate.name"), "the delegate", &delegate.name);
    }
    for (index, matching) in route.matches.iter().enumerate() {
        check_match(matching, &format!("{at}.match[{index}]"), checks);
    }
    for (index, to) in route.route.iter().enumerate() {
        let at = format!("{at}.route[{index}]");
        destination(&to.destination, &format!("{at}.destination"), checks);
        headers(to.headers.as_ref(), &at, checks);
    }
    weights(route.route.iter().map(|to| to.weight), &format!("{at}.route"), checks);
    // Zero turns the timeout off.
    checks.duration(format!("{at}.timeout"), route.timeout.filter(|timeout| !timeout.get().is_zero()));
    headers(route.headers.as_ref(), at, checks);
    redirect(route.redirect.as_ref(), at, checks);
    direct_response(route.direct_response.as_ref(), at, checks);
    rewrite(route.rewrite.as_ref(), at, checks);
    retries(route.retries.as_ref(), &format!("{at}.retries"), checks);
    fault(route.fault.as_ref(), at, checks);
    mirrors(route, at, checks);
    cors(route.cors_policy.as_ref(), at, checks);
}

fn check_match(matching: &HttpMatch, at: &str, checks: &mut Checks<'_>) {
    for (name, text) in [
        ("uri", &matching.uri),
        ("scheme", &matching.scheme),
        ("method", &matching.method),
        ("authority", &matching.authority),
    ] {
        match text {
            Some(StringMatch::Present) => {
                checks.error(format!("{at}.{name}"), "one of exact, prefix and regex must be given");
            }
            Some(text) => checks.string_match(&format!("{at}.{name}"), text),
            None => {}
        }
    }
    for (list, texts) in [("headers", &matching.headers), ("withoutHeaders", &matching.without_headers)] {
        for (name, text) in texts {
            let mut field = format!("{at}.{list}");
            crate::field::push_key(&mut field, name);
            // JWT claims are routed on as if they were headers; their names are not headers' names.
            if !name.starts_with("@request.auth.claims") && !name.starts_with(':') {
                checks.header_name(&field, name);
            }
            checks.string_match(&field, text);
        }
    }
    for (name, text) in &matching.query_params {
        let mut field = format!("{at}.queryParams");
        crate::field::push_key(&mut field, name);
        checks.string_match(&field, text);
    }
    if let Some(port) = matching.port.filter(|port| *port != 0) {
        checks.port(format!("{at}.port"), port);
    }
    gateways(at, &matching.gateways, checks);
}

fn headers(headers: Option<&Headers>, at: &str, checks: &mut Checks<'_>) {
    let Some(headers) = headers else { return };
    for (way, operations) in [("request", &headers.request), ("response", &headers.response)] {
        let Some(operations) = operations else { continue };
        for (what, map) in [("set", &operations.set), ("add", &operations.add)] {
            for (name, value) in map {
                let mut field = format!("{at}.headers.{way}.{what}");
                crate::field::push_key(&mut field, name);
                if !(way == "request" && name == ":authority") {
                    checks.header_name(&field, name);
                }
                if value.bytes().any(|b| (b < 0x20 && b != b'\t') || b == 0x7f) {
                    checks.error(field, "the value has control characters");
                }
            }
        }
        for (index, name) in operations.remove.iter().enumerate() {
            checks.header_name(format!("{at}.headers.{way}.remove[{index}]"), name);
        }
    }
}

fn redirect(redirect: Option<&Redirect>, at: &str, checks: &mut Checks<'_>) {
    let Some(redirect) = redirect else { return };
    let at = format!("{at}.redirect");
    let empty = redirect.uri.is_empty() && redirect.authority.is_empty() && redirect.scheme.is_empty();
    if empty && redirect.port.is_none() && redirect.derive_port.is_none() {
        checks.error(&at, "one of uri, authority, scheme and port must be given");
    }
    if let Some(code) = redirect.redirect_code.filter(|code| !matches!(code, 0 | 301 | 302 | 303 | 307 | 308)) {
        checks.error(format!("{at}.redirectCode"), format!("{code} is not one of 301, 302, 303, 307, 308"));
    }
    if !matches!(redirect.scheme.as_str(), "" | "http" | "https") {
        checks.error(format!("{at}.scheme"), format!("{:?} is not http or https", shorten(&redirect.scheme)));
    }
    if let Some(port) = redirect.port.filter(|port| *port != 0) {
        checks.port(format!("{at}.port"), port);
    }
}

fn direct_response(response: Option<&DirectResponse>, at: &str, checks: &mut Checks<'_>) {
    let Some(response) = response else { return };
    let at = format!("{at}.directResponse");
    if !(200..=599).contains(&response.status) {
        checks.error(format!("{at}.status"), format!("{} is not a status between 200 and 599", response.status));
    }
    if let Some(body) = &response.body {
        if body.string.is_some() && body.bytes.is_some() {
            checks.error(format!("{at}.body"), "only one of string and bytes may be given");
        }
        let size = body.string.as_ref().or(body.bytes.as_ref()).map_or(0, String::len);
        if size > 1024 * 1024 {
            checks.error(format!("{at}.body"), "the body is larger than 1 MiB");
        }
    }
}

fn rewrite(rewrite: Option<&Rewrite>, at: &str, checks: &mut Checks<'_>) {
    let Some(rewrite) = rewrite else { return };
    let at = format!("{at}.rewrite");
    if rewrite.uri.is_empty() && rewrite.authority.is_empty() && rewrite.uri_regex_rewrite.is_none() {
        checks.error(&at, "one of uri, authority and uriRegexRewrite must be given");
    }
    if !rewrite.uri.is_empty() && rewrite.uri_regex_rewrite.is_some() {
        checks.error(&at, "only one of uri and uriRegexRewrite may be given");
    }
    if let Some(pattern) = &rewrite.uri_regex_rewrite {
        checks.regex(format!("{at}.uriRegexRewrite.match"), &pattern.pattern);
        if pattern.rewrite.is_empty() {
            checks.error(format!("{at}.uriRegexRewrite.rewrite"), "the replacement is empty");
        }
    }
}

/// What Envoy's router and Istio know as conditions for a retry.
const RETRY_ON: [&str; 18] = [
    "5xx",
    "gateway-error",
    "reset",
    "reset-before-request",
    "connect-failure",
    "envoy-ratelimited",
    "retriable-4xx",
    "refused-stream",
    "retriable-status-codes",
    "retriable-headers",
    "http3-post-connect-failure",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
    "unimplemented",
    "unknown",
];

pub(super) fn retries(retries: Option<&Retry>, at: &str, checks: &mut Checks<'_>) {
    let Some(retries) = retries else { return };
    if retries.attempts < 0 {
        checks.error(format!("{at}.attempts"), format!("{} attempts are negative", retries.attempts));
    }
    let says_more =
        retries.per_try_timeout.is_some() || !retries.retry_on.is_empty() || retries.retry_remote_localities.is_some();
    if retries.attempts == 0 && says_more {
        checks.advise(
            at,
            "attempts is 0 or missing, which turns retries off, and yet there are settings for them",
            "set attempts, or leave the other settings out",
        );
    }
    checks.duration(format!("{at}.perTryTimeout"), retries.per_try_timeout);
    checks.duration(format!("{at}.backoff"), retries.backoff);
    if retries.retry_on.is_empty() {
        return;
    }
    for word in retries.retry_on.split(',').map(str::trim) {
        let status = word.parse::<u16>().is_ok_and(|status| (100..=599).contains(&status));
        if !status && !RETRY_ON.contains(&word) {
            let message = format!("{:?} is not a condition for a retry", shorten(word));
            checks.push(format!("{at}.retryOn"), message, did_you_mean(word, RETRY_ON));
        }
    }
}

fn fault(fault: Option<&Fault>, at: &str, checks: &mut Checks<'_>) {
    let Some(fault) = fault else { return };
    let at = format!("{at}.fault");
    if fault.delay.is_none() && fault.abort.is_none() {
        checks.error(&at, "one of delay and abort must be given");
    }
    if let Some(delay) = &fault.delay {
        if let Some(share) = delay.percentage {
            checks.percent(format!("{at}.delay.percentage.value"), share.value);
        }
        if let Some(share) = delay.percent {
            checks.percent(format!("{at}.delay.percent"), f64::from(share));
        }
        if delay.exponential_delay.is_some() {
            checks.advise(
                format!("{at}.delay.exponentialDelay"),
                "exponentialDelay is not supported",
                "use fixedDelay",
            );
        } else if delay.fixed_delay.is_none() {
            checks.error(format!("{at}.delay"), "fixedDelay is missing");
        }
        checks.duration(format!("{at}.delay.fixedDelay"), delay.fixed_delay);
    }
    if let Some(abort) = &fault.abort {
        if let Some(share) = abort.percentage {
            checks.percent(format!("{at}.abort.percentage.value"), share.value);
        }
        let given = [abort.http_status.is_some(), abort.grpc_status.is_some(), abort.http2_error.is_some()];
        match given.iter().filter(|given| **given).count() {
            0 => checks.error(format!("{at}.abort"), "one of httpStatus and grpcStatus must be given"),
            1 => {}
            _ => checks.error(format!("{at}.abort"), "only one of httpStatus, grpcStatus and http2Error may be given"),
        }
        if abort.http2_error.is_some() {
            checks.error(format!("{at}.abort.http2Error"), "http2Error is not supported");
        }
        if let Some(status) = abort.http_status.filter(|status| !(200..=599).contains(status)) {
            checks.error(format!("{at}.abort.httpStatus"), format!("{status} is not a status between 200 and 599"));
        }
        if let Some(status) = &abort.grpc_status
            && grpc_status(status).is_none()
        {
            let message = format!("{:?} is not a gRPC status", shorten(status));
            checks.push(format!("{at}.abort.grpcStatus"), message, did_you_mean(status, GRPC_STATUS));
        }
    }
}

/// gRPC's status codes, in the order of their numbers.
const GRPC_STATUS: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The number of a gRPC status that is written by name or number.
pub(crate) fn grpc_status(text: &str) -> Option<u32> {
    match text.parse::<u32>() {
        Ok(number) if number <= 16 => Some(number),
        Ok(_) => None,
        Err(_) => GRPC_STATUS.iter().position(|name| *name == text).and_then(|index| u32::try_from(index).ok()),
    }
}

fn mirrors(route: &HttpRoute, at: &str, checks: &mut Checks<'_>) {
    if let Some(mirror) = &route.mirror {
        destination(mirror, &format!("{at}.mirror"), checks);
        if !route.mirrors.is_empty() {
            checks.error(at, "only one of mirror and mirrors may be given");
        }
    }
    if let Some(share) = route.mirror_percentage {
        checks.percent(format!("{at}.mirrorPercentage.value"), share.value);
    }
    if let Some(share) = route.mirror_percent {
        checks.percent(format!("{at}.mirrorPercent"), f64::from(share));
    }
    for (index, mirror) in route.mirrors.iter().enumerate() {
        destination(&mirror.destination, &format!("{at}.mirrors[{index}].destination"), checks);
        if let Some(share) = mirror.percentage {
            checks.percent(format!("{at}.mirrors[{index}].percentage.value"), share.value);
        }
    }
}

fn cors(cors: Option<&CorsPolicy>, at: &str, checks: &mut Checks<'_>) {
    let Some(cors) = cors else { return };
    let at = format!("{at}.corsPolicy");
    for (index, origin) in cors.allow_origins.iter().enumerate() {
        let field = format!("{at}.allowOrigins[{index}]");
        match origin {
            StringMatch::Present => checks.error(field, "one of exact, prefix and regex must be given"),
            origin => checks.string_match(&field, origin),
        }
    }
    for (list, names) in [("allowHeaders", &cors.allow_headers), ("exposeHeaders", &cors.expose_headers)] {
        for (index, name) in names.iter().enumerate() {
            checks.header_name(format!("{at}.{list}[{index}]"), name);
        }
    }
    if let Some(age) = cors.max_age.filter(|age| age.get().subsec_nanos() != 0) {
        checks.error(format!("{at}.maxAge"), format!("{age} is finer than a second"));
    }
}
