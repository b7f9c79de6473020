//! What all proxies of one kind of client are told about others.

use std::{collections::HashMap, sync::Arc};

use super::{Stand, touches};
use crate::{
    Client, Proxy, Resource, Resources, Snapshot, View,
    resolve::{gateway, scope::Scope},
    snapshot::{Mark, Since},
    translate::{
        listeners,
        plan::{Plan, Unit},
    },
};

/// Units and what came of them.
#[derive(Debug, Default)]
pub(super) struct Group {
    stand: Option<Stand>,
    plan: Plan,
    plan_reads: Box<[Mark]>,
    /// Beside the plan's units.
    made_units: Vec<Made>,
    resources: Resources,
    /// Whether two units have made something of one name, so that neither can be replaced alone.
    entangled: bool,
    /// Units made since the beginning.
    pub(super) made: u64,
}

#[derive(Clone, Debug)]
struct Made {
    reads: Box<[Mark]>,
    resources: Vec<Arc<Resource>>,
}

impl Group {
    /// Brings the memory up to a snapshot.
    pub(super) fn refresh(&mut self, snapshot: &Snapshot, client: &Client, proxy: &Option<Proxy>) -> Resources {
        let changed = self.stand.as_ref().map_or(Since::Unknown, |stand| stand.between(snapshot));
        if matches!(&changed, Since::Marks(marks) if marks.is_empty()) {
            self.stand = Some(Stand::of(snapshot));
            return self.resources.clone();
        }
        // Until this is through, the memory is of no snapshot.
        self.stand = None;
        if touches(&changed, &self.plan_reads) {
            self.replan(snapshot, client, proxy, &changed);
        } else {
            self.remake(snapshot, client, proxy, &changed);
        }
        self.stand = Some(Stand::of(snapshot));
        self.resources.clone()
    }

    /// Plans anew; what is planned as before and read nothing that changed stays.
    fn replan(&mut self, snapshot: &Snapshot, client: &Client, proxy: &Option<Proxy>, changed: &Since) {
        let view = View::new(snapshot);
        let scope = Scope::new(&view, client);
        let plan = match proxy {
            None => Plan::sidecar(&scope),
            Some(proxy) => Plan::gateway(&scope, &gateway::servers(&view, proxy)),
        };
        self.plan_reads = view.into_reads();
        let before = std::mem::replace(&mut self.plan, plan);
        let mut kept: HashMap<(u8, String), (Unit, Made)> = HashMap::new();
        for (unit, made) in before.units.into_iter().zip(std::mem::take(&mut self.made_units)) {
            if !touches(changed, &made.reads) {
                kept.insert(unit.key(), (unit, made));
            }
        }
        for unit in &self.plan.units {
            let made = match kept.remove(&unit.key()) {
                Some((old, made)) if old == *unit => made,
                _ => {
                    self.made += 1;
                    make(unit, &self.plan, snapshot, client, proxy)
                }
            };
            self.made_units.push(made);
        }
        self.collect();
    }

    /// Makes again what read something that changed.
    fn remake(&mut self, snapshot: &Snapshot, client: &Client, proxy: &Option<Proxy>, changed: &Since) {
        let mut tangled = self.entangled;
        let mut any = false;
        for (unit, made) in self.plan.units.iter().zip(&mut self.made_units) {
            if !touches(changed, &made.reads) {
                continue;
            }
            any = true;
            self.made += 1;
            let new = make(unit, &self.plan, snapshot, client, proxy);
            let old = std::mem::replace(made, new);
            for resource in &old.resources {
                if !made.resources.iter().any(|r| r.name == resource.name && r.type_url == resource.type_url) {
                    self.resources.remove(resource);
                }
            }
            for resource in &made.resources {
                let own = old.resources.iter().find(|r| r.name == resource.name && r.type_url == resource.type_url);
                match own {
                    Some(own) if own == resource => {}
                    Some(_) => self.resources.replace(resource),
                    None if self.resources.get(resource.type_url, &resource.name).is_some() => tangled = true,
                    None => self.resources.replace(resource),
                }
            }
        }
        if tangled && any {
            self.collect();
        }
    }

    /// Puts everything together, the first of a name first.
    fn collect(&mut self) {
        let mut resources = Resources::default();
        self.entangled = false;
        for resource in self.made_units.iter().flat_map(|made| &made.resources) {
            self.entangled |= !resources.insert_shared(resource);
        }
        resources.keep(&self.resources);
        self.resources = resources;
    }
}

fn make(unit: &Unit, plan: &Plan, snapshot: &Snapshot, client: &Client, proxy: &Option<Proxy>) -> Made {
    let view = View::new(snapshot);
    let mut resources = Vec::new();
    {
        let scope = Scope::new(&view, client);
        match (unit, proxy) {
            (Unit::Edge, Some(proxy)) => {
                let servers = gateway::servers(&view, proxy);
                listeners::gateway::add(&scope, proxy, &servers, &mut resources);
            }
            _ => unit.make(&scope, &plan.egress, &mut resources),
        }
    }
    Made { reads: view.into_reads(), resources: resources.into_iter().map(Arc::new).collect() }
}
