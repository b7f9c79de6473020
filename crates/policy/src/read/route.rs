//! Routes.

mod action;
mod forward;

use std::{collections::HashMap, sync::Arc};

use envoy_types::pb::{
    envoy::{
        config::route::v3::{Route as Message, RouteMatch as MatchMessage, route, route_match::PathSpecifier},
        extensions::filters::http::{cors::v3::CorsPolicy, fault::v3::HttpFault},
    },
    google::protobuf::Any,
};
use prost::Name;
use weft_model::xds;

pub(super) use forward::Defaults;

use super::{
    At, Result, cors, each, fail, fault, headers,
    proto::{boolean, metadata_text, runtime_fraction, type_name, unpack},
    strings, unsupported,
};
use crate::config::{Action, Cors, Fault, PathMatch, Route, RouteMatch};

/// Filter settings that a route, or the virtual host around it, brings.
#[derive(Clone, Default)]
pub(super) struct PerFilter {
    pub fault: Option<Fault>,
    pub cors: Option<Cors>,
}

/// Reads `typed_per_filter_config`; what it does not say stays as `outer` says.
pub(super) fn per_filter(config: &HashMap<String, Any>, outer: &PerFilter) -> Result<PerFilter> {
    let mut out = outer.clone();
    for (filter, any) in config {
        let place = format!("typed_per_filter_config[{filter:?}]");
        match type_name(any) {
            name if name == HttpFault::full_name() => {
                out.fault = unpack(any).and_then(|m| fault::read(&m)).at(&place)?;
            }
            name if name == CorsPolicy::full_name() => {
                out.cors = unpack(any).and_then(|m| cors::read(&m)).at(&place)?
            }
            other => return Err(fail(format!("{other} is not supported"))).at(&place),
        }
    }
    Ok(out)
}

pub(super) fn read(message: &Message, defaults: &Defaults<'_>) -> Result<Route> {
    unsupported(!message.route_specifiers.is_empty(), "route_specifiers")?;
    if let Some(tracing) = &message.tracing {
        let sampling = [&tracing.client_sampling, &tracing.random_sampling, &tracing.overall_sampling];
        unsupported(sampling.iter().any(|s| s.is_some()), "tracing")?;
    }
    let filters = per_filter(&message.typed_per_filter_config, defaults.filters)?;
    let matcher = message.r#match.as_ref().ok_or_else(|| fail("is needed"));
    let action = match &message.action {
        Some(route::Action::Route(m)) => Action::Forward(Box::new(forward::read(m, defaults).at("route")?)),
        Some(route::Action::Redirect(m)) => Action::Redirect(Box::new(action::redirect(m).at("redirect")?)),
        Some(route::Action::DirectResponse(m)) => Action::Respond(action::respond(m).at("direct_response")?),
        Some(route::Action::FilterAction(_) | route::Action::NonForwardingAction(_)) => {
            return Err(fail("only route, redirect and direct_response are supported")).at("action");
        }
        None => return Err(fail("is needed")).at("action"),
    };
    let text = |key| metadata_text(&message.metadata, xds::WEFT_METADATA, key).map(Arc::from);
    Ok(Route {
        name: message.name.as_str().into(),
        matcher: matcher.and_then(read_match).at("match")?,
        action,
        request_headers: headers::ops(
            "request_headers",
            &message.request_headers_to_add,
            &message.request_headers_to_remove,
        )?,
        response_headers: headers::ops(
            "response_headers",
            &message.response_headers_to_add,
            &message.response_headers_to_remove,
        )?,
        fault: filters.fault.map(Box::new),
        cors: filters.cors.map(Box::new),
        virtual_service: text(xds::META_VIRTUAL_SERVICE),
        route_id: text(xds::META_ROUTE),
    })
}

fn read_match(m: &MatchMessage) -> Result<RouteMatch> {
    unsupported(!m.cookies.is_empty(), "cookies")?;
    unsupported(m.tls_context.is_some(), "tls_context")?;
    unsupported(!m.dynamic_metadata.is_empty(), "dynamic_metadata")?;
    unsupported(!m.filter_state.is_empty(), "filter_state")?;
    let path = match &m.path_specifier {
        Some(PathSpecifier::Prefix(p)) => PathMatch::Prefix(p.as_str().into()),
        Some(PathSpecifier::Path(p)) => PathMatch::Exact(p.as_str().into()),
        Some(PathSpecifier::PathSeparatedPrefix(p)) => PathMatch::Segments(p.trim_end_matches('/').into()),
        Some(PathSpecifier::SafeRegex(r)) => PathMatch::Regex(strings::whole(r).at("safe_regex")?),
        Some(PathSpecifier::ConnectMatcher(_)) => return Err(fail("is not supported")).at("connect_matcher"),
        Some(PathSpecifier::PathMatchPolicy(_)) => return Err(fail("is not supported")).at("path_match_policy"),
        None => return Err(fail("a path specifier is needed")),
    };
    Ok(RouteMatch {
        path,
        ignore_case: boolean(&m.case_sensitive) == Some(false),
        headers: headers::header_matches("headers", &m.headers)?,
        query: each("query_parameters", &m.query_parameters, headers::query)?,
        share: m.runtime_fraction.as_ref().map(runtime_fraction).transpose().at("runtime_fraction")?,
        grpc: m.grpc.is_some(),
    })
}
