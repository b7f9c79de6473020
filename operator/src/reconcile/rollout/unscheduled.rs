//! Pods that no node takes: which they are, the scheduler's words, and what helps.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Pod, PodCondition};
use kube::ResourceExt;
use weft_install::names;

use super::{
    super::conditions::{UNSCHEDULABLE, first},
    Hindrance, WORDS,
};

/// How many pods of a component are told by name.
const NAMED: usize = 3;

/// By component, its pods that wait for a node, and why; components without such a pod are not there.
pub(super) fn unscheduled(pods: &[Pod]) -> BTreeMap<String, Hindrance> {
    let mut waiting: BTreeMap<&str, (Vec<String>, &PodCondition)> = BTreeMap::new();
    for pod in pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()) {
        if let (Some(component), Some(why)) = (pod.labels().get(names::COMPONENT_LABEL), lacks(pod)) {
            waiting.entry(component.as_str()).or_insert_with(|| (Vec::new(), why)).0.push(pod.name_any());
        }
    }
    let tell = |(component, (pods, why)): (&str, (Vec<String>, &PodCondition))| {
        let unschedulable = why.reason.as_deref().unwrap_or(UNSCHEDULABLE) == UNSCHEDULABLE;
        (component.to_owned(), Hindrance { words: told(component, &pods, why), unschedulable })
    };
    waiting.into_iter().map(tell).collect()
}

fn lacks(pod: &Pod) -> Option<&PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|one| one.type_ == "PodScheduled" && one.status == "False")
}

fn told(component: &str, pods: &[String], why: &PodCondition) -> String {
    let named = first(pods, NAMED, ", ");
    let word = if pods.len() == 1 { "pod" } else { "pods" };
    let reason = why.reason.as_deref().unwrap_or(UNSCHEDULABLE);
    // Our pods displace nobody, so what follows is the same each time.
    let message = why.message.as_deref().unwrap_or_default().split(" preemption:").next().unwrap_or_default();
    let words: String = message.chars().take(WORDS).collect();
    let words = if words.is_empty() { words } else { format!(" ({words})") };
    let remedy = remedy(component, message).map_or_else(String::new, |remedy| format!(": {remedy}"));
    format!("{word} {named}: {reason}{words}{remedy}")
}

/// What helps, by the words of Kubernetes' own scheduler; nothing for reasons that it does not cover, such as volumes.
fn remedy(component: &str, message: &str) -> Option<String> {
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let (wrong, settings) = if says(&["Insufficient", "Too many pods"]) {
        ("no node has room, add one", "replicas or resources")
    } else if says(&["taint", "affinity/selector", "affinity rules"]) {
        ("no node fits, add one that does", "nodeSelector, tolerations or affinity")
    } else {
        return None;
    };
    let field = match component {
        "control-plane" => "controlPlane",
        names::GATEWAY_COMPONENT => "ingressGateway",
        "console" => "console",
        // The operator is no part of a Mesh.
        _ => return Some(wrong.to_owned()),
    };
    Some(format!("{wrong} or change {settings} of spec.components.{field}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(component: &str, name: &str, message: &str) -> Pod {
        let lacks = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message});
        let labels = json!({"weft.dev/component": component});
        serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}, "status": {"conditions": [lacks]}}))
            .unwrap()
    }

    #[test]
    fn all_pods_without_room_are_told_with_the_schedulers_words_and_what_helps() {
        let full = "0/2 nodes are available: 2 Insufficient cpu. preemption: 0/2 nodes are available: 2 No preemption \
                    victims found for incoming pod.";
        let mut going = pod("control-plane", "going", full);
        going.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
        let mut pods: Vec<_> = ["a", "b"].map(|name| pod("control-plane", name, full)).into();
        pods.extend([going, pod("operator", "o", full)]);
        let told = unscheduled(&pods);
        assert_eq!(
            told["control-plane"].words,
            "pods a, b: Unschedulable (0/2 nodes are available: 2 Insufficient cpu.): no node has room, add one or change \
             replicas or resources of spec.components.controlPlane"
        );
        assert!(told["operator"].words.ends_with(": no node has room, add one"), "{told:?}");
        assert!(told.values().all(|why| why.unschedulable));
        pods.extend(["c", "d", "e"].map(|name| pod("control-plane", name, full)));
        assert!(unscheduled(&pods)["control-plane"].words.starts_with("pods a, b, c and 2 more: "));
    }

    #[test]
    fn what_fits_no_node_is_not_told_to_lack_room() {
        let told = |message: &str| {
            unscheduled(&[pod("ingress-gateway", "gw", message)]).remove("ingress-gateway").unwrap().words
        };
        let taint = told("0/1 nodes are available: 1 node(s) had untolerated taint {edge: true}.");
        assert!(taint.contains("no node fits") && taint.contains("spec.components.ingressGateway"), "{taint}");
        for fits_not in ["didn't match Pod's node affinity/selector", "didn't match pod anti-affinity rules"] {
            let message = format!("0/1 nodes are available: 1 node(s) {fits_not}.");
            assert!(told(&message).contains("no node fits"), "{message}");
        }
        // What a volume ties to a node is nothing that the Mesh says.
        for volume in [
            "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.",
            "0/1 nodes are available: 1 node(s) had volume node affinity conflict.",
        ] {
            assert_eq!(told(volume), format!("pod gw: Unschedulable ({volume})"));
        }
    }
}
