//! What an object does, in sentences: what a colleague would say who was asked about it. Pure, and of one object alone;
//! whether its hosts and subsets exist is lint's business.

mod gateway;
mod http;
mod http_route;
mod policy;
mod security;
mod telemetry;
mod virtual_service;

use weft_api::{Object, Spec, networking::virtual_service::HttpRoute};
use weft_model::diagnostic::shortened;

/// Sentences beyond this are told as a number: nobody reads more.
const MAX_SENTENCES: usize = 40;

/// What the object does; nothing for kinds whose content says it all.
pub fn of(object: &Object) -> Vec<String> {
    let mut sentences = match &object.spec {
        Spec::VirtualService(spec) => virtual_service::sentences(spec),
        Spec::DestinationRule(spec) => policy::sentences(spec),
        Spec::PeerAuthentication(spec) => security::peer(spec, &object.reference.namespace),
        Spec::AuthorizationPolicy(spec) => security::authorization(spec, &object.reference.namespace),
        Spec::RequestAuthentication(spec) => security::request(spec, &object.reference.namespace),
        Spec::Telemetry(spec) => telemetry::sentences(spec, &object.reference.namespace),
        Spec::Gateway(spec) => gateway::gateway(spec),
        Spec::ServiceEntry(spec) => gateway::service_entry(spec),
        Spec::Sidecar(spec) => gateway::sidecar(spec, &object.reference.namespace),
        Spec::Other(value) if object.reference.kind == "HTTPRoute" => http_route::sentences(value),
        _ => Vec::new(),
    };
    if sentences.len() > MAX_SENTENCES {
        let more = sentences.len() - MAX_SENTENCES;
        sentences.truncate(MAX_SENTENCES);
        sentences.push(format!("{more} more are not written out here."));
    }
    sentences.iter().map(|sentence| shortened(sentence).into_owned()).collect()
}

/// Which requests an HTTP route takes, such as `Requests with x-canary: true`; `others` whether any was tried before it.
pub fn requests(route: &HttpRoute, others: bool) -> String {
    shortened(&virtual_service::requests(route, others)).into_owned()
}

/// What happens to them, such as `go to subset v1 of orders`.
pub fn outcome(route: &HttpRoute) -> String {
    shortened(&http::outcome(route)).into_owned()
}

/// `a`, `a and b`, `a, b and c`.
fn list<T: AsRef<str>>(words: &[T], and: &str) -> String {
    match words {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} {and} {}", first.join(", "), last.as_ref())
        }
    }
}

/// `app=cart and version=v1`.
fn labels<'a>(labels: impl IntoIterator<Item = (&'a String, &'a String)>) -> String {
    let pairs: Vec<String> = labels.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
    list(&pairs, "and")
}

/// A share as people write it: `12.5 %`.
fn percent(value: f64) -> String {
    let text = format!("{value:.2}");
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// `300 ms`, `1.5 s`, `5 min`.
fn time(duration: weft_api::Duration) -> String {
    let ms = duration.get().as_millis();
    match ms {
        0..1000 => format!("{ms} ms"),
        _ if ms.is_multiple_of(3_600_000) => format!("{} h", ms / 3_600_000),
        _ if ms.is_multiple_of(60_000) => format!("{} min", ms / 60_000),
        _ if ms.is_multiple_of(1000) => format!("{} s", ms / 1000),
        _ => format!("{}.{} s", ms / 1000, format!("{:03}", ms % 1000).trim_end_matches('0')),
    }
}

#[cfg(test)]
mod tests;
