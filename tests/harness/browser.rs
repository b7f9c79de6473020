//! A real Chromium, driven by ChromeDriver.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Map, Value, json};

use crate::{
    process::{Process, tool},
    wait::{ensure, until, within},
};

/// How long a page has to show what a test waits for, where the test does not say.
const SOON: Duration = Duration::from_secs(20);
/// Between two looks for an element.
const PAUSE: Duration = Duration::from_millis(50);
/// Bytes of a page's text that a failure shows at most.
const SHOWN: usize = 3000;

static PICTURES: AtomicU32 = AtomicU32::new(1);

/// A browser with one page.
pub struct Browser {
    /// The WebDriver session.
    pub page: Client,
    /// ChromeDriver's own address.
    address: std::net::SocketAddr,
    driver: Process,
    _dir: tempfile::TempDir,
}

impl Browser {
    /// Starts one with a new profile; `dark` prefers the dark theme.
    pub async fn start(width: u32, height: u32, dark: bool) -> Self {
        Self::start_as(width, height, dark, &[], None).await
    }

    /// Starts one that also trusts the server whose public key has this SHA-256 (base64), whoever signed its certificate.
    pub async fn trusting(width: u32, height: u32, pin: &str) -> Self {
        Self::start_as(width, height, false, &[], Some(pin)).await
    }

    /// Starts one that keeps a trace of `categories`, for [`Browser::trace`].
    pub async fn traced(width: u32, height: u32, categories: &[&str]) -> Self {
        Self::start_as(width, height, false, categories, None).await
    }

    async fn start_as(width: u32, height: u32, dark: bool, traced: &[&str], pin: Option<&str>) -> Self {
        let dir = tempfile::Builder::new().prefix("weft-browser-").tempdir().expect("temporary directory");
        let port = free_port();
        let mut command = Command::new(tool("chromedriver", "chromium-driver"));
        let driver = Process::spawn_group("chromedriver", command.arg(format!("--port={port}")), dir.path());
        let mut args = vec![
            "--headless=new".to_owned(),
            "--no-sandbox".into(),
            "--disable-gpu".into(),
            "--disable-quic".into(),
            "--disable-dev-shm-usage".into(),
            "--no-first-run".into(),
            // Chromium ends when the other end of the pipe does: no session that was not closed keeps it alive.
            "--remote-debugging-pipe".into(),
            "--disable-background-networking".into(),
            "--disable-component-update".into(),
            "--disable-sync".into(),
            format!("--window-size={width},{height}"),
            format!("--user-data-dir={}", dir.path().join("profile").display()),
        ];
        if dark {
            args.push("--force-dark-mode".into());
            args.push("--blink-settings=preferredColorScheme=0".into());
        }
        args.extend(pin.map(|pin| format!("--ignore-certificate-errors-spki-list={pin}")));
        let mut capabilities = Map::new();
        let binary = tool("chromium", "chromium");
        let mut options = json!({ "args": args, "binary": binary });
        let mut logs = json!({ "browser": "ALL" });
        if !traced.is_empty() {
            options["perfLoggingPrefs"] =
                json!({ "enableNetwork": false, "enablePage": false, "traceCategories": traced.join(",") });
            logs["performance"] = json!("ALL");
        }
        capabilities.insert("goog:chromeOptions".into(), options);
        capabilities.insert("goog:loggingPrefs".into(), logs);
        let url = format!("http://127.0.0.1:{port}");
        let page = until("ChromeDriver answers", Duration::from_secs(30), || {
            let (capabilities, url) = (capabilities.clone(), url.clone());
            async move {
                let mut builder = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
                builder.capabilities(capabilities).connect(&url).await.map_err(|error| error.to_string())
            }
        })
        .await;
        let address = std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self { page, address, driver, _dir: dir }
    }

