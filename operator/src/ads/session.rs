//! What one stream has to send next. No sockets, no clock: requests and targets go in, responses come out.

mod standing;
mod subscription;

use std::{collections::BTreeSet, sync::Arc};

use envoy_types::pb::{
    envoy::service::discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, Resource as WireResource},
    google::protobuf::Any,
};
use weft_mesh::{Engine, Resource, Resources};
use weft_model::{ObjectRef, sync::TypeSync};

use super::kind::{Action, Kind, STAGES};
pub use standing::{Standing, State};
pub use subscription::{Answer, TooMany};
use subscription::{Batch, Subscription};

/// What a request meant.
#[derive(Debug, PartialEq, Eq)]
pub struct Heard {
    /// The type it was about.
    pub kind: Kind,
    /// How its answer was taken; `None` when it was none.
    pub answer: Option<Answer>,
}

/// The state of one stream.
#[derive(Debug)]
pub struct Session {
    engine: Engine,
    subscriptions: [Subscription; 7],
    target: Arc<Resources>,
    generation: Option<u64>,
    nonce: u64,
    /// Whether the last response was cut, so that another follows its answer.
    cut: bool,
    /// Types whose first request brought versions along and that were not compared with a target yet.
    resumed: Vec<Kind>,
}

impl Session {
    /// A stream that has asked for nothing yet.
    pub fn new(engine: Engine) -> Self {
        Self {
            engine,
            subscriptions: Default::default(),
            target: Arc::default(),
            generation: None,
            nonce: 0,
            cut: false,
            resumed: Vec::new(),
        }
    }

    /// What the proxy should have; the snapshot's number with it.
    pub fn set_target(&mut self, target: Arc<Resources>, generation: u64) {
        let before = std::mem::replace(&mut self.target, target);
        let first = self.generation.replace(generation).is_none();
        for kind in Kind::ALL {
            let (before, target) = (before.of(kind.type_url()), self.target.of(kind.type_url()));
            // Translations share what does not differ.
            if first || !before.same(target) {
                self.subscriptions[kind as usize].set_target(target);
            }
        }
    }

    /// What the proxy should have.
    pub fn target(&self) -> &Arc<Resources> {
        &self.target
    }

    /// The number of the snapshot that the target was made from.
    pub fn generation(&self) -> Option<u64> {
        self.generation
    }

    /// Takes a request. `None` when it is about a type that is not served.
    pub fn hear(&mut self, request: DeltaDiscoveryRequest) -> Result<Option<Heard>, TooMany> {
        let Some(kind) = Kind::of(&request.type_url) else { return Ok(None) };
        let engine = self.engine;
        let subscription = &mut self.subscriptions[kind as usize];
        let answer = (!request.response_nonce.is_empty()).then(|| {
            let error = request.error_detail.as_ref().map(|status| status.message.as_str());
            subscription.answered(&request.response_nonce, error)
        });
        let first = !subscription.begun();
        let DeltaDiscoveryRequest {
            resource_names_subscribe: subscribe,
            resource_names_unsubscribe: unsubscribe,
            initial_resource_versions: initial,
            ..
        } = request;
        if first || !subscribe.is_empty() || !unsubscribe.is_empty() {
            if first && !initial.is_empty() {
                self.resumed.push(kind);
            }
            subscription.subscribe(subscribe, &unsubscribe, initial, bare_is_wildcard(engine, kind))?;
        }
        Ok(Some(Heard { kind, answer }))
    }

    /// Everything that can be sent now, in order. Nothing before the first target.
    pub fn speak(&mut self) -> Vec<(Kind, DeltaDiscoveryResponse)> {
        let mut out = Vec::new();
        self.cut = false;
        if self.generation.is_none() {
            return out;
        }
        for stage in STAGES {
            let mut finished = true;
            for &(kind, action) in stage {
                let subscription = &self.subscriptions[kind as usize];
                if !subscription.begun() {
                    finished &= !self.must_ask(kind);
                    continue;
                }
                finished &= !subscription.unanswered();
                let batch = subscription.batch(action);
                let first = action == Action::Update && subscription.owes_first();
                if batch.updates.is_empty() && batch.removals.is_empty() && !first {
                    continue;
                }
                // One response of a type at a time; what follows in the order waits with it.
                if subscription.unanswered() {
                    return out;
                }
                finished = false;
                let more = batch.more;
                out.push((kind, self.respond(kind, batch)));
                if more {
                    self.cut = true;
                    return out;
                }
            }
            if !finished {
                break;
            }
        }
        out
    }

