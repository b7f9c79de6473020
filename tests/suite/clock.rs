//! A machine whose clock is a year off: it gets no certificate and says why; everybody else is served.

use std::{path::Path, process::Command, time::Duration};

use weft_tests::{
    estate::{Estate, Workload, join_token},
    http::get,
    process::{Process, program},
    wait::{ensure, until},
};

#[tokio::test]
async fn a_proxy_with_a_wrong_clock_is_told_to_set_it_and_disturbs_nobody() {
    let library = ["x86_64", "aarch64"]
        .map(|arch| format!("/usr/lib/{arch}-linux-gnu/faketime/libfaketimeMT.so.1"))
        .into_iter()
        .find(|library| Path::new(library).exists())
        .expect("libfaketime, which scripts/bootstrap test installs");
    let workloads = vec![
        Workload::new("shop", "store"),
        Workload::new("shop", "web").client(),
        Workload::new("shop", "late").unmeshed(),
        Workload::new("shop", "early").unmeshed(),
    ];
    let estate = Estate::start(workloads, &[]).await;
    for (name, offset) in [("late", "-1y"), ("early", "+1y")] {
        let token = estate.logs().join(format!("{name}.token"));
        std::fs::write(&token, join_token(&estate.state_dir(), "shop", name)).unwrap();
        let address = estate.at(&format!("shop/{name}"), 1).ip();
        let mut command = Command::new(program("weft-proxy"));
        command
            .envs([("LD_PRELOAD", &*library), ("FAKETIME", offset), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")])
            .arg(format!("--control-plane={}", estate.control_plane()))
            .args([format!("--workload={name}"), format!("--service-account={name}"), format!("--address={address}")])
            .args(["--namespace=shop", "--role=sidecar"])
            .arg(format!("--join-token-file={}", token.display()));
        let mut proxy = Process::spawn(&format!("{name}.proxy"), &mut command, &estate.logs());
        until(&format!("{name} is told about its clock"), Duration::from_secs(20), || {
            proxy.assert_running();
            let said = proxy.output();
            async move { ensure(said.contains("this machine's clock"), || said.clone()) }
        })
        .await;
        let readiness = (address, weft_model::ports::PROXY_READINESS).into();
        let answer = get(readiness, "proxy", "/healthz/ready", &[]).await.unwrap();
        assert_eq!(answer.status, 503, "not ready without a certificate: {}", answer.text());
        let answer = get(estate.egress("shop/web"), "store:8080", "/", &[]).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}
