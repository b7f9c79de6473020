//! What a machine has to know of the mesh: its settings, its root, and where its control plane is reached from outside.

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Node, Service};
use kube::{Api, Error, ResourceExt, api::ListParams};
use weft_install::{InjectConfig, names};
use weft_model::ports;
use weft_operator::ca::authority::first_root_hash;
use weft_runtime::StartupError;

use crate::cluster::{Cluster, explain};

/// One mesh, seen from a machine.
#[derive(Clone, Debug)]
pub struct Mesh {
    /// Settings, as sidecars get them.
    pub config: InjectConfig,
    /// `host:port` of the control plane.
    pub address: String,
    /// The mesh's roots in PEM, the one that signs first.
    pub roots: String,
    /// That one's hash, for the token.
    pub root_hash: String,
}

/// The mesh of this revision, or the one that the namespace belongs to.
pub async fn find(cluster: &Cluster, revision: Option<&str>, address: Option<&str>) -> anyhow::Result<Mesh> {
    if let Some(address) = address {
        host_and_port(address)?;
    }
    let wanted = match revision {
        Some(revision) => Some(revision.to_owned()),
        None => label(cluster).await?,
    };
    let config = choose(settings(cluster).await?, wanted.as_deref(), &cluster.system)?;
    let maps: Api<ConfigMap> = Api::namespaced(cluster.client.clone(), &cluster.system);
    let what = format!("read the mesh's root, ConfigMap {}/{}", cluster.system, names::ROOT_CONFIG_MAP);
    let map = maps.get(names::ROOT_CONFIG_MAP).await.map_err(|error| explain(&what, &error))?;
    let roots = map.data.unwrap_or_default().remove(names::ROOT_KEY).unwrap_or_default();
    let root_hash = first_root_hash(&format!("ConfigMap {}/{}", cluster.system, names::ROOT_CONFIG_MAP), &roots)?;
    let address = match address {
        Some(address) => address.to_owned(),
        None => from_outside(cluster, &config).await?,
    };
    Ok(Mesh { config, address, roots, root_hash })
}

/// Whether it is HOST:PORT.
fn host_and_port(address: &str) -> Result<(), StartupError> {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    if !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0) && !address.contains(char::is_whitespace) {
        return Ok(());
    }
    Err(StartupError::new(
        format!("cannot use --control-plane {address:?}"),
        "it is not HOST:PORT",
        "name an address at which the machine reaches the control plane, such as 192.0.2.7:15012",
    ))
}

/// The revision that the namespace chooses.
async fn label(cluster: &Cluster) -> anyhow::Result<Option<String>> {
    let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
    match namespaces.get(&cluster.namespace).await {
        Ok(namespace) => Ok(namespace.labels().get(names::REVISION_LABEL).cloned()),
        // Not everybody who may do something in a namespace may look at it; --revision says it as well.
        Err(Error::Api(status)) if status.code == 403 => Ok(None),
        Err(error) => Err(explain(&format!("read namespace {}", cluster.namespace), &error).into()),
    }
}

/// The settings of every revision, as sidecars get them.
async fn settings(cluster: &Cluster) -> anyhow::Result<Vec<InjectConfig>> {
    let maps: Api<ConfigMap> = Api::namespaced(cluster.client.clone(), &cluster.system);
    let labelled = ListParams::default().labels(names::REVISION_LABEL);
    let what = format!("read the mesh's settings in namespace {}", cluster.system);
    let found = maps.list(&labelled).await.map_err(|error| explain(&what, &error))?;
    let text = found.items.iter().filter_map(|map| map.data.as_ref()?.get(names::INJECTION_KEY));
    text.map(|text| {
        serde_json::from_str(text).map_err(|error| {
            let remedy = "the cluster and this command may be of very different versions";
            StartupError::new(format!("cannot {what}"), error, remedy).into()
        })
    })
    .collect()
}

fn choose(found: Vec<InjectConfig>, wanted: Option<&str>, system: &str) -> Result<InjectConfig, StartupError> {
    let what = "cannot tell which mesh the machine is to join";
    if found.is_empty() {
        let remedy =
            "install Weft first, with weft install or its Helm chart, or say where it is with --weft-namespace";
        return Err(StartupError::new(what, format!("no mesh is installed in namespace {system}"), remedy));
    }
    let revisions: Vec<_> = found.iter().map(|config| config.revision.clone()).collect();
    let names =
        |config: &InjectConfig, name: &str| config.revision == name || config.tags.iter().any(|tag| tag == name);
    let only = found.len() == 1;
    let chosen = found.into_iter().find(|config| match wanted {
        Some(name) => names(config, name),
        None => config.default_revision || only,
    });
    chosen.ok_or_else(|| {
        let why = match wanted {
            Some(name) => format!("there is no revision or tag {name}"),
            None => "none of the revisions is the default one".to_owned(),
        };
        StartupError::new(what, why, format!("name one with --revision: {}", revisions.join(", ")))
    })
}

