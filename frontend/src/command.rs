//! The `weft console` command that gives what a view shows, and which commands can be run where.

use weft_model::{ObjectRef, details::Subject};

use crate::{
    location::View,
    queries::{AuditQuery, TraceQuery},
};

/// A command as the page offers it to copy: what it gives, and itself.
pub type Named = (String, String);

/// A command that grows word by word.
struct Line(String);

impl Line {
    /// `$CONSOLE` becomes this console's address where the command is shown.
    fn new(view: &str) -> Self {
        Self(format!("weft console {view} --console $CONSOLE"))
    }

    fn word(mut self, text: &str) -> Self {
        self.0.push(' ');
        self.0.push_str(&quoted(text));
        self
    }

    /// A flag with its value; nothing without one.
    fn flag(self, name: &str, value: &str) -> Self {
        if value.is_empty() { self } else { self.word(name).word(value) }
    }

    fn switch(self, name: &str, on: bool) -> Self {
        if on { self.word(name) } else { self }
    }

    fn number(self, name: &str, value: Option<u64>) -> Self {
        self.flag(name, &value.map(|value| value.to_string()).unwrap_or_default())
    }

    fn namespaces(self, names: &[String]) -> Self {
        names.iter().fold(self, |line, name| line.flag("-n", name))
    }

    fn window(self, seconds: u64) -> Self {
        let written = match seconds {
            hours if hours > 0 && hours % 3600 == 0 => format!("{}h", hours / 3600),
            minutes if minutes > 0 && minutes % 60 == 0 => format!("{}m", minutes / 60),
            seconds => format!("{seconds}s"),
        };
        self.flag("--window", &written)
    }

    fn named(self) -> Named {
        ("the same with weft".to_owned(), self.0)
    }
}

/// One word for a shell, whatever is in it.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/:=,@".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The graph.
pub fn graph(view: &View) -> Named {
    let line = Line::new("graph").flag("--view", view.graph.nodes.as_str()).namespaces(&view.namespaces);
    line.window(view.window_s).number("--at", Some(view.graph.at_ms).filter(|at| *at > 0)).named()
}

/// The canaries.
pub fn canaries(namespaces: &[String]) -> Named {
    Line::new("canaries").namespaces(namespaces).named()
}

/// The objects of a kind; of all when it is empty.
pub fn config(view: &View) -> Named {
    let line = Line::new("config").namespaces(&view.namespaces).switch("--findings", view.errors);
    let kind = &view.configuration.kind;
    (if kind.is_empty() { line } else { line.word(kind) }).named()
}

/// One object.
pub fn object(object: &ObjectRef) -> Named {
    let line = Line::new("config").word(&object.kind);
    let place = if object.namespace.is_empty() { String::new() } else { format!("{}/", object.namespace) };
    line.word(&format!("{place}{}", object.name)).named()
}

/// One of the lists.
pub fn inventory(subject: Subject, window_s: u64, namespaces: &[String]) -> Named {
    Line::new(subject.slug()).namespaces(namespaces).window(window_s).named()
}

/// One of a list; `place` is its namespace and name.
pub fn detail(subject: Subject, place: &str, window_s: u64) -> Named {
    Line::new(subject.slug()).word(place).window(window_s).named()
}

/// How something with a page fared over time; `split` is a label, or empty.
pub fn charts(subject: Subject, place: &str, window_s: u64, outgoing: bool, split: &str) -> Named {
    let line = Line::new("charts").word(subject.slug()).word(place).switch("--out", outgoing);
    line.flag("--split", split).window(window_s).named()
}

/// How a node of the graph, or a call, fared over time.
pub fn series(id: &str, call: bool, window_s: u64) -> Named {
    Line::new("charts").word(if call { "call" } else { "node" }).word(id).window(window_s).named()
}

/// How a weighted route fared over time, and who moved it.
pub fn past(object: &ObjectRef, route_index: usize, window_s: u64) -> [Named; 2] {
    let line = |what: &str| {
        let line = Line::new("canaries").word(&format!("{}/{}", object.namespace, object.name));
        line.flag("--route", &route_index.to_string()).word(what)
    };
    let history = ("its history with weft".to_owned(), line("--history").0);
    [line("--course").window(window_s).named(), history]
}

/// Lines of each log that the page asks for.
pub const LOG_LINES: u64 = 150;

/// What the instances of a workload wrote last, or one of them. The command knows workloads alone.
pub fn logs(subject: Subject, place: &str, instance: &str, trace: &str) -> Option<Named> {
    let line = || {
        let line = Line::new("logs").word(place).flag("--pod", instance).flag("--trace", trace);
        line.number("--lines", Some(LOG_LINES)).named()
    };
    (subject == Subject::Workload).then(line)
}

/// What checks the files that the page shows. Where these are not known, or the objects are a cluster's, the reader puts in
/// where theirs are.
pub fn lint(directory: &str) -> Named {
    let place = if directory.is_empty() { "DIRECTORY".to_owned() } else { quoted(directory) };
    ("findings with weft".to_owned(), format!("weft lint {place}"))
}

/// A search for traces.
pub fn traces(query: &TraceQuery) -> Named {
    let millis = |micros: u64| (micros as f64 / 1000.0).to_string();
    let mut line = Line::new("traces").flag("--service", &query.workload).flag("--operation", &query.operation);
    for tag in &query.tags {
        line = line.flag("--tag", tag);
    }
    line = line.switch("--errors", query.errors);
    line = line.flag("--min-ms", &if query.min_us > 0 { millis(query.min_us) } else { String::new() });
    line = line.flag("--max-ms", &query.max_us.map(millis).unwrap_or_default());
    line.number("--since", query.from_ms).number("--until", query.to_ms).namespaces(&query.namespaces).named()
}

