use weft_model::{
    ObjectRef,
    canary::{FIRST_TCP, FIRST_TLS},
};

use super::*;
use crate::telemetry::prometheus::{Labels, Point};

fn edit(at_ms: u64, before: [u32; 2], after: [u32; 2]) -> Edit {
    Edit {
        id: at_ms.to_string(),
        at_ms,
        by: "ada".into(),
        object: ObjectRef::default(),
        route_index: 0,
        weights_before: before.to_vec(),
        weights_after: after.to_vec(),
        revision_before: String::new(),
        revision_after: String::new(),
        undoes: None,
    }
}

pub(super) fn split(route_index: usize) -> Split {
    let arm = |subset: &str| Arm {
        host: "h".into(),
        full_host: "h.ns".into(),
        subset: subset.into(),
        labels: BTreeMap::new(),
        missing: false,
        weight: 1,
        written: Some(1),
    };
    Split {
        object: ObjectRef::default(),
        content: String::new(),
        route_index,
        route: "http[0]".into(),
        arms: vec![arm("v1"), arm("v2")],
        testers: Vec::new(),
        ambiguous: None,
    }
}

fn spans(present: [f64; 2], edits: &[Edit], since_ms: Option<u64>) -> Vec<(u64, u64, f64)> {
    counted(present, edits, since_ms, Some(0))
}

fn counted(present: [f64; 2], edits: &[Edit], since_ms: Option<u64>, first_ms: Option<u64>) -> Vec<(u64, u64, f64)> {
    let spans = configured(&present, &Weights { edits, since_ms, known: &Known::default() }, first_ms);
    spans.into_iter().map(|span| (span.from_ms, span.until_ms, span.shares[1])).collect()
}

#[test]
fn moves_tell_what_was_configured_when() {
    let edits = [edit(300, [50, 50], [0, 100]), edit(200, [90, 10], [50, 50])];
    assert_eq!(spans([0.0, 1.0], &edits, Some(310)), [(300, u64::MAX, 1.0), (200, 300, 0.5), (0, 200, 0.1)]);
}

#[test]
fn before_anything_was_counted_nothing_was_configured() {
    let edits = [edit(200, [90, 10], [50, 50])];
    assert_eq!(counted([0.5, 0.5], &edits, None, Some(150)), [(200, u64::MAX, 0.5), (150, 200, 0.1)]);
    assert_eq!(counted([0.5, 0.5], &edits, None, Some(200)), [(200, u64::MAX, 0.5)]);
    assert_eq!(counted([0.5, 0.5], &edits, None, None), [(200, u64::MAX, 0.5)]);
}

#[test]
fn an_idle_split_is_counted_too() {
    let grid = Grid { times: vec![100, 105, 110], step_s: 5 };
    let track = |subset: &str, at: f64| Track {
        labels: Labels::from([("host", "h.ns"), ("subset", subset)]),
        points: vec![Point { at, value: 0.0 }],
    };
    assert_eq!(first_ms(&grid, &split(0).arms, &[track("v1", 110.0), track("v2", 105.0)]), Some(105_000));
    assert_eq!(first_ms(&grid, &split(0).arms, &[track("other", 100.0)]), None);
}

#[tokio::test]
async fn what_moves_did_is_told_of_any_window() {
    let edits = [edit(1_000_000_000, [90, 10], [50, 50])];
    let (estate, known) = (Estate::default(), Known::default());
    let weights = Weights { edits: &edits, since_ms: None, known: &known };
    let course = course(None, &split(0), &estate, &weights, 300, 2_000_000_000).await;
    let ids: Vec<&str> = course.moves.iter().map(|one| one.id.as_str()).collect();
    assert_eq!((ids, course.sources.asked), (vec!["1000000000"], 5));
}

