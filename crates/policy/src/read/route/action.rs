//! Redirects and direct responses.

use envoy_types::pb::envoy::config::route::v3::{
    DirectResponseAction, RedirectAction,
    redirect_action::{PathRewriteSpecifier, RedirectResponseCode, SchemeRewriteSpecifier},
};
use http::StatusCode;

use super::super::{
    At, Result, fail,
    proto::{choice, inline, port},
    strings, unsupported,
};
use crate::config::{DirectResponse, PathRewrite, Redirect, RedirectPath};

/// Longest body of a direct response, Istio's limit.
const LONGEST_BODY: usize = 1 << 20;

pub(super) fn redirect(m: &RedirectAction) -> Result<Redirect> {
    let scheme = match &m.scheme_rewrite_specifier {
        Some(SchemeRewriteSpecifier::HttpsRedirect(true)) => Some("https".into()),
        Some(SchemeRewriteSpecifier::SchemeRedirect(scheme)) if scheme == "http" || scheme == "https" => {
            Some(scheme.as_str().into())
        }
        Some(SchemeRewriteSpecifier::SchemeRedirect(scheme)) => {
            return Err(fail(format!("{scheme:?} is neither http nor https"))).at("scheme_redirect");
        }
        Some(SchemeRewriteSpecifier::HttpsRedirect(false)) | None => None,
    };
    let path = match &m.path_rewrite_specifier {
        Some(PathRewriteSpecifier::PathRedirect(path)) if !path.is_empty() => {
            Some(RedirectPath::Full(absolute(path).at("path_redirect")?.into()))
        }
        Some(PathRewriteSpecifier::PrefixRewrite(with)) if !with.is_empty() => {
            Some(RedirectPath::Rewrite(PathRewrite::Prefix(with.as_str().into())))
        }
        Some(PathRewriteSpecifier::RegexRewrite(rewrite)) => {
            let (regex, with) = strings::substitution(rewrite).at("regex_rewrite")?;
            Some(RedirectPath::Rewrite(PathRewrite::Regex(regex, with)))
        }
        Some(PathRewriteSpecifier::PathRewrite(path)) => {
            unsupported(!path.is_empty(), "path_rewrite")?;
            None
        }
        Some(PathRewriteSpecifier::PathRedirect(_) | PathRewriteSpecifier::PrefixRewrite(_)) | None => None,
    };
    let status = match choice("response_code", m.response_code)? {
        RedirectResponseCode::MovedPermanently => StatusCode::MOVED_PERMANENTLY,
        RedirectResponseCode::Found => StatusCode::FOUND,
        RedirectResponseCode::SeeOther => StatusCode::SEE_OTHER,
        RedirectResponseCode::TemporaryRedirect => StatusCode::TEMPORARY_REDIRECT,
        RedirectResponseCode::PermanentRedirect => StatusCode::PERMANENT_REDIRECT,
    };
    let host = Some(m.host_redirect.as_str()).filter(|h| !h.is_empty());
    if host.is_some_and(|h| h.contains(|c: char| c.is_control() || c.is_whitespace() || c == '/')) {
        return Err(fail("is not a host")).at("host_redirect");
    }
    Ok(Redirect {
        scheme,
        host: host.map(Into::into),
        port: Some(port(m.port_redirect).at("port_redirect")?).filter(|p| *p != 0),
        path,
        strip_query: m.strip_query,
        status,
    })
}

/// A path that can stand in a `location` header.
fn absolute(path: &str) -> Result<&str> {
    if path.starts_with('/') && !path.contains(|c: char| c.is_control() || c == ' ') {
        return Ok(path);
    }
    Err(fail(format!("{path:?} is not an absolute path")))
}

pub(super) fn respond(m: &DirectResponseAction) -> Result<DirectResponse> {
    unsupported(m.body_format.is_some(), "body_format")?;
    let status = u16::try_from(m.status).ok().filter(|s| (200..600).contains(s));
    let status = status.and_then(|s| StatusCode::from_u16(s).ok());
    let body = m.body.as_ref().map_or(Ok(&[][..]), inline).at("body")?;
    if body.len() > LONGEST_BODY {
        return Err(fail(format!("is longer than {LONGEST_BODY} bytes"))).at("body");
    }
    Ok(DirectResponse {
        status: status.ok_or_else(|| fail("must be between 200 and 599")).at("status")?,
        body: body.into(),
    })
}
