//! What of a canvas can be seen beside panel and legend, and where the view goes for it.

use super::state::{MOVING, State};
use crate::graph::{
    geometry::Point,
    layout::{Direction, Layout, Topology},
    scene::Hit,
    viewport::Viewport,
};

/// Room around a fitted graph, in pixels.
const MARGIN: f64 = 28.0;
/// Less room than this beside the panel, in pixels, shows no node.
const ROOM: f64 = 220.0;
/// Room for the legend's strip below it.
const LEGEND: f64 = 36.0;

impl State {
    /// Shows everything beside the panel; where the reader chose what is seen, the view moves as little as is needed to see
    /// what is selected.
    pub(super) fn frame(&mut self) {
        self.fit_unless_touched();
        self.show_selected();
    }

    /// Shows everything beside the panel, unless the reader chose what is seen.
    pub(super) fn fit_unless_touched(&mut self) {
        let Some(bounds) = self.scene.bounds().filter(|_| !self.touched && self.size.0 > 0.0) else { return };
        let card = self.card();
        let strip = if card > 0.0 { 0.0 } else { LEGEND };
        self.view = Viewport::fit_beside(bounds, card, self.room(), self.size.1 - strip, MARGIN);
    }

    /// How wide the canvas is beside the panel; where that covers all, nothing can be shown beside it.
    fn room(&self) -> f64 {
        Some(self.size.0 - self.covered()).filter(|room| *room > ROOM).unwrap_or(self.size.0)
    }

    /// How much of the canvas the open legend covers, in pixels from its left; 0 while only the strip is there.
    fn card(&self) -> f64 {
        let board = self.canvas[0].parent_element();
        let card = board.and_then(|board| board.query_selector(".legend-card").ok().flatten());
        card.map_or(0.0, |card| {
            card.get_bounding_client_rect().right() - self.canvas[MOVING].get_bounding_client_rect().left()
        })
    }

    /// How `topology` is laid out on this canvas when nothing stands anywhere yet.
    pub(super) fn fresh(&self, topology: &Topology) -> Layout {
        Direction::choose(topology, self.size.0, self.size.1 - LEGEND, MARGIN)
    }

    /// Moves the view as little as is needed to see the selected node whole.
    pub(super) fn show_selected(&mut self) {
        let Some(Hit::Node(index, _)) = self.named(&self.selected) else { return };
        let Some(node) = self.scene.nodes.get(index) else { return };
        if self.size.0 > 0.0 {
            self.view.reveal(node.rect.grow(16.0), self.room(), self.size.1);
        }
    }

    /// How much of the canvas the panel covers, in pixels from its right; 0 where it stands beside it.
    fn covered(&self) -> f64 {
        let room = self.canvas[MOVING].closest(".graph-room").ok().flatten();
        let panel = room.and_then(|room| room.query_selector(".panel").ok().flatten());
        panel.map_or(0.0, |panel| {
            let edge = self.canvas[MOVING].get_bounding_client_rect().right();
            (edge - panel.get_bounding_client_rect().left()).max(0.0)
        })
    }

    /// Whether some of the scene is not seen.
    pub(super) fn is_outside(&self) -> bool {
        self.scene.bounds().is_some_and(|bounds| {
            let from = self.view.screen(Point::new(bounds.x, bounds.y));
            let to = self.view.screen(Point::new(bounds.x + bounds.w, bounds.y + bounds.h));
            from.x < 0.0 || from.y < 0.0 || to.x > self.size.0 || to.y > self.size.1
        })
    }
}