#[tokio::test]
async fn what_is_known_of_a_move_stays_known_when_newer_ones_come() {
    let edits: Vec<Edit> = (0..10).rev().map(|nth| edit(1_000_000_000 + nth, [90, 10], [50, 50])).collect();
    let (estate, known) = (Estate::default(), Known::default());
    let old = weft_model::canary::MoveEffect {
        id: edits[9].id.clone(),
        at_ms: edits[9].at_ms,
        errors_before: Some(0.0),
        errors_after: Some(0.5),
        before_s: 300,
        after_s: 120,
    };
    known.keep(&old);
    let weights = Weights { edits: &edits, since_ms: None, known: &known };
    let course = course(None, &split(0), &estate, &weights, 300, 2_000_000_000).await;
    assert_eq!((course.moves.len(), course.moves.last()), (9, Some(&old)));
}

#[test]
fn what_was_changed_elsewhere_leaves_a_gap() {
    // After the move to 50/50 somebody set 80/20 by hand; it was acknowledged at 400.
    let edits = [edit(200, [90, 10], [50, 50])];
    assert_eq!(spans([0.8, 0.2], &edits, Some(400)), [(400, u64::MAX, 0.2), (0, 200, 0.1)]);
    assert_eq!(spans([0.8, 0.2], &edits, None), [(0, 200, 0.1)]);
    assert_eq!(spans([0.8, 0.2], &[], Some(7)), [(7, u64::MAX, 0.2)]);
    assert!(spans([0.8, 0.2], &[], None).is_empty());
}

#[test]
fn shares_are_of_each_moment() {
    let split = split(0);
    let track = |subset: &str, points: &[(f64, f64)]| Track {
        labels: Labels::from([("host", "h.ns"), ("subset", subset)]),
        points: points.iter().map(|(at, value)| Point { at: *at, value: *value }).collect(),
    };
    let grid = Grid { times: vec![100, 105, 110], step_s: 5 };
    let tracks = [track("v1", &[(100.0, 9.0), (110.0, 0.0)]), track("v2", &[(100.0, 1.0), (110.0, 0.0)])];
    let shares = observed(&rates(&grid, &split, &tracks));
    assert_eq!(shares, [[Some(90.0), None, None], [Some(10.0), None, None]]);
}

#[test]
fn a_destination_has_a_past_only_where_it_was_there() {
    let split = split(0);
    let grid = Grid { times: vec![100, 105, 110], step_s: 5 };
    let track = |subset: &str, points: &[(f64, f64)]| Track {
        labels: Labels::from([("host", "h.ns"), ("subset", subset)]),
        points: points.iter().map(|(at, value)| Point { at: *at, value: *value }).collect(),
    };
    // `v2` came in the place of `old`.
    let tracks = [
        track("v1", &[(100.0, 3.0), (105.0, 3.0), (110.0, 3.0)]),
        track("old", &[(100.0, 1.0), (105.0, 1.0)]),
        track("v2", &[(110.0, 1.0)]),
    ];
    let shares = observed(&rates(&grid, &split, &tracks));
    assert_eq!(shares[0], [Some(75.0), Some(75.0), Some(75.0)], "what went to the old one went somewhere");
    let born = |arm: usize, since_ms| born_ms(&grid, &split.arms[arm], &tracks, since_ms);
    assert_eq!((born(0, None), born(1, None)), (Some(100_000), Some(110_000)));
    assert_eq!(born(1, Some(107_000)), Some(107_000), "its weights were in force before its first request");
}