/// Where the control plane is reached from outside of the cluster.
async fn from_outside(cluster: &Cluster, config: &InjectConfig) -> anyhow::Result<String> {
    let Some((name, namespace)) = service(&config.control_plane) else {
        // It runs elsewhere, and the Mesh says where: pods of this cluster come from outside as well.
        return Ok(config.control_plane.clone());
    };
    let what = format!("find out where the control plane of Service {namespace}/{name} is reached from outside");
    let services: Api<Service> = Api::namespaced(cluster.client.clone(), namespace);
    let get = async |name: &str| services.get_opt(name).await.map_err(|error| explain(&what, &error));
    let outside = get(&external(name)).await?;
    let inside = if outside.is_none() { get(name).await? } else { None };
    let place = match entrance(outside.as_ref(), inside.as_ref()) {
        Exposed::At(address) => return Ok(address),
        Exposed::Nodes(port) => {
            let nodes: Api<Node> = Api::all(cluster.client.clone());
            match nodes.list(&ListParams::default()).await {
                Ok(nodes) => match nodes.items.iter().filter_map(node_address).max() {
                    Some((_, host)) => return Ok(joined(&host, port)),
                    None => format!("port {port} of each node leads to it, but no node tells an address"),
                },
                Err(Error::Api(status)) if status.code == 403 => {
                    format!("port {port} of each node leads to it, but you may not list nodes")
                }
                Err(error) => return Err(explain("list nodes", &error).into()),
            }
        }
        Exposed::Pending => "its load balancer has no address yet".to_owned(),
        Exposed::No => "it is reached from inside of the cluster only".to_owned(),
    };
    let remedy = "name an address with --control-plane HOST:PORT, or have the Mesh expose it: \
                  spec.components.controlPlane.serviceType LoadBalancer or NodePort";
    Err(StartupError::new(format!("cannot {what}"), place, remedy).into())
}

/// Name and namespace of the Service in `<name>.<namespace>.svc:<port>`.
fn service(control_plane: &str) -> Option<(&str, &str)> {
    let host = control_plane.rsplit_once(':').map_or(control_plane, |(host, _)| host);
    host.strip_suffix(".svc")?.split_once('.').filter(|(_, namespace)| !namespace.contains('.'))
}

/// The Service for the outside beside the one for the cluster.
fn external(service: &str) -> String {
    service.replacen(names::CONTROL_PLANE, names::EXTERNAL_CONTROL_PLANE, 1)
}

/// How the control plane is reached from outside: by the Service that is there for it, or by the one for the cluster, which
/// operators of before that Service expose.
fn entrance(outside: Option<&Service>, inside: Option<&Service>) -> Exposed {
    outside.or(inside).map_or(Exposed::No, exposed)
}

/// How a Service is reached from outside.
#[derive(Debug, PartialEq, Eq)]
enum Exposed {
    /// At this `host:port`.
    At(String),
    /// At this port of every node.
    Nodes(u16),
    /// Not yet.
    Pending,
    /// Not at all.
    No,
}

fn exposed(service: &Service) -> Exposed {
    let spec = service.spec.clone().unwrap_or_default();
    let port = spec.ports.iter().flatten().find(|port| port.port == i32::from(ports::CONTROL_PLANE));
    let balancers = service.status.as_ref().and_then(|status| status.load_balancer.as_ref()?.ingress.as_ref());
    let balancer =
        balancers.and_then(|all| all.first()).and_then(|one| one.ip.clone().or_else(|| one.hostname.clone()));
    match (spec.type_.as_deref(), balancer) {
        (Some("LoadBalancer"), Some(host)) => Exposed::At(joined(&host, ports::CONTROL_PLANE)),
        (Some("LoadBalancer"), None) => Exposed::Pending,
        (Some("NodePort"), _) => {
            let port = port.and_then(|port| port.node_port).and_then(|port| u16::try_from(port).ok());
            port.map_or(Exposed::No, Exposed::Nodes)
        }
        _ => Exposed::No,
    }
}

