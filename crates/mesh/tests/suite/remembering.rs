//! A translator that remembers gives what one that does not would give, to the byte, whatever is edited in between.

use std::{fmt::Write, sync::Arc, time::Instant};

use proptest::prelude::*;
use weft_api::{Change, ObjectKey};
use weft_mesh::{
    Capture, Engine, Proxy, ProxyKind, Resources, Settings, Snapshot, Store, Translator, translate, type_url,
};
use weft_model::WorkloadRef;

use crate::estate::changes;

const NAMESPACES: [&str; 2] = ["shop", "bank"];

/// One edit: which object, and how it is written.
#[derive(Clone, Debug)]
struct Edit {
    kind: u8,
    namespace: usize,
    name: usize,
    variant: u8,
}

fn edits() -> impl Strategy<Value = Vec<Vec<Edit>>> {
    let edit = (0..13u8, 0..2usize, 0..3usize, 0..5u8).prop_map(|(kind, namespace, name, variant)| Edit {
        kind,
        namespace,
        name,
        variant,
    });
    prop::collection::vec(prop::collection::vec(edit, 1..3), 1..12)
}

/// The object as YAML; variant 0 takes it away.
fn document(edit: &Edit) -> String {
    let (ns, n, v) = (NAMESPACES[edit.namespace], edit.name, edit.variant);
    let head = |api: &str, kind: &str, extra: &str| {
        format!("apiVersion: {api}\nkind: {kind}\nmetadata: {{name: s{n}, namespace: {ns}{extra}}}\n")
    };
    let networking = "networking.istio.io/v1";
    match edit.kind {
        0 => head(networking, "VirtualService", "") + &match v {
            1 => format!("spec: {{hosts: [s{n}], http: [{{route: [{{destination: {{host: s{n}, subset: v1}}}}]}}]}}\n"),
            2 => format!("spec: {{hosts: [s{n}, other.example.com], http: [{{match: [{{sourceLabels: {{app: s0}}}}], route: [{{destination: {{host: s{n}.bank.svc.cluster.local}}}}]}}, {{timeout: 2s, route: [{{destination: {{host: s1}}}}]}}]}}\n"),
            3 => format!("spec: {{hosts: [s{n}], exportTo: ['.'], tcp: [{{route: [{{destination: {{host: s1}}}}]}}], tls: [{{match: [{{sniHosts: [a.example.com]}}], route: [{{destination: {{host: s1}}}}]}}]}}\n"),
            _ => format!("spec: {{hosts: ['*'], gateways: [mesh, s0], http: [{{delegate: {{name: leaf{n}}}}}, {{route: [{{destination: {{host: s{n}}}}}]}}]}}\n"),
        },
        1 => format!("apiVersion: {networking}\nkind: VirtualService\nmetadata: {{name: leaf{n}, namespace: {ns}}}\nspec: {{http: [{{match: [{{uri: {{prefix: /{v}}}}}], route: [{{destination: {{host: s{v}}}}}]}}]}}\n"),
        2 => head(networking, "DestinationRule", "") + &match v {
            1 => format!("spec: {{host: s{n}, subsets: [{{name: v1, labels: {{version: v1}}}}]}}\n"),
            2 => "spec: {host: '*.svc.cluster.local', trafficPolicy: {outlierDetection: {consecutive5xxErrors: 3}}}\n".to_owned(),
            3 => format!("spec: {{host: s{n}, workloadSelector: {{matchLabels: {{app: s1}}}}, trafficPolicy: {{tls: {{mode: DISABLE}}}}}}\n"),
            _ => format!("spec: {{host: s{n}.bank.svc.cluster.local, exportTo: ['*'], trafficPolicy: {{connectionPool: {{tcp: {{idleTimeout: 7s}}}}, loadBalancer: {{consistentHash: {{httpHeaderName: x}}}}}}}}\n"),
        },
        3 => head("v1", "Service", "") + &match v {
            1 => format!("spec: {{clusterIP: 10.96.{}.{n}, selector: {{app: s{n}}}, ports: [{{name: http, port: 80, targetPort: 8080}}, {{name: tcp, port: 90}}]}}\n", edit.namespace),
            2 => format!("spec: {{clusterIP: 10.96.9.1, selector: {{app: s{n}}}, ports: [{{name: x, port: 80}}, {{name: https, port: 443}}]}}\n"),
            3 => format!("spec: {{clusterIP: None, selector: {{app: s{n}}}, ports: [{{name: tcp, port: 90}}, {{name: y, port: 91}}]}}\n"),
            _ => "spec: {type: ExternalName, externalName: s1.shop.svc.cluster.local, ports: [{name: http, port: 80}]}\n".to_owned(),
        },
        4 => format!("apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: s{n}, namespace: {ns}, labels: {{kubernetes.io/service-name: s{n}}}}}\naddressType: IPv4\nendpoints: [{{addresses: [10.1.{}.{n}], conditions: {{ready: {}}}, targetRef: {{kind: Pod, name: s{}}}}}]\nports: [{{name: http, port: 8080}}, {{name: tcp, port: 90}}, {{name: y, port: {v}}}]\n", edit.namespace, v != 2, (n + usize::from(v)) % 3),
        5 => head("v1", "Pod", &format!(", labels: {{app: s{n}, version: v{v}}}{}", if v == 3 { ", annotations: {sidecar.istio.io/status: '{}'}" } else { "" })) + &format!("spec: {{nodeName: n{v}, serviceAccountName: a{v}, containers: [{{name: c}}]}}\nstatus: {{phase: {}, podIP: 10.1.{}.{n}}}\n", if v == 4 { "Failed" } else { "Running" }, edit.namespace),
        6 => format!("apiVersion: v1\nkind: Node\nmetadata: {{name: n{n}, labels: {{topology.kubernetes.io/region: r{v}}}}}\n"),
        7 => head(networking, "WorkloadEntry", "") + &format!("spec: {{address: 10.2.{}.{v}, labels: {{app: s{n}, security.istio.io/tlsMode: istio}}, serviceAccount: a{v}}}\n", edit.namespace),
        8 => head(networking, "ServiceEntry", "") + &match v {
            1 => "spec: {hosts: [other.example.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}\n".to_owned(),
            2 => format!("spec: {{hosts: [se{n}.example.com], location: MESH_INTERNAL, ports: [{{number: 90, name: tcp, protocol: TCP}}], resolution: STATIC, workloadSelector: {{labels: {{app: s{n}}}}}}}\n"),
            3 => "spec: {hosts: ['*.example.com'], ports: [{number: 443, name: tls, protocol: TLS}]}\n".to_owned(),
            _ => "spec: {hosts: [s1.shop.svc.cluster.local], addresses: [10.96.0.1], ports: [{number: 90, name: tcp, protocol: TCP}]}\n".to_owned(),
        },
        9 => head(networking, "Sidecar", "") + &match v {
            1 => "spec: {egress: [{hosts: ['./*']}]}\n".to_owned(),
            2 => "spec: {workloadSelector: {labels: {app: s1}}, outboundTrafficPolicy: {mode: REGISTRY_ONLY}}\n".to_owned(),
            3 => "spec: {egress: [{port: {number: 80, protocol: HTTP, name: http}, bind: 127.0.9.1, captureMode: NONE, hosts: ['*/*']}, {hosts: ['bank/*']}]}\n".to_owned(),
            _ => "spec: {egress: [{port: {number: 90, protocol: TCP, name: tcp}, hosts: ['*/*']}, {hosts: ['~/*']}], ingress: [{port: {number: 80, protocol: HTTP, name: http}, defaultEndpoint: '127.0.0.1:9080'}]}\n".to_owned(),
        },
        10 => head("security.istio.io/v1", "PeerAuthentication", "") + &format!("spec: {{selector: {{matchLabels: {{app: s{n}}}}}, mtls: {{mode: {}}}, portLevelMtls: {{8080: {{mode: DISABLE}}}}}}\n", if v % 2 == 0 { "STRICT" } else { "PERMISSIVE" }),
        11 => head("telemetry.istio.io/v1", "Telemetry", "") + &match v {
            1 => format!("spec: {{tracing: [{{randomSamplingPercentage: {n}}}]}}\n"),
            2 => format!("spec: {{selector: {{matchLabels: {{app: s{n}}}}}, tracing: [{{disableSpanReporting: true}}]}}\n"),
            3 => "spec: {selector: {matchLabels: {app: s1}}, tracing: [{match: {mode: CLIENT}, randomSamplingPercentage: 50, customTags: {a: {header: {name: x}}}}]}\n".to_owned(),
            _ => "spec: {tracing: [{match: {mode: SERVER}, randomSamplingPercentage: 9}]}\n".to_owned(),
        },
        _ => match v {
            1 => head("security.istio.io/v1", "AuthorizationPolicy", "") + "spec: {rules: [{from: [{source: {namespaces: [shop]}}]}]}\n",
            2 => head(networking, "Gateway", "") + "spec: {selector: {app: s0}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}\n",
            _ => format!("apiVersion: weft.dev/v1alpha1\nkind: Mesh\nmetadata: {{name: m}}\nspec: {{meshConfig: {{enableAutoMtls: {}, outboundTrafficPolicy: {{mode: {}}}}}}}\n", v == 3, if v == 3 { "ALLOW_ANY" } else { "REGISTRY_ONLY" }),
        },
    }
}

