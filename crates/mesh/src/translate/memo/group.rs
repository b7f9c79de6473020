//! What all proxies of one kind of client are told about others.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use weft_api::networking::Sidecar;

use super::{
    Shared,
    stand::{Stand, Step},
    stock::{Audience, Made},
    touches,
};
use crate::{
    Asked, Client, Proxy, Resource, Resources, Snapshot, View,
    resolve::{gateway, scope::Scope},
    resource::Piece,
    snapshot::{Mark, Typed},
    translate::{
        listeners,
        plan::{Plan, Unit},
    },
};

/// Units and what came of them.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// Nothing before the first snapshot.
    planned: Option<Planned>,
    /// In the order in which the first of a name wins, in runs that groups share: each has nearly all of the others'.
    made: Vec<Piece<Made>>,
    resources: Resources,
    /// Whether two units have made something of one name, so that neither can be replaced alone.
    entangled: bool,
    /// Units made since the beginning, those found in the stock apart.
    pub(super) units_made: u64,
}

#[derive(Debug)]
struct Planned {
    stand: Stand,
    reads: Box<[Mark]>,
    audience: Arc<Audience>,
    sidecar: Option<Typed<Sidecar>>,
}

/// For whom something is made, and of what.
struct Order<'a> {
    shared: &'a Shared,
    snapshot: &'a Snapshot,
    client: &'a Client,
    proxy: &'a Option<Proxy>,
}

impl Group {
    /// Brings the memory up to a snapshot.
    pub(super) fn refresh(
        &mut self,
        shared: &Shared,
        snapshot: &Snapshot,
        client: &Client,
        proxy: &Option<Proxy>,
    ) -> Resources {
        let order = Order { shared, snapshot, client, proxy };
        // Until this is through, the memory is of no snapshot.
        let planned = match self.planned.take() {
            Some(planned) if planned.stand.is(snapshot) => planned,
            Some(planned) => {
                let step = shared.steps.to(snapshot, &planned.stand);
                shared.stock.advance(snapshot);
                if touches(&step.changed, &planned.reads) {
                    self.replan(&order, Some(&step))
                } else {
                    self.remake(&order, &planned, &step);
                    Planned { stand: Stand::of(snapshot), ..planned }
                }
            }
            None => self.replan(&order, None),
        };
        self.planned = Some(planned);
        self.resources.clone()
    }

    /// Plans anew; what is planned as before and read nothing that changed stays, whoever made it.
    fn replan(&mut self, order: &Order<'_>, step: Option<&Step>) -> Planned {
        let view = View::new(order.snapshot);
        let alone = Asked::alone(order.client);
        let scope = Scope::new(&view, &alone);
        let plan = match order.proxy {
            None => Plan::sidecar(&scope),
            Some(proxy) => Plan::gateway(&scope, &gateway::servers(&view, proxy)),
        };
        let sidecar = scope.sidecar.cloned();
        let audience = order.shared.stock.audience(Audience {
            class: order.client.class().clone(),
            sidecar: sidecar.as_ref().map(|s| (s.namespace().to_owned(), s.name().to_owned())),
            egress: plan.egress.into_iter().map(|egress| egress.without_services()).collect(),
        });
        let planned = Planned { stand: Stand::of(order.snapshot), reads: view.into_reads(), audience, sidecar };
        let then = std::mem::take(&mut self.made);
        let before = || then.iter().flat_map(|run| run.iter());
        let mut all = Vec::with_capacity(plan.units.len());
        let mut by_key: Option<HashMap<_, &Arc<Made>>> = None;
        for unit in plan.units {
            let found = match unit {
                // A gateway's own: nobody else has use for it.
                Unit::Edge => {
                    let same = before().find(|made| made.unit == Unit::Edge);
                    same.filter(|made| step.is_some_and(|step| !made.touched(step))).map(Arc::clone)
                }
                _ => order.shared.stock.find(order.snapshot, &planned.audience, order.client, &unit),
            };
            let made = found.unwrap_or_else(|| {
                let by_key = by_key.get_or_insert_with(|| before().map(|made| (made.unit.key(), made)).collect());
                self.units_made += 1;
                order.make(&planned, &unit, by_key.get(&unit.key()).map(|made| &***made))
            });
            all.push(made);
        }
        // Where a run begins depends on its units alone, so that what comes and goes elsewhere moves nothing.
        let runs = all.chunk_by(|_, next| !next.unit.begins_run());
        self.made = runs.map(|run| order.shared.runs.share(run.to_vec())).collect();
        self.collect(order);
        planned
    }

