//! Shares of traffic between versions.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use weft_model::wizard::{Control, Part};

use super::{
    Change, Form,
    doc::{list, routes, set, text, with_subsets},
    field::{With as _, field, line, number_fault},
    scene::Scene,
    settings::{route_field, route_of, usual},
};

/// The form.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Shift {
    /// Which route, counted from zero, as text; empty for a new one behind all others.
    route: String,
    arms: Vec<Arm>,
}

/// One destination.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Arm {
    host: String,
    /// Subset; a version that runs and has none yet gets one.
    subset: String,
    /// Percent.
    weight: Option<f64>,
}

impl Shift {
    fn index(&self) -> Option<usize> {
        self.route.parse().ok()
    }

    fn sum(&self) -> f64 {
        self.arms.iter().filter_map(|arm| arm.weight).sum()
    }
}

/// Destinations of a route as it is, and what else could get a share.
fn arms(scene: &Scene, route: &Value) -> Vec<Arm> {
    let present = list(route, &["route"]);
    let only = present.len() == 1;
    let arm = |one: &Value| Arm {
        host: text(one, &["destination", "host"]),
        subset: text(one, &["destination", "subset"]),
        weight: if only { Some(100.0) } else { Some(one["weight"].as_f64().unwrap_or(0.0)) },
    };
    let mut arms: Vec<Arm> = present.iter().map(arm).collect();
    for subset in scene.versions_and_subsets() {
        if !arms.iter().any(|arm| arm.subset == subset && scene.is_own(&arm.host)) {
            arms.push(Arm { host: scene.host_in(scene.routes.as_ref()).to_owned(), subset, weight: Some(0.0) });
        }
    }
    // A service without versions in its route shares by endpoints; the first version is as good a beginning as any.
    if only && arms.len() > 1 && arms[0].subset.is_empty() && scene.is_own(&arms[0].host) {
        arms.remove(0);
        arms[0].weight = Some(100.0);
    }
    arms
}

impl Form for Shift {
    fn start(scene: &Scene) -> Self {
        let route = usual(scene);
        Self { arms: arms(scene, &route_of(scene, &route)), route }
    }

    fn fill(&mut self, scene: &Scene) {
        if self.route.is_empty() {
            self.route = usual(scene);
        }
        if self.arms.is_empty() {
            self.arms = arms(scene, &route_of(scene, &self.route));
        }
    }

    fn parts(&self, scene: &Scene) -> Vec<Part<Value>> {
        let mut parts: Vec<Part<Value>> = route_field(scene, &self.route).into_iter().collect();
        let two = self.arms.len() == 2;
        let rows = self.arms.iter().enumerate().map(|(index, arm)| {
            let name = match (arm.subset.as_str(), scene.is_own(&arm.host)) {
                ("", _) => arm.host.clone(),
                (subset, true) => subset.to_owned(),
                (subset, false) => format!("{subset} of {}", arm.host),
            };
            let fault = match arm.weight {
                None => Some("Write a whole number from 0 to 100.".to_owned()),
                weight => number_fault(weight, 0.0..=100.0, true),
            };
            let own = scene.is_own(&arm.host) && !arm.subset.is_empty();
            let made = own && scene.versions.contains_key(&arm.subset) && !scene.subsets.contains(&arm.subset);
            let hint = if made { "its subset is made, too" } else { "" };
            line([field(format!("/arms/{index}/weight"), &name, Control::Weight).unit("%").hint(hint).wrong(fault)])
        });
        let about = if two { "Moving one moves the other." } else { "They add up to 100." };
        parts.push(Part { title: "Shares".into(), about: about.into(), rows: rows.collect(), ..Part::default() });
        parts
    }

    fn problems(&self, scene: &Scene) -> Vec<String> {
        let mut out = Vec::new();
        if self.arms.iter().all(|arm| arm.weight.is_some()) {
            let sum = self.sum();
            if sum < 100.0 {
                out.push(format!("The shares add up to {sum}; {} are missing.", 100.0 - sum));
            } else if sum > 100.0 {
                out.push(format!("The shares add up to {sum}; {} are too many.", sum - 100.0));
            }
        }
        let known = scene.versions_and_subsets();
        let own = self.arms.iter().filter(|arm| scene.is_own(&arm.host) && arm.weight.unwrap_or(0.0) > 0.0);
        for arm in own.filter(|arm| !arm.subset.is_empty()) {
            if !known.contains(&arm.subset) {
                out.push(format!("Nothing runs as {} and no subset has this name.", arm.subset));
            }
        }
        out
    }

