use serde_json::{Value, json};

use super::*;
use crate::kubernetes::{
    trouble::{Class, Failure},
    wire::{Json, Wire},
};

fn service(namespace: &str, name: &str, port: u32) -> Value {
    json!({"metadata": {"name": name, "namespace": namespace, "resourceVersion": "1"},
        "spec": {"selector": {"app": name}, "ports": [{"port": port}]}})
}

fn seen(watched: &Watched, value: Value) -> Event {
    let wire: Wire<Json> = serde_json::from_value(value).unwrap();
    Event::Seen(wire.name(), wire.read(watched))
}

struct Book {
    ledger: Ledger,
    watched: BTreeMap<FeedId, Watched>,
}

impl Book {
    fn new(kinds: &[Kind]) -> Self {
        Self::of(None, kinds)
    }

    fn of(reader: Option<Reader>, kinds: &[Kind]) -> Self {
        let mut book = Self { ledger: Ledger::new("istio-system", reader), watched: BTreeMap::new() };
        for (feed, kind) in kinds.iter().enumerate() {
            let watched = Watched::all(*kind, kind.versions()[0]);
            book.ledger.open(feed as FeedId, watched.clone());
            book.watched.insert(feed as FeedId, watched);
        }
        book
    }

    fn say(&mut self, feed: FeedId, event: Event) -> bool {
        self.ledger.take(Report { feed, event })
    }

    fn see(&mut self, feed: FeedId, value: Value) -> bool {
        let event = seen(&self.watched[&feed].clone(), value);
        self.say(feed, event)
    }

    fn list(&mut self, feed: FeedId, values: &[Value]) {
        self.say(feed, Event::Begin);
        for value in values {
            self.see(feed, value.clone());
        }
        self.say(feed, Event::Done);
    }

    /// `+name` for what is put, `-name` for what is deleted.
    fn changes(&mut self) -> Vec<String> {
        let changes = self.ledger.drain();
        changes
            .iter()
            .map(|change| match change {
                Change::Put(object) => format!("+{}", object.meta.name),
                Change::Delete(key) => format!("-{}", key.name),
            })
            .collect()
    }
}

#[test]
fn a_new_list_takes_away_what_it_does_not_show() {
    let mut book = Book::new(&[Kind::Service]);
    assert!(!book.ledger.settled() && !book.ledger.synced());
    book.list(0, &[service("shop", "a", 1), service("shop", "b", 1)]);
    assert!(book.ledger.settled() && book.ledger.synced());
    assert_eq!(book.changes(), ["+a", "+b"]);
    book.list(0, &[service("shop", "b", 2), service("shop", "c", 1)]);
    assert_eq!(book.changes(), ["-a", "+b", "+c"]);
    // What a list that broke off has shown does not keep anything alive.
    book.say(0, Event::Begin);
    book.see(0, service("shop", "b", 2));
    book.say(0, Event::Failed(Failure::unavailable("gone")));
    book.list(0, &[service("shop", "c", 1)]);
    assert_eq!(book.changes(), ["-b"]);
}

#[test]
fn equal_objects_are_no_change() {
    let mut book = Book::new(&[Kind::Service]);
    book.list(0, &[service("shop", "a", 1)]);
    book.changes();
    let mut again = service("shop", "a", 1);
    again["metadata"]["resourceVersion"] = "2".into();
    again["metadata"]["managedFields"] = json!([{"manager": "x"}]);
    again["status"] = json!({"loadBalancer": {"ingress": [{"ip": "1.1.1.1"}]}});
    assert!(!book.see(0, again));
    assert!(book.see(0, service("shop", "a", 2)));
    book.say(0, Event::Gone(Name::new("shop", "a")));
    book.see(0, service("shop", "a", 3));
    assert_eq!(book.changes(), ["+a"], "the last of several changes counts");
}

#[test]
fn what_does_not_parse_keeps_its_last_good_version() {
    let mut book = Book::new(&[Kind::VirtualService]);
    let rule = |timeout: &str| {
        json!({"metadata": {"name": "a", "namespace": "shop", "generation": 1}, "spec": {"hosts": ["a"],
            "http": [{"timeout": timeout, "route": [{"destination": {"host": "a"}}]}]}})
    };
    book.list(0, &[rule("1s")]);
    assert_eq!(book.changes(), ["+a"]);
    assert!(book.see(0, rule("soon")));
    assert!(book.changes().is_empty());
    let found = book.ledger.diagnostics();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].object.as_ref().map(ToString::to_string).as_deref(), Some("VirtualService shop/a"));
    assert_eq!((found[0].field.as_str(), &found[0].file), ("spec.http[0].timeout", &None));
    assert!(!book.see(0, rule("soon")), "said once");
    // It is still there when the list is read again, and its finding goes when it does.
    book.list(0, &[rule("soon")]);
    assert!(book.changes().is_empty());
    assert!(book.say(0, Event::Gone(Name::new("shop", "a"))));
    assert_eq!((book.changes(), book.ledger.diagnostics().len()), (vec!["-a".to_owned()], 0));
}

