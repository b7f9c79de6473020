//! The store and the snapshot's indexes.

use weft_api::{Change, Kind, ObjectKey};
use weft_model::WorkloadRef;

use crate::estate::{changes, pair, snapshot, store};

#[test]
fn only_differences_count() {
    let mut store = store(&pair());
    let before = store.snapshot();
    assert!(!store.apply(changes(&pair())));
    assert_eq!(store.snapshot().generation(), before.generation());
    assert!(store.apply(vec![Change::Delete(ObjectKey::new(Kind::Service, "shop", "a"))]));
    assert!(!store.apply(vec![Change::Delete(ObjectKey::new(Kind::Service, "shop", "a"))]));
    assert_eq!(store.snapshot().services().len(), 1);
    assert_eq!(before.services().len(), 2, "snapshots do not change");
}

#[test]
fn workloads_are_found_by_name_and_address() {
    let snapshot = snapshot(&pair());
    let b = WorkloadRef::new("shop", "b");
    assert_eq!(snapshot.workload_at([127, 0, 0, 2].into()).unwrap().reference, b);
    assert_eq!(snapshot.workload(&b).unwrap().canonical_name(), "b");
    assert_eq!(snapshot.workload(&b).unwrap().canonical_revision(), "latest");
}

#[test]
fn a_mesh_object_wins_over_the_config_map() {
    let mesh = |sampling: u32| {
        format!(
            "apiVersion: weft.dev/v1alpha1
kind: Mesh
metadata: {{name: m}}
spec:
  meshConfig:
    enableAutoMtls: false
    outboundTrafficPolicy: {{mode: REGISTRY_ONLY}}
    defaultConfig: {{tracing: {{sampling: {sampling}}}}}
"
        )
    };
    let snapshot = snapshot(&mesh(25));
    assert!(!snapshot.mesh().auto_mtls);
    assert_eq!(snapshot.mesh().trace_sampling, 25.0);
    let plain = crate::estate::snapshot("");
    assert_eq!(plain.mesh().trace_sampling, 1.0);
    assert!(plain.mesh().auto_mtls);
}
