use weft_model::trace::{Span, TraceRow};

use super::{
    Found, Points, SourceError, SourceKind, TraceArgs, http::Http, jaeger, matching, product, span, tempo, zipkin,
};
use crate::db::{Cursor, TraceFilter, TracePoint};

/// Traces asked for a page at most: what does not pass the filter after all is left out of them.
const MAX_ASKED: usize = 500;
/// Traces counted for a heat map; most stores give each with all of its spans.
const MAX_COUNTED: usize = 300;
/// Searches made for one page as long as all that comes is of others.
const MAX_ROUNDS: usize = 4;

/// A store of traces behind HTTP. Clones share the bound on concurrent requests.
#[derive(Clone, Debug)]
pub struct Backend {
    kind: Kind,
    http: Http,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Jaeger,
    Zipkin,
    Tempo,
}

/// One trace as it was read.
pub(super) struct Whole {
    pub trace_id: String,
    pub spans: Vec<Span>,
}

/// What a search gave, in whole traces.
#[derive(Default)]
pub(super) struct Answer {
    pub traces: Vec<Whole>,
    /// Whether as many came as were asked for, so that there may be more.
    pub full: bool,
    /// What was not searched.
    pub note: Option<String>,
}

/// What a search gave, in rows that pass the filter.
#[derive(Default)]
pub(super) struct Rows {
    pub rows: Vec<TraceRow>,
    /// When the oldest began of all that came, those among them that do not pass; microseconds since the epoch.
    pub oldest_us: Option<u64>,
    /// Whether as many came as were asked for, so that there may be more.
    pub full: bool,
    /// What was not searched.
    pub note: Option<String>,
}

impl Backend {
    /// A client of the store that `args` name; `None` when traces are held here. Nothing is asked yet.
    pub fn new(args: &TraceArgs) -> Result<Option<Self>, SourceError> {
        let kind = match args.trace_source {
            SourceKind::Embedded => return Ok(None),
            SourceKind::Jaeger => Kind::Jaeger,
            SourceKind::Zipkin => Kind::Zipkin,
            SourceKind::Tempo => Kind::Tempo,
        };
        Ok(Some(Self { kind, http: Http::new(kind.name(), args)? }))
    }

    pub(super) fn http(&self) -> &Http {
        &self.http
    }

    pub(super) async fn list(&self, filter: &TraceFilter) -> Result<Found, SourceError> {
        let asked = (filter.limit * 2).min(MAX_ASKED);
        let mut found = self.search(filter, asked).await?;
        // Where all that came was passed over, the next page begins below the oldest of it.
        let below = |start_us| Cursor { start_us, trace_id: "0".to_owned() };
        if filter.redacted {
            // Whoever may not be told from when those are cannot go on below them.
            for _ in 1..MAX_ROUNDS {
                let Some(oldest_us) = found.oldest_us.filter(|_| found.rows.is_empty() && found.full) else { break };
                found = self.search(&TraceFilter { before: Some(below(oldest_us)), ..filter.clone() }, asked).await?;
            }
        }
        let mut traces = found.rows;
        traces.sort_by(|a, b| (b.start_us, &b.trace_id).cmp(&(a.start_us, &a.trace_id)));
        // That as many came as were asked for tells of traces that are not shown: then there may always be more.
        let more = traces.len() > filter.limit || found.full || filter.redacted;
        traces.truncate(filter.limit);
        let oldest = || found.oldest_us.filter(|_| !filter.redacted).map(below);
        let last = traces.last().map(|row| Cursor { start_us: row.start_us, trace_id: row.trace_id.clone() });
        let next = if more { last.or_else(oldest) } else { None };
        Ok(Found { traces, next, note: found.note })
    }

