//! `/auth`: signing in and out. These are addresses that a browser goes to, so what goes wrong is a page, not JSON.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Form, Json,
    extract::{
        ConnectInfo, DefaultBodyLimit, Query, State,
        rejection::{FormRejection, QueryRejection},
    },
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use weft_model::session::{Person, SessionInfo};

use super::{
    ApiError, guard,
    routes::{Routes, Shaped, get, post},
};
use crate::{
    app::App,
    auth::{Answer, CallbackQuery, Caller, Sight, SignInProblem},
};

/// Largest logout token, with its form.
const MAX_FORM: usize = 32 * 1024;

/// The addresses; without `app` only to be told.
pub(super) fn routes(app: Option<&Arc<App>>) -> Routes {
    const ON: &str = "Where the browser goes on; what went wrong is told there.";
    let mut out = post("/logout", "Ends the session.", sign_out);
    if let Some(app) = app.cloned() {
        out = out.behind(|out| out.layer(middleware::from_fn_with_state(app, guard::same_origin_writes)));
    }
    Routes::default()
        .with(get("/login", "Begins a sign-in with the provider.", login).answering(303, None, ON))
        .with(get("/callback", "Where the provider sends the browser back to.", callback).answering(303, None, ON))
        .with(get("/link", "Signs in with the link that was printed.", link).answering(303, None, ON))
        .with(post("/backchannel-logout", "Ends sessions; called by the provider itself.", backchannel).answering(
            200,
            None,
            "The sessions that the token names are ended.",
        ))
        .for_everybody()
        .with(out)
        .behind(|router| router.layer(DefaultBodyLimit::max(MAX_FORM)))
}

#[derive(Deserialize, JsonSchema)]
struct LoginQuery {
    /// Path of the page to come back to.
    return_to: Option<String>,
}

/// `GET /auth/login?return_to=/path`
async fn login(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    query: Result<Query<LoginQuery>, QueryRejection>,
) -> Response {
    let wanted = query.ok().and_then(|Query(query)| query.return_to);
    go(app.auth.begin(&headers, peer.ip(), wanted.as_deref()).await)
}

/// `GET /auth/callback`, as the provider sends the browser back.
async fn callback(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    query: Result<Query<CallbackQuery>, QueryRejection>,
) -> Response {
    let answer = query.map(|Query(query)| query).unwrap_or_default();
    go(app.auth.finish(&headers, peer.ip(), &answer).await)
}

#[derive(Deserialize, JsonSchema)]
struct LinkQuery {
    /// What the link carries; it works once.
    #[serde(default)]
    code: String,
}

/// `GET /auth/link?code=…`
async fn link(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    query: Result<Query<LinkQuery>, QueryRejection>,
) -> Response {
    let code = query.map(|Query(query)| query.code).unwrap_or_default();
    go(app.auth.by_link(&headers, peer.ip(), &code).await)
}

/// `POST /auth/logout`: answers `{"location": …}`, where the page goes.
async fn sign_out(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Shaped<Left> {
    let response = match app.auth.sign_out(&headers, peer.ip()).await {
        Ok(answer) => with_cookies(Json(Left { location: answer.location }).into_response(), answer.cookies),
        Err(problem) => {
            tracing::error!(error = %problem, "a session could not be ended");
            ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                problem.code(),
                "The session could not be ended.",
                "Try again. If it stays, look at the console's log.",
            )
            .into_response()
        }
    };
    response.into()
}

/// Answer of a sign-out.
#[derive(Serialize, JsonSchema)]
struct Left {
    /// Where the page goes: to the provider, if that has a session to end as well.
    location: String,
}

#[derive(Deserialize, JsonSchema)]
struct BackchannelForm {
    /// The provider's logout token (OpenID Connect Back-Channel Logout 1.0, 2.4).
    logout_token: String,
}

/// `POST /auth/backchannel-logout`, from the provider itself (OpenID Connect Back-Channel Logout 1.0, 2.5 and 2.8).
async fn backchannel(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    form: Result<Form<BackchannelForm>, FormRejection>,
) -> Response {
    let refused = |status: StatusCode, error: &str, why: String| {
        tracing::warn!(why, "a logout token was refused");
        (status, Json(json!({"error": error, "error_description": why}))).into_response()
    };
    let Ok(Form(form)) = form else {
        return refused(StatusCode::BAD_REQUEST, "invalid_request", "there is no logout_token".to_owned());
    };
    match app.auth.sign_out_from_afar(&headers, peer.ip(), &form.logout_token).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(problem @ SignInProblem::Session(_)) => {
            refused(StatusCode::INTERNAL_SERVER_ERROR, "server_error", problem.to_string())
        }
        Err(problem) => refused(StatusCode::BAD_REQUEST, "invalid_request", problem.to_string()),
    }
}

/// `GET /api/v1/session`: who asks, or how to sign in. The one resource of the API that is everybody's.
pub(super) async fn session(State(app): State<Arc<App>>, caller: Result<Caller, ApiError>) -> Shaped<SessionInfo> {
    let person = match caller {
        Ok(caller) => Some(person(&caller)),
        Err(error) if error.status() == StatusCode::UNAUTHORIZED => None,
        Err(error) => return error.into_response().into(),
    };
    let by_cluster = app.auth.reviewer().is_some();
    Json(SessionInfo { guarded: app.auth.guards(), person, methods: app.auth.methods(), by_cluster })
        .into_response()
        .into()
}

fn person(caller: &Caller) -> Person {
    let user = caller.user();
    Person {
        name: user.name.clone(),
        email: user.email.clone(),
        groups: user.groups.clone(),
        roles: caller.roles().to_vec(),
        how: caller.how().as_str().to_owned(),
        admin: caller.is_admin(),
        sees_all: *caller.sight() == Sight::All,
        sees_any: !matches!(caller.sight(), Sight::Only(namespaces) if namespaces.is_empty()),
        expires_ms: caller.expires_ms(),
        can_sign_out: caller.session().is_some(),
    }
}

/// Sends the browser on; what failed is told by its code on the page, in full in the log.
fn go(result: Result<Answer, SignInProblem>) -> Response {
    match result {
        Ok(answer) => match HeaderValue::from_str(&answer.location) {
            Ok(location) => {
                with_cookies((StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response(), answer.cookies)
            }
            Err(error) => ApiError::internal(&error).into_response(),
        },
        Err(problem) => {
            tracing::warn!(code = problem.code(), error = %problem, "somebody could not sign in");
            let location = HeaderValue::from_str(&format!("/signed-out?problem={}", problem.code()));
            let location = location.unwrap_or(HeaderValue::from_static("/signed-out"));
            (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
        }
    }
}

fn with_cookies(mut response: Response, cookies: Vec<HeaderValue>) -> Response {
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
