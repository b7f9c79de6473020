//! What was, over time: moves of weights, courses, charts, logs; and saved views.

use std::fmt::Write as _;

use weft_model::{
    audit::{WeightChange, WeightHistory},
    canary::{ArmCourse, Course},
    details::{Charts, Logs},
    graph::{Line, SeriesAnswer},
    views::SavedViews,
};

use super::{clean, figure, gaps, millis, moment, note, percent, section, table};

/// Who moved the weights, the newest move first.
pub fn history(history: &WeightHistory) -> String {
    let weights = |weights: &[u32]| weights.iter().map(u32::to_string).collect::<Vec<_>>().join("/");
    let row = |change: &WeightChange| {
        vec![
            moment(change.at_ms),
            change.by.clone(),
            weights(&change.from),
            weights(&change.to),
            change.undoes.clone().unwrap_or_default(),
            change.id.clone(),
        ]
    };
    let head = ["TIME", "BY", "FROM", "TO", "TAKES BACK", "MOVE"];
    let mut text = table(&head, history.changes.iter().map(row).collect(), "Nobody moved it through this console.");
    if history.more {
        text.push_str("\nThere are older moves: a larger --limit shows them.\n");
    }
    text
}

/// Lines as they were written, each with its instance and container, and what could not be read. They are no table: a
/// line is shown whole, however long it is.
pub fn logs(logs: &Logs) -> String {
    let mut text = String::new();
    for line in &logs.lines {
        let at = line.at_ms.map(moment).unwrap_or_default();
        let from = format!("{}/{}", clean(&line.instance), clean(&line.container));
        let _ = writeln!(text, "{at:<20}  {from}  {}", clean(&line.text.replace('\t', "    ")));
    }
    if logs.lines.is_empty() && logs.available {
        text.push_str("Nothing was written.\n");
    }
    logs.problems.iter().for_each(|problem| text.push_str(&note(Some(problem))));
    text
}

/// Each destination over the whole time, what moves did to errors, then moment by moment.
pub fn course(course: &Course) -> String {
    let whole = course.arms.iter().map(|arm| {
        let more = arm.whole.more_errors.map(|(more, low, high)| {
            format!("{} ({} to {})", percent(Some(more)), percent(Some(low)), percent(Some(high)))
        });
        vec![
            arm.name.clone(),
            arm.whole.requests.to_string(),
            format!("{}/s", figure(arm.whole.rate)),
            percent(arm.whole.error_share),
            more.unwrap_or_default(),
            millis(arm.whole.p95_ms),
        ]
    });
    let head = ["DESTINATION", "COUNTED", "RATE", "ERRORS", "MORE THAN THE FIRST", "P95"];
    let mut text = table(&head, whole.collect(), "Nothing is known of its destinations.");
    let moves = course
        .moves
        .iter()
        .map(|one| vec![moment(one.at_ms), percent(one.errors_before), percent(one.errors_after), one.id.clone()]);
    text.push_str(&section("Moves:", &["TIME", "ERRORS BEFORE", "ERRORS AFTER", "MOVE"], moves.collect()));
    for arm in &course.arms {
        let head = ["TIME", "CONFIGURED", "OBSERVED", "RATE", "ERRORS", "P95"];
        let rows = course.times_ms.iter().enumerate().map(|(nth, at_ms)| point(arm, nth, *at_ms));
        text.push_str(&section(&format!("{}:", clean(&arm.name)), &head, rows.collect()));
    }
    text + &gaps(&course.sources)
}

fn point(arm: &ArmCourse, nth: usize, at_ms: u64) -> Vec<String> {
    let of = |values: &[Option<f64>], unit: &str| {
        let value = values.get(nth).copied().flatten();
        value.map(|value| format!("{}{unit}", figure(value))).unwrap_or_default()
    };
    vec![
        moment(at_ms),
        of(&arm.configured_percent, " %"),
        of(&arm.observed_percent, " %"),
        of(&arm.rate, "/s"),
        of(&arm.error_percent, " %"),
        of(&arm.p95_ms, " ms"),
    ]
}

/// Chart by chart, moment by moment.
pub fn charts(charts: &Charts) -> String {
    let mut text = match charts.reporter.as_str() {
        "either" => "Counted by callers' proxies, and by the called one's where a caller has none.\n".to_owned(),
        side => format!("Counted by proxies at the {}.\n", clean(side)),
    };
    for chart in &charts.charts {
        let _ = write!(text, "\n{}:\n{}", clean(&chart.title), lines(&charts.times_ms, &chart.lines));
        if chart.more > 0 {
            let _ = writeln!(text, "and {} more lines", chart.more);
        }
    }
    text + &gaps(&charts.sources)
}

/// All lines of a node or a call, moment by moment.
pub fn series(series: &SeriesAnswer) -> String {
    lines(&series.times_ms, &series.lines) + &gaps(&series.sources)
}

fn lines(times_ms: &[u64], lines: &[Line]) -> String {
    let unit = |line: &Line| if line.unit.is_empty() { String::new() } else { format!(" ({})", line.unit) };
    let names: Vec<String> = lines.iter().map(|line| clean(&format!("{}{}", line.name, unit(line)))).collect();
    let head: Vec<&str> = std::iter::once("TIME").chain(names.iter().map(String::as_str)).collect();
    let value = |line: &Line, nth: usize| line.values.get(nth).copied().flatten().map(figure).unwrap_or_default();
    let rows =
        times_ms.iter().enumerate().filter(|_| !lines.is_empty()).map(|(nth, at_ms)| {
            std::iter::once(moment(*at_ms)).chain(lines.iter().map(|line| value(line, nth))).collect()
        });
    table(&head, rows.collect(), "Nothing was counted in that time.")
}

/// Views that were given a name.
pub fn views(list: &SavedViews) -> String {
    let rows = list.views.iter().map(|view| {
        let shared = if view.shared { "yes" } else { "" };
        vec![view.name.clone(), view.owner.clone(), shared.to_owned(), moment(view.created_ms), view.location.clone()]
    });
    table(&["NAME", "OWNER", "SHARED", "SAVED", "ADDRESS BEHIND #"], rows.collect(), "No view is saved.")
}