    /// Opens an address.
    pub async fn open(&self, url: &str) {
        self.page.goto(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// Waits for an element.
    pub async fn wait_for(&self, css: &str) -> fantoccini::elements::Element {
        match self.page.wait().at_most(SOON).every(PAUSE).for_element(Locator::Css(css)).await {
            Ok(element) => element,
            Err(error) => {
                let seen = self.seen().await;
                panic!("{css} is not on the page: {error}\n{seen}")
            }
        }
    }

    /// Presses what `css` names, once it is there and takes it.
    pub async fn click(&self, css: &str) {
        self.until(&format!("{css} is pressed"), SOON, || async {
            let element = self.page.find(Locator::Css(css)).await.map_err(|error| error.to_string())?;
            element.click().await.map_err(|error| error.to_string())
        })
        .await
    }

    /// Signs in with the form of [`crate::oidc::Provider`].
    pub async fn sign_in(&self, login: &str) {
        for (field, text) in [("login", login), ("password", "x")] {
            self.wait_for(&format!("input[name={field}]")).await.send_keys(text).await.expect("the form takes text");
        }
        self.click("button[type=submit]").await;
    }

    /// Waits until an element's text satisfies `accept`; gives the text.
    pub async fn text_where(&self, what: &str, css: &str, limit: Duration, accept: impl Fn(&str) -> bool) -> String {
        self.until(what, limit, || async {
            let element = self.page.find(Locator::Css(css)).await.map_err(|error| format!("{css}: {error}"))?;
            let text = element.text().await.map_err(|error| error.to_string())?;
            ensure(accept(&text), || text.clone())?;
            Ok(text)
        })
        .await
    }

    /// An attribute, waiting until `accept` takes it.
    pub async fn attribute_where(
        &self,
        what: &str,
        css: &str,
        name: &str,
        limit: Duration,
        accept: impl Fn(&str) -> bool,
    ) -> String {
        self.until(what, limit, || async {
            let element = self.page.find(Locator::Css(css)).await.map_err(|error| format!("{css}: {error}"))?;
            let value = element.attr(name).await.map_err(|error| error.to_string())?.unwrap_or_default();
            ensure(accept(&value), || value.clone())?;
            Ok(value)
        })
        .await
    }

    /// [`until`], and a failure tells what the page showed.
    pub async fn until<T, F>(&self, what: &str, limit: Duration, condition: impl FnMut() -> F) -> T
    where
        F: Future<Output = Result<T, String>>,
    {
        match within(limit, condition).await {
            Ok(value) => value,
            Err(reason) => {
                let seen = self.seen().await;
                panic!("{what}: not within {limit:?}; last: {reason}\n{seen}")
            }
        }
    }

    /// What somebody who looks at the page sees now, for the words of a failure: its address, its text, and a picture
    /// that is kept.
    pub async fn seen(&self) -> String {
        let address = self.page.current_url().await.map_or_else(|error| error.to_string(), |url| url.to_string());
        let script = "return document.body ? document.body.innerText : ''";
        let text = self.page.execute(script, Vec::new()).await;
        let mut text = text.map_or_else(|error| error.to_string(), |text| text.as_str().unwrap_or_default().to_owned());
        if text.len() > SHOWN {
            text.truncate(text.floor_char_boundary(SHOWN));
            text.push_str(" …");
        }
        let name = format!("weft-seen-{}-{}.png", std::process::id(), PICTURES.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        let picture = match self.page.screenshot().await {
            Ok(png) => {
                std::fs::write(&path, png).map_or_else(|error| error.to_string(), |()| path.display().to_string())
            }
            Err(error) => error.to_string(),
        };
        format!("--- at {address}, picture {picture} ---\n{text}")
    }

    /// What stands behind the `#` of the page's address, as a person would write it.
    pub async fn fragment(&self) -> String {
        self.script("return decodeURIComponent(location.hash)").await.as_str().unwrap_or_default().to_owned()
    }

    /// Takes the newest edit back; what offers that may be folded by now.
    pub async fn take_back(&self) {
        let script = "const undo = document.querySelector('[data-testid=canary-undo]'); \
                      (undo ?? document.querySelector('[data-testid=toasts-folded]'))?.click(); return undo !== null;";
        until("the newest edit can be taken back", SOON, async || {
            ensure(self.script(script).await == true, String::new)
        })
        .await;
    }

    /// Runs a script and gives its result.
    pub async fn script(&self, script: &str) -> Value {
        self.page.execute(script, Vec::new()).await.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// The events of the trace since the start, as Chromium writes them; empty without [`Browser::traced`], and when asked
    /// for a second time.
    pub async fn trace(&self) -> Vec<Value> {
        let session = self.page.session_id().await.expect("session").unwrap_or_default();
        let path = format!("/session/{session}/se/log");
        let body = bytes::Bytes::from_static(br#"{"type":"performance"}"#);
        let json = [("content-type", "application/json")];
        let answer = crate::http::send(self.address, "POST", &self.address.to_string(), &path, &json, body).await;
        let entries = answer.unwrap_or_else(|error| panic!("the performance log: {error}")).json();
        let entries = entries["value"].as_array().cloned().unwrap_or_default();
        let message = |entry: &Value| serde_json::from_str::<Value>(entry["message"].as_str()?).ok();
        let traced = entries.iter().filter_map(message).map(|entry| entry["message"].clone());
        traced
            .filter(|entry| entry["method"] == "Tracing.dataCollected")
            .map(|mut entry| entry["params"].take())
            .collect()
    }

    /// Saves what the page looks like.
    pub async fn screenshot(&self, path: &Path) {
        let png = self.page.screenshot().await.expect("screenshot");
        std::fs::write(path, png).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// The process group of ChromeDriver and Chromium.
    pub fn group(&self) -> u32 {
        self.driver.pid()
    }

    /// Ends the session in good order. Chromium goes also without it, when this value is dropped.
    pub async fn close(self) {
        self.page.clone().close().await.expect("the session ends");
    }
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr()).expect("a free port").port()
}
