use std::collections::HashMap;

use envoy_types::pb::google::rpc::Status;
use prost::Message;
use weft_mesh::Resource;

use super::*;

/// A resource whose version is its content.
fn resource(kind: Kind, name: &str, version: &str, origin: Option<&str>) -> Resource {
    Resource {
        name: name.to_owned(),
        type_url: kind.type_url(),
        value: version.as_bytes().to_vec(),
        version: version.to_owned(),
        origins: origin.map(object).into_iter().collect(),
    }
}

fn object(name: &str) -> ObjectRef {
    ObjectRef { kind: "VirtualService".into(), name: name.into(), ..ObjectRef::default() }
}

/// `cds:name=version` words.
fn target(words: &str) -> Arc<Resources> {
    let resources = words.split_whitespace().map(|word| {
        let (kind, rest) = word.split_once(':').unwrap();
        let (name, version) = rest.split_once('=').unwrap();
        let kind = Kind::ALL.into_iter().find(|k| k.name() == kind).unwrap();
        resource(kind, name, version, (kind == Kind::Vhds).then_some(name))
    });
    Arc::new(resources.collect())
}

fn subscribe(kind: Kind, names: &[&str]) -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest {
        type_url: kind.type_url().to_owned(),
        resource_names_subscribe: names.iter().map(|&name| name.to_owned()).collect(),
        ..DeltaDiscoveryRequest::default()
    }
}

fn unsubscribe(kind: Kind, names: &[&str]) -> DeltaDiscoveryRequest {
    let request = subscribe(kind, names);
    DeltaDiscoveryRequest {
        resource_names_unsubscribe: request.resource_names_subscribe,
        resource_names_subscribe: Vec::new(),
        ..request
    }
}

fn resume(kind: Kind, versions: &[(&str, &str)]) -> DeltaDiscoveryRequest {
    let versions: HashMap<_, _> = versions.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    DeltaDiscoveryRequest { initial_resource_versions: versions, ..subscribe(kind, &[]) }
}

/// A response in words: `cds +a=1 -b`.
fn words((kind, response): &(Kind, DeltaDiscoveryResponse)) -> String {
    let mut out = kind.name().to_owned();
    for resource in &response.resources {
        assert_eq!(resource.resource.as_ref().unwrap().type_url, response.type_url);
        out.push_str(&format!(" +{}={}", resource.name, resource.version));
    }
    for name in &response.removed_resources {
        out.push_str(&format!(" -{name}"));
    }
    out
}

struct Client {
    session: Session,
    /// Responses not answered yet.
    inbox: Vec<(Kind, DeltaDiscoveryResponse)>,
}

impl Client {
    fn new(engine: Engine) -> Self {
        Self { session: Session::new(engine), inbox: Vec::new() }
    }

    fn ask(&mut self, request: DeltaDiscoveryRequest) -> Option<Heard> {
        self.session.hear(request).unwrap()
    }

    /// What comes now.
    fn hear(&mut self) -> Vec<String> {
        let responses = self.session.speak();
        let heard = responses.iter().map(words).collect();
        self.inbox.extend(responses);
        heard
    }

    fn answer(&mut self, kind: Kind, error: Option<&str>) -> Option<Answer> {
        let at = self.inbox.iter().position(|(k, _)| *k == kind).expect("a response of this kind");
        let (_, response) = self.inbox.remove(at);
        let request = DeltaDiscoveryRequest {
            type_url: kind.type_url().to_owned(),
            response_nonce: response.nonce,
            error_detail: error.map(|message| Status { message: message.to_owned(), ..Status::default() }),
            ..DeltaDiscoveryRequest::default()
        };
        self.ask(request)?.answer
    }

    /// Acknowledges all that comes until nothing does; tells what came, stage by stage.
    fn settle(&mut self) -> Vec<Vec<String>> {
        let mut stages = Vec::new();
        loop {
            let heard = self.hear();
            if heard.is_empty() && self.inbox.is_empty() {
                return stages;
            }
            if !heard.is_empty() {
                stages.push(heard);
            }
            let kind = self.inbox[0].0;
            self.answer(kind, None);
        }
    }

    /// How far it is with each resource of its target.
    fn states(&self, kind: Kind) -> Vec<State> {
        let standing = &self.session.standings()[kind as usize];
        self.session.target().of(kind.type_url()).iter().map(|resource| standing.state(resource)).collect()
    }