fn change(edit: &Edit) -> Vec<Change> {
    let deleted = edit.variant == 0;
    let put = changes(&document(&Edit { variant: edit.variant.max(1), ..edit.clone() }));
    put.into_iter()
        .map(|change| match change {
            Change::Put(object) if deleted => Change::Delete(ObjectKey::from(&object.reference)),
            other => other,
        })
        .collect()
}

/// Captured, dialled and gateway proxies of every workload there is.
fn proxies(snapshot: &Snapshot) -> Vec<Proxy> {
    let of = |reference: &WorkloadRef| {
        let proxy = |kind, engine| Proxy::for_workload(snapshot, reference, kind, engine);
        [
            proxy(ProxyKind::Sidecar, Engine::Weft).map(|p| p.with_capture(Capture::Redirect)),
            proxy(ProxyKind::Sidecar, Engine::Weft),
            proxy(ProxyKind::Sidecar, Engine::Envoy).map(|p| p.with_capture(Capture::Redirect)),
            proxy(ProxyKind::Gateway, Engine::Weft),
        ]
    };
    snapshot.workloads().keys().flat_map(of).flatten().collect()
}

/// Names and versions, for a message that can be read.
fn differences(a: &Resources, b: &Resources) -> String {
    let mut text = String::new();
    for r in a.iter().filter(|r| b.get(r.type_url, &r.name) != Some(r)) {
        writeln!(text, "remembered: {} {}", r.type_url, r.name).unwrap();
    }
    for r in b.iter().filter(|r| a.get(r.type_url, &r.name) != Some(r)) {
        writeln!(text, "from scratch: {} {}", r.type_url, r.name).unwrap();
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// The store, too: a snapshot that came about step by step is one that was built at once.
    #[test]
    fn remembered_is_as_from_scratch(steps in edits(), back in 0..3usize) {
        let translator = Translator::default();
        let mut store = Store::new(Settings::default());
        let mut past = Vec::new();
        let base: Vec<Edit> = (0..2).flat_map(|ns| (0..3).flat_map(move |name| [3u8, 5, 4].map(move |kind| Edit { kind, namespace: ns, name, variant: 1 }))).collect();
        store.apply(base.iter().flat_map(change).collect());
        for step in &steps {
            store.apply(step.iter().flat_map(change).collect());
            let snapshot = store.snapshot();
            let mut fresh = Store::new(Settings::default());
            fresh.apply(snapshot.objects().map(|(_, object)| Change::Put(Arc::clone(object))).collect());
            let fresh = fresh.snapshot();
            for proxy in proxies(&snapshot) {
                let remembered = translator.translate(&snapshot, &proxy);
                let scratch = translate(&fresh, &proxy);
                prop_assert!(remembered == scratch, "{}\n{}", proxy.node, differences(&remembered, &scratch));
            }
            past.push(snapshot);
            // A stream that lags behind asks about an older snapshot.
            let old = &past[past.len().saturating_sub(1 + back)];
            for proxy in proxies(old).into_iter().take(3) {
                let remembered = translator.translate(old, &proxy);
                let scratch = translate(old, &proxy);
                prop_assert!(remembered == scratch, "{} (older)\n{}", proxy.node, differences(&remembered, &scratch));
            }
        }
    }
}

#[test]
fn what_does_not_differ_is_the_very_same() {
    let edit = |kind, name, variant| Edit { kind, namespace: 0, name, variant };
    let mut store = Store::new(Settings::default());
    let all = (0..3).flat_map(|name| [edit(3, name, 1), edit(5, name, 1), edit(4, name, 1)]);
    store.apply(all.collect::<Vec<_>>().iter().flat_map(change).collect());
    let translator = Translator::default();
    let proxy = proxies(&store.snapshot()).remove(0);
    let before = translator.translate(&store.snapshot(), &proxy);
    store.apply(change(&edit(0, 1, 1)));
    let made = translator.made();
    let after = translator.translate(&store.snapshot(), &proxy);
    assert!(before.of(type_url::CLUSTER).same(after.of(type_url::CLUSTER)));
    assert!(before.of(type_url::ENDPOINT).same(after.of(type_url::ENDPOINT)));
    assert!(before.of(type_url::LISTENER).same(after.of(type_url::LISTENER)));
    assert_ne!(before, after);
    // The virtual host; the plan may have been looked at again, since a VirtualService is new.
    let made = translator.made() - made;
    assert!(made <= 2, "{made} units were made again");
}

/// Who calls with another tracing gets listeners of its own, and shares all the rest.
#[test]
fn a_telemetry_is_made_for_those_that_it_selects() {
    let edit = |kind, name, variant| Edit { kind, namespace: 0, name, variant };
    let mut store = Store::new(Settings::default());
    let all = (0..2).flat_map(|name| [edit(3, name, 1), edit(5, name, 1), edit(4, name, 1)]);
    store.apply(all.collect::<Vec<_>>().iter().flat_map(change).collect());
    let translator = Translator::default();
    let of = |store: &Store, name: &str| {
        let snapshot = store.snapshot();
        let proxy = proxies(&snapshot).into_iter().find(|p| p.workload.name == name && p.is_captured()).unwrap();
        let before = translator.made();
        let resources = translator.translate(&snapshot, &proxy);
        (resources, translator.made() - before)
    };
    let ((chosen, _), (other, _)) = (of(&store, "s0"), of(&store, "s1"));
    store.apply(changes(
        "apiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {name: t, namespace: shop}\n\
         spec: {selector: {matchLabels: {app: s0}}, tracing: [{randomSamplingPercentage: 50}]}\n",
    ));
    let (after, made) = of(&store, "s1");
    assert!(other == after, "{}", differences(&other, &after));
    assert_eq!(made, 1, "only its inbound side: the object might have been for it");
    let (after, made) = of(&store, "s0");
    assert_ne!(chosen, after);
    for kind in [type_url::CLUSTER, type_url::ENDPOINT, type_url::ROUTE, type_url::VIRTUAL_HOST] {
        assert!(chosen.of(kind) == after.of(kind), "{kind}");
    }
    assert!(made <= 2, "{made} units were made: its inbound side, and the listener that has HTTP");
}

/// Two headless Services with one pod make a listener of one name, in one step.
#[test]
fn two_that_make_the_same_name_at_once_do_not_take_turns() {
    let service = |name: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: shop}}\nspec: {{clusterIP: None, ports: [{{name: tcp, port: 90}}]}}\n"
        )
    };
    let slice = |name: &str, addresses: &str| {
        format!(
            "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: {name}, namespace: shop, labels: {{kubernetes.io/service-name: {name}}}}}\naddressType: IPv4\nendpoints: [{addresses}]\nports: [{{name: tcp, port: 90}}]\n"
        )
    };
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: caller, namespace: shop}\nspec: {containers: [{name: c}]}\nstatus: {phase: Running, podIP: 10.1.0.1}\n";
    let mut store = Store::new(Settings::default());
    let translator = Translator::default();
    let check = |store: &Store, what: &str| {
        let snapshot = store.snapshot();
        let proxy = proxies(&snapshot).remove(0);
        let (remembered, scratch) = (translator.translate(&snapshot, &proxy), translate(&snapshot, &proxy));
        assert!(remembered == scratch, "{what}\n{}", differences(&remembered, &scratch));
        remembered.get(type_url::LISTENER, "10.1.0.9_90").is_some()
    };
    for text in [service("first"), service("second"), pod.to_owned(), slice("first", ""), slice("second", "")] {
        store.apply(changes(&text));
    }
    assert!(!check(&store, "nobody there"));
    let there = "{addresses: [10.1.0.9]}";
    store.apply([slice("first", there), slice("second", there)].iter().flat_map(|text| changes(text)).collect());
    assert!(check(&store, "both at once"));
    store.apply(changes(&slice("first", "")));
    assert!(check(&store, "one goes"), "the other still has it");
}

