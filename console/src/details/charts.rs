//! Rate, errors, duration and bytes over time, split by a label.

use std::collections::BTreeMap;

use futures::future::join_all;
use weft_model::{
    details::{Chart, Charts, Subject},
    graph::Line,
    metrics::{
        REQUEST_BYTES, REQUEST_DURATION, REQUESTS_TOTAL, RESPONSE_BYTES, STANDARD_LABELS, TCP_CONNECTIONS_OPENED_TOTAL,
        TCP_RECEIVED_BYTES_TOTAL, TCP_SENT_BYTES_TOTAL, UNKNOWN,
    },
};

use crate::{
    graph::{
        Reporter,
        series::{Choice, literally, quoted},
        tally,
    },
    telemetry::prometheus::{Labels, Prometheus, QueryError, Track},
};

/// Says that each event was counted once, by the one side or the other.
const EITHER: &str = "either";
/// Lines of one chart at most; nobody tells more apart.
const MOST_LINES: usize = 8;
/// Points of a line.
const POINTS: u64 = 60;
/// The shortest time that a chart shows, in seconds: fewer points are no line.
const SHORTEST_S: u64 = 300;

/// What to chart.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What it is about.
    pub subject: Subject,
    /// Its namespace.
    pub namespace: String,
    /// Its name; of a service its full host name.
    pub name: String,
    /// What comes in, or what goes out.
    pub incoming: bool,
    /// Whose proxies count; `None` for each event once, as the graph has it: by the caller's, and by the called one's
    /// where the caller has none. What the caller's proxy answered itself no other one ever sees.
    pub reporter: Option<Reporter>,
    /// Matchers of all that goes between the same workloads, where what is charted is only a part of it: of a service.
    pub between: Option<String>,
    /// Label that lines are told apart by; empty for none.
    pub split: String,
    /// Length of the window in seconds.
    pub window_s: u64,
    /// The console's own cluster, where Prometheus has series of several: charts are of what is in it.
    pub own: Option<String>,
}

impl Wanted {
    /// A label that may be split by.
    pub fn is_label(name: &str) -> bool {
        name.is_empty() || STANDARD_LABELS.contains(&name)
    }

