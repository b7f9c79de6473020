//! Whole translations against `tests/goldens`: `<case>.yaml` is the estate, whose first line names the proxy
//! (`# sidecar weft shop/a`, `redirect` after it for a captured one), `<case>.txt` what it gets. `WEFT_UPDATE_GOLDENS=1` writes them anew.

use std::{fmt::Write, fs, path::Path};

use envoy_types::pb::envoy::{
    config::{
        cluster::v3::Cluster,
        endpoint::v3::ClusterLoadAssignment,
        listener::v3::Listener,
        route::v3::{RouteConfiguration, VirtualHost},
    },
    extensions::transport_sockets::tls::v3::{Secret, secret},
};
use prost::Message;
use weft_mesh::{Capture, Engine, ProxyKind, Resource, Resources, translate, type_url};
use weft_wire::workload::Workload;

use crate::{debug_text, estate};

fn text(resource: &Resource) -> String {
    fn decoded<M: Message + Default + std::fmt::Debug>(resource: &Resource) -> String {
        debug_text::of(&M::decode(resource.value.as_slice()).expect("a message"))
    }
    match resource.type_url {
        type_url::CLUSTER => decoded::<Cluster>(resource),
        type_url::ENDPOINT => decoded::<ClusterLoadAssignment>(resource),
        type_url::LISTENER => decoded::<Listener>(resource),
        type_url::ROUTE => decoded::<RouteConfiguration>(resource),
        type_url::VIRTUAL_HOST => decoded::<VirtualHost>(resource),
        type_url::WORKLOAD => decoded::<Workload>(resource),
        // Keys do not belong into goldens.
        _ => match Secret::decode(resource.value.as_slice()).expect("a message").r#type {
            Some(secret::Type::TlsCertificate(_)) => "certificate\n".into(),
            Some(secret::Type::ValidationContext(_)) => "roots\n".into(),
            other => panic!("{other:?}"),
        },
    }
}

fn dump(resources: &Resources) -> String {
    let mut out = String::new();
    for type_url in type_url::PUSH_ORDER {
        for resource in resources.of(type_url).iter() {
            let name = &resource.name;
            let kind = type_url.rsplit('.').next().unwrap_or_default();
            writeln!(out, "=== {kind} {name}").expect("text");
            for origin in &resource.origins {
                writeln!(out, "# from {origin}").expect("text");
            }
            out.push_str(&text(resource));
        }
    }
    out
}

fn check(case: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens");
    let input = fs::read_to_string(folder.join(format!("{case}.yaml"))).expect("the estate");
    let head = input.lines().next().unwrap_or_default().trim_start_matches("# ");
    let words: Vec<&str> = head.split(' ').collect();
    let [kind, engine, workload] = words[..3] else { panic!("{head:?}") };
    let capture = if words.get(3) == Some(&"redirect") { Capture::Redirect } else { Capture::None };
    let kind = if kind == "gateway" { ProxyKind::Gateway } else { ProxyKind::Sidecar };
    let engine = if engine == "envoy" { Engine::Envoy } else { Engine::Weft };
    let snapshot = estate::snapshot(&input);
    let proxy = estate::proxy(&snapshot, workload, kind, engine).with_capture(capture);
    let found = dump(&translate(&snapshot, &proxy));
    let golden = folder.join(format!("{case}.txt"));
    if std::env::var_os("WEFT_UPDATE_GOLDENS").is_some() {
        fs::write(&golden, &found).expect("a writable checkout");
        return;
    }
    let expected = fs::read_to_string(&golden).unwrap_or_default();
    if let Some((n, (e, f))) = expected.lines().zip(found.lines()).enumerate().find(|(_, (e, f))| e != f) {
        panic!("{case}.txt line {}:\nexpected: {e}\n   found: {f}\nWEFT_UPDATE_GOLDENS=1 accepts all of it", n + 1);
    }
    assert_eq!(expected.lines().count(), found.lines().count(), "{case}.txt: length differs");
}

#[test]
fn canary() {
    check("canary");
}

#[test]
fn canary_for_envoy() {
    check("canary-envoy");
}

#[test]
fn fault() {
    check("fault");
}

#[test]
fn gateway() {
    check("gateway");
}

#[test]
fn strict_with_authorization() {
    check("strict");
}

#[test]
fn captured() {
    check("captured");
}

#[test]
fn gateway_in_a_pod() {
    check("gateway-pod");
}
