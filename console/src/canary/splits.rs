//! The weighted routes of a snapshot.

use std::collections::{BTreeMap, BTreeSet};

use weft_api::networking::virtual_service::{Destination, HttpRoute, RouteDestination, VirtualService};
use weft_mesh::{Snapshot, Typed};
use weft_model::{
    Hostname, ObjectRef,
    canary::{FIRST_TCP, FIRST_TLS, place as place_of},
    xds::route_id,
};

use super::{connections, words};
use crate::estate::Estate;

/// One destination of a weighted route.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    /// Host as written.
    pub host: String,
    /// Full host name.
    pub full_host: String,
    /// Subset; empty for none.
    pub subset: String,
    /// Labels that the subset's workloads carry; empty without a subset.
    pub labels: BTreeMap<String, String>,
    /// Whether no DestinationRule names the subset: every request that is to go there fails.
    pub missing: bool,
    /// Weight as it counts.
    pub weight: u32,
    /// Weight as written; `None` where there is none, which counts as zero.
    pub written: Option<u32>,
}

impl Arm {
    /// The name to call it by: the subset's, or the host's.
    pub fn name(&self) -> &str {
        if self.subset.is_empty() { &self.host } else { &self.subset }
    }

    /// Ids of the workloads that it goes to; none when there is no such subset.
    pub fn workloads<'a>(&'a self, estate: &'a Estate) -> impl Iterator<Item = &'a str> {
        let missing = self.missing;
        estate.behind(&self.full_host, &self.labels).filter(move |_| !missing)
    }
}

/// A route before the weighted one that goes to one of its hosts.
#[derive(Clone, Debug, PartialEq)]
pub struct Tester {
    /// Route id in metrics.
    pub route: String,
    /// What it takes, in words.
    pub matches: String,
    /// Where it goes, in words.
    pub destination: String,
}

/// One weighted route.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// The VirtualService.
    pub object: ObjectRef,
    /// Hash of its spec, as the operator's acknowledgements name it.
    pub content: String,
    /// Index in `spec.http`; of routes of opaque connections see [`weft_model::canary::place`].
    pub route_index: usize,
    /// Route id in metrics; of opaque connections, which have none there, its place.
    pub route: String,
    /// Destinations in the order they are written.
    pub arms: Vec<Arm>,
    /// Routes that take testers out first.
    pub testers: Vec<Tester>,
    /// Why counts cannot be told apart, if they cannot.
    pub ambiguous: Option<String>,
}

impl Split {
    /// `namespace/name`, as metrics name the VirtualService.
    pub fn virtual_service(&self) -> String {
        format!("{}/{}", self.object.namespace, self.object.name)
    }

    /// Whether connections are counted, by the workloads that take them, rather than requests by route.
    pub fn is_opaque(&self) -> bool {
        self.route_index >= FIRST_TLS
    }

    /// Configured shares, 0 to 1; all zero when every weight is.
    pub fn shares(&self) -> Vec<f64> {
        let all: f64 = self.arms.iter().map(|arm| f64::from(arm.weight)).sum();
        self.arms.iter().map(|arm| if all > 0.0 { f64::from(arm.weight) / all } else { 0.0 }).collect()
    }
}

/// Every weighted route, ordered by object and index.
pub fn splits(snapshot: &Snapshot) -> Vec<Split> {
    let mut all: Vec<Split> = snapshot.virtual_services().iter().flat_map(|vs| of_one(snapshot, vs)).collect();
    all.extend(opaque(snapshot));
    all.sort_by(|a, b| (&a.object, a.route_index).cmp(&(&b.object, b.route_index)));
    all
}

fn of_one(snapshot: &Snapshot, vs: &Typed<VirtualService>) -> Vec<Split> {
    let id = |index: usize, route: &HttpRoute| route_id(index, Some(&route.name));
    let mut splits = Vec::new();
    for (index, route) in vs.http.iter().enumerate().filter(|(_, route)| route.route.len() >= 2) {
        let arms: Vec<Arm> = route.route.iter().map(|to| arm(snapshot, vs, &to.destination, to.weight)).collect();
        let hosts: BTreeSet<&str> = arms.iter().map(|arm| arm.full_host.as_str()).collect();
        let earlier = vs.http.iter().enumerate().take(index).filter(|(_, earlier)| {
            earlier.route.iter().any(|to| hosts.contains(full_host(snapshot, vs, &to.destination).as_str()))
        });
        let testers = earlier
            .map(|(at, earlier)| Tester {
                route: id(at, earlier),
                matches: words::matches(&earlier.matches),
                destination: words::names(&earlier.route.iter().map(|to| place(&to.destination)).collect::<Vec<_>>()),
            })
            .collect();
        let own = id(index, route);
        let same_name = vs.http.iter().enumerate().filter(|(at, other)| id(*at, other) == own).count() > 1;
        splits.push(Split {
            object: vs.reference().clone(),
            content: vs.object.content.clone(),
            route_index: index,
            ambiguous: ambiguity(&arms, &own, same_name),
            route: own,
            arms,
            testers,
        });
    }
    splits
}

