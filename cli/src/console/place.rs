//! Where the console is, and what it answers.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use http::{HeaderMap, StatusCode};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use url::{Host, Url};
use weft_install::names;
use weft_model::{config::Problem, ports};
use weft_runtime::StartupError;
use weft_source::kubernetes::forward::{self, ForwardError, Line};

use super::{session::Credential, text};
use crate::{
    cluster::{ClusterArgs, innermost, pods},
    output,
};

/// How long an answer may take: of a graph that nobody has asked for a while it waits for Prometheus.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a connection may take to open.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// The largest answer that is read.
const MAX_ANSWER: usize = 64 * 1024 * 1024;
/// The variable that holds a token.
const TOKEN: &str = "WEFT_CONSOLE_TOKEN";

/// Where the console is, and who asks.
#[derive(Clone, Debug, clap::Args)]
pub struct PlaceArgs {
    /// Address of the console, such as http://127.0.0.1:20001; by default that of the cluster, by a port-forward.
    #[arg(long, global = true, env = "WEFT_CONSOLE", value_name = "URL")]
    console: Option<String>,
    /// File with a bearer token; the variable WEFT_CONSOLE_TOKEN holds one itself.
    #[arg(long, global = true, env = "WEFT_CONSOLE_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Path of the kubeconfig; by default those that the variable KUBECONFIG lists, then ~/.kube/config.
    #[arg(long, global = true, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig; by default its current one.
    #[arg(long, global = true, value_name = "NAME")]
    context: Option<String>,
    /// Namespace of the installation.
    #[arg(long, global = true, value_name = "NAMESPACE", default_value = names::NAMESPACE)]
    weft_namespace: String,
    /// Revision whose console is asked, where there are several.
    #[arg(long, global = true, value_name = "REVISION")]
    revision: Option<String>,
}

/// A console that can be asked.
pub struct Place {
    way: Way,
    credential: Credential,
}

enum Way {
    Address { base: Url, client: reqwest::Client },
    Pod { name: String, line: Line },
}

impl PlaceArgs {
    /// Finds the console and who asks. The address itself is not asked yet.
    ///
    /// # Errors
    /// When there is none, or no way to it; when a token or a kept session cannot be used.
    pub async fn open(&self) -> anyhow::Result<Place> {
        let given = self.given()?;
        if let Some(written) = &self.console {
            let base = address(written)?;
            // The cluster's token is for the cluster's own console.
            let credential = match given {
                Some(credential) => credential,
                None => Credential::kept(&base)?,
            };
            return Ok(Place { way: Way::Address { base, client: client()? }, credential });
        }
        let args = ClusterArgs {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
            namespace: None,
            weft_namespace: self.weft_namespace.clone(),
        };
        let config = if given.is_some() { args.config().await? } else { args.signed().await? };
        let credential = match given {
            Some(credential) => credential,
            None => of_kubeconfig(&config)?,
        };
        let cluster = args.with(config)?;
        let pods = cluster.component("console").await?;
        let pod = choose(&pods, self.revision.as_deref(), &cluster.system)?;
        let name = format!("the console {}/{pod}", cluster.system);
        let line = forward::open(&cluster.client, &cluster.system, &pod, ports::CONSOLE).await;
        let line = line.map_err(|error| unreached(&name, &error))?;
        Ok(Place { way: Way::Pod { name, line }, credential })
    }

    /// The token that was named, if one was.
    fn given(&self) -> Result<Option<Credential>, StartupError> {
        if let Some(file) = &self.token_file {
            return Credential::in_file(file).map(Some);
        }
        match std::env::var(TOKEN) {
            Ok(token) if !token.trim().is_empty() => Credential::bearer(&token, TOKEN).map(Some),
            _ => Ok(None),
        }
    }
}

/// The bearer token of a kubeconfig's user, one that a program has given among them, or of a pod's service account. Users with
/// certificates have none.
fn of_kubeconfig(config: &kube::Config) -> Result<Credential, StartupError> {
    let user = &config.auth_info;
    match (&user.token, &user.token_file) {
        (Some(token), _) => Credential::bearer(token.expose_secret(), "the kubeconfig"),
        (None, Some(file)) => Credential::in_file(file.as_ref()),
        (None, None) => Ok(Credential::default()),
    }
}