    /// Makes again what read something that changed.
    fn remake(&mut self, order: &Order<'_>, planned: &Planned, step: &Step) {
        let (mut put, mut gone): (Vec<Arc<Resource>>, Vec<Arc<Resource>>) = (Vec::new(), Vec::new());
        let mut names: HashSet<(&str, String)> = HashSet::new();
        let mut tangled = self.entangled;
        let touched = |run: &&mut Piece<Made>| run.iter().any(|made| made.touched(step));
        let mut any = false;
        for run in self.made.iter_mut().filter(touched) {
            any = true;
            let mut rows = run.to_vec();
            for made in rows.iter_mut().filter(|made| made.touched(step)) {
                let found = match made.unit {
                    Unit::Edge => None,
                    _ => order.shared.stock.find(order.snapshot, &planned.audience, order.client, &made.unit),
                };
                let new = found.unwrap_or_else(|| {
                    self.units_made += 1;
                    order.make(planned, &made.unit, Some(made))
                });
                let old = std::mem::replace(made, new);
                let named = |list: &[Arc<Resource>], resource: &Resource| {
                    list.iter().any(|r| r.name == resource.name && r.type_url == resource.type_url)
                };
                gone.extend(old.resources.iter().filter(|r| !named(&made.resources, r)).map(Arc::clone));
                for resource in made.resources.iter().filter(|r| !old.resources.contains(r)) {
                    // What is new under a name that somebody else has, or has just got, has to wait for its turn.
                    let own = named(&old.resources, resource);
                    let taken = || self.resources.get(resource.type_url, &resource.name).is_some();
                    tangled |= !names.insert((resource.type_url, resource.name.clone())) || (!own && taken());
                    put.push(Arc::clone(resource));
                }
            }
            *run = order.shared.runs.share(rows);
        }
        if tangled && any {
            self.collect(order);
        } else if any {
            self.resources.edit(&put, &gone, &order.shared.pieces);
        }
    }

    /// Puts everything together, the first of a name first.
    fn collect(&mut self, order: &Order<'_>) {
        let all = self.made.iter().flat_map(|run| run.iter()).flat_map(|made| &made.resources);
        let (mut resources, apart) = Resources::collect(all, Some(&order.shared.pieces));
        resources.keep(&self.resources);
        self.entangled = !apart;
        self.resources = resources;
    }
}

impl Order<'_> {
    fn make(&self, planned: &Planned, unit: &Unit, before: Option<&Made>) -> Arc<Made> {
        let view = View::new(self.snapshot);
        let asked = Asked::new(self.client);
        let mut resources = Vec::new();
        {
            let scope = Scope { view: &view, client: &asked, sidecar: planned.sidecar.as_ref() };
            match (unit, self.proxy) {
                (Unit::Edge, Some(proxy)) => {
                    let servers = gateway::servers(&view, proxy);
                    listeners::gateway::add(&scope, proxy, &servers, &mut resources);
                }
                _ => unit.make(&scope, &planned.audience.egress, &mut resources),
            }
        }
        let (reads, asked) = (view.into_reads(), asked.into_asked());
        let made = Made::new(unit.clone(), &planned.audience, reads, asked, resources, before);
        match unit {
            Unit::Edge => Arc::new(made),
            _ => self.shared.stock.put(self.snapshot, self.client, made),
        }
    }
}
