//! What the operator's admin port says: which content has reached every proxy.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use futures::future::join_all;
use prometheus_http_query::reqwest;
use serde::de::DeserializeOwned;
use weft_model::{
    ObjectRef,
    sync::{self, ObjectAck},
};

/// How long a connection may take: where a control plane is gone, nobody answers.
const CONNECT: Duration = Duration::from_secs(2);
/// The largest answer that is read.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// Why the operator has no answer. The words name it and the remedy; they are shown on the page as they are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperatorError {
    /// No console was told where the operator is.
    #[error("No operator is configured; start the console with --operator-admin http://HOST:15014")]
    NotConfigured,
    /// The address cannot be used at all.
    #[error(
        "{url} is not an address of the operator ({why}); give one such as http://127.0.0.1:15014 with --operator-admin"
    )]
    Address {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// No connection, or no answer in time.
    #[error("The operator at {url} cannot be reached ({why}); start it, or correct --operator-admin")]
    Unreachable {
        /// Its address.
        url: String,
        /// The innermost cause.
        why: String,
    },
    /// It does not know this console.
    #[error(
        "The operator at {url} shows its pages only to the consoles that a Mesh installs ({why}); reach it by kubectl \
         port-forward, or give this console's token with --operator-token-file"
    )]
    Refused {
        /// Its address.
        url: String,
        /// What it answered.
        why: String,
    },
    /// It starts, or the API server does not tell it in time whose this console's token is.
    #[error(
        "The operator at {url} gives no answer now ({why}): it is starting, or waits for the API server to tell it whose \
         this console's token is; ask again in a moment"
    )]
    NotNow {
        /// Its address.
        url: String,
        /// What it answered.
        why: String,
    },
    /// What answers is something else.
    #[error("What answers at {url} is not the operator's admin port ({why}); correct --operator-admin")]
    Shape {
        /// Its address.
        url: String,
        /// What it answered.
        why: String,
    },
}

/// A client of the operator's admin port.
#[derive(Clone, Debug)]
pub struct Operator {
    http: reqwest::Client,
    url: Arc<str>,
    token_file: Option<Arc<Path>>,
}

impl Operator {
    /// A client of the operator whose admin port is at `url`. Nothing is asked yet.
    pub fn new(url: &str) -> Result<Self, OperatorError> {
        let address = |why: String| OperatorError::Address { url: url.to_owned(), why };
        let parsed = url::Url::parse(url).map_err(|error| address(error.to_string()))?;
        if parsed.scheme() != "http" || parsed.host().is_none() {
            return Err(address("it must begin with http://".into()));
        }
        let client = reqwest::Client::builder()
            .tls_certs_only(Vec::new())
            .no_proxy()
            .connect_timeout(CONNECT)
            .timeout(sync::ANSWER)
            .build();
        let http = client.map_err(|error| address(error.to_string()))?;
        Ok(Self { http, url: url.trim_end_matches('/').into(), token_file: None })
    }

    /// With the file of the token that opens the pages.
    #[must_use]
    pub fn with_token_file(mut self, file: Option<&Path>) -> Self {
        self.token_file = file.map(Arc::from);
        self
    }

    /// When each tracked object's content had reached every proxy (`GET /debug/acks`). Of several replicas each knows
    /// its own proxies, so all are asked; with none named, the configured address is.
    pub async fn acks(&self, replicas: &[IpAddr]) -> Acks {
        let answers = self.ask(replicas, "/debug/acks").await;
        Acks::of(answers.into_iter().map(|(_, answer)| answer))
    }

