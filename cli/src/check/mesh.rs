//! Whether the mesh itself works: installations, labelled namespaces, proxies.

use std::collections::BTreeSet;

use k8s_openapi::{api::core::v1::Namespace, jiff::Timestamp};
use kube::{Api, ResourceExt, api::ListParams};
use weft_api::mesh::ConditionStatus;
use weft_install::{names, render::bootstrap::OPERATOR};
use weft_operator::reconcile::conditions::{DELETING, UNSCHEDULABLE};

use super::Finding;
use crate::{
    cluster::{Cluster, explain, meshes::Installation},
    output::plural,
    proxy_status::{self, ProxyStatus},
};

/// Whether there is a Mesh, and each is ready. What one says of itself is of an earlier time when the operator is `idle`.
pub fn meshes(found: &anyhow::Result<Option<Vec<Installation>>>, idle: bool, system: &str) -> Vec<Finding> {
    const CHECK: &str = "mesh";
    match found {
        Err(error) => vec![Finding::unchecked(CHECK, error)],
        Ok(None) => {
            vec![Finding::failed(CHECK, "the cluster has no kind Mesh", "run weft install, or install the Helm chart")]
        }
        Ok(Some(all)) if all.is_empty() => vec![Finding::failed(
            CHECK,
            "there is no Mesh",
            match idle {
                true => "run weft install: it brings the operator and a Mesh",
                false => {
                    "run weft install, or apply one: apiVersion: weft.dev/v1alpha1, kind: Mesh, metadata: {name: main}"
                }
            },
        )],
        Ok(Some(all)) => all.iter().flat_map(|one| [vec![mesh(one, idle, system)], warnings(one)].concat()).collect(),
    }
}

/// What it is warned of, ready or not.
fn warnings(mesh: &Installation) -> Vec<Finding> {
    let all = mesh.warnings().into_iter();
    all.map(|one| Finding::warning("mesh", format!("{}: {}", mesh.name, one.message), one.remedy)).collect()
}

fn mesh(mesh: &Installation, idle: bool, system: &str) -> Finding {
    const CHECK: &str = "mesh";
    let name = &mesh.name;
    let current = mesh.status.observed_generation >= mesh.generation;
    // First: to be deleted is a change as well, which nobody takes up without an operator.
    if mesh.leaving {
        let told = mesh.status.condition(DELETING).map(|deleting| deleting.message.as_str());
        let words = told.filter(|words| !words.is_empty()).unwrap_or(match current {
            true => "the operator cleans up",
            false => "the operator has not begun to clean up",
        });
        let hint = match idle {
            true => "only an operator can clean up: the finding about it says what to do".to_owned(),
            false => deletion(name),
        };
        return Finding::failed(CHECK, format!("{name} is being deleted: {words}"), hint);
    }
    if !current {
        // Where it has waited for long, the operator runs and does not get to it.
        let (age, look) = match mesh.behind(Timestamp::now()) {
            Some(age) => (
                format!(", made {} ago,", humantime::format_duration(age)),
                format!("; what it does: kubectl logs -n {system} deployment/{OPERATOR}"),
            ),
            None => (String::new(), String::new()),
        };
        return Finding::failed(
            CHECK,
            format!("{name}: its newest change{age} has not been taken up; its status is what was last written"),
            format!("look whether the operator runs: kubectl get pods -n {system}{look}"),
        );
    }
    match mesh.status.condition("Ready") {
        Some(ready) if ready.status == ConditionStatus::True => {
            let is = if idle { "was, when its status was last written," } else { "is" };
            Finding::ok(CHECK, format!("{name} {is} ready, version {}", mesh.status.version))
        }
        Some(ready) => {
            let words = if ready.message.is_empty() { &ready.reason } else { &ready.message };
            // What the message says already is no hint. Where no node takes a pod, nothing else that is waited for matters, and
            // the words say what helps.
            let is_hint = |waits: &&String| ready.reason != UNSCHEDULABLE && !words.contains(waits.as_str());
            let waits = mesh.status.waiting_for.iter().find(is_hint).cloned();
            Finding::failed(CHECK, format!("{name}: {words}"), waits.unwrap_or_else(|| mesh.remedy(&ready.reason)))
        }
        None => Finding::failed(
            CHECK,
            format!("{name} has no status yet"),
            "look whether the operator runs, and at its log",
        ),
    }
}

