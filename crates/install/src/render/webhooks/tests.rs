use serde_json::{Map, Value, json};

use crate::{Capabilities, MeshInput, render};

/// What a Mesh's webhooks select, read as the API server reads it.
struct Injectors(Vec<Value>);

impl Injectors {
    fn of(spec: Value) -> Self {
        let mesh =
            json!({"apiVersion": "weft.dev/v1alpha1", "kind": "Mesh", "metadata": {"name": "weft"}, "spec": spec});
        let mut input = MeshInput::from_json(&mesh, "weft-system", Capabilities::default()).unwrap();
        input.ca_bundle = Some("roots".into());
        let objects = render(&input).unwrap().into_iter();
        let injectors = objects.filter(|object| object["kind"] == "MutatingWebhookConfiguration");
        Self(injectors.flat_map(|object| object["webhooks"].as_array().cloned().unwrap()).collect())
    }

    /// How many of the webhooks are called for a pod with these labels in a namespace with those.
    fn calls(&self, namespace: &[(&str, &str)], pod: &[(&str, &str)]) -> usize {
        let labels = |all: &[(&str, &str)]| -> Map<String, Value> {
            all.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect()
        };
        let mut namespace = labels(namespace);
        namespace.entry("kubernetes.io/metadata.name").or_insert("shop".into());
        let pod = labels(pod);
        let called =
            |hook: &&Value| holds(&hook["namespaceSelector"], &namespace) && holds(&hook["objectSelector"], &pod);
        self.0.iter().filter(called).count()
    }
}

fn holds(selector: &Value, labels: &Map<String, Value>) -> bool {
    selector["matchExpressions"].as_array().unwrap().iter().all(|requirement| {
        let value = labels.get(requirement["key"].as_str().unwrap());
        let listed = || value.is_some_and(|value| requirement["values"].as_array().unwrap().contains(value));
        match requirement["operator"].as_str().unwrap() {
            "In" => listed(),
            "NotIn" => !listed(),
            "DoesNotExist" => value.is_none(),
            other => panic!("{other} is not read here"),
        }
    })
}

#[test]
fn who_asks_for_a_proxy_and_who_does_not() {
    let meshes = Injectors::of(json!({"tags": ["prod"]}));
    let canary = Injectors::of(json!({"revision": "canary"}));
    let (enabled, disabled) = (("istio-injection", "enabled"), ("istio-injection", "disabled"));
    let (yes, no) = (("sidecar.istio.io/inject", "true"), ("sidecar.istio.io/inject", "false"));
    let rev = |name: &'static str| ("istio.io/rev", name);
    // The namespace's word.
    assert_eq!(meshes.calls(&[enabled], &[]), 1);
    assert_eq!(meshes.calls(&[disabled], &[]), 0);
    assert_eq!(meshes.calls(&[], &[]), 0);
    assert_eq!(meshes.calls(&[rev("default")], &[]), 1);
    assert_eq!(meshes.calls(&[rev("prod")], &[]), 1);
    assert_eq!((meshes.calls(&[rev("canary")], &[]), canary.calls(&[rev("canary")], &[])), (0, 1));
    // istio-injection goes before a revision.
    let both = [enabled, rev("canary")];
    assert_eq!((meshes.calls(&both, &[]), canary.calls(&both, &[])), (1, 0));
    assert_eq!(meshes.calls(&[disabled], &[yes]), 0);
    // The pod's word.
    assert_eq!(meshes.calls(&[enabled], &[no]), 0);
    assert_eq!((meshes.calls(&[], &[yes]), canary.calls(&[], &[yes])), (1, 0));
    assert_eq!((meshes.calls(&[], &[rev("canary")]), canary.calls(&[], &[rev("canary")])), (0, 1));
    // A namespace's revision goes before a pod's.
    assert_eq!(canary.calls(&[rev("default")], &[rev("canary")]), 0);
    // Never, whatever it says.
    for name in ["kube-system", "kube-public", "kube-node-lease", "weft-system"] {
        assert_eq!(meshes.calls(&[enabled, ("kubernetes.io/metadata.name", name)], &[]), 0, "{name}");
    }
}
