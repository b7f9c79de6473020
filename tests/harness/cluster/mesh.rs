//! Weft on the cluster: the operator as an installation brings it, and `Mesh` objects.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use weft_install::{names, render::bootstrap::Bootstrap};

use super::{Cluster, object::condition};

/// Namespace of the installation.
pub const SYSTEM: &str = names::NAMESPACE;
/// What a Mesh has to become ready.
pub const READY: Duration = Duration::from_secs(60);

/// Tests that use the mesh run beside each other; one that takes it apart is alone. Holds whether it is there.
static MESH: RwLock<bool> = RwLock::const_new(false);

/// The mesh as long as this value lives, beside other tests.
pub struct SharedMesh {
    _guard: RwLockReadGuard<'static, bool>,
}

/// The mesh without other tests, and the operator without a Mesh when [`MeshAlone::clear`] was called.
pub struct MeshAlone {
    guard: RwLockWriteGuard<'static, bool>,
    cluster: &'static Cluster,
}

/// A Mesh of a test's own: it goes when the value does, whether the test has removed it, has passed or has panicked. Declare
/// it after the [`SharedMesh`] or [`MeshAlone`] that it stands beside, so that it is gone before another test begins.
#[must_use = "the Mesh goes with it"]
pub struct OwnMesh {
    name: String,
    cluster: &'static Cluster,
}

/// The Mesh that the suite uses, for `kubectl apply`.
pub fn mesh(name: &str, spec: &Value) -> String {
    let mut spec = spec.clone();
    spec["image"]["pullPolicy"] = "Never".into();
    json!({ "apiVersion": "weft.dev/v1alpha1", "kind": "Mesh", "metadata": { "name": name }, "spec": spec }).to_string()
}

/// Its name.
pub const NAME: &str = "mesh";

impl Cluster {
    /// The mesh in profile `default`, installed when it is not there.
    pub async fn mesh(&'static self) -> SharedMesh {
        loop {
            let guard = MESH.read().await;
            if *guard {
                return SharedMesh { _guard: guard };
            }
            drop(guard);
            drop(self.mesh_alone().await.install().await);
        }
    }

    /// Waits until no other test uses the mesh.
    pub async fn mesh_alone(&'static self) -> MeshAlone {
        MeshAlone { guard: MESH.write().await, cluster: self }
    }

    /// Sees to it that a Mesh which the test makes, by whatever means, does not outlive it.
    pub fn own_mesh(&'static self, name: &str) -> OwnMesh {
        OwnMesh { name: name.to_owned(), cluster: self }
    }

    /// Removes a Mesh on this thread, whatever still runs under it. Nothing happens when it is not there.
    fn remove_mesh(&self, name: &str) {
        let kubectl = |args: &[&str]| self.kubectl_now(args, None);
        drop(kubectl(&["annotate", "--overwrite", "mesh", name, "weft.dev/force-delete=true"]));
        if kubectl(&["delete", "mesh", name, "--ignore-not-found", "--timeout=60s"]).is_err() {
            // Where no operator lets it go, what it owns goes with it all the same.
            drop(kubectl(&["patch", "mesh", name, "--type=merge", "-p", r#"{"metadata":{"finalizers":null}}"#]));
        }
    }

    /// Brings the operator, as the chart does. Nothing happens when it is there.
    pub async fn install_operator(&'static self) {
        let mut objects = vec![json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": SYSTEM } })];
        objects.extend(weft_install::crds().into_iter().filter(|crd| !crd.foreign).map(|crd| crd.definition));
        objects.extend(Bootstrap { pull_policy: "Never".into(), ..Bootstrap::default() }.objects());
        // Whatever an installation or an upgrade left of its own.
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string();
        self.take_over(&list).await;
        self.kubectl(&["wait", "crd/meshes.weft.dev", "--for=condition=Established", "--timeout=20s"]).await;
        self.rolled_out(SYSTEM, "weft-operator", READY).await;
    }

    /// Waits until a Mesh is ready as it is written now.
    pub async fn mesh_ready(&'static self, name: &str) {
        self.wait_for(&format!("mesh {name} is ready"), &["mesh", name], READY, |mesh| {
            let current = mesh["status"]["observedGeneration"] == mesh["metadata"]["generation"];
            match condition(mesh, "Ready") {
                Some(("True", _)) if current => Ok(()),
                _ => Err(mesh["status"].to_string()),
            }
        })
        .await;
    }

    /// What an administrator would look at when the mesh is in a bad way.
    pub fn mesh_report(&self) -> String {
        let mut report = String::new();
        let mut look = |args: &[&str]| {
            report += &format!("--- kubectl {}\n", args.join(" "));
            report += &self.kubectl_now(args, None).unwrap_or_else(|error| format!("{error:#}\n"));
        };
        look(&["get", "meshes", "-o", "yaml"]);
        look(&["get", "pods", "-A", "-o", "wide"]);
        look(&[
            "-n",
            SYSTEM,
            "logs",
            "--prefix",
            "--tail=40",
            "-l",
            "app.kubernetes.io/part-of=weft",
            "--max-log-requests=20",
        ]);
        report
    }
}

impl MeshAlone {
    /// Installs the suite's Mesh when it is not there and waits until it is ready.
    pub async fn install(mut self) -> Self {
        if !*self.guard {
            self.cluster.install_operator().await;
            self.cluster.apply(&mesh(NAME, &json!({ "profile": "default" }))).await;
            self.cluster.mesh_ready(NAME).await;
            *self.guard = true;
        }
        self
    }

    /// Says that the test leaves no usable mesh behind: the next one that needs it installs it anew.
    pub fn spoil(&mut self) {
        *self.guard = false;
    }
}

impl Drop for MeshAlone {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Whatever state it is in, with whatever version or tags, the next test starts from a Mesh that is made anew.
            *self.guard = false;
            eprintln!("{}", self.cluster.mesh_report());
            self.cluster.remove_mesh(NAME);
        }
    }
}

impl Drop for OwnMesh {
    fn drop(&mut self) {
        self.cluster.remove_mesh(&self.name);
    }
}
