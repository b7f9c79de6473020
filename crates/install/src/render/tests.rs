mod console;

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::{Value, json};

use super::*;
use crate::Capabilities;

fn input(spec: Value) -> MeshInput {
    let mesh = json!({"apiVersion": "weft.dev/v1alpha1", "kind": "Mesh",
        "metadata": {"name": "weft", "uid": "b5d0f7a2-0000-4000-8000-000000000000"}, "spec": spec});
    let mut input = MeshInput::from_json(&mesh, "weft-system", Capabilities::default()).unwrap();
    input.ca_bundle = Some("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n".into());
    input
}

fn find<'v>(objects: &'v [Value], kind: &str, name: &str) -> Option<&'v Value> {
    objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
}

/// Compares with a file of `testdata`, or writes it where `WEFT_BLESS` is set.
fn golden(name: &str, objects: &[Value]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
    // The version is every release's own.
    let text = format!("{:#}\n", json!(objects)).replace(crate::VERSION, "VERSION");
    if std::env::var_os("WEFT_BLESS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        text == expected,
        "{name} differs from what is rendered: look at `WEFT_BLESS=1 cargo test -p weft-install`"
    );
}

#[test]
fn profiles_come_out_as_reviewed() {
    golden("minimal.json", &render(&input(json!({"profile": "minimal"}))).unwrap());
    golden("default.json", &render(&input(json!({}))).unwrap());
    golden("demo.json", &render(&input(json!({"profile": "demo"}))).unwrap());
    let remote = json!({"profile": "remote", "remote": {"controlPlane": "mesh.example.org", "cluster": "west"}});
    golden("remote.json", &render(&input(remote)).unwrap());
    let mut everything = input(json!({
        "revision": "v2",
        "tags": ["prod", "default"],
        "image": {"hub": "registry.example.org/weft/", "tag": "t", "pullPolicy": "Always", "pullSecrets": ["registry"]},
        "meshConfig": {"trustDomain": "example.org", "accessLogFile": "/dev/stdout", "defaultConfig": {"concurrency": 1}},
        "components": {
            "controlPlane": {"autoscaling": {"minReplicas": 2, "maxReplicas": 5}, "env": {"WEFT_LOG": "debug"}},
            "ingressGateway": {
                "replicas": 3, "serviceType": "NodePort", "serviceAnnotations": {"cloud/lb": "internal"},
                "servicePorts": [{"name": "tcp-db", "port": 5432, "nodePort": 30432}],
                "nodeSelector": {"edge": "true"}, "tolerations": [{"key": "edge", "operator": "Exists"}],
                "podAnnotations": {"a": "b", "prometheus.io/port": "1"}, "podLabels": {"team": "edge"},
                "priorityClassName": "high", "resources": {"requests": {"memory": "2Gi"}},
            },
            "console": {"enabled": false},
        },
    }));
    everything.capabilities.pod_monitor = true;
    everything.ready = true;
    golden("overrides.json", &render(&everything).unwrap());
}

#[test]
fn every_object_has_its_labels_and_owner_and_comes_in_order() {
    let objects = render(&input(json!({}))).unwrap();
    let mut seen = BTreeSet::new();
    for object in &objects {
        let labels = &object["metadata"]["labels"];
        assert_eq!(labels["weft.dev/mesh"], "weft", "{object}");
        assert_eq!(labels["istio.io/rev"], "default");
        assert_eq!(object["metadata"]["ownerReferences"][0]["kind"], "Mesh");
        let key = (object["kind"].to_string(), object["metadata"]["name"].to_string());
        assert!(seen.insert(key), "rendered twice: {object}");
    }
    assert!(objects.is_sorted_by_key(rank));
    assert_eq!(objects.last().unwrap()["kind"], "ValidatingWebhookConfiguration");
}

