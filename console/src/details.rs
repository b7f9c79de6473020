//! Namespaces, applications, workloads and services: lists, pages, charts and logs. The figures of lists are those that
//! the graph has; only charts ask Prometheus for more.

pub mod applies;
pub mod charts;
pub mod inventory;
pub mod logs;
pub mod page;
pub mod refused;
pub mod words;

use std::sync::Arc;

use weft_model::graph::Graph;

use crate::{app::App, config::View, graph::Observed, mesh::fleet::Seen};

/// One moment, as all lists and pages see it.
pub struct Moment {
    /// Configuration.
    pub view: Arc<View>,
    /// What was observed.
    pub observed: Arc<Observed>,
    /// The same as nodes and edges.
    pub graph: Arc<Graph>,
    /// What control planes say of proxies.
    pub seen: Arc<Seen>,
}

impl Moment {
    /// Takes the present one over `window_s` seconds.
    pub async fn take(app: &App, window_s: u64) -> Self {
        let view = app.view();
        let ((observed, graph), seen) =
            tokio::join!(app.drawings.get(window_s, &view), app.fleet.seen(&view.control_planes));
        Self { view, observed, graph, seen }
    }

    /// The present one as far as it is configured: nobody is asked.
    pub fn configured(app: &App) -> Self {
        Self { view: app.view(), observed: Arc::default(), graph: Arc::default(), seen: Arc::default() }
    }
}