#[test]
fn what_is_refused_is_told_with_the_rule_that_is_missing() {
    let mut book = Book::new(&[Kind::AuthorizationPolicy, Kind::Node]);
    let refused = || Failure { class: Class::Forbidden, message: "no".to_owned(), retry_after: None };
    book.say(0, Event::Failed(refused()));
    book.say(1, Event::Failed(refused()));
    let found = book.ledger.diagnostics();
    assert_eq!(found[0].severity, weft_model::Severity::Error);
    assert_eq!(found[1].severity, weft_model::Severity::Warning);
    let remedy = found[0].suggestion.as_deref().unwrap();
    let rule = "apiGroups: [\"security.istio.io\"], resources: [\"authorizationpolicies\"], verbs: [\"get\", \"list\", \"watch\"]";
    assert!(remedy.contains(rule), "{remedy}");
    // Nodes may be unknown; policies may not.
    assert!(book.ledger.settled() && !book.ledger.synced());
    assert_eq!(book.ledger.waiting_for(), ["AuthorizationPolicy objects"]);
    book.list(0, &[]);
    assert!(book.ledger.synced());
    assert_eq!(book.ledger.diagnostics().len(), 1);
}

#[test]
fn selectors_bring_namespaces_into_sight() {
    let mut book = Book::new(&[Kind::Namespace, Kind::Service, Kind::Mesh]);
    let namespace =
        |name: &str, on: bool| json!({"metadata": {"name": name, "labels": {"mesh": if on { "on" } else { "off" }}}});
    book.list(0, &[namespace("shop", true), namespace("other", false)]);
    book.list(1, &[service("shop", "a", 1), service("other", "b", 1)]);
    book.list(2, &[]);
    assert_eq!(book.changes(), ["+other", "+shop", "+b", "+a"]);
    let mesh = json!({"metadata": {"name": "m"}, "spec": {"meshConfig": {"discoverySelectors": [{"matchLabels": {"mesh": "on"}}]}}});
    book.see(2, mesh);
    let changes = book.changes();
    assert!(changes.contains(&"-b".to_owned()) && !changes.contains(&"-a".to_owned()), "{changes:?}");
    book.see(1, service("other", "b", 2));
    assert!(book.changes().is_empty());
    book.see(0, namespace("other", true));
    assert!(book.changes().contains(&"+b".to_owned()));
    book.say(2, Event::Gone(Name::new("", "m")));
    book.see(0, namespace("other", false));
    book.changes();
    book.see(1, service("other", "b", 3));
    assert_eq!(book.changes(), ["+b"]);
}

fn labelled(name: &str, revision: &str) -> Value {
    let mut routes = json!({"metadata": {"name": name, "namespace": "shop"}, "spec": {"hosts": ["a"],
        "http": [{"route": [{"destination": {"host": "a"}}]}]}});
    if !revision.is_empty() {
        routes["metadata"]["labels"] = json!({"istio.io/rev": revision});
    }
    routes
}