#[test]
fn pods_are_restricted_spread_and_prioritized() {
    let objects = render(&input(json!({}))).unwrap();
    let class = find(&objects, "PriorityClass", "weft-priority").unwrap();
    assert_eq!(class["preemptionPolicy"], "Never", "an application is not evicted for a second control plane");
    for deployment in objects.iter().filter(|object| object["kind"] == "Deployment") {
        let pod = &deployment["spec"]["template"]["spec"];
        assert_eq!(pod["topologySpreadConstraints"][0]["whenUnsatisfiable"], "ScheduleAnyway");
        assert_eq!(pod["topologySpreadConstraints"][0]["topologyKey"], "topology.kubernetes.io/zone");
        assert!(pod["affinity"]["podAntiAffinity"].is_object());
        assert_eq!(pod["priorityClassName"], "weft-priority");
        for container in pod["containers"].as_array().unwrap() {
            let security = &container["securityContext"];
            assert_eq!(security["runAsNonRoot"], true);
            assert_eq!(security["capabilities"], json!({"drop": ["ALL"]}));
            assert_eq!(security["allowPrivilegeEscalation"], false);
            assert_eq!(security["readOnlyRootFilesystem"], true);
            assert_eq!(security["seccompProfile"]["type"], "RuntimeDefault");
            assert!(container["resources"]["requests"]["memory"].is_string());
        }
        let selector = deployment["spec"]["selector"]["matchLabels"].as_object().unwrap();
        let labels = &deployment["spec"]["template"]["metadata"]["labels"];
        assert!(selector.iter().all(|(key, value)| labels[key] == *value));
    }
    assert_eq!(find(&objects, "Deployment", "weft-control-plane").unwrap()["spec"]["replicas"], 3);
    assert!(find(&objects, "PodDisruptionBudget", "weft-control-plane").is_some());
    assert!(find(&objects, "PodDisruptionBudget", "weft-console").is_none());
}

#[test]
fn only_the_rights_of_the_operator_are_granted() {
    let allowed = rbac::operator();
    let mut namespaced = allowed.clone();
    namespaced.extend(rbac::operator_namespace());
    let covers = |have: &[rbac::Rule], want: &rbac::Rule| {
        want.groups.iter().all(|group| {
            want.resources.iter().all(|resource| {
                want.verbs.iter().all(|verb| {
                    have.iter().any(|rule| {
                        rule.groups.contains(group)
                            && rule.resources.contains(resource)
                            && rule.verbs.contains(verb)
                            && (rule.names.is_empty() || rule.names == want.names)
                    })
                })
            })
        })
    };
    for rule in rbac::control_plane().iter().chain(&rbac::console(true)) {
        assert!(covers(&allowed, rule), "{rule:?}");
    }
    for rule in rbac::control_plane_namespace() {
        assert!(covers(&namespaced, &rule), "{rule:?}");
    }
    // The console reads and nothing else; the control plane writes nothing that stays.
    assert!(
        rbac::console(false).iter().all(|rule| rule.verbs.iter().all(|verb| ["get", "list", "watch"].contains(verb)))
    );
    assert!(!rbac::console(false).iter().any(|rule| rule.resources.contains(&"secrets")));
    for rule in rbac::control_plane() {
        let writes = rule.verbs.iter().any(|verb| !["get", "list", "watch"].contains(verb));
        assert!(!writes || rule.resources.iter().all(|resource| resource.ends_with("reviews")), "{rule:?}");
    }
}

