//! `GET /api/v1/graph` and `GET /api/v1/graph/series`.

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Deserialize;
use weft_model::{
    events::VERSION_HEADER,
    graph::{Graph, SeriesAnswer, View},
};

use super::{ApiError, a_minute, checked_window, etag};
use crate::{
    app::App,
    auth::Caller,
    clock::now_ms,
    graph::{Answer, Ask, series},
    http::routes::Shaped,
    redact,
};

/// Most namespaces that one graph can be narrowed to.
const MAX_NAMESPACES: usize = 200;

/// `?view=app&window=60&at=1700000000000&namespaces=shop,bank&idle=true&wait=true`
#[derive(Debug, Deserialize, JsonSchema)]
pub(in crate::http) struct GraphQuery {
    /// Seconds that the figures are over.
    #[schemars(range(min = 10, max = 604_800))]
    #[serde(default = "a_minute")]
    window: u64,
    /// End of the window, milliseconds since the Unix epoch; now if absent.
    at: Option<u64>,
    /// What the nodes are.
    #[serde(default)]
    view: View,
    /// Only these namespaces and what they call, with commas between them, at most 200; empty for all.
    #[serde(default)]
    namespaces: String,
    /// Whether nodes without traffic are in it.
    idle: Option<bool>,
    /// Whether the answer waits for the quantiles.
    #[serde(default)]
    wait: bool,
}

impl GraphQuery {
    /// What is asked for, once it makes sense.
    pub fn checked(self) -> Result<Ask, ApiError> {
        let mut namespaces: Vec<String> =
            self.namespaces.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        namespaces.sort_unstable();
        namespaces.dedup();
        if namespaces.len() > MAX_NAMESPACES || namespaces.iter().any(|name| name.len() > 253) {
            return Err(ApiError::bad_request(
                "The namespaces cannot be read.".to_owned(),
                format!("Name at most {MAX_NAMESPACES}, with commas between them, or none for all."),
            ));
        }
        Ok(Ask {
            window_s: checked_window(self.window)?,
            at_ms: self.at.map(checked_moment).transpose()?,
            view: self.view,
            idle: self.idle,
            namespaces,
        })
    }
}

/// Scrapes are not looked for before this: 2001.
const EARLIEST_MS: u64 = 1_000_000_000_000;

/// A moment in whole seconds, so that those who replay the same time share answers.
fn checked_moment(at_ms: u64) -> Result<u64, ApiError> {
    if (EARLIEST_MS..=now_ms().saturating_add(5_000)).contains(&at_ms) {
        return Ok(at_ms / 1000 * 1000);
    }
    Err(ApiError::bad_request(
        "That moment cannot be shown.".to_owned(),
        "Give `at` in milliseconds since 1970, not in the future; leave it out for now.".to_owned(),
    ))
}

pub(super) async fn graph(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    query: Result<Query<GraphQuery>, QueryRejection>,
) -> Result<Shaped<Graph>, ApiError> {
    let Query(query) = query?;
    let wait = query.wait;
    let ask = query.checked()?;
    let sight = caller.sight();
    let answer = app.answers.get(&ask, app.view(), &|namespace| sight.sees(namespace), wait).await;
    Ok(respond(&answer, &headers).into())
}

/// Whether a reader takes gzip (RFC 9110, 12.5.3): a weight of 0 says that they do not.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.trim().parse::<f64>().ok());
        name.trim().eq_ignore_ascii_case("gzip") && weight != Some(0.0)
    })
}