/// 5,000 services, 10,000 pods, 100 proxies in 100 namespaces: what an edit costs. Prints, asserts nothing about time.
#[test]
#[ignore = "takes a while; run with --release --ignored --nocapture"]
fn at_scale() {
    let mut text = String::new();
    for i in 0..5000 {
        let (ns, a, b) = (i % 100, i / 250, i % 250);
        write!(
            text,
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: s{i}, namespace: ns{ns}}}\nspec: {{clusterIP: 10.96.{a}.{b}, selector: {{app: s{i}}}, ports: [{{name: http, port: {}}}]}}\n---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: s{i}, namespace: ns{ns}, labels: {{kubernetes.io/service-name: s{i}}}}}\naddressType: IPv4\nendpoints: [{{addresses: [10.1.{a}.{b}], targetRef: {{kind: Pod, name: s{i}-0}}}}, {{addresses: [10.2.{a}.{b}], targetRef: {{kind: Pod, name: s{i}-1}}}}]\nports: [{{name: http, port: 8080}}]\n",
            8080 + i % 10
        )
        .unwrap();
        for replica in 0..2 {
            write!(text, "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: s{i}-{replica}, namespace: ns{ns}, labels: {{app: s{i}}}, annotations: {{sidecar.istio.io/status: '{{}}'}}}}\nspec: {{serviceAccountName: s{i}, containers: [{{name: c}}]}}\nstatus: {{phase: Running, podIP: 10.{}.{a}.{b}, conditions: [{{type: Ready, status: 'True'}}]}}\n", replica + 1).unwrap();
        }
        write!(text, "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: s{i}, namespace: ns{ns}}}\nspec: {{hosts: [s{i}], http: [{{route: [{{destination: {{host: s{i}}}}}]}}]}}\n").unwrap();
    }
    let all = changes(&text);
    let mut store = Store::new(Settings::default());
    let start = Instant::now();
    store.apply(all);
    println!("store of 25,000 objects: {:?}", start.elapsed());
    let translator = Translator::default();
    let proxies: Vec<Proxy> = proxies(&store.snapshot())
        .into_iter()
        .filter(|p| p.capture == Capture::Redirect && p.engine == Engine::Weft)
        .step_by(101)
        .collect();
    let round = |store: &Store, what: &str| {
        let snapshot = store.snapshot();
        let start = Instant::now();
        let made = translator.made();
        let resources: usize = proxies.iter().map(|proxy| translator.translate(&snapshot, proxy).len()).sum();
        println!(
            "{what}: {} proxies in {:?}, {} units made, {resources} resources",
            proxies.len(),
            start.elapsed(),
            translator.made() - made
        );
    };
    round(&store, "from nothing");
    for i in [17, 18, 19] {
        let edit = format!(
            "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: s{i}, namespace: ns{}}}\nspec: {{hosts: [s{i}], http: [{{timeout: {i}s, route: [{{destination: {{host: s{i}}}}}]}}]}}\n",
            i % 100
        );
        let start = Instant::now();
        store.apply(changes(&edit));
        println!("store, one VirtualService: {:?}", start.elapsed());
        round(&store, "one VirtualService");
        let edit = format!(
            "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: s{i}, namespace: ns{}, labels: {{kubernetes.io/service-name: s{i}}}}}\naddressType: IPv4\nendpoints: [{{addresses: [10.1.0.{i}], targetRef: {{kind: Pod, name: s{i}-0}}}}]\nports: [{{name: http, port: 8080}}]\n",
            i % 100
        );
        let start = Instant::now();
        store.apply(changes(&edit));
        println!("store, one endpoint: {:?}", start.elapsed());
        round(&store, "one endpoint");
    }
}
