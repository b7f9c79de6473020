use super::*;
use crate::{
    cluster::{meshes::testing::installation, pods::testing::pod},
    output::Answer,
    upgrade::operator::testing::operator,
};

fn wish(to: &str) -> Wish {
    Wish { to: Some(to.into()), ..Wish::default() }
}

fn running(mut spec: Value, version: &str) -> Installation {
    spec["profile"] = "demo".into();
    let image = format!("weft/operator:{version}");
    let component = json!({"ready": 1, "replicas": 1, "image": image});
    installation(spec, json!({"version": version, "components": {"control-plane": component}}))
}

fn plan(meshes: &[Installation], pods: &[Pod], wish: &Wish) -> Plan {
    let operator = operator(&format!("weft/operator:{VERSION}"));
    Plan::new(meshes, pods, Some(&operator), wish, "weft-system")
}

#[test]
fn what_restarts_is_listed_by_workload_with_its_command() {
    let mesh = running(json!({"tags": ["prod"]}), "0.1.0");
    let gateway = || {
        let mut gateway = pod("weft-system", "gw-7d9f-a", "weft/proxy:0.1.0", "default");
        gateway.metadata.labels.get_or_insert_default().insert("weft.dev/component".into(), "ingress-gateway".into());
        gateway
    };
    let pods = [
        pod("shop", "web-7d9f-a", "weft/proxy:0.1.0", "default"),
        pod("shop", "web-7d9f-b", "weft/proxy:0.1.0", "prod"),
        pod("shop", "api-7d9f-b", "weft/proxy:0.1.0", "prod"),
        pod("shop", "new-7d9f-a", "weft/proxy:0.1.9", "default"),
        pod("shop", "other-7d9f-a", "weft/proxy:0.1.0", "someone-else"),
        gateway(),
    ];
    let plan = plan(&[mesh], &pods, &wish("0.1.9"));
    let names: Vec<_> = plan
        .restarts
        .iter()
        .map(|restart| (restart.workload.as_str(), restart.revision.as_str(), restart.pods))
        .collect();
    assert_eq!(
        names,
        [("Deployment shop/api", "prod", 1), ("Deployment shop/web", "default", 1), ("Deployment shop/web", "prod", 1)]
    );
    assert_eq!(plan.commands, ["kubectl -n shop rollout restart deployment/api deployment/web"]);
    assert_eq!(plan.meshes[0].images["control-plane"], "weft/operator:0.1.0 -> weft/operator:0.1.9");
    assert_eq!(plan.operator.as_deref(), Some("weft/operator:0.1.0 -> weft/operator:0.1.9"));
    assert!(!plan.refused());
    assert!(plan.text().contains("3 pods would have to restart"), "{}", plan.text());
}

#[test]
fn pods_that_nobody_makes_anew_are_listed_apart() {
    let mut bare = pod("shop", "load", "weft/proxy:0.1.0", "default");
    bare.metadata.owner_references = None;
    let pods = [bare, pod("shop", "web-7d9f-a", "weft/proxy:0.1.0", "default")];
    let mut plan = plan(&[running(json!({}), "0.1.0")], &pods, &wish("0.1.9"));
    assert_eq!(plan.by_hand, ["Pod shop/load (revision default)"]);
    assert_eq!(plan.commands, ["kubectl -n shop rollout restart deployment/web"]);
    let text = plan.text();
    assert!(text.contains("recreate them by hand:\n  Pod shop/load (revision default)\n"), "{text}");
    assert!(text.contains("2 pods would have to restart to get the proxy of version 0.1.9"), "{text}");
    // Beside each other, some are there already, and are told with the way back alone.
    plan.moves = Some(Moves { back_by_hand: vec!["Pod shop/two (revision v2)".into()], ..Moves::default() });
    let text = plan.text();
    assert!(text.contains("recreate these by hand as well:\n  Pod shop/two (revision v2)\n"), "{text}");
}

