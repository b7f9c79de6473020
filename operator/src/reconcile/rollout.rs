//! How far a Deployment is rolled out, by the numbers that `kubectl rollout status` goes by, and why a pod does not start.

mod unscheduled;

use std::collections::BTreeMap;

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ContainerStatus, Pod},
};
use kube::ResourceExt;
use weft_install::names;

use self::unscheduled::unscheduled;

/// What a container waits for before each start.
const USUAL: [&str; 2] = ["ContainerCreating", "PodInitializing"];
/// Characters of a pod's own words that are told.
const WORDS: usize = 200;

/// The pods of a Deployment, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rollout {
    /// How many are wanted.
    pub wanted: i32,
    /// How many are of the present template; 0 until the Deployment's controller has seen it.
    pub updated: i32,
    /// How many there are of any template.
    pub all: i32,
    /// How many of all can take requests.
    pub available: i32,
}

impl Rollout {
    /// As the Deployment's status has it.
    pub fn of(deployment: &Deployment) -> Self {
        let status = deployment.status.clone().unwrap_or_default();
        let current = status.observed_generation >= deployment.metadata.generation;
        Self {
            wanted: deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1),
            updated: if current { status.updated_replicas.unwrap_or(0) } else { 0 },
            all: status.replicas.unwrap_or(0),
            available: status.available_replicas.unwrap_or(0),
        }
    }

    /// Whether exactly the wanted pods are there, each of the present template and available.
    pub fn done(&self) -> bool {
        [self.updated, self.all, self.available].iter().all(|count| *count == self.wanted)
    }

    /// How many pods of the present template are available for sure; below [`Self::wanted`] until the rollout is done. An
    /// old pod serves until the new one can, so it says nothing of the new one.
    pub fn ready(&self) -> i32 {
        if self.done() {
            return self.wanted;
        }
        let old = self.all - self.updated;
        (self.available - old).min(self.updated).min(self.wanted - 1).max(0)
    }

    /// How many pods of an older template serve meanwhile, at most.
    pub fn old(&self) -> i32 {
        (self.all - self.updated).min(self.available - self.ready()).max(0)
    }
}

/// The image of a Deployment's first container.
pub fn image(deployment: &Deployment) -> Option<&str> {
    deployment.spec.as_ref()?.template.spec.as_ref()?.containers.first()?.image.as_deref()
}

/// Why a rollout that somebody paused does not go on, with the remedy; nothing when it is done or goes on by itself.
pub fn paused(deployment: &Deployment) -> Option<String> {
    let paused = deployment.spec.as_ref()?.paused.unwrap_or(false);
    let (name, namespace) = (deployment.name_any(), deployment.namespace().unwrap_or_default());
    (paused && !Rollout::of(deployment).done()).then(|| {
        format!(
            "the rollout of {name} is paused; kubectl -n {namespace} rollout resume deployment/{name} goes on with it"
        )
    })
}

/// Why no pod of a Deployment can be made, in the API server's words: a quota, a policy, a priority class that is not there.
/// Nothing while they can.
pub fn refused(deployment: &Deployment) -> Option<String> {
    let conditions = deployment.status.as_ref()?.conditions.as_ref()?;
    let refusal = conditions.iter().find(|one| one.type_ == "ReplicaFailure" && one.status == "True")?;
    let words: String = refusal.message.as_deref().unwrap_or_default().chars().take(WORDS).collect();
    let reason = refusal.reason.as_deref().unwrap_or("ReplicaFailure");
    Some(format!("its pods cannot be made: {reason} ({words})"))
}

/// That a Deployment is being removed, and what that waits for; nothing when it stays.
pub fn leaving(deployment: &Deployment) -> Option<String> {
    deployment.metadata.deletion_timestamp.as_ref()?;
    let left = deployment.status.as_ref().and_then(|status| status.replicas).unwrap_or(0);
    Some(format!(
        "Deployment {} is being removed and {left} of its pods are left; where it stays, its metadata.finalizers name who holds it",
        deployment.name_any()
    ))
}

