//! Which proxies are connected, and whether they are in step: what every control plane says, asked once for all readers.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use prometheus_http_query::reqwest;
use tokio::sync::Mutex;
use weft_model::{
    details::SyncState,
    sync::{ProxySync, TypeSync},
};

use super::reading::Reading;
use crate::operator::{Operator, OperatorError};

/// How long an answer is given again.
const FRESH: Duration = Duration::from_millis(1500);
/// How long a proxy may take to answer.
const DEADLINE: Duration = Duration::from_secs(2);
/// The largest page of a proxy that is read.
const MAX_PAGE: usize = 64 * 1024 * 1024;

/// What the control planes said.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Their addresses, and why one has no answer.
    pub planes: Vec<(String, Option<String>)>,
    /// Proxies by namespace and instance, with the index of the control plane that has it on the line.
    pub proxies: BTreeMap<(String, String), (usize, ProxySync)>,
}

/// Asks the control planes.
pub struct Fleet {
    operator: Option<Operator>,
    http: reqwest::Client,
    reading: Reading,
    /// Held while they are asked, so that whoever comes meanwhile waits for that answer.
    slot: Mutex<Option<(Instant, Arc<Seen>)>>,
}

impl Fleet {
    /// Without an operator every answer says so.
    pub fn new(operator: Option<Operator>) -> Self {
        let client = reqwest::Client::builder()
            .tls_certs_only(Vec::new())
            .no_proxy()
            .connect_timeout(DEADLINE)
            .timeout(DEADLINE)
            .build();
        Self { operator, http: client.unwrap_or_default(), reading: Reading::default(), slot: Mutex::default() }
    }

    /// Bounds how much of proxies is read at once.
    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    /// A page of a proxy's admin port; the error says what happened.
    pub async fn proxy_page(&self, url: &str) -> Result<Vec<u8>, String> {
        let why = |error: reqwest::Error| {
            if error.is_timeout() { "no answer in time".to_owned() } else { error.without_url().to_string() }
        };
        let mut response = self.http.get(url).send().await.map_err(why)?;
        if !response.status().is_success() {
            return Err(format!("it answers {}", response.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(why)? {
            if body.len() + chunk.len() > MAX_PAGE {
                return Err("the answer is too long".to_owned());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// The client, if an operator is configured.
    pub fn operator(&self) -> Option<&Operator> {
        self.operator.as_ref()
    }

    /// What they say, at most a second and a half old.
    pub async fn seen(&self, replicas: &[IpAddr]) -> Arc<Seen> {
        let mut slot = self.slot.lock().await;
        if let Some((asked, seen)) = slot.as_ref()
            && asked.elapsed() < FRESH
        {
            return seen.clone();
        }
        let answers = match &self.operator {
            Some(operator) => operator.ask(replicas, "/debug/syncz").await,
            None => vec![(String::new(), Err(OperatorError::NotConfigured))],
        };
        let seen = Arc::new(Seen::of(answers));
        *slot = Some((Instant::now(), seen.clone()));
        seen
    }
}

impl Seen {
    /// Puts the answers together. A proxy that has just moved is known to both: the newer connection counts.
    pub fn of(answers: Vec<(String, Result<Vec<ProxySync>, OperatorError>)>) -> Self {
        let mut seen = Self::default();
        for (index, (url, answer)) in answers.into_iter().enumerate() {
            seen.planes.push((url, answer.as_ref().err().map(ToString::to_string)));
            for proxy in answer.into_iter().flatten() {
                let key = (proxy.workload.namespace.clone(), proxy.workload.name.clone());
                let newer = |known: &(usize, ProxySync)| known.1.connected_at_ms > proxy.connected_at_ms;
                if !seen.proxies.get(&key).is_some_and(newer) {
                    seen.proxies.insert(key, (index, proxy));
                }
            }
        }
        seen
    }

    /// Why the state of proxies is not known in full, if so.
    pub fn problem(&self) -> Option<String> {
        self.planes.iter().find_map(|(_, problem)| problem.clone())
    }

    /// One instance's proxy and the address of its control plane.
    pub fn proxy(&self, namespace: &str, name: &str) -> Option<(&ProxySync, &str)> {
        let (plane, proxy) = self.proxies.get(&(namespace.to_owned(), name.to_owned()))?;
        Some((proxy, self.planes.get(*plane).map_or("", |(url, _)| url.as_str())))
    }

    /// The state of one instance's proxy, in words too.
    pub fn state(&self, namespace: &str, name: &str) -> (SyncState, String) {
        match self.proxy(namespace, name) {
            Some((proxy, _)) => of_types(&proxy.types),
            None => match self.problem() {
                Some(problem) => (SyncState::Unknown, problem),
                None => (
                    SyncState::Away,
                    "No control plane has it on the line; what it was sent last stays in force.".to_owned(),
                ),
            },
        }
    }
}

/// The state that follows from its types: a refusal counts more than being late.
pub fn of_types(types: &[TypeSync]) -> (SyncState, String) {
    let refused: Vec<String> =
        types.iter().filter_map(|state| Some(format!("{}: {}", state.kind, state.nack.as_ref()?))).collect();
    if !refused.is_empty() {
        return (SyncState::Refused, refused.join("\n"));
    }
    let late: Vec<&str> = types.iter().filter(|state| !state.synced).map(|state| state.kind.as_str()).collect();
    if late.is_empty() {
        return (SyncState::Synced, "It has confirmed everything.".to_owned());
    }
    (SyncState::Stale, format!("It has not confirmed {} yet.", late.join(", ")))
}

#[cfg(test)]
mod tests {
    use weft_model::WorkloadRef;

    use super::*;

    fn proxy(name: &str, connected_at_ms: u64, synced: bool, nack: Option<&str>) -> ProxySync {
        ProxySync {
            node: name.to_owned(),
            workload: WorkloadRef::new("shop", name),
            identity: String::new(),
            version: "0.1.0".into(),
            connected_at_ms,
            types: vec![TypeSync { kind: "cds".into(), resources: 1, synced, nack: nack.map(str::to_owned) }],
        }
    }

    #[test]
    fn the_newer_connection_counts() {
        let seen = Seen::of(vec![
            ("a".into(), Ok(vec![proxy("cart", 5, false, None)])),
            ("b".into(), Ok(vec![proxy("cart", 9, true, None)])),
        ]);
        assert_eq!(seen.proxy("shop", "cart").unwrap().1, "b");
        assert_eq!(seen.state("shop", "cart").0, SyncState::Synced);
        assert_eq!(seen.state("shop", "web").0, SyncState::Away);
    }

    #[test]
    fn nobody_is_away_while_somebody_could_not_be_asked() {
        let seen = Seen::of(vec![
            ("a".into(), Ok(vec![proxy("cart", 5, true, Some("Listener x: port in use"))])),
            ("b".into(), Err(OperatorError::NotConfigured)),
        ]);
        assert_eq!(seen.state("shop", "web").0, SyncState::Unknown);
        let (state, words) = seen.state("shop", "cart");
        assert_eq!((state, words.as_str()), (SyncState::Refused, "cds: Listener x: port in use"));
    }
}