    /// The label that says whose namespace a split's values belong to, so that nobody is shown what he may not see.
    fn owner(&self) -> Option<&'static str> {
        match self.split.as_str() {
            "destination_service" | "destination_service_name" | "destination_service_namespace" => {
                Some("destination_service_namespace")
            }
            label if label.starts_with("source_") => Some("source_workload_namespace"),
            label if label.starts_with("destination_") => Some("destination_workload_namespace"),
            _ => None,
        }
    }

    /// The label that says in which cluster a split's values are.
    fn owner_cluster(&self) -> Option<&'static str> {
        match self.split.as_str() {
            _ if self.own.is_none() => None,
            label if label.starts_with("source_") => Some("source_cluster"),
            label if label.starts_with("destination_") => Some("destination_cluster"),
            _ => None,
        }
    }

    /// Whether somebody may be shown one of a split's values. Rights are those of the own cluster.
    fn shows(&self, labels: &Labels, sees: &dyn Fn(&str) -> bool) -> bool {
        let namespace = self.owner().map(|owner| labels.get(owner));
        let Some(namespace) = namespace.filter(|name| !name.is_empty() && *name != UNKNOWN) else { return true };
        let elsewhere = self.owner_cluster().is_some_and(|cluster| Some(labels.get(cluster)) != self.own.as_deref());
        sees(namespace) && (!elsewhere || sees(""))
    }

    fn selector(&self) -> String {
        let end = if self.incoming { "destination" } else { "source" };
        let (namespace, name) = (quoted(&self.namespace), quoted(&self.name));
        let own = match self.subject {
            Subject::Namespace => format!("{end}_workload_namespace={name}"),
            Subject::App => format!("{end}_canonical_service={name},{end}_workload_namespace={namespace}"),
            Subject::Workload => format!("{end}_workload={name},{end}_workload_namespace={namespace}"),
            Subject::Service => format!("destination_service={name}"),
        };
        let cluster = match &self.own {
            None => String::new(),
            // What reached none of its workloads is in no cluster.
            Some(cluster) if self.incoming && self.subject == Subject::Service => {
                format!(",{end}_cluster=~{}", quoted(&format!("|{UNKNOWN}|{}", literally(cluster))))
            }
            Some(cluster) => format!(",{end}_cluster={}", quoted(cluster)),
        };
        format!("{own}{cluster}")
    }

    /// Seconds between two points, and over how many each point's rate is taken.
    pub fn steps(&self) -> (u64, u64) {
        let step = (self.window_s.max(SHORTEST_S) / POINTS).max(5);
        (step, (4 * step).max(30))
    }

    /// Queries by chart, line (empty where the split names it) and unit.
    pub fn queries(&self) -> Vec<(&'static str, &'static str, &'static str, String)> {
        let (_, rate_s) = self.steps();
        let selector = self.selector();
        let labels = match (self.split.as_str(), self.owner()) {
            ("", _) => String::new(),
            (split, Some(owner)) if owner != split => format!("{split}, {owner}"),
            (split, _) => split.to_owned(),
        };
        let labels = match self.owner_cluster() {
            Some(cluster) if cluster != self.split => format!("{labels}, {cluster}"),
            _ => labels,
        };
        let by = if labels.is_empty() { String::new() } else { format!(" by ({labels})") };
        // What only some of the requests are counted for tells nothing of who counts itself.
        let choice = |more: &str| Choice {
            counted: format!("{selector}{more}"),
            between: self.between.clone().unwrap_or_else(|| selector.clone()),
            apart: self.own.is_some(),
        };
        let by_one = |side: Reporter, metric: &str, more: &str| {
            format!("rate({metric}{{reporter=\"{}\",{selector}{more}}}[{rate_s}s])", side.label())
        };
        let rates = |metric: &str, more: &str| match self.reporter {
            Some(side) => by_one(side, metric, more),
            None => choice(more).requests(metric, rate_s),
        };
        let sum = |metric: &str, more: &str| format!("sum{by} ({})", rates(metric, more));
        let tcp = |metric: &str| match self.reporter {
            Some(side) => format!("sum{by} ({})", by_one(side, metric, "")),
            None => format!("sum{by} ({})", choice("").tcp(metric, rate_s)),
        };
        let quantile = |q: &str| {
            let le = if labels.is_empty() { "le".to_owned() } else { format!("le, {labels}") };
            format!("histogram_quantile({q}, sum by ({le}) ({}))", rates(&format!("{REQUEST_DURATION}_bucket"), ""))
        };
        let (requests, answers) = (format!("{REQUEST_BYTES}_sum"), format!("{RESPONSE_BYTES}_sum"));
        let mut all = vec![
            ("requests", "requests", "req/s", sum(REQUESTS_TOTAL, "")),
            ("errors", "failed", "req/s", sum(REQUESTS_TOTAL, ",response_code=~\"5..|0\"")),
        ];
        // Split, one quantile says enough: three of each would be a bundle that nobody untangles.
        let quantiles: &[(&str, &str)] = if self.split.is_empty() {
            &[("p50", "0.5"), ("p95", "0.95"), ("p99", "0.99")]
        } else {
            &[("p95", "0.95")]
        };
        all.extend(quantiles.iter().map(|(name, q)| ("duration", *name, "ms", quantile(q))));
        all.push(("bytes", "requests", "B/s", sum(&requests, "")));
        all.push(("bytes", "answers", "B/s", sum(&answers, "")));
        all.push(("connections", "opened", "conn/s", tcp(TCP_CONNECTIONS_OPENED_TOTAL)));
        all.push(("tcp", "received", "B/s", tcp(TCP_RECEIVED_BYTES_TOTAL)));
        all.push(("tcp", "sent", "B/s", tcp(TCP_SENT_BYTES_TOTAL)));
        all
    }
}

/// Charts, and what each shows.
const TITLES: [(&str, &str); 6] = [
    ("requests", "Requests"),
    ("errors", "Failed requests (5xx or no answer)"),
    ("duration", "Duration"),
    ("bytes", "Bytes of requests and answers"),
    ("connections", "TCP connections opened"),
    ("tcp", "TCP bytes"),
];

