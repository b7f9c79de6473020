use axum::{Router, http::HeaderMap as Headers, routing::get};
use tokio::net::TcpListener;

use super::*;
use crate::state::testing::node;

async fn app(router: Router) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

fn metrics(port: u16) -> AppMetrics {
    AppMetrics::parse(&format!(r#"{{"port":"{port}","path":"stats"}}"#)).unwrap()
}

#[tokio::test]
async fn the_applications_metrics_come_along() {
    let accepts_text = |headers: Headers| async move {
        assert!(headers["accept"].to_str().unwrap().starts_with("text/plain"));
        "app_total 7\n"
    };
    let port = app(Router::new().route("/stats", get(accepts_text))).await;
    let (text, outcome) = scrape(&node(), &metrics(port), "ours 1\n".into(), &HeaderMap::new()).await;
    outcome.unwrap();
    assert_eq!(text, "ours 1\napp_total 7\n");
}

#[tokio::test]
async fn ours_survive_whatever_the_application_does() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let missing = app(Router::new()).await;
    let silent = app(Router::new().route("/stats", get(std::future::pending::<&str>))).await;
    let huge = app(Router::new().route("/stats", get(|| async { "x".repeat(MAX_BYTES + 1) }))).await;
    let mut hurried = HeaderMap::new();
    hurried.insert(SCRAPE_TIMEOUT, HeaderValue::from_static("0.2"));
    for (port, scraper, why) in [
        (gone, HeaderMap::new(), "cannot connect"),
        (missing, HeaderMap::new(), "404"),
        (silent, hurried, "in time"),
        (huge, HeaderMap::new(), "longer than"),
    ] {
        let (text, outcome) = scrape(&node(), &metrics(port), "ours 1\n".into(), &scraper).await;
        assert_eq!(text, "ours 1\n");
        assert!(outcome.clone().unwrap_err().contains(why), "{outcome:?}");
    }
}

#[test]
fn the_place_is_what_the_annotations_say() {
    let read = |text| AppMetrics::parse(text);
    assert_eq!(read("{}").unwrap(), AppMetrics { port: 80, path: "/metrics".into(), tls: false });
    let given = read(r#"{"port":9090,"path":"/m?a=b","scheme":"https"}"#).unwrap();
    assert_eq!(given, AppMetrics { port: 9090, path: "/m?a=b".into(), tls: true });
    for bad in ["", "[]", r#"{"port":"http"}"#, r#"{"port":15020}"#, r#"{"scheme":"ftp"}"#, r#"{"path":"/a b"}"#] {
        assert!(read(bad).is_err(), "{bad}");
    }
}
