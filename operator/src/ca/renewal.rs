//! Renewal by certificate. A certificate alone proves who somebody was: it is renewed while a workload runs as that, so that
//! a machine that was taken out, or a copy of its key, ends with the certificate that it has.

use weft_mesh::Snapshot;
use weft_model::{SpiffeId, WorkloadRef};

/// Why a certificate is not renewed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no WorkloadEntry and no pod of namespace {namespace} runs as service account {service_account}: create the machine's \
     WorkloadEntry again with `weft vm join` (without a cluster: write it, then `weft ca token create`)"
)]
pub struct Gone {
    namespace: String,
    service_account: String,
}

/// Whether somebody still runs as `identity`. Snapshots that are published are complete, so nobody is missed in one.
pub fn check(snapshot: &Snapshot, identity: &SpiffeId) -> Result<(), Gone> {
    let SpiffeId { namespace, service_account, .. } = identity;
    let of_namespace = snapshot.workloads().range(WorkloadRef::new(namespace.as_str(), "")..);
    let mut accounts = of_namespace
        .take_while(|(reference, _)| reference.namespace == *namespace)
        .map(|(_, workload)| &workload.service_account);
    match accounts.any(|account| account == service_account) {
        true => Ok(()),
        false => Err(Gone { namespace: namespace.clone(), service_account: service_account.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};
    use weft_api::{Change, ObjectKey};
    use weft_mesh::{Settings, Store};

    use super::*;

    fn put(store: &mut Store, object: &Value) -> ObjectKey {
        let object = Arc::new(weft_api::parse(object, "default").unwrap().object);
        let key = ObjectKey::from(&object.reference);
        store.apply(vec![Change::Put(object)]);
        key
    }

    #[test]
    fn a_certificate_is_renewed_while_somebody_runs_as_it_says() {
        let mut store = Store::new(Settings::default());
        let known = |store: &mut Store, namespace: &str, account: &str| {
            check(&store.snapshot(), &SpiffeId::new("cluster.local", namespace, account)).is_ok()
        };
        assert!(!known(&mut store, "vms", "db"));
        let entry = |name: &str, spec: Value| {
            json!({"apiVersion": "networking.istio.io/v1", "kind": "WorkloadEntry",
                "metadata": {"name": name, "namespace": "vms"}, "spec": spec})
        };
        put(&mut store, &entry("a", json!({"address": "10.0.0.4"})));
        let db = put(&mut store, &entry("db-1", json!({"address": "10.0.0.5", "serviceAccount": "db"})));
        put(
            &mut store,
            &json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-1", "namespace": "vms2", "uid": "u"},
                "spec": {"serviceAccountName": "web", "containers": [{"name": "web"}]}, "status": {"phase": "Pending"}}),
        );
        for (namespace, account, expected) in [
            ("vms", "db", true),
            ("vms", "default", true),
            ("vms", "web", false),
            ("vms2", "web", true),
            ("vms2", "db", false),
            ("vm", "db", false),
            ("vms3", "web", false),
        ] {
            assert_eq!(known(&mut store, namespace, account), expected, "{namespace}/{account}");
        }
        store.apply(vec![Change::Delete(db)]);
        assert!(!known(&mut store, "vms", "db") && known(&mut store, "vms", "default"), "one was taken out");
    }
}
