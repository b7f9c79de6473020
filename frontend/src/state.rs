//! What the whole page shares: the view, the newest answers, and how fresh they are.

use std::sync::Arc;

use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use weft_model::{
    canary::Canaries,
    config::{ConfigList, Meta, Problem, Right, Status, Who, Writes},
    graph::Graph,
    session::{Method, Person},
};

use crate::{
    browser,
    location::{Room, View},
    turns::Turns,
    undo::{self, Undo},
};

/// An answer that comes again and again. An error does not throw away what was known before.
#[derive(Clone)]
pub struct Load<T> {
    /// The newest answer.
    pub value: Option<Arc<T>>,
    /// When it came, milliseconds since the Unix epoch.
    pub at_ms: f64,
    /// What went wrong since.
    pub error: Option<Problem>,
}

impl<T> Default for Load<T> {
    fn default() -> Self {
        Self { value: None, at_ms: 0.0, error: None }
    }
}

impl<T> Load<T> {
    /// Takes a new answer in.
    pub fn settle(&mut self, answer: Result<T, Problem>) {
        match answer {
            Ok(value) => *self = Self { value: Some(Arc::new(value)), at_ms: browser::now(), error: None },
            Err(problem) => self.error = Some(problem),
        }
    }

    /// A part of the newest answer; its default before there is one.
    pub fn part<R: Default>(&self, part: impl FnOnce(&T) -> R) -> R {
        self.value.as_deref().map(part).unwrap_or_default()
    }
}

/// The state of the event stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Link {
    /// Asked for, not answered yet.
    Connecting,
    /// Events come.
    Live,
    /// Lost; the next try is at this time, milliseconds since the Unix epoch.
    Lost(f64),
}

/// Light, dark, or what the system says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// As the system says.
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// The name that is remembered and that the style sheet knows.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// By its name.
    pub fn named(name: &str) -> Self {
        [Self::Light, Self::Dark].into_iter().find(|theme| theme.name() == name).unwrap_or(Self::System)
    }

    /// The one that a press of the button changes to.
    pub fn next(self) -> Self {
        match self {
            Self::System => Self::Light,
            Self::Light => Self::Dark,
            Self::Dark => Self::System,
        }
    }
}

/// Whether something unfinished stands in the panel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unfinished {
    /// No, or nothing that closing the panel would lose.
    #[default]
    Nothing,
    /// Changes that were not applied.
    Changed,
    /// The same, and the page asks whether to discard them.
    Asked,
}

/// A message at the lower edge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Toast {
    /// Tells it from others.
    pub id: u64,
    /// What happened.
    pub text: String,
    /// The edit that can be taken back.
    pub undo: Option<Undo>,
    /// It goes away by itself then.
    pub until_ms: f64,
    /// Whether it says that something failed.
    pub failed: bool,
}

/// Everything shared. Copying it copies handles.
#[derive(Clone, Copy)]
pub struct App {
    /// What the address says.
    pub view: RwSignal<View>,
    /// The time, once a second.
    pub now: RwSignal<f64>,
    /// What is shown here.
    pub meta: RwSignal<Load<Meta>>,
    /// Dependencies, findings and encryption in short.
    pub status: RwSignal<Load<Status>>,
    /// The graph.
    pub graph: RwSignal<Load<Graph>>,
    /// Weighted routes.
    pub canaries: RwSignal<Load<Canaries>>,
    /// Objects.
    pub config: RwSignal<Load<ConfigList>>,
    /// The event stream.
    pub link: RwSignal<Link>,
    /// Why the console, which answers, refuses the stream.
    pub refusal: RwSignal<Option<Problem>>,
    /// Since when the page stands still on request.
    pub paused: RwSignal<Option<f64>>,
    /// Colours.
    pub theme: RwSignal<Theme>,
    /// Messages.
    pub toasts: RwSignal<Vec<Toast>>,
    /// Whether those that offer to take something back are folded into a mark on the rail, which covers nothing.
    pub folded: RwSignal<bool>,
    /// How many messages there have been.
    told: StoredValue<u64>,
    /// Whether the list of keys is shown.
    pub help: RwSignal<bool>,
    /// Whose token the page has; nobody's until one is given.
    pub who: RwSignal<Option<Who>>,
    /// Whether the place for the token is shown.
    pub signing: RwSignal<bool>,
    /// Who looks at the page, where people sign in.
    pub person: RwSignal<Option<Person>>,
    /// The ways to sign in.
    pub methods: RwSignal<Vec<Method>>,
    /// Whether their session ended while the page was open.
    pub ended: RwSignal<bool>,
    /// Whether something unfinished stands in the panel.
    pub unfinished: RwSignal<Unfinished>,
    /// Where the questions about the graph stand.
    pub graph_turns: StoredValue<Turns>,
    /// Where those about objects stand.
    pub config_turns: StoredValue<Turns>,
}

