use std::fs;

use super::{merge::MOST_LINES, *};

const LINE: &str = r#"{"start_time":"2026-11-29T07:00:01.250Z","method":"GET","path":"/charge","protocol":"HTTP/1.1","response_code":503,"response_flags":"UF","response_code_details":"upstream_reset","connection_termination_details":null,"upstream_transport_failure_reason":null,"bytes_received":3,"bytes_sent":5,"duration":12,"upstream_service_time":null,"x_forwarded_for":null,"user_agent":null,"request_id":"x","authority":"pay:8080","upstream_host":"10.0.0.1:8080","upstream_cluster":"outbound|8080||pay.shop.svc.cluster.local","upstream_local_address":null,"downstream_local_address":null,"downstream_remote_address":"10.0.0.2:4","requested_server_name":null,"route_name":"default","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}"#;

#[test]
fn an_access_line_is_parsed() {
    let line = shown(None, "cart", "proxy", LINE);
    assert_eq!(line.at_ms, moment("2026-11-29T07:00:01.250Z"));
    let access = line.access.unwrap();
    assert_eq!((access.code, access.flags.as_str(), access.direction.as_str()), (503, "UF", "outbound"));
    assert_eq!((access.duration_ms, access.upstream_ms, access.bytes), (12.0, None, (3, 5)));
    assert_eq!(access.trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
}

#[test]
fn other_lines_stay_as_they_are() {
    let plain = shown(None, "cart", "app", "2026-11-29T07:00:01Z INFO <script>alert(1)</script>");
    assert!(plain.access.is_none() && plain.at_ms.is_some());
    assert!(shown(None, "cart", "app", "{\"a\": 1}").access.is_none());
    let long = shown(None, "cart", "app", &"é".repeat(10_000));
    assert_eq!(long.text.chars().count(), LONGEST + 1);
}

fn all(lines: usize) -> Wanted {
    Wanted { lines, trace: String::new() }
}

#[tokio::test]
async fn one_request_is_looked_for_further_back() {
    let dir = tempfile::tempdir().unwrap();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let more = "another line of the same log\n".repeat(20_000);
    fs::write(dir.path().join("shop.cart.app.log"), format!("trace {trace} first\ntrace {trace} second\n{more}"))
        .unwrap();
    let one = [("shop".to_owned(), "cart".to_owned())];
    assert_eq!(read(None, Some(dir.path()), &one, &all(2)).await.lines[0].text, "another line of the same log");
    let wanted = |trace: &str| Wanted { lines: 1, trace: trace.to_owned() };
    let logs = read(None, Some(dir.path()), &one, &wanted(trace)).await;
    let texts: Vec<_> = logs.lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!((texts.as_slice(), logs.problems.len()), (&[format!("trace {trace} second").as_str()][..], 0));
    fs::write(dir.path().join("shop.cart.app.log"), more.repeat(10)).unwrap();
    let logs = read(None, Some(dir.path()), &one, &wanted(trace)).await;
    assert!(logs.lines.is_empty() && logs.problems[0].contains("the last 4 MiB were searched"), "{:?}", logs.problems);
}

#[tokio::test]
async fn files_are_read_to_their_end_and_nothing_beside_them() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("cart.access.json"), format!("{}\n{LINE}\n", "x".repeat(300_000))).unwrap();
    fs::write(dir.path().join("shop.cart.app.log"), "one\ntwo\nthree\n").unwrap();
    fs::write(dir.path().join("secret"), "no\n").unwrap();
    let source = dir.path().join(".");
    let logs = read(None, Some(&source), &[("shop".into(), "cart".into())], &all(2)).await;
    let texts: Vec<_> = logs.lines.iter().map(|line| (line.container.as_str(), line.text.len())).collect();
    assert_eq!(texts, [("app", 3), ("app", 5), ("proxy", LINE.len())]);
    assert!(logs.available);
    let [cut] = logs.problems.as_slice() else { panic!("{:?}", logs.problems) };
    assert!(cut.contains("Of cart.access.json the newest lines are shown, 1 of the 2 asked for"), "{cut}");
    assert!(cut.contains("tail -n 2 "), "{cut}");
    for hostile in ["../secret", "a/b", ".hidden", ""] {
        let logs = read(None, Some(&source), &[("shop".into(), hostile.into())], &all(2)).await;
        assert!(logs.lines.is_empty() && logs.problems.len() == 1, "{hostile}");
    }
    assert!(!read(None, None, &[], &all(2)).await.available);
    assert_eq!(segment("a/../b"), "a%2F..%2Fb");
}

#[tokio::test]
async fn of_many_instances_and_lines_the_first_and_the_newest_are_shown() {
    let dir = tempfile::tempdir().unwrap();
    let lines: String = (0..MOST_LINES + 5).map(|n| format!("{n}\n")).collect();
    fs::write(dir.path().join("shop.cart.app.log"), lines).unwrap();
    let one = |name: String| ("shop".to_owned(), name);
    let logs = read(None, Some(dir.path()), &[one("cart".into())], &all(2 * MOST_LINES)).await;
    assert_eq!((logs.lines.len(), logs.lines[0].text.as_str()), (MOST_LINES, "5"));
    assert!(logs.problems[0].starts_with("5 older lines are left out"), "{:?}", logs.problems);
    let many: Vec<_> = (0..=MOST_INSTANCES).map(|n| one(format!("cart-{n}"))).collect();
    let logs = read(None, Some(dir.path()), &many, &all(10)).await;
    assert!(logs.problems[0].contains("Of 13 instances the first 12 are read"), "{:?}", logs.problems);
    assert_eq!(logs.commands.len(), MOST_INSTANCES);
}

#[tokio::test]
async fn whoever_finds_no_turn_is_told_so() {
    let turns = Semaphore::new(1);
    let soon = Duration::from_millis(50);
    let first = turn(&turns, soon).await;
    assert!(first.is_some());
    assert!(turn(&turns, soon).await.is_none(), "somebody else reads for longer than anybody waits");
    drop(first);
    assert!(turn(&turns, soon).await.is_some());
}

#[test]
fn the_fields_of_a_line_are_as_long_as_a_line() {
    let line = shown(None, "cart", "proxy", &LINE.replace("/charge", &format!("/{}", "x".repeat(100_000))));
    assert_eq!(line.access.unwrap().path.chars().count(), LONGEST + 1);
}
