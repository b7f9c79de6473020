//! Requests and answers, with the reader's token where one was given.

use std::cell::RefCell;

use leptos::prelude::window;
use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, AbortSignal, Headers, RequestCache, RequestInit, Response};
use weft_model::{config::Problem, events::VERSION_HEADER};

use super::ROOT;
use crate::shown::visible;

/// After this many milliseconds without an answer, the console counts as away.
const TIMEOUT_MS: u32 = 15_000;

/// What an answer is, or what went wrong and what to do.
pub type Answer<T> = Result<T, Problem>;

/// An answer with what tells it from others.
pub struct Tagged<T> {
    /// The answer.
    pub value: T,
    /// Which version it is of, or its ETag; empty where it has neither.
    pub tag: String,
}

thread_local! {
    /// Called when an answer says that nobody is signed in any more.
    static ENDED: RefCell<Option<Box<dyn Fn()>>> = const { RefCell::new(None) };
    /// The reader's token. It lives in this page's memory and nowhere else: a reload forgets it.
    static TOKEN: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Calls `act` whenever an answer says that nobody is signed in any more.
pub fn when_session_ends(act: impl Fn() + 'static) {
    ENDED.with_borrow_mut(|ended| *ended = Some(Box::new(act)));
}

/// Sends `token` with every request from now on; an empty one with none.
pub fn give_token(token: &str) {
    TOKEN.with_borrow_mut(|known| token.trim().clone_into(known));
}

/// Puts the token on a request, if there is one.
fn sign(headers: &Headers, path: &str) -> Result<(), Problem> {
    let value = TOKEN.with_borrow(|token| (!token.is_empty()).then(|| format!("Bearer {token}")));
    let Some(value) = value else { return Ok(()) };
    headers.set("authorization", &value).map_err(|_| Problem {
        kind: "bad-token".to_owned(),
        title: format!("That is not a bearer token, so {path} was not asked."),
        detail: "Give what kubectl create token NAME prints.".to_owned(),
        status: 401,
        patch: None,
    })
}

/// Asks for what is at a path of the API.
pub(super) async fn get<T: DeserializeOwned>(path: &str) -> Answer<T> {
    Ok(get_tagged(path).await?.value)
}

/// The same with its tag.
pub(super) async fn get_tagged<T: DeserializeOwned>(path: &str) -> Answer<Tagged<T>> {
    let headers = Headers::new().map_err(|_| unreachable(path))?;
    sign(&headers, path)?;
    let init = RequestInit::new();
    init.set_headers(&headers);
    // On the way back a browser takes what it kept without asking, and somebody else may have signed in since.
    init.set_cache(RequestCache::NoCache);
    send(&format!("{ROOT}{path}"), &init).await
}

/// Sends something to a path of the API.
pub(super) async fn post<T: DeserializeOwned>(path: &str, body: &impl Serialize) -> Answer<T> {
    post_to(&format!("{ROOT}{path}"), body).await
}

/// The same to any path.
pub(super) async fn post_to<T: DeserializeOwned>(path: &str, body: &impl Serialize) -> Answer<T> {
    let body = serde_json::to_string(body).map_err(|error| unexpected(path, &error.to_string()))?;
    let init = change(path, "POST")?;
    init.set_body(&JsValue::from_str(&body));
    Ok(send(path, &init).await?.value)
}

/// A request that changes something.
pub(super) fn change(path: &str, method: &str) -> Answer<RequestInit> {
    let headers = Headers::new().map_err(|_| unreachable(path))?;
    for (name, value) in [("content-type", "application/json"), ("x-weft-request", "1")] {
        headers.set(name, value).map_err(|_| unreachable(path))?;
    }
    sign(&headers, path)?;
    let init = RequestInit::new();
    init.set_method(method);
    init.set_headers(&headers);
    Ok(init)
}

/// Makes a request and reads its answer.
pub(super) async fn send<T: DeserializeOwned>(path: &str, init: &RequestInit) -> Answer<Tagged<T>> {
    init.set_signal(Some(&AbortSignal::timeout_with_u32(TIMEOUT_MS)));
    let response = JsFuture::from(window().fetch_with_str_and_init(path, init)).await;
    let response: Response = response.ok().and_then(|value| value.dyn_into().ok()).ok_or_else(|| unreachable(path))?;
    let text = match response.text() {
        Ok(text) => JsFuture::from(text).await.ok().and_then(|text| text.as_string()),
        Err(_) => None,
    };
    let text = text.ok_or_else(|| unreachable(path))?;
    if response.ok() {
        let text = if text.is_empty() { "null" } else { &text };
        let value = serde_json::from_str(text).map_err(|error| unexpected(path, &error.to_string()))?;
        let told = |name: &str| response.headers().get(name).ok().flatten();
        let tag = told(VERSION_HEADER).or_else(|| told("etag")).unwrap_or_default();
        return Ok(Tagged { value, tag });
    }
    Err(refused(path, response.status(), &text))
}

/// What an answer says that is no success.
fn refused(path: &str, status: u16, text: &str) -> Problem {
    let mut problem = serde_json::from_str(text).unwrap_or_else(|_| Problem {
        kind: format!("http-{status}"),
        title: format!("{path} answered {status}."),
        detail: "Try again; if it stays, the console's log says more.".to_owned(),
        status,
        patch: None,
    });
    if problem.kind == "sign-in" {
        ENDED.with_borrow(|ended| ended.iter().for_each(|act| act()));
    }
    // Its words repeat what others wrote; its patch is copied as it is.
    (problem.title, problem.detail) = (visible(&problem.title), visible(&problem.detail));
    problem
}

/// Why the event stream at `address` is refused, which a stream does not say itself; `None` when it is not.
pub async fn refusal(address: &str) -> Option<Problem> {
    let leave = AbortController::new().ok()?;
    let init = RequestInit::new();
    init.set_signal(Some(&leave.signal()));
    let late = leave.clone();
    let _limit = gloo_timers::callback::Timeout::new(TIMEOUT_MS, move || late.abort());
    // Without an answer there is no refusal either.
    let answer = JsFuture::from(window().fetch_with_str_and_init(address, &init)).await.ok()?;
    let response: Response = answer.dyn_into().ok()?;
    if response.ok() {
        // Its body would never end.
        leave.abort();
        return None;
    }
    let text = JsFuture::from(response.text().ok()?).await.ok()?.as_string()?;
    Some(refused(address, response.status(), &text))
}

fn unreachable(path: &str) -> Problem {
    Problem {
        kind: "unreachable".to_owned(),
        title: format!("The console does not answer ({path})."),
        detail: "Check that weft-console still runs and that this address is the one it printed.".to_owned(),
        status: 0,
        patch: None,
    }
}

fn unexpected(path: &str, error: &str) -> Problem {
    Problem {
        kind: "unexpected".to_owned(),
        title: format!("The console's answer to {path} cannot be read: {error}."),
        detail: "The page and the console may be of different versions: load the page again.".to_owned(),
        status: 0,
        patch: None,
    }
}
