//! The graph of workloads that lists and pages read, drawn once for all who look at the same moment.

use std::sync::Arc;

use parking_lot::Mutex;
use weft_model::graph::{Graph, View};

use super::{GraphCache, Moment, Observed, answers::Made, draw};
use crate::config;

/// Graphs remembered at once, one a window.
const DRAWINGS: usize = 4;

type Slot = tokio::sync::Mutex<Option<(Made, Arc<Graph>)>>;

/// Drawn graphs by window.
pub struct Drawings {
    graphs: Arc<GraphCache>,
    /// Those used last come last.
    slots: Mutex<Vec<(u64, Arc<Slot>)>>,
}

impl Drawings {
    /// Nothing is drawn yet.
    pub fn new(graphs: Arc<GraphCache>) -> Self {
        Self { graphs, slots: Mutex::default() }
    }

    /// What was observed in the last `window_s` seconds, and the graph of it. Quantiles that are not known yet are waited
    /// for only briefly: lists are of use without them.
    pub async fn get(&self, window_s: u64, view: &Arc<config::View>) -> (Arc<Observed>, Arc<Graph>) {
        let (observed, details) = self.graphs.seen_soon(Moment::last(window_s)).await;
        let made = Made { observed: observed.clone(), details, view: view.clone() };
        let slot = self.slot(window_s);
        let mut entry = slot.lock().await;
        if let Some((of, graph)) = entry.as_ref()
            && of.same(&made)
        {
            return (observed, graph.clone());
        }
        let of = made.clone();
        // A large graph takes longer to draw than a task may hold up others.
        let drawn = tokio::task::spawn_blocking(move || {
            draw(&of.observed, &of.details, &of.view.estate, View::default(), None)
        });
        let graph = Arc::new(drawn.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())));
        *entry = Some((made, graph.clone()));
        (observed, graph)
    }

    fn slot(&self, window_s: u64) -> Arc<Slot> {
        let mut slots = self.slots.lock();
        let slot = match slots.iter().position(|(of, _)| *of == window_s) {
            Some(at) => slots.remove(at).1,
            None => Arc::default(),
        };
        slots.push((window_s, slot.clone()));
        if slots.len() > DRAWINGS {
            slots.remove(0);
        }
        slot
    }
}