    fn weft(words: &str) -> Self {
        let mut client = Self::new(Engine::Weft);
        for kind in [Kind::Cds, Kind::Eds, Kind::Lds, Kind::Rds, Kind::Vhds, Kind::Wds] {
            client.ask(subscribe(kind, &[]));
        }
        client.session.set_target(target(words), 1);
        client.settle();
        client
    }
}

const ALL: &str = "cds:c=1 eds:e=1 lds:l=1 rds:r=1 vhds:v=1 wds:w=1 sds:s=1";

#[test]
fn additions_go_clusters_first_and_wait_for_the_stage_before() {
    let mut client = Client::new(Engine::Weft);
    assert!(client.hear().is_empty(), "nothing before a target");
    client.session.set_target(target(ALL), 1);
    for kind in [Kind::Vhds, Kind::Rds, Kind::Lds] {
        client.ask(subscribe(kind, &[]));
        assert!(client.hear().is_empty(), "routes wait until clusters were asked for");
    }
    client.ask(subscribe(Kind::Cds, &[]));
    assert_eq!(client.hear(), ["cds +c=1"]);
    client.ask(subscribe(Kind::Eds, &[]));
    client.ask(subscribe(Kind::Sds, &["s", "missing"]));
    assert_eq!(client.hear(), ["eds +e=1", "sds +s=1 -missing"]);
    assert!(!client.session.settled());
    client.answer(Kind::Cds, None);
    client.answer(Kind::Sds, None);
    assert!(client.hear().is_empty(), "the endpoints are not acknowledged yet");
    assert_eq!(client.session.unconfirmed(), BTreeSet::from([object("v")]));
    client.answer(Kind::Eds, None);
    assert_eq!(client.hear(), ["lds +l=1", "rds +r=1", "vhds +v=1"]);
    client.settle();
    assert!(client.session.settled() && client.session.unconfirmed().is_empty());
}

#[test]
fn removals_go_routes_first() {
    let mut client = Client::weft(ALL);
    client.session.set_target(target("cds:d=1"), 2);
    let stages = client.settle();
    assert_eq!(stages[0], ["cds +d=1"]);
    assert_eq!(stages[1], ["vhds -v", "rds -r", "lds -l"]);
    assert_eq!(stages[2], ["wds -w", "eds -e", "cds -c"]);
    assert!(client.session.settled());
}

#[test]
fn only_differences_are_sent_and_an_unanswered_push_is_followed_by_the_newest() {
    let mut client = Client::weft("cds:a=1 cds:b=1 vhds:v=1");
    client.session.set_target(target("cds:a=1 cds:b=1 vhds:v=1"), 2);
    assert!(client.hear().is_empty(), "nothing changed");

    client.session.set_target(target("cds:a=1 cds:b=1 vhds:v=2"), 3);
    assert_eq!(client.hear(), ["vhds +v=2"]);
    for (generation, version) in [(4, 3), (5, 4), (6, 5)] {
        client.session.set_target(target(&format!("cds:a=1 cds:b=1 vhds:v={version}")), generation);
        assert!(client.hear().is_empty(), "one response of a type at a time");
    }
    assert_eq!(client.session.unconfirmed(), BTreeSet::from([object("v")]));
    client.answer(Kind::Vhds, None);
    assert_eq!(client.session.unconfirmed(), BTreeSet::from([object("v")]), "that was an older version");
    assert_eq!(client.hear(), ["vhds +v=5"], "what lay between is never sent");
    assert_eq!(client.inbox[0].1.system_version_info, "6");
    client.settle();
    assert!(client.session.unconfirmed().is_empty());
}

#[test]
fn a_change_back_before_the_answer_is_sent_as_a_change() {
    let mut client = Client::weft("vhds:v=1");
    client.session.set_target(target("vhds:v=2"), 2);
    assert_eq!(client.hear(), ["vhds +v=2"]);
    client.session.set_target(target("vhds:v=1"), 3);
    assert_eq!(client.session.unconfirmed(), BTreeSet::from([object("v")]), "the change may be in force by now");
    assert!(client.hear().is_empty());
    client.answer(Kind::Vhds, None);
    assert_eq!(client.hear(), ["vhds +v=1"]);
    client.settle();

    // The same with a resource that comes and goes, and with one that goes and comes.
    client.session.set_target(target("vhds:v=1 vhds:w=1"), 4);
    assert_eq!(client.hear(), ["vhds +w=1"]);
    client.session.set_target(target("vhds:v=1"), 5);
    assert!(!client.session.unconfirmed().is_empty());
    assert_eq!(client.settle(), [vec!["vhds -w"]]);
    client.session.set_target(target(""), 6);
    assert_eq!(client.hear(), ["vhds -v"]);
    client.session.set_target(target("vhds:v=1"), 7);
    assert_eq!(client.settle(), [vec!["vhds +v=1"]]);
    assert!(client.session.unconfirmed().is_empty() && client.session.settled());
}

