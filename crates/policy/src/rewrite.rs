//! Path and authority rewrites, and redirects.

use std::borrow::Cow;

use crate::{
    config::{AuthorityRewrite, Forward, PathMatch, PathRewrite, Redirect, RedirectPath, WeightedCluster},
    facts::RequestFacts,
};

impl Forward {
    /// The path (with query) to send, if it changes; `matched` is the route's path condition.
    pub fn rewrite_path(&self, matched: &PathMatch, path: &str) -> Option<String> {
        self.path.as_ref().map(|rewrite| rewrite.apply(matched, path))
    }

    /// The authority to send, if it changes. `hostname` is the endpoint's.
    pub fn rewrite_authority<'a>(
        &'a self,
        cluster: &'a WeightedCluster,
        request: &RequestFacts<'a>,
        hostname: &'a str,
    ) -> Option<Cow<'a, str>> {
        if let Some(authority) = &cluster.authority {
            return Some(Cow::Borrowed(authority));
        }
        match self.authority.as_ref()? {
            AuthorityRewrite::Literal(authority) => Some(Cow::Borrowed(authority)),
            AuthorityRewrite::Auto => Some(Cow::Borrowed(hostname)).filter(|h| !h.is_empty()),
            AuthorityRewrite::Header(name) => {
                request.headers.get(name).and_then(|v| v.to_str().ok()).filter(|v| !v.is_empty()).map(Cow::Borrowed)
            }
            AuthorityRewrite::PathRegex(regex, with) => Some(regex.replace_all(request.path_only(), &**with)),
        }
    }
}

impl PathRewrite {
    /// The new path; the query, if any, is kept. It always starts with a slash.
    pub fn apply(&self, matched: &PathMatch, path: &str) -> String {
        let (path_only, query) = path.split_at(path.find(['?', '#']).unwrap_or(path.len()));
        let mut new = match self {
            Self::Prefix(with) => {
                let cut = match matched {
                    PathMatch::Prefix(p) | PathMatch::Exact(p) | PathMatch::Segments(p) => p.len(),
                    PathMatch::Regex(_) => path_only.len(),
                };
                format!("{with}{}", path_only.get(cut..).unwrap_or_default())
            }
            Self::Regex(regex, with) => regex.replace_all(path_only, &**with).into_owned(),
        };
        if !new.starts_with('/') {
            new.insert(0, '/');
        }
        new.push_str(query);
        new
    }
}

impl Redirect {
    /// The `location` to answer with; `matched` is the route's path condition.
    pub fn location(&self, matched: &PathMatch, request: &RequestFacts<'_>) -> String {
        let scheme = self.scheme.as_deref().unwrap_or(request.scheme);
        let host = match self.host.as_deref() {
            Some(host) => host,
            None => self.kept_authority(scheme, request),
        };
        let path = self.new_path(matched, request);
        match self.port {
            Some(port) => format!("{scheme}://{host}:{port}{path}"),
            None => format!("{scheme}://{host}{path}"),
        }
    }

    /// The request's authority; its port goes when another is wanted, or when it was the old scheme's own.
    fn kept_authority<'a>(&self, scheme: &str, request: &RequestFacts<'a>) -> &'a str {
        let host = crate::route::without_port(request.authority);
        let port = &request.authority[host.len()..];
        let own = matches!((request.scheme, port), ("http", ":80") | ("https", ":443"));
        if self.port.is_some() || (scheme != request.scheme && own) { host } else { request.authority }
    }

    fn new_path<'a>(&'a self, matched: &PathMatch, request: &RequestFacts<'a>) -> Cow<'a, str> {
        let path = match &self.path {
            // A query of its own is kept whatever else is said.
            Some(RedirectPath::Full(path)) if path.contains('?') => return Cow::Borrowed(path),
            Some(RedirectPath::Full(path)) => match request.query() {
                Some(query) if !self.strip_query => Cow::Owned(format!("{path}?{query}")),
                _ => Cow::Borrowed(&**path),
            },
            Some(RedirectPath::Rewrite(rewrite)) => Cow::Owned(rewrite.apply(matched, request.path)),
            None => Cow::Borrowed(request.path),
        };
        if !self.strip_query {
            return path;
        }
        let end = path.find('?').unwrap_or(path.len());
        match path {
            Cow::Borrowed(path) => Cow::Borrowed(&path[..end]),
            Cow::Owned(mut path) => {
                path.truncate(end);
                Cow::Owned(path)
            }
        }
    }
}

#[cfg(test)]
mod tests;
