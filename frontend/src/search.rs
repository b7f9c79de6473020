//! Search over what the page holds: rooms, namespaces, applications, workloads, services, canaries and objects by name.

#[cfg(test)]
mod tests;

use weft_model::{
    canary::Canary,
    config::ConfigRow,
    details::{Row, Subject},
    graph::Node,
};

use crate::{
    graph::ways,
    location::{Room, View},
    objects,
    order::Order,
    workloads,
};

/// Results that are shown at most.
pub const SHOWN: usize = 12;

/// What stands together among results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Rooms of the page.
    Room,
    /// What has a page of its own.
    Page(Subject),
    /// Weighted routes.
    Canary,
    /// Configuration.
    Object,
}

impl Group {
    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Room => "Pages",
            Self::Page(Subject::Namespace) => "Namespaces",
            Self::Page(Subject::App) => "Applications",
            Self::Page(Subject::Workload) => "Workloads",
            Self::Page(Subject::Service) => "Services",
            Self::Canary => "Canaries",
            Self::Object => "Configuration",
        }
    }
}

/// Something that can be found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Where it stands among results.
    pub group: Group,
    /// Its name.
    pub name: String,
    /// Its namespace; empty without one, and of a namespace.
    pub namespace: String,
    /// What it is, in a word.
    pub kind: String,
    /// What the address needs to know besides.
    place: String,
}

impl Entry {
    /// What it is and where, in words.
    pub fn about(&self) -> String {
        let both = [self.kind.as_str(), self.namespace.as_str()];
        both.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
    }

    /// Where it is shown. The scope stays, unless it leaves this out.
    pub fn view(&self, now: &View) -> View {
        let mut to = match self.group {
            Group::Room => {
                let room = Room::ALL.into_iter().find(|room| room.slug() == self.place);
                return now.enter(room.unwrap_or_default());
            }
            Group::Page(subject) => View { subject, place: self.place.clone(), ..now.enter(Room::Workloads) },
            Group::Canary => View { find: self.place.clone(), ..now.enter(Room::Canaries) },
            Group::Object => View { select: self.place.clone(), ..now.enter(Room::Configuration) },
        };
        if !now.shows(&self.namespace) {
            to.namespaces.clear();
        }
        to
    }

    /// How well a text in lower case fits: 0 is the name itself, then what begins with it, has a word that begins with it,
    /// or has it anywhere; last what has each word of it somewhere. A text with a slash names the namespace, too.
    fn rank(&self, text: &str) -> Option<u8> {
        let own = self.name.to_lowercase();
        let whole = format!("{}/{own}", self.namespace.to_lowercase());
        let name = if text.contains('/') { &whole } else { &own };
        let begins = |at: usize| !name[..at].ends_with(char::is_alphanumeric);
        if name == text {
            return Some(0);
        }
        if name.starts_with(text) {
            return Some(1);
        }
        if let Some((at, _)) = name.match_indices(text).min_by_key(|(at, _)| !begins(*at)) {
            return Some(if begins(at) { 2 } else { 3 });
        }
        let kind = self.kind.to_lowercase();
        let words = || text.split_whitespace();
        (words().count() > 1 && words().all(|word| whole.contains(word) || kind.contains(word))).then_some(4)
    }
}

/// Everything that can be found, as often as answers name it.
#[derive(Clone, Debug, PartialEq)]
pub struct Catalogue(Vec<Entry>);

impl Default for Catalogue {
    /// The rooms.
    fn default() -> Self {
        let mut own = Self(Vec::new());
        for room in Room::ALL {
            own.add(Group::Room, "", room.title(), "", room.slug().to_owned());
        }
        own
    }
}

impl Catalogue {
    fn add(&mut self, group: Group, namespace: &str, name: &str, kind: &str, place: String) {
        let (namespace, name, kind) = (namespace.to_owned(), name.to_owned(), kind.to_owned());
        self.0.push(Entry { group, name, namespace, kind, place });
    }

    /// What has a page at `place`, which is `namespace/name`, or the name of a namespace.
    fn page(&mut self, subject: Subject, place: &str) {
        let (namespace, name) = place.split_once('/').unwrap_or(("", place));
        self.add(Group::Page(subject), namespace, name, subject.word(), place.to_owned());
    }

    /// Namespaces.
    pub fn namespaces(&mut self, names: &[String]) {
        names.iter().for_each(|name| self.page(Subject::Namespace, name));
    }

    /// Nodes of the graph: what they stand for, its application, and its namespace.
    pub fn nodes(&mut self, nodes: &[Node]) {
        for node in nodes {
            let Some((subject, place)) = ways::page(node) else { continue };
            self.page(subject, &place);
            self.page(Subject::Namespace, &node.namespace);
            node.workloads.iter().for_each(|place| self.page(Subject::Workload, place));
            if !matches!(node.app.as_str(), "" | "unknown") {
                self.page(Subject::App, &format!("{}/{}", node.namespace, node.app));
            }
        }
    }

    /// Rows of services, with the workloads behind them.
    pub fn services(&mut self, rows: &[Row]) {
        for row in rows {
            self.page(row.subject, &workloads::place(row));
            row.workloads.iter().for_each(|place| self.page(Subject::Workload, place));
        }
    }

    /// Weighted routes, those of one object together.
    pub fn canaries(&mut self, canaries: &[Canary]) {
        for object in canaries.iter().map(|canary| &canary.object) {
            let place = format!("{}/{}", object.namespace, object.name);
            self.add(Group::Canary, &object.namespace, &object.name, "canary", place);
        }
    }

    /// Objects of configuration.
    pub fn objects(&mut self, rows: &[ConfigRow]) {
        for object in rows.iter().map(|row| &row.object) {
            self.add(Group::Object, &object.namespace, &object.name, &object.kind, objects::key(object));
        }
    }

    /// The [`SHOWN`] that fit a text best, each group together and that of the best first; and how many fit at all. Of
    /// those that fit alike the shortest name is nearest. Nothing fits no text.
    pub fn find(&self, text: &str) -> (Vec<Entry>, usize) {
        let text = text.trim().to_lowercase();
        if text.is_empty() {
            return (Vec::new(), 0);
        }
        let mut fit: Vec<(u8, usize, &Entry)> =
            self.0.iter().filter_map(|entry| Some((entry.rank(&text)?, entry.name.len(), entry))).collect();
        fit.order(Ord::cmp);
        fit.dedup();
        let all = fit.len();
        let mut shown: Vec<Entry> = Vec::new();
        for (.., entry) in fit.into_iter().take(SHOWN) {
            let last = shown.iter().rposition(|one| one.group == entry.group);
            shown.insert(last.map_or(shown.len(), |last| last + 1), entry.clone());
        }
        (shown, all)
    }
}
