//! `weft demo` as its users and their scripts know it.

use std::{
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

use weft_tests::{
    demo::{Demo, free_base},
    http::{get, get_tls},
    process::{program, root, signal},
    wait::{ensure, until},
};

fn alive(pid: u32) -> bool {
    // A zombie has ended; its parent has just not asked yet.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn weft(args: &[&str]) -> Output {
    Command::new(program("weft")).args(args).current_dir(root()).output().expect("weft runs")
}

#[tokio::test]
async fn runs_twice_side_by_side_and_leaves_nothing() {
    let first_base = free_base();
    let mut first = Demo::start_at(first_base, &[]);
    let mut second = Demo::start(&[]);
    for demo in [&first, &second] {
        let ca = demo.text("/gateways/0/certificate");
        let https = demo.text("/gateways/0/https").parse().unwrap();
        let answer = get_tls(https, "api.example.com", "/api/v1/orders", Path::new(&ca)).await.unwrap();
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["service"]),
            (200, &"order-service".into()),
            "{}",
            answer.text()
        );
        assert_eq!(get(demo.address("/console"), "127.0.0.1", "/", &[]).await.unwrap().status, 200);
        assert_eq!(get(demo.address("/prometheus"), "127.0.0.1", "/-/ready", &[]).await.unwrap().status, 200);
    }
    // A third one with a base that is taken says so in one line.
    let clash = weft(&["demo", "--port-base", &first_base.to_string()]);
    let words = String::from_utf8_lossy(&clash.stderr).into_owned();
    assert_eq!(clash.status.code(), Some(2), "{words}");
    assert!(words.contains("--port-base"), "{words}");

    for demo in [&mut first, &mut second] {
        let (pids, manifests) = (demo.pids(), demo.manifests());
        assert!(pids.len() >= 18, "{pids:?}");
        signal(demo.process().pid(), libc::SIGINT);
        let ended = demo.process().wait(Duration::from_secs(15));
        assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
        let left: Vec<_> = pids.iter().filter(|(_, _, pid)| alive(*pid)).collect();
        assert!(left.is_empty(), "still running: {left:?}");
        assert!(!manifests.exists(), "{} was left behind", manifests.display());
    }
    // And the same base again.
    let again = Demo::start_at(first_base, &["--for=1s"]);
    drop(again);
}

#[tokio::test]
async fn ends_by_itself() {
    let mut demo = Demo::start(&["--for=2s"]);
    let ready = Instant::now();
    let ended = demo.process().wait(Duration::from_secs(20));
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
    assert!(ready.elapsed() > Duration::from_millis(1500), "it ended after {:?}", ready.elapsed());
}

#[tokio::test]
async fn a_killed_demo_takes_its_processes_along() {
    let mut demo = Demo::start(&[]);
    let pids = demo.pids();
    demo.process().kill();
    until("its processes are gone", Duration::from_secs(10), || async {
        let left = pids.iter().filter(|(_, _, pid)| alive(*pid)).count();
        ensure(left == 0, || format!("{left} still run"))
    })
    .await;
}

#[tokio::test]
async fn a_killed_operator_comes_back_and_nothing_is_lost_meanwhile() {
    let demo = Demo::start(&[]);
    let pids = demo.pids();
    let (_, _, operator) = pids.iter().find(|(_, role, _)| role == "operator").expect("an operator");
    signal(*operator, libc::SIGKILL);
    let gateway = demo.text("/gateways/0/http").parse().unwrap();
    for _ in 0..50 {
        let answer = get(gateway, "shop.example.com", "/", &[]).await.unwrap();
        assert!(answer.status == 200 || answer.json()["service"] == "storefront", "{}", answer.text());
    }
    let admin = demo.address("/operatorAdmin");
    until("the operator is back and knows its proxies", Duration::from_secs(40), || async {
        let answer = get(admin, "operator", "/debug/syncz", &[]).await?;
        let count = answer.json().as_array().map_or(0, Vec::len);
        ensure(count == 7, || format!("{count} of 7 proxies"))
    })
    .await;
}

#[test]
fn bad_input_gets_one_line_and_exit_code_2() {
    let busy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = (busy.local_addr().unwrap().port() - 1).to_string();
    let console_port_taken = ["demo", "--port-base", taken.as_str()];
    let cases: [&[&str]; 2] = [&["demo", "--manifests", "/does/not/exist"], &console_port_taken];
    for args in cases {
        let output = weft(args);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {words}");
        let lines: Vec<_> = words.lines().filter(|line| line.starts_with("weft: ")).collect();
        assert_eq!(lines.len(), 1, "{args:?}: {words}");
        assert!(lines[0].contains('('), "{args:?} names no remedy: {words}");
    }
    let output =
        Command::new(program("weft")).arg("demo").current_dir(root()).env("PATH", "/nowhere").output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert!(words.contains("prometheus"), "{words}");
}
