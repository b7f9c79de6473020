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
use weft_model::{ports, sync};

use super::{cluster::Cluster, problem::Problem};
use crate::{ads::registry::Fleet, clock};

/// Time for one replica to answer.
const ANSWER: Duration = sync::ANSWER;
/// Largest answer that is read.
const MAX_ANSWER: usize = 256 * 1024;

/// The answers of all replicas together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Connected proxies.
    pub proxies: usize,
    /// Connected proxies in pods, as far as replicas tell.
    pub in_pods: usize,
    /// Replicas that answered, but do not tell which of their proxies run in pods, as older ones do not.
    pub uncounted: usize,
    /// Connected proxies by version.
    pub versions: BTreeMap<String, usize>,
    /// Replicas that run and did not answer, or are not ready: what their proxies have is not known.
    pub silent: usize,
    /// The roots that each replica tells, and how many of its proxies have not confirmed them.
    pub roots: Vec<(String, usize)>,
    /// Of the replica whose clock is furthest off, how many seconds it is ahead of the API server's.
    pub clock_ahead_s: Option<i64>,
}

impl Survey {
    /// Who has not confirmed these roots although `pods` run with a proxy, as half a sentence; nothing when everybody has.
    /// Silence is no consent: neither of a replica, nor of a pod whose proxy is connected to none.
    pub fn awaits(&self, roots: &str, pods: usize) -> Option<String> {
        let without: usize = self.roots.iter().map(|(_, without)| without).sum();
        let others = self.roots.iter().filter(|(told, _)| told != roots).count();
        if self.silent > 0 {
            return Some(format!("{} of the control plane's pods do not say what their proxies have", self.silent));
        }
        if self.roots.is_empty() {
            return Some("no replica of the control plane runs that proxies could confirm them to".to_owned());
        }
        if others > 0 {
            return Some(format!("{others} of the control plane's pods do not tell both yet"));
        }
        if without > 0 {
            return Some(format!("{without} of {} connected proxies have not confirmed both", self.proxies));
        }
        let absent = pods.saturating_sub(self.in_pods);
        if absent > 0 && self.uncounted > 0 {
            return Some(format!(
                "{} of the control plane's pods do not say how many of their proxies run in pods: they are of an older version",
                self.uncounted
            ));
        }
        (absent > 0).then(|| format!("{absent} of {pods} pods with a proxy are not connected to the control plane"))
    }

    fn add(&mut self, answer: Option<Fleet>) {
        let Some(fleet) = answer else {
            self.silent += 1;
            return;
        };
        self.proxies += fleet.proxies;
        match fleet.in_pods {
            Some(count) => self.in_pods += count,
            None => self.uncounted += 1,
        }
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
    let (addresses, silent) = replicas(&found.items);
    let mut answers = stream::iter(addresses).map(ask).buffer_unordered(8);
    let mut survey = Survey { silent, ..Survey::default() };
    while let Some(answer) = answers.next().await {
        survey.add(answer);
    }
    Ok(survey)
}

/// Addresses of the replicas that can be asked, and how many others run: proxies may be connected to these too.
fn replicas(running: &[Pod]) -> (Vec<IpAddr>, usize) {
    let ready = |pod: &&Pod| {
        let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
        conditions.is_some_and(|all| all.iter().any(|c| c.type_ == "Ready" && c.status == "True"))
    };
    let address = |pod: &Pod| pod.status.as_ref()?.pod_ip.as_ref()?.parse::<IpAddr>().ok();
    let addresses: Vec<_> = running.iter().filter(ready).filter_map(address).collect();
    let silent = running.len() - addresses.len();
    (addresses, silent)
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
    use serde_json::json;

    use super::*;

    fn fleet(roots: &str, without_roots: usize) -> Option<Fleet> {
        let versions = [("1.0.0".to_owned(), 2)].into();
        Some(Fleet { proxies: 2, in_pods: Some(1), versions, roots: roots.into(), without_roots, ..Fleet::default() })
    }

    fn survey(answers: impl IntoIterator<Item = Option<Fleet>>) -> Survey {
        let mut survey = Survey::default();
        answers.into_iter().for_each(|answer| survey.add(answer));
        survey
    }

    #[test]
    fn answers_are_summed() {
        let both = survey([fleet("b", 0), fleet("b", 0)]);
        assert_eq!((both.proxies, both.in_pods, both.versions["1.0.0"], both.silent), (4, 2, 4, 0));
        assert_eq!(survey([None]).silent, 1);
    }

    #[test]
    fn silence_is_not_consent() {
        let awaits = |survey: Survey, pods: usize| survey.awaits("b", pods).unwrap_or_default();
        assert_eq!(survey([fleet("b", 0), fleet("b", 0)]).awaits("b", 2), None);
        let text = awaits(survey([]), 0);
        assert!(text.contains("no replica"), "nobody is connected to nobody: {text}");
        let text = awaits(survey([fleet("b", 0), None]), 1);
        assert!(text.starts_with("1 of the control plane's pods do not say"), "{text}");
        let text = awaits(survey([fleet("b", 0), fleet("b", 1)]), 2);
        assert!(text.starts_with("1 of 4 connected proxies"), "{text}");
        let text = awaits(survey([fleet("a", 0), fleet("b", 0)]), 2);
        assert!(text.starts_with("1 of the control plane's pods do not tell both"), "{text}");
        // A replica that has just started, to which its proxies have yet to come back.
        let restarted = Fleet { roots: "b".into(), in_pods: Some(0), ..Fleet::default() };
        let text = awaits(survey([Some(restarted)]), 3);
        assert!(text.starts_with("3 of 3 pods with a proxy are not connected"), "{text}");
        // A machine stands for no pod.
        assert!(survey([fleet("b", 0)]).awaits("b", 2).is_some());
    }

    /// During an upgrade a replica of the version before answers without the number.
    #[test]
    fn a_number_that_is_not_told_is_not_none() {
        let older = r#"{"proxies": 2, "versions": {"1.0.0": 2}, "roots": "b", "withoutRoots": 0}"#;
        let survey = survey([fleet("b", 0), Some(serde_json::from_str(older).unwrap())]);
        assert_eq!((survey.proxies, survey.in_pods, survey.uncounted), (4, 1, 1));
        let text = survey.awaits("b", 2).unwrap();
        assert!(text.starts_with("1 of the control plane's pods do not say how many"), "{text}");
        // As many as the others have counted by themselves are connected, whatever it would say.
        assert_eq!((survey.awaits("b", 1), survey.awaits("b", 0)), (None, None));
    }

    #[test]
    fn who_runs_and_is_not_ready_is_silent() {
        let pod = |ready: &str, ip: Option<&str>| -> Pod {
            let conditions = json!([{"type": "Ready", "status": ready}]);
            serde_json::from_value(json!({
                "metadata": {"name": "a"}, "status": {"phase": "Running", "podIP": ip, "conditions": conditions},
            }))
            .unwrap()
        };
        let ready = pod("True", Some("10.0.0.1"));
        assert_eq!(replicas(std::slice::from_ref(&ready)), (vec!["10.0.0.1".parse().unwrap()], 0));
        let (addresses, silent) = replicas(&[ready, pod("False", Some("10.0.0.2")), pod("True", None)]);
        assert_eq!((addresses.len(), silent), (1, 2));
        assert_eq!(replicas(&[]), (vec![], 0));
    }
}