#[test]
fn webhooks_never_select_what_a_cluster_needs_to_come_up() {
    let objects = render(&input(json!({"tags": ["prod"]}))).unwrap();
    let injectors: Vec<_> = objects.iter().filter(|object| object["kind"] == "MutatingWebhookConfiguration").collect();
    assert_eq!(injectors.len(), 2);
    assert_eq!(injectors[1]["metadata"]["name"], "weft-revision-tag-prod");
    for webhook in injectors.iter().flat_map(|object| object["webhooks"].as_array().unwrap()) {
        let requirements = webhook["namespaceSelector"]["matchExpressions"].as_array().unwrap();
        let never = requirements.iter().find(|r| r["key"] == "kubernetes.io/metadata.name").unwrap();
        assert_eq!(never["values"], json!(["kube-system", "kube-public", "kube-node-lease", "weft-system"]));
    }
    let validator = find(&objects, "ValidatingWebhookConfiguration", "weft-validator").unwrap();
    assert_eq!(validator["webhooks"][0]["failurePolicy"], "Ignore");
    let mut ready = input(json!({}));
    ready.ready = true;
    let objects = render(&ready).unwrap();
    let validator = find(&objects, "ValidatingWebhookConfiguration", "weft-validator").unwrap();
    assert_eq!(validator["webhooks"][1]["failurePolicy"], "Fail");
    assert_eq!(validator["webhooks"][2]["failurePolicy"], "Ignore", "a Mesh can always be repaired");
    ready.ca_bundle = None;
    assert!(!render(&ready).unwrap().iter().any(|object| object["kind"].as_str().unwrap().ends_with("Configuration")));
}

#[test]
fn only_what_asks_for_credentials_is_exposed() {
    let exposed = json!({"serviceType": "NodePort", "serviceAnnotations": {"cloud/lb": "internal"}});
    let objects = render(&input(json!({"revision": "v2", "components": {"controlPlane": exposed}}))).unwrap();
    let of = |name: &str| {
        let service = find(&objects, "Service", name).unwrap();
        let ports = service["spec"]["ports"].as_array().unwrap();
        let ports: Vec<_> = ports.iter().map(|port| port["port"].as_u64().unwrap()).collect();
        (service["spec"]["type"].as_str().unwrap(), ports, service["metadata"]["annotations"].clone())
    };
    assert_eq!(of("weft-control-plane-v2"), ("ClusterIP", vec![15012, 15014, 443], Value::Null));
    let external = ("NodePort", vec![15012], json!({"cloud/lb": "internal"}));
    assert_eq!(of("weft-external-xds-v2"), external);
    let objects = render(&input(json!({}))).unwrap();
    assert!(find(&objects, "Service", "weft-external-xds").is_none());
}

#[test]
fn every_revision_validates_what_it_reads() {
    let selectors = |spec: Value| {
        let objects = render(&input(spec)).unwrap();
        let found = objects.iter().find(|object| object["kind"] == "ValidatingWebhookConfiguration").unwrap();
        let webhooks = found["webhooks"].as_array().unwrap();
        webhooks.iter().map(|webhook| webhook["objectSelector"].clone()).collect::<Vec<_>>()
    };
    let expected = |revisions: &[&str]| {
        let own = json!([{"key": "istio.io/rev", "operator": "In", "values": revisions}]);
        let none = json!([{"key": "istio.io/rev", "operator": "DoesNotExist"}]);
        vec![json!({"matchExpressions": own}), json!({"matchExpressions": none}), json!({})]
    };
    assert_eq!(selectors(json!({})), expected(&["default"]));
    // One that is not the default revision may be the only one.
    assert_eq!(selectors(json!({"revision": "v2", "tags": ["prod"]})), expected(&["v2", "prod"]));
}

#[test]
fn impossible_meshes_are_refused_with_every_reason() {
    let mesh = json!({"apiVersion": "weft.dev/v1alpha1", "kind": "Mesh", "metadata": {"name": "weft"}, "spec": {
        "components": {"ingressGatway": {}, "controlPlane": {"replicas": 0}}}});
    let error = MeshInput::from_json(&mesh, "weft-system", Capabilities::default()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("spec.components.controlPlane.replicas: at least one replica runs"), "{text}");
    assert!(text.contains("did you mean \"ingressGateway\"?"), "{text}");
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": []}});
    assert!(
        MeshInput::from_json(&service, "", Capabilities::default()).unwrap_err().to_string().contains("is no Mesh")
    );
}

