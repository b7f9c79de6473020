//! Collects what is wrong, and the checks that many kinds share.

use std::net::IpAddr;

use weft_model::ObjectRef;

use crate::{Duration, ObjectError, StringMatch};

pub(super) struct Checks<'o> {
    object: &'o ObjectRef,
    errors: Vec<ObjectError>,
}

impl<'o> Checks<'o> {
    pub(super) fn new(object: &'o ObjectRef) -> Self {
        Self { object, errors: Vec::new() }
    }

    pub(super) fn finish(self) -> Vec<ObjectError> {
        self.errors
    }

    /// Takes over what was found elsewhere, as this object's.
    pub(super) fn extend(&mut self, found: Vec<ObjectError>) {
        self.errors.extend(found.into_iter().map(|error| ObjectError { object: Some(self.object.clone()), ..error }));
    }

    pub(super) fn error(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.push(field.into(), message.into(), None);
    }

    pub(super) fn advise(
        &mut self,
        field: impl Into<String>,
        message: impl Into<String>,
        suggestion: impl Into<String>,
    ) {
        self.push(field.into(), message.into(), Some(suggestion.into()));
    }

    pub(super) fn push(&mut self, field: String, message: String, suggestion: Option<String>) {
        self.errors.push(ObjectError { object: Some(self.object.clone()), field, message, suggestion });
    }

    /// 1 to 65535.
    pub(super) fn port(&mut self, field: impl Into<String>, number: u32) {
        if !(1..=65535).contains(&number) {
            self.error(field, format!("port {number} is not between 1 and 65535"));
        }
    }

    /// 0 to 100.
    pub(super) fn percent(&mut self, field: impl Into<String>, value: f64) {
        if !(0.0..=100.0).contains(&value) {
            self.error(field, format!("{value} is not a percentage between 0 and 100"));
        }
    }

    /// At least a millisecond, in whole milliseconds.
    pub(super) fn duration(&mut self, field: impl Into<String>, duration: Option<Duration>) {
        let Some(duration) = duration else { return };
        let nanos = duration.get().as_nanos();
        if nanos < 1_000_000 {
            self.error(field, format!("{duration} is too short: the least is 1ms"));
        } else if !nanos.is_multiple_of(1_000_000) {
            self.error(field, format!("{duration} is finer than a millisecond"));
        }
    }

    /// Not below zero.
    pub(super) fn not_negative(&mut self, field: impl Into<String>, value: Option<i32>) {
        if let Some(value) = value.filter(|value| *value < 0) {
            self.error(field, format!("{value} is negative"));
        }
    }

    /// A DNS name, perhaps short, perhaps with a leading wildcard.
    pub(super) fn host(&mut self, field: impl Into<String>, host: &str) {
        if host.is_empty() {
            self.error(field, "the host is empty");
        } else if !is_host(host) {
            self.error(field, format!("{:?} is not a host name", shorten(host)));
        }
    }

    /// An address, or a range of them.
    pub(super) fn subnet(&mut self, field: impl Into<String>, text: &str) {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let valid = match (address.parse::<IpAddr>(), bits.map(str::parse::<u8>)) {
            (Ok(_), None) => true,
            (Ok(IpAddr::V4(_)), Some(Ok(bits))) => bits <= 32,
            (Ok(IpAddr::V6(_)), Some(Ok(bits))) => bits <= 128,
            _ => false,
        };
        if !valid {
            self.error(field, format!("{:?} is not an IP address or CIDR range", shorten(text)));
        }
    }

    /// A pattern in RE2's syntax.
    pub(super) fn regex(&mut self, field: impl Into<String>, pattern: &str) {
        if pattern.is_empty() {
            self.error(field, "the regular expression is empty");
        } else if pattern.len() > 1024 {
            self.error(field, "the regular expression is longer than 1024 bytes");
        } else if let Err(error) = regex::Regex::new(pattern) {
            // The crate draws the pattern over several lines; its last line is the reason.
            let words = error.to_string();
            let reason = words.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            self.error(field, format!("{:?} is not a regular expression: {reason}", shorten(pattern)));
        }
    }

    /// A match of text whose patterns are sound.
    pub(super) fn string_match(&mut self, field: &str, text: &StringMatch) {
        match text {
            StringMatch::Prefix(prefix) if prefix.is_empty() => {
                self.error(format!("{field}.prefix"), "the prefix is empty")
            }
            StringMatch::Regex(pattern) => self.regex(format!("{field}.regex"), pattern),
            _ => {}
        }
    }

    /// A header's name.
    pub(super) fn header_name(&mut self, field: impl Into<String>, name: &str) {
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if name.is_empty() || !name.bytes().all(token) {
            self.error(field, format!("{:?} is not a header's name", shorten(name)));
        }
    }

    /// A name that is a DNS label.
    pub(super) fn label_name(&mut self, field: impl Into<String>, what: &str, name: &str) {
        if !is_dns_label(name) {
            self.error(field, format!("{what} {:?} is not made of lower-case letters, digits and '-'", shorten(name)));
        }
    }

    /// `.`, `*`, `~` alone, or namespaces.
    pub(super) fn export_to(&mut self, export_to: &[String]) {
        for (index, namespace) in export_to.iter().enumerate() {
            if !matches!(namespace.as_str(), "." | "*" | "~") && !is_dns_label(namespace) {
                self.advise(
                    format!("spec.exportTo[{index}]"),
                    format!("{:?} is not a namespace", shorten(namespace)),
                    "write \".\" for the own namespace, \"*\" for all, or a namespace's name",
                );
            }
        }
        if export_to.len() > 1 && export_to.iter().any(|namespace| matches!(namespace.as_str(), "*" | "~")) {
            self.error("spec.exportTo", "\"*\" and \"~\" must stand alone");
        }
    }
}

/// Whether a text is a label of RFC 1123, such as a namespace's name: lower-case letters, digits and hyphens, 63 at most.
pub fn is_dns_label(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// A DNS name of any depth; the first label may be or begin with `*`.
pub(super) fn is_host(host: &str) -> bool {
    if host.len() > 255 || host.is_empty() {
        return false;
    }
    let rest = match host.strip_prefix('*') {
        Some("") => return true,
        Some(rest) => rest.strip_prefix('.').or_else(|| rest.strip_prefix('-')).unwrap_or(rest),
        None => host,
    };
    rest.strip_suffix('.').unwrap_or(rest).split('.').all(|label| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    })
}

/// What a message quotes of the user's text.
pub(super) fn shorten(text: &str) -> String {
    if text.chars().count() <= 80 { text.to_owned() } else { text.chars().take(79).chain(['…']).collect() }
}
