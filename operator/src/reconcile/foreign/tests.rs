use serde_json::json;

use super::*;
use crate::reconcile::fake::FakeApi;

const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/weft-system/deployments/weft-control-plane";

/// What is applied.
fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "weft-control-plane", "namespace": "weft-system"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"serviceAccountName": "weft-control-plane", "volumes": [], "containers": [{
                "name": "control-plane", "image": "weft/operator:1", "args": ["serve"],
                "env": [
                    {"name": "WEFT_NAMESPACE", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}},
                    {"name": "WEFT_REVISION", "value": "default"},
                ],
                "ports": [{"name": "grpc-xds", "containerPort": 15012, "protocol": "TCP"}],
                "readinessProbe": {"httpGet": {"path": "/healthz/ready", "port": 15014, "scheme": "HTTP"}},
                "securityContext": {"capabilities": {"drop": ["ALL"]}, "runAsNonRoot": true},
            }]},
        }},
    })
}

/// What the API server makes of it: defaults, the autoscaler's replicas, a restart, a policy's toleration.
fn answered() -> Value {
    let mut answer = deployment();
    answer["metadata"]["resourceVersion"] = "41".into();
    answer["metadata"]["annotations"] = json!({"deployment.kubernetes.io/revision": "3"});
    answer["metadata"]["managedFields"] = json!([{
        "manager": "weft-operator", "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"control-plane\"}": {".": {}}}}}}},
    }]);
    answer["status"] = json!({"replicas": 3});
    let spec = &mut answer["spec"];
    for (key, value) in [("replicas", json!(4)), ("progressDeadlineSeconds", json!(600))] {
        spec[key] = value;
    }
    let template = &mut spec["template"];
    template["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"});
    let pod = &mut template["spec"];
    for (key, value) in [
        ("restartPolicy", json!("Always")),
        ("dnsPolicy", json!("ClusterFirst")),
        ("schedulerName", json!("default-scheduler")),
        ("serviceAccount", json!("weft-control-plane")),
        ("tolerations", json!([{"key": "arch", "operator": "Exists"}])),
        ("securityContext", json!({})),
    ] {
        pod[key] = value;
    }
    if let Some(fields) = pod.as_object_mut() {
        // An empty list is not stored.
        fields.remove("volumes");
    }
    let container = &mut pod["containers"][0];
    container["terminationMessagePath"] = "/dev/termination-log".into();
    container["resources"] = json!({});
    container["readinessProbe"]["successThreshold"] = 1.into();
    answer
}

fn places(wanted: &Value, found: &mut Value) -> Vec<String> {
    take_away(wanted, found).iter().map(|place| place.as_str().to_owned()).collect()
}

#[test]
fn what_others_rightly_add_stays() {
    let mut found = answered();
    assert_eq!(places(&deployment(), &mut found), Vec::<String>::new());
    assert_eq!(found, answered());
}

#[test]
fn what_decides_what_runs_goes() {
    let mut found = answered();
    let pod = &mut found["spec"]["template"]["spec"];
    pod["hostNetwork"] = true.into();
    pod["volumes"] = json!([{"name": "host", "hostPath": {"path": "/", "type": ""}}]);
    pod["initContainers"] = json!([{"name": "first", "image": "x"}]);
    let container = &mut pod["containers"][0];
    container["command"] = json!(["sh"]);
    container["envFrom"] = json!([{"configMapRef": {"name": "x"}}]);
    container["ports"][0]["hostPort"] = 15012.into();
    container["securityContext"]["capabilities"]["add"] = json!(["NET_ADMIN"]);
    container["volumeMounts"] = json!([{"name": "host", "mountPath": "/host"}]);
    if let Some(env) = container["env"].as_array_mut() {
        env.insert(0, json!({"name": "WEFT_CERT_TTL", "value": "1m"}));
        env.push(json!({"name": "WEFT_REVISION", "value": "twice"}));
    }
    if let Some(containers) = pod["containers"].as_array_mut() {
        containers.insert(0, json!({"name": "spy", "image": "x", "env": [{"name": "A", "value": "b"}]}));
    }
    let gone = places(&deployment(), &mut found);
    let mut expected = answered();
    expected["spec"]["template"]["spec"]["volumes"] = json!([]);
    assert_eq!(found, expected);
    let pod = "spec.template.spec";
    let own = format!("{pod}.containers[control-plane]");
    let expected = [
        format!("{pod}.containers[spy]"),
        format!("{pod}.initContainers"),
        format!("{pod}.volumes[host]"),
        format!("{pod}.hostNetwork"),
        format!("{own}.command"),
        format!("{own}.env[WEFT_CERT_TTL]"),
        format!("{own}.env[WEFT_REVISION]"),
        format!("{own}.envFrom"),
        format!("{own}.ports[15012/TCP].hostPort"),
        format!("{own}.volumeMounts"),
        format!("{own}.securityContext.capabilities.add"),
    ];
    assert_eq!(gone, expected);
}

