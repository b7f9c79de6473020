use std::collections::BTreeMap;

use super::*;
use crate::db::{SQLITE_TRACES, SpanRecord, database::Database};

/// What SQLite does for a search, step by step.
async fn plan(store: &TraceStore, filter: &TraceFilter) -> String {
    let shape = filter.shape().unwrap();
    let mut steps = String::new();
    for sql in [listing(shape), pointing(shape)] {
        let rows = store.database.explain(sql, filter.values(shape).unwrap()).await.unwrap();
        steps += &format!("{}\n", rows.join("\n"));
    }
    steps
}

fn named(workload: Option<&str>, operation: Option<&str>, tags: &[(&str, &str)]) -> TraceFilter {
    TraceFilter {
        workload: workload.map(str::to_owned),
        operation: operation.map(str::to_owned),
        tags: tags.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect(),
        limit: 50,
        ..TraceFilter::default()
    }
}

async fn store(dir: &tempfile::TempDir) -> TraceStore {
    let database = Database::sqlite(&dir.path().join("traces.db"), &SQLITE_TRACES).await.unwrap();
    let store = TraceStore::new(database, 100_000).await.unwrap();
    let spans: Vec<_> = (0..2000_u32)
        .map(|n| SpanRecord {
            trace_id: format!("{:032x}", n / 5),
            span_id: format!("{n:016x}"),
            parent_id: String::new(),
            name: format!("GET /{}", n % 7),
            workload: format!("shop/w{}", n % 11),
            kind: "client",
            start_us: u64::from(n),
            duration_us: 1,
            error: n % 13 == 0,
            attributes: BTreeMap::from([("call".to_owned(), n.to_string())]),
        })
        .collect();
    store.write(&spans).await.unwrap();
    store
}

#[tokio::test]
async fn no_search_reads_a_whole_table() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir).await;
    let shop = || Some(vec!["shop".to_owned()]);
    let tag = [("call", "7")];
    let searches = [
        (named(None, None, &[]), "USING INDEX traces_by_start"),
        (TraceFilter { errors: true, ..named(None, None, &[]) }, "USING INDEX traces_by_start"),
        (named(Some("shop/w1"), None, &[]), "USING COVERING INDEX spans_by_operation (workload=?"),
        (named(Some("shop/w1"), Some("GET /1"), &[]), "USING COVERING INDEX spans_by_operation (workload=?"),
        (TraceFilter { errors: true, ..named(Some("shop/w1"), None, &[]) }, "USING COVERING INDEX spans_by_operation"),
        (named(Some("shop/w1"), None, &tag), "USING INDEX spans_by_operation (workload=?"),
        (named(None, Some("GET /1"), &[]), "USING COVERING INDEX spans_by_trace (trace_id=?"),
        (
            TraceFilter { namespaces: shop(), ..named(None, None, &[]) },
            "USING COVERING INDEX spans_by_trace (trace_id=?",
        ),
        (named(None, None, &tag), "USING INDEX traces_by_start"),
        (TraceFilter { namespaces: shop(), ..named(None, None, &tag) }, "USING PRIMARY KEY (trace_id=?"),
    ];
    for analyzed in [false, true] {
        if analyzed {
            // What statistics say must not lead elsewhere either.
            store.database.run("ANALYZE", []).await.unwrap();
        }
        for (filter, index) in &searches {
            let plan = plan(&store, filter).await;
            assert_eq!(plan.matches(index).count(), 2, "the list and the heat map, {index}: {filter:?}\n{plan}");
            assert!(!plan.contains("SCAN"), "{filter:?}\n{plan}");
        }
        let one = store.database.explain("SELECT * FROM spans WHERE trace_id = $1 ORDER BY start_us", vec!["0".into()]);
        assert!(one.await.unwrap().concat().contains("USING PRIMARY KEY"));
    }
}

#[tokio::test]
async fn every_statement_finds_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir).await;
    let ids = async |filter: TraceFilter| {
        let filter = TraceFilter { limit: 1000, ..filter };
        let rows = store.list(&filter).await.unwrap();
        assert_eq!(store.points(&filter).await.unwrap().len(), rows.len());
        rows.into_iter().map(|row| row.trace_id).collect::<Vec<_>>()
    };
    let all = ids(named(None, None, &[])).await;
    assert_eq!(all.len(), 400);
    assert!(all.is_sorted_by(|a, b| a > b), "newest first");
    let of = ids(named(Some("shop/w1"), None, &[])).await;
    assert!(of.is_sorted_by(|a, b| a > b) && of.len() > 100 && of.len() < 400, "{}", of.len());
    assert_eq!(
        ids(TraceFilter { namespaces: Some(vec!["shop".into()]), ..named(Some("shop/w1"), None, &[]) }).await,
        of
    );
    let hidden = TraceFilter { namespaces: Some(vec!["bank".into()]), ..named(Some("shop/w1"), None, &[]) };
    assert!(ids(hidden).await.is_empty(), "a workload that is not seen");
    // Span 78 is of workload 1, operation 1, and failed; it is in trace 15.
    let span = named(Some("shop/w1"), Some("GET /1"), &[("call", "78")]);
    assert_eq!(ids(TraceFilter { errors: true, ..span.clone() }).await, [format!("{:032x}", 15)]);
    assert_eq!(ids(TraceFilter { workload: None, errors: true, ..span.clone() }).await, [format!("{:032x}", 15)]);
    assert!(ids(TraceFilter { operation: Some("GET /2".into()), ..span.clone() }).await.is_empty());
    assert!(ids(TraceFilter { from_us: Some(76), ..span }).await.is_empty(), "its trace began before");
    let last = TraceFilter { from_us: Some(1995), ..named(Some("shop/w5"), None, &[]) };
    assert_eq!(ids(last).await, [format!("{:032x}", 399)]);
}