/// One trace.
pub fn trace(id: &str) -> Named {
    Line::new("trace").word(id).named()
}

/// The mesh's own state.
pub fn mesh() -> Named {
    Line::new("mesh").named()
}

/// The audit.
pub fn audit(query: &AuditQuery) -> Named {
    let line = Line::new("audit").flag("--who", &query.who).flag("--address", &query.address);
    let line = line.flag("--action", &query.action).flag("--about", &query.about);
    line.number("--since", query.from_ms).number("--until", query.to_ms).namespaces(&query.namespaces).named()
}

/// Whether a command can be run: where configuration is a directory there is no cluster to ask.
pub fn runs(command: &str, cluster: bool) -> bool {
    let asks = |flag: &str| command.split(' ').any(|word| word == flag);
    let needs_cluster = match command.strip_prefix("weft ") {
        Some(rest) if rest.starts_with("proxy-status") => !asks("--operator-admin"),
        Some(rest) if rest.starts_with("proxy-config") => !asks("--proxy-admin"),
        Some(rest) => rest.starts_with("status"),
        None => command.starts_with("kubectl "),
    };
    cluster || !needs_cluster
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> Vec<String> {
        vec!["shop".to_owned()]
    }

    #[test]
    fn each_view_has_its_command() {
        let mut view = View { namespaces: shop(), window_s: 300, ..View::default() };
        let of = |named: Named| named.1.replace(" --console $CONSOLE", "");
        assert_eq!(of(graph(&view)), "weft console graph --view workload -n shop --window 5m");
        view.graph.at_ms = 1_700_000_000_000;
        assert!(of(graph(&view)).ends_with(" --at 1700000000000"));
        assert_eq!(of(canaries(&shop())), "weft console canaries -n shop");
        view.configuration.kind = "VirtualService".into();
        assert_eq!(of(config(&view)), "weft console config -n shop VirtualService");
        let one =
            ObjectRef { kind: "Gateway".into(), namespace: "shop".into(), name: "in".into(), ..ObjectRef::default() };
        assert_eq!(of(object(&one)), "weft console config Gateway shop/in");
        assert_eq!(of(inventory(Subject::Service, 3600, &[])), "weft console services --window 1h");
        assert_eq!(of(detail(Subject::App, "shop/cart", 90)), "weft console apps shop/cart --window 90s");
        assert_eq!(
            of(charts(Subject::Workload, "shop/cart", 300, true, "response_code")),
            "weft console charts workloads shop/cart --out --split response_code --window 5m"
        );
        assert_eq!(of(series("a/b->c/d", true, 1800)), "weft console charts call 'a/b->c/d' --window 30m");
        let [course, history] = past(&one, 1, 900);
        assert_eq!(of(course), "weft console canaries shop/in --route 1 --course --window 15m");
        assert_eq!(of(history), "weft console canaries shop/in --route 1 --history");
        let logs = |subject, instance: &str| logs(subject, "shop/cart", instance, "").map(of);
        assert_eq!(logs(Subject::Workload, "").as_deref(), Some("weft console logs shop/cart --lines 150"));
        assert_eq!(
            logs(Subject::Workload, "cart-7").as_deref(),
            Some("weft console logs shop/cart --pod cart-7 --lines 150")
        );
        assert_eq!(logs(Subject::Service, ""), None);
        assert_eq!(lint("").1, "weft lint DIRECTORY");
        assert_eq!(lint("/srv/mesh").1, "weft lint /srv/mesh");
        assert_eq!(of(trace("ab12")), "weft console trace ab12");
        assert_eq!(of(mesh()), "weft console mesh");
        let query = TraceQuery {
            workload: "shop/cart".into(),
            min_us: 20_500,
            errors: true,
            from_ms: Some(7),
            ..TraceQuery::default()
        };
        assert_eq!(of(traces(&query)), "weft console traces --service shop/cart --errors --min-ms 20.5 --since 7");
        let query = AuditQuery { who: "ada".into(), namespaces: shop(), ..AuditQuery::default() };
        assert_eq!(of(audit(&query)), "weft console audit --who ada -n shop");
        let query = AuditQuery { about: "apps/shop/cart".into(), to_ms: Some(9), ..AuditQuery::default() };
        assert_eq!(of(audit(&query)), "weft console audit --about apps/shop/cart --until 9");
        assert!(mesh().1.ends_with("--console $CONSOLE"));
    }

    #[test]
    fn what_a_shell_would_run_stands_in_quotes() {
        let hostile = TraceQuery { operation: "GET /; rm -rf ~ '$(id)'".into(), ..TraceQuery::default() };
        let command = traces(&hostile).1;
        assert!(command.ends_with(r"--operation 'GET /; rm -rf ~ '\''$(id)'\'''"), "{command}");
        assert_eq!(lint("/srv/it's; reboot").1, r"weft lint '/srv/it'\''s; reboot'");
        assert_eq!((quoted(""), quoted("a b")), ("''".to_owned(), "'a b'".to_owned()));
    }

    #[test]
    fn without_a_cluster_its_commands_are_not_offered() {
        for command in
            ["kubectl get pods -n shop", "weft proxy-status", "weft status --cost", "weft proxy-config all a.b"]
        {
            assert!(runs(command, true) && !runs(command, false), "{command}");
        }
        for command in [
            "weft proxy-status --operator-admin http://127.0.0.1:15014",
            "weft proxy-config all --proxy-admin http://127.0.0.1:15000",
            "weft console graph",
            "weft lint DIRECTORY",
            "curl -s http://127.0.0.1:20001/api/v1/graph",
            "sum(rate(istio_requests_total[1m]))",
        ] {
            assert!(runs(command, false), "{command}");
        }
    }
}