#[test]
fn sign_in_opens_the_console_and_gives_it_one_right_more() {
    let sign_in = json!({
        "publicUrl": "https://weft.example.org", "trustedProxies": ["10.1.0.0/16", "fd00::/8"], "impersonate": true,
        "forwardedForFrom": ["10.2.0.0/16", "fd01::/16"],
        "oidc": {
            "issuer": "https://id.example.org", "clientId": "weft", "clientSecret": {"name": "weft-oidc", "key": "secret"},
            "ca": {"name": "id-ca", "key": "ca.crt"}, "scopes": ["email", "groups"], "groupsPrefix": "oidc:",
        },
    });
    let objects = render(&input(json!({"signIn": sign_in}))).unwrap();
    let pod = &find(&objects, "Deployment", "weft-console").unwrap()["spec"]["template"]["spec"];
    let environment = pod["containers"][0]["env"].as_array().unwrap();
    let value =
        |name: &str| environment.iter().find(|env| env["name"] == name).map_or(&Value::Null, |env| &env["value"]);
    for (name, expected) in [
        ("WEFT_LISTEN", "[::]:20001"),
        ("WEFT_OTLP_LISTEN", "[::]:4318"),
        ("WEFT_PUBLIC_URL", "https://weft.example.org"),
        ("WEFT_TRUSTED_PROXIES", "10.1.0.0/16,fd00::/8"),
        ("WEFT_FORWARDED_FOR_FROM", "10.2.0.0/16,fd01::/16"),
        ("WEFT_IMPERSONATE", "true"),
        ("WEFT_OIDC_CLIENT_SECRET_FILE", "/etc/weft/oidc-secret/secret"),
        ("WEFT_OIDC_CA_FILE", "/etc/weft/oidc-ca/ca.crt"),
        ("WEFT_OIDC_SCOPES", "email,groups"),
        ("WEFT_OIDC_GROUPS_PREFIX", "oidc:"),
    ] {
        assert_eq!(value(name), expected, "{name}");
    }
    assert_eq!((value("WEFT_ANONYMOUS"), value("WEFT_OIDC_USERNAME_CLAIM")), (&Value::Null, &Value::Null));
    // Spans come in apart from people, by a Service that no override leads out of the cluster.
    let opened = json!({"signIn": {"anonymous": true}, "components": {"console": {"serviceType": "LoadBalancer"}}});
    let opened = render(&input(opened)).unwrap();
    let page = find(&opened, "Service", "weft-console").unwrap();
    let spans = find(&opened, "Service", "weft-console-otlp").unwrap();
    assert_eq!((&page["spec"]["type"], &spans["spec"]["type"]), (&json!("LoadBalancer"), &json!("ClusterIP")));
    assert_eq!(
        (page["spec"]["ports"].as_array().unwrap().len(), &spans["spec"]["ports"][0]["port"]),
        (1, &json!(4318))
    );
    assert!(find(&render(&input(json!({}))).unwrap(), "Service", "weft-console-otlp").is_none());
    let volumes = pod["volumes"].to_string();
    assert!(volumes.contains("\"secretName\":\"weft-oidc\"") && volumes.contains("\"name\":\"id-ca\""), "{volumes}");
    assert_eq!(pod["containers"][0]["volumeMounts"].as_array().unwrap().len(), 4);
    // The right to impersonate is the administrator's to give.
    let rules = |objects: &[Value]| find(objects, "ClusterRole", "weft-console").unwrap()["rules"].to_string();
    assert!(rules(&objects).contains("subjectaccessreviews") && !rules(&objects).contains("impersonate"));
    assert!(!rules(&render(&input(json!({}))).unwrap()).contains("subjectaccessreviews"));
}

