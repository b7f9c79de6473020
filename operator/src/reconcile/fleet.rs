//! What the replicas of the control plane say of the proxies that are connected to them.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use futures::{StreamExt, stream};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::ListParams};
use tokio::{net::TcpStream, time::timeout};
use weft_install::names;
use weft_model::ports;

use super::{cluster::Cluster, problem::Problem};
use crate::{ads::registry::Fleet, clock};

/// Time for one replica to answer.
const ANSWER: Duration = Duration::from_secs(2);
/// Largest answer that is read.
const MAX_ANSWER: usize = 256 * 1024;

/// The answers of all replicas together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Connected proxies.
    pub proxies: usize,
    /// Connected proxies by version.
    pub versions: BTreeMap<String, usize>,
    /// Replicas that did not answer.
    pub silent: usize,
    /// The roots that each replica tells, and how many of its proxies have not confirmed them.
    pub roots: Vec<(String, usize)>,
    /// Of the replica whose clock is furthest off, how many seconds it is ahead of the API server's.
    pub clock_ahead_s: Option<i64>,
}

impl Survey {
    /// Whether every replica tells these roots and every proxy has confirmed them; `None` when some replica is silent.
    pub fn everybody_has(&self, roots: &str) -> Option<bool> {
        let all = self.roots.iter().all(|(told, without)| told == roots && *without == 0);
        if all && self.silent > 0 { None } else { Some(all) }
    }

    fn add(&mut self, answer: Option<Fleet>) {
        let Some(fleet) = answer else {
            self.silent += 1;
            return;
        };
        self.proxies += fleet.proxies;
        for (version, count) in fleet.versions {
            *self.versions.entry(version).or_default() += count;
        }
        self.roots.push((fleet.roots, fleet.without_roots));
        self.clock_ahead_s = clock::further(self.clock_ahead_s, fleet.clock_ahead_s);
    }
}

/// Asks every running replica; of one Mesh, or of all.
pub async fn survey(cluster: &Cluster, namespace: &str, mesh: Option<&str>) -> Result<Survey, Problem> {
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), namespace);
    let mut selector = format!("{}=control-plane", names::COMPONENT_LABEL);
    if let Some(mesh) = mesh {
        selector.push_str(&format!(",{}={mesh}", names::MESH_LABEL));
    }
    let params = ListParams::default().labels(&selector).fields("status.phase=Running");
    let found = cluster.ask("list the control plane's pods", pods.list(&params)).await?;
    let ready = |pod: &Pod| {
        let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
        conditions.is_some_and(|all| all.iter().any(|c| c.type_ == "Ready" && c.status == "True"))
    };
    let address = |pod: &Pod| pod.status.as_ref()?.pod_ip.as_ref()?.parse::<IpAddr>().ok();
    let addresses: Vec<_> = found.items.iter().filter(|pod| ready(pod)).filter_map(address).collect();
    let mut answers = stream::iter(addresses).map(ask).buffer_unordered(8);
    let mut survey = Survey::default();
    while let Some(answer) = answers.next().await {
        survey.add(answer);
    }
    Ok(survey)
}

async fn ask(address: IpAddr) -> Option<Fleet> {
    match timeout(ANSWER, get(address)).await {
        Ok(Ok(fleet)) => Some(fleet),
        Ok(Err(error)) => {
            tracing::debug!(%address, %error, "a replica gives no account of its proxies");
            None
        }
        Err(_) => None,
    }
}

async fn get(address: IpAddr) -> Result<Fleet, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect((address, ports::CONTROL_PLANE_ADMIN)).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(connection));
    let mut request = Request::get("/debug/fleet").header("host", address.to_string());
    // The kubelet renews it, so it is read each time. Outside of a pod there is none.
    if let Ok(token) = tokio::fs::read_to_string(names::READER_TOKEN_FILE).await {
        request = request.header("authorization", format!("Bearer {}", token.trim()));
    }
    let request = request.body(Empty::<Bytes>::new())?;
    let answer = sender.send_request(request).await?;
    if !answer.status().is_success() {
        return Err(format!("answered {}", answer.status()).into());
    }
    let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await?.to_bytes();
    drop(driver);
    Ok(serde_json::from_slice(&body)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet(roots: &str, without_roots: usize) -> Option<Fleet> {
        let versions = [("1.0.0".to_owned(), 2)].into();
        Some(Fleet { proxies: 2, versions, roots: roots.into(), without_roots, ..Fleet::default() })
    }

    #[test]
    fn answers_are_summed_and_silence_is_not_consent() {
        let mut survey = Survey::default();
        assert_eq!(survey.everybody_has("b"), Some(true), "nobody is connected to nobody");
        survey.add(fleet("b", 0));
        survey.add(fleet("b", 0));
        assert_eq!((survey.proxies, survey.versions["1.0.0"]), (4, 4));
        assert_eq!(survey.everybody_has("b"), Some(true));
        survey.add(None);
        assert_eq!(survey.everybody_has("b"), None);
        survey.add(fleet("b", 1));
        assert_eq!(survey.everybody_has("b"), Some(false));
        let mut other = Survey::default();
        other.add(fleet("a", 0));
        assert_eq!(other.everybody_has("b"), Some(false));
    }
}
