//! A console that asks the test's provider, as a program of its own so that its log can be read, and a browser without a
//! page.

use std::{
    fs::File,
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use prometheus_http_query::reqwest::{self, Response, header, redirect};
use serde_json::{Value, json};
use weft_console::db::{DatabaseUrl, State};

use super::provider::{CLIENT_SECRET, Provider};
use crate::parts::{SOON, until};

/// The console of one provider.
pub struct Stage {
    pub provider: Provider,
    pub console: String,
    dir: tempfile::TempDir,
    process: Child,
    http: reqwest::Client,
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A browser between begin and end of a sign-in.
pub struct Begun {
    cookie: String,
    callback: String,
}

impl Begun {
    /// The browser is led back to another replica, as a Service may choose.
    pub fn led_to(&mut self, replica: &Stage) {
        let path = self.callback.find("/auth/callback").unwrap();
        self.callback.replace_range(..path, &replica.console);
    }

    /// Puts what the answer says of its issuer aside for this part of a query.
    pub fn issued_by(&mut self, query: &str) {
        let end = self.callback.find("&iss=").unwrap();
        self.callback.truncate(end);
        self.callback.push_str(query);
    }
}

impl Stage {
    pub async fn start() -> Self {
        Self::of(Provider::start().await, None, &[]).await
    }

    /// A console of this provider; browsers know it by its own address, or by another's whose replica it is.
    pub async fn of(provider: Provider, public: Option<&str>, more: &[String]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        std::fs::create_dir(path("config")).unwrap();
        std::fs::write(path("secret"), CLIENT_SECRET).unwrap();
        std::fs::write(path("roles.csv"), "g, ada@example.org, role:admin\n").unwrap();
        let address = free();
        let console = format!("http://{address}");
        let process = Command::new(env!("CARGO_BIN_EXE_weft-console"))
            .args([
                format!("--listen={address}"),
                format!("--public-url={}", public.unwrap_or(&console)),
                format!("--config-dir={}", path("config")),
                format!("--data-dir={}", path("data")),
                format!("--assets={}", path("assets")),
                format!("--roles-file={}", path("roles.csv")),
                format!("--oidc-issuer={}", provider.issuer),
                "--oidc-client-id=weft".to_owned(),
                format!("--oidc-client-secret-file={}", path("secret")),
                "--log=debug".to_owned(),
            ])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(path("log")).unwrap())
            .spawn()
            .unwrap();
        let http = reqwest::Client::builder().no_proxy().timeout(SOON).redirect(redirect::Policy::none());
        let stage = Self { provider, console, dir, process, http: http.build().unwrap() };
        until("the console is ready", async || {
            let answer = stage.http.get(format!("{}/healthz/ready", stage.console)).send().await.ok()?;
            (answer.status() == 200).then_some(())
        })
        .await;
        stage
    }

    /// What the console wrote.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    /// Its database.
    pub async fn state(&self) -> State {
        State::open(&DatabaseUrl::in_directory(&self.dir.path().join("data"))).await.unwrap()
    }

    /// Goes to the provider and as far as the way back.
    pub async fn begin(&self) -> Begun {
        let begun = self.http.get(format!("{}/auth/login?return_to=/%23/graph", self.console)).send().await.unwrap();
        let cookie = cookies(&begun).into_iter().next().unwrap_or_default();
        let at_provider = self.http.get(location(&begun)).send().await.unwrap();
        Begun { cookie, callback: location(&at_provider) }
    }

    /// Comes back. Gives where the browser is led, and the cookie of a session, if there is one.
    pub async fn finish(&self, begun: &Begun) -> (String, Option<String>) {
        let answer = self.http.get(&begun.callback).header(header::COOKIE, &begun.cookie).send().await.unwrap();
        let session = cookies(&answer).into_iter().find(|pair| pair.starts_with("__Host-weft-session="));
        let next = location(&answer);
        let page = answer.text().await.unwrap();
        assert!(!page.contains("<script"), "{page}");
        (next, session.filter(|pair| !pair.ends_with('=')))
    }

    pub async fn sign_in(&self) -> (String, Option<String>) {
        self.finish(&self.begin().await).await
    }

    /// Where a path leads a browser that has no cookie.
    pub async fn go(&self, path: &str) -> String {
        location(&self.http.get(format!("{}{path}", self.console)).send().await.unwrap())
    }

    /// The status that a cookie or a token gets.
    pub async fn status(&self, name: header::HeaderName, value: &str) -> u16 {
        let asked = self.http.get(format!("{}/api/v1/meta", self.console)).header(name, value);
        asked.send().await.unwrap().status().as_u16()
    }

    pub async fn bearer(&self, token: &str) -> u16 {
        self.status(header::AUTHORIZATION, &format!("Bearer {token}")).await
    }

    /// What a logout token is answered.
    pub async fn log_out(&self, token: &str) -> u16 {
        let body = format!("logout_token={token}");
        let form = "application/x-www-form-urlencoded";
        let sent = self.http.post(format!("{}/auth/backchannel-logout", self.console));
        sent.header(header::CONTENT_TYPE, form).body(body).send().await.unwrap().status().as_u16()
    }

    /// What the audit answers to a token.
    pub async fn audit_answer(&self, token: &str, query: &str) -> Response {
        let asked = self.http.get(format!("{}/api/v1/audit?{query}", self.console));
        asked.header(header::AUTHORIZATION, format!("Bearer {token}")).send().await.unwrap()
    }

    /// The same as text, of an answer that is one.
    pub async fn audit_text(&self, token: &str, query: &str) -> String {
        let answer = self.audit_answer(token, query).await;
        assert_eq!(answer.status(), 200);
        answer.text().await.unwrap()
    }

    /// Entries of the audit, newest first.
    pub async fn audit(&self, token: &str, query: &str) -> Vec<Value> {
        let list: Value = serde_json::from_str(&self.audit_text(token, query).await).unwrap();
        list["entries"].as_array().unwrap().clone()
    }

    /// Tries to make an object in the namespace `shop`.
    pub async fn create(&self, token: &str) -> u16 {
        let yaml = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: till, namespace: shop}\nspec: {host: till}\n";
        let body = json!({"action": "create", "yaml": yaml}).to_string();
        let sent = self.http.post(format!("{}/api/v1/config/apply", self.console)).header("x-weft-request", "1");
        let sent = sent.header(header::AUTHORIZATION, format!("Bearer {token}"));
        sent.header(header::CONTENT_TYPE, "application/json").body(body).send().await.unwrap().status().as_u16()
    }

    /// Where the page goes after signing out.
    pub async fn signed_out_to(&self, session: &str) -> String {
        let left: Value = serde_json::from_str(&self.sent_out(session).await.text().await.unwrap()).unwrap();
        left["location"].as_str().unwrap().to_owned()
    }

    /// Signs out by the page's button.
    pub async fn sign_out(&self, session: &str) -> u16 {
        self.sent_out(session).await.status().as_u16()
    }

    async fn sent_out(&self, session: &str) -> Response {
        let sent = self.http.post(format!("{}/auth/logout", self.console)).header(header::COOKIE, session);
        let sent = sent.header("x-weft-request", "1").header(header::CONTENT_TYPE, "application/json").body("{}");
        sent.send().await.unwrap()
    }

    /// Nothing secret is in the log, and no line of it is a stranger's.
    pub fn assert_clean_log(&self) {
        let log = self.log();
        for secret in self.provider.secrets() {
            assert!(!log.contains(&secret), "the log holds {secret}: {log}");
        }
        assert!(!log.lines().any(|line| line.starts_with("FORGED")), "{log}");
        assert!(!log.contains("panicked"), "{log}");
    }
}

fn location(answer: &Response) -> String {
    answer.headers().get(header::LOCATION).unwrap_or_else(|| panic!("{answer:?}")).to_str().unwrap().to_owned()
}

fn cookies(answer: &Response) -> Vec<String> {
    let values = answer.headers().get_all(header::SET_COOKIE).iter();
    values.map(|value| value.to_str().unwrap().split(';').next().unwrap().to_owned()).collect()
}

/// An address at which nothing listens.
fn free() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
