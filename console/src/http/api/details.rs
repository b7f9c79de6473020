//! `/api/v1/{namespaces,apps,workloads,services}`: lists, pages, charts and logs.

use std::{sync::Arc, time::SystemTime};

use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{StatusCode, Uri},
};
use futures::future::join_all;
use schemars::JsonSchema;
use serde::Deserialize;
use weft_model::{
    ObjectRef,
    details::{Charts, Detail, Inventory, Logs, Row, Subject},
    graph::SERVICE,
};

use super::{Window, etag, pages};
use crate::{
    app::App,
    auth::{Caller, Verb},
    details::{
        Moment,
        charts::{self, Wanted},
        inventory::Lists,
        logs,
        page::page,
        refused,
    },
    graph::{Reporter, series::Subject as Node},
    http::{
        ApiError,
        routes::{Routes, Shaped, get},
    },
    redact,
};

/// Lines of a log that are asked for at most.
const MOST_LINES: usize = 1_000;
/// Pods whose restarts are asked for on one page.
const MOST_ASKED: usize = 20;

pub(super) fn routes() -> Routes {
    let mut routes = Routes::strict();
    for subject in Subject::ALL {
        let (slug, word) = (subject.slug(), subject.word());
        let one = if subject == Subject::Namespace { "{name}" } else { "{namespace}/{name}" };
        routes = routes
            .with(
                get(
                    format!("/{slug}"),
                    format!("{}s with health, traffic and proxies.", capitalized(word)),
                    move |app, caller, uri, window, paged| list(subject, app, caller, uri, window, paged),
                )
                .kept_by(etag::kept),
            )
            .with(get(
                format!("/{slug}/{one}"),
                format!("One {word}: what it is made of, and what applies to it."),
                move |app, caller, path, query| detail(subject, app, caller, path, query),
            ))
            .with(
                get(
                    format!("/{slug}/{one}/charts"),
                    format!("How one {word} fared over time."),
                    move |app, caller, path, query| drawn(subject, app, caller, path, query),
                )
                .kept_by(etag::kept),
            )
            .with(get(
                format!("/{slug}/{one}/logs"),
                format!("What the instances of one {word} wrote last."),
                move |app, caller, path, query| written(subject, app, caller, path, query),
            ));
    }
    routes
}

fn capitalized(word: &str) -> String {
    let mut rest = word.chars();
    rest.next().into_iter().flat_map(char::to_uppercase).chain(rest).collect()
}

/// Which one; a namespace has no other.
#[derive(Debug, Deserialize)]
pub(super) struct Named {
    #[serde(default)]
    namespace: String,
    name: String,
}

impl Named {
    fn namespace(&self, subject: Subject) -> &str {
        if subject == Subject::Namespace { &self.name } else { &self.namespace }
    }
}

async fn list(
    subject: Subject,
    State(app): State<Arc<App>>,
    caller: Caller,
    uri: Uri,
    window: Result<Query<Window>, QueryRejection>,
    paged: Result<Query<pages::Paged>, QueryRejection>,
) -> Result<Shaped<Inventory>, ApiError> {
    let window_s = window?.checked()?;
    let Query(paged) = paged?;
    let moment = Moment::take(&app, window_s).await;
    let mut rows = Lists::of(&moment).rows(subject);
    rows.retain(|row| caller.sees(&row.namespace));
    let next = paged.cut(&mut rows, |row| [&row.namespace, &row.name, &row.host].map(Clone::clone))?;
    let mut commands = vec![(
        "The same as JSON".to_owned(),
        format!("curl -s '$CONSOLE/api/v1/{}?window={window_s}'", subject.slug()),
    )];
    commands.push(("The state of proxies".to_owned(), "weft proxy-status".to_owned()));
    commands.extend(moment.observed.queries.iter().cloned());
    let mut page = Inventory {
        at_ms: moment.observed.at_ms,
        window_s,
        rows,
        sources: moment.observed.sources.clone(),
        operator_problem: moment.seen.problem(),
        commands,
        next: next.clone(),
    };
    redact::addresses::sources(&mut page.sources, caller.sight());
    redact::addresses::note(&mut page.operator_problem, caller.sight());
    Ok(pages::linked(page, &uri, next.as_deref()))
}

