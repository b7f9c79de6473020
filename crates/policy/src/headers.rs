//! Header mutations applied.

mod format;

use http::{HeaderMap, HeaderName, HeaderValue};

pub use format::FormatFacts;

use crate::{
    config::{HeaderOps, Route, SetAction, ValueTemplate, VirtualHost, WeightedCluster},
    route::RouteTable,
};

impl HeaderOps {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty()
    }

    /// Removes, then sets.
    pub fn apply(&self, headers: &mut HeaderMap, facts: &FormatFacts<'_>) {
        for name in &self.remove {
            headers.remove(name);
        }
        for set in &self.set {
            let value = match &set.value {
                ValueTemplate::Literal(value) => value.clone(),
                // A value that cannot be a header, say one with a line break from another header, is left out.
                ValueTemplate::Format(pieces) => match HeaderValue::try_from(format::fill(pieces, headers, facts)) {
                    Ok(value) => value,
                    Err(_) => continue,
                },
            };
            if !value.is_empty() || set.keep_empty {
                put(headers, &set.name, value, set.action);
            }
        }
    }
}

fn put(headers: &mut HeaderMap, name: &HeaderName, value: HeaderValue, action: SetAction) {
    match action {
        SetAction::Append => drop(headers.append(name, value)),
        SetAction::AddIfAbsent => {
            headers.entry(name).or_insert(value);
        }
        SetAction::Overwrite => drop(headers.insert(name, value)),
        SetAction::OverwriteIfExists => {
            if headers.contains_key(name) {
                headers.insert(name, value);
            }
        }
    }
}

impl RouteTable {
    /// Request header changes in the order in which they are to be applied.
    pub fn request_ops<'a>(
        &'a self,
        host: &'a VirtualHost,
        route: &'a Route,
        cluster: Option<&'a WeightedCluster>,
    ) -> impl Iterator<Item = &'a HeaderOps> {
        let cluster = cluster.map(|c| &c.request_headers);
        self.ordered([cluster, Some(&route.request_headers), Some(&host.request_headers), Some(&self.request_headers)])
    }

    /// Response header changes in the order in which they are to be applied.
    pub fn response_ops<'a>(
        &'a self,
        host: &'a VirtualHost,
        route: &'a Route,
        cluster: Option<&'a WeightedCluster>,
    ) -> impl Iterator<Item = &'a HeaderOps> {
        let cluster = cluster.map(|c| &c.response_headers);
        self.ordered([
            cluster,
            Some(&route.response_headers),
            Some(&host.response_headers),
            Some(&self.response_headers),
        ])
    }

    /// The most specific level comes first, unless it is to have the last word.
    fn ordered<'a>(&self, mut levels: [Option<&'a HeaderOps>; 4]) -> impl Iterator<Item = &'a HeaderOps> + use<'a> {
        if self.most_specific_wins {
            levels.reverse();
        }
        levels.into_iter().flatten().filter(|ops| !ops.is_empty())
    }
}

#[cfg(test)]
mod tests;