fn respond(answer: &Answer, headers: &HeaderMap) -> Response {
    let known = headers.get_all(header::IF_NONE_MATCH).into_iter().any(|known| etag::has(known, &answer.etag));
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let gzip = takes_gzip(headers);
        let body = if gzip { Body::from(answer.gzip.clone()) } else { Body::from(answer.json.to_string()) };
        let mut response = ([(header::CONTENT_TYPE, "application/json")], body).into_response();
        if gzip {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    response.headers_mut().append(header::VARY, HeaderValue::from_static(etag::BY_WHOM));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(etag::KEPT));
    let version = header::HeaderName::from_static(VERSION_HEADER);
    for (name, text) in [(header::ETAG, &answer.etag), (version, &answer.version)] {
        if let Ok(value) = HeaderValue::from_str(text) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// `?node=shop/payment` or `?edge=shop/a->shop/b`, with `window`, `at` and `step`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct SeriesQuery {
    /// Id of a node, as the graph has it; either this or `edge`.
    node: Option<String>,
    /// Id of an edge: `source->destination`.
    edge: Option<String>,
    /// Seconds back from `at`.
    #[schemars(range(min = 10, max = 604_800))]
    #[serde(default = "an_hour")]
    window: u64,
    /// End of the window, milliseconds since the Unix epoch; now if absent.
    at: Option<u64>,
    /// Seconds between two points; by default as many as make about 60 points.
    step: Option<u64>,
}

fn an_hour() -> u64 {
    3600
}

pub(super) async fn series(
    State(app): State<Arc<App>>,
    caller: Caller,
    query: Result<Query<SeriesQuery>, QueryRejection>,
) -> Result<Json<SeriesAnswer>, ApiError> {
    let Query(query) = query?;
    let own = app.graphs.told().await;
    let subject = match (query.node, query.edge) {
        (Some(node), None) => series::Subject::node(&node, own.as_deref()),
        (None, Some(edge)) => series::Subject::edge(&edge, own.as_deref()),
        _ => None,
    };
    let Some(subject) = subject else {
        return Err(ApiError::bad_request(
            "It is not said of what the series are.".to_owned(),
            "Give the id of one node as `node`, or of one edge as `edge`, as the graph has them.".to_owned(),
        ));
    };
    let (view, sight) = (app.view(), caller.sight());
    let nothing = || {
        let title = "The graph has nothing of that id.".to_owned();
        ApiError::not_found(title, "Take an id from the graph, as you see it.")
    };
    // Whoever may not see it learns nothing, not even whether it is there.
    if !subject.namespaces(&view.estate).iter().all(|namespace| caller.sees(namespace)) {
        return Err(nothing());
    }
    let window_s = checked_window(query.window)?;
    let at_ms = query.at.map(checked_moment).transpose()?;
    let drawn = series::series(app.graphs.prometheus(), &subject, &view.estate, window_s, at_ms, query.step).await;
    let mut drawn = drawn.ok_or_else(nothing)?;
    redact::addresses::sources(&mut drawn.sources, sight);
    Ok(Json(drawn))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: header::HeaderName, value: &'static str) -> Response {
        let answer = Answer {
            json: "{}".into(),
            gzip: bytes::Bytes::from_static(b"packed"),
            etag: "W/\"abc\"".into(),
            version: "7".into(),
        };
        respond(&answer, &[(name, HeaderValue::from_static(value))].into_iter().collect())
    }

    #[test]
    fn a_graph_is_known_by_its_tag_alone() {
        for (known, status) in [("W/\"abc\"", 304), ("\"x\", \"abc\"", 304), ("*", 304), ("\"ab\"", 200)] {
            let answer = asked(header::IF_NONE_MATCH, known);
            assert_eq!(answer.status().as_u16(), status, "{known}");
            let told = [header::ETAG.as_str(), VERSION_HEADER].map(|name| answer.headers()[name].clone());
            assert_eq!(told, ["W/\"abc\"", "7"], "{known}");
        }
    }

    #[test]
    fn who_refuses_gzip_gets_none() {
        for (takes, packed) in
            [("gzip", true), ("br, GZIP;q=0.5", true), ("gzip;q=0", false), ("gzip; q=0.0, br", false)]
        {
            let answer = asked(header::ACCEPT_ENCODING, takes);
            assert_eq!(answer.headers().contains_key(header::CONTENT_ENCODING), packed, "{takes}");
        }
    }
}
