//! Namespaces, applications, workloads and services: lists, pages, charts and logs. The figures of lists are those that
//! the graph has; only charts ask Prometheus for more.

pub mod applies;
pub mod charts;
pub mod inventory;
pub mod logs;
pub mod page;
pub mod words;

use std::sync::Arc;

use weft_model::graph::Graph;

use crate::{
    app::App,
    config::View,
    graph::{self, Observed, draw},
    mesh::fleet::Seen,
};

/// One moment, as all lists and pages see it.
pub struct Moment {
    /// Configuration.
    pub view: Arc<View>,
    /// What was observed.
    pub observed: Arc<Observed>,
    /// The same as nodes and edges.
    pub graph: Graph,
    /// What control planes say of proxies.
    pub seen: Arc<Seen>,
}

impl Moment {
    /// Takes the present one over `window_s` seconds.
    pub async fn take(app: &App, window_s: u64) -> Self {
        let view = app.view();
        let moment = graph::Moment::last(window_s);
        let ((observed, details), seen) =
            tokio::join!(app.graphs.seen(moment, true), app.fleet.seen(&view.control_planes));
        let graph = draw(&observed, &details, &view.estate, weft_model::graph::View::default(), None);
        Self { view, observed, graph, seen }
    }
}
