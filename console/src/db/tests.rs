use std::collections::BTreeMap;

use super::{SpanRecord, TraceFilter, open_traces};

fn span(trace: u32, span: u32, parent: &str, workload: &str, start_us: u64) -> SpanRecord {
    SpanRecord {
        trace_id: format!("{trace:032x}"),
        span_id: format!("{span:016x}"),
        parent_id: parent.into(),
        name: format!("GET /{span}"),
        workload: workload.into(),
        kind: "client",
        start_us,
        duration_us: 1000,
        error: false,
        attributes: BTreeMap::from([("b".into(), "2".into()), ("a".into(), "1".into())]),
    }
}

fn everything() -> TraceFilter {
    TraceFilter { workload: None, errors: false, min_us: 0, limit: 100 }
}

#[tokio::test]
async fn traces_are_listed_newest_first_and_filtered() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_traces(&dir.path().join("traces.db"), 1000).await.unwrap();
    let parent = format!("{:016x}", 1);
    let failed = SpanRecord { error: true, duration_us: 9000, ..span(2, 2, &parent, "shop/orders", 1500) };
    store
        .write(&[span(1, 1, "", "shop/web", 500), span(2, 1, "ffffffffffffffff", "shop/web", 1000), failed.clone()])
        .await
        .unwrap();
    // An exporter that repeats itself changes nothing.
    store.write(&[failed]).await.unwrap();
    assert_eq!(store.held(), 3);

    let rows = store.list(&everything()).await.unwrap();
    assert_eq!(rows.iter().map(|r| r.start_us).collect::<Vec<_>>(), [1000, 500]);
    assert_eq!((rows[0].root.as_str(), rows[0].workload.as_str()), ("GET /1", "shop/web"));
    assert_eq!((rows[0].spans, rows[0].error, rows[0].duration_us), (2, true, 9500));

    let only = async |filter: TraceFilter| store.list(&filter).await.unwrap().len();
    assert_eq!(only(TraceFilter { errors: true, ..everything() }).await, 1);
    assert_eq!(only(TraceFilter { min_us: 9500, ..everything() }).await, 1);
    assert_eq!(only(TraceFilter { workload: Some("shop/orders".into()), ..everything() }).await, 1);
    assert_eq!(only(TraceFilter { workload: Some("shop/nobody".into()), ..everything() }).await, 0);
    assert_eq!(only(TraceFilter { limit: 1, ..everything() }).await, 1);

    let spans = store.spans(&rows[0].trace_id).await.unwrap();
    assert_eq!(spans[1].attributes, [("a".into(), "1".into()), ("b".into(), "2".into())]);
    assert!(store.spans("none").await.unwrap().is_empty());
}

#[tokio::test]
async fn the_oldest_traces_make_room_and_old_ones_expire() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("traces.db");
    let store = open_traces(&file, 1000).await.unwrap();
    for batch in 0..12u32 {
        let spans: Vec<_> =
            (0..100).map(|n| span(batch * 100 + n, n, "", "shop/web", u64::from(batch * 100 + n))).collect();
        store.write(&spans).await.unwrap();
        assert!(store.held() <= 1000, "{}", store.held());
    }
    let rows = store.list(&TraceFilter { limit: 2000, ..everything() }).await.unwrap();
    assert_eq!(rows.len(), store.held());
    assert_eq!(rows.first().map(|r| r.start_us), Some(1199));
    store.expire(1190).await.unwrap();
    assert_eq!(store.held(), 10);
    store.close().await;
    assert_eq!(open_traces(&file, 1000).await.unwrap().held(), 10);
}

#[tokio::test]
async fn one_trace_cannot_take_all() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_traces(&dir.path().join("traces.db"), 100_000).await.unwrap();
    let spans: Vec<_> = (0..5200).map(|n| span(1, n, "", "shop/web", 1)).collect();
    store.write(&spans).await.unwrap();
    assert_eq!(store.held(), 5000);
}