/// Asks Prometheus. `now_s` is the end of the charts, `sees` says which namespaces the reader may see.
pub async fn charts(
    prometheus: Option<&Prometheus>,
    wanted: &Wanted,
    now_s: f64,
    sees: &(dyn Fn(&str) -> bool + Sync),
) -> Charts {
    let (step_s, rate_s) = wanted.steps();
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let (step, end) = (step_s as f64, (now_s as u64) / step_s * step_s);
    let from = end.saturating_sub(step_s * POINTS);
    let times: Vec<u64> = (0..=POINTS).map(|index| from + index * step_s).collect();
    let queries = wanted.queries();
    let asked = queries.iter().map(|(.., promql)| async move {
        match prometheus {
            #[allow(clippy::cast_precision_loss)]
            Some(prometheus) => prometheus.range(promql, from as f64, end as f64, step).await,
            None => Err(QueryError::NotConfigured),
        }
    });
    let answers = join_all(asked).await;
    let sources = tally(&answers);
    let mut lines: BTreeMap<&str, Vec<Line>> = BTreeMap::new();
    for ((chart, name, unit, _), answer) in queries.iter().zip(&answers) {
        for line in split(wanted, answer.as_deref().unwrap_or_default(), name, unit, &times, sees) {
            lines.entry(chart).or_default().push(line);
        }
    }
    let charts = TITLES.into_iter().filter_map(|(key, title)| {
        let mut lines = lines.remove(key).unwrap_or_default();
        // Most things speak either HTTP or TCP; what is not there needs no empty frame.
        if lines.is_empty() && ["connections", "tcp"].contains(&key) {
            return None;
        }
        if !wanted.split.is_empty() {
            lines.sort_by(|a, b| weight(b).total_cmp(&weight(a)));
        }
        let more = lines.len().saturating_sub(MOST_LINES);
        lines.truncate(MOST_LINES);
        // Split, its lines are named by the label's values, and nothing else says which quantile they are.
        let title = match wanted.split.is_empty() || key != "duration" {
            true => title.to_owned(),
            false => format!("{title}, p95"),
        };
        Some(Chart { key: key.to_owned(), title, lines, more })
    });
    Charts {
        step_s,
        rate_s,
        charts: charts.collect(),
        times_ms: times.iter().map(|at| at * 1000).collect(),
        reporter: wanted.reporter.map_or(EITHER, Reporter::label).to_owned(),
        sources,
        commands: queries.into_iter().map(|(chart, name, _, promql)| (format!("{chart}: {name}"), promql)).collect(),
    }
}

fn weight(line: &Line) -> f64 {
    line.values.iter().flatten().fold(0.0, |sum, value| sum + value)
}

/// Lines of one query. What the reader may not see is one line: added up where the figures add up, else left out.
fn split(
    wanted: &Wanted,
    tracks: &[Track],
    name: &str,
    unit: &str,
    times: &[u64],
    sees: &dyn Fn(&str) -> bool,
) -> Vec<Line> {
    let mut lines: BTreeMap<String, Vec<Option<f64>>> = BTreeMap::new();
    for track in tracks {
        let hidden = !wanted.shows(&track.labels, sees);
        if hidden && unit == "ms" {
            continue;
        }
        let value = track.labels.get(&wanted.split);
        let line = match (wanted.split.is_empty(), hidden, value) {
            (true, _, _) => name.to_owned(),
            (false, true, _) => "hidden".to_owned(),
            (false, false, "") => "none".to_owned(),
            (false, false, value) => value.to_owned(),
        };
        let line = if wanted.split.is_empty() || unit != "B/s" { line } else { format!("{line} {name}") };
        let values = lines.entry(line).or_insert_with(|| vec![None; times.len()]);
        for point in &track.points {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let at = point.at.round() as u64;
            if let Ok(index) = times.binary_search(&at)
                && let Some(place) = values.get_mut(index)
            {
                // Two series of one value differ by the namespace; of durations the slower one is shown.
                *place = Some(match (*place, unit) {
                    (Some(known), "ms") => known.max(point.value),
                    (known, _) => known.unwrap_or(0.0) + point.value,
                });
            }
        }
    }
    let unit = unit.to_owned();
    lines.into_iter().map(|(name, values)| Line { name, unit: unit.clone(), values }).collect()
}

#[cfg(test)]
mod tests;
