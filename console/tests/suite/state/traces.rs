//! Received spans, in a file and in Postgres.

use std::collections::BTreeMap;

use weft_console::db::{Cursor, DatabaseUrl, SpanRecord, TraceFilter, TraceStore, open_traces};
use weft_model::trace::Span;

use crate::parts::Postgres;

/// Opens the store of one place again and again, with a cap.
struct Place {
    dir: tempfile::TempDir,
    url: DatabaseUrl,
}

impl Place {
    async fn open(&self, max_spans: usize) -> TraceStore {
        open_traces(&self.url, &self.dir.path().join("traces.db"), max_spans).await.unwrap()
    }
}

async fn on_both(test: impl AsyncFn(Place)) {
    eprintln!("on SQLite");
    let dir = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::in_directory(dir.path());
    test(Place { dir, url }).await;
    eprintln!("on Postgres");
    let url = Postgres::shared().database().await.parse().unwrap();
    // Beside what people keep, as a console has it.
    super::open(&Postgres::shared().database().await).await.close().await;
    test(Place { dir: tempfile::tempdir().unwrap(), url }).await;
}

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
    TraceFilter { limit: 100, ..TraceFilter::default() }
}

#[tokio::test]
async fn traces_are_listed_newest_first_and_filtered() {
    on_both(async |place: Place| {
        let store = place.open(1000).await;
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
        assert_eq!(rows.iter().map(|row| row.start_us).collect::<Vec<_>>(), [1000, 500]);
        assert_eq!((rows[0].root.as_str(), rows[0].workload.as_str()), ("GET /1", "shop/web"));
        assert_eq!((rows[0].spans, rows[0].error, rows[0].duration_us), (2, true, 9500));
        let points = store.points(&everything()).await.unwrap();
        assert_eq!(
            points.iter().map(|point| (point.duration_us, point.error)).collect::<Vec<_>>(),
            [(9500, true), (1000, false)]
        );

        let only = async |filter: TraceFilter| store.list(&filter).await.unwrap().len();
        let orders = || Some("shop/orders".to_owned());
        let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(only(TraceFilter { errors: true, ..everything() }).await, 1);
        assert_eq!(only(TraceFilter { min_us: Some(9500), ..everything() }).await, 1);
        assert_eq!(only(TraceFilter { max_us: Some(9499), ..everything() }).await, 1);
        assert_eq!(only(TraceFilter { from_us: Some(501), to_us: Some(1000), ..everything() }).await, 1);
        assert_eq!(only(TraceFilter { to_us: Some(999), ..everything() }).await, 1);
        assert_eq!(only(TraceFilter { workload: orders(), ..everything() }).await, 1);
        assert_eq!(only(TraceFilter { workload: Some("shop/nobody".into()), ..everything() }).await, 0);
        assert_eq!(only(TraceFilter { operation: Some("GET /1".into()), ..everything() }).await, 2);
        // Of one and the same span.
        assert_eq!(only(TraceFilter { operation: Some("GET /1".into()), workload: orders(), ..everything() }).await, 0);
        assert_eq!(only(TraceFilter { operation: Some("GET /1".into()), errors: true, ..everything() }).await, 0);
        assert_eq!(only(TraceFilter { tags: vec![tag("a", "1"), tag("b", "2")], ..everything() }).await, 2);
        assert_eq!(only(TraceFilter { tags: vec![tag("a", "1"), tag("b", "3")], ..everything() }).await, 0);
        assert_eq!(only(TraceFilter { limit: 1, ..everything() }).await, 1);

        assert_eq!(store.workloads().await.unwrap(), ["shop/orders", "shop/web"]);
        assert_eq!(store.operations("shop/orders").await.unwrap(), ["GET /2"]);
        let like =
            Span { workload: "shop/web".into(), name: "GET /1".into(), kind: "client".into(), ..Span::default() };
        assert_eq!(store.durations(&like, 0, 10).await.unwrap(), [1000, 1000]);
        assert_eq!(store.durations(&like, 501, 10).await.unwrap(), [1000]);

        let spans = store.spans(&rows[0].trace_id).await.unwrap();
        assert_eq!(spans[1].attributes, [("a".into(), "1".into()), ("b".into(), "2".into())]);
        assert!(store.spans("none").await.unwrap().is_empty());
    })
    .await;
}