/// The address of a node that is ready; those that are meant for the outside are the greatest.
fn node_address(node: &Node) -> Option<(u8, String)> {
    let status = node.status.as_ref()?;
    let ready = status.conditions.iter().flatten().any(|one| one.type_ == "Ready" && one.status == "True");
    let rank = |kind: &str| match kind {
        "ExternalIP" => Some(2),
        "InternalIP" => Some(1),
        _ => None,
    };
    let addresses = status.addresses.iter().flatten().filter_map(|one| Some((rank(&one.type_)?, one)));
    // The first of a kind is of the cluster's first family.
    let best = addresses.rev().max_by_key(|(rank, _)| *rank)?;
    ready.then(|| (best.0, best.1.address.clone()))
}

fn joined(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings(revision: &str, tags: &[&str], default_revision: bool) -> InjectConfig {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        InjectConfig { revision: revision.into(), tags, default_revision, ..InjectConfig::default() }
    }

    #[test]
    fn the_namespace_chooses_the_mesh() {
        let all = || vec![settings("blue", &[], true), settings("green", &["canary"], false)];
        let chosen = |wanted| choose(all(), wanted, "weft-system").map(|config| config.revision);
        assert_eq!((chosen(None).unwrap().as_str(), chosen(Some("canary")).unwrap().as_str()), ("blue", "green"));
        let error = chosen(Some("red")).unwrap_err().to_string();
        assert!(error.contains("red") && error.contains("blue, green"), "{error}");
        assert!(choose(Vec::new(), None, "weft-system").unwrap_err().to_string().contains("weft install"));
        let alone = vec![settings("green", &[], false)];
        assert_eq!(choose(alone, None, "weft-system").unwrap().revision, "green");
    }

    fn of(kind: &str, ingress: serde_json::Value) -> Exposed {
        exposed(&exposing(kind, ingress))
    }

    fn exposing(kind: &str, ingress: serde_json::Value) -> Service {
        serde_json::from_value(json!({
            "spec": {"type": kind, "ports": [{"port": 15012, "nodePort": 30012}]},
            "status": {"loadBalancer": {"ingress": ingress}},
        }))
        .unwrap()
    }

    #[test]
    fn an_operator_of_before_exposes_the_service_of_the_cluster() {
        let (inside, outside) =
            (exposing("ClusterIP", json!([])), exposing("LoadBalancer", json!([{"ip": "192.0.2.7"}])));
        let at = || Exposed::At("192.0.2.7:15012".into());
        assert_eq!(entrance(Some(&outside), Some(&inside)), at());
        assert_eq!(entrance(None, Some(&outside)), at());
        assert_eq!((entrance(None, Some(&inside)), entrance(None, None)), (Exposed::No, Exposed::No));
    }

    #[test]
    fn a_service_tells_where_it_is_reached() {
        assert_eq!(of("LoadBalancer", json!([{"ip": "192.0.2.7"}])), Exposed::At("192.0.2.7:15012".into()));
        assert_eq!(of("LoadBalancer", json!([{"ip": "fd00::7"}])), Exposed::At("[fd00::7]:15012".into()));
        assert_eq!(of("LoadBalancer", json!([{"hostname": "lb.test"}])), Exposed::At("lb.test:15012".into()));
        assert_eq!(of("LoadBalancer", json!([])), Exposed::Pending);
        assert_eq!(of("NodePort", json!([])), Exposed::Nodes(30012));
        assert_eq!(of("ClusterIP", json!([])), Exposed::No);
        assert_eq!(service("weft-control-plane.weft-system.svc:15012"), Some(("weft-control-plane", "weft-system")));
        assert_eq!(service("192.0.2.7:15012"), None);
        assert_eq!(external("weft-control-plane"), "weft-external-xds");
        assert_eq!(external("weft-control-plane-v2"), "weft-external-xds-v2");
    }

    #[test]
    fn nodes_tell_the_outside_address_first() {
        let node = |ready: &str| {
            serde_json::from_value::<Node>(json!({"status": {
                "conditions": [{"type": "Ready", "status": ready}],
                "addresses": [{"type": "Hostname", "address": "n"}, {"type": "InternalIP", "address": "10.0.0.1"},
                    {"type": "InternalIP", "address": "fd00::1"}],
            }}))
            .unwrap()
        };
        assert_eq!(node_address(&node("True")), Some((1, "10.0.0.1".into())));
        assert_eq!(node_address(&node("False")), None);
    }

    #[test]
    fn an_address_needs_a_port() {
        assert!(host_and_port("[fd00::1]:15012").is_ok() && host_and_port("lb.test:443").is_ok());
        for bad in ["lb.test", ":15012", "lb.test:0", "a b:1"] {
            assert!(host_and_port(bad).unwrap_err().to_string().contains("HOST:PORT"), "{bad}");
        }
    }
}
