use std::{collections::HashMap, sync::Arc};

use serde_json::{Value, json};
use weft_api::{Change, Object};
use weft_mesh::{Settings, Store};
use weft_model::{
    edit::Action,
    wizard::{Wizard, WizardKind},
};
use weft_source::{Draft, draft::from_yaml};

use super::{
    run,
    scene::{Document, Scene},
};

const SERVICE: &str = "apiVersion: v1
kind: Service
metadata: {name: orders, namespace: shop}
spec: {selector: {app: orders}, ports: [{name: http, port: 80, targetPort: 8080}]}
";
const RULE: &str = "apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: orders, namespace: shop}
spec:
  host: orders # ours
  trafficPolicy:
    loadBalancer: {simple: RANDOM}
    outlierDetection:
      consecutive5xxErrors: 5 # was 7
  subsets:
    - name: v1
      labels: {version: v1}
";
const ROUTES: &str = "apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: orders, namespace: shop}
spec:
  hosts: [orders]
  http:
    # Testers first.
    - name: testers
      match:
        - headers: {x-canary: {exact: \"yes\"}}
      route:
        - destination: {host: orders, subset: v1}
      headers: {request: {set: {a: b}}}
    - route:
        - destination: {host: orders, subset: v1, port: {number: 80}}
      timeout: 10s # long
";
const POLICY: &str = "apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: orders, namespace: shop}
spec:
  selector: {matchLabels: {app: orders}}
  rules:
    - from:
        - source: {principals: [cluster.local/ns/shop/sa/cart]} # the cart
    - when: [{key: source.namespace, values: [x]}]
";

fn entry(name: &str, version: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {{name: {name}, namespace: shop}}\nspec: {{address: 10.0.0.1, serviceAccount: {name}, labels: {{app: orders, version: {version}}}}}\n"
    )
}

fn mesh(documents: &[&str]) -> Vec<String> {
    let all = [SERVICE.to_owned(), entry("orders-v1", "v1"), entry("orders-v2", "v2")];
    all.into_iter().chain(documents.iter().map(|text| (*text).to_owned())).collect()
}

fn scene(documents: &[&str], kind: WizardKind, name: &str) -> Scene {
    let mut store = Store::new(Settings::default());
    let mut texts = HashMap::new();
    let mut changes = Vec::new();
    for text in mesh(documents) {
        let object = Draft::read(&text).object().cloned().unwrap_or_else(|| panic!("{text}"));
        texts.insert(object.key(), text);
        changes.push(Change::Put(object));
    }
    store.apply(changes);
    let look = Scene::look(&store.snapshot(), ("shop", name), kind.is_security(), |_| true);
    let (mut scene, wanted) = look.expect("it is there");
    let read = |object: &Arc<Object>| Document::read(object.reference.clone(), texts[&object.key()].clone()).unwrap();
    scene.routes = wanted.routes.as_ref().map(read);
    scene.rule = wanted.rule.as_ref().map(read);
    scene.peer = wanted.peer.as_ref().map(read);
    scene.policies = wanted.policies.iter().map(read).collect();
    scene
}

fn start(documents: &[&str], kind: WizardKind) -> Wizard<Value> {
    run(kind, &scene(documents, kind, "orders"), None).unwrap()
}

/// The form as it is now with changes.
fn filled(documents: &[&str], kind: WizardKind, change: impl FnOnce(&mut Value)) -> Wizard<Value> {
    let scene = scene(documents, kind, "orders");
    let mut form = run(kind, &scene, None).unwrap().form;
    change(&mut form);
    let answer = run(kind, &scene, Some(form)).unwrap();
    for step in &answer.steps {
        let draft = Draft::read(&step.edit.yaml);
        assert!(draft.is_sound(), "{:?}\n{}", draft.findings(), step.edit.yaml);
    }
    answer
}

fn yaml(answer: &Wizard<Value>) -> &str {
    assert_eq!(answer.steps.len(), 1, "{answer:#?}");
    &answer.steps[0].edit.yaml
}

fn faults(answer: &Wizard<Value>) -> Vec<String> {
    let fields = answer.parts.iter().flat_map(|part| &part.rows).flat_map(|row| &row.fields);
    fields.filter_map(|field| field.problem.clone()).chain(answer.problems.clone()).collect()
}

#[test]
fn every_form_begins_with_what_is_there_and_changes_nothing() {
    for kind in WizardKind::ALL {
        let answer = start(&[RULE, ROUTES, POLICY], kind);
        assert_eq!(answer.steps, [], "{kind:?}");
        assert_eq!(faults(&answer), Vec::<String>::new(), "{kind:?}");
        assert!(!answer.parts.is_empty());
        // What is asked stands in the form.
        for field in answer.parts.iter().flat_map(|part| &part.rows).flat_map(|row| &row.fields) {
            assert!(answer.form.pointer(&field.at).is_some(), "{kind:?}: {} is not in {}", field.at, answer.form);
        }
    }
}

#[test]
fn traffic_is_shifted_in_the_object_that_is_there_and_a_missing_subset_is_made_first() {
    let answer = filled(&[RULE, ROUTES], WizardKind::TrafficShifting, |form| {
        assert_eq!(form["route"], "1");
        assert_eq!(form["arms"][1], json!({"host": "orders", "subset": "v2", "weight": 0.0}));
        form["arms"][0]["weight"] = json!(90);
        form["arms"][1]["weight"] = json!(10);
    });
    let [rule, routes] = answer.steps.as_slice() else { panic!("{answer:#?}") };
    assert_eq!(
        rule.edit.yaml,
        RULE.replace(
            "labels: {version: v1}\n",
            "labels: {version: v1}\n    - name: v2\n      labels:\n        version: v2\n"
        )
    );
    assert_eq!(rule.edit.action, Action::Update);
    let spec = from_yaml(&routes.edit.yaml).unwrap()["spec"]["http"][1].clone();
    assert_eq!(
        spec["route"],
        json!([
            {"destination": {"host": "orders", "subset": "v1", "port": {"number": 80}}, "weight": 90},
            {"destination": {"host": "orders", "subset": "v2", "port": {"number": 80}}, "weight": 10}
        ])
    );
    assert!(routes.edit.yaml.contains("# Testers first.") && routes.edit.yaml.contains("timeout: 10s # long"));
    let sum = filled(&[RULE, ROUTES], WizardKind::TrafficShifting, |form| form["arms"][0]["weight"] = json!(90));
    assert_eq!(faults(&sum), ["The shares add up to 90; 10 are missing."]);
    assert_eq!(sum.steps, []);
    assert!(
        !faults(&filled(&[ROUTES], WizardKind::TrafficShifting, |form| form["arms"][0]["weight"] = json!(300)))
            .is_empty()
    );
}

#[test]
fn without_any_object_new_ones_are_made() {
    let answer = filled(&[], WizardKind::TrafficShifting, |form| {
        form["arms"][0]["weight"] = json!(75);
        form["arms"][1]["weight"] = json!(25);
    });
    let [rule, routes] = answer.steps.as_slice() else { panic!("{answer:#?}") };
    assert_eq!((rule.edit.action, routes.edit.action), (Action::Create, Action::Create));
    assert_eq!(rule.title, "Subsets: v1, v2");
    assert_eq!(
        routes.edit.yaml,
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: orders\n  namespace: shop\nspec:\n  hosts:\n    - orders\n  http:\n    - route:\n        - destination:\n            host: orders\n            subset: v1\n          weight: 75\n        - destination:\n            host: orders\n            subset: v2\n          weight: 25\n"
    );
}

#[test]
fn requests_are_routed_before_what_takes_all_and_others_keep_what_the_form_does_not_know() {
    let rule = json!({"conditions": [{"part": "path", "how": "prefix", "value": "/v2"}, {"part": "header", "name": "x-a", "how": "present"}], "to": "orders|v2"});
    let answer = filled(&[RULE, ROUTES], WizardKind::RequestRouting, |form| {
        assert_eq!(
            form["rules"][0]["conditions"][0],
            json!({"part": "header", "name": "x-canary", "how": "exact", "value": "yes"})
        );
        form["rules"][0]["conditions"][0]["value"] = json!("true");
        form["rules"].as_array_mut().unwrap().push(rule.clone());
    });
    assert_eq!(answer.steps.len(), 2, "v2 gets its subset first");
    let http = from_yaml(&answer.steps[1].edit.yaml).unwrap()["spec"]["http"].clone();
    assert_eq!(http[0]["match"], json!([{"headers": {"x-canary": {"exact": "true"}}}]));
    assert_eq!(http[0]["headers"], json!({"request": {"set": {"a": "b"}}}));
    assert_eq!(http[1]["match"], json!([{"uri": {"prefix": "/v2"}, "headers": {"x-a": {}}}]));
    assert_eq!(http[1]["route"], json!([{"destination": {"host": "orders", "subset": "v2"}}]));
    assert_eq!(http[2]["timeout"], "10s");
    assert!(answer.steps[1].edit.yaml.contains("# Testers first."));
    let bad = filled(&[ROUTES], WizardKind::RequestRouting, |form| {
        form["rules"] =
            json!([{"conditions": [{"part": "header", "name": "", "how": "exact", "value": ""}], "to": "orders"}]);
    });
    assert_eq!(faults(&bad), ["Write its name.", "Write what it must be."]);
}

#[test]
fn faults_and_timeouts_are_set_in_place_and_taken_away_again() {
    let answer = filled(&[ROUTES], WizardKind::Faults, |form| {
        form["delay"] = json!("500ms");
        form["delayPercent"] = json!(2.5);
    });
    let tail = "      timeout: 10s # long\n      fault:\n        delay:\n          percentage:\n            value: 2.5\n          fixedDelay: 500ms\n";
    assert_eq!(yaml(&answer), ROUTES.replace("      timeout: 10s # long\n", tail));
    let with = yaml(&answer).to_owned();
    let away = filled(&[&with], WizardKind::Faults, |form| {
        assert_eq!((form["delay"].clone(), form["delayPercent"].clone()), (json!("500ms"), json!(2.5)));
        form["delay"] = json!("");
        form["delayPercent"] = Value::Null;
    });
    assert_eq!(yaml(&away), ROUTES);
    // What is left out is as it is configured.
    let few = run(
        WizardKind::Faults,
        &scene(&[], WizardKind::Faults, "orders"),
        Some(json!({"abortStatus": 503, "abortPercent": 5})),
    );
    assert_eq!(yaml(&few.unwrap()).matches("route:").count(), 1);
    let half = filled(&[ROUTES], WizardKind::Faults, |form| form["abortStatus"] = json!(503));
    assert_eq!(faults(&half), ["Say what share of requests gets the error."]);
    let other = filled(&[ROUTES], WizardKind::Faults, |form| {
        *form = json!({"route": "0", "abortStatus": 503, "abortPercent": 50})
    });
    assert!(
        yaml(&other).contains("headers: {request: {set: {a: b}}}\n      fault:\n        abort:\n"),
        "{}",
        yaml(&other)
    );
    let times = filled(&[ROUTES], WizardKind::Timeouts, |form| {
        form["timeout"] = json!("3s");
        form["attempts"] = json!(2);
    });
    assert_eq!(
        yaml(&times),
        ROUTES.replace("timeout: 10s # long\n", "timeout: 3s # long\n      retries:\n        attempts: 2\n")
    );
    assert_eq!(faults(&filled(&[ROUTES], WizardKind::Timeouts, |form| form["timeout"] = json!("soon"))).len(), 1);
    assert_eq!(faults(&filled(&[ROUTES], WizardKind::Timeouts, |form| form["route"] = json!("7"))).len(), 1);
    assert_eq!(faults(&filled(&[ROUTES], WizardKind::Timeouts, |form| form["attempts"] = json!("x"))).len(), 1);
}

#[test]
fn circuits_are_bounded_for_all_or_for_one_subset() {
    let answer = filled(&[RULE], WizardKind::CircuitBreaking, |form| {
        assert_eq!(form["consecutiveErrors"], 5);
        form["maxConnections"] = json!(10);
        form["consecutiveErrors"] = json!(3);
    });
    let wanted = RULE.replace(
        "consecutive5xxErrors: 5 # was 7\n",
        "consecutive5xxErrors: 3 # was 7\n    connectionPool:\n      tcp:\n        maxConnections: 10\n",
    );
    assert_eq!(yaml(&answer), wanted);
    let subset =
        filled(&[RULE], WizardKind::CircuitBreaking, |form| *form = json!({"subset": "v1", "maxPendingRequests": 7}));
    let spec = from_yaml(yaml(&subset)).unwrap()["spec"].clone();
    assert_eq!(
        spec["subsets"][0]["trafficPolicy"],
        json!({"connectionPool": {"http": {"http1MaxPendingRequests": 7}}})
    );
    assert_eq!(spec["trafficPolicy"]["outlierDetection"]["consecutive5xxErrors"], 5);
    let new = filled(&[], WizardKind::CircuitBreaking, |form| form["maxConnections"] = json!(10));
    assert_eq!((new.steps[0].edit.action, yaml(&new).contains("host: orders")), (Action::Create, true));
}

#[test]
fn plaintext_is_refused_for_workloads_and_for_namespaces() {
    let answer = filled(&[], WizardKind::PeerAuthentication, |form| {
        form["mode"] = json!("STRICT");
        form["ports"] = json!([{"port": 8080, "mode": "PERMISSIVE"}]);
    });
    let spec = from_yaml(yaml(&answer)).unwrap()["spec"].clone();
    assert_eq!(
        spec,
        json!({"selector": {"matchLabels": {"app": "orders"}}, "mtls": {"mode": "STRICT"}, "portLevelMtls": {"8080": {"mode": "PERMISSIVE"}}})
    );
    let whole = run(
        WizardKind::PeerAuthentication,
        &scene(&[], WizardKind::PeerAuthentication, ""),
        Some(json!({"mode": "STRICT"})),
    );
    let value = from_yaml(yaml(&whole.unwrap())).unwrap();
    assert_eq!(
        (value["metadata"]["name"].clone(), value["spec"].clone()),
        (json!("default"), json!({"mtls": {"mode": "STRICT"}}))
    );
    let twice = filled(&[], WizardKind::PeerAuthentication, |form| {
        form["ports"] = json!([{"port": 1, "mode": "STRICT"}, {"port": 1, "mode": "STRICT"}]);
    });
    assert_eq!(faults(&twice).len(), 2);
}

#[test]
fn callers_are_let_in_and_rules_that_say_more_stay() {
    let answer = filled(&[POLICY], WizardKind::AuthorizationPolicy, |form| {
        assert_eq!(form["policy"], "orders");
        form["rules"][0]["methods"] = json!(["GET"]);
    });
    let rules = from_yaml(yaml(&answer)).unwrap()["spec"]["rules"].clone();
    assert_eq!(rules[0]["to"], json!([{"operation": {"methods": ["GET"]}}]));
    assert_eq!(rules[1], json!({"when": [{"key": "source.namespace", "values": ["x"]}]}));
    assert!(yaml(&answer).contains("# the cart"), "{}", yaml(&answer));
    let few = filled(&[POLICY], WizardKind::AuthorizationPolicy, |form| *form = json!({"action": "DENY"}));
    assert!(yaml(&few).starts_with("apiVersion: security") && yaml(&few).contains("# the cart"));
    let new = filled(&[POLICY], WizardKind::AuthorizationPolicy, |form| {
        *form = json!({"policy": "", "action": "DENY", "rules": [{"namespaces": ["evil"]}]});
    });
    let value = from_yaml(yaml(&new)).unwrap();
    assert_eq!(value["metadata"]["name"], "orders-deny");
    assert_eq!(value["spec"]["rules"], json!([{"from": [{"source": {"namespaces": ["evil"]}}]}]));
    let all = filled(&[], WizardKind::AuthorizationPolicy, |form| {
        form["action"] = json!("DENY");
        form["rules"] = json!([{}]);
    });
    assert_eq!(all.steps, [], "denying everything is never one click");
    // Nothing is chosen at first, and nothing is made of that.
    let first = start(&[], WizardKind::AuthorizationPolicy);
    assert_eq!((&first.form["rules"], first.steps.len()), (&json!([]), 0));
    assert!(faults(&first).iter().any(|fault| fault.starts_with("Add a rule")), "{:?}", faults(&first));
    let first = filled(&[], WizardKind::AuthorizationPolicy, |form| form["rules"] = json!([{}]));
    let principals = first.parts[1].rows[0].fields[0].options.iter().map(|one| one.value.as_str()).collect::<Vec<_>>();
    assert_eq!(principals, ["cluster.local/ns/shop/sa/orders-v1", "cluster.local/ns/shop/sa/orders-v2"]);
}

#[test]
fn a_rule_that_nobody_fits_is_not_written() {
    let rule = |principals: Value, namespaces: Value| {
        filled(&[], WizardKind::AuthorizationPolicy, |form| {
            form["rules"] = json!([{"principals": principals, "namespaces": namespaces}]);
        })
    };
    let (cart, edge) = ("cluster.local/ns/shop/sa/cart", "cluster.local/ns/edge/sa/gateway");
    let nobody = rule(json!([cart]), json!(["edge"]));
    assert_eq!(nobody.steps, []);
    let fault = faults(&nobody).join(" ");
    assert!(
        fault.starts_with("Rule 1: nobody fits both lists, for none of the chosen namespaces has shop/cart."),
        "{fault}"
    );
    assert!(nobody.parts[1].about.starts_with("Both must fit"));
    // Either of them fits, or both do.
    for answer in
        [rule(json!([cart]), json!([])), rule(json!([]), json!(["edge"])), rule(json!([cart]), json!(["shop"]))]
    {
        assert_eq!((faults(&answer), answer.steps.len()), (Vec::<String>::new(), 1));
    }
    let some = rule(json!([cart, edge]), json!(["edge"]));
    assert_eq!(some.steps.len(), 1);
    assert!(
        some.notes.iter().any(|note| note.ends_with("none of the chosen namespaces has shop/cart.")),
        "{:?}",
        some.notes
    );
    // What stands for "nothing chosen" says what holds then.
    let hints = |answer: &Wizard<Value>| {
        let rows = &answer.parts[1].rows;
        (rows[0].fields[0].hint.clone(), rows[1].fields[0].hint.clone())
    };
    assert_eq!(hints(&rule(json!([]), json!(["edge"]))).0, "anybody in the namespaces below");
    assert_eq!(hints(&rule(json!([cart]), json!([]))).1, "any; who calls is restricted above");
}

#[test]
fn what_is_not_there_is_no_form_and_hostile_texts_stay_texts() {
    let store = Store::new(Settings::default());
    for security in [true, false] {
        assert!(Scene::look(&store.snapshot(), ("shop", "nobody"), security, |_| true).is_none());
        assert!(Scene::look(&store.snapshot(), ("", ""), security, |_| true).is_none());
    }
    let hostile = "\u{202e}<script>alert(1)</script>'\"\n- x: |";
    let answer = filled(&[RULE, ROUTES], WizardKind::RequestRouting, |form| {
        form["rules"][0]["conditions"][0]["value"] = json!(hostile)
    });
    assert_eq!(
        from_yaml(yaml(&answer)).unwrap()["spec"]["http"][0]["match"][0]["headers"]["x-canary"]["exact"],
        hostile
    );
    let kind = WizardKind::Timeouts;
    for form in [json!(7), json!({"route": []}), json!({"arms": 1, "nothing": 2})] {
        let answer = run(kind, &scene(&[ROUTES], kind, "orders"), Some(form));
        assert!(answer.is_err() || !faults(&answer.unwrap()).is_empty());
    }
}
