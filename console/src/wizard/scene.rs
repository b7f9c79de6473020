//! What a form is about, and what exists around it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::Value;
use weft_api::{
    Object, Spec,
    networking::{Protocol, virtual_service::VirtualService},
};
use weft_lint::meaning;
use weft_mesh::Snapshot;
use weft_model::ObjectRef;
use weft_source::draft::from_yaml;

/// Names of one sort beyond this are not offered: nobody scrolls through more.
const MOST: usize = 500;

/// An object as it is written.
#[derive(Clone, Debug)]
pub struct Document {
    /// Which.
    pub object: ObjectRef,
    /// The text, with its comments.
    pub text: String,
    /// The same as JSON.
    pub value: Value,
}

impl Document {
    /// Reads a text; `None` when it is no YAML.
    pub fn read(object: ObjectRef, text: String) -> Option<Self> {
        from_yaml(&text).map(|value| Self { object, text, value })
    }
}

/// Objects that a form may change: which of them are to be read.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The VirtualService of the service, as the mesh takes the first.
    pub routes: Option<Arc<Object>>,
    /// Others for the same host.
    pub other_routes: Vec<ObjectRef>,
    /// Its DestinationRule.
    pub rule: Option<Arc<Object>>,
    /// The PeerAuthentication of just these workloads.
    pub peer: Option<Arc<Object>>,
    /// AuthorizationPolicies of just these workloads.
    pub policies: Vec<Arc<Object>>,
}

/// What a form is about.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// Namespace.
    pub namespace: String,
    /// Name of the service, application or workload; empty for the whole namespace.
    pub name: String,
    /// Full host of the service; empty when there is none.
    pub host: String,
    /// The host as it is written in its own namespace.
    pub short: String,
    /// Ports of the service's workloads.
    pub ports: Vec<u16>,
    /// Whether requests are seen: the service has a port that is not declared as plain TCP.
    pub http: bool,
    /// Labels that tell versions apart, by version: those that run, and those that only a subset names.
    pub versions: BTreeMap<String, BTreeMap<String, String>>,
    /// Subsets that the DestinationRule names.
    pub subsets: Vec<String>,
    /// Other places that requests may go to: host as it is written here, and subset.
    pub places: Vec<(String, String)>,
    /// The VirtualService.
    pub routes: Option<Document>,
    /// Its routes in words: which requests, and where they go.
    pub words: Vec<(String, String)>,
    /// Others for the same host.
    pub other_routes: Vec<ObjectRef>,
    /// The DestinationRule.
    pub rule: Option<Document>,
    /// Labels that select the workloads; empty for the whole namespace.
    pub selector: BTreeMap<String, String>,
    /// The PeerAuthentication of just these workloads.
    pub peer: Option<Document>,
    /// AuthorizationPolicies of just these workloads.
    pub policies: Vec<Document>,
    /// Identities that run, without `spiffe://`.
    pub principals: Vec<String>,
    /// Namespaces that exist.
    pub namespaces: Vec<String>,
    /// Whether this is the mesh's root namespace, whose policies hold everywhere.
    pub root: bool,
}

