//! The installations of a cluster, as their `Mesh` objects tell.

use std::time::Duration;

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry, jiff::Timestamp};
use kube::{
    Api, Error,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use weft_api::mesh::{Condition, ConditionStatus, MeshSpec, MeshStatus};
use weft_install::names::MESH_LABEL;
use weft_operator::reconcile::{
    conditions::{
        CERTIFICATES_VALID, CLOCKS_AGREE, CONFIGURATION_READ, DISPUTED, READY, RECONCILED, ROOTS_KEPT, WEBHOOKS_READY,
        wants_a_look,
    },
    problem::Reason,
};

use super::{Cluster, explain};
use crate::output::ago;

/// How long a change may take to be taken up before its age is told.
const SLOW: Duration = Duration::from_secs(60);

/// One installation.
pub struct Installation {
    /// Name of its Mesh.
    pub name: String,
    /// What is wanted.
    pub spec: MeshSpec,
    /// What there is.
    pub status: MeshStatus,
    /// `metadata.generation`.
    pub generation: i64,
    /// Whether it is being removed.
    pub leaving: bool,
    /// The object as the API server has it.
    pub object: DynamicObject,
}

/// What a Mesh is warned of beside whether it is ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// The condition and its message.
    pub message: String,
    /// The remedy.
    pub remedy: String,
}

impl Installation {
    /// How long its newest change has waited for an operator, by this machine's clock, where that is more than a minute;
    /// nothing when it was taken up, or when it is not known since when.
    pub fn behind(&self, now: Timestamp) -> Option<Duration> {
        if self.status.observed_generation >= self.generation {
            return None;
        }
        // Who writes anything else, such as an annotation, makes no newer generation.
        let of_spec = |entry: &&ManagedFieldsEntry| {
            let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
            entry.subresource.is_none() && fields.is_some_and(|fields| fields.get("f:spec").is_some())
        };
        let entries = self.object.metadata.managed_fields.iter().flatten().filter(of_spec);
        let written = entries.filter_map(|entry| entry.time.as_ref());
        let newest = written.chain(&self.object.metadata.deletion_timestamp).map(|time| time.0).max()?;
        ago(newest, now).filter(|age| *age >= SLOW)
    }

    /// What its conditions warn of. What `Ready` says itself is not told again.
    pub fn warnings(&self) -> Vec<Warning> {
        let not = self.status.condition(READY).filter(|ready| ready.status != ConditionStatus::True);
        let warns = |condition: &&Condition| {
            let good = condition.status == ConditionStatus::True && !wants_a_look(condition);
            let told = not.is_some_and(|ready| ready.reason == condition.reason);
            [RECONCILED, WEBHOOKS_READY, CERTIFICATES_VALID, CLOCKS_AGREE, CONFIGURATION_READ]
                .contains(&condition.kind.as_str())
                && !good
                && !told
        };
        let warning = |condition: &Condition| Warning {
            message: format!("{} ({}): {}", condition.kind, condition.reason, condition.message),
            remedy: self.remedy(&condition.reason),
        };
        self.status.conditions.iter().filter(warns).map(warning).collect()
    }

    /// What to do about a condition of this reason.
    pub fn remedy(&self, reason: &str) -> String {
        match reason {
            ROOTS_KEPT => {
                "where a Secret of the authority went by mistake, put it back: its key signs again".to_owned()
            }
            DISPUTED => "find whoever writes it, and let them leave these objects alone; what the Mesh has a field for goes there"
                .to_owned(),
            off if off == Reason::ClockOff.as_str() => {
                "set the clock of the node that it runs on: timedatectl there says whether it is synchronized"
                    .to_owned()
            }
            taken if [Reason::RevisionTaken, Reason::TagTaken].map(Reason::as_str).contains(&taken) => {
                "one of both Meshes gives up that name; until then nothing of this one is installed".to_owned()
            }
            _ => format!("kubectl describe mesh {} says more", self.name),
        }
    }
}

/// How one lets pass what the webhooks of a Mesh refuse, those of its tags among them. An operator puts them back.
pub fn unhook(mesh: &str) -> String {
    format!("kubectl delete mutatingwebhookconfiguration,validatingwebhookconfiguration -l {MESH_LABEL}={mesh}")
}

/// The kind, for requests.
pub fn resource() -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("weft.dev", "v1alpha1", "Mesh"), "meshes")
}

