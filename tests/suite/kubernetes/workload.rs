//! Applications of the tests: the demo's, as pods with an image that has a shell and curl.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use serde_json::Value;
use weft_tests::{
    cluster::{Cluster, TestNamespace},
    http::get,
    wait::{ensure, until},
};

/// A Deployment of `replicas` with a Service of its name on port 80, called `http`.
pub fn app(name: &str, replicas: u32) -> String {
    deployment(name, "v1", replicas) + &service(name)
}

/// A Deployment `<name>-<version>`.
pub fn deployment(name: &str, version: &str, replicas: u32) -> String {
    calling(name, version, replicas, &[])
}

/// A Deployment `<name>-<version>` that asks others, `service/path`, before it answers.
pub fn calling(name: &str, version: &str, replicas: u32, others: &[&str]) -> String {
    let calls: String = others.iter().map(|other| format!(", --calls={other}")).collect();
    format!(
        "
apiVersion: v1
kind: ServiceAccount
metadata: {{name: {name}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}-{version}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}, version: {version}}}}}
  strategy: {{rollingUpdate: {{maxSurge: 1, maxUnavailable: 0}}}}
  template:
    metadata: {{labels: {{app: {name}, version: {version}}}}}
    spec:
      serviceAccountName: {name}
      containers:
      - name: app
        image: weft/tools:0.1.0
        imagePullPolicy: Never
        command: [weft-demo-app, serve, --name={name}, --version={version}, '--listen=[::]:8080'{calls}]
        ports: [{{containerPort: 8080}}]
        readinessProbe: {{httpGet: {{path: /ready, port: 8080}}, periodSeconds: 1}}
"
    )
}

/// A Service before all versions.
pub fn service(name: &str) -> String {
    format!(
        "
---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{selector: {{app: {name}}}, ports: [{{name: http, port: 80, targetPort: 8080}}]}}
"
    )
}

/// A pod that does nothing until it is told, with the name of its container and its service account.
pub fn client(name: &str) -> String {
    format!(
        "
apiVersion: v1
kind: ServiceAccount
metadata: {{name: {name}}}
---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, labels: {{app: {name}}}}}
spec:
  serviceAccountName: {name}
  terminationGracePeriodSeconds: 1
  containers: [{{name: {name}, image: 'weft/tools:0.1.0', imagePullPolicy: Never}}]
"
    )
}

/// A namespace whose pods are injected.
pub async fn injected(cluster: &'static Cluster, prefix: &str) -> TestNamespace {
    cluster.namespace(prefix, &[("istio-injection", "enabled")]).await
}

/// Where the proxies of the pods with a label tell their metrics.
pub async fn proxies(cluster: &'static Cluster, namespace: &TestNamespace, label: &str) -> Vec<SocketAddr> {
    let pods = cluster.read(&["pods", "-n", &namespace.name, "-l", label]).await.unwrap();
    let address = |pod: &Value| format!("{}:15090", pod["status"]["podIP"].as_str().unwrap()).parse().unwrap();
    pods["items"].as_array().unwrap().iter().map(address).collect()
}

/// `curl` in a pod: the status and the body, or what curl said.
pub async fn curl(namespace: &TestNamespace, pod: &str, args: &[&str]) -> Result<(u16, String), String> {
    let base = ["curl", "-sS", "--max-time", "10", "-w", "\n%{http_code}"];
    let output = namespace.exec(pod, pod, &[&base[..], args].concat()).await?;
    let (body, status) = output.rsplit_once('\n').ok_or("curl printed no status")?;
    Ok((status.trim().parse().map_err(|_| output.clone())?, body.to_owned()))
}

/// Waits until `curl` gets this status.
pub async fn answers(namespace: &TestNamespace, pod: &str, url: &str, status: u16) -> String {
    until(&format!("{url} answers {status}"), Duration::from_secs(30), || async {
        let (got, body) = curl(namespace, pod, &[url]).await?;
        ensure(got == status, || format!("{got}: {body}"))?;
        Ok(body)
    })
    .await
}