/// One sender's clock is an hour off, ahead or behind: the list and the heat map say what the waterfall says.
#[tokio::test]
async fn a_clock_that_is_off_makes_no_trace_longer() {
    on_both(async |place: Place| {
        let store = place.open(1000).await;
        const HOUR_US: u64 = 3_600_000_000;
        let begun = 10 * HOUR_US;
        for (trace, off) in [(1, begun + HOUR_US + 300), (2, begun - HOUR_US + 300)] {
            let root = SpanRecord { duration_us: 100_000, ..span(trace, 1, "", "shop/web", begun) };
            let callee = span(trace, 2, &root.span_id, "shop/orders", off);
            // The callee's exporter is the faster one: the row settles once the root is there.
            store.write(&[callee]).await.unwrap();
            store.write(&[root]).await.unwrap();
        }
        let rows = store.list(&everything()).await.unwrap();
        let told: Vec<_> = rows.iter().map(|row| (row.start_us, row.duration_us, row.spans)).collect();
        assert_eq!(told, [(begun, 100_000, 2), (begun, 100_000, 2)]);
        let points = store.points(&everything()).await.unwrap();
        assert!(points.iter().all(|point| point.duration_us == 100_000), "{points:?}");
        // Searches go by what is shown.
        let only = async |filter: TraceFilter| store.list(&filter).await.unwrap().len();
        assert_eq!(only(TraceFilter { min_us: Some(100_001), ..everything() }).await, 0);
        let of = TraceFilter { workload: Some("shop/orders".into()), from_us: Some(begun), ..everything() };
        assert_eq!(only(of).await, 2);
    })
    .await;
}

#[tokio::test]
async fn pages_go_on_where_the_last_one_ended() {
    on_both(async |place: Place| {
        let store = place.open(1000).await;
        // Several that began at one moment.
        let spans: Vec<_> = (0..50).map(|n| span(n, n, "", "shop/web", u64::from(n / 7))).collect();
        store.write(&spans).await.unwrap();
        let mut filter = TraceFilter { limit: 9, ..everything() };
        let mut seen = Vec::new();
        loop {
            let page = store.list(&filter).await.unwrap();
            let Some(last) = page.last() else { break };
            filter.before = Some(Cursor { start_us: last.start_us, trace_id: last.trace_id.clone() });
            // What comes meanwhile is not on later pages.
            store.write(&[span(1000 + last.start_us as u32, 1, "", "shop/web", 100)]).await.unwrap();
            seen.extend(page.into_iter().map(|row| (row.start_us, row.trace_id)));
        }
        assert_eq!(seen.len(), 50);
        assert!(seen.is_sorted_by(|a, b| a > b), "{seen:?}");
    })
    .await;
}

#[tokio::test]
async fn nothing_is_found_in_namespaces_that_are_not_seen() {
    on_both(async |place: Place| {
        let store = place.open(1000).await;
        let parent = format!("{:016x}", 1);
        let mut secret = span(1, 2, &parent, "bank/till", 10);
        secret.attributes.insert("pin".into(), "1234".into());
        let nowhere = span(2, 1, "", "unknown", 10);
        store.write(&[span(1, 1, "", "shop/web", 10), secret, nowhere]).await.unwrap();
        let found = async |namespaces: &[&str], tags: &[(&str, &str)]| {
            let namespaces = Some(namespaces.iter().map(|&name| name.to_owned()).collect());
            let tags = tags.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
            store.list(&TraceFilter { namespaces, tags, ..everything() }).await.unwrap().len()
        };
        assert_eq!(found(&["bank", "shop"], &[("pin", "1234")]).await, 1);
        assert_eq!(found(&["shop"], &[]).await, 1);
        assert_eq!(found(&["shop", "x"], &[("pin", "1234")]).await, 0, "a tag of a hidden span tells nothing");
        assert_eq!(found(&["ban", "sho"], &[]).await, 0);
        assert_eq!(found(&[], &[]).await, 0);
        assert_eq!(found(&["", "shop"], &[]).await, 2, "what belongs to none is for those who see it");
    })
    .await;
}