impl Cluster {
    /// Every installation; `None` when the cluster does not know the kind.
    pub async fn meshes(&self) -> anyhow::Result<Option<Vec<Installation>>> {
        let meshes: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource());
        match meshes.list(&ListParams::default()).await {
            Ok(list) => Ok(Some(list.items.into_iter().map(read).collect())),
            Err(Error::Api(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(explain("list meshes", &error).into()),
        }
    }
}

fn read(object: DynamicObject) -> Installation {
    // A Mesh of a newer version may say what we do not know; what we do know is still worth telling.
    let part = |key: &str| object.data.get(key).cloned().unwrap_or_default();
    Installation {
        name: object.metadata.name.clone().unwrap_or_default(),
        spec: MeshSpec::deserialize(part("spec")).unwrap_or_else(|_| names(&part("spec"))),
        status: MeshStatus::deserialize(part("status")).unwrap_or_default(),
        generation: object.metadata.generation.unwrap_or_default(),
        leaving: object.metadata.deletion_timestamp.is_some(),
        object,
    }
}

/// What a Mesh answers to, whatever else it says.
fn names(spec: &Value) -> MeshSpec {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let tags = spec["tags"].as_array().into_iter().flatten().map(text).collect();
    MeshSpec { revision: text(&spec["revision"]), tags, ..MeshSpec::default() }
}

#[cfg(test)]
pub mod testing {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use serde_json::json;

    use super::*;

    /// An installation from its JSON.
    pub fn installation(spec: Value, status: Value) -> Installation {
        let mut object = DynamicObject::new("main", &resource());
        object.data = json!({"spec": spec, "status": status});
        object.metadata.generation = Some(3);
        read(object)
    }

    #[test]
    fn conditions_that_warn_are_told_with_a_remedy() {
        let condition = |kind: &str, status: &str, reason: &str| {
            json!({"type": kind, "status": status, "reason": reason, "message": format!("{kind} says"),
                "lastTransitionTime": "2026-11-23T20:00:00Z"})
        };
        let told = |conditions: &[Value]| installation(json!({}), json!({"conditions": conditions})).warnings();
        let (ready, not) = (condition("Ready", "True", "Ready"), condition("Ready", "False", "NoReplicaReady"));
        let valid = condition("CertificatesValid", "True", "Valid");
        assert!(told(&[ready.clone(), valid, condition("Progressing", "False", "Settled")]).is_empty());
        let kept = told(&[ready.clone(), condition("CertificatesValid", "True", "RootsKept")]);
        assert_eq!(kept[0].message, "CertificatesValid (RootsKept): CertificatesValid says");
        let disputed = told(&[ready.clone(), condition("Reconciled", "True", "Disputed")]);
        assert_eq!(disputed[0].message, "Reconciled (Disputed): Reconciled says");
        assert!(kept.len() == 1 && kept[0].remedy.contains("put it back"), "{kept:?}");
        let off = told(&[ready.clone(), condition("ClocksAgree", "False", "ClockOff")]);
        assert_eq!(off[0].message, "ClocksAgree (ClockOff): ClocksAgree says");
        assert!(off[0].remedy.starts_with("set the clock of the node"), "{off:?}");
        let busy = told(&[ready, condition("Reconciled", "False", "TooManyRequests")]);
        assert!(busy[0].remedy.contains("kubectl describe mesh main"), "{busy:?}");
        let same = condition("WebhooksReady", "False", "NoReplicaReady");
        assert!(told(&[not, same]).is_empty(), "Ready says it");
    }

    #[test]
    fn a_change_that_waits_has_an_age() {
        let mut one = installation(json!({}), json!({"observedGeneration": 2}));
        let now = Timestamp::from_second(1_000_000).unwrap();
        assert_eq!(one.behind(now), None, "it is not known since when");
        let time = |seconds: i64| Timestamp::from_second(seconds).unwrap();
        let written = |seconds: i64, field: &str, subresource: Option<&str>| {
            json!({"manager": "x", "time": time(seconds).to_string(), "subresource": subresource,
                "fieldsType": "FieldsV1", "fieldsV1": {field: {}}})
        };
        let mut waits = |own: i64| {
            let later = [written(999_999, "f:status", Some("status")), written(999_998, "f:metadata", None)];
            let fields = json!([written(own, "f:spec", None), later[0], later[1]]);
            one.object.metadata.managed_fields = Some(serde_json::from_value(fields).unwrap());
            one.behind(now)
        };
        assert_eq!((waits(999_950), waits(999_700)), (None, Some(Duration::from_secs(300))));
        // A deletion is a newer generation as well.
        one.object.metadata.deletion_timestamp = Some(Time(time(999_800)));
        assert_eq!(one.behind(now), Some(Duration::from_secs(200)));
        let taken = installation(json!({}), json!({"observedGeneration": 3}));
        assert_eq!(taken.behind(now), None);
    }

    #[test]
    fn a_mesh_is_read_as_far_as_it_is_known() {
        let one = installation(json!({"profile": "demo"}), json!({"observedGeneration": 2, "version": "0.1.0"}));
        assert_eq!((one.spec.profile().as_str(), one.status.version.as_str()), ("demo", "0.1.0"));
        let odd = installation(json!({"profile": "unheard-of", "revision": "v2", "tags": ["prod"]}), Value::Null);
        assert_eq!((odd.spec.revision_label(), odd.spec.tags.as_slice()), ("v2", &["prod".to_owned()][..]));
        assert_eq!((odd.name.as_str(), odd.status.observed_generation), ("main", 0));
    }
}
