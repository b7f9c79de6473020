//! The pod with a proxy that a name on the command line means.

use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::LabelSelector};
use kube::{
    Api, Error, ResourceExt,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams},
    core::Selector,
};
use weft_runtime::StartupError;

use super::{
    Cluster, explain,
    pods::{self, PROXY},
};

/// Words before the slash that name a kind, as kubectl takes them; else the word is a namespace.
const KINDS: [(&str, &str, &str, &[&str]); 6] = [
    ("", "v1", "Pod", &["pod", "pods", "po"]),
    ("", "v1", "Service", &["service", "services", "svc"]),
    ("apps", "v1", "Deployment", &["deployment", "deployments", "deploy", "deployment.apps", "deployments.apps"]),
    ("apps", "v1", "StatefulSet", &["statefulset", "statefulsets", "sts", "statefulset.apps", "statefulsets.apps"]),
    ("apps", "v1", "DaemonSet", &["daemonset", "daemonsets", "ds", "daemonset.apps", "daemonsets.apps"]),
    ("apps", "v1", "ReplicaSet", &["replicaset", "replicasets", "rs", "replicaset.apps", "replicasets.apps"]),
];

/// What a name means.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    namespace: String,
    name: String,
}

impl Cluster {
    /// Finds the pod, as namespace and name, that `POD`, `POD.NAMESPACE`, `NAMESPACE/POD` or `KIND/NAME[.NAMESPACE]`
    /// means; of what has several, one that is ready.
    ///
    /// # Errors
    /// When there is none, or when it has no proxy.
    pub async fn proxy_pod(&self, written: &str) -> anyhow::Result<(String, String)> {
        let target = self.target(written);
        let Target { kind, namespace, name, .. } = &target;
        let what = format!("find {} {namespace}/{name}", kind.to_lowercase());
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let found = if *kind == "Pod" {
            match pods.get(name).await {
                Ok(pod) => vec![pod],
                Err(error) => return Err(self.machine(&target).await.unwrap_or_else(|| missing(&what, &error)).into()),
            }
        } else {
            let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(target.group, target.version, kind));
            let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, &resource);
            let object = api.get(name).await.map_err(|error| missing(&what, &error))?;
            let selector = selector(kind, &object).ok_or_else(|| {
                let remedy = "name a pod: weft proxy-status lists those that have a proxy";
                StartupError::new(format!("cannot {what}"), "it selects no pods", remedy)
            })?;
            let params = ListParams::default().labels_from(&selector);
            pods.list(&params).await.map_err(|error| explain(&format!("list the pods of {namespace}"), &error))?.items
        };
        let mut proxies: Vec<_> = pods::proxied(&found).filter(|proxy| !proxy.over()).collect();
        proxies.sort_by_key(|proxy| (!proxy.ready(), proxy.pod.name_any()));
        match proxies.first() {
            Some(proxy) => Ok((namespace.clone(), proxy.pod.name_any())),
            None => {
                let why = if found.is_empty() {
                    "it has no pods".to_owned()
                } else {
                    format!("no running pod of it has a container {PROXY}")
                };
                let remedy = "weft proxy-status lists the pods that have a proxy; to get one, label the namespace with \
                              istio-injection=enabled and restart the workload";
                let what = format!("cannot ask the proxy of {} {namespace}/{name}", kind.to_lowercase());
                Err(StartupError::new(what, why, remedy).into())
            }
        }
    }

    /// What to say of a name that no pod has when a machine outside of the cluster has it: nothing here reaches its proxy.
    async fn machine(&self, target: &Target) -> Option<StartupError> {
        let resource = ApiResource::from_gvk_with_plural(
            &GroupVersionKind::gvk("networking.istio.io", "v1", "WorkloadEntry"),
            "workloadentries",
        );
        let entries: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &target.namespace, &resource);
        let entry = entries.get_opt(&target.name).await.ok().flatten()?;
        Some(of_machine(target, entry.data["spec"]["address"].as_str().unwrap_or_default()))
    }

    fn target(&self, written: &str) -> Target {
        let (group, version, kind, _) = KINDS[0];
        let pod = Target { group, version, kind, namespace: self.namespace.clone(), name: written.to_owned() };
        let Some((first, rest)) = written.split_once('/') else { return self.dotted(pod) };
        let kind = KINDS.iter().find(|(.., words)| words.iter().any(|word| word.eq_ignore_ascii_case(first)));
        match kind {
            Some(&(group, version, kind, _)) => {
                self.dotted(Target { group, version, kind, name: rest.to_owned(), ..pod })
            }
            None => Target { namespace: first.to_owned(), name: rest.to_owned(), ..pod },
        }
    }

    /// Takes the namespace off a name that ends with it, unless it was given with a flag.
    fn dotted(&self, target: Target) -> Target {
        match target.name.rsplit_once('.') {
            Some((name, namespace)) if self.only.is_none() => {
                Target { namespace: namespace.to_owned(), name: name.to_owned(), ..target }
            }
            _ => target,
        }
    }
}

