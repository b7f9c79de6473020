//! The present configuration as everything else here sees it: one immutable view for each state of the files.

pub mod findings;
pub mod reload;

use std::{collections::HashMap, sync::Arc};

use weft_api::{Object, ObjectKey};
use weft_mesh::Snapshot;
use weft_model::{
    Diagnostic, ObjectRef,
    config::{ConfigList, ConfigRow},
};
use weft_source::Index;

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
    /// The list that the page shows.
    pub list: ConfigList,
    /// The same as JSON, for events.
    pub list_json: Arc<str>,
    /// Where everything in force stands.
    pub index: Index,
}

impl View {
    /// Puts a snapshot, its places and all findings together.
    pub fn new(version: u64, snapshot: Arc<Snapshot>, index: Index, mut findings: Vec<Diagnostic>) -> Self {
        let position = |d: &Diagnostic| (d.file.clone(), d.line, d.column, d.code.clone());
        findings.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| position(a).cmp(&position(b))));
        let estate = Estate::read(&snapshot, &findings);
        let list = list(&snapshot, &index, &findings);
        Self { version, estate, splits: splits(&snapshot), list_json: live::encode(&list), list, snapshot, index }
    }

    /// Every finding.
    pub fn findings(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.file_findings.iter().chain(self.list.rows.iter().flat_map(|row| &row.findings))
    }

    /// The row of one object.
    pub fn row(&self, object: &ObjectKey) -> Option<&ConfigRow> {
        self.list.rows.iter().find(|row| ObjectKey::from(&row.object) == *object)
    }

    /// What an edit of an object must start from; empty when it stands in no file.
    pub fn revision(&self, object: &ObjectRef) -> String {
        let document = self.index.document(&ObjectKey::from(object));
        document.map(|document| document.revision.to_owned()).unwrap_or_default()
    }
}

/// Rows ordered by kind, namespace and name. A finding about an object that is not in force (its file is broken and it
/// was never good) has no row, so it is shown with the files'.
fn list(snapshot: &Snapshot, index: &Index, findings: &[Diagnostic]) -> ConfigList {
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
            findings: by_object.remove(key).unwrap_or_default(),
        }
    };
    let mut rows: Vec<ConfigRow> = snapshot.objects().map(row).collect();
    rows.sort_by(|a, b| order(&a.object).cmp(&order(&b.object)));
    ConfigList { rows, file_findings }
}

fn order(object: &ObjectRef) -> (&str, &str, &str, &str) {
    (&object.kind, &object.namespace, &object.name, &object.api_version)
}
