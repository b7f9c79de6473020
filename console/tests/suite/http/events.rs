//! The event stream.

use std::collections::BTreeSet;

use futures::StreamExt;

use super::*;

/// Reads events until `done` says so; gives their names and data.
async fn events(response: Response, mut done: impl FnMut(&[(String, Value)]) -> bool) -> Vec<(String, Value)> {
    let mut stream = std::pin::pin!(futures::stream::unfold(response, async |mut response| {
        let chunk = response.chunk().await.ok().flatten()?;
        Some((chunk, response))
    }));
    let (mut text, mut events) = (String::new(), Vec::new());
    while let Some(chunk) = tokio::time::timeout(SOON, stream.next()).await.expect("an event") {
        text.push_str(std::str::from_utf8(&chunk).unwrap());
        while let Some((one, rest)) = text.split_once("\n\n") {
            let field = |name: &str| one.lines().find_map(|line| line.strip_prefix(name));
            if let (Some(name), Some(data)) = (field("event: "), field("data: ")) {
                events.push((name.to_owned(), serde_json::from_str(data).unwrap()));
            }
            text = rest.to_owned();
        }
        if done(&events) {
            break;
        }
    }
    events
}

#[tokio::test]
async fn events_carry_the_whole_state_and_then_the_news() {
    let console = Running::start(&[]).await;
    let response = console.get("/api/v1/events?window=30").await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let file = console.file("orders.yaml");
    let mut edited = false;
    let heard = events(response, |events| {
        if events.len() >= 4 && !edited {
            edited = true;
            std::fs::write(&file, ORDERS.replace("weight: 90", "weight: 70").replace("weight: 10", "weight: 30"))
                .unwrap();
        }
        events
            .iter()
            .any(|(name, data)| name == "canaries" && data["canaries"][0]["shares"][0]["configuredPercent"] == 70.0)
    })
    .await;
    let first: BTreeSet<&str> = heard.iter().take(4).map(|(name, _)| name.as_str()).collect();
    assert_eq!(first, ["canaries", "config", "graph", "status"].into());
    assert_eq!(heard[0].0, "config", "what is configured waits for nobody");
    // What is large is asked for, compressed and in scope; the stream says when.
    for name in ["graph", "config"] {
        let told: Vec<&Value> = heard.iter().filter(|(of, _)| of == name).map(|(_, data)| data).collect();
        assert!(told.iter().all(|data| data.as_object().is_some_and(|data| data.len() == 1)), "{name}: {told:?}");
        let versions: BTreeSet<&str> = told.iter().filter_map(|data| data["version"].as_str()).collect();
        assert_eq!(versions.len(), told.len(), "{name} is told once a version: {told:?}");
    }
    assert!(heard.iter().filter(|(name, _)| name == "config").count() > 1, "the edit is told");

    let response = console.get("/api/v1/events").await;
    let shutdown = console.shutdown.clone();
    events(response, |_| {
        shutdown.begin();
        false
    })
    .await;
    console.stop().await;
}

#[tokio::test]
async fn what_is_configured_is_told_while_prometheus_hangs() {
    // It takes connections and never answers: the state of it is known after some seconds.
    let hung = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let console = Running::start(&[&format!("--prometheus=http://{}", hung.local_addr().unwrap())]).await;
    let response = console.get("/api/v1/events").await;
    let file = console.file("orders.yaml");
    let configs = |events: &[(String, Value)]| events.iter().filter(|(name, _)| name == "config").count();
    let mut written = 0;
    let heard = events(response, |events| {
        if configs(events) > written && written < 2 {
            written += 1;
            std::fs::write(&file, ORDERS.replace("weight: 90", &format!("weight: {}", 90 + written))).unwrap();
        }
        configs(events) == 3 || events.iter().any(|(name, _)| name == "status")
    })
    .await;
    assert_eq!(configs(&heard), 3, "each edit is told before Prometheus is given up");
    console.stop().await;
}
