//! `weft demo` as its users and their scripts know it.

use std::{
    ffi::OsString,
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

fn weft(cache: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(program("weft"));
    command.args(args).current_dir(root()).env("XDG_CACHE_HOME", cache).output().expect("weft runs")
}

/// What demos left below a cache directory.
fn left_in(cache: &Path) -> Vec<OsString> {
    let entries = std::fs::read_dir(cache.join("weft")).into_iter().flatten();
    entries.map(|entry| entry.expect("an entry").file_name()).collect()
}

#[tokio::test]
async fn runs_twice_side_by_side_and_leaves_nothing() {
    let first_base = free_base();
    let cache = tempfile::tempdir().unwrap();
    let mut first = Demo::start_in(cache.path(), first_base, &[]);
    let mut second = Demo::start_in(cache.path(), free_base(), &[]);
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
    let clash = weft(cache.path(), &["demo", "--port-base", &first_base.to_string()]);
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
    assert_eq!(left_in(cache.path()), Vec::<OsString>::new(), "left behind");
    // And the same base again.
    let again = Demo::start_in(cache.path(), first_base, &["--for=1s"]);
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
    let (cache, base) = (tempfile::tempdir().unwrap(), free_base());
    let mut demo = Demo::start_in(cache.path(), base, &[]);
    let pids = demo.pids();
    demo.process().kill();
    until("its processes are gone", Duration::from_secs(10), || async {
        let left = pids.iter().filter(|(_, _, pid)| alive(*pid)).count();
        ensure(left == 0, || format!("{left} still run"))
    })
    .await;
    // Its directory stayed, and the next demo at this base takes it over.
    let mut next = Demo::start_in(cache.path(), base, &[]);
    assert!(next.process().terminate(Duration::from_secs(15)).is_some_and(|status| status.success()));
    assert_eq!(left_in(cache.path()), Vec::<OsString>::new(), "left behind");
}

#[test]
fn an_impatient_or_a_closed_terminal_leaves_nothing() {
    let cache = tempfile::tempdir().unwrap();
    for signals in [&[libc::SIGINT, libc::SIGINT][..], &[libc::SIGHUP], &[libc::SIGTERM, libc::SIGHUP]] {
        let mut demo = Demo::start_in(cache.path(), free_base(), &[]);
        for number in signals {
            signal(demo.process().pid(), *number);
        }
        let ended = demo.process().wait(Duration::from_secs(15));
        assert!(ended.is_some_and(|status| status.success()), "{signals:?}: {ended:?}");
        let left: Vec<_> = demo.pids().into_iter().filter(|(_, _, pid)| alive(*pid)).collect();
        assert!(left.is_empty(), "{signals:?}: still running: {left:?}");
        assert_eq!(left_in(cache.path()), Vec::<OsString>::new(), "{signals:?} left something behind");
    }
}

#[test]
fn a_reader_that_goes_away_stops_it_in_order() {
    let cache = tempfile::tempdir().unwrap();
    let mut command = Command::new(program("weft"));
    let base = free_base().to_string();
    command.args(["demo", "--port-base", &base]).current_dir(root()).env("XDG_CACHE_HOME", cache.path());
    let mut child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(words.contains("standard output") && !words.contains("panicked"), "{words}");
    assert_eq!(left_in(cache.path()), Vec::<OsString>::new(), "left behind");
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
    let cache = tempfile::tempdir().unwrap();
    let busy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = (busy.local_addr().unwrap().port() - 1).to_string();
    let console_port_taken = ["demo", "--port-base", taken.as_str()];
    let cases: [&[&str]; 2] = [&["demo", "--manifests", "/does/not/exist"], &console_port_taken];
    for args in cases {
        let output = weft(cache.path(), args);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {words}");
        let lines: Vec<_> = words.lines().filter(|line| line.starts_with("weft: ")).collect();
        assert_eq!(lines.len(), 1, "{args:?}: {words}");
        assert!(lines[0].contains('('), "{args:?} names no remedy: {words}");
        assert_eq!(left_in(cache.path()), Vec::<OsString>::new(), "{args:?} left something behind");
    }
    // A listener of a proxy, not of the demo itself.
    let base = free_base();
    let [high, low] = base.to_be_bytes();
    let holder = std::net::TcpListener::bind((std::net::Ipv4Addr::new(127, high, low, 10), 8443)).unwrap();
    let output = weft(cache.path(), &["demo", "--for=1s", "--port-base", &base.to_string()]);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert!(words.contains(&holder.local_addr().unwrap().to_string()) && words.contains("--port-base"), "{words}");
    // A process that ends says why, once, in words that are still there afterwards.
    let output = weft(cache.path(), &["demo", "--cert-ttl=1s", "--port-base", &free_base().to_string()]);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{words}");
    let line = words.lines().find(|line| line.starts_with("weft: ")).unwrap_or_default();
    assert!(line.contains("--cert-ttl") && !line.contains(".log"), "{words}");
    assert_eq!(words.matches("--cert-ttl").count(), 1, "{words}");
    // What cannot be meant is refused before anything is started.
    let output = weft(cache.path(), &["demo", "--cert-ttl=abc"]);
    let (words, said) = (String::from_utf8_lossy(&output.stderr).into_owned(), output.stdout);
    assert_eq!((output.status.code(), said.is_empty()), (Some(2), true), "{words}");
    assert_eq!(words.matches("--cert-ttl").count(), 1, "{words}");
    let nowhere = Path::new("/proc/nowhere");
    let output = weft(nowhere, &["demo"]);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert!(words.contains("XDG_CACHE_HOME"), "{words}");
    let output =
        Command::new(program("weft")).arg("demo").current_dir(root()).env("PATH", "/nowhere").output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert!(words.contains("prometheus"), "{words}");
}
