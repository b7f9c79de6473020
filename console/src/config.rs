//! The present configuration as everything else here sees it: one immutable view for each state of the files.

pub mod changed;
pub mod edit;
pub mod findings;
pub mod help;
pub mod hurry;
pub mod hypothetical;
pub mod owner;
pub mod reload;
pub mod thresholds;
pub mod told;

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use weft_api::{Object, ObjectKey, Spec};
use weft_mesh::Snapshot;
use weft_model::{
    Diagnostic, ObjectRef,
    config::{ConfigList, ConfigRow},
};
use weft_source::{Index, cluster_store::revision};

use self::changed::Changed;
use crate::{
    canary::{Split, splits},
    estate::Estate,
    live,
};

/// One state of configuration.
pub struct View {
    /// Counts the views of one console.
    pub version: u64,
    /// The objects, indexed.
    pub snapshot: Arc<Snapshot>,
    /// Workloads with their marks.
    pub estate: Estate,
    /// Weighted routes.
    pub splits: Vec<Split>,
    /// What lint alone found in it; `None` where nobody linted.
    pub linted: Option<Arc<[Diagnostic]>>,
    /// The list that the page shows.
    pub list: ConfigList,
    /// The same as JSON, for events.
    pub list_json: Arc<str>,
    /// Tells it from others.
    pub list_version: String,
    /// Where everything in force stands; empty for a cluster.
    pub index: Index,
    /// Addresses of a cluster's control planes that are ready. Each knows the proxies that are connected to it.
    pub control_planes: Vec<IpAddr>,
}

impl View {
    /// Puts a snapshot, its places and all findings together.
    pub fn new(version: u64, snapshot: Arc<Snapshot>, index: Index, findings: Vec<Diagnostic>) -> Self {
        Self::watched(version, snapshot, index, findings, &Changed::default())
    }

    /// The same, with the times of what changed before.
    pub fn watched(
        version: u64,
        snapshot: Arc<Snapshot>,
        index: Index,
        mut findings: Vec<Diagnostic>,
        changed: &Changed,
    ) -> Self {
        let position = |d: &Diagnostic| (d.file.clone(), d.line, d.column, d.code.clone());
        findings.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| position(a).cmp(&position(b))));
        let estate = Estate::read(&snapshot, &findings);
        let list = list(&snapshot, &index, &findings, changed);
        let list_json = live::encode(&list);
        Self {
            version,
            estate,
            splits: splits(&snapshot),
            linted: None,
            list_version: live::version(list_json.as_bytes()),
            list_json,
            list,
            control_planes: control_planes(&snapshot),
            snapshot,
            index,
        }
    }

    /// Every finding.
    pub fn findings(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.file_findings.iter().chain(self.list.rows.iter().flat_map(|row| &row.findings))
    }

    /// The row of one object.
    pub fn row(&self, object: &ObjectKey) -> Option<&ConfigRow> {
        self.list.rows.iter().find(|row| ObjectKey::from(&row.object) == *object)
    }

    /// What an edit of an object must start from: of its file, or of the object on its cluster.
    pub fn revision(&self, object: &ObjectRef) -> String {
        revision_in(&self.snapshot, &self.index, object)
    }
}

/// The same in a state that is no view yet.
pub fn revision_in(snapshot: &Snapshot, index: &Index, object: &ObjectRef) -> String {
    let key = ObjectKey::from(object);
    match index.document(&key) {
        Some(document) => document.revision.to_owned(),
        None => snapshot.object(&key).map(|object| revision(&object.meta)).unwrap_or_default(),
    }
}

/// Pods of the control plane carry this label, as the installation renders it.
const CONTROL_PLANE: (&str, &str) = ("weft.dev/component", "control-plane");

fn control_planes(snapshot: &Snapshot) -> Vec<IpAddr> {
    let pods = snapshot.workloads().values().filter(|workload| workload.is_pod() && workload.ready);
    pods.filter(|pod| pod.label(CONTROL_PLANE.0) == CONTROL_PLANE.1).filter_map(|pod| pod.ip).collect()
}

/// Kinds that a cluster makes by the thousand and nobody configures by hand: they are listed only with a finding.
const UNLISTED: [&str; 3] = ["Pod", "EndpointSlice", "Node"];

/// Rows ordered by kind, namespace and name. A finding about an object that is not in force (its file is broken and it
/// was never good) has no row, so it is shown with the files'.
fn list(snapshot: &Snapshot, index: &Index, findings: &[Diagnostic], changed: &Changed) -> ConfigList {
    let mut by_object: HashMap<ObjectKey, Vec<Diagnostic>> = HashMap::new();
    let mut file_findings = Vec::new();
    for finding in findings {
        match finding.object.as_ref().map(ObjectKey::from).filter(|key| snapshot.object(key).is_some()) {
            Some(key) => by_object.entry(key).or_default().push(finding.clone()),
            None => file_findings.push(finding.clone()),
        }
    }
    let row = |(key, object): (&ObjectKey, &Arc<Object>)| {
        let document = index.document(key);
        ConfigRow {
            object: object.reference.clone(),
            file: document.map(|document| document.file.to_owned()),
            line: document.map(|document| document.line),
            changed_at_ms: document.and_then(|document| document.changed_at_ms),
            changed_ms: changed.at(key),
            findings: by_object.remove(key).unwrap_or_default(),
            owner: owner::of(&object.meta).map(str::to_owned),
            created: object.meta.creation_timestamp.clone(),
            content: content(object),
        }
    };
    let listed = |row: &ConfigRow| !UNLISTED.contains(&row.object.kind.as_str()) || !row.findings.is_empty();
    let mut rows: Vec<ConfigRow> = snapshot.objects().map(row).filter(listed).collect();
    rows.sort_by(|a, b| order(&a.object).cmp(&order(&b.object)));
    ConfigList { rows, file_findings, next: None }
}

/// See [`ConfigRow::content`]. What a Secret holds is not told, not even by a hash that could be guessed at.
pub(crate) fn content(object: &Object) -> String {
    let told = if matches!(object.spec, Spec::Secret(_)) { 0 } else { 16 };
    object.content.chars().take(told).collect()
}

/// What the list is ordered by.
pub(crate) fn order(object: &ObjectRef) -> (&str, &str, &str, &str) {
    (&object.kind, &object.namespace, &object.name, &object.api_version)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_an_object_says_is_told_apart_and_secrets_are_not() {
        let of = |kind: &str, version: &str, body: Value| {
            let mut object =
                json!({"apiVersion": version, "kind": kind, "metadata": {"name": "a", "namespace": "shop"}});
            object.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
            content(&weft_api::parse(&object, "default").unwrap().object)
        };
        let hosts = |host: &str| of("VirtualService", "networking.istio.io/v1", json!({"spec": {"hosts": [host]}}));
        assert_eq!(hosts("cart").len(), 16);
        assert_ne!(hosts("cart"), hosts("order"));
        assert_eq!(of("Secret", "v1", json!({"stringData": {"password": "1234"}})), "");
    }
}