/// What is not there and what may not be seen look the same: a name alone tells something.
fn missing(subject: Subject, named: &Named) -> ApiError {
    let place =
        if subject == Subject::Namespace { String::new() } else { format!(" in namespace {}", named.namespace) };
    ApiError::not_found(
        format!("There is no {} {}{place} that you may see.", subject.word(), named.name),
        "It may have been deleted or renamed, or have had no traffic in this window. Look for it in the list.",
    )
}

fn without_instances(subject: Subject, named: &Named) -> ApiError {
    ApiError::not_found(
        format!("No instances of {} {} are known that you may see.", subject.word(), named.name),
        "Logs are those of pods and WorkloadEntries; what is known by its traffic alone has none here.",
    )
}

fn find(subject: Subject, lists: &Lists<'_>, caller: &Caller, named: &Named) -> Result<Row, ApiError> {
    let namespace = named.namespace(subject);
    let row = if caller.sees(namespace) { lists.row(subject, namespace, &named.name) } else { None };
    row.ok_or_else(|| missing(subject, named))
}

async fn detail(
    subject: Subject,
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(named): Path<Named>,
    window: Result<Query<Window>, QueryRejection>,
) -> Result<Json<Detail>, ApiError> {
    let moment = Moment::take(&app, window?.checked()?).await;
    let mut detail = {
        let lists = Lists::of(&moment);
        let row = find(subject, &lists, &caller, &named)?;
        page(&moment, &lists, row, &|namespace| caller.sees(namespace))
    };
    // A Prometheus that gives no rates is not asked once more.
    if let Some(prometheus) = app.prometheus.as_ref().filter(|_| moment.observed.rates_problem.is_none()) {
        detail.refused_plaintext = refused::plaintext(prometheus, &detail.instances).await;
        detail.row.reason.push_str(&refused::words(detail.refused_plaintext));
    }
    redact::detail(&mut detail, caller.sight());
    if let Some(clients) = &app.cluster {
        let asked = detail.instances.iter().take(MOST_ASKED);
        let asked = asked.map(|one| logs::restarts(clients.own(), &one.namespace, &one.name));
        let restarts = join_all(asked).await;
        for (instance, restarts) in detail.instances.iter_mut().zip(restarts) {
            instance.restarts = restarts;
        }
    }
    Ok(Json(detail))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Drawn {
    /// Seconds back from now.
    #[schemars(range(min = 10, max = 604_800))]
    window: u64,
    /// `in` for what it receives, `out` for what it sends.
    direction: String,
    /// A label of Istio's standard metrics to split by, such as `response_code`; empty for none.
    split: String,
    /// Whose figures: `source` or `destination`; empty for each event once, the caller's, and the called one's where the
    /// caller has no proxy.
    reporter: String,
}

impl Default for Drawn {
    fn default() -> Self {
        Self { window: 60, direction: "in".into(), split: String::new(), reporter: String::new() }
    }
}

async fn drawn(
    subject: Subject,
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(named): Path<Named>,
    query: Result<Query<Drawn>, QueryRejection>,
) -> Result<Json<Charts>, ApiError> {
    let Query(query) = query?;
    let window_s = Window { window: query.window }.checked()?;
    if !Wanted::is_label(&query.split) {
        return Err(ApiError::bad_request(
            "Nothing can be split by that label.",
            "Choose one of the labels of Istio's standard metrics, such as response_code.",
        ));
    }
    let incoming = match query.direction.as_str() {
        "in" => true,
        "out" => false,
        other => return Err(ApiError::no_choice("direction", other, &["in", "out"])),
    };
    let reporter = match query.reporter.as_str() {
        "" => None,
        "source" => Some(Reporter::Source),
        "destination" => Some(Reporter::Destination),
        other => return Err(ApiError::no_choice("reporter", other, &["source", "destination"])),
    };
    let moment = Moment::take(&app, window_s).await;
    let row = find(subject, &Lists::of(&moment), &caller, &named)?;
    let own = app.graphs.told().await.map(|own| own.to_string());
    // A service is a part of what goes to its workloads.
    let part = (subject == Subject::Service).then(|| Node::node(&format!("{SERVICE}{}", row.host), own.as_deref()));
    let wanted = Wanted {
        subject,
        namespace: named.namespace(subject).to_owned(),
        name: if subject == Subject::Service { row.host } else { named.name },
        incoming,
        reporter,
        between: part.flatten().map(|one| one.incoming(&moment.view.estate).between),
        split: query.split,
        window_s,
        own,
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let sees = |namespace: &str| caller.sees(namespace);
    let mut drawn = charts::charts(app.prometheus.as_ref(), &wanted, now.as_secs_f64(), &sees).await;
    redact::addresses::sources(&mut drawn.sources, caller.sight());
    Ok(Json(drawn))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Written {
    /// Lines of each log, 1 to 1,000.
    lines: usize,
    /// Name of the only instance that is wanted; empty for all.
    instance: String,
    /// Trace id: only lines that name it, looked for further back than others; empty for all.
    trace: String,
}

impl Default for Written {
    fn default() -> Self {
        Self { lines: 100, instance: String::new(), trace: String::new() }
    }
}

/// Digits of a trace id (W3C Trace Context).
const LONGEST_TRACE: usize = 32;

async fn written(
    subject: Subject,
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(named): Path<Named>,
    query: Result<Query<Written>, QueryRejection>,
) -> Result<Json<Logs>, ApiError> {
    let Query(query) = query?;
    if !(1..=MOST_LINES).contains(&query.lines) {
        let title = format!("lines: there cannot be {} of them.", query.lines);
        return Err(ApiError::out_of_range(title, MOST_LINES));
    }
    if query.trace.len() > LONGEST_TRACE || !query.trace.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let detail = format!("Write the hexadecimal digits of a trace id, {LONGEST_TRACE} at most.");
        return Err(ApiError::bad_request("trace: that is no trace id.", detail));
    }
    let wanted = logs::Wanted { lines: query.lines, trace: query.trace.to_ascii_lowercase() };
    let instances: Vec<(String, String)> = {
        // What has instances is configured; no figure is needed to find them.
        let moment = Moment::configured(&app);
        let lists = Lists::of(&moment);
        let row = find(subject, &lists, &caller, &named).map_err(|_| without_instances(subject, &named))?;
        let all = row.workloads.iter().flat_map(|id| lists.instances(id).iter().enumerate());
        let mut chosen: Vec<_> =
            all.filter(|(_, one)| query.instance.is_empty() || one.reference.name == query.instance).collect();
        // Of many the first of each workload come first.
        chosen.sort_by_key(|(nth, _)| *nth);
        chosen.into_iter().map(|(_, one)| (one.reference.namespace.clone(), one.reference.name.clone())).collect()
    };
    // A log may say more than an object does: whoever reads it must be allowed to read each of these pods.
    for (namespace, name) in instances.iter().take(logs::MOST_INSTANCES) {
        let pod = ObjectRef {
            api_version: "v1".into(),
            kind: "Pod".into(),
            namespace: namespace.clone(),
            name: name.clone(),
        };
        caller.require(Verb::Get, &pod).await?;
    }
    let client = app.cluster.as_ref().map(|clients| caller.client(clients)).transpose().map_err(|error| {
        ApiError::new(StatusCode::FORBIDDEN, "not-known", "Logs cannot be read.", format!("{error}."))
    })?;
    Ok(Json(logs::read(client, app.logs_dir.as_deref(), &instances, &wanted).await))
}