#[test]
fn a_subset_that_does_not_exist_has_only_what_failed_for_want_of_it() {
    let estate = Estate {
        hosts: [("h.ns".to_owned(), vec!["ns/a".to_owned()])].into(),
        workloads: [("ns/a".to_owned(), crate::estate::Workload::default())].into(),
        ..Estate::default()
    };
    let track = |workload: &str, code: &str, flags: &str, value: f64| Track {
        labels: Labels::from([
            ("reporter", REPORTER_SOURCE),
            ("destination_workload_namespace", "ns"),
            ("destination_workload", workload),
            ("destination_service", "h.ns"),
            ("response_code", code),
            ("response_flags", flags),
        ]),
        points: vec![Point { at: 100.0, value }],
    };
    let grid = Grid { times: vec![100], step_s: 5 };
    let pick = |subset: &str, value: f64| Track {
        labels: Labels::from([("host", "h.ns"), ("subset", subset)]),
        points: vec![Point { at: 100.0, value }],
    };
    let picked = [pick("v1", 1.5), pick("v2", 0.5)];
    let tracks = [track("a", "200", "-", 7.0), track("unknown", "503", "NC", 2.0), track("unknown", "503", "UH", 1.0)];
    let mut split = split(0);
    assert!(!outcomes(&split, 60).contains("response_flags"), "it is not asked for where nothing is missing");
    let fared = |split: &Split| {
        let picks = rates(&grid, split, &picked);
        let of = |index: usize| {
            let picks: Vec<f64> = picks.iter().map(|line| line[0]).collect();
            let lost = [lost_part(split, index, &picks)];
            Fared::read(&grid, &split.arms[index], &estate, (&tracks, &[]), &lost).counts(grid.step_s)
        };
        [of(0), of(1)]
    };
    assert_eq!(fared(&split), [(0, 35), (0, 35)]);
    split.arms[1].missing = true;
    assert_eq!(fared(&split), [(0, 35), (10, 10)]);
    split.arms[0].missing = true;
    assert_eq!(fared(&split), [(8, 8), (3, 3)], "each has its own, by how often it was picked");
    split.arms[0].missing = false;
    let asked = outcomes(&split, 60);
    assert!(asked.contains("response_flags") && asked.contains(", destination_service)"), "{asked}");
}

#[test]
fn what_came_by_other_routes_is_told_as_such_and_not_compared() {
    let code = |code: &str, rate: f64| CodeRate { code: code.into(), flags: "-".into(), rate, ..CodeRate::default() };
    let fared = Fared { codes: vec![vec![code("200", 90.0), code("503", 10.0)]], buckets: vec![BTreeMap::new()] };
    let arm = |picked| ArmCourse { whole: fared.whole(5, Some((0, 500)), picked), ..ArmCourse::default() };
    let [own, some, none, unknown] = [Some(480), Some(240), Some(0), None].map(arm);
    assert_eq!((own.whole.requests, own.whole.picked), (500, Some(480)));
    assert!(!own.is_called_elsewhere() && some.is_called_elsewhere() && none.is_called_elsewhere());
    assert!(!unknown.is_called_elsewhere(), "nobody knows by which ways they came");
    assert!(own.whole.more_errors.is_some() && some.whole.more_errors.is_some());
    assert_eq!((none.whole.more_errors, none.whole.error_share), (None, Some(0.1)), "this route sent nothing there");
    assert!(unknown.whole.more_errors.is_some());
    let silent = ArmCourse { whole: ArmTotal { requests: 3, picked: Some(0), ..ArmTotal::default() }, ..none };
    assert!(!silent.is_called_elsewhere(), "a few may be of the moment before");
}

#[test]
fn durations_are_asked_for_where_they_are_shown() {
    let names = |index: usize| queries(&split(index), 60).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(0), ["split", "rate and errors", "duration"]);
    for opaque in [FIRST_TLS, FIRST_TCP] {
        assert_eq!(names(opaque), ["split", "rate and errors"], "connections have none");
    }
    let asked = queries(&split(FIRST_TCP), 60);
    assert!(asked.iter().all(|(_, promql)| !promql.contains(REQUEST_DURATION)), "{asked:?}");
}

#[tokio::test]
async fn what_is_not_asked_for_is_not_missing() {
    let (estate, known) = (Estate::default(), Known::default());
    let weights = Weights { edits: &[], since_ms: None, known: &known };
    let (http, tcp) = (split(0), split(FIRST_TCP));
    let http = course(None, &http, &estate, &weights, 300, 1_000_000).await;
    let tcp = course(None, &tcp, &estate, &weights, 300, 1_000_000).await;
    assert_eq!((http.sources.asked, http.commands.len()), (3, 3));
    assert_eq!((tcp.sources.asked, tcp.commands.len()), (2, 2));
}
