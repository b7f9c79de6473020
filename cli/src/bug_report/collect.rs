//! What goes into a report.

use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment},
    core::v1::{ConfigMap, ContainerState, ContainerStatus, Event, Node, Pod, Service},
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ApiResource, DynamicObject, ListParams, LogParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use weft_api::crd;
use weft_install::names;
use weft_model::ports;
use weft_source::kubernetes::forward;

use super::{
    Bag, Limits,
    clean::{clean, clean_dump, is_our_config_map},
};
use crate::{
    check,
    cluster::{
        Cluster,
        pods::{PROXY, is_ready, proxied},
        words,
    },
    output::Answer,
    proxy_status, status,
};

/// The page of a proxy that holds values of headers.
const CONFIG_DUMP: &str = "/config_dump";

/// Fills the bag. What cannot be had is noted and not the end.
pub async fn everything(cluster: &Cluster, limits: Limits, bag: &mut Bag) -> anyhow::Result<()> {
    overview(cluster, bag).await?;
    installation(cluster, limits, bag).await?;
    configuration(cluster, bag).await?;
    proxies(cluster, limits, bag).await
}

async fn overview(cluster: &Cluster, bag: &mut Bag) -> anyhow::Result<()> {
    match cluster.client.apiserver_version().await {
        Ok(version) => {
            let text =
                format!("weft {}\n{}\nKubernetes {}\n", env!("CARGO_PKG_VERSION"), cluster.server, version.git_version);
            bag.put("version.txt", text.as_bytes())?;
        }
        Err(error) => bag.miss("version of the API server", &words(&error)),
    }
    match status::gather(cluster, true).await {
        Ok(status) => bag.put("status.txt", status.text().as_bytes())?,
        Err(error) => bag.miss("status", &error),
    }
    bag.put("check.txt", check::gather(cluster, false).await.text().as_bytes())?;
    match proxy_status::gather(cluster).await {
        Ok(status) => bag.put("proxy-status.json", &serde_json::to_vec_pretty(&status)?)?,
        Err(error) => bag.miss("proxy status", &error),
    }
    list::<Node>(Api::all(cluster.client.clone()), "nodes.json", bag).await
}

async fn installation(cluster: &Cluster, limits: Limits, bag: &mut Bag) -> anyhow::Result<()> {
    let (client, system) = (&cluster.client, &cluster.system);
    list::<Deployment>(Api::namespaced(client.clone(), system), "installation/deployments.json", bag).await?;
    list::<DaemonSet>(Api::namespaced(client.clone(), system), "installation/daemonsets.json", bag).await?;
    list::<Service>(Api::namespaced(client.clone(), system), "installation/services.json", bag).await?;
    config_maps(Api::namespaced(client.clone(), system), bag).await?;
    list::<Event>(Api::namespaced(client.clone(), system), "installation/events.json", bag).await?;
    let pods: Api<Pod> = Api::namespaced(client.clone(), system);
    list::<Pod>(pods.clone(), "installation/pods.json", bag).await?;
    let found = match pods.list(&ListParams::default()).await {
        Ok(found) => found.items,
        Err(error) => {
            bag.miss("pods of the installation", &words(&error));
            return Ok(());
        }
    };
    for pod in &found {
        let name = pod.name_any();
        let all = pod.spec.iter().flat_map(|spec| spec.containers.iter().map(|container| container.name.as_str()));
        for container in begun(pod, all, bag) {
            log(client, system, &name, container, limits, bag).await?;
        }
        let is_control_plane = pod.labels().get(names::COMPONENT_LABEL).is_some_and(|part| part == "control-plane");
        if is_control_plane && is_ready(pod) {
            for page in ["/debug/syncz", "/debug/acks", "/metrics"] {
                let file = format!("control-plane/{name}/{}", page.trim_start_matches('/').replace('/', "-"));
                fetch(client, system, &name, ports::CONTROL_PLANE_ADMIN, page, &file, bag).await?;
            }
        }
    }
    Ok(())
}

/// Every object of the kinds that Weft reads by its CRDs. Secrets are not among them.
async fn configuration(cluster: &Cluster, bag: &mut Bag) -> anyhow::Result<()> {
    for definition in crd::all() {
        let Some((group, version, kind, plural)) = names_of(&definition.definition) else { continue };
        let resource =
            ApiResource { api_version: format!("{group}/{version}"), group, version, kind: kind.clone(), plural };
        let api: Api<DynamicObject> = Api::all_with(cluster.client.clone(), &resource);
        match api.list(&ListParams::default()).await {
            Ok(found) if found.items.is_empty() => {}
            Ok(found) => put_all(&found.items, &format!("configuration/{kind}.json"), bag)?,
            Err(error) => bag.miss(&format!("objects of kind {kind}"), &words(&error)),
        }
    }
    Ok(())
}

