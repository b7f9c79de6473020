use serde_json::json;

use super::*;
use crate::{Kind, ObjectKey, Spec, parse};

fn pod(value: &serde_json::Value) -> (crate::Object, Arc<Pod>) {
    let parsed = parse(value, "default").unwrap();
    assert_eq!(parsed.unknown_fields, []);
    let Spec::Pod(pod) = &parsed.object.spec else { panic!("{:?}", parsed.object) };
    let pod = Arc::clone(pod);
    (parsed.object, pod)
}

fn cart() -> serde_json::Value {
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "cart-5d9c7b-x2x4z", "namespace": "shop", "uid": "u1", "resourceVersion": "77",
            "labels": {"app": "cart", "pod-template-hash": "5d9c7b"},
            "annotations": {
                LAST_APPLIED: "{}", "cni.projectcalico.org/podIP": "10.1.0.9",
                INJECTED_ANNOTATION: "{\"revision\":\"canary\",\"containers\":[\"istio-proxy\"]}",
                "traffic.sidecar.istio.io/excludeOutboundPorts": "5432"},
            "managedFields": [{"manager": "kubelet", "fieldsV1": {"f:status": {}}}],
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "cart-5d9c7b", "uid": "u0",
                "controller": true}]},
        "spec": {
            "nodeName": "n1", "serviceAccountName": "cart", "priority": 0, "tolerations": [{"operator": "Exists"}],
            "initContainers": [{"name": "istio-init"},
                {"name": "istio-proxy", "restartPolicy": "Always", "ports": [{"name": "http-envoy-prom", "containerPort": 15090}]},
                {"name": "migrate", "ports": [{"containerPort": 1}]}],
            "containers": [{"name": "cart", "image": "cart:1",
                "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"},
                    {"name": "dns", "containerPort": 53, "protocol": "UDP"}]}]},
        "status": {"phase": "Running", "podIP": "10.1.0.9", "podIPs": [{"ip": "10.1.0.9"}, {"ip": "fd00::9"}],
            "conditions": [{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": "True"}]}})
}

#[test]
fn pods_keep_what_the_mesh_reads() {
    let (object, pod) = pod(&cart());
    assert_eq!(object.key(), ObjectKey::new(Kind::Pod, "shop", "cart-5d9c7b-x2x4z"));
    assert_eq!(object.meta.uid.as_deref(), Some("u1"));
    assert_eq!(object.meta.annotations.keys().collect::<Vec<_>>(), ["traffic.sidecar.istio.io/excludeOutboundPorts"]);
    assert_eq!(object.meta.labels.len(), 2);
    assert_eq!(pod.ips, ["10.1.0.9".parse::<std::net::IpAddr>().unwrap(), "fd00::9".parse().unwrap()]);
    assert_eq!((&*pod.node_name, &*pod.service_account, &*pod.revision), ("n1", "cart", "canary"));
    assert!(pod.ready && pod.injected && pod.captured && pod.is_live() && !pod.terminating && !pod.host_network);
    assert_eq!(pod.owner.as_ref().map(|owner| (&*owner.kind, &*owner.name)), Some(("ReplicaSet", "cart-5d9c7b")));
    assert_eq!(pod.ports.len(), 3);
    assert_eq!(pod.port_named("http", Protocol::Tcp), Some(8080));
    assert_eq!(pod.port_named("dns", Protocol::Tcp), None);
}

/// What a kubelet rewrites all day and the mesh does not read must not look like a change.
#[test]
fn content_follows_what_is_kept() {
    let (before, _) = pod(&cart());
    let mut noisy = cart();
    noisy["metadata"]["resourceVersion"] = "78".into();
    noisy["status"]["startTime"] = "2026-01-01T00:00:00Z".into();
    let (after, _) = pod(&noisy);
    assert_eq!((&before.content, &before.meta), (&after.content, &after.meta));
    let mut unready = cart();
    unready["status"]["conditions"][1]["status"] = "False".into();
    assert_ne!(pod(&unready).0.content, before.content);
    let mut leaving = cart();
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    assert!(pod(&leaving).1.terminating);
}

#[test]
fn young_pods_have_little() {
    let (_, pod) = pod(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
        "spec": {"containers": [{"name": "a"}]}, "status": {}}));
    assert_eq!(pod.phase, Phase::Pending);
    assert!(pod.ips.is_empty() && pod.owner.is_none() && !pod.injected && !pod.ready);
    assert_eq!(&*pod.service_account, "default");
}

