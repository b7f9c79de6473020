//! Which address of the API gives a view.

use serde_json::Value;
use url::form_urlencoded;
use weft_model::details::Subject;
use weft_runtime::StartupError;

use super::views::{Charted, PageArgs, SubjectArgs, ViewCommand, WindowArgs};

/// Rows shown when nobody says how many.
const ROWS: usize = 5_000;
/// Traces, and entries of the audit, shown when nobody says how many.
const RECENT: usize = 100;

/// What an answer is, and so how it is written for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `Graph`.
    Graph,
    /// `Canaries`.
    Canaries,
    /// `WeightHistory`.
    History,
    /// `Course`.
    Course,
    /// `ConfigList`.
    Config,
    /// `ConfigObject`.
    Object,
    /// `Inventory`.
    Inventory,
    /// `Detail`.
    Detail,
    /// `Charts`.
    Charts,
    /// `SeriesAnswer`.
    Series,
    /// `Logs`.
    Logs,
    /// `SavedViews`.
    Views,
    /// `TraceList`.
    Traces,
    /// `Heat`.
    Heat,
    /// `Trace`.
    Trace,
    /// `MeshState`.
    Mesh,
    /// `ProxyDetail`.
    Proxy,
    /// `AuditList`.
    Audit,
    /// `Status`.
    Status,
    /// `SessionInfo`.
    Session,
}

/// One question.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Path below `/api/v1`, escaped.
    pub path: String,
    /// Parameters.
    pub query: Vec<(&'static str, String)>,
    /// What is answered.
    pub shape: Shape,
    /// Which rows, if it is a list.
    pub list: Option<List>,
}

/// A list that is read in pages.
#[derive(Clone, Debug)]
pub struct List {
    /// The member of the answer that holds the rows.
    pub rows: &'static str,
    /// Most rows that the API gives at once.
    pub page: usize,
    /// Rows that are wanted at most.
    pub limit: usize,
    /// Where to begin; empty for the first row.
    pub cursor: String,
    /// Which rows are kept of those that are read.
    pub keep: Keep,
}

/// What the API does not choose by itself. Nothing said keeps everything.
#[derive(Clone, Debug, Default)]
pub struct Keep {
    /// Of these namespaces.
    pub namespaces: Vec<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// Of this name.
    pub name: Option<String>,
    /// With findings.
    pub findings: bool,
}

impl Ask {
    /// Path and query, with `more` behind the rest.
    pub fn address(&self, more: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.query).extend_pairs(more);
        let query = query.finish();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("/api/v1{}{mark}{query}", self.path)
    }

    /// A question whose answer is no list.
    pub fn plain(path: impl Into<String>, shape: Shape) -> Self {
        Self { path: path.into(), query: Vec::new(), shape, list: None }
    }

    fn listed(self, rows: &'static str, page: usize, usual: usize, args: &PageArgs, keep: Keep) -> Self {
        let limit = args.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usual);
        let cursor = args.cursor.clone().unwrap_or_default();
        Self { list: Some(List { rows, page, limit, cursor, keep }), ..self }
    }

    fn with<T: ToString>(mut self, name: &'static str, value: Option<T>) -> Self {
        self.query.extend(value.map(|value| (name, value.to_string())));
        self
    }
}

impl Keep {
    /// Whether everything is kept.
    pub fn all(&self) -> bool {
        self.namespaces.is_empty() && self.kind.is_none() && self.name.is_none() && !self.findings
    }

    /// Whether a row is kept.
    pub fn fits(&self, row: &Value) -> bool {
        let of = row.get("object").unwrap_or(row);
        let text = |name: &str| of.get(name).and_then(Value::as_str).unwrap_or_default();
        let found = || row.get("findings").and_then(Value::as_array).is_some_and(|found| !found.is_empty());
        (self.namespaces.is_empty() || self.namespaces.iter().any(|name| name == text("namespace")))
            && self.kind.as_deref().is_none_or(|kind| is_kind(kind, text("kind")))
            && self.name.as_deref().is_none_or(|name| name == text("name"))
            && (!self.findings || found())
    }
}

/// Whether somebody who writes `written` means `kind`: whatever the case, and in the plural as kubectl has it.
fn is_kind(written: &str, kind: &str) -> bool {
    let (written, kind) = (written.to_lowercase(), kind.to_lowercase());
    let plural = match kind.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if kind.ends_with('s') => format!("{kind}es"),
        None => format!("{kind}s"),
    };
    written == kind || written == plural
}