/// The pod of the console that is meant: of several revisions the default one unless another is named.
fn choose(pods: &[Pod], revision: Option<&str>, namespace: &str) -> Result<String, StartupError> {
    let what = "cannot find the console";
    let of = |pod: &Pod| pod.labels().get(names::REVISION_LABEL).cloned().unwrap_or_default();
    let mut found: Vec<&Pod> = pods.iter().filter(|pod| pods::stays(pod)).collect();
    found.sort_by_key(|pod| (!pods::is_ready(pod), pod.name_any()));
    let mut revisions: Vec<String> = found.iter().map(|pod| of(pod)).collect();
    revisions.sort_unstable();
    revisions.dedup();
    let default = weft_api::mesh::DEFAULT_REVISION;
    let wanted = match (revision, revisions.as_slice()) {
        (Some(revision), _) => revision,
        (None, [one]) => one.as_str(),
        (None, several) if several.iter().any(|one| one == default) => default,
        (None, []) => {
            let why = format!("namespace {namespace} has no pod of one");
            let remedy = "set components.console.enabled in the Mesh, or name a console with --console URL";
            return Err(StartupError::new(what, why, remedy));
        }
        (None, several) => {
            let why = format!("there are several, of revisions {}", several.join(", "));
            return Err(StartupError::new(what, why, "choose one with --revision"));
        }
    };
    let pod = found.iter().find(|pod| of(pod) == wanted).ok_or_else(|| {
        let why = format!("namespace {namespace} has none of revision {wanted}");
        StartupError::new(what, why, "weft status lists revisions")
    })?;
    Ok(pod.name_any())
}

fn unreached(name: &str, error: &ForwardError) -> StartupError {
    let remedy = match error {
        ForwardError::Unauthorized => "sign in again: the kubeconfig's credentials are not accepted",
        ForwardError::Forbidden(_) => "ask for that right, or name a console that you reach with --console URL",
        _ => "look whether the console's pod is ready: weft status says so",
    };
    StartupError::new(format!("cannot reach {name}"), error, remedy)
}

fn address(written: &str) -> Result<Url, StartupError> {
    let wrong = |why: String| {
        StartupError::new(format!("cannot ask {written}"), why, "write an address such as http://127.0.0.1:20001")
    };
    let url = Url::parse(written).map_err(|error| wrong(format!("it is no address: {error}")))?;
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("it says more than where the console is".to_owned()));
    }
    check(&url)?;
    Ok(url)
}

/// Refuses addresses at which others could read along.
pub fn check(url: &Url) -> Result<(), StartupError> {
    let what = || format!("cannot ask {}", origin(url));
    if !url.username().is_empty() || url.password().is_some() {
        return Err(StartupError::new(what(), "its address names a user", "leave the user out; a token says who asks"));
    }
    let here = match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(ip)) => IpAddr::from(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::from(ip).is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" if url.has_host() => Ok(()),
        "http" if here => Ok(()),
        "http" => {
            let remedy = "write https, or forward a port of this machine to it";
            Err(StartupError::new(what(), "on the way there anybody can read what http carries", remedy))
        }
        _ => Err(StartupError::new(what(), "it is neither http nor https", "write http://127.0.0.1:PORT")),
    }
}

/// Scheme, host and port.
pub fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// A client that goes where it is told and nowhere else: what it carries is for one console.
pub fn client() -> Result<reqwest::Client, StartupError> {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_WITHIN)
        .timeout(PATIENCE)
        .build();
    client.map_err(|error| {
        StartupError::new("cannot use TLS", innermost(&error), "look at this machine's root certificates")
    })
}

impl Place {
    /// What it is called in errors.
    pub fn name(&self) -> String {
        match &self.way {
            Way::Address { base, .. } => origin(base),
            Way::Pod { name, .. } => name.clone(),
        }
    }

    /// Reads a resource of the API; `path` begins with `/api/v1`.
    ///
    /// # Errors
    /// When it does not answer, or refuses: then in its own words, with its own remedy.
    pub async fn get(&mut self, path: &str) -> anyhow::Result<Value> {
        let name = self.name();
        let (status, body) = match &mut self.way {
            Way::Address { base, client } => read(client, base, path, self.credential.headers()).await?,
            Way::Pod { name, line } => {
                let answer = line.get(path, self.credential.headers(), MAX_ANSWER).await;
                let (status, body) = answer.map_err(|error| unreached(name, &error))?;
                (status, body.to_vec())
            }
        };
        if !status.is_success() {
            return Err(refused(&name, status, &body).into());
        }
        Ok(output::answer(&name, &body)?)
    }
}

async fn read(
    client: &reqwest::Client,
    base: &Url,
    path: &str,
    headers: &HeaderMap,
) -> Result<(StatusCode, Vec<u8>), StartupError> {
    let failed = |why: String, remedy: &str| StartupError::new(format!("cannot ask {}", origin(base)), why, remedy);
    let away = |error: reqwest::Error| {
        failed(innermost(&error.without_url()), "look whether the console runs there, and at --console")
    };
    let url = base.join(path).map_err(|error| failed(error.to_string(), "look at --console"))?;
    let mut response = client.get(url).headers(headers.clone()).send().await.map_err(away)?;
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(away)? {
        if body.len() + part.len() > MAX_ANSWER {
            let why = format!("its answer is longer than {} MiB", MAX_ANSWER >> 20);
            return Err(failed(why, "ask for less, with -n or --limit"));
        }
        body.extend_from_slice(&part);
    }
    Ok((response.status(), body))
}