#[test]
fn the_window_is_checked_with_the_operators_own_words() {
    let refused = |running_version: &str, to: &str, pods: &[Pod]| {
        let plan = plan(&[running(json!({}), running_version)], pods, &wish(to));
        assert_eq!(plan.refused(), plan.text().contains("REFUSED"), "{}", plan.text());
        plan.refused.or_else(|| plan.meshes[0].refused.clone()).unwrap_or_default()
    };
    assert_eq!(refused("0.1.0", "0.1.4", &[]), "");
    assert_eq!(refused("", VERSION, &[]), "");
    for word in ["banana", "canary-1a2b", ""] {
        let told = refused("0.1.0", word, &[]);
        assert!(told.contains("is no version") && told.contains(&format!("--to {VERSION}")), "{told}");
    }
    assert!(refused("0.1.0", "0.3.0", &[]).contains("use the weft command of version 0.3.0"));
    assert!(refused("0.3.0", VERSION, &[]).contains("more than one minor version from the running 0.3.0"));
    let old = [pod("shop", "web-7d9f-a", "weft/proxy:0.9.0", "default")];
    assert!(refused("0.0.9", VERSION, &old).contains("restart their pods first"));
    assert_eq!(refused(VERSION, VERSION, &old), "", "it runs with that already");
    let none = Plan::new(&[], &[], None, &wish(VERSION), "weft-system");
    assert!(none.refused.unwrap().contains("--weft-namespace"));
}

#[test]
fn a_tag_is_written_only_where_it_has_to_be() {
    let tag = |spec: Value, to: &str| plan(&[running(spec, VERSION)], &[], &wish(to)).meshes[0].tag.clone();
    assert_eq!(tag(json!({}), VERSION), None, "it follows the operator");
    assert_eq!(tag(json!({}), "0.1.7").as_deref(), Some("0.1.7"));
    assert_eq!(tag(json!({"image": {"tag": "0.1.7"}}), "0.1.7"), None);
    assert_eq!(tag(json!({"image": {"tag": "0.0.9"}}), VERSION).as_deref(), Some(VERSION));
}

#[test]
fn what_argo_cd_owns_is_changed_there() {
    let mut mesh = running(json!({"image": {"tag": "0.0.9"}}), "0.0.9");
    mesh.object.metadata.labels = Some([("argocd.argoproj.io/instance".to_owned(), "base".to_owned())].into());
    let plan = plan(&[mesh], &[], &wish(VERSION));
    assert!(plan.meshes[0].refused.as_ref().unwrap().contains("Argo CD (application base)"));
}

#[test]
fn what_others_own_may_be_looked_at() {
    let mut helms = operator("weft/operator:0.1.0");
    helms.owner = Some(Owner::Helm("mesh".into()));
    let mut mesh = running(json!({"image": {"tag": "0.0.9"}}), "0.0.9");
    mesh.object.metadata.labels = Some([("argocd.argoproj.io/instance".to_owned(), "base".to_owned())].into());
    let meshes = [mesh];
    let plan = |dry_run: bool| {
        let wish = Wish { dry_run, ..wish(VERSION) };
        Plan::new(&meshes, &[], Some(&helms), &wish, "weft-system")
    };
    let looked = plan(true);
    assert!(!looked.refused(), "{}", looked.text());
    for owner in ["helm upgrade mesh", "Argo CD (application base)"] {
        assert!(looked.text().contains(owner) && plan(false).text().contains(owner), "{}", looked.text());
    }
    assert!(plan(false).refused.unwrap().contains("helm upgrade mesh"));
}

#[test]
fn nobody_goes_back_unasked() {
    let newer = operator("weft/operator:999.0.0");
    let refused = |wish: &Wish| Plan::new(&[], &[], Some(&newer), wish, "weft-system").refused.unwrap_or_default();
    let told = refused(&Wish::default());
    assert!(told.contains("weft command of version 999.0.0") && told.contains(&format!("--to {VERSION}")), "{told}");
    assert_eq!(refused(&wish(VERSION)), "");
    let same = operator(&format!("weft/operator:{VERSION}"));
    assert_eq!(Plan::new(&[], &[], Some(&same), &Wish::default(), "weft-system").refused, None);
}