    fn notes(&self, scene: &Scene) -> Vec<String> {
        let mut notes = scene.usual_notes();
        if scene.versions_and_subsets().len() < 2 {
            notes.push(
                "There is one version at most, so there is nothing to shift between. Start another one with a different label version."
                    .to_owned(),
            );
        } else if scene.routes.is_none() {
            notes.push("Until now no route is configured: versions share the traffic by their endpoints.".to_owned());
        }
        notes
    }

    fn changes(&self, scene: &Scene) -> Vec<Change> {
        let mut document = routes(scene);
        let mut http = list(&document, &["spec", "http"]).to_vec();
        let index = self.index().filter(|index| *index < http.len());
        let mut route = index.map_or_else(|| json!({}), |index| http[index].clone());
        let present = list(&route, &["route"]).to_vec();
        let mut used = Vec::new();
        let mut arms = Vec::new();
        for arm in &self.arms {
            let known = present.iter().enumerate().find(|(at, one)| {
                !used.contains(at)
                    && text(one, &["destination", "host"]) == arm.host
                    && text(one, &["destination", "subset"]) == arm.subset
            });
            let weight = arm.weight.unwrap_or(0.0);
            match known {
                Some((at, one)) => {
                    used.push(at);
                    let mut one = one.clone();
                    // One destination gets everything, with or without a weight.
                    if self.arms.iter().filter(|arm| arm.weight.unwrap_or(0.0) > 0.0).count() > 1 || present.len() > 1 {
                        one["weight"] = json!(weight as u64);
                    }
                    arms.push(one);
                }
                None if weight > 0.0 => {
                    let mut one = json!({ "destination": { "host": arm.host } });
                    set(&mut one, &["destination", "subset"], json!(arm.subset));
                    // The port and whatever else a destination says stay as the others have it.
                    if let Some(port) = present.first().map(|first| first["destination"]["port"].clone()) {
                        set(&mut one, &["destination", "port"], port);
                    }
                    if weight < 100.0 {
                        one["weight"] = json!(weight as u64);
                    }
                    arms.push(one);
                }
                None => {}
            }
        }
        set(&mut route, &["route"], Value::Array(arms));
        match index {
            Some(index) => http[index] = route,
            None => http.push(route),
        }
        set(&mut document, &["spec", "http"], Value::Array(http));
        let own = self.arms.iter().filter(|arm| scene.is_own(&arm.host) && arm.weight.unwrap_or(0.0) > 0.0);
        let versions: Vec<String> = own.map(|arm| arm.subset.clone()).collect();
        scene.with_subset_step(&versions, Change { title: "Shares".into(), of: scene.routes.clone(), value: document })
    }
}

impl Scene {
    /// Subsets that are missing are made first: a route to one that is not there fails.
    pub(super) fn with_subset_step(&self, versions: &[String], change: Change) -> Vec<Change> {
        let missing: Vec<String> = versions
            .iter()
            .filter(|version| {
                !version.is_empty() && !self.subsets.contains(version) && self.versions.contains_key(*version)
            })
            .cloned()
            .collect();
        let mut out = Vec::new();
        if !missing.is_empty() {
            let title = format!("Subsets: {}", missing.join(", "));
            out.push(Change { title, of: self.rule.clone(), value: with_subsets(self, &missing) });
        }
        out.push(change);
        out
    }

    /// What is worth knowing about every form for a service.
    pub(super) fn usual_notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.http {
            notes.push(
                "No port of this service is known to carry HTTP: routes for requests do nothing for plain TCP."
                    .to_owned(),
            );
        }
        if let Some(first) = self.other_routes.first() {
            let object = self.routes.as_ref().map(|document| document.object.to_string()).unwrap_or_default();
            notes.push(format!(
                "{first} is for the same host, too; {object} is the older one, so it is the one that holds and that is changed here."
            ));
        }
        notes
    }
}