    pub(super) async fn points(&self, filter: &TraceFilter) -> Result<Points, SourceError> {
        let filter = TraceFilter { before: None, ..filter.clone() };
        let found = self.search(&filter, MAX_COUNTED).await?;
        let mut points: Vec<_> = found
            .rows
            .iter()
            .map(|row| TracePoint { start_us: row.start_us, duration_us: row.duration_us, error: row.error })
            .collect();
        points.sort_by_key(|point| std::cmp::Reverse(point.start_us));
        points.truncate(MAX_COUNTED);
        let cut = found.full && !filter.redacted;
        let bound = if filter.redacted {
            Some("Of the newest traces only those that you may see are counted; a shorter time counts more.".to_owned())
        } else {
            cut.then(|| {
                let store = self.kind.name();
                format!("Counted among the newest {MAX_COUNTED} that {store} gave; a shorter time counts all.")
            })
        };
        let notes: Vec<_> = bound.into_iter().chain(found.note).collect();
        Ok(Points { points, cut, note: (!notes.is_empty()).then(|| notes.join(" ")) })
    }

    async fn search(&self, filter: &TraceFilter, limit: usize) -> Result<Rows, SourceError> {
        // That there is more, or from when, would tell of traces that are not shown.
        if filter.is_of_the_hidden() {
            return Ok(Rows::default());
        }
        let answer = match self.kind {
            Kind::Jaeger => jaeger::search(self, filter, limit).await,
            Kind::Zipkin => zipkin::search(self, filter, limit).await,
            Kind::Tempo => return self.told(tempo::search(self, filter, limit).await).await,
        };
        let answer = self.told(answer).await?;
        let starts = answer.traces.iter().flat_map(|whole| whole.spans.iter().map(|span| span.start_us).min());
        Ok(Rows {
            rows: answer.traces.iter().filter_map(|whole| matching::row(whole, filter)).collect(),
            oldest_us: starts.min(),
            full: answer.full,
            note: answer.note,
        })
    }

    pub(super) async fn spans(&self, trace_id: &str) -> Result<Vec<Span>, SourceError> {
        let spans = match self.kind {
            Kind::Jaeger => jaeger::spans(self, trace_id).await,
            Kind::Zipkin => zipkin::spans(self, trace_id).await,
            Kind::Tempo => tempo::spans(self, trace_id).await,
        };
        self.told(spans).await
    }

    pub(super) async fn workloads(&self) -> Result<Vec<String>, SourceError> {
        let services = self.told(self.services().await).await?;
        let mut workloads: Vec<_> = services.iter().map(|name| span::workload_of(name)).collect();
        workloads.sort_unstable();
        workloads.dedup();
        Ok(workloads)
    }

    async fn services(&self) -> Result<Vec<String>, SourceError> {
        match self.kind {
            Kind::Jaeger => jaeger::services(self).await,
            Kind::Zipkin => zipkin::services(self).await,
            Kind::Tempo => tempo::services(self).await,
        }
    }

    pub(super) async fn operations(&self, workload: &str) -> Result<Vec<String>, SourceError> {
        let services = self.told(self.services().await).await?;
        let service = span::service_of(workload, &services);
        let found = match (self.kind, service) {
            (Kind::Tempo, _) => tempo::operations(self, workload, &services).await,
            (Kind::Jaeger, Some(service)) => jaeger::operations(self, &service).await,
            (Kind::Zipkin, Some(service)) => zipkin::operations(self, &service).await,
            (_, None) => return Ok(Vec::new()),
        };
        let mut names = self.told(found).await?;
        names.sort_unstable();
        Ok(names)
    }

    /// An answer in a wrong shape may come from another product: the error says which.
    async fn told<T>(&self, answer: Result<T, SourceError>) -> Result<T, SourceError> {
        match answer {
            Err(SourceError::Shape { what, url, why, instead: None }) => {
                let instead = product::at(&self.http).await.filter(|found| *found != what);
                Err(SourceError::Shape { what, url, why, instead })
            }
            answer => answer,
        }
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Jaeger => "Jaeger",
            Self::Zipkin => "Zipkin",
            Self::Tempo => "Tempo",
        }
    }
}