impl ViewCommand {
    /// The question behind a view.
    ///
    /// # Errors
    /// When one of several is meant, and it is not said of which namespace; when charts cannot be as they are wanted.
    pub fn ask(&self, namespaces: &[String]) -> Result<Ask, StartupError> {
        let joined = (!namespaces.is_empty()).then(|| namespaces.join(","));
        let keep = || Keep { namespaces: namespaces.to_vec(), ..Keep::default() };
        Ok(match self {
            Self::Graph { view, window, at, busy } => Ask::plain("/graph", Shape::Graph)
                .with("view", Some(view))
                .with("window", seconds(*window))
                .with("at", *at)
                .with("namespaces", joined)
                .with("idle", busy.then_some(false))
                // The quantiles come a moment after the rest, and nobody looks again.
                .with("wait", Some(true)),
            Self::Canaries { name, page, .. } => {
                let keep = match name.as_deref().map(|name| (name, name.split_once('/'))) {
                    None => keep(),
                    Some((_, Some((namespace, name)))) => {
                        Keep { namespaces: vec![namespace.to_owned()], name: Some(name.to_owned()), ..Keep::default() }
                    }
                    Some((name, None)) => Keep { name: Some(name.to_owned()), ..keep() },
                };
                Ask::plain("/canaries", Shape::Canaries).listed("canaries", ROWS, ROWS, page, keep)
            }
            Self::Config { kind, findings, page, .. } => {
                let keep = Keep { kind: kind.clone(), findings: *findings, ..keep() };
                Ask::plain("/config", Shape::Config).listed("rows", ROWS, ROWS, page, keep)
            }
            Self::Workloads(args) => subject(Subject::Workload, args, namespaces)?,
            Self::Services(args) => subject(Subject::Service, args, namespaces)?,
            Self::Apps(args) => subject(Subject::App, args, namespaces)?,
            Self::Namespaces(args) => subject(Subject::Namespace, args, namespaces)?,
            Self::Charts { of, name, out, split, window } => {
                if !matches!(of, Charted::Page(_)) && (*out || split.is_some()) {
                    return Err(StartupError::new(
                        "cannot show the charts",
                        "a node and a call have both directions at once, and are not split",
                        "leave --out and --split away, or name a workload, service, app or namespace",
                    ));
                }
                let window = window.map(|window| window.as_secs());
                charts(*of, name, namespaces)?
                    .with("window", window)
                    .with("direction", out.then_some("out"))
                    .with("split", split.as_ref())
            }
            Self::Logs { workload, pod, lines, trace } => {
                Ask::plain(format!("{}/logs", path(Subject::Workload, workload, namespaces)?), Shape::Logs)
                    .with("lines", *lines)
                    .with("instance", pod.as_ref())
                    .with("trace", trace.as_ref())
            }
            Self::Views => Ask::plain("/views", Shape::Views),
            Self::Traces { service, operation, tags, errors, heat, min_ms, max_ms, since, page } => {
                let (path, shape) = if *heat { ("/traces/heat", Shape::Heat) } else { ("/traces", Shape::Traces) };
                let mut ask = Ask::plain(path, shape)
                    .with("workload", service.as_ref())
                    .with("operation", operation.as_ref())
                    .with("errors", errors.then_some(true))
                    .with("minMs", *min_ms)
                    .with("maxMs", *max_ms)
                    .with("fromMs", since.since)
                    .with("toMs", since.until)
                    .with("namespace", joined);
                ask.query.extend(tags.iter().map(|tag| ("tag", tag.clone())));
                if *heat { ask } else { ask.listed("traces", 500, RECENT, page, Keep::default()) }
            }
            Self::Trace { id } => Ask::plain(format!("/traces/{}", segment(id)), Shape::Trace),
            Self::Mesh => Ask::plain("/mesh", Shape::Mesh),
            Self::Proxy { instance } => {
                let (namespace, name) = placed(instance, namespaces)?;
                Ask::plain(format!("/proxies/{}/{}", segment(namespace), segment(name)), Shape::Proxy)
            }
            Self::Audit { who, address, action, kind, name, about, since, page } => Ask::plain("/audit", Shape::Audit)
                .with("who", who.as_ref())
                .with("address", *address)
                .with("action", action.as_ref())
                .with("kind", kind.as_ref())
                .with("name", name.as_ref())
                .with("about", about.as_ref())
                .with("fromMs", since.since)
                .with("toMs", since.until)
                .with("namespace", joined)
                .listed("entries", 200, RECENT, page, Keep::default()),
            Self::Status => Ask::plain("/status", Shape::Status),
            Self::Session | Self::Login { .. } => Ask::plain("/session", Shape::Session),
        })
    }
}

fn seconds(args: WindowArgs) -> Option<u64> {
    args.window.map(|window| window.as_secs())
}

fn subject(subject: Subject, args: &SubjectArgs, namespaces: &[String]) -> Result<Ask, StartupError> {
    let slug = subject.slug();
    let Some(name) = &args.name else {
        let keep = Keep { namespaces: namespaces.to_vec(), ..Keep::default() };
        let ask = Ask::plain(format!("/{slug}"), Shape::Inventory).with("window", seconds(args.window));
        return Ok(ask.listed("rows", ROWS, ROWS, &args.page, keep));
    };
    Ok(Ask::plain(path(subject, name, namespaces)?, Shape::Detail).with("window", seconds(args.window)))
}

/// The path of one of a list.
fn path(subject: Subject, name: &str, namespaces: &[String]) -> Result<String, StartupError> {
    let slug = subject.slug();
    if subject == Subject::Namespace {
        return Ok(format!("/{slug}/{}", segment(name)));
    }
    let (namespace, name) = placed(name, namespaces)?;
    Ok(format!("/{slug}/{}/{}", segment(namespace), segment(name)))
}

fn charts(of: Charted, name: &str, namespaces: &[String]) -> Result<Ask, StartupError> {
    let (what, id) = match of {
        Charted::Page(subject) => {
            return Ok(Ask::plain(format!("{}/charts", path(subject, name, namespaces)?), Shape::Charts));
        }
        Charted::Node => ("node", name),
        Charted::Call => ("edge", name),
    };
    Ok(Ask::plain("/graph/series", Shape::Series).with(what, Some(id)))
}

/// Namespace and name of what is written as `NAMESPACE/NAME`, or as `NAME` beside one namespace.
fn placed<'a>(written: &'a str, namespaces: &'a [String]) -> Result<(&'a str, &'a str), StartupError> {
    match (written.split_once('/'), namespaces) {
        (Some((namespace, name)), _) => Ok((namespace, name)),
        (None, [namespace]) => Ok((namespace, written)),
        (None, _) => Err(StartupError::new(
            format!("cannot show {written}"),
            "it is not said of which namespace",
            format!("write NAMESPACE/{written}, or name one with -n"),
        )),
    }
}

/// One segment of a path: what a slash, a space or a letter beyond ASCII would make of it, it does not become.
fn segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests;