#[test]
fn beside_it_the_old_one_keeps_its_version() {
    let old = || running(json!({"tags": ["prod"]}), "0.0.9");
    let beside = Wish { revision: Some("v2".into()), ..Wish::default() };
    let pods = [pod("shop", "web-7d9f-a", "weft/proxy:0.0.9", "default")];
    let first = plan(&[old()], &pods, &beside);
    let steps: Vec<_> =
        first.meshes.iter().map(|step| (step.mesh.as_str(), step.action, step.tag.as_deref())).collect();
    assert_eq!(steps, [("main", Action::Keep, Some("0.0.9")), ("main-v2", Action::Create, None)]);
    assert!(first.restarts.is_empty() && !first.refused(), "{}", first.text());

    // Once more: the new one is there.
    let mut new = running(json!({"revision": "v2", "image": {"tag": VERSION}}), VERSION);
    new.name = "main-v2".into();
    let again = plan(&[running(json!({"image": {"tag": "0.0.9"}}), "0.0.9"), new], &pods, &beside);
    let steps: Vec<_> =
        again.meshes.iter().map(|step| (step.mesh.as_str(), step.action, step.tag.as_deref())).collect();
    assert_eq!(steps, [("main", Action::Keep, None), ("main-v2", Action::Upgrade, None)]);
}

#[test]
fn one_of_several_is_asked_for_by_name() {
    let mesh = |name: &str, revision: &str| {
        let mut mesh = running(json!({"revision": revision}), VERSION);
        mesh.name = name.into();
        mesh
    };
    let meshes = [mesh("a", ""), mesh("b", "b")];
    let ask = |name: Option<&str>, revision: Option<&str>| {
        Wish { mesh: name.map(str::to_owned), revision: revision.map(str::to_owned), ..Wish::default() }.chosen(&meshes)
    };
    assert!(ask(None, None).is_ok() && ask(Some("b"), Some("v2")).is_ok() && ask(None, Some("b")).is_ok());
    assert!(ask(Some("c"), None).unwrap_err().to_string().contains("there is no Mesh c"));
    assert!(ask(None, Some("v2")).unwrap_err().to_string().contains("--mesh"));

    // The only one that is left is brought up by its revision as well, and is nobody's way to itself.
    let left = [mesh("b", "b")];
    for name in [None, Some("b")] {
        let wish = Wish { mesh: name.map(str::to_owned), revision: Some("b".into()), ..Wish::default() };
        assert!(wish.chosen(&left).is_ok() && !wish.is_base(&left[0], &left), "{name:?}");
    }
}

#[test]
fn what_is_refused_restarts_nobody() {
    let pods = [pod("shop", "web-7d9f-a", "weft/proxy:0.1.0", "default")];
    let plan = plan(&[running(json!({}), "0.1.0")], &pods, &wish("banana"));
    assert!(plan.refused() && plan.restarts.is_empty() && plan.commands.is_empty(), "{}", plan.text());
    assert!(!plan.text().contains("rollout restart"), "{}", plan.text());
}

#[test]
fn a_mesh_that_is_being_deleted_is_told_and_left() {
    let leaving = || {
        let mut mesh = running(json!({}), "0.0.9");
        mesh.leaving = true;
        mesh
    };
    let beside = |revision: &str| Wish { revision: Some(revision.into()), ..Wish::default() };
    let told = plan(&[leaving()], &[], &beside("v2"));
    assert_eq!((told.meshes[0].action, told.meshes[0].tag.as_deref()), (Action::Leave, None));
    assert!(
        !told.refused() && told.text().contains("Mesh main (revision default): is being deleted"),
        "{}",
        told.text()
    );
    assert!(!told.text().contains("stays at"), "{}", told.text());

    // What is asked of it cannot be: it is named, or the only one.
    let mut other = running(json!({"revision": "v2"}), VERSION);
    other.name = "main-v2".into();
    let named = Wish { mesh: Some("main".into()), ..Wish::default() };
    for told in [
        plan(&[leaving()], &[], &wish(VERSION)),
        plan(&[leaving()], &[], &beside("default")),
        plan(&[leaving(), other], &[], &named),
    ] {
        assert!(told.refused() && told.text().contains("wait --for=delete mesh/main"), "{}", told.text());
    }
}

#[test]
fn a_revision_is_nobodys_tag() {
    let beside = Wish { revision: Some("prod".into()), ..Wish::default() };
    let told = plan(&[running(json!({"tags": ["prod"]}), VERSION)], &[], &beside);
    assert!(told.refused() && told.text().contains("Mesh main has the tag \"prod\""), "{}", told.text());
}