#[test]
fn a_nack_keeps_the_good_and_never_repeats_the_bad() {
    let mut client = Client::weft("vhds:a=1 vhds:b=1");
    client.session.set_target(target("vhds:a=2 vhds:b=2"), 2);
    assert_eq!(client.hear(), ["vhds +a=2 +b=2"]);
    let answer = client.answer(Kind::Vhds, Some("VirtualHost b: no such cluster")).unwrap();
    assert_eq!(answer, Answer::Nack(vec![("b".into(), "no such cluster".into())]));
    assert!(client.hear().is_empty(), "the refused version is not sent again");
    assert!(client.session.settled());
    assert_eq!(client.session.unconfirmed(), BTreeSet::from([object("b")]), "refused is not confirmed");
    let row = client.session.summary().into_iter().find(|row| row.kind == "vhds").unwrap();
    assert!(!row.synced && row.nack.unwrap().contains("no such cluster"));
    assert_eq!(client.states(Kind::Vhds), [State::Acked, State::Refused("no such cluster".to_owned())]);

    client.session.set_target(target("vhds:a=2 vhds:b=3"), 3);
    assert_eq!(client.hear(), ["vhds +b=3"]);
    client.settle();
    let row = client.session.summary().into_iter().find(|row| row.kind == "vhds").unwrap();
    assert!(row.synced && row.nack.is_none() && client.session.unconfirmed().is_empty());
}

#[test]
fn a_cut_nack_confirms_nothing_that_it_does_not_name() {
    let mut client = Client::weft("vhds:a=1 vhds:b=1");
    client.session.set_target(target("vhds:a=2 vhds:b=2"), 2);
    client.hear();
    let cut = format!("VirtualHost b: no such cluster\n{}7 more", weft_model::xds::NACK_CUT);
    let Some(Answer::Nack(refused)) = client.answer(Kind::Vhds, Some(&cut)) else { panic!("not a NACK") };
    assert_eq!(refused.len(), 2);
    assert_eq!(client.session.unconfirmed(), BTreeSet::from([object("a"), object("b")]));
}

#[test]
fn going_back_to_what_is_in_force_heals_a_refusal() {
    let mut client = Client::weft("lds:l=1");
    client.session.set_target(target("lds:l=2"), 2);
    client.hear();
    client.answer(Kind::Lds, Some("everything is wrong"));
    let refused = State::Refused("everything is wrong".to_owned());
    assert_eq!(client.states(Kind::Lds), [refused], "a NACK that names nothing refuses all");
    client.session.set_target(target("lds:l=1"), 3);
    assert!(client.hear().is_empty());
    assert!(client.session.summary().iter().all(|row| row.synced && row.nack.is_none()));
}

#[test]
fn a_reconnecting_proxy_is_sent_only_what_it_lacks() {
    let mut client = Client::new(Engine::Weft);
    client.session.set_target(target("cds:a=1 cds:b=2 eds:e=1 vhds:v=2"), 7);
    client.ask(resume(Kind::Cds, &[("a", "1"), ("b", "1"), ("gone", "1")]));
    client.ask(resume(Kind::Eds, &[("e", "1")]));
    client.ask(resume(Kind::Vhds, &[("v", "1")]));
    assert_eq!(client.session.take_stale(), BTreeSet::from([object("v")]));
    assert!(client.session.take_stale().is_empty(), "told once");
    let stages = client.settle();
    assert_eq!(stages, [vec!["cds +b=2"], vec!["vhds +v=2"], vec!["cds -gone"]]);

    let mut same = Client::new(Engine::Weft);
    same.session.set_target(target("cds:a=1 eds:e=1 vhds:v=1"), 7);
    for (kind, name) in [(Kind::Cds, "a"), (Kind::Eds, "e"), (Kind::Vhds, "v")] {
        same.ask(resume(kind, &[(name, "1")]));
    }
    assert!(same.settle().is_empty() && same.session.take_stale().is_empty());
    for kind in [Kind::Lds, Kind::Rds] {
        same.ask(subscribe(kind, &[]));
    }
    assert_eq!(same.settle(), [vec!["lds", "rds"]], "types that it had nothing of are answered, so that it is ready");
    assert!(same.session.unconfirmed().is_empty());
}