#[tokio::test]
async fn hostile_names_are_kept_and_found_as_they_are() {
    on_both(async |place: Place| {
        let store = place.open(1000).await;
        let hostile =
            r#"<script>alert(1)</script>'; DROP TABLE spans; -- "k":"v" % _ \ "#.to_owned() + "\u{202e}gnirts $1 ?";
        let mut odd = span(1, 1, "", "shop/web", 1);
        odd.name.clone_from(&hostile);
        odd.attributes = BTreeMap::from([(hostile.clone(), hostile.clone()), ("nul".into(), "a\0b".into())]);
        store.write(&[odd, span(2, 1, "", "shop/we\0b", 2)]).await.unwrap();
        let found = async |key: &str, value: &str| {
            let tags = vec![(key.to_owned(), value.to_owned())];
            store.list(&TraceFilter { tags, ..everything() }).await.unwrap().len()
        };
        assert_eq!(found(&hostile, &hostile).await, 1);
        assert_eq!(found("nul", "a\0b").await, 1);
        assert_eq!(found("k", "v").await, 0, "quoted inside of a text it is no tag");
        assert_eq!(found("nul", "%").await, 0);
        assert_eq!(store.operations("shop/web").await.unwrap(), [hostile.as_str()]);
        assert_eq!(store.list(&everything()).await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn the_oldest_traces_make_room_and_old_ones_expire() {
    on_both(async |place: Place| {
        let store = place.open(1000).await;
        for batch in 0..12u32 {
            let spans: Vec<_> =
                (0..100).map(|n| span(batch * 100 + n, n, "", "shop/web", u64::from(batch * 100 + n))).collect();
            store.write(&spans).await.unwrap();
            assert!(store.held() <= 1000, "{}", store.held());
        }
        let rows = store.list(&TraceFilter { limit: 2000, ..everything() }).await.unwrap();
        assert_eq!(rows.len(), store.held());
        assert_eq!(rows.first().map(|row| row.start_us), Some(1199));
        store.expire(1190).await.unwrap();
        assert_eq!(store.held(), 10);
        store.close().await;
        assert_eq!(place.open(1000).await.held(), 10);
    })
    .await;
}

#[tokio::test]
async fn one_trace_cannot_take_all() {
    on_both(async |place: Place| {
        let store = place.open(100_000).await;
        let spans: Vec<_> = (0..5200).map(|n| span(1, n, "", "shop/web", 1)).collect();
        store.write(&spans).await.unwrap();
        assert_eq!(store.held(), 5000);
    })
    .await;
}

#[tokio::test]
async fn consoles_that_share_a_postgres_count_together() {
    let url: DatabaseUrl = Postgres::shared().database().await.parse().unwrap();
    let place = Place { dir: tempfile::tempdir().unwrap(), url };
    let (one, other) = (place.open(1000).await, place.open(1000).await);
    let batch = |from: u32| (from..from + 50).map(|n| span(7, n, "", "shop/web", 1)).collect::<Vec<_>>();
    let writes = (0..20).map(|turn| {
        let store = if turn % 2 == 0 { one.clone() } else { other.clone() };
        let spans = batch(turn * 25);
        async move { store.write(&spans).await.unwrap() }
    });
    futures::future::join_all(writes).await;
    let row = one.list(&everything()).await.unwrap().remove(0);
    assert_eq!(row.spans, 525, "the trace's row counts what both wrote");
    assert_eq!(place.open(1000).await.held(), 525);
}
