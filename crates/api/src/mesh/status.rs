//! What an installation's reconciler tells about it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// State of an installation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct MeshStatus {
    /// `metadata.generation` that the rest speaks of.
    pub observed_generation: i64,
    /// Revision in force; `default` when the Mesh names none.
    pub revision: String,
    /// Version of the control plane that is ready.
    pub version: String,
    /// Proxies that are connected to this revision's control plane.
    pub connected_proxies: i64,
    /// What is waited for, one sentence each; empty when nothing is.
    pub waiting_for: Vec<String>,
    /// State of each Deployment, by component.
    pub components: BTreeMap<String, ComponentStatus>,
    /// `Ready`, `Reconciled`, `Progressing` and others, one of each type.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// State of one Deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ComponentStatus {
    /// Pods that are ready.
    pub ready: i32,
    /// Pods that are wanted.
    pub replicas: i32,
    /// Image of its container.
    pub image: String,
}

/// One aspect of the state, as Kubernetes' own kinds have it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Which aspect, such as `Ready`.
    #[serde(rename = "type")]
    #[schemars(regex(pattern = r"^[A-Za-z]([A-Za-z0-9]*)$"), length(max = 316))]
    pub kind: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// One word in CamelCase that programs read.
    #[schemars(length(max = 1024))]
    pub reason: String,
    /// One sentence for people, with the remedy if something is wrong.
    #[serde(default)]
    #[schemars(length(max = 32768))]
    pub message: String,
    /// `metadata.generation` that it speaks of.
    #[serde(default)]
    pub observed_generation: i64,
    /// RFC 3339: when `status` changed last.
    #[schemars(extend("format" = "date-time"))]
    pub last_transition_time: String,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not.
    False,
    /// It cannot be told.
    #[default]
    Unknown,
}

impl MeshStatus {
    /// The condition of this type.
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.kind == kind)
    }

    /// Sets the condition of `condition`'s type. The time of transition stays when its status does; whether anything
    /// changed.
    pub fn set_condition(&mut self, mut condition: Condition) -> bool {
        match self.conditions.iter_mut().find(|present| present.kind == condition.kind) {
            Some(present) => {
                if present.status == condition.status {
                    condition.last_transition_time.clone_from(&present.last_transition_time);
                }
                let changed = *present != condition;
                *present = condition;
                changed
            }
            None => {
                self.conditions.push(condition);
                true
            }
        }
    }
}