/// What a refusal says: title, code and detail, which is the remedy.
fn refused(name: &str, status: StatusCode, body: &[u8]) -> StartupError {
    let what = format!("{name} does not answer that");
    let Ok(problem) = serde_json::from_slice::<Problem>(body) else {
        let remedy = "look whether it is a console of Weft, and at its log";
        return StartupError::new(what, format!("it says {status}"), remedy);
    };
    let title = text::clean(problem.title.trim_end_matches('.'));
    let mut remedy = text::clean(problem.detail.trim_end_matches('.'));
    if status == StatusCode::UNAUTHORIZED {
        remedy = format!(
            "{remedy}. Here: --token-file FILE or {TOKEN}, or weft console login LINK for a console that prints links"
        );
    }
    StartupError::new(what, format!("{title} [{}, {}]", text::clean(&problem.kind), status.as_u16()), remedy)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_this_machine_is_asked_without_tls() {
        for good in ["http://127.0.0.1:20001", "http://localhost:1/", "http://[::1]:1", "https://weft.example.org"] {
            assert!(address(good).is_ok(), "{good}");
        }
        for (bad, word) in [
            ("http://weft.example.org", "anybody can read"),
            ("http://127.0.0.1.evil.example", "anybody can read"),
            ("http://10.0.0.1:20001", "anybody can read"),
            ("https://ada:secret@weft.example.org", "names a user"),
            ("ftp://127.0.0.1", "neither"),
            ("127.0.0.1:20001", "no address"),
            ("http://127.0.0.1:20001/api/v1", "says more"),
        ] {
            let told = address(bad).unwrap_err().to_string();
            assert!(told.contains(word), "{bad}: {told}");
        }
    }

    #[test]
    fn a_refusal_is_told_in_the_consoles_words() {
        let body = json!({"type": "forbidden", "title": "Not \u{1b}[31myours.", "detail": "Ask ada.", "status": 403});
        let told = refused("http://x", StatusCode::FORBIDDEN, body.to_string().as_bytes()).to_string();
        assert_eq!(told, "http://x does not answer that: Not \u{fffd}[31myours [forbidden, 403] (Ask ada)");
        let body = json!({"type": "sign-in", "title": "Sign in.", "detail": "Open it.", "status": 401});
        let told = refused("http://x", StatusCode::UNAUTHORIZED, body.to_string().as_bytes()).to_string();
        assert!(told.contains("weft console login LINK") && told.contains("--token-file"), "{told}");
        let told = refused("http://x", StatusCode::BAD_GATEWAY, b"<html>").to_string();
        assert!(told.contains("502") && told.contains("console of Weft"), "{told}");
    }

    fn pod(name: &str, revision: &str, ready: bool) -> Pod {
        let status = if ready { "True" } else { "False" };
        serde_json::from_value(json!({
            "metadata": {"name": name, "labels": {(names::REVISION_LABEL): revision}},
            "status": {"conditions": [{"type": "Ready", "status": status}]},
        }))
        .unwrap()
    }

    #[test]
    fn the_console_of_one_revision_is_chosen() {
        let pods = [pod("old", "default", false), pod("new", "default", true), pod("other", "canary", true)];
        let choose = |pods: &[Pod], revision| choose(pods, revision, "weft-system").map_err(|error| error.to_string());
        assert_eq!(choose(&pods, None).unwrap(), "new");
        assert_eq!(choose(&pods, Some("canary")).unwrap(), "other");
        assert_eq!(choose(&pods[2..], None).unwrap(), "other");
        assert!(choose(&pods, Some("x")).unwrap_err().contains("none of revision x"));
        assert!(choose(&[], None).unwrap_err().contains("--console URL"));
        let others = [pod("a", "one", true), pod("b", "two", true)];
        assert!(choose(&others, None).unwrap_err().contains("one, two"));
    }

    #[test]
    fn a_kubeconfigs_token_says_who_asks() {
        let mut config = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
        assert!(of_kubeconfig(&config).unwrap().headers().is_empty());
        config.auth_info.token = Some("ey.abc".to_owned().into());
        assert_eq!(of_kubeconfig(&config).unwrap().headers()[http::header::AUTHORIZATION], "Bearer ey.abc");
    }

    #[tokio::test]
    async fn a_program_of_the_kubeconfig_says_who_asks() {
        let given = r#"{"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1", "status": {"token": "ey.run"}}"#;
        let exec = json!({"apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never",
            "command": "printf", "args": ["%s", given]});
        let text = json!({"apiVersion": "v1", "kind": "Config", "current-context": "one",
            "clusters": [{"name": "a", "cluster": {"server": "http://127.0.0.1:1"}}],
            "users": [{"name": "me", "user": {"exec": exec}}],
            "contexts": [{"name": "one", "context": {"cluster": "a", "user": "me"}}]});
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text.to_string()).unwrap();
        let args = ClusterArgs {
            kubeconfig: Some(file.path().to_owned()),
            context: None,
            namespace: None,
            weft_namespace: "weft-system".into(),
        };
        let config = args.signed().await.unwrap();
        assert_eq!(of_kubeconfig(&config).unwrap().headers()[http::header::AUTHORIZATION], "Bearer ey.run");
    }
}