/// Routes of TLS that is passed through, and of TCP, by index.
fn opaque_routes(vs: &VirtualService) -> impl Iterator<Item = (usize, &[RouteDestination])> {
    let tls = vs.tls.iter().enumerate().map(|(at, route)| (FIRST_TLS + at, &route.route[..]));
    tls.chain(vs.tcp.iter().enumerate().map(|(at, route)| (FIRST_TCP + at, &route.route[..])))
}

fn opaque(snapshot: &Snapshot) -> Vec<Split> {
    let mut leading: BTreeMap<String, usize> = BTreeMap::new();
    for vs in snapshot.virtual_services().iter() {
        for (_, route) in opaque_routes(vs) {
            let host = |to: &RouteDestination| full_host(snapshot, vs, &to.destination).to_string();
            for host in route.iter().map(host).collect::<BTreeSet<_>>() {
                *leading.entry(host).or_default() += 1;
            }
        }
    }
    let mut splits = Vec::new();
    for vs in snapshot.virtual_services().iter() {
        for (route_index, route) in opaque_routes(vs).filter(|(_, route)| route.len() >= 2) {
            let (list, index) = place_of(route_index);
            let mut arms: Vec<Arm> = route.iter().map(|to| arm(snapshot, vs, &to.destination, to.weight)).collect();
            // As proxies get it: all alike when none has a weight.
            if arms.iter().all(|arm| arm.weight == 0) {
                for arm in &mut arms {
                    arm.weight = 1;
                }
            }
            let mut split = Split {
                object: vs.reference().clone(),
                content: vs.object.content.clone(),
                route_index,
                route: format!("{list}[{index}]"),
                arms,
                testers: Vec::new(),
                ambiguous: None,
            };
            let elsewhere = |host: &str| leading.get(host).is_some_and(|routes| *routes > 1);
            split.ambiguous = connections::ambiguity(&split, elsewhere);
            splits.push(split);
        }
    }
    splits
}

fn ambiguity(arms: &[Arm], route: &str, same_name: bool) -> Option<String> {
    let distinct: BTreeSet<(&str, &str)> =
        arms.iter().map(|arm| (arm.full_host.as_str(), arm.subset.as_str())).collect();
    if same_name {
        Some(format!("Two routes are named {route}, so their requests cannot be told apart; give each its own name."))
    } else if distinct.len() < arms.len() {
        Some(
            "Two destinations have the same host and subset, so their requests cannot be told apart; join them, or give \
             them subsets of their own."
                .to_owned(),
        )
    } else {
        None
    }
}

fn full_host(snapshot: &Snapshot, vs: &Typed<VirtualService>, to: &Destination) -> Hostname {
    snapshot.resolve_host(&to.host, vs.namespace())
}

fn place(to: &Destination) -> String {
    if to.subset.is_empty() { to.host.clone() } else { format!("{} {}", to.host, to.subset) }
}

fn arm(snapshot: &Snapshot, vs: &Typed<VirtualService>, to: &Destination, weight: Option<i32>) -> Arm {
    let full_host = full_host(snapshot, vs, to);
    let subset = snapshot
        .destination_rules_of(&full_host)
        .find_map(|rule| rule.subsets.iter().find(|subset| subset.name == to.subset && !to.subset.is_empty()));
    let written = weight.and_then(|weight| u32::try_from(weight).ok());
    Arm {
        host: to.host.clone(),
        full_host: full_host.to_string(),
        subset: to.subset.clone(),
        missing: subset.is_none() && !to.subset.is_empty(),
        labels: subset.map(|subset| subset.labels.clone()).unwrap_or_default(),
        weight: written.unwrap_or(0),
        written,
    }
}