/// Group, stored version, kind and plural of a definition.
fn names_of(definition: &Value) -> Option<(String, String, String, String)> {
    let spec = definition.get("spec")?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let stored = spec.get("versions")?.as_array()?.iter().find(|version| version["storage"] == true)?;
    Some((
        text(&spec["group"])?,
        text(&stored["name"])?,
        text(&spec["names"]["kind"])?,
        text(&spec["names"]["plural"])?,
    ))
}

async fn proxies(cluster: &Cluster, limits: Limits, bag: &mut Bag) -> anyhow::Result<()> {
    let pods = match cluster.pods().await {
        Ok(pods) => pods,
        Err(error) => {
            bag.miss("proxies", &error);
            return Ok(());
        }
    };
    let mut found: Vec<_> = proxied(&pods).filter(|proxy| !proxy.over()).collect();
    found.sort_by_key(|proxy| proxy.ready());
    if found.len() > limits.proxies {
        bag.miss("further proxies", &format!("{} of {} are taken; --proxies raises that", limits.proxies, found.len()));
    }
    for proxy in found.into_iter().take(limits.proxies) {
        let (namespace, name) = (proxy.pod.namespace().unwrap_or_default(), proxy.pod.name_any());
        put_all(std::slice::from_ref(proxy.pod), &format!("proxies/{namespace}/{name}/pod.json"), bag)?;
        if begun(proxy.pod, [PROXY], bag).is_empty() {
            continue;
        }
        log(&cluster.client, &namespace, &name, PROXY, limits, bag).await?;
        if !is(proxy.pod, PROXY, |status| status.state.as_ref().is_some_and(|state| state.running.is_some())) {
            bag.miss(&format!("configuration of {namespace}/{name}"), &"its proxy does not run");
            continue;
        }
        for page in [CONFIG_DUMP, "/clusters", "/certs", "/stats"] {
            let file = format!("proxies/{namespace}/{name}{page}");
            fetch(&cluster.client, &namespace, &name, ports::PROXY_ADMIN, page, &file, bag).await?;
        }
    }
    Ok(())
}

/// Those of `containers` that have a log, because they run or ran. One line tells of the pod where there are others.
fn begun<'c>(pod: &Pod, containers: impl IntoIterator<Item = &'c str>, bag: &mut Bag) -> Vec<&'c str> {
    let ended = |state: Option<&ContainerState>| state.is_some_and(|state| state.terminated.is_some());
    let ran = |status: &ContainerStatus| {
        let state = status.state.as_ref();
        state.is_some_and(|state| state.running.is_some()) || ended(state) || ended(status.last_state.as_ref())
    };
    let (begun, others): (Vec<_>, Vec<_>) = containers.into_iter().partition(|name| is(pod, name, ran));
    let place = format!("{}/{}", pod.namespace().unwrap_or_default(), pod.name_any());
    if !others.is_empty() && bag.first(format!("pod {place}")) {
        bag.miss(&format!("pod {place}"), &format!("no log of {}: {}", others.join(", "), state(pod)));
    }
    begun
}

/// Whether the status of a container is so.
fn is(pod: &Pod, container: &str, so: impl Fn(&ContainerStatus) -> bool) -> bool {
    statuses(pod).any(|status| status.name == container && so(status))
}

fn statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let all = pod.status.iter().flat_map(|status| [&status.container_statuses, &status.init_container_statuses]);
    all.flatten().flatten()
}

/// The phase of a pod, and what it waits for, or why it ended, where it says so.
fn state(pod: &Pod) -> String {
    let status = pod.status.as_ref();
    let phase = status.and_then(|status| status.phase.as_deref()).unwrap_or("Pending");
    let waiting = statuses(pod).find_map(|status| status.state.as_ref()?.waiting.as_ref()?.reason.as_deref());
    let conditions = status.into_iter().flat_map(|status| status.conditions.iter().flatten());
    let lacks = || {
        let unscheduled = conditions.into_iter().find(|one| one.type_ == "PodScheduled" && one.status == "False")?;
        unscheduled.message.as_deref().or(unscheduled.reason.as_deref())
    };
    match waiting.or_else(lacks).or_else(|| status?.reason.as_deref()) {
        Some(why) => format!("it is {phase} ({why})"),
        None => format!("it is {phase}"),
    }
}