impl Scene {
    /// What exists around a name, and which documents to read; `None` when there is nothing of that name. `sees` tells
    /// which namespaces' names may be told.
    pub fn look(
        snapshot: &Snapshot,
        (namespace, name): (&str, &str),
        security: bool,
        sees: impl Fn(&str) -> bool,
    ) -> Option<(Self, Wanted)> {
        let mut scene = Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            root: snapshot.settings().root_namespace == namespace,
            ..Self::default()
        };
        let mut wanted = Wanted::default();
        let service = snapshot.services_in(namespace).iter().find(|service| service.name == name);
        if let Some(service) = service {
            scene.host = service.host.to_string();
            scene.short = service.name.clone();
            scene.http = service.ports.iter().any(|port| {
                use Protocol::{Grpc, GrpcWeb, Http, Http2};
                port.protocol.is_none_or(|protocol| matches!(protocol, Http | Http2 | Grpc | GrpcWeb))
            });
            scene.selector.clone_from(&service.selector);
            let behind = snapshot
                .workloads()
                .values()
                .filter(|one| one.reference.namespace == namespace && service.selects(&one.labels));
            for workload in behind {
                for key in ["version", "app.kubernetes.io/version"] {
                    let version = workload.label(key);
                    if !version.is_empty() {
                        let labels = BTreeMap::from([(key.to_owned(), version.to_owned())]);
                        scene.versions.entry(version.to_owned()).or_insert(labels);
                        break;
                    }
                }
                scene.ports.extend(service.ports.iter().filter_map(|port| match &port.target {
                    weft_mesh::snapshot::TargetPort::Number(number) => Some(*number),
                    weft_mesh::snapshot::TargetPort::Name(name) => workload.ports.get(name).copied(),
                }));
            }
            scene.ports.sort_unstable();
            scene.ports.dedup();
            let mut routes =
                snapshot.virtual_services_of(&service.host).filter(|one| one.in_mesh() && !one.http.is_empty());
            wanted.routes = routes.next().map(|one| Arc::clone(&one.object));
            wanted.other_routes = routes.map(|one| one.reference().clone()).collect();
            let rule = snapshot.destination_rules_of(&service.host).find(|one| one.workload_selector.is_none());
            scene.subsets = rule.iter().flat_map(|one| &one.subsets).map(|subset| subset.name.clone()).collect();
            wanted.rule = rule.map(|one| Arc::clone(&one.object));
            scene.look_for_places(snapshot, &sees);
        } else if !security {
            return None;
        } else if !name.is_empty() {
            let mut workloads = snapshot.workloads().values().filter(|one| one.reference.namespace == namespace);
            let workload = workloads.find(|one| one.name == name || one.canonical_name() == name)?;
            let key = ["app", "app.kubernetes.io/name", "service.istio.io/canonical-name"]
                .into_iter()
                .find(|key| !workload.label(key).is_empty())?;
            scene.selector.insert(key.to_owned(), workload.label(key).to_owned());
            scene.ports = workload.ports.values().copied().collect();
        } else if !snapshot.namespaces().contains_key(namespace)
            && !snapshot.workloads().values().any(|one| one.reference.namespace == namespace)
        {
            return None;
        }
        if security {
            scene.look_for_policies(snapshot, &mut wanted);
            let accounts = snapshot.workloads().values().filter(|one| sees(&one.reference.namespace)).map(|one| {
                format!("{}/ns/{}/sa/{}", snapshot.mesh().trust_domain(), one.reference.namespace, one.service_account)
            });
            scene.principals = accounts.collect::<BTreeSet<_>>().into_iter().take(MOST).collect();
            let all: BTreeSet<&str> = snapshot
                .workloads()
                .values()
                .map(|one| one.reference.namespace.as_str())
                .chain(snapshot.namespaces().keys().map(String::as_str))
                .filter(|name| sees(name))
                .collect();
            scene.namespaces = all.into_iter().take(MOST).map(str::to_owned).collect();
        }
        if let Some(Spec::VirtualService(routes)) = wanted.routes.as_ref().map(|object| &object.spec) {
            scene.words = words(routes);
        }
        Some((scene, wanted))
    }

    /// Where requests may go: to the service and its versions, and to other services that may be seen.
    fn look_for_places(&mut self, snapshot: &Snapshot, sees: &impl Fn(&str) -> bool) {
        let mut others: Vec<_> = snapshot
            .services()
            .iter()
            .filter(|service| {
                sees(&service.namespace) && !service.host.is_wildcard() && service.host.as_str() != self.host
            })
            .collect();
        others.sort_by_key(|service| (service.namespace != self.namespace, &service.namespace, &service.name));
        for service in others.into_iter().take(MOST) {
            let near = service.namespace == self.namespace;
            let host = if near { service.name.clone() } else { service.host.to_string() };
            self.places.push((host.clone(), String::new()));
            let rules = snapshot.destination_rules_of(&service.host);
            let subsets = rules.flat_map(|rule| rule.subsets.iter().map(|subset| subset.name.clone()));
            self.places.extend(subsets.map(|subset| (host.clone(), subset)));
        }
    }

    fn look_for_policies(&self, snapshot: &Snapshot, wanted: &mut Wanted) {
        let own = |selector: Option<&weft_api::security::Selector>| {
            selector.map_or(self.selector.is_empty(), |selector| selector.match_labels == self.selector)
        };
        let peers = snapshot.peer_authentications();
        let peer = peers.in_namespace(&self.namespace).find(|one| own(one.selector.as_ref()));
        wanted.peer = peer.map(|one| Arc::clone(&one.object));
        let policies = snapshot.authorization_policies();
        let policies = policies
            .in_namespace(&self.namespace)
            .filter(|one| own(one.selector.as_ref()) && one.target_refs.is_empty() && one.target_ref.is_none());
        wanted.policies = policies.map(|one| Arc::clone(&one.object)).collect();
    }

    /// Names that a route of the service may have in place of a version's: subsets, and versions without one.
    pub fn versions_and_subsets(&self) -> Vec<String> {
        let without = self.versions.iter().filter(|(version, _)| !self.subsets.contains(version));
        self.subsets.iter().chain(without.map(|(version, _)| version)).cloned().collect()
    }

    /// Whether a name in the VirtualService stands for this service.
    pub fn is_own(&self, host: &str) -> bool {
        host == self.host || host == self.short && self.is_near(self.routes.as_ref())
    }

    /// The service as it is named in an object that is there, or in a new one of its own namespace.
    pub fn host_in(&self, document: Option<&Document>) -> &str {
        if self.is_near(document) { &self.short } else { &self.host }
    }

    fn is_near(&self, document: Option<&Document>) -> bool {
        document.is_none_or(|document| document.object.namespace == self.namespace)
    }

    /// Where no route is chosen, changes are for the last one that takes every request.
    pub fn usual_route(&self) -> Option<usize> {
        let routes = self.routes.as_ref().map(|document| super::doc::list(&document.value, &["spec", "http"]));
        routes.and_then(|routes| routes.iter().rposition(|route| super::doc::list(route, &["match"]).is_empty()))
    }
}

fn words(routes: &VirtualService) -> Vec<(String, String)> {
    let words = routes.http.iter().enumerate();
    words.map(|(index, route)| (meaning::requests(route, index > 0), meaning::outcome(route))).collect()
}