#[test]
fn nodes_keep_their_place() {
    let node = |labels: serde_json::Value| {
        let value = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1", "labels": labels},
            "status": {"images": [{"names": ["a"]}]}});
        let object = parse(&value, "default").unwrap().object;
        assert_eq!(object.key(), ObjectKey::new(Kind::Node, "", "n1"));
        assert!(object.meta.labels.is_empty());
        let Spec::Node(node) = object.spec else { panic!() };
        node.locality()
    };
    assert_eq!(node(json!({REGION_LABEL: "eu", ZONE_LABEL: "eu-1", SUBZONE_LABEL: "r7"})), "eu/eu-1/r7");
    assert_eq!(node(json!({"failure-domain.beta.kubernetes.io/region": "eu"})), "eu");
    assert_eq!(node(json!({ZONE_LABEL: "z"})), "/z");
    assert_eq!(node(json!({})), "");
}

#[test]
fn slices_and_what_they_leave_unsaid() {
    let value = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": "cart-abc", "namespace": "shop", "labels": {SERVICE_NAME_LABEL: "cart", "x": "y"}},
        "addressType": "IPv4",
        "endpoints": [
            {"addresses": ["10.1.0.9"], "conditions": {"ready": false, "serving": true, "terminating": true},
             "targetRef": {"kind": "Pod", "name": "cart-1", "namespace": "shop"}, "nodeName": "n1", "zone": "eu-1"},
            {"addresses": ["10.1.0.10"], "conditions": {}},
            {"addresses": ["10.1.0.11"], "conditions": {"ready": false}}],
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP", "appProtocol": "http"}, {"port": null}]});
    let parsed = parse(&value, "default").unwrap();
    let Spec::EndpointSlice(slice) = &parsed.object.spec else { panic!() };
    assert_eq!((&*slice.service, slice.address_type), ("cart", AddressType::IPv4));
    let conditions: Vec<_> = slice.endpoints.iter().map(|e| (e.ready, e.serving, e.terminating)).collect();
    assert_eq!(conditions, [(false, true, true), (true, true, false), (false, false, false)]);
    assert_eq!(slice.endpoints[0].target.as_ref().map(|target| &*target.name), Some("cart-1"));
    assert_eq!((slice.ports[0].port, slice.ports[1].port), (Some(8080), None));

    let empty = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": "a"},
        "addressType": "FQDN", "endpoints": null, "ports": null});
    let Spec::EndpointSlice(slice) = parse(&empty, "default").unwrap().object.spec else { panic!() };
    assert_eq!((slice.address_type, slice.endpoints.len()), (AddressType::Fqdn, 0));
}

#[test]
fn what_is_no_pod_says_where() {
    let bad = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
        "spec": {"containers": [{"name": "a", "ports": [{"containerPort": 80808}]}]}});
    assert_eq!(parse(&bad, "default").unwrap_err().field, "spec.containers[0].ports[0].containerPort");
}

#[test]
fn secrets_and_maps_keep_no_copy_of_their_metadata() {
    let value = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a",
        "annotations": {LAST_APPLIED: "{\"data\":{}}", "own": "x"}, "managedFields": [{"manager": "m"}]},
        "data": {"tls.crt": "YQ=="}});
    let object = parse(&value, "default").unwrap().object;
    assert_eq!(object.meta.annotations.keys().collect::<Vec<_>>(), ["own"]);
    let Spec::Secret(secret) = &object.spec else { panic!() };
    assert_eq!(secret.metadata, Default::default());
    assert_eq!(crate::object::secret_value(secret, "tls.crt"), Some(&b"a"[..]));
}