/// What keeps pods of a component from starting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hindrance {
    /// Which pods, why, and what helps.
    pub words: String,
    /// Whether no node takes them, which waiting alone does not change.
    pub unschedulable: bool,
}

impl Hindrance {
    /// One that may well be over by itself.
    pub fn of(words: String) -> Self {
        Self { words, unschedulable: false }
    }
}

/// By component, the pods that no node takes, or else one pod that does not start and what it says of itself; components
/// without such pods are not there.
pub fn hindrances(pods: &[Pod]) -> BTreeMap<String, Hindrance> {
    let mut found = unscheduled(pods);
    for pod in pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()) {
        if let (Some(component), Some(why)) = (pod.labels().get(names::COMPONENT_LABEL), hindrance(pod)) {
            found.entry(component.clone()).or_insert_with(|| Hindrance::of(format!("pod {}: {why}", pod.name_any())));
        }
    }
    found
}

/// What a container waits for.
fn hindrance(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let containers = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    let (reason, message, last) = containers
        .filter_map(|container| Some((container.state.as_ref()?.waiting.as_ref()?, last_words(container))))
        .filter_map(|(waiting, last)| Some((waiting.reason.as_deref()?, waiting.message.as_deref(), last)))
        .find(|(reason, ..)| !USUAL.contains(reason))?;
    // Why it ended says more than that it is waited for; `kubectl logs --previous` has the rest.
    let words = last.or(message).unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    let words: String = words.chars().take(WORDS).collect();
    Some(if words.is_empty() { reason.to_owned() } else { format!("{reason} ({words})") })
}

