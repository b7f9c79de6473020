//! Weights that somebody is about to apply.

use std::sync::Arc;

use gloo_timers::future::TimeoutFuture;
use leptos::{prelude::*, task::spawn_local};
use weft_model::{
    Counted,
    audit::WeightChange,
    canary::{Canary, EditPreview, WeightEdit},
    config::Problem,
};

use crate::{api, app::Settle, browser, drafts, sources::may_pass, state::App, undo::Undo, weights};

/// How long typing and dragging must rest before a preview is asked for, in milliseconds.
const REST_MS: u32 = 200;

/// The state of a preview.
#[derive(Clone, Default)]
pub enum Outlook {
    /// Nothing to preview.
    #[default]
    None,
    /// Asked for.
    Waiting,
    /// Answered, for the weights of this turn.
    Ready(u64, Arc<EditPreview>),
    /// Refused, or not answered.
    Failed(Problem),
}

/// One card's draft. Copying it copies handles.
#[derive(Clone, Copy)]
pub struct Draft {
    app: App,
    canary: Memo<Option<Arc<Canary>>>,
    /// Weights as typed, `None` for what is no number; empty while nothing was touched.
    pub typed: RwSignal<Vec<Option<u32>>>,
    /// What applying would do.
    pub outlook: RwSignal<Outlook>,
    /// Why it was not applied, where that may pass: it can be tried again.
    pub trouble: RwSignal<Option<Problem>>,
    /// The edit is on its way.
    pub busy: RwSignal<bool>,
    /// The revision that the weights were chosen on.
    revision: RwSignal<String>,
    /// When they were, milliseconds since the Unix epoch.
    began_ms: StoredValue<f64>,
    /// Counts changes, so that a late preview is not shown for newer weights.
    turn: RwSignal<u64>,
}

impl Draft {
    /// An untouched one.
    pub fn new(app: App, canary: Memo<Option<Arc<Canary>>>) -> Self {
        let draft = Self {
            app,
            canary,
            typed: RwSignal::default(),
            outlook: RwSignal::default(),
            trouble: RwSignal::new(None),
            busy: RwSignal::new(false),
            revision: RwSignal::default(),
            began_ms: StoredValue::new(0.0),
            turn: RwSignal::new(0),
        };
        // What was refused to somebody else, or to nobody, may be this person's to do.
        app.on_person(move || {
            if draft.outlook.with_untracked(|outlook| matches!(outlook, Outlook::Failed(_))) {
                draft.look();
            }
        });
        let present = Memo::new(move |_| {
            canary.with(|canary| canary.as_ref().map(|canary| canary.revision.clone()).unwrap_or_default())
        });
        // Somebody else moved them meanwhile: what is previewed rests on what is gone.
        Effect::new(move |_| {
            let present = present.get();
            let other = draft.revision.get_untracked() != present && !present.is_empty();
            if other && !draft.busy.get_untracked() && !draft.typed.with_untracked(Vec::is_empty) {
                draft.look();
            }
        });
        draft
    }

    /// The configured weights, as whole percentages.
    pub fn configured(self) -> Vec<u32> {
        self.canary.with(|canary| {
            let percentages =
                canary.iter().flat_map(|canary| canary.shares.iter().map(|share| share.configured_percent));
            weights::whole(&percentages.collect::<Vec<_>>())
        })
    }

    /// What the destinations are called.
    pub fn names(self) -> Vec<String> {
        self.canary.with(|canary| {
            let shares = canary.iter().flat_map(|canary| &canary.shares);
            shares.map(super::bars::name).collect()
        })
    }

    /// Who made the weights what they are since these were chosen, as far as the history tells.
    pub async fn last_move(self) -> Option<WeightChange> {
        let canary = self.canary.try_get_untracked().flatten()?;
        let newest = api::history(&canary.object, canary.route_index).await.ok()?.changes.into_iter().next()?;
        let now = self.canary.try_get_untracked().flatten()?;
        let shares: Vec<f64> = now.shares.iter().map(|share| share.configured_percent).collect();
        let since = self.began_ms.try_get_value().is_some_and(|began| newest.at_ms as f64 >= began);
        (since && newest.to == weights::whole(&shares)).then_some(newest)
    }

    /// Where the object is.
    pub fn namespace(self) -> String {
        self.canary.with(|canary| canary.as_ref().map(|canary| canary.object.namespace.clone()).unwrap_or_default())
    }

    /// What the route's traffic is counted in.
    pub fn counted(self) -> Counted {
        self.canary.with_untracked(|canary| canary.as_deref().map_or(Counted::REQUESTS, Canary::counted))
    }

    /// What the fields show.
    pub fn shown(self) -> Vec<Option<u32>> {
        let typed = self.typed.get();
        if typed.is_empty() { self.configured().into_iter().map(Some).collect() } else { typed }
    }

    /// Whether the fields show something else than what is configured.
    pub fn changed(self) -> bool {
        let typed = self.typed.get();
        !typed.is_empty() && typed != self.configured().into_iter().map(Some).collect::<Vec<_>>()
    }

    /// Takes new weights and asks what they would do.
    pub fn set(self, weights: Vec<Option<u32>>) {
        if self.typed.with_untracked(Vec::is_empty) {
            let revision = self.canary.with_untracked(|canary| canary.as_ref().map(|canary| canary.revision.clone()));
            self.revision.set(revision.unwrap_or_default());
            self.began_ms.set_value(browser::now());
        }
        self.typed.set(weights);
        self.look();
    }

