//! Searches in TraceQL (<https://grafana.com/docs/tempo/latest/traceql/construct-traceql-queries/>).

use std::fmt::Write as _;

use crate::db::TraceFilter;

/// Bytes of a query. Tempo has cut longer ones at 1024 (<https://github.com/grafana/tempo/issues/4321>).
const MAX_QUERY: usize = 1000;
/// What is told of the spans that fit: which workload they are of, and whether they failed.
const TOLD: &str = " | select(status, resource.service.name, resource.service.namespace, resource.service.instance.id, \
                    resource.k8s.namespace.name, resource.k8s.workload.name, resource.k8s.deployment.name, \
                    resource.weft.workload)";

/// What says whose a span is; all of it is in [`TOLD`]. A tag of this name is looked for at the process only: of the span's
/// own, the answer could not be told from the process's.
const WHOSE: [&str; 7] = [
    "service.name",
    "service.namespace",
    "service.instance.id",
    "k8s.namespace.name",
    "k8s.workload.name",
    "k8s.deployment.name",
    "weft.workload",
];

/// A service as Tempo knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Service {
    pub name: String,
    /// Where its name does not say so.
    pub namespace: Option<String>,
}

#[derive(Debug)]
pub(super) struct Asked {
    pub text: String,
    /// Namespaces that cannot be asked for: they are looked for in the answer.
    pub namespaces_left_out: bool,
}

/// The query for a filter; or why there is none, in words.
pub(super) fn search(filter: &TraceFilter, service: Option<&Service>) -> Result<Asked, String> {
    let mut conditions = Vec::new();
    if let Some(least) = filter.min_us {
        conditions.push(format!("traceDuration >= {least}us"));
    }
    if let Some(most) = filter.max_us {
        conditions.push(format!("traceDuration <= {most}us"));
    }
    conditions.extend(service.map(of_service));
    if filter.errors {
        conditions.push("status = error".to_owned());
    }
    conditions.extend(filter.operation.as_deref().map(|name| format!("name = {}", quoted(name))));
    for (key, value) in &filter.tags {
        conditions.push(tag(key, value)?);
    }
    let bare = spanset(&conditions) + TOLD;
    // A service is of one namespace.
    let names = filter.namespaces.as_deref().filter(|_| service.is_none());
    conditions.extend(names.and_then(of_namespaces));
    let whole = spanset(&conditions) + TOLD;
    let namespaces_left_out = names.is_some() && (whole == bare || whole.len() > MAX_QUERY);
    let text = if whole.len() > MAX_QUERY { bare } else { whole };
    fitting(text).map(|text| Asked { text, namespaces_left_out })
}

/// The spans of a service.
pub(super) fn spans_of(service: &Service) -> Result<String, String> {
    fitting(spanset(&[of_service(service)]))
}

fn fitting(text: String) -> Result<String, String> {
    if text.len() > MAX_QUERY {
        return Err(format!("its question would have {} bytes, {MAX_QUERY} are possible", text.len()));
    }
    Ok(text)
}

fn spanset(conditions: &[String]) -> String {
    if conditions.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", conditions.join(" && ")) }
}

fn of_service(service: &Service) -> String {
    let name = format!("resource.service.name = {}", quoted(&service.name));
    let Some(namespace) = &service.namespace else { return name };
    let namespace = quoted(namespace);
    format!("{name} && (resource.k8s.namespace.name = {namespace} || resource.service.namespace = {namespace})")
}

/// `None` where one of them is no name of Kubernetes: only those mean themselves in a regular expression.
fn of_namespaces(names: &[String]) -> Option<String> {
    let plain = |name: &String| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    if !names.iter().all(plain) {
        return None;
    }
    let any = names.join("|");
    Some(format!(
        "(resource.k8s.namespace.name =~ \"{any}\" || resource.service.namespace =~ \"{any}\" \
         || resource.service.name =~ \".*[.]({any})\")"
    ))
}

/// A span's attribute, or its resource's. Types differ, and people type text: `503` may be either.
fn tag(key: &str, value: &str) -> Result<String, String> {
    let field = attribute(key)?;
    let text = format!("{field} = {}", quoted(value));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let integer = value.parse::<i64>().is_ok_and(|number| number.to_string() == value);
    let fraction = value.strip_prefix('-').unwrap_or(value).split_once('.');
    let fraction = value.len() < 20 && fraction.is_some_and(|(whole, part)| digits(whole) && digits(part));
    if integer || fraction || matches!(value, "true" | "false") {
        return Ok(format!("({text} || {field} = {value})"));
    }
    Ok(text)
}

/// A name that is not plain is quoted; there only quotes and backslashes can be escaped.
fn attribute(name: &str) -> Result<String, String> {
    if WHOSE.contains(&name) {
        return Ok(format!("resource.{name}"));
    }
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
        && !name.ends_with('.')
        && !["span.", "resource.", "parent.", "event.", "link."].iter().any(|scope| name.starts_with(scope));
    if plain {
        return Ok(format!(".{name}"));
    }
    if let Some(odd) = name.chars().find(|c| !is_shown(*c)) {
        return Err(format!("a tag's name has the character U+{:04X} in it", u32::from(odd)));
    }
    Ok(format!(".\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// A text as a literal; it has Go's escapes.
fn quoted(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => literal.extend(['\\', c]),
            c if is_shown(c) => literal.push(c),
            c if u32::from(c) <= 0xffff => {
                let _ = write!(literal, "\\u{:04x}", u32::from(c));
            }
            c => {
                let _ = write!(literal, "\\U{:08x}", u32::from(c));
            }
        }
    }
    literal.push('"');
    literal
}

fn is_shown(c: char) -> bool {
    matches!(c, ' '..='~') || (!c.is_ascii() && c.is_alphanumeric())
}

#[cfg(test)]
mod tests;
