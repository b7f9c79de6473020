//! The commands that ask a running mesh, over the demo. What they say of a cluster is tested on one.

mod console;

use std::process::{Command, Output};

use serde_json::Value;
use weft_tests::{
    demo::Demo,
    process::{program, root},
    wait::{ensure, until},
};

fn weft(args: &[&str]) -> Output {
    Command::new(program("weft")).args(args).current_dir(root()).output().expect("weft runs")
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn it_shows_what_every_proxy_has() {
    let demo = Demo::start(&[]);
    let operator = demo.text("/operatorAdmin");
    let status = until("every proxy is in step", std::time::Duration::from_secs(20), || async {
        let output = weft(&["proxy-status", "--operator-admin", &operator, "-o", "json"]);
        let json: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
        ensure(output.status.success(), || json.to_string())?;
        Ok(json)
    })
    .await;
    let proxies = status["proxies"].as_array().unwrap();
    assert_eq!(proxies.len(), 7, "{status}");
    assert!(proxies.iter().all(|proxy| proxy["connected"] == true), "{status}");
    let one = text(&weft(&["proxy-status", "checkout-bff.shop", "--operator-admin", &operator]));
    assert!(one.contains("checkout-bff.shop") && one.contains("WDS") && !one.contains("storefront"), "{one}");

    let list = demo.ready["proxies"].as_array().unwrap();
    let address =
        list.iter().find(|proxy| proxy["workload"] == "shop/checkout-bff").unwrap()["address"].as_str().unwrap();
    let admin = format!("http://{address}:15000");
    let part = |part: &str| text(&weft(&["proxy-config", part, "--proxy-admin", &admin]));
    assert!(
        part("routes").contains("outbound|8080|v2|order-service.shop.svc.cluster.local (10)"),
        "{}",
        part("routes")
    );
    assert!(part("listeners").contains("inbound"), "{}", part("listeners"));
    assert!(part("endpoints").contains("mutual TLS"), "{}", part("endpoints"));
    assert!(part("secrets").contains("spiffe://cluster.local/ns/shop/sa/checkout-bff"), "{}", part("secrets"));
    let json: Value = serde_json::from_str(&text(&weft(&[
        "proxy-config",
        "clusters",
        "--proxy-admin",
        &admin,
        "--name",
        "order-service",
        "-o",
        "json",
    ])))
    .unwrap();
    assert!(json.as_object().unwrap().keys().all(|name| name.contains("order-service")), "{json}");
}

#[test]
fn it_completes_and_works_as_a_plugin() {
    assert!(text(&weft(&["completion", "bash"])).contains("proxy-status"));
    let dir = tempfile::tempdir().unwrap();
    let plugin = dir.path().join("kubectl-weft");
    std::os::unix::fs::symlink(program("weft"), &plugin).unwrap();
    let help = Command::new(plugin).arg("--help").output().unwrap();
    assert!(text(&help).contains("Usage: kubectl weft <COMMAND>"), "{}", text(&help));
}

#[test]
fn without_a_cluster_it_says_how_to_name_one() {
    for command in ["status", "check", "proxy-status", "bug-report"] {
        let output = weft(&[command, "--kubeconfig", "/does/not/exist"]);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{command}: {words}");
        assert!(
            words.starts_with("weft: cannot find a cluster") && words.contains("--kubeconfig"),
            "{command}: {words}"
        );
    }
}