    /// Takes one destination's weight; with two destinations the other gets the rest. One that is too large stays as it was
    /// typed, and is told.
    pub fn set_one(self, index: usize, text: &str) {
        let value = text.trim().parse::<u32>().ok();
        let mut weights = untrack(|| self.shown());
        match (weights.len(), value) {
            (2, Some(value @ ..=100)) => {
                weights[index] = Some(value);
                weights[1 - index] = Some(100 - value);
            }
            _ => {
                if let Some(slot) = weights.get_mut(index) {
                    *slot = value;
                }
            }
        }
        self.set(weights);
    }

    /// Keeps the weights at a place while they are not applied, and goes on from those that are kept there; says when
    /// these were chosen, milliseconds since the Unix epoch.
    pub fn keep(self, place: String) -> Option<f64> {
        let kept = drafts::recall(&place);
        let at_ms = kept.as_ref().map(|kept| kept.at_ms);
        let destinations = self.canary.with_untracked(|canary| canary.as_ref().map_or(0, |canary| canary.shares.len()));
        if let Some(kept) = kept {
            let typed = weights::read(&kept.text);
            if typed.len() == destinations && weights::are_weights(&typed) {
                self.revision.set(kept.revision);
                self.began_ms.set_value(kept.at_ms);
                self.typed.set(typed);
                self.look();
            }
        }
        Effect::new(move |_| {
            let (typed, revision) = (self.typed.get(), self.revision.get());
            // What is no weight is a slip: nobody wants to find it again.
            let text = if weights::are_weights(&typed) { weights::write(&typed) } else { String::new() };
            drafts::keep(&place, revision, String::new(), text);
        });
        at_ms
    }

    /// Forgets the draft.
    pub fn reset(self) {
        self.typed.set(Vec::new());
        self.trouble.set(None);
        self.outlook.set(Outlook::None);
        self.turn.update(|turn| *turn += 1);
    }

    /// Asks for the present state of the file and keeps the weights.
    pub fn rebase(self) {
        let app = self.app;
        spawn_local(async move {
            app.canaries.update_with(api::canaries().await);
            let revision = self.canary.try_get_untracked().flatten().map(|canary| canary.revision.clone());
            if self.revision.try_set(revision.unwrap_or_default()).is_none() {
                self.look();
            }
        });
    }

    /// The edit, when the weights may be applied.
    fn edit(self) -> Option<WeightEdit> {
        let canary = self.canary.get_untracked()?;
        let weights: Option<Vec<u32>> = self.typed.get_untracked().into_iter().collect();
        let revision = self.revision.get_untracked();
        Some(WeightEdit { object: canary.object.clone(), route_index: canary.route_index, weights: weights?, revision })
    }

    /// Asks what the weights would do.
    pub fn look(self) {
        self.trouble.set(None);
        self.turn.update(|turn| *turn += 1);
        let turn = self.turn.get_untracked();
        if !untrack(|| self.changed()) || weights::fault(&self.typed.get_untracked()).is_some() {
            self.outlook.set(Outlook::None);
            return;
        }
        if !matches!(self.outlook.get_untracked(), Outlook::Ready(..)) {
            self.outlook.set(Outlook::Waiting);
        }
        spawn_local(async move {
            TimeoutFuture::new(REST_MS).await;
            let still = move || self.turn.try_get_untracked() == Some(turn);
            let Some(edit) = still().then(|| self.edit()).flatten() else { return };
            let answer = api::preview(&edit).await;
            if still() {
                self.outlook.set(match answer {
                    Ok(preview) => Outlook::Ready(turn, Arc::new(preview)),
                    Err(problem) => Outlook::Failed(problem),
                });
            }
        });
    }

    /// Whether the preview on the screen is of the weights in the fields.
    pub fn is_seen(self) -> bool {
        let turn = self.turn.get();
        self.outlook.with(|outlook| matches!(outlook, Outlook::Ready(of, _) if *of == turn))
    }

    /// Whether the button may be pressed: what would happen is on the screen, and it is something.
    pub fn can_apply(self) -> bool {
        let possible = |preview: &EditPreview| !preview.diff.is_empty() && preview.refusal.is_none();
        let changes = self.outlook.with(|outlook| matches!(outlook, Outlook::Ready(_, preview) if possible(preview)));
        changes && self.is_seen() && !self.busy.get() && weights::fault(&self.typed.get()).is_none()
    }

    /// Applies the weights and offers to take them back.
    pub fn apply(self) {
        let Some(edit) = self.edit() else { return };
        let app = self.app;
        let before = untrack(|| self.configured());
        let place =
            self.canary.with_untracked(|canary| canary.as_deref().map(|canary| super::place(&super::key(canary))));
        self.busy.set(true);
        self.trouble.set(None);
        spawn_local(async move {
            let answer = api::apply(&edit).await;
            // The card may be gone by now; the edit is made all the same and can still be taken back.
            match answer {
                Ok(result) => {
                    place.iter().for_each(|place| drafts::forget(place));
                    let words = |weights: &[u32]| weights.iter().map(u32::to_string).collect::<Vec<_>>().join("/");
                    let text = format!("{}: {} → {}", edit.object.name, words(&before), words(&edit.weights));
                    let undo = Undo {
                        id: result.id,
                        until_ms: result.undo_until_ms as f64,
                        object: edit.object,
                        weights: Some((edit.route_index, edit.weights)),
                        ..Undo::default()
                    };
                    app.toast(text, false, Some(undo));
                    self.outlook.try_update(|outlook| *outlook = Outlook::None);
                    app.canaries.update_with(api::canaries().await);
                    if self.typed.try_update(Vec::clear).is_some() {
                        self.reset();
                    }
                }
                // What it would do stands there still.
                Err(problem) if may_pass(&problem) => {
                    self.trouble.try_update(|trouble| *trouble = Some(problem));
                }
                Err(problem) => {
                    self.outlook.try_update(|outlook| *outlook = Outlook::Failed(problem));
                }
            }
            let _ = self.busy.try_set(false);
        });
    }
}