#[test]
fn who_is_asked_is_ours_to_say() {
    let selector = json!({"matchExpressions": [{"key": "weft.dev/inject", "operator": "Exists"}]});
    let webhook =
        |name: &str| json!({"name": name, "clientConfig": {"caBundle": "QQ=="}, "namespaceSelector": selector.clone()});
    let configuration = |names: &[&str]| {
        let webhooks: Vec<Value> = names.iter().map(|name| webhook(name)).collect();
        json!({"kind": "MutatingWebhookConfiguration", "metadata": {"name": "weft-sidecar-injector"}, "webhooks": webhooks})
    };
    let wanted = configuration(&["a.weft.dev", "b.weft.dev"]);
    let mut found = configuration(&["a.weft.dev", "b.weft.dev", "evil.x.y"]);
    // Defaults, and a condition that lets nobody in.
    found["webhooks"][0]["objectSelector"] = json!({});
    found["webhooks"][1]["matchConditions"] = json!([{"name": "never", "expression": "false"}]);
    found["webhooks"][1]["matchPolicy"] = "Equivalent".into();
    found["webhooks"][1]["namespaceSelector"]["matchLabels"] = json!({"nobody": "here"});
    // Where nothing is said of objects, a cluster's own programs may.
    found["webhooks"][1]["objectSelector"] = json!({"matchLabels": {"control-plane": "true"}});
    let label = "webhooks[b.weft.dev].namespaceSelector.matchLabels";
    assert_eq!(places(&wanted, &mut found), ["webhooks[evil.x.y]", "webhooks[b.weft.dev].matchConditions", label]);
    assert_eq!(found["webhooks"][1]["objectSelector"]["matchLabels"]["control-plane"], "true");
    assert_eq!(found["webhooks"].as_array().map(Vec::len), Some(2));
    assert_eq!(found["webhooks"][1]["matchPolicy"], "Equivalent");

    let port = |port: u16, node: Option<u16>| {
        let mut port = json!({"name": format!("p{port}"), "port": port, "targetPort": port, "protocol": "TCP"});
        if let Some(node) = node {
            port["nodePort"] = node.into();
        }
        port
    };
    let wanted = json!({"kind": "Service", "spec": {"type": "NodePort", "ports": [port(80, None), port(443, None)]}});
    let mut found = json!({"kind": "Service", "spec": {"type": "NodePort", "clusterIP": "10.0.0.1",
        "externalIPs": ["192.0.2.1"], "ports": [port(80, Some(30_080)), port(443, Some(30_443)), port(9999, Some(30_999))]}});
    assert_eq!(places(&wanted, &mut found), ["spec.ports[9999/TCP]"]);
    assert_eq!(found["spec"]["ports"], json!([port(80, Some(30_080)), port(443, Some(30_443))]));

    let role = json!({"kind": "ClusterRole", "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]});
    let mut found = role.clone();
    found["aggregationRule"] = json!({"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]});
    assert_eq!((places(&role, &mut found), &found), (vec!["aggregationRule".to_owned()], &role));

    let map = json!({"kind": "ConfigMap", "data": {"mesh": "{}"}});
    let mut found = json!({"kind": "ConfigMap", "data": {"mesh": "{}", "more": "x"}, "binaryData": {"b": "QQ=="}});
    assert_eq!(places(&map, &mut found), ["data.more", "binaryData.b"]);
}

fn object(value: Value) -> DynamicObject {
    serde_json::from_value(value).unwrap()
}

/// [`answered`] with a variable that `kubectl set env` added.
fn set() -> Value {
    let mut found = answered();
    if let Some(env) = found["spec"]["template"]["spec"]["containers"][0]["env"].as_array_mut() {
        env.push(json!({"name": "FOO", "value": "bar"}));
    }
    let variables = json!({"k:{\"name\":\"FOO\"}": {".": {}, "f:name": {}, "f:value": {}}});
    let containers = json!({"k:{\"name\":\"control-plane\"}": {"f:env": variables}});
    let written = |manager: &str, spec: Value| {
        json!({"manager": manager, "operation": "Update", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
            "fieldsV1": {"f:spec": {"f:template": spec}}})
    };
    if let Some(managed) = found["metadata"]["managedFields"].as_array_mut() {
        managed.push(written("kubectl-set", json!({"f:spec": {"f:containers": containers}})));
        managed.push(written("kubectl-rollout", json!({"f:metadata": {"f:annotations": {}}})));
    }
    found
}

#[tokio::test]
async fn an_addition_is_taken_away_and_its_writer_named() {
    let api = FakeApi::default();
    api.answer(&format!("PUT {DEPLOYMENT}"), answered());
    let cluster = Cluster { client: api.client() };
    let corrections = Corrections::default();
    let correct = async |found: Value| cluster.correct(&corrections, &deployment(), object(found)).await.unwrap();
    assert_eq!(correct(answered()).await, None);
    assert!(api.asked(&format!("PUT {DEPLOYMENT}")).is_empty(), "what is well is not written");
    let Some(Drift::Corrected { field, words }) = correct(set()).await else { panic!("it stays") };
    assert_eq!(field, "spec.template.spec.containers[control-plane].env[FOO]");
    assert_eq!(
        words,
        "Deployment weft-system/weft-control-plane has what the Mesh does not say: \
         spec.template.spec.containers[control-plane].env[FOO] (written by kubectl-set); taken away"
    );
    let written = api.asked(&format!("PUT {DEPLOYMENT}")).remove(0);
    assert_eq!(written["metadata"]["resourceVersion"], "41", "a newer object is not overwritten");
    assert_eq!(written["spec"], answered()["spec"]);
}

#[tokio::test]
async fn nobody_is_fought_for_ever() {
    let api = FakeApi::default();
    api.answer(&format!("PUT {DEPLOYMENT}"), answered());
    let cluster = Cluster { client: api.client() };
    let corrections = Corrections::default();
    let correct = async || cluster.correct(&corrections, &deployment(), object(set())).await.unwrap().unwrap();
    for _ in 0..TRIES {
        assert!(matches!(correct().await, Drift::Corrected { .. }));
    }
    let Drift::Stays(words) = correct().await else { panic!("it goes") };
    assert!(words.contains("kubectl-set") && words.contains("comes back each time"), "{words}");
    assert!(words.contains("left alone until 2") && words.ends_with("or say it in the Mesh"), "{words}");
    assert_eq!(api.asked(&format!("PUT {DEPLOYMENT}")).len(), TRIES);
}

#[test]
fn whoever_never_stops_is_tried_ever_more_rarely() {
    let (corrections, name, mut now) = (Corrections::default(), Name::of(&deployment()), Instant::now());
    for _ in 0..TRIES {
        assert_eq!(corrections.may(&name, now), Ok(()));
    }
    for minutes in [10, 60, 360, 24 * 60, 24 * 60] {
        let pause = Duration::from_secs(minutes * 60);
        let until = corrections.may(&name, now).unwrap_err();
        let about = until - (OffsetDateTime::now_utc() + pause);
        assert!(about.abs() < Duration::from_secs(60), "{until}");
        let almost = pause.saturating_sub(Duration::from_secs(1));
        assert_eq!(corrections.may(&name, now + almost), Err(until), "what is told does not change meanwhile");
        now += pause;
        assert_eq!(corrections.may(&name, now), Ok(()), "once after {minutes} minutes");
    }
    now += LONGEST * 2;
    for _ in 0..TRIES {
        assert_eq!(corrections.may(&name, now), Ok(()), "it was over, and is another matter");
    }
    assert!(corrections.may(&name, now).is_err());
}

#[tokio::test]
async fn what_a_policy_adds_in_the_same_moment_is_told_as_that() {
    let api = FakeApi::default();
    api.answer(&format!("PUT {DEPLOYMENT}"), set());
    let cluster = Cluster { client: api.client() };
    let stays = cluster.correct(&Corrections::default(), &deployment(), object(set())).await.unwrap();
    let Some(Drift::Stays(words)) = stays else { panic!("{stays:?}") };
    assert!(words.contains("admission webhook"), "{words}");
    // Who wrote meanwhile is not overwritten: what is there then is looked at.
    api.refuse(&format!("PUT {DEPLOYMENT}"), 409);
    api.answer(&format!("PATCH {DEPLOYMENT}"), answered());
    let gone = cluster.correct(&Corrections::default(), &deployment(), object(set())).await.unwrap();
    assert_eq!((gone, api.asked(&format!("PUT {DEPLOYMENT}")).len()), (None, 2));
    api.refuse(&format!("PUT {DEPLOYMENT}"), 403);
    let refused = cluster.correct(&Corrections::default(), &deployment(), object(set())).await.unwrap();
    let Some(Drift::Stays(words)) = refused else { panic!("{refused:?}") };
    assert!(words.contains("words of the server"), "{words}");
}

/// `kubectl set env --from` makes a reference of a value, and somebody may put another volume under a name of ours: applying
/// would then say both, which no API server takes.
#[tokio::test]
async fn what_keeps_an_object_from_being_applied_is_put_right() {
    let mut wanted = deployment();
    wanted["spec"]["template"]["spec"]["volumes"] = json!([{"name": "data", "emptyDir": {}}]);
    let mut live = answered();
    let pod = &mut live["spec"]["template"]["spec"];
    pod["volumes"] = json!([{"name": "data", "hostPath": {"path": "/", "type": ""}}]);
    pod["containers"][0]["readinessProbe"] = json!({"exec": {"command": ["true"]}, "periodSeconds": 10});
    pod["containers"][0]["env"][1] =
        json!({"name": "WEFT_REVISION", "valueFrom": {"configMapKeyRef": {"name": "x", "key": "y"}}});
    let api = FakeApi::default();
    api.answer(&format!("GET {DEPLOYMENT}"), live);
    api.refuse(&format!("PATCH {DEPLOYMENT}"), 422);
    let cluster = Cluster { client: api.client() };
    let corrections = Corrections::default();
    let mut additions = Vec::new();
    let refused = cluster.establish(&corrections, &wanted, &mut additions).await.unwrap_err();
    assert_eq!(refused.reason, Reason::Rejected, "here it is refused again");
    assert!(matches!(&additions[..], [Drift::Corrected { .. }]), "and what was done is told: {additions:?}");
    let written = api.asked(&format!("PUT {DEPLOYMENT}")).remove(0);
    let pod = &written["spec"]["template"]["spec"];
    assert_eq!(pod["volumes"], json!([{"name": "data", "emptyDir": {}}]));
    let mut containers = answered()["spec"]["template"]["spec"]["containers"].clone();
    containers[0]["readinessProbe"] = wanted["spec"]["template"]["spec"]["containers"][0]["readinessProbe"].clone();
    assert_eq!(pod["containers"], containers);
    assert_eq!(api.asked(&format!("PATCH {DEPLOYMENT}")).len(), 2, "it is applied once more");
    // A refusal of another cause is told as it is.
    api.answer(&format!("GET {DEPLOYMENT}"), answered());
    let refused = cluster.establish(&corrections, &deployment(), &mut additions).await.unwrap_err();
    assert!(refused.message.contains("words of the server"), "{refused}");
    assert_eq!(api.asked(&format!("PUT {DEPLOYMENT}")).len(), 1);
    // Who wrote meanwhile takes no try away.
    api.answer(&format!("GET {DEPLOYMENT}"), set());
    api.refuse(&format!("PUT {DEPLOYMENT}"), 409);
    for _ in 0..TRIES - 1 {
        let raced = cluster.establish(&corrections, &deployment(), &mut additions).await.unwrap_err();
        assert_eq!(raced.reason, Reason::Conflict);
    }
    let refused = cluster.establish(&corrections, &deployment(), &mut additions).await.unwrap_err();
    assert_eq!(refused.reason, Reason::Rejected);
    assert!(refused.message.contains("written by kubectl-set"), "whoever is to blame is named: {refused}");
}

fn written(manager: &str, fields: &Value) -> Value {
    json!({"manager": manager, "operation": "Update", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
        "fieldsV1": fields})
}

/// A server-side apply says nothing of what it overwrites.
#[tokio::test]
async fn what_was_changed_is_put_back_and_its_writer_named() {
    let of = |container: Value| {
        let containers = json!({"k:{\"name\":\"control-plane\"}": container});
        json!({"f:spec": {"f:template": {"f:spec": {"f:containers": containers}}}})
    };
    let mut live = answered();
    let container = &mut live["spec"]["template"]["spec"]["containers"][0];
    (container["image"], container["args"]) = ("weft/operator:evil".into(), json!(["serve", "--more"]));
    let (image, args) = (of(json!({"f:image": {}})), of(json!({"f:args": {}})));
    live["metadata"]["managedFields"] = json!([written("kubectl-edit", &image), written("kubectl-patch", &args)]);
    let api = FakeApi::default();
    api.answer(&format!("GET {DEPLOYMENT}"), live);
    api.answer(&format!("PATCH {DEPLOYMENT}"), answered());
    let (cluster, corrections) = (Cluster { client: api.client() }, Corrections::default());
    let establish = async |wanted: &Value| {
        let mut drifts = Vec::new();
        cluster.establish(&corrections, wanted, &mut drifts).await.map(|_| drifts).unwrap()
    };
    assert_eq!(establish(&deployment()).await, [], "what stood there before may be of another version of ours");
    let container = "spec.template.spec.containers[control-plane]";
    let words = format!(
        "Deployment weft-system/weft-control-plane was not as the Mesh has it: {container}.image, {container}.args \
         (written by kubectl-edit, kubectl-patch); put back"
    );
    let field = format!("{container}.image");
    assert_eq!(establish(&deployment()).await, [Drift::Corrected { field, words }]);
    // Where we changed our mind, it is nobody's doing.
    let mut other = deployment();
    other["spec"]["template"]["spec"]["containers"][0]["image"] = "weft/operator:2".into();
    assert_eq!(establish(&other).await, []);
    api.refuse(&format!("GET {DEPLOYMENT}"), 404);
    let words = "Deployment weft-system/weft-control-plane was deleted by somebody; made again".to_owned();
    assert_eq!(establish(&other).await, [Drift::Corrected { field: String::new(), words }]);
    corrections.forget(&Name::of(&other));
    assert_eq!(establish(&other).await, [], "we took it away ourselves");
}

/// Between the look and the write others may write as well: that would be put back and never told.
#[tokio::test]
async fn nothing_is_written_over_what_was_not_looked_at() {
    let api = FakeApi::default();
    api.answer(&format!("GET {DEPLOYMENT}"), answered());
    api.answer(&format!("PATCH {DEPLOYMENT}"), answered());
    let (cluster, corrections) = (Cluster { client: api.client() }, Corrections::default());
    let establish = async || cluster.establish(&corrections, &deployment(), &mut Vec::new()).await.map(drop);
    let versions = || -> Vec<Value> {
        let written = api.asked(&format!("PATCH {DEPLOYMENT}"));
        written.iter().map(|object| object["metadata"]["resourceVersion"].clone()).collect()
    };
    establish().await.unwrap();
    assert_eq!(versions(), [Value::Null], "nothing is known of before");
    establish().await.unwrap();
    assert_eq!(versions(), [Value::Null, "41".into()]);
    api.refuse(&format!("PATCH {DEPLOYMENT}"), 409);
    assert_eq!(establish().await.unwrap_err().reason, Reason::Conflict);
    let again = versions().split_off(2);
    assert_eq!(again.len(), RACES + 1, "it is looked at anew each time: {again:?}");
    assert_eq!(again.last(), Some(&Value::Null), "and whoever writes all the time stops nobody");
}

#[test]
fn what_is_of_one_piece_is_told_as_that() {
    let told = |wanted: &Value, before: &Value| {
        let places = fields::changed(wanted, before, wanted);
        places.iter().map(|place| place.as_str().to_owned()).collect::<Vec<_>>()
    };
    let role = |names: &[&str]| {
        let subjects: Vec<_> = names.iter().map(|name| json!({"kind": "ServiceAccount", "name": name})).collect();
        json!({"kind": "RoleBinding", "metadata": {"name": "a"}, "subjects": subjects})
    };
    assert_eq!(told(&role(&["good"]), &role(&["good", "evil"])), ["subjects"]);
    assert_eq!(told(&role(&["good"]), &role(&["evil"])), ["subjects"]);
    assert_eq!(told(&role(&["good"]), &role(&["good"])), Vec::<String>::new());
    let webhooks = |webhooks: Value| json!({"kind": "ValidatingWebhookConfiguration", "webhooks": webhooks});
    let selector = json!({"matchExpressions": [{"key": "a", "operator": "Exists"}]});
    let ours = webhooks(json!([
        {"name": "a.weft.dev", "namespaceSelector": selector, "clientConfig": {"caBundle": "QQ=="}, "failurePolicy": "Fail"},
        {"name": "b.weft.dev"},
    ]));
    let theirs = webhooks(json!([
        {"name": "a.weft.dev", "namespaceSelector": {}, "clientConfig": {"caBundle": "Qg=="}, "failurePolicy": "Ignore"},
    ]));
    let mut found = told(&ours, &theirs);
    found.sort();
    let of = |field: &str| format!("webhooks[a.weft.dev].{field}");
    let own = ["clientConfig.caBundle", "failurePolicy", "namespaceSelector.matchExpressions"].map(of);
    assert_eq!(found, [&own[..], &["webhooks[b.weft.dev]".to_owned()]].concat());
    let managed: Vec<ManagedFieldsEntry> =
        serde_json::from_value(json!([written("kubectl-edit", &json!({"f:subjects": {}}))])).unwrap();
    let places = fields::changed(&role(&["good"]), &role(&["evil"]), &role(&["good"]));
    assert_eq!(fields::writers(&managed, &places).into_iter().collect::<Vec<_>>(), ["kubectl-edit"]);
}