impl App {
    /// A page that knows nothing yet.
    pub fn new() -> Self {
        let pending = undo::recall();
        let theme = browser::recall("weft.theme").map_or(Theme::System, |name| Theme::named(&name));
        Self {
            view: RwSignal::new(View::parse(&browser::fragment())),
            now: RwSignal::new(browser::now()),
            meta: RwSignal::default(),
            status: RwSignal::default(),
            graph: RwSignal::default(),
            canaries: RwSignal::default(),
            config: RwSignal::default(),
            link: RwSignal::new(Link::Connecting),
            refusal: RwSignal::new(None),
            paused: RwSignal::new(None),
            theme: RwSignal::new(theme),
            toasts: RwSignal::new(pending.clone()),
            folded: RwSignal::new(false),
            told: StoredValue::new(pending.len() as u64),
            help: RwSignal::new(false),
            who: RwSignal::new(None),
            signing: RwSignal::new(false),
            person: RwSignal::new(None),
            methods: RwSignal::default(),
            ended: RwSignal::new(false),
            unfinished: RwSignal::default(),
            graph_turns: StoredValue::default(),
            config_turns: StoredValue::new(Turns::by_content()),
        }
    }

    /// Changes the view in place: selections and filters do not fill the back button.
    pub fn change(self, change: impl FnOnce(&mut View)) {
        let mut view = self.view.get_untracked();
        change(&mut view);
        self.show(view, false);
    }

    /// The view's fragment with nothing selected, from which rows make theirs ([`crate::location::selecting`]).
    pub fn unselected(self) -> Memo<String> {
        Memo::new(move |_| self.view.with(|view| View { select: String::new(), ..view.clone() }.fragment()))
    }

    /// Which right is missing, in words, to change objects of a kind in a namespace; `None` where it is there, or where
    /// only trying tells.
    pub fn missing_right(self, kind: &str, namespace: &str) -> Option<String> {
        if let Some(who) = self.who.get() {
            let denied = |right: &&Right| right.namespace == namespace && !right.allowed && kind == "VirtualService";
            return who.rights.iter().find(denied).map(|right| {
                let reason = if right.reason.is_empty() { String::new() } else { format!(": {}", right.reason) };
                format!("{} may not change VirtualServices in {namespace}{reason}", who.user)
            });
        }
        // With a token of one's own one may do more than whoever only looks.
        let by_token = self.meta.with(|load| load.part(|meta| meta.writes == Writes::Token));
        let anonymous = self.person.with(|person| person.as_ref().is_some_and(|person| person.how == "anonymous"));
        (anonymous && !by_token).then(|| "Sign in to change anything: whoever does not may only look".to_owned())
    }

    /// Runs `again` whenever somebody else writes, or the same person after their session ended, for as long as the
    /// component that asks for it.
    pub fn on_person(self, again: impl Fn() + 'static) {
        let person = move || (self.who.track(), self.ended.get());
        let changed = move |&((), ended): &((), bool), _: Option<&((), bool)>, _: Option<()>| {
            if !ended {
                again();
            }
        };
        Effect::watch(person, changed, false);
    }

    /// Closes the panel; asks first where that would lose something.
    pub fn close_panel(self) {
        if self.unfinished.get_untracked() != Unfinished::Nothing {
            self.unfinished.set(Unfinished::Asked);
            return;
        }
        self.change(|view| {
            view.select.clear();
            view.graph.explain = false;
            view.configuration.close();
        });
    }

    /// Goes to another room with the same scope; `change` says what is selected there.
    pub fn enter(self, room: Room, change: impl FnOnce(&mut View)) {
        let mut view = self.view.get_untracked().enter(room);
        change(&mut view);
        self.show(view, true);
    }

    /// Goes to a place that was noted before.
    pub fn open(self, fragment: &str) {
        self.show(View::parse(fragment), true);
    }

    fn show(self, view: View, push: bool) {
        if view != self.view.get_untracked() {
            browser::set_fragment(&view.fragment(), push);
            self.view.set(view);
        }
    }

    /// Takes a graph in, unless it belongs to another window, other nodes or another time than what is chosen by now.
    pub fn take_graph(self, answer: Result<Graph, Problem>) {
        if let Ok(graph) = &answer {
            let wanted = self.view.with_untracked(|view| {
                graph.window_s == view.window_s
                    && graph.view == view.graph.nodes
                    && graph.replay == (view.graph.at_ms > 0)
            });
            if !wanted {
                return;
            }
        }
        self.graph.update(|load| load.settle(answer));
    }

    /// The same of a graph that was asked for as `asked` says, unless other namespaces are in scope by now.
    pub fn take_graph_of(self, asked: &View, answer: Result<Graph, Problem>) {
        if self.view.with_untracked(|view| view.namespaces == asked.namespaces) {
            self.take_graph(answer);
        }
    }

    /// Shows a message for a while.
    pub fn toast(self, text: impl Into<String>, failed: bool, undo: Option<Undo>) {
        let now = browser::now();
        let until_ms = undo.as_ref().map_or(now + 6_000.0, |undo| undo.until_ms);
        let text = text.into();
        // Never an id twice: a list keyed by it would keep the old message.
        let id = self.told.try_update_value(|told| {
            *told += 1;
            *told
        });
        let id = id.unwrap_or_default();
        self.toasts.update(|toasts| {
            if let Some(undo) = &undo {
                // What was changed again is not taken back to where it was before.
                toasts.retain(|toast| toast.undo.as_ref().is_none_or(|other| other.object != undo.object));
            }
            toasts.push(Toast { id, text, undo, until_ms, failed });
        });
    }
}

impl Default for App {
    fn default() -> Self {
        Self::new()
    }
}

/// The shared state; every component is rendered below it.
pub fn app() -> App {
    expect_context::<App>()
}
