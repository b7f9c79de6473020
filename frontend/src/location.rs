//! The view as it stands in the address: `#/graph?ns=shop&window=300&select=node:shop/cart-v1`. Whoever opens a copied
//! link sees exactly what its sender saw.

pub mod configuration;
pub mod graph;
#[cfg(test)]
mod tests;
pub mod traces;

use std::fmt::Write;

use weft_model::details::Subject;

use self::{configuration::ConfigurationView, graph::GraphView, traces::TraceView};

/// A room of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Room {
    /// The service graph.
    #[default]
    Graph,
    /// Weighted routes.
    Canaries,
    /// Objects and findings.
    Configuration,
    /// Namespaces, applications, workloads and services.
    Workloads,
    /// Traces.
    Traces,
    /// Control planes, proxies and certificates.
    Mesh,
    /// Who did what.
    Audit,
}

impl Room {
    /// All rooms, in the order of the rail.
    pub const ALL: [Self; 7] =
        [Self::Graph, Self::Canaries, Self::Configuration, Self::Workloads, Self::Traces, Self::Mesh, Self::Audit];

    /// The room's name in the address.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Graph => "graph",
            Self::Canaries => "canaries",
            Self::Configuration => "configuration",
            Self::Workloads => "workloads",
            Self::Traces => "traces",
            Self::Mesh => "mesh",
            Self::Audit => "audit",
        }
    }

    /// The room's name in the rail.
    pub fn title(self) -> &'static str {
        match self {
            Self::Graph => "Graph",
            Self::Canaries => "Canaries",
            Self::Configuration => "Configuration",
            Self::Workloads => "Workloads",
            Self::Traces => "Traces",
            Self::Mesh => "Mesh",
            Self::Audit => "Audit",
        }
    }

    /// The second key after `g` that goes there.
    pub fn key(self) -> &'static str {
        match self {
            Self::Graph => "g",
            Self::Canaries => "c",
            Self::Configuration => "o",
            Self::Workloads => "w",
            Self::Traces => "t",
            Self::Mesh => "m",
            Self::Audit => "a",
        }
    }
}

/// Windows that are offered, in seconds.
pub const WINDOWS: [(u64, &str); 8] = [
    (60, "1m"),
    (300, "5m"),
    (900, "15m"),
    (3600, "1h"),
    (10_800, "3h"),
    (43_200, "12h"),
    (86_400, "1d"),
    (604_800, "7d"),
];

/// Everything that the address restores.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// The room.
    pub room: Room,
    /// A path that no page has; empty when one has it.
    pub lost: String,
    /// Length of the window in seconds, one of [`WINDOWS`].
    pub window_s: u64,
    /// Namespaces that are shown; empty for all.
    pub namespaces: Vec<String>,
    /// What is selected: `node:<id>`, `edge:<id>`, an object's key or a trace id, as the room says; empty for nothing.
    pub select: String,
    /// The text in the room's search field.
    pub find: String,
    /// What was chosen for the graph.
    pub graph: GraphView,
    /// What was chosen for configuration.
    pub configuration: ConfigurationView,
    /// Traces: only this workload, `namespace/name`; empty for all.
    pub workload: String,
    /// Traces: only those that failed. Configuration: only objects with findings.
    pub errors: bool,
    /// Traces: what else is searched for.
    pub traces: TraceView,
    /// Audit: only this action; empty for all.
    pub action: String,
    /// Audit: only what is about this, such as `workloads/shop/cart-v1`; empty for all.
    pub about: String,
    /// Audit and traces: the last so many hours; 0 for all of the audit, and for the window of traces.
    pub hours: u64,
    /// Workloads: what is listed.
    pub subject: Subject,
    /// Workloads: the one that is open, `namespace/name`, a namespace by its name; empty for the list. It is part of the
    /// path: `#/services/shop/cart`.
    pub place: String,
    /// Workloads: the tab of the one that is open.
    pub tab: String,
    /// Workloads: the label that charts are split by.
    pub split: String,
    /// Workloads: whether charts show what goes out; the page chooses while the reader has not.
    pub outgoing: Option<bool>,
    /// Workloads: the column that rows are sorted by; the worst come first without one.
    pub sort: String,
    /// Workloads: the instance whose proxy or logs are shown.
    pub instance: String,
}

impl Default for View {
    fn default() -> Self {
        Self {
            room: Room::Graph,
            lost: String::new(),
            window_s: WINDOWS[0].0,
            namespaces: Vec::new(),
            select: String::new(),
            find: String::new(),
            graph: GraphView::default(),
            configuration: ConfigurationView::default(),
            workload: String::new(),
            errors: false,
            traces: TraceView::default(),
            action: String::new(),
            about: String::new(),
            hours: 0,
            subject: Subject::Workload,
            place: String::new(),
            tab: String::new(),
            split: String::new(),
            outgoing: None,
            sort: String::new(),
            instance: String::new(),
        }
    }
}

