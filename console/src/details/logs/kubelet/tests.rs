use std::{convert::Infallible, sync::Arc};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::Query,
    response::IntoResponse,
    routing::get,
};
use serde::Deserialize;
use serde_json::json;

use super::*;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    tail_lines: usize,
    limit_bytes: usize,
}

/// A client of an API server with one pod of one container, whose log `answer` gives.
fn client<A: IntoResponse + 'static>(answer: impl Fn(Asked) -> A + Clone + Send + Sync + 'static) -> Client {
    let pod = json!({"spec": {"containers": [{"name": "app"}]}});
    let router: Router =
        Router::new().route("/api/v1/namespaces/shop/pods/cart", get(|| async move { Json(pod) })).route(
            "/api/v1/namespaces/shop/pods/cart/log",
            get(move |Query(asked): Query<Asked>| async move { answer(asked).into_response() }),
        );
    Client::new(router, "default")
}

/// The same as a kubelet cuts it: its last lines, and of these the first bytes.
fn cutting(log: Vec<u8>) -> Client {
    let log = Arc::new(log);
    client(move |asked| {
        let lines: Vec<&[u8]> = log.split_inclusive(|byte| *byte == b'\n').collect();
        let mut tail = lines[lines.len().saturating_sub(asked.tail_lines)..].concat();
        tail.truncate(asked.limit_bytes);
        tail
    })
}

async fn texts(client: &Client, lines: usize) -> (Vec<String>, Vec<String>) {
    let (mut logs, problems) = read(client, "shop", "cart", &Wanted { lines, trace: String::new() }).await.unwrap();
    assert_eq!(logs.len(), 1, "one container");
    (logs.remove(0).into_iter().map(|line| line.text).collect(), problems)
}

#[tokio::test]
async fn of_a_log_that_is_too_long_the_newest_lines_are_kept() {
    // About 2, 8 and 20 MiB in the thousand lines that are asked for: read at once, asked for again, and once more.
    for long in [1_000, 4_000, 10_000] {
        let line = |n: usize| format!("2026-11-29T07:00:01Z {n} {}\n", "é".repeat(long));
        let client = cutting((1_000..2_100).flat_map(|n| line(n).into_bytes()).collect());
        let (shown, problems) = texts(&client, 1_000).await;
        let fit = MOST_KEPT / line(1_000).len();
        assert_eq!(shown.len(), fit);
        for (at, text) in shown.iter().enumerate() {
            assert!(text.starts_with(&format!("{} é", 2_100 - fit + at)), "{text}");
        }
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains("container app in shop/cart"), "{problems:?}");
        assert!(problems[0].contains(&format!("{fit} of the 1000 asked for")), "{problems:?}");
    }
}

#[tokio::test]
async fn one_request_is_looked_for_in_more_lines_than_are_shown() {
    let other = "2026-11-29T07:00:03Z other\n".repeat(3_000);
    let log = format!("2026-11-29T07:00:01Z ab12 one\n2026-11-29T07:00:02Z ab12 two\n{other}");
    let wanted = Wanted { lines: 1, trace: "ab12".to_owned() };
    let (logs, problems) = read(&cutting(log.into()), "shop", "cart", &wanted).await.unwrap();
    let texts: Vec<_> = logs.concat().into_iter().map(|line| line.text).collect();
    assert_eq!((texts, problems), (vec!["ab12 two".to_owned()], Vec::new()));
    let (logs, problems) = read(&cutting(other.repeat(2).into()), "shop", "cart", &wanted).await.unwrap();
    assert!(logs.concat().is_empty() && problems[0].contains("the last 5000 lines were searched"), "{problems:?}");
}

#[tokio::test]
async fn a_log_that_fits_is_whole() {
    let log = "2026-11-29T07:00:01Z one\n2026-11-29T07:00:02Z two\n2026-11-29T07:00:03Z three\n";
    assert_eq!(texts(&cutting(log.into()), 2).await, (vec!["two".to_owned(), "three".to_owned()], Vec::new()));
    assert_eq!(texts(&cutting(Vec::new()), 2).await, (Vec::new(), Vec::new()));
    // Whatever an application writes is shown, as far as it is text.
    let other = b"2026-11-29T07:00:01Z caf\xe9\n".to_vec();
    assert_eq!(texts(&cutting(other), 2).await, (vec!["caf\u{fffd}".to_owned()], Vec::new()));
}

#[tokio::test]
async fn a_line_without_an_end_and_an_answer_without_one_are_read_within_bounds() {
    let (shown, problems) = texts(&cutting(vec![b'x'; 2 * MOST_READ]), 10).await;
    assert_eq!((shown.len(), problems.len()), (1, 1), "{problems:?}");
    let endless = client(|_| {
        let lines = Bytes::from("2026-11-29T07:00:01Z on and on\n".repeat(1_000));
        Body::from_stream(futures::stream::repeat(Ok::<_, Infallible>(lines)))
    });
    let (shown, problems) = texts(&endless, 10).await;
    assert!(shown.len() > 1_000 && shown.iter().all(|text| text == "on and on"), "{:?}", shown.first());
    assert_eq!(problems.len(), 1, "{problems:?}");
}
