//! A namespace of a test's own.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use super::Cluster;

/// A namespace that goes when the value does, its pods at once; when the test has panicked these, events and logs are printed
/// first. Nobody waits for it: Kubernetes empties a namespace five seconds later, and looks again after half a pod's grace.
pub struct TestNamespace {
    /// Its name.
    pub name: String,
    cluster: &'static Cluster,
}

static COUNT: AtomicU32 = AtomicU32::new(1);

impl Cluster {
    /// Makes a namespace with a name that starts with `prefix` and the given labels.
    pub async fn namespace(&'static self, prefix: &str, labels: &[(&str, &str)]) -> TestNamespace {
        let name = format!("{prefix}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let labels: serde_json::Map<String, Value> =
            labels.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let object = json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name, "labels": labels },
        });
        self.apply(&object.to_string()).await;
        TestNamespace { name, cluster: self }
    }
}

impl TestNamespace {
    /// Applies manifests that name no namespace into this one.
    pub async fn apply(&self, yaml: &str) -> String {
        self.try_apply(yaml).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Applies manifests into this namespace, refused or not.
    pub async fn try_apply(&self, yaml: &str) -> Result<String, String> {
        self.cluster.in_namespace(&self.name, yaml).await
    }

    /// `kubectl -n <this> …`; panics with what it said when it fails.
    pub async fn kubectl(&self, args: &[&str]) -> String {
        self.cluster.kubectl(&[&["-n", self.name.as_str()], args].concat()).await
    }

    /// `kubectl -n <this> …`, its output or what it said.
    pub async fn try_kubectl(&self, args: &[&str]) -> Result<String, String> {
        self.cluster.try_kubectl(&[&["-n", self.name.as_str()], args].concat()).await
    }

    /// Runs a program in a pod of this namespace.
    pub async fn exec(&self, pod: &str, container: &str, program: &[&str]) -> Result<String, String> {
        self.cluster.exec(&self.name, pod, container, program).await
    }

    /// What an administrator would look at when something is wrong here.
    pub fn report(&self) -> String {
        let mut report = String::new();
        let mut look = |args: &[&str]| {
            let text = self.cluster.kubectl_now(&[&["-n", self.name.as_str()], args].concat(), None);
            report += &format!("--- kubectl -n {} {}\n", self.name, args.join(" "));
            report += &text.unwrap_or_else(|error| format!("{error:#}\n"));
        };
        look(&["get", "pods,services,jobs", "-o", "wide"]);
        look(&[
            "get",
            "events",
            "--sort-by=.lastTimestamp",
            "-o",
            "custom-columns=:.reason,:.involvedObject.name,:.message",
        ]);
        let pods = self.cluster.kubectl_now(&["-n", &self.name, "get", "pods", "-o", "name"], None).unwrap_or_default();
        for pod in pods.lines() {
            look(&["logs", "--all-containers", "--prefix", "--tail=25", pod]);
        }
        report
    }
}

impl Drop for TestNamespace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.report());
        }
        drop(self.cluster.kubectl_now(&["delete", "namespace", &self.name, "--wait=false"], None));
        // From now on none is made in their place. A Mesh cannot go before them.
        drop(self.cluster.kubectl_now(&["-n", &self.name, "delete", "pods", "--all", "--now", "--wait=false"], None));
    }
}
