use serde_json::{Value, json};

use super::*;
use crate::cluster::{meshes::testing::installation, pods::testing::pod};

fn status(meshes: Option<Vec<Installation>>, pods: &[Pod]) -> Status {
    let control_plane: Pod = serde_json::from_value(json!({
        "metadata": {"name": "cp", "labels": {"weft.dev/mesh": "main"}},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }))
    .unwrap();
    with(meshes, pods, &[control_plane])
}

fn with(meshes: Option<Vec<Installation>>, pods: &[Pod], control_planes: &[Pod]) -> Status {
    let seen = Seen {
        meshes: Some(meshes),
        control_planes: Some(control_planes.to_vec()),
        idle: None,
        pods: Some(pods.to_vec()),
    };
    Status::new("https://127.0.0.1:6443", "weft-system", &seen)
}

#[test]
fn what_may_not_be_read_does_not_hide_the_rest() {
    let denied = "cannot look at Deployment weft-operator: forbidden (ask for a role that may get it)";
    let mut some = status(Some(vec![good(json!({}), 8)]), &[]);
    some.unread = vec![denied.to_owned()];
    let text = some.text();
    assert!(text.contains(denied) && text.contains("READY") && !text.contains("Warning"), "{text}");
    assert_eq!(serde_json::to_value(&some).unwrap()["unread"][0], denied);

    let alone = Seen { meshes: Some(Some(vec![good(json!({}), 8)])), ..Seen::default() };
    let mut alone = Status::new("https://127.0.0.1:6443", "weft-system", &alone);
    alone.unread = vec![denied.to_owned()];
    let text = alone.text();
    assert!(alone.ready() && text.contains("yes    -"), "what the Mesh says is believed: {text}");
    assert!(!text.contains("No pod has a proxy") && !text.contains("no ready pod"), "{text}");

    let blind = Seen { pods: Some(vec![pod("shop", "web-1-a", "weft/proxy:0.1.0", "default")]), ..Seen::default() };
    let mut blind = Status::new("https://127.0.0.1:6443", "weft-system", &blind);
    blind.unread = vec!["cannot list meshes: forbidden".to_owned()];
    let text = blind.text();
    assert!(!blind.ready() && text.contains("cannot list meshes"), "{text}");
    assert!(text.contains("shop") && !text.contains("not installed") && !text.contains("No Mesh"), "{text}");
    assert_eq!(serde_json::to_value(&blind).unwrap()["kindKnown"], Value::Null);
}

#[test]
fn an_empty_cluster_says_what_to_do() {
    assert!(status(None, &[]).text().contains("weft install"));
    assert!(status(Some(vec![]), &[]).text().contains("Apply one"));
    assert!(!status(None, &[]).ready());
}

fn good(spec: Value, connected: i64) -> Installation {
    let ready =
        json!({"type": "Ready", "status": "True", "reason": "Ready", "lastTransitionTime": "2026-11-23T20:00:00Z"});
    let status =
        json!({"observedGeneration": 3, "version": "0.1.0", "connectedProxies": connected, "conditions": [ready]});
    installation(spec, status)
}

#[test]
fn a_status_of_a_better_time_is_not_believed() {
    let gone = with(Some(vec![good(json!({}), 8)]), &[], &[]);
    assert!(!gone.ready());
    let text = gone.text();
    assert!(text.contains("NO") && text.contains("the control plane has no ready pod"), "{text}");
    let remote = good(json!({"profile": "remote"}), 8);
    assert!(with(Some(vec![remote]), &[], &[]).ready(), "it has none of its own");

    let mut alone = status(Some(vec![good(json!({}), 8)]), &[]);
    assert!(alone.ready() && !alone.text().contains("Warning"), "{}", alone.text());
    let idle = Idle { why: "there is no operator".into(), remedy: "weft install brings it back".into(), broken: false };
    alone.no_operator = Some(idle);
    let text = alone.text();
    assert!(alone.ready() && text.contains("Warning: there is no operator. READY"), "{text}");
    assert!(text.contains("what was last written") && text.contains("\n  weft install"), "{text}");
    alone.meshes.clear();
    assert!(alone.text().contains("No Mesh, and there is no operator: weft install"), "{}", alone.text());
}

#[test]
fn a_warning_is_told_beside_readiness() {
    let at = "2026-11-23T20:00:00Z";
    let kept = json!({"type": "CertificatesValid", "status": "True", "reason": "RootsKept", "message": "1 root is kept", "lastTransitionTime": at});
    let ready = json!({"type": "Ready", "status": "True", "reason": "Ready", "lastTransitionTime": at});
    let one =
        installation(json!({}), json!({"observedGeneration": 3, "version": "0.1.0", "conditions": [ready, kept]}));
    let all = status(Some(vec![one]), &[]);
    let text = all.text();
    assert!(
        all.ready() && text.contains("Warning: main: CertificatesValid (RootsKept): 1 root is kept\n  where"),
        "{text}"
    );
    let json = serde_json::to_value(&all).unwrap();
    assert!(json["meshes"][0]["warnings"][0]["remedy"].as_str().unwrap().contains("put it back"), "{json}");
}

#[test]
fn a_change_that_nobody_takes_up_has_an_age() {
    let mut one = installation(json!({}), json!({"observedGeneration": 2}));
    let fields = json!([{"manager": "kubectl", "time": "2020-01-01T00:00:00Z",
        "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {}}}]);
    one.object.metadata.managed_fields = Some(serde_json::from_value(fields).unwrap());
    let text = status(Some(vec![one]), &[]).text();
    assert!(
        text.contains("newest change of the Mesh, made ") && text.contains("logs deployment/weft-operator"),
        "{text}"
    );
}

#[test]
fn a_count_that_is_behind_says_so() {
    let pods = [pod("shop", "web-1-a", "weft/proxy:0.1.0", "default")];
    assert!(status(Some(vec![good(json!({}), 0)]), &pods).text().contains("weft proxy-status asks"));
    assert!(!status(Some(vec![good(json!({}), 1)]), &pods).text().contains("weft proxy-status asks"));
}

#[test]
fn what_is_waited_for_is_told() {
    let ready =
        json!({"type": "Ready", "status": "True", "reason": "Ready", "lastTransitionTime": "2026-11-23T20:00:00Z"});
    let not = json!({"type": "Ready", "status": "False", "reason": "Rolling", "message": "weft-console has no ready pod", "lastTransitionTime": "2026-11-23T20:00:00Z"});
    let good = installation(
        json!({"profile": "demo"}),
        json!({"observedGeneration": 3, "version": "0.1.0", "connectedProxies": 7, "conditions": [ready.clone()]}),
    );
    let stale = installation(json!({}), json!({"observedGeneration": 2, "conditions": [ready]}));
    let bad = installation(json!({}), json!({"observedGeneration": 3, "conditions": [not]}));
    let pods = [pod("shop", "web-1-a", "weft/proxy:0.1.0", "default")];
    let all = status(Some(vec![good]), &pods);
    assert!(all.ready());
    let text = all.text();
    assert!(text.contains("main  default   demo     0.1.0    yes    1/1            7"), "{text}");
    assert!(text.contains("shop       1/1            weft/proxy:0.1.0 (1)"), "{text}");
    let all = status(Some(vec![stale, bad]), &[]);
    assert!(!all.ready());
    assert!(
        all.text().contains("newest change") && all.text().contains("weft-console has no ready pod"),
        "{}",
        all.text()
    );
    let json = serde_json::to_value(&all).unwrap();
    assert_eq!(json["meshes"][1]["waitingFor"][0], "weft-console has no ready pod");
}