#[test]
fn configuration_that_names_another_revision_is_left_to_it() {
    let mesh = |name: &str, spec: Value| json!({"metadata": {"name": name}, "spec": spec});
    let kinds = [Kind::VirtualService, Kind::Service, Kind::Mesh];
    let routes = [("r-all", ""), ("r-blue", "blue"), ("r-prod", "prod"), ("r-green", "green")];
    let routes = routes.map(|(name, revision)| labelled(name, revision));
    let mut all = Book::new(&kinds);
    all.list(0, &routes);
    assert_eq!(all.changes(), ["+r-all", "+r-blue", "+r-green", "+r-prod"], "who names no revision reads all");

    let reader = Reader { revision: "blue".into(), mesh: Some("blue".into()) };
    let mut book = Book::of(Some(reader), &kinds);
    book.list(0, &routes);
    assert_eq!(book.changes(), ["+r-all", "+r-blue"]);
    // The label chooses among configuration, not among what there is.
    let mut other = service("shop", "web", 1);
    other["metadata"]["labels"] = json!({"istio.io/rev": "green"});
    book.see(1, other);
    assert_eq!(book.changes(), ["+web"]);

    // Tags are resolved by the own Mesh, and nothing else is of another one's.
    let hidden = json!({"revision": "green", "tags": ["prod"], "meshConfig": {"discoverySelectors": [{"matchLabels": {"a": "b"}}]}});
    book.see(2, mesh("a-green", hidden));
    assert!(book.changes().is_empty(), "neither its tags nor its selectors");
    book.see(2, mesh("blue", json!({"revision": "blue", "tags": ["prod"]})));
    assert_eq!(book.changes(), ["+r-prod", "+blue"]);
    book.see(2, mesh("blue", json!({"revision": "blue"})));
    assert_eq!(book.changes(), ["-r-prod", "+blue"]);
    // One of the same revision was refused: it changes nothing of what runs.
    book.see(2, mesh("a-twin", json!({"revision": "blue", "tags": ["prod"]})));
    assert!(book.changes().is_empty());

    // One that changes hands goes, and what goes unseen is no news.
    let mut moved = labelled("r-blue", "green");
    assert!(book.see(0, moved.clone()));
    assert_eq!(book.changes(), ["-r-blue"]);
    moved["spec"]["hosts"] = json!(["b"]);
    assert!(!book.see(0, moved));
    assert!(!book.say(0, Event::Gone(Name::new("shop", "r-green"))));
    assert!(book.see(0, labelled("r-blue", "")));
    assert_eq!(book.changes(), ["+r-blue"]);
}

#[test]
fn another_version_takes_over_what_is_in_force() {
    let mut book = Book::new(&[Kind::VirtualService]);
    let rule = |name: &str| {
        json!({"metadata": {"name": name, "namespace": "shop"}, "spec": {"hosts": ["a"],
        "http": [{"route": [{"destination": {"host": "a"}}]}]}})
    };
    book.list(0, &[rule("a"), rule("b")]);
    book.changes();
    let newer = Watched::all(Kind::VirtualService, "v1beta1");
    book.ledger.open(1, newer.clone());
    book.watched.insert(1, newer);
    book.ledger.hand_over(0, 1);
    assert!(book.changes().is_empty());
    book.list(1, &[rule("a")]);
    assert_eq!(book.changes(), ["+a", "-b"], "the version that it is read in is another one");
    assert!(book.ledger.close(1));
    assert_eq!(book.changes(), ["-a"]);
}

#[test]
fn secrets_are_wanted_where_gateways_run() {
    let mut book = Book::new(&[Kind::Gateway, Kind::Service]);
    let gateway = json!({"metadata": {"name": "g", "namespace": "shop"}, "spec": {"selector": {"istio": "ingress"},
        "servers": [{"port": {"number": 443, "name": "https", "protocol": "HTTPS"}, "hosts": ["*"],
            "tls": {"mode": "SIMPLE", "credentialName": "shop-cert"}}]}});
    book.list(0, &[gateway]);
    assert_eq!(book.ledger.wanted_secrets().unwrap().len(), 0);
    assert_eq!(book.ledger.wanted_secrets(), None);
    let pod = |istio: &str| {
        json!({"metadata": {"name": "gw-1", "namespace": "edge", "labels": {"istio": istio}},
            "spec": {"containers": []}, "status": {"phase": "Running"}})
    };
    let watched = Watched::all(Kind::Pod, "v1");
    book.ledger.open(2, watched.clone());
    let see = |book: &mut Book, value: Value| {
        let wire: Wire<weft_api::core::PodManifest> = serde_json::from_value(value).unwrap();
        let event = Event::Seen(wire.name(), wire.read(&watched));
        book.say(2, event);
    };
    see(&mut book, pod("ingress"));
    let wanted: Vec<_> = book.ledger.wanted_secrets().unwrap().into_keys().collect();
    assert_eq!(wanted, [Name::new("edge", "shop-cert")]);
    let mut ready = pod("ingress");
    ready["status"]["conditions"] = json!([{"type": "Ready", "status": "True"}]);
    see(&mut book, ready);
    assert_eq!(book.ledger.wanted_secrets(), None, "readiness comes and goes");
    see(&mut book, pod("egress"));
    assert_eq!(book.ledger.wanted_secrets().unwrap().len(), 0);
}
