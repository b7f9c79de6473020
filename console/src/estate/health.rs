//! Health thresholds: those that objects carry in Kiali's annotation, and those of the mesh.

use std::{collections::BTreeMap, sync::Arc};

use weft_mesh::Snapshot;
use weft_model::{Diagnostic, ObjectRef, Severity, diagnostic::shortened};

use crate::graph::{
    health::{ANNOTATION, HealthConfig, Rules},
    tamed_host,
};

/// Of workloads by `namespace/name`, of services by host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tolerances {
    /// By the id of a workload.
    pub workloads: BTreeMap<String, Arc<Rules>>,
    /// By full host name.
    pub hosts: BTreeMap<String, Arc<Rules>>,
    /// Of everything else, as the mesh says.
    pub mesh: Arc<HealthConfig>,
    /// What is wrong with annotations, whose objects keep the thresholds of the mesh, and with these.
    pub findings: Vec<Diagnostic>,
}

impl Tolerances {
    /// Reads the annotations of services, pods and workload entries.
    pub fn read(snapshot: &Snapshot) -> Self {
        let mut found = Self::default();
        for workload in snapshot.workloads().values() {
            let id = super::id(workload);
            if !found.workloads.contains_key(&id)
                && let Some(rules) = found.of(snapshot, &workload.object)
            {
                found.workloads.insert(id, rules);
            }
        }
        for service in snapshot.services() {
            if let Some(rules) = found.of(snapshot, &service.object) {
                found.hosts.insert(tamed_host(service.host.as_str()).into_owned(), rules);
            }
        }
        found
    }

    fn of(&mut self, snapshot: &Snapshot, object: &ObjectRef) -> Option<Arc<Rules>> {
        let text = snapshot.object(&object.into())?.meta.annotations.get(ANNOTATION)?;
        match Rules::parse(text) {
            Ok(rules) => Some(Arc::new(rules)),
            Err(error) => {
                self.findings.push(Diagnostic {
                    code: CODE.to_owned(),
                    aliases: Vec::new(),
                    severity: Severity::Warning,
                    message: shortened(&format!("the annotation {ANNOTATION} cannot be read: {error}")).into_owned(),
                    object: Some(object.clone()),
                    field: format!("metadata.annotations[{ANNOTATION:?}]"),
                    file: None,
                    line: None,
                    column: None,
                    suggestion: Some("until then the thresholds of the mesh hold".to_owned()),
                });
                None
            }
        }
    }
}

/// The code of findings about thresholds.
pub(crate) const CODE: &str = "WEFT0120";