async fn list<K>(api: Api<K>, file: &str, bag: &mut Bag) -> anyhow::Result<()>
where
    K: Resource + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    match api.list(&ListParams::default()).await {
        Ok(found) => put_all(&found.items, file, bag),
        Err(error) => {
            bag.miss(file, &words(&error));
            Ok(())
        }
    }
}

/// Those of ours alone.
async fn config_maps(api: Api<ConfigMap>, bag: &mut Bag) -> anyhow::Result<()> {
    let file = "installation/configmaps.json";
    match api.list(&ListParams::default()).await {
        Ok(found) => {
            let maps = found.items.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>()?;
            put_all(&maps.into_iter().filter(is_our_config_map).collect::<Vec<_>>(), file, bag)
        }
        Err(error) => {
            bag.miss(file, &words(&error));
            Ok(())
        }
    }
}

fn put_all<K: Serialize>(objects: &[K], file: &str, bag: &mut Bag) -> anyhow::Result<()> {
    let mut all = Vec::with_capacity(objects.len());
    for object in objects {
        let mut object = serde_json::to_value(object)?;
        clean(&mut object);
        all.push(object);
    }
    bag.put(file, &serde_json::to_vec_pretty(&all)?)
}

async fn log(
    client: &Client,
    namespace: &str,
    pod: &str,
    container: &str,
    limits: Limits,
    bag: &mut Bag,
) -> anyhow::Result<()> {
    if !bag.first(format!("log {namespace}/{pod}/{container}")) {
        return Ok(());
    }
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    for previous in [false, true] {
        let parameters = LogParams {
            container: Some(container.to_owned()),
            tail_lines: Some(limits.log_lines),
            timestamps: true,
            previous,
            ..LogParams::default()
        };
        let which = if previous { "previous.log" } else { "log" };
        match pods.logs(pod, &parameters).await {
            Ok(text) => bag.put(&format!("logs/{namespace}/{pod}/{container}.{which}"), text.as_bytes())?,
            // Most containers have no life before this one.
            Err(_) if previous => {}
            Err(error) => bag.miss(&format!("log of {namespace}/{pod} {container}"), &words(&error)),
        }
    }
    Ok(())
}

async fn fetch(
    client: &Client,
    namespace: &str,
    pod: &str,
    port: u16,
    page: &str,
    file: &str,
    bag: &mut Bag,
) -> anyhow::Result<()> {
    match forward::get(client, namespace, pod, port, page).await {
        Ok(content) if page == CONFIG_DUMP => match clean_dump(&content) {
            Ok(cleaned) => bag.put(file, &cleaned),
            Err(error) => {
                bag.miss(&format!("{page} of {namespace}/{pod}"), &error);
                Ok(())
            }
        },
        Ok(content) => bag.put(file, &content),
        Err(error) => {
            bag.miss(&format!("{page} of {namespace}/{pod}"), &error);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_that_does_not_run_is_one_line() {
        let dir = tempfile::tempdir().unwrap();
        let mut bag = Bag::create(&dir.path().join("report")).unwrap();
        let pod = |statuses: Value| -> Pod {
            let status = json!({"phase": "Pending", "containerStatuses": statuses});
            serde_json::from_value(json!({"metadata": {"name": "web", "namespace": "shop"}, "status": status})).unwrap()
        };
        let status = |name: &str, state: Value| json!({"name": name, "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state});
        let waiting = |name: &str| status(name, json!({"waiting": {"reason": "ImagePullBackOff"}}));
        let stuck = pod(json!([waiting("a"), waiting("istio-proxy")]));
        assert!(begun(&stuck, ["a", "istio-proxy"], &mut bag).is_empty());
        assert!(begun(&stuck, [PROXY], &mut bag).is_empty(), "it comes by again as a proxy");
        assert_eq!(bag.missing, ["pod shop/web: no log of a, istio-proxy: it is Pending (ImagePullBackOff)"]);
        let half = pod(json!([status("a", json!({"running": {}})), waiting("istio-proxy")]));
        assert_eq!(begun(&half, ["a", "istio-proxy"], &mut bag), ["a"]);
        assert!(bag.first("log shop/web/a".into()) && !bag.first("log shop/web/a".into()));
        assert_eq!(state(&Pod::default()), "it is Pending");
        let evicted = json!({"metadata": {"name": "b"}, "status": {"phase": "Failed", "reason": "Evicted"}});
        assert_eq!(state(&serde_json::from_value(evicted).unwrap()), "it is Failed (Evicted)");
    }

    #[test]
    fn every_definition_is_understood() {
        let all = crd::all();
        assert!(!all.is_empty());
        assert!(all.iter().all(|definition| names_of(&definition.definition).is_some()));
    }
}