    /// What each replica answers to one path, by its address; with no replica named, the configured address is asked.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        replicas: &[IpAddr],
        path: &str,
    ) -> Vec<(String, Result<T, OperatorError>)> {
        let read = async |url: String| {
            let answer = self.text(&url, path).await;
            let shape = |error: serde_json::Error| OperatorError::Shape { url: url.clone(), why: error.to_string() };
            let answer = answer.and_then(|body| serde_json::from_slice(&body).map_err(shape));
            (url, answer)
        };
        join_all(self.urls(replicas).into_iter().map(read)).await
    }

    /// Addresses of the replicas' admin ports.
    pub fn urls(&self, replicas: &[IpAddr]) -> Vec<String> {
        if replicas.is_empty() {
            return vec![self.url.to_string()];
        }
        let port = weft_model::ports::CONTROL_PLANE_ADMIN;
        replicas.iter().map(|address| format!("http://{}", SocketAddr::new(*address, port))).collect()
    }

    /// The page at `url` and `path`, as it is.
    pub async fn text(&self, url: &str, path: &str) -> Result<Vec<u8>, OperatorError> {
        let unreachable = |error: reqwest::Error| {
            let mut cause: &dyn std::error::Error = &error;
            while let Some(next) = cause.source() {
                cause = next;
            }
            let why = if error.is_timeout() { "no answer in time".to_owned() } else { cause.to_string() };
            OperatorError::Unreachable { url: url.to_owned(), why }
        };
        let mut request = self.http.get(format!("{url}{path}"));
        // Somebody renews it, so it is read each time; without one the operator says whether it wanted one.
        if let Some(file) = &self.token_file
            && let Ok(token) = tokio::fs::read_to_string(file).await
        {
            request = request.bearer_auth(token.trim());
        }
        let mut response = request.send().await.map_err(unreachable)?;
        let shape = |why: String| OperatorError::Shape { url: url.to_owned(), why };
        if matches!(response.status().as_u16(), 401 | 403) {
            let why = format!("status {}", response.status().as_u16());
            return Err(OperatorError::Refused { url: url.to_owned(), why });
        }
        if response.status().as_u16() == 503 {
            return Err(OperatorError::NotNow { url: url.to_owned(), why: "status 503".to_owned() });
        }
        if !response.status().is_success() {
            return Err(shape(format!("status {}", response.status().as_u16())));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(shape("the answer is too long".into()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// What those replicas say that answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Acks {
    /// By object.
    pub acks: Vec<ObjectAck>,
    /// Why each other one has no answer.
    pub problems: Vec<OperatorError>,
}

impl Acks {
    /// Puts the answers together. One that is missing, as of a control plane that does not know this console, takes
    /// nothing away from the others.
    fn of(answers: impl Iterator<Item = Result<Vec<ObjectAck>, OperatorError>>) -> Self {
        let (mut told, mut problems) = (Vec::new(), Vec::new());
        for answer in answers {
            match answer {
                Ok(acks) => told.push(acks),
                Err(problem) => problems.push(problem),
            }
        }
        Self { acks: merge(told), problems }
    }
}

/// One answer out of several replicas'. Content that one of them has not taken up yet has not reached its proxies; one that
/// has no proxies has nobody to wait for.
fn merge(answers: Vec<Vec<ObjectAck>>) -> Vec<ObjectAck> {
    let mut merged: BTreeMap<ObjectRef, ObjectAck> = BTreeMap::new();
    let mut behind: BTreeSet<ObjectRef> = BTreeSet::new();
    for ack in answers.into_iter().flatten() {
        match merged.entry(ack.object.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(ack);
            }
            Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                if known.content != ack.content {
                    // The newer content counts, and somebody still has the older one.
                    behind.insert(ack.object.clone());
                    if ack.changed_at_ms > known.changed_at_ms {
                        *known = ack;
                    }
                    continue;
                }
                let nobody = |ack: &ObjectAck| ack.acked_at_ms.is_none() && ack.pending.is_empty();
                let both = known.acked_at_ms.zip(ack.acked_at_ms);
                (known.acked_at_ms, known.found) = match (nobody(known), nobody(&ack)) {
                    (true, _) => (ack.acked_at_ms, ack.found),
                    (false, true) => (known.acked_at_ms, known.found),
                    // Who began after the change knows only that it had reached its proxies before they came.
                    (false, false) => match (known.found, ack.found) {
                        (true, false) => (both.map(|(_, other)| other), false),
                        (false, true) => (both.map(|(one, _)| one), false),
                        (true, true) => (both.map(|(one, other)| one.min(other)), true),
                        (false, false) => (both.map(|(one, other)| one.max(other)), false),
                    },
                };
                known.changed_at_ms = known.changed_at_ms.min(ack.changed_at_ms);
                known.pending.extend(ack.pending);
            }
        }
    }
    for object in behind {
        if let Some(ack) = merged.get_mut(&object) {
            ack.acked_at_ms = None;
        }
    }
    merged.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_addresses_are_refused() {
        for bad in ["", "127.0.0.1:15014", "https://127.0.0.1:15014", "ftp://x"] {
            assert!(matches!(Operator::new(bad), Err(OperatorError::Address { .. })), "{bad}");
        }
    }

    #[tokio::test]
    async fn an_operator_that_is_away_is_said_to_be() {
        let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let error = Operator::new(&format!("http://{free}/")).unwrap().acks(&[]).await.problems;
        assert!(matches!(error[..], [OperatorError::Unreachable { .. }]), "{error:?}");
    }

    /// An API server that is slow is no reason to correct an address.
    #[tokio::test]
    async fn an_operator_that_cannot_answer_yet_is_asked_again() {
        let busy = axum::Router::new().fallback(async || axum::http::StatusCode::SERVICE_UNAVAILABLE);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let served = tokio::spawn(async move { axum::serve(listener, busy).await });
        let problem = Operator::new(&url).unwrap().acks(&[]).await.problems[0].to_string();
        assert!(problem.contains("ask again") && !problem.contains("--operator-admin"), "{problem}");
        served.abort();
    }

    #[tokio::test]
    async fn a_token_is_read_anew_each_time_and_a_refusal_names_the_remedy() {
        let pages = axum::Router::new().fallback(async |headers: axum::http::HeaderMap| {
            match headers.get("authorization").is_some_and(|shown| shown == "Bearer second") {
                true => (axum::http::StatusCode::OK, "[]"),
                false => (axum::http::StatusCode::UNAUTHORIZED, "who are you"),
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let served = tokio::spawn(async move { axum::serve(listener, pages).await });
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("token");
        let operator = Operator::new(&url).unwrap().with_token_file(Some(&file));
        for token in [None, Some("first\n")] {
            token.into_iter().for_each(|token| std::fs::write(&file, token).unwrap());
            let refused = operator.acks(&[]).await.problems;
            assert!(refused[0].to_string().contains("--operator-token-file"), "{refused:?}");
        }
        std::fs::write(&file, "second\n").unwrap();
        assert_eq!(operator.acks(&[]).await, Acks::default());
        served.abort();
    }

    #[test]
    fn who_refuses_takes_nothing_away_from_the_others() {
        let ack = ObjectAck {
            object: ObjectRef { kind: "VirtualService".into(), name: "web".into(), ..ObjectRef::default() },
            content: "a".into(),
            changed_at_ms: 5,
            found: false,
            acked_at_ms: Some(9),
            pending: Vec::new(),
        };
        let refused = OperatorError::Refused { url: "http://10.0.0.2:15014".into(), why: "status 401".into() };
        let heard = Acks::of([Err(refused.clone()), Ok(vec![ack.clone()])].into_iter());
        assert_eq!(heard, Acks { acks: vec![ack], problems: vec![refused] });
    }

    #[test]
    fn replicas_are_seen_as_one() {
        let ack = |content: &str, changed_at_ms, acked_at_ms, pending: &[&str]| ObjectAck {
            object: ObjectRef { kind: "VirtualService".into(), name: "web".into(), ..ObjectRef::default() },
            content: content.into(),
            changed_at_ms,
            found: false,
            acked_at_ms,
            pending: pending.iter().map(|node| (*node).to_owned()).collect(),
        };
        let both = merge(vec![vec![ack("a", 5, Some(9), &[])], vec![ack("a", 4, Some(12), &[])]]);
        assert_eq!(both, [ack("a", 4, Some(12), &[])]);
        let half = merge(vec![vec![ack("a", 5, Some(9), &[])], vec![ack("a", 5, None, &["p"])]]);
        assert_eq!(half, [ack("a", 5, None, &["p"])]);
        // One began anew, both did, or it has nobody yet.
        let anew = |acked_at_ms| ObjectAck { found: true, ..ack("a", 30, acked_at_ms, &[]) };
        for answers in [
            [vec![anew(Some(33))], vec![ack("a", 5, Some(9), &[])]],
            [vec![ack("a", 5, Some(9), &[])], vec![anew(Some(33))]],
        ] {
            assert_eq!(merge(answers.to_vec()), [ack("a", 5, Some(9), &[])]);
        }
        assert_eq!(merge(vec![vec![anew(Some(33))], vec![anew(Some(31))]]), [anew(Some(31))]);
        assert_eq!(merge(vec![vec![ack("a", 40, None, &[])], vec![anew(Some(33))]]), [anew(Some(33))]);
        // One replica is behind.
        let behind = merge(vec![vec![ack("new", 9, Some(10), &[])], vec![ack("old", 5, Some(6), &[])]]);
        assert_eq!(behind, [ack("new", 9, None, &[])]);
        // One replica has no proxies, in whatever place it answers; that does not hide one that is behind, or waits.
        let nobody = || vec![ack("a", 20, None, &[])];
        let settled = || vec![ack("a", 5, Some(9), &[])];
        for answers in [vec![nobody(), settled()], vec![settled(), nobody()], vec![nobody(), nobody(), settled()]] {
            assert_eq!(merge(answers), [ack("a", 5, Some(9), &[])]);
        }
        let waits = vec![ack("a", 5, None, &["p"])];
        assert_eq!(merge(vec![nobody(), waits.clone(), settled()]), [ack("a", 5, None, &["p"])]);
        assert_eq!(merge(vec![nobody(), vec![ack("old", 3, Some(4), &[])], settled()]), [ack("a", 5, None, &[])]);
    }
}