/// What a container said when it ended last.
fn last_words(container: &ContainerStatus) -> Option<&str> {
    let ended = container.last_state.as_ref()?.terminated.as_ref()?;
    ended.message.as_deref().filter(|words| !words.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn rollout(wanted: i32, seen: bool, updated: i32, all: i32, available: i32) -> Rollout {
        let deployment = serde_json::from_value(json!({
            "metadata": {"name": "d", "generation": 2},
            "spec": {"replicas": wanted, "selector": {}, "template": {}},
            "status": {"observedGeneration": if seen { 2 } else { 1 }, "updatedReplicas": updated, "replicas": all,
                "readyReplicas": available, "availableReplicas": available},
        }));
        Rollout::of(&deployment.unwrap())
    }

    #[test]
    fn an_old_pod_does_not_stand_for_a_new_one() {
        let ready = |rollout: Rollout| (rollout.done(), rollout.ready());
        assert_eq!(ready(rollout(3, true, 3, 3, 3)), (true, 3));
        assert_eq!(ready(rollout(1, true, 1, 2, 1)), (false, 0), "one old pod serves, the new one does not start");
        assert_eq!(ready(rollout(3, true, 1, 4, 3)), (false, 0));
        assert_eq!(ready(rollout(3, true, 2, 4, 3)), (false, 1));
        assert_eq!(ready(rollout(1, true, 1, 2, 2)), (false, 0), "the old pod is still there");
        assert_eq!(ready(rollout(3, false, 3, 3, 3)), (false, 0), "the change was not seen yet");
        assert_eq!(ready(rollout(0, true, 0, 0, 0)), (true, 0));
        assert_eq!(ready(Rollout::of(&Deployment::default())), (false, 0));
    }

    #[test]
    fn pods_that_serve_meanwhile_are_counted() {
        let old = |rollout: Rollout| rollout.old();
        assert_eq!(old(rollout(3, true, 3, 3, 3)), 0);
        assert_eq!(old(rollout(3, true, 1, 4, 3)), 3);
        assert_eq!(old(rollout(3, true, 2, 4, 3)), 2);
        assert_eq!(old(rollout(3, true, 3, 3, 1)), 0, "the first pods of all");
        assert_eq!(old(rollout(3, false, 3, 3, 3)), 3, "the change was not seen yet");
    }

    #[test]
    fn a_rollout_that_somebody_paused_says_so_until_it_is_done() {
        let deployment = |paused: bool, updated: i32| -> Deployment {
            serde_json::from_value(json!({
                "metadata": {"name": "weft-control-plane", "namespace": "mesh", "generation": 2},
                "spec": {"replicas": 1, "selector": {}, "template": {}, "paused": paused},
                "status": {"observedGeneration": 2, "updatedReplicas": updated, "replicas": 1, "availableReplicas": 1},
            }))
            .unwrap()
        };
        let told = paused(&deployment(true, 0)).unwrap();
        assert!(
            told.contains("weft-control-plane is paused; kubectl -n mesh rollout resume deployment/weft-control"),
            "{told}"
        );
        assert_eq!((paused(&deployment(false, 0)), paused(&deployment(true, 1))), (None, None));
    }

    #[test]
    fn pods_that_cannot_be_made_say_why() {
        let with = |status: &str| -> Deployment {
            serde_json::from_value(json!({
                "spec": {"selector": {}, "template": {}},
                "status": {"conditions": [
                    {"type": "Progressing", "status": "True"},
                    {"type": "ReplicaFailure", "status": status, "reason": "FailedCreate",
                        "message": "pods \"a\" is forbidden: no PriorityClass with name nope was found"},
                ]},
            }))
            .unwrap()
        };
        let told = refused(&with("True")).unwrap();
        assert!(told.starts_with("its pods cannot be made: FailedCreate (pods \"a\" is forbidden: no Prio"), "{told}");
        assert_eq!((refused(&with("False")), refused(&Deployment::default())), (None, None));
    }

    #[test]
    fn one_that_is_being_removed_says_so() {
        let mut deployment: Deployment = serde_json::from_value(json!({
            "metadata": {"name": "weft-console"}, "spec": {"selector": {}, "template": {}}, "status": {"replicas": 2},
        }))
        .unwrap();
        assert_eq!(leaving(&deployment), None);
        deployment.metadata.deletion_timestamp = Some(serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap());
        let told = leaving(&deployment).unwrap();
        assert!(told.starts_with("Deployment weft-console is being removed and 2 of its pods are left;"), "{told}");
    }

    fn pod(name: &str, status: &Value) -> Pod {
        let labels = json!({"weft.dev/component": "console"});
        serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}, "status": status})).unwrap()
    }

    #[test]
    fn a_pod_that_does_not_start_says_why() {
        let waits = |reason: &str, message: &str| {
            let waiting = json!({"reason": reason, "message": message});
            json!({"containerStatuses": [{
                "name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
                "state": {"waiting": waiting},
            }]})
        };
        let told = |pods: &[Pod]| hindrances(pods).remove("console").map(|why| why.words);
        let fine = pod("a", &json!({}));
        let starts = pod("b", &waits("ContainerCreating", ""));
        assert_eq!(told(&[fine.clone(), starts.clone()]), None);
        let stuck = pod("c", &waits("ImagePullBackOff", "no such image"));
        assert_eq!(told(&[fine, starts, stuck]).unwrap(), "pod c: ImagePullBackOff (no such image)");
        let mut crashes = waits("CrashLoopBackOff", "back-off 10s restarting failed container");
        let ended = json!({"exitCode": 2, "message": "error: invalid value 'banana' for\n  '--cert-ttl'\n"});
        crashes["containerStatuses"][0]["lastState"] = json!({"terminated": ended});
        let words = "pod e: CrashLoopBackOff (error: invalid value 'banana' for '--cert-ttl')";
        assert_eq!(told(&[pod("e", &crashes)]).unwrap(), words);
        let condition =
            json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no CPU"});
        let homeless = pod("d", &json!({"conditions": [condition]}));
        assert_eq!(told(&[homeless]).unwrap(), "pod d: Unschedulable (no CPU)");
    }
}