impl View {
    /// Reads an address's fragment, with or without its `#`. What is not understood is left at its default.
    pub fn parse(fragment: &str) -> Self {
        let fragment = fragment.trim_start_matches('#').trim_start_matches('/');
        let (path, query) = fragment.split_once('?').unwrap_or((fragment, ""));
        let mut view = Self::default();
        if let Some(room) = Room::ALL.into_iter().find(|room| room.slug() == path) {
            view.room = room;
        }
        let (slug, place) = path.split_once('/').unwrap_or((path, ""));
        if let Some(subject) = Subject::ALL.into_iter().find(|subject| subject.slug() == slug) {
            (view.room, view.subject, view.place) = (Room::Workloads, subject, decode(place));
        } else if !path.is_empty() && Room::ALL.into_iter().all(|room| room.slug() != path) {
            view.lost = decode(path);
        }
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let value = decode(value);
            match name {
                "window" => {
                    let window = WINDOWS.iter().find(|(seconds, _)| seconds.to_string() == value);
                    view.window_s = window.map_or(view.window_s, |(seconds, _)| *seconds);
                }
                "ns" => view.namespaces = value.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
                "select" => view.select = value,
                "find" => view.find = value,
                "workload" => view.workload = value,
                "errors" => view.errors = value == "1",
                "action" => view.action = value,
                "about" => view.about = value,
                "hours" => view.hours = value.parse().unwrap_or(0),
                "tab" => view.tab = value,
                "split" => view.split = value,
                "out" => view.outgoing = Some(value == "1"),
                "sort" => view.sort = value,
                "instance" => view.instance = value,
                name if view.room == Room::Configuration && view.configuration.take(name, &value) => {}
                name => {
                    view.graph.take(name, &value);
                    view.traces.take(name, &value);
                }
            }
        }
        view
    }

    /// The fragment, `#` included; defaults are left out.
    pub fn fragment(&self) -> String {
        let plain = Self::default();
        let slug = if self.room == Room::Workloads { self.subject.slug() } else { self.room.slug() };
        let mut out = if self.lost.is_empty() { format!("#/{slug}") } else { format!("#/{}", encode(&self.lost)) };
        if self.room == Room::Workloads && !self.place.is_empty() {
            let _ = write!(out, "/{}", encode(&self.place));
        }
        let mut separator = '?';
        let mut put = |name: &str, value: &str, differs: bool| {
            if differs {
                let _ = write!(out, "{separator}{name}={}", encode(value));
                separator = '&';
            }
        };
        put("ns", &self.namespaces.join(","), !self.namespaces.is_empty());
        put("window", &self.window_s.to_string(), self.window_s != plain.window_s);
        put("select", &self.select, !self.select.is_empty());
        put("find", &self.find, !self.find.is_empty());
        self.graph.put(|name, value| put(name, value, true));
        self.configuration.put(|name, value| put(name, value, true));
        put("workload", &self.workload, !self.workload.is_empty());
        put("errors", "1", self.errors);
        put("action", &self.action, !self.action.is_empty());
        put("about", &self.about, !self.about.is_empty());
        put("hours", &self.hours.to_string(), self.hours > 0);
        self.traces.put(|name, value| put(name, value, true));
        put("tab", &self.tab, !self.tab.is_empty());
        put("split", &self.split, !self.split.is_empty());
        put("out", if self.outgoing == Some(true) { "1" } else { "0" }, self.outgoing.is_some());
        put("sort", &self.sort, !self.sort.is_empty());
        put("instance", &self.instance, !self.instance.is_empty());
        out
    }

    /// The same scope in another room, with nothing selected.
    pub fn enter(&self, room: Room) -> Self {
        Self {
            room,
            window_s: self.window_s,
            namespaces: self.namespaces.clone(),
            graph: GraphView { list: false, explain: false, focus: String::new(), at_ms: 0, ..self.graph.clone() },
            ..Self::default()
        }
    }

    /// Whether `namespace` is in scope; what has none always is.
    pub fn shows(&self, namespace: &str) -> bool {
        namespace.is_empty() || self.namespaces.is_empty() || self.namespaces.iter().any(|name| name == namespace)
    }
}

/// The fragment `base` of a view that has nothing selected, with `what` selected: of a long list, one address for each row.
pub fn selecting(base: &str, what: &str) -> String {
    let and = if base.contains('?') { '&' } else { '?' };
    format!("{base}{and}select={}", encode(what))
}

/// A place of this page beyond its beginning; nothing for what is none.
pub fn place(fragment: &str) -> Option<&str> {
    (fragment.len() > 2 && fragment.starts_with("#/")).then_some(fragment)
}

/// Percent-encodes what a query value may not hold, and leaves what people like to read.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b':' | b',' => {
                out.push(char::from(byte));
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let code = bytes.get(index + 1..index + 3).and_then(|pair| std::str::from_utf8(pair).ok());
        match (bytes[index], code.and_then(|pair| u8::from_str_radix(pair, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                index += 3;
            }
            (b'+', _) => {
                out.push(b' ');
                index += 1;
            }
            (byte, _) => {
                out.push(byte);
                index += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