/// How one waits for the end of a Mesh.
pub(super) fn deletion(name: &str) -> String {
    format!("kubectl wait --for=delete mesh/{name} --timeout=5m waits until it is gone")
}

/// Whether every namespace asks for a revision that exists.
pub async fn namespaces(cluster: &Cluster, meshes: &[Installation]) -> Vec<Finding> {
    const CHECK: &str = "namespaces";
    let api: Api<Namespace> = Api::all(cluster.client.clone());
    match api.list(&ListParams::default()).await {
        Ok(list) => vec![injected(&list.items, &revisions(meshes))],
        Err(error) => vec![Finding::unchecked(CHECK, &explain("list namespaces", &error))],
    }
}

/// Every value of the label `istio.io/rev` that a control plane answers for.
fn revisions(meshes: &[Installation]) -> BTreeSet<String> {
    let names = |mesh: &Installation| {
        let own = mesh.spec.revision_label().to_owned();
        mesh.spec.tags.iter().cloned().chain([own]).collect::<Vec<_>>()
    };
    meshes.iter().flat_map(names).collect()
}

fn injected(namespaces: &[Namespace], revisions: &BTreeSet<String>) -> Finding {
    const CHECK: &str = "namespaces";
    let mut labelled = 0;
    let mut lost = Vec::new();
    for namespace in namespaces {
        let labels = namespace.labels();
        let revision = match labels.get("istio-injection").map(String::as_str) {
            Some("enabled") => Some("default"),
            Some(_) => None,
            None => labels.get(names::REVISION_LABEL).map(String::as_str),
        };
        let own = labels.contains_key(names::MESH_LABEL);
        if let Some(revision) = revision.filter(|_| !own) {
            labelled += 1;
            if !revisions.contains(revision) {
                lost.push(format!("{} asks for revision {revision}", namespace.name_any()));
            }
        }
    }
    if !lost.is_empty() {
        let known = revisions.iter().cloned().collect::<Vec<_>>().join(", ");
        let hint = format!("label them with one of: {known}; until then their new pods get no proxy");
        return Finding::failed(CHECK, lost.join(", "), hint);
    }
    if labelled == 0 {
        let hint = "kubectl label namespace NAME istio-injection=enabled, then restart its pods";
        return Finding::warning(CHECK, "none is labelled for injection", hint);
    }
    Finding::ok(CHECK, format!("{} labelled for injection", plural(labelled, "namespace")))
}

/// Whether every proxy is connected and in step.
pub async fn proxies(cluster: &Cluster, meshes: &[Installation]) -> Vec<Finding> {
    let since = meshes.iter().filter_map(|mesh| mesh.object.creation_timestamp()).map(|time| time.0).min();
    match proxy_status::gather(cluster).await {
        Ok(status) => vec![in_step(&status, since)],
        Err(error) => vec![Finding::unchecked("proxies", &error)],
    }
}

