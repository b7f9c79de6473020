//! The graph's part of the address: what its nodes are, what its labels say, what is left out, folded or focused.

use weft_model::graph::View as NodeView;

/// What a label on an edge says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label {
    /// Requests per second.
    Rate,
    /// Share of all that the source sends.
    Share,
    /// Error share.
    Errors,
    /// 50th percentile.
    P50,
    /// 95th percentile.
    P95,
    /// 99th percentile.
    P99,
    /// Bytes per second, both ways.
    Throughput,
}

impl Label {
    /// All choices, in the order of the switch and of the label's parts.
    pub const ALL: [Self; 7] =
        [Self::Rate, Self::Share, Self::Errors, Self::P50, Self::P95, Self::P99, Self::Throughput];

    /// The choice in the address.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Share => "share",
            Self::Errors => "errors",
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Throughput => "throughput",
        }
    }

    /// The choice on the switch.
    pub fn title(self) -> &'static str {
        match self {
            Self::Rate => "Rate",
            Self::Share => "Share",
            Self::Errors => "Errors",
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Throughput => "Throughput",
        }
    }
}

/// Labels of one edge that can still be read: a fourth would be longer than its line.
pub const LABELS: usize = 3;
/// The protocols whose calls can be left out.
pub const PROTOCOLS: [(&str, &str); 3] = [("http", "HTTP"), ("grpc", "gRPC"), ("tcp", "TCP")];
/// The most steps that a focus reaches.
pub const HOPS: u8 = 9;
/// Stands for every namespace in a list of boxes.
pub const EVERY: &str = "*";

/// What the reader chose for the graph.
#[derive(Clone, Debug, PartialEq)]
pub struct GraphView {
    /// What its nodes are.
    pub nodes: NodeView,
    /// What labels say, in the order of [`Label::ALL`]; at most [`LABELS`].
    pub labels: Vec<Label>,
    /// Closed locks are drawn, too.
    pub locks: bool,
    /// The graph as a list.
    pub list: bool,
    /// What has no traffic is shown.
    pub idle: bool,
    /// Protocols whose calls are left out, of [`PROTOCOLS`].
    pub without: Vec<String>,
    /// Boxes that are folded; [`EVERY`] for all.
    pub folded: Vec<String>,
    /// Boxes that stay open although the graph is large; [`EVERY`] for all.
    pub open: Vec<String>,
    /// The node that is focused; empty for none.
    pub focus: String,
    /// How many steps around it are shown.
    pub hops: u8,
    /// What matches this is left out.
    pub hide: String,
    /// The moment that is shown, milliseconds since the Unix epoch; 0 for now.
    pub at_ms: u64,
    /// The legend is open.
    pub legend: bool,
    /// Why what is selected fails is explained.
    pub explain: bool,
}

impl Default for GraphView {
    fn default() -> Self {
        Self {
            nodes: NodeView::Workload,
            labels: vec![Label::Rate],
            locks: false,
            list: false,
            idle: true,
            without: Vec::new(),
            folded: Vec::new(),
            open: Vec::new(),
            focus: String::new(),
            hops: 1,
            hide: String::new(),
            at_ms: 0,
            legend: false,
            explain: false,
        }
    }
}

impl GraphView {
    /// Takes one parameter of the address. What is not understood changes nothing.
    pub fn take(&mut self, name: &str, value: &str) {
        let list = || value.split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        match name {
            "view" => self.nodes = NodeView::ALL.into_iter().find(|view| view.as_str() == value).unwrap_or_default(),
            "labels" => {
                let wanted = list();
                self.labels =
                    Label::ALL.into_iter().filter(|label| wanted.iter().any(|name| name == label.slug())).collect();
                self.labels.truncate(LABELS);
            }
            "locks" => self.locks = value == "1",
            "list" => self.list = value == "1",
            "idle" => self.idle = value != "0",
            "without" => {
                let wanted = list();
                let known = PROTOCOLS.into_iter().map(|(name, _)| name.to_owned());
                self.without = known.filter(|name| wanted.contains(name)).collect();
            }
            "fold" => self.folded = list(),
            "open" => self.open = list(),
            "focus" => value.clone_into(&mut self.focus),
            "hops" => self.hops = value.parse().unwrap_or(1u64).clamp(1, HOPS.into()) as u8,
            "hide" => value.clone_into(&mut self.hide),
            "at" => self.at_ms = value.parse().unwrap_or(0),
            "legend" => self.legend = value == "1",
            "explain" => self.explain = value == "1",
            _ => {}
        }
    }

    /// Gives every parameter that differs from its default.
    pub fn put(&self, mut put: impl FnMut(&str, &str)) {
        let plain = Self::default();
        if self.nodes != plain.nodes {
            put("view", self.nodes.as_str());
        }
        if self.labels != plain.labels {
            let slugs: Vec<&str> = self.labels.iter().map(|label| label.slug()).collect();
            put("labels", if slugs.is_empty() { "none".to_owned() } else { slugs.join(",") }.as_str());
        }
        let mut flag = |name: &str, value: bool, plain: bool| {
            if value != plain {
                put(name, if value { "1" } else { "0" });
            }
        };
        flag("locks", self.locks, plain.locks);
        flag("list", self.list, plain.list);
        flag("idle", self.idle, plain.idle);
        flag("legend", self.legend, plain.legend);
        flag("explain", self.explain, plain.explain);
        for (name, list) in [("without", &self.without), ("fold", &self.folded), ("open", &self.open)] {
            if !list.is_empty() {
                put(name, &list.join(","));
            }
        }
        if !self.focus.is_empty() {
            put("focus", &self.focus);
            if self.hops != plain.hops {
                put("hops", &self.hops.to_string());
            }
        }
        if !self.hide.is_empty() {
            put("hide", &self.hide);
        }
        if self.at_ms > 0 {
            put("at", &self.at_ms.to_string());
        }
    }

    /// Adds a label or takes it away; of too many the oldest choice in the list's order gives way.
    pub fn toggle_label(&mut self, label: Label) {
        if let Some(index) = self.labels.iter().position(|other| *other == label) {
            self.labels.remove(index);
            return;
        }
        if self.labels.len() == LABELS {
            self.labels.remove(0);
        }
        self.labels.push(label);
        self.labels.sort_unstable();
    }

    /// Folds a box, or opens it.
    pub fn fold(&mut self, name: &str, folded: bool) {
        let (to, from) = if folded { (&mut self.folded, &mut self.open) } else { (&mut self.open, &mut self.folded) };
        from.retain(|other| other != name);
        if !to.iter().any(|other| other == name) {
            to.push(name.to_owned());
            to.sort();
        }
    }

    /// Folds all boxes, or opens all.
    pub fn fold_all(&mut self, folded: bool) {
        (self.folded, self.open) = if folded { (vec![EVERY.into()], vec![]) } else { (vec![], vec![EVERY.into()]) };
    }

    /// Whether a box is folded, when a graph of its size is (`large`) or is not.
    pub fn is_folded(&self, name: &str, large: bool) -> bool {
        let names = |list: &[String], name: &str| list.iter().any(|other| other == name);
        if names(&self.folded, name) {
            return true;
        }
        if names(&self.open, name) {
            return false;
        }
        names(&self.folded, EVERY) || (large && !names(&self.open, EVERY))
    }
}