/// Which pods an object selects; none for one without a selector, such as a Service of an outside name.
fn selector(kind: &str, object: &DynamicObject) -> Option<Selector> {
    let written = object.data.get("spec")?.get("selector")?;
    if kind == "Service" {
        let labels: Vec<(String, String)> = written
            .as_object()?
            .iter()
            .filter_map(|(label, value)| Some((label.clone(), value.as_str()?.to_owned())))
            .collect();
        return (!labels.is_empty()).then(|| labels.into_iter().collect());
    }
    Selector::try_from(serde_json::from_value::<LabelSelector>(written.clone()).ok()?).ok()
}

fn of_machine(target: &Target, address: &str) -> StartupError {
    let Target { namespace, name, .. } = target;
    StartupError::new(
        format!("cannot ask the proxy of {namespace}/{name}"),
        format!("it is a machine outside of the cluster ({address}), and its admin page answers on that machine alone"),
        "run weft proxy-config with --proxy-admin http://127.0.0.1:15000 there, or through ssh -L 15000:127.0.0.1:15000; weft \
         proxy-status shows what the control plane knows of it",
    )
}

fn missing(what: &str, error: &Error) -> StartupError {
    match error {
        Error::Api(status) if status.code == 404 => StartupError::new(
            format!("cannot {what}"),
            status.message.clone(),
            "look at name and namespace: weft proxy-status lists the pods that have a proxy",
        ),
        _ => explain(what, error),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cluster(only: Option<&str>) -> Cluster {
        // Never asked: a client needs a runtime and crypto only when it connects.
        let config = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
        Cluster {
            client: kube::Client::try_from(config).unwrap(),
            only: only.map(str::to_owned),
            namespace: only.unwrap_or("default").to_owned(),
            system: "weft-system".into(),
            server: String::new(),
        }
    }

    #[tokio::test]
    async fn names_are_read_as_kubectl_and_istioctl_read_them() {
        let read = |only: Option<&str>, written: &str| {
            let target = cluster(only).target(written);
            format!("{} {}/{}", target.kind, target.namespace, target.name)
        };
        assert_eq!(read(None, "web-1"), "Pod default/web-1");
        assert_eq!(read(None, "web-1.shop"), "Pod shop/web-1");
        assert_eq!(read(None, "shop/web-1"), "Pod shop/web-1");
        assert_eq!(read(None, "pod/web-1"), "Pod default/web-1");
        assert_eq!(read(None, "deploy/web.shop"), "Deployment shop/web");
        assert_eq!(read(Some("shop"), "Deployment/web"), "Deployment shop/web");
        assert_eq!(read(Some("shop"), "svc/web.v2"), "Service shop/web.v2");
        assert_eq!(read(None, "sts/db"), "StatefulSet default/db");
    }

    #[tokio::test]
    async fn a_machine_is_told_from_a_pod_that_is_not_there() {
        let told = of_machine(&cluster(None).target("vms/db-1"), "10.0.0.5").to_string();
        for part in ["vms/db-1", "10.0.0.5", "--proxy-admin http://127.0.0.1:15000"] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }

    #[test]
    fn pods_are_found_by_what_selects_them() {
        let object = |spec| -> DynamicObject {
            serde_json::from_value(json!({"metadata": {"name": "web"}, "spec": spec})).unwrap()
        };
        let text = |kind: &str, spec| selector(kind, &object(spec)).map(|selector| selector.to_string());
        assert_eq!(text("Service", json!({"selector": {"app": "web"}})), Some("app=web".into()));
        assert_eq!(text("Service", json!({"externalName": "x"})), None);
        assert_eq!(text("Deployment", json!({"selector": {"matchLabels": {"app": "web"}}})), Some("app=web".into()));
    }
}