/// Judges proxies; the first Mesh was made at `since`.
fn in_step(status: &ProxyStatus, since: Option<Timestamp>) -> Finding {
    const CHECK: &str = "proxies";
    if let Some((pod, problem)) = status.unreachable.first_key_value() {
        return Finding::unchecked(CHECK, &format!("the control plane {pod} cannot be asked: {problem}"));
    }
    let names = |bad: &dyn Fn(&proxy_status::ProxyState) -> bool| -> Vec<String> {
        status
            .proxies
            .iter()
            .filter(|proxy| bad(proxy))
            .map(|proxy| format!("{}.{}", proxy.name, proxy.namespace))
            .collect()
    };
    let is_away = |proxy: &proxy_status::ProxyState| !proxy.connected && !proxy.starting;
    let is_lost = |proxy: &proxy_status::ProxyState| is_away(proxy) && !proxy.pending;
    let lost = names(&is_lost);
    if !lost.is_empty() {
        let before = |made: Option<Timestamp>| made.zip(since).is_some_and(|(made, since)| made < since);
        let hint = match status.proxies.iter().filter(|proxy| is_lost(proxy)).all(|proxy| before(proxy.made)) {
            true => {
                "these pods are older than the Mesh and trust the authority of one before it, so that nobody in the mesh trusts \
                 them: kubectl rollout restart gives them its certificates"
            }
            false => "look at the log of the container istio-proxy of these pods",
        };
        return Finding::failed(CHECK, format!("not connected: {}", lost.join(", ")), hint);
    }
    if let Some(first) = status.proxies.iter().find(|proxy| is_away(proxy)) {
        let waiting = names(&is_away).join(", ");
        return Finding::failed(CHECK, format!("not running yet: {waiting}"), first.description());
    }
    if let Some(words) = status.unread.first() {
        return Finding::unchecked(CHECK, words);
    }
    let behind = names(&|proxy| proxy.connected && !proxy.good());
    if !behind.is_empty() {
        let hint = "weft proxy-status POD shows what they refused, or what they wait for";
        return Finding::failed(CHECK, format!("not in step: {}", behind.join(", ")), hint);
    }
    let proxies = |count| plural(count, "proxy").replace("proxys", "proxies");
    let starting = names(&|proxy| !proxy.connected);
    let rest = match starting.len() {
        0 => String::new(),
        count => format!("; {} just started and not connected yet: {}", proxies(count), starting.join(", ")),
    };
    let good = proxies(status.proxies.len() - starting.len());
    Finding::ok(CHECK, format!("{good} connected and in step{rest}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{check::Outcome, cluster::meshes::testing::installation, proxy_status::ProxyState};

    fn namespace(labels: serde_json::Value) -> Namespace {
        serde_json::from_value(json!({"metadata": {"name": "shop", "labels": labels}})).unwrap()
    }

    #[test]
    fn a_namespace_that_asks_for_nobody_is_found() {
        let known = BTreeSet::from(["default".to_owned(), "canary".to_owned()]);
        let judge = |labels| injected(&[namespace(labels)], &known).outcome;
        assert_eq!(judge(json!({"istio-injection": "enabled"})), Outcome::Ok);
        assert_eq!(judge(json!({"istio.io/rev": "canary"})), Outcome::Ok);
        assert_eq!(judge(json!({"istio.io/rev": "gone"})), Outcome::Failed);
        assert_eq!(judge(json!({"istio-injection": "disabled", "istio.io/rev": "gone"})), Outcome::Warning);
        assert_eq!(judge(json!({})), Outcome::Warning);
    }

    #[test]
    fn tags_count_as_revisions() {
        let mesh = installation(json!({"revision": "v2", "tags": ["prod"]}), json!({}));
        assert_eq!(revisions(&[mesh]), BTreeSet::from(["v2".to_owned(), "prod".to_owned()]));
    }

    #[test]
    fn a_mesh_is_judged_by_its_status() {
        let condition = |status: &str| json!({"type": "Ready", "status": status, "reason": "Waiting", "lastTransitionTime": "2026-11-23T20:00:00Z"});
        let judge = |observed: i64, status: &str| {
            let status = json!({"observedGeneration": observed, "conditions": [condition(status)]});
            mesh(&installation(json!({}), status), false, "mesh").outcome
        };
        assert_eq!(
            (judge(3, "True"), judge(3, "False"), judge(2, "True")),
            (Outcome::Ok, Outcome::Failed, Outcome::Failed)
        );
        assert!(meshes(&Ok(None), false, "mesh")[0].hint.as_ref().unwrap().contains("weft install"));
        let none = |idle: bool| meshes(&Ok(Some(vec![])), idle, "mesh").remove(0);
        assert_eq!(none(false).outcome, Outcome::Failed);
        assert!(none(true).hint.unwrap().starts_with("run weft install: it brings the operator"));
        let old = installation(json!({}), json!({"observedGeneration": 2}));
        assert!(mesh(&old, false, "mesh").hint.unwrap().contains("get pods -n mesh"));
        let mut stuck = old;
        let fields = json!([{"manager": "kubectl", "time": "2020-01-01T00:00:00Z",
        "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {}}}]);
        stuck.object.metadata.managed_fields = Some(serde_json::from_value(fields).unwrap());
        let told = mesh(&stuck, false, "mesh");
        assert!(told.message.contains("newest change, made ") && told.message.contains(" ago, has not"), "{told:?}");
        assert!(told.hint.unwrap().contains("logs -n mesh deployment/weft-operator"));
    }

    #[test]
    fn a_hint_does_not_repeat_the_message() {
        let condition = |kind: &str, status: &str| {
            json!({"type": kind, "status": status, "reason": "WaitingForPods", "message": "1 injected pods still run: a",
                "lastTransitionTime": "2026-11-23T20:00:00Z"})
        };
        let conditions = json!([condition("Ready", "False"), condition("Deleting", "True")]);
        let status =
            json!({"observedGeneration": 3, "conditions": conditions, "waitingFor": ["1 injected pods still run: a"]});
        let mut one = installation(json!({}), status);
        assert!(mesh(&one, false, "mesh").hint.unwrap().starts_with("kubectl describe mesh main"));
        one.leaving = true;
        let told = mesh(&one, false, "mesh");
        assert_eq!(told.message, "main is being deleted: 1 injected pods still run: a");
        assert!(told.hint.unwrap().contains("kubectl wait --for=delete mesh/main"));
    }

    #[test]
    fn a_mesh_that_nobody_removes_is_not_just_waited_for() {
        let mut one = installation(json!({}), json!({"observedGeneration": 2}));
        one.leaving = true;
        let told = mesh(&one, true, "mesh");
        assert_eq!(told.message, "main is being deleted: the operator has not begun to clean up");
        assert!(told.hint.unwrap().starts_with("only an operator can clean up"));
    }

    #[test]
    fn a_mesh_that_is_ready_can_be_warned() {
        let condition = |kind: &str, reason: &str| {
            json!({"type": kind, "status": "True", "reason": reason, "message": "1 root is kept",
                "lastTransitionTime": "2026-11-23T20:00:00Z"})
        };
        let conditions = json!([condition("Ready", "Ready"), condition("CertificatesValid", "RootsKept")]);
        let one = installation(json!({}), json!({"observedGeneration": 3, "conditions": conditions}));
        let all = meshes(&Ok(Some(vec![one])), false, "mesh");
        assert_eq!(all.iter().map(|found| found.outcome).collect::<Vec<_>>(), [Outcome::Ok, Outcome::Warning]);
        assert_eq!(all[1].message, "main: CertificatesValid (RootsKept): 1 root is kept");
        assert!(all[1].hint.as_ref().unwrap().contains("put it back"), "{all:?}");
    }

    #[test]
    fn proxies_without_a_connection_fail() {
        let in_step = |status: &ProxyStatus| in_step(status, None);
        assert_eq!(in_step(&ProxyStatus::default()).outcome, Outcome::Ok);
        let mut status = ProxyStatus::default();
        status.unreachable.insert("cp".into(), "it takes the rights (ask for a role)".into());
        let told = in_step(&status);
        assert_eq!((told.outcome, told.hint.as_deref()), (Outcome::Failed, Some("ask for a role")));
        let lost = |starting| {
            let mut status = ProxyStatus::default();
            status.proxies.push(ProxyState { starting, ..ProxyState::missing("shop", "web") });
            in_step(&status)
        };
        assert_eq!(lost(false).outcome, Outcome::Failed);
        let mut waiting = ProxyStatus::default();
        waiting.proxies.push(ProxyState { pending: true, ..ProxyState::missing("shop", "web") });
        let told = in_step(&waiting);
        let hint = "kubectl -n shop describe pod web";
        assert_eq!((told.outcome, told.message.as_str()), (Outcome::Failed, "not running yet: web.shop"));
        assert_eq!(told.hint.as_deref(), Some(hint));
        let mut old = ProxyStatus::default();
        let made = Some("2026-01-01T00:00:00Z".parse().unwrap());
        old.proxies.push(ProxyState { made, ..ProxyState::missing("shop", "web") });
        let hint = |since: &str| super::in_step(&old, since.parse().ok()).hint.unwrap_or_default();
        assert!(hint("2026-01-01T00:00:01Z").contains("rollout restart"));
        assert!(hint("2025-12-31T00:00:00Z").contains("log of the container istio-proxy"));
        let told = lost(true);
        assert_eq!(told.outcome, Outcome::Ok);
        assert!(told.message.ends_with("1 proxy just started and not connected yet: web.shop"), "{told:?}");
        let mut blind = ProxyStatus::default();
        blind.unread.push("cannot list pods: no (ask)".into());
        assert_eq!((in_step(&blind).outcome, in_step(&blind).hint.as_deref()), (Outcome::Failed, Some("ask")));
    }
}