#[test]
fn the_gateways_spans_go_where_all_others_do() {
    let provider = json!({"name": "zipkin", "zipkin": {"service": "zipkin.obs.svc", "port": 9411}});
    let objects = render(&input(json!({"meshConfig": {"extensionProviders": [provider]}}))).unwrap();
    let gateway = find(&objects, "Deployment", "weft-ingressgateway").unwrap();
    let environment = gateway["spec"]["template"]["spec"]["containers"][0]["env"].as_array().unwrap();
    let told = json!({"name": "WEFT_ZIPKIN_ENDPOINT", "value": "http://zipkin.obs.svc:9411/api/v2/spans"});
    assert!(environment.contains(&told), "{environment:#?}");

    let own = json!({"ingressGateway": {"env": {"WEFT_OTLP_ENDPOINT": "http://mine:4318"}}});
    let config = json!({"extensionProviders": [{"zipkin": {"service": "zipkin.obs.svc", "port": 9411}}]});
    let objects = render(&input(json!({"meshConfig": config, "components": own}))).unwrap();
    let gateway = find(&objects, "Deployment", "weft-ingressgateway").unwrap().to_string();
    assert!(gateway.contains("http://mine:4318") && !gateway.contains("WEFT_ZIPKIN_ENDPOINT"), "{gateway}");
}

#[test]
fn the_console_knows_what_its_cluster_is_called() {
    let value = |spec: Value| {
        let objects = render(&input(spec)).unwrap();
        let deployment = find(&objects, "Deployment", "weft-console").unwrap();
        let environment = deployment["spec"]["template"]["spec"]["containers"][0]["env"].as_array().unwrap();
        let named: Vec<Value> = environment.iter().filter(|env| env["name"] == "WEFT_CLUSTER_ID").cloned().collect();
        named.iter().map(|env| env["value"].clone()).collect::<Vec<_>>()
    };
    let remote = |console: Value| {
        let remote = json!({"controlPlane": "mesh.example.org", "cluster": "west"});
        value(json!({"profile": "remote", "remote": remote, "components": {"console": console}}))
    };
    assert_eq!(value(json!({})), Vec::<Value>::new(), "it takes the default by itself");
    assert_eq!(remote(json!({"enabled": true})), [json!("west")]);
    assert_eq!(remote(json!({"enabled": true, "env": {"WEFT_CLUSTER_ID": "east"}})), [json!("east")]);
}

#[test]
fn the_console_gets_the_token_for_its_trace_store_as_a_file() {
    let console = json!({
        "env": {"WEFT_TRACE_SOURCE": "tempo", "WEFT_TRACE_URL": "http://tempo.observability.svc:3200"},
        "traceToken": {"name": "tempo-reader", "key": "token"},
    });
    let objects = render(&input(json!({"components": {"console": console}}))).unwrap();
    let deployment = find(&objects, "Deployment", "weft-console").unwrap();
    let pod = &deployment["spec"]["template"]["spec"];
    let named = |list: &Value, name: &str| -> Value {
        list.as_array().unwrap().iter().find(|one| one["name"] == name).cloned().unwrap_or_default()
    };
    assert_eq!(
        named(&pod["volumes"], "trace-token")["secret"],
        json!({"secretName": "tempo-reader", "items": [{"key": "token", "path": "token"}], "defaultMode": 0o440, "optional": true})
    );
    let container = &pod["containers"][0];
    // As a directory: a single file that is mounted is never renewed.
    assert_eq!(
        named(&container["volumeMounts"], "trace-token"),
        json!({"name": "trace-token", "mountPath": "/etc/weft/trace-token", "readOnly": true})
    );
    assert_eq!(named(&container["env"], "WEFT_TRACE_TOKEN_FILE")["value"], "/etc/weft/trace-token/token");
    assert_eq!(named(&container["env"], "WEFT_TRACE_SOURCE")["value"], "tempo");
    // The console itself may read no Secret.
    let rules = find(&objects, "ClusterRole", "weft-console").unwrap()["rules"].to_string();
    assert!(!rules.contains("\"secrets\""), "{rules}");
    let without = render(&input(json!({}))).unwrap();
    assert!(!find(&without, "Deployment", "weft-console").unwrap().to_string().contains("trace-token"));
}
