//! Writes the objects into the API server, many at once.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use http::{Method, Request};
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose};
use serde_json::{Value, json};
use weft_install::{Capabilities, InjectConfig, MeshInput, names};

use crate::objects::{self, Scale};

/// Requests under way at once.
const AT_ONCE: usize = 48;

/// What the mesh trusts and how it injects.
pub struct Installation {
    /// The root certificate, PEM.
    pub root: String,
    /// Settings of injection.
    pub injection: InjectConfig,
}

/// A write.
struct Write {
    method: Method,
    path: String,
    body: Vec<u8>,
}

impl Write {
    fn post(path: impl Into<String>, object: &Value) -> Self {
        Self { method: Method::POST, path: path.into(), body: object.to_string().into_bytes() }
    }
}

/// Brings what an installation has before the control plane starts: definitions, settings, the certificate authority.
///
/// # Errors
/// Whatever the API server refuses.
pub async fn install(client: &Client) -> Result<Installation> {
    let mesh = json!({ "apiVersion": "weft.dev/v1alpha1", "kind": "Mesh", "metadata": { "name": "mesh" }, "spec": {} });
    let input = MeshInput::from_json(&mesh, names::NAMESPACE, Capabilities::default())?;
    let settings = weft_install::render(&input)?;
    let settings = settings.iter().find(|object| object["kind"] == "ConfigMap").context("no ConfigMap is rendered")?;
    let (root, key) = root()?;
    let authority = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": names::CA_SECRET, "namespace": names::NAMESPACE },
        "stringData": { "ca-cert.pem": root, "ca-key.pem": key, "root-cert.pem": root, "cert-chain.pem": "" },
    });
    let definitions = weft_install::crds();
    let definitions = definitions
        .iter()
        .map(|crd| Write::post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &crd.definition));
    write(client, definitions).await?;
    write(client, [namespace(names::NAMESPACE, false), namespace("istio-system", false)]).await?;
    let inside = |plural: &str| format!("/api/v1/namespaces/{}/{plural}", names::NAMESPACE);
    write(client, [Write::post(inside("secrets"), &authority), Write::post(inside("configmaps"), settings)]).await?;
    Ok(Installation { root, injection: InjectConfig::new(&input) })
}

/// The root certificate that [`install`] wrote, PEM.
///
/// # Errors
/// When it cannot be read.
pub async fn root_of(client: &Client) -> Result<String> {
    let path = format!("/api/v1/namespaces/{}/secrets/{}", names::NAMESPACE, names::CA_SECRET);
    let secret: Secret = client.request(Request::get(path).body(Vec::new())?).await?;
    let root = secret.data.and_then(|mut data| data.remove("root-cert.pem")).context("the Secret has no root")?;
    Ok(String::from_utf8(root.0)?)
}

/// Fills the API server; gives how long that took.
///
/// # Errors
/// Whatever the API server refuses.
pub async fn fill(client: &Client, scale: Scale, injection: &InjectConfig) -> Result<Duration> {
    let started = Instant::now();
    write(client, (0..scale.namespaces).map(|number| namespace(&objects::namespace(number), true))).await?;
    let nodes = (0..scale.nodes).map(|number| Write::post("/api/v1/nodes", &objects::node(number)));
    let accounts = (0..scale.services).map(|service| {
        let account = json!({ "metadata": { "name": objects::name(service) } });
        Write::post(core(scale, service, "serviceaccounts"), &account)
    });
    write(client, nodes.chain(accounts)).await?;
    let services = (0..scale.services).flat_map(|service| {
        let slices = format!("/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices", scale.namespace(service));
        [
            Write::post(core(scale, service, "services"), &scale.service(service)),
            Write::post(slices, &scale.endpoint_slice(service)),
        ]
    });
    let rules = (0..scale.services).filter(|service| scale.has_rules(*service)).flat_map(|service| {
        let group = format!("/apis/networking.istio.io/v1/namespaces/{}", scale.namespace(service));
        [
            Write::post(format!("{group}/virtualservices"), &scale.virtual_service(service)),
            Write::post(format!("{group}/destinationrules"), &scale.destination_rule(service)),
        ]
    });
    write(client, services.chain(rules)).await?;
    let pods = (0..scale.services).flat_map(|service| (0..scale.pods).map(move |pod| (service, pod)));
    let pods = pods.map(|(service, pod)| run(client, scale, service, pod, injection));
    stream::iter(pods).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    Ok(started.elapsed())
}

/// Creates a pod, then tells its status, as the kubelet does.
async fn run(client: &Client, scale: Scale, service: usize, pod: usize, injection: &InjectConfig) -> Result<()> {
    let object = scale.running_pod(service, pod, injection)?;
    let path = core(scale, service, "pods");
    let create = Write::post(path.as_str(), &object);
    let status = format!("{path}/{}/status", scale.pod_name(service, pod));
    let status = Write { method: Method::PUT, path: status, body: create.body.clone() };
    send(client, create).await?;
    send(client, status).await
}

fn core(scale: Scale, service: usize, plural: &str) -> String {
    format!("/api/v1/namespaces/{}/{plural}", scale.namespace(service))
}

fn namespace(name: &str, injected: bool) -> Write {
    let labels: serde_json::Map<String, Value> =
        objects::injected().into_iter().filter(|_| injected).map(|(name, value)| (name, value.into())).collect();
    Write::post("/api/v1/namespaces", &json!({ "metadata": { "name": name, "labels": labels } }))
}

async fn write(client: &Client, writes: impl IntoIterator<Item = Write>) -> Result<()> {
    let writes = writes.into_iter().map(|write| send(client, write));
    stream::iter(writes).buffer_unordered(AT_ONCE).try_collect().await
}

/// Writes; a kind that was defined a moment ago may take a moment to be served.
async fn send(client: &Client, write: Write) -> Result<()> {
    let Write { method, path, body } = write;
    let started = Instant::now();
    loop {
        let request = Request::builder().method(&method).uri(&path).header("content-type", "application/json");
        match client.request_text(request.body(body.clone())?).await {
            Ok(_) => return Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 && started.elapsed() < Duration::from_secs(20) => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => return Err(error).with_context(|| format!("{method} {path}")),
        }
    }
}

/// A root certificate and its key, PEM.
fn root() -> Result<(String, String)> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::OrganizationName, "cluster.local");
    params.distinguished_name.push(DnType::CommonName, "Weft root");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}
