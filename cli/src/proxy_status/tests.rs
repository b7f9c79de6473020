use weft_model::WorkloadRef;

use super::*;
use crate::cluster::pods::testing::pod;

fn sync(name: &str, at: u64, nack: Option<&str>) -> ProxySync {
    let kinds = ["cds", "lds", "eds", "rds"].map(|kind| TypeSync {
        kind: kind.into(),
        resources: 3,
        synced: true,
        nack: nack.filter(|_| kind == "lds").map(str::to_owned),
    });
    ProxySync {
        node: format!("sidecar~10.0.0.1~{name}.shop~shop.svc.cluster.local"),
        workload: WorkloadRef { namespace: "shop".into(), name: name.into() },
        identity: "spiffe://cluster.local/ns/shop/sa/web".into(),
        version: "0.1.0".into(),
        connected_at_ms: at,
        types: kinds.into(),
    }
}

#[test]
fn refusals_and_absences_stand_out() {
    let pods = [pod("shop", "web-1-a", "weft/proxy:1", "default"), pod("shop", "lost-1-a", "weft/proxy:1", "default")];
    let answers = vec![
        ("cp-1".to_owned(), Ok(vec![sync("web-1-a", 1, None)])),
        ("cp-2".to_owned(), Ok(vec![sync("web-1-a", 2, None), sync("bad", 1, Some("Listener x: no such filter"))])),
        ("cp-3".to_owned(), Err("no answer".to_owned())),
    ];
    let status = ProxyStatus::new(answers, &pods);
    assert!(!status.good());
    let names: Vec<_> =
        status.proxies.iter().map(|proxy| (proxy.name.as_str(), proxy.control_plane.as_str())).collect();
    assert_eq!(names, [("bad", "cp-2"), ("lost-1-a", ""), ("web-1-a", "cp-2")]);
    let text = status.text();
    for words in [
        "web-1-a.shop   synced (3)",
        "REFUSED",
        "unknown",
        "not known: lost-1-a.",
        "Listener x: no such filter",
        "cp-3 could not be asked: no answer",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn who_may_not_ask_is_told_no_untruth() {
    let pods = [pod("shop", "web-1-a", "weft/proxy:1", "default")];
    let forbidden = explain(&ForwardError::Forbidden("mesh".into()), "mesh", "cp");
    assert!(forbidden.contains("role that may get and create pods/portforward in namespace mesh"), "{forbidden}");
    let text = ProxyStatus::new(vec![("cp".into(), Err(forbidden))], &pods).text();
    assert!(text.contains("unknown") && !text.contains("istio-proxy"), "{text}");
    assert!(text.find("could not be asked") < text.find("not known: web-1-a"), "{text}");
    // Where everybody answered, what nobody knows is not connected.
    let text = ProxyStatus::new(vec![("cp".into(), Ok(Vec::new()))], &pods).text();
    assert!(text.contains("NOT CONNECTED") && text.contains("log of the container istio-proxy"), "{text}");
    // What runs nothing has no log, and what ends hangs up.
    let [mut waits, mut ends] = ["waits-1-a", "ends-1-a"].map(|name| pod("shop", name, "weft/proxy:1", "default"));
    waits.status = serde_json::from_value(serde_json::json!({"phase": "Pending"})).unwrap();
    ends.metadata.deletion_timestamp = serde_json::from_value(serde_json::json!("2026-01-01T00:00:00Z")).unwrap();
    let status = ProxyStatus::new(vec![("cp".into(), Ok(Vec::new()))], &[waits, ends]);
    let text = status.text();
    let hint = "Not running yet: shop/waits-1-a. What it waits for: kubectl -n shop describe pod waits-1-a";
    assert!(text.contains(hint) && !text.contains("istio-proxy") && !text.contains("ends-1-a"), "{text}");
    assert!(!status.good());
}

#[test]
fn without_a_right_to_pods_the_rest_is_shown_and_not_called_good() {
    let mut status = ProxyStatus::new(vec![("cp".into(), Ok(vec![sync("web-1-a", 1, None)]))], &[]);
    assert!(status.good());
    status.unread.push("cannot list pods: forbidden".into());
    let text = status.text();
    assert!(!status.good() && text.contains("web-1-a.shop") && text.contains("not shown: cannot list pods"), "{text}");
}

#[test]
fn one_proxy_is_found_by_each_of_its_names() {
    for name in ["web-1-a", "web-1-a.shop", "shop/web-1-a"] {
        let mut status =
            ProxyStatus::new(vec![("cp".into(), Ok(vec![sync("web-1-a", 1, None), sync("b", 1, None)]))], &[]);
        status.keep(name).unwrap();
        assert!(status.good() && status.proxies.len() == 1);
        assert!(status.text().contains("WDS"));
    }
    assert!(ProxyStatus::default().keep("none").unwrap_err().to_string().contains("weft proxy-status"));
}
