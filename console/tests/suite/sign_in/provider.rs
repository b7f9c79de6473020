//! An OpenID provider that answers the real flow, and lies where a test tells it to.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Form, Json, Router,
    body::Body,
    extract::{Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use parking_lot::Mutex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::{net::TcpListener, sync::Semaphore};

use super::token::{Draft, Key, Keys};

pub const CLIENT_SECRET: &str = "the-clients-own-secret-of-32-bytes";
/// In every access token, so that a test finds one where it must not be.
pub const ACCESS: &str = "access-token-that-nobody-may-read";

/// Bends a token.
pub type Bend = fn(&mut Draft, &Keys, &str);

/// How the token endpoint answers.
#[derive(Clone)]
pub enum Answer {
    /// With a token.
    Token,
    /// With this status, content type and body, in which CODE, VERIFIER and SECRET stand for what it was sent.
    Text(u16, &'static str, String),
    /// With so many bytes.
    Endless(usize),
    /// Not at all.
    Never,
    /// By sending the console elsewhere.
    Elsewhere,
}

/// A running provider.
#[derive(Clone)]
pub struct Provider {
    pub issuer: String,
    shared: Arc<Shared>,
}

struct Shared {
    keys: Mutex<Keys>,
    bend: Mutex<Bend>,
    answer: Mutex<Answer>,
    /// Changes of the discovery document.
    discovery: Mutex<fn(&mut Value)>,
    /// Nonce and challenge by code.
    codes: Mutex<HashMap<String, (String, String)>>,
    /// Everything secret that passed through.
    secrets: Mutex<Vec<String>>,
    fetched: AtomicUsize,
    asked: AtomicUsize,
    silent: Mutex<bool>,
    /// The refresh token that works now, if it gives any.
    refresh: Mutex<Option<String>>,
    renewals: AtomicUsize,
    /// Renewals that may be answered.
    answered: Semaphore,
}

impl Provider {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shared = Shared {
            keys: Mutex::new(Keys::new()),
            bend: Mutex::new(|_, _, _| {}),
            answer: Mutex::new(Answer::Token),
            discovery: Mutex::new(|_| {}),
            codes: Mutex::default(),
            secrets: Mutex::new(vec![CLIENT_SECRET.to_owned(), ACCESS.to_owned()]),
            fetched: AtomicUsize::new(0),
            asked: AtomicUsize::new(0),
            silent: Mutex::new(false),
            refresh: Mutex::default(),
            renewals: AtomicUsize::new(0),
            answered: Semaphore::new(0),
        };
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let provider = Self { issuer, shared: Arc::new(shared) };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        provider
    }

    /// Tokens are bent like this from now on.
    pub fn lie(&self, bend: Bend) {
        *self.shared.bend.lock() = bend;
    }

    /// The token endpoint answers like this from now on.
    pub fn answer(&self, answer: Answer) {
        *self.shared.answer.lock() = answer;
    }

    /// The discovery document is changed like this from now on.
    pub fn discovered(&self, change: fn(&mut Value)) {
        *self.shared.discovery.lock() = change;
    }

    /// It stops answering discovery, or begins again.
    pub fn silent(&self, silent: bool) {
        *self.shared.silent.lock() = silent;
    }

    /// Its tokens can be renewed from now on, once each; a renewal is answered after `let_go`.
    pub fn renews(&self) {
        *self.shared.refresh.lock() = Some(self.refresh_token(0));
    }

    /// How many renewals were asked for.
    pub fn renewals(&self) -> usize {
        self.shared.renewals.load(Ordering::SeqCst)
    }

    /// Answers one renewal.
    pub fn let_go(&self) {
        self.shared.answered.add_permits(1);
    }

    fn refresh_token(&self, number: usize) -> String {
        let token = format!("refresh-token-{number}-that-works-once");
        self.shared.secrets.lock().push(token.clone());
        token
    }

    /// A token that is not of a sign-in, bent.
    pub fn token(&self, bend: Bend) -> String {
        self.made(None, bend)
    }

    /// The same, bent twice.
    pub fn token_after(&self, first: Bend, then: Bend) -> String {
        self.made_with(None, &[first, then])
    }

    fn made(&self, nonce: Option<&str>, bend: Bend) -> String {
        self.made_with(nonce, &[bend])
    }

    fn made_with(&self, nonce: Option<&str>, bends: &[Bend]) -> String {
        let keys = self.shared.keys.lock();
        let mut draft = Draft::honest(&keys, &self.issuer);
        if let Some(nonce) = nonce {
            draft.claims["nonce"] = nonce.into();
        }
        for bend in bends {
            bend(&mut draft, &keys, &self.issuer);
        }
        let token = draft.signed(&keys);
        self.shared.secrets.lock().push(token.clone());
        token
    }

    /// It signs with a new key and forgets the one before.
    pub fn rotate(&self) {
        self.shared.keys.lock().own = Key::new("second", "sig");
    }

    /// How often its keys were asked for.
    pub fn fetched(&self) -> usize {
        self.shared.fetched.load(Ordering::SeqCst)
    }

    /// How often its discovery document was asked for.
    pub fn asked(&self) -> usize {
        self.shared.asked.load(Ordering::SeqCst)
    }

    /// Everything that no log may hold.
    pub fn secrets(&self) -> Vec<String> {
        self.shared.secrets.lock().clone()
    }
}

async fn discovery(State(provider): State<Provider>) -> Response {
    provider.shared.asked.fetch_add(1, Ordering::SeqCst);
    if *provider.shared.silent.lock() {
        std::future::pending::<()>().await;
    }
    let at = |path: &str| format!("{}{path}", provider.issuer);
    let mut document = json!({
        "issuer": provider.issuer, "authorization_endpoint": at("/authorize"), "token_endpoint": at("/token"),
        "jwks_uri": at("/keys"), "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
        "authorization_response_iss_parameter_supported": true,
    });
    let change = *provider.shared.discovery.lock();
    change(&mut document);
    Json(document).into_response()
}

async fn keys(State(provider): State<Provider>) -> Json<Value> {
    provider.shared.fetched.fetch_add(1, Ordering::SeqCst);
    let keys = provider.shared.keys.lock();
    Json(json!({"keys": [keys.encryption.jwk(), keys.own.jwk()]}))
}

async fn authorize(State(provider): State<Provider>, Query(query): Query<HashMap<String, String>>) -> Redirect {
    let mut codes = provider.shared.codes.lock();
    let code = format!("code-{}-of-a-sign-in", codes.len());
    codes.insert(code.clone(), (query["nonce"].clone(), query["code_challenge"].clone()));
    provider.shared.secrets.lock().extend([code.clone(), query["state"].clone(), query["nonce"].clone()]);
    assert_eq!(query["code_challenge_method"], "S256");
    Redirect::to(&format!("{}?code={code}&state={}&iss={}", query["redirect_uri"], query["state"], provider.issuer))
}

async fn token(State(provider): State<Provider>, Form(form): Form<HashMap<String, String>>) -> Response {
    if let Some(used) = form.get("refresh_token") {
        return renewed(&provider, used).await;
    }
    let (code, verifier) = (&form["code"], &form["code_verifier"]);
    provider.shared.secrets.lock().push(verifier.clone());
    let (nonce, challenge) = provider.shared.codes.lock().remove(code).expect("a code is redeemed once");
    assert_eq!(URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())), challenge);
    let answer = provider.shared.answer.lock().clone();
    match answer {
        Answer::Token => {
            let bend = *provider.shared.bend.lock();
            let token = provider.made(Some(&nonce), bend);
            let refresh = provider.shared.refresh.lock().clone();
            tokens(&token, refresh.as_deref())
        }
        Answer::Text(status, media, body) => {
            let body = body.replace("CODE", code).replace("VERIFIER", verifier).replace("SECRET", CLIENT_SECRET);
            (StatusCode::from_u16(status).unwrap(), [(header::CONTENT_TYPE, media)], body).into_response()
        }
        Answer::Endless(bytes) => {
            let parts = futures::stream::iter((0..bytes / 65_536).map(|_| Ok::<_, std::io::Error>(vec![b' '; 65_536])));
            ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(parts)).into_response()
        }
        Answer::Never => std::future::pending().await,
        Answer::Elsewhere => Redirect::temporary("/elsewhere").into_response(),
    }
}

async fn renewed(provider: &Provider, used: &str) -> Response {
    let number = provider.shared.renewals.fetch_add(1, Ordering::SeqCst) + 1;
    let next = provider.refresh_token(number);
    if !spend(provider, used, &next) {
        return (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant"}))).into_response();
    }
    provider.shared.answered.acquire().await.unwrap().forget();
    let bend = *provider.shared.bend.lock();
    tokens(&provider.made(None, bend), Some(&next))
}

/// Puts `next` in the place of `used`, if that works still.
fn spend(provider: &Provider, used: &str, next: &str) -> bool {
    let mut present = provider.shared.refresh.lock();
    let works = present.as_deref() == Some(used);
    if works {
        *present = Some(next.to_owned());
    }
    works
}

fn tokens(id_token: &str, refresh_token: Option<&str>) -> Response {
    let mut tokens = json!({"access_token": ACCESS, "token_type": "Bearer", "expires_in": 600, "id_token": id_token});
    if let Some(refresh_token) = refresh_token {
        tokens["refresh_token"] = refresh_token.into();
    }
    Json(tokens).into_response()
}