    /// Our proxy asks for every type, so routes wait until it has asked for what they need.
    fn must_ask(&self, kind: Kind) -> bool {
        self.engine == Engine::Weft && matches!(kind, Kind::Cds | Kind::Eds)
    }

    fn respond(&mut self, kind: Kind, batch: Batch) -> DeltaDiscoveryResponse {
        self.nonce += 1;
        let nonce = self.nonce.to_string();
        self.subscriptions[kind as usize].sent(nonce.clone(), &batch);
        let resources = batch.updates.iter().map(|resource| wire(resource)).collect();
        DeltaDiscoveryResponse {
            system_version_info: self.generation.unwrap_or(0).to_string(),
            resources,
            type_url: kind.type_url().to_owned(),
            removed_resources: batch.removals,
            nonce,
            ..DeltaDiscoveryResponse::default()
        }
    }

    /// Whether the proxy is in the middle of something large, of which the next part follows its answer.
    pub fn cut(&self) -> bool {
        self.cut
    }

    /// Whether every type is settled: nothing is on its way, and nothing waits but what was refused.
    pub fn settled(&self) -> bool {
        self.generation.is_some() && self.subscriptions.iter().all(Subscription::settled)
    }

    /// The objects whose present content the proxy has not confirmed: something that they shaped is not in force yet.
    pub fn unconfirmed(&self) -> BTreeSet<ObjectRef> {
        let mut objects = BTreeSet::new();
        for kind in Kind::ALL {
            let subscription = &self.subscriptions[kind as usize];
            if subscription.begun() {
                objects.extend(subscription.lagging().flat_map(|resource| resource.origins.iter().cloned()));
            } else if self.will_ask(kind) {
                let target = self.target.of(kind.type_url());
                objects.extend(target.iter().flat_map(|resource| resource.origins.iter().cloned()));
            }
        }
        objects
    }

    /// Types that a proxy asks for sooner or later, so that it lags until it has them.
    fn will_ask(&self, kind: Kind) -> bool {
        match self.engine {
            Engine::Weft => !matches!(kind, Kind::Sds | Kind::Wds),
            Engine::Envoy => matches!(kind, Kind::Cds | Kind::Lds),
        }
    }

    /// The objects of which the proxy brought an older content along from an earlier stream; told once.
    pub fn take_stale(&mut self) -> BTreeSet<ObjectRef> {
        if self.generation.is_none() {
            return BTreeSet::new();
        }
        let resumed = std::mem::take(&mut self.resumed);
        let stale = resumed.iter().flat_map(|kind| self.subscriptions[*kind as usize].stale_claims());
        stale.flat_map(|resource| resource.origins.iter().cloned()).collect()
    }

    /// The state by type, for the debug page; types that were never asked for are left out.
    pub fn summary(&self) -> Vec<TypeSync> {
        let begun = Kind::ALL.into_iter().map(|kind| (kind, &self.subscriptions[kind as usize]));
        begun
            .filter(|(_, subscription)| subscription.begun())
            .map(|(kind, subscription)| TypeSync {
                kind: kind.name().to_owned(),
                resources: subscription.standing().in_force(),
                synced: subscription.settled() && !subscription.standing().refuses_some(),
                nack: subscription.nack().map(str::to_owned),
            })
            .collect()
    }

    /// What the proxy wants and has, by kind.
    pub fn standings(&self) -> [Standing; 7] {
        self.subscriptions.each_ref().map(|subscription| subscription.standing().clone())
    }
}

/// Whether a first request without names asks for everything. Envoy asks for endpoints, routes and secrets by name, and
/// may begin with none.
fn bare_is_wildcard(engine: Engine, kind: Kind) -> bool {
    match engine {
        Engine::Weft => kind != Kind::Sds,
        Engine::Envoy => matches!(kind, Kind::Cds | Kind::Lds | Kind::Wds),
    }
}

fn wire(resource: &Resource) -> WireResource {
    WireResource {
        name: resource.name.clone(),
        version: resource.version.clone(),
        resource: Some(Any { type_url: resource.type_url.to_owned(), value: resource.value.clone() }),
        ..WireResource::default()
    }
}

#[cfg(test)]
mod tests;