/// Steady requests from a pod of its own, injected as its namespace says.
pub struct Load<'a> {
    namespace: &'a TestNamespace,
    name: String,
}

/// What became of a load's requests.
#[derive(Debug)]
pub struct Tally {
    /// How many were sent.
    pub sent: u64,
    /// How many were not, because too many were under way.
    pub skipped: u64,
    /// Answers by status; `0` counts those that got none.
    pub by_status: BTreeMap<u16, u64>,
}

impl<'a> Load<'a> {
    /// Starts `rate` requests per second to `url` and waits until they flow. The first one counts as well.
    pub async fn start(namespace: &'a TestNamespace, name: &str, url: &str, rate: u32) -> Self {
        let pod = format!(
            "
apiVersion: v1
kind: Pod
metadata: {{name: {name}, labels: {{app: {name}}}}}
spec:
  restartPolicy: Never
  containers:
  - name: {name}
    image: weft/tools:0.1.0
    imagePullPolicy: Never
    command: [weft-demo-app, call, --url={url}, --rate={rate}]
"
        );
        namespace.apply(&pod).await;
        namespace.kubectl(&["wait", &format!("pod/{name}"), "--for=condition=Ready", "--timeout=60s"]).await;
        Self { namespace, name: name.to_owned() }
    }

    /// Waits until `more` requests were answered with 200 since this was called, as the load's own proxy counts.
    pub async fn until_served(&self, more: u64) {
        let limit = Duration::from_secs(60);
        let address = self.namespace.kubectl(&["get", "pod", &self.name, "-o", "jsonpath={.status.podIP}"]).await;
        let address: IpAddr = address.trim().parse().unwrap_or_else(|error| panic!("{address:?}: {error}"));
        let proxy = SocketAddr::new(address, 15090);
        let before = until("the load's proxy counts", limit, || served(proxy)).await;
        until(&format!("{more} more requests are served"), limit, || async {
            let now = served(proxy).await?;
            ensure(now >= before + more, || format!("{now}, and {before} before"))
        })
        .await;
    }

    /// Stops and tells what happened.
    pub async fn finish(self) -> Tally {
        // With the first process goes every other of its container, this shell too if it has not ended yet.
        if let Err(error) = self.namespace.exec(&self.name, &self.name, &["sh", "-c", "kill -TERM 1"]).await {
            assert!(error.contains("exit code 137"), "the load runs: {error}");
        }
        let logs = || async {
            let logs = self.namespace.try_kubectl(&["logs", &self.name, "-c", &self.name]).await?;
            let line = logs.lines().rfind(|line| line.starts_with('{')).ok_or_else(|| logs.clone())?;
            serde_json::from_str::<Value>(line).map_err(|error| error.to_string())
        };
        let tally = until("the load's tally", Duration::from_secs(30), logs).await;
        let statuses = tally["by_status"].as_object().expect("by_status");
        Tally {
            sent: tally["sent"].as_u64().expect("sent"),
            skipped: tally["skipped"].as_u64().expect("skipped"),
            by_status: statuses.iter().map(|(k, v)| (k.parse().expect("status"), v.as_u64().expect("count"))).collect(),
        }
    }
}

/// How many requests of a client were answered with 200 so far, as its proxy counts at this address.
async fn served(proxy: SocketAddr) -> Result<u64, String> {
    let text = get(proxy, "proxy", "/stats/prometheus", &[]).await?.text();
    let counts = text.lines().filter(|line| {
        line.starts_with("istio_requests_total{")
            && line.contains("reporter=\"source\"")
            && line.contains("response_code=\"200\"")
    });
    Ok(counts.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64)
}

impl Tally {
    /// Panics unless there were at least `least` requests and each was answered with 200.
    pub fn assert_clean(&self, least: u64) {
        assert!(self.sent >= least, "too few requests to tell anything: {self:?}");
        assert_eq!(self.skipped, 0, "{self:?}");
        assert!(self.by_status.keys().all(|status| *status == 200), "failed requests: {self:?}");
    }
}