#[test]
fn envoy_names_what_it_wants() {
    let mut client = Client::new(Engine::Envoy);
    client.session.set_target(target("cds:c=1 eds:c=1 eds:d=1 lds:l=1 rds:r=1"), 1);
    client.ask(subscribe(Kind::Cds, &[]));
    assert_eq!(client.hear(), ["cds +c=1"]);
    client.ask(subscribe(Kind::Eds, &["c"]));
    assert_eq!(client.settle(), [vec!["eds +c=1"]]);
    client.ask(subscribe(Kind::Lds, &["*"]));
    client.ask(subscribe(Kind::Rds, &["r", "nowhere"]));
    assert_eq!(client.settle(), [vec!["lds +l=1", "rds +r=1 -nowhere"]]);

    client.ask(subscribe(Kind::Eds, &["c"]));
    assert_eq!(client.settle(), [vec!["eds +c=1"]], "asked again, answered again");
    client.ask(unsubscribe(Kind::Eds, &["c"]));
    client.session.set_target(target("cds:c=1 eds:c=2 lds:l=1 rds:r=1"), 2);
    assert!(client.settle().is_empty(), "nobody wants these endpoints any more");
    client.ask(unsubscribe(Kind::Lds, &["*"]));
    client.session.set_target(target("cds:c=1 rds:r=1"), 3);
    assert!(client.settle().is_empty());
}

#[test]
fn answers_to_older_responses_change_nothing() {
    let mut client = Client::weft("cds:a=1");
    client.session.set_target(target("cds:a=2"), 2);
    client.hear();
    let stale = DeltaDiscoveryRequest { response_nonce: "1".into(), ..subscribe(Kind::Cds, &[]) };
    assert_eq!(client.ask(stale).unwrap().answer, Some(Answer::Stale));
    assert!(!client.session.settled());
    let unknown =
        DeltaDiscoveryRequest { type_url: "type.googleapis.com/x".into(), ..DeltaDiscoveryRequest::default() };
    assert!(client.ask(unknown).is_none());
}

#[test]
fn large_pushes_are_cut_and_a_flood_of_names_is_refused() {
    let big = |name: &str| Resource { value: vec![0; 1_500_000], ..resource(Kind::Cds, name, "1", None) };
    let mut client = Client::new(Engine::Weft);
    client.ask(subscribe(Kind::Cds, &[]));
    client.ask(subscribe(Kind::Eds, &[]));
    client.session.set_target(Arc::new(["a", "b", "c"].map(big).into_iter().collect()), 1);
    let stages = client.settle();
    assert_eq!(stages, [vec!["cds +a=1"], vec!["cds +b=1"], vec!["cds +c=1", "eds"]]);

    let names: Vec<String> = (0..=subscription::MAX_NAMES).map(|n| n.to_string()).collect();
    let request = DeltaDiscoveryRequest { resource_names_subscribe: names, ..subscribe(Kind::Sds, &[]) };
    assert_eq!(client.session.hear(request), Err(TooMany));
}

#[test]
fn responses_fill_a_buffer_of_32_kib_and_no_larger_one() {
    let small = |n: usize| Resource { value: vec![7; n % 300], ..resource(Kind::Cds, &format!("c{n:04}"), "1", None) };
    let mut client = Client::new(Engine::Weft);
    client.ask(subscribe(Kind::Cds, &[]));
    client.ask(subscribe(Kind::Eds, &[]));
    client.session.set_target(Arc::new((0..2000).map(small).collect()), 1);
    let (mut names, mut sizes) = (Vec::new(), Vec::new());
    while let [(Kind::Cds, response), ..] = client.session.speak().as_slice() {
        names.extend(response.resources.iter().map(|resource| resource.name.clone()));
        sizes.push(response.encoded_len());
        client.inbox.push((Kind::Cds, response.clone()));
        client.answer(Kind::Cds, None);
    }
    assert!(names.iter().eq((0..2000).map(|n| format!("c{n:04}")).collect::<Vec<_>>().iter()), "each of them once");
    // A gRPC message has five bytes before it.
    let full = &sizes[..sizes.len() - 1];
    assert!(full.iter().all(|size| (29 * 1024..=32 * 1024 - 5).contains(size)), "{sizes:?}");
}
