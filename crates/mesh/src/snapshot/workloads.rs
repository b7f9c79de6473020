//! The workloads of a snapshot with their indexes. A change of one pod costs what this pod is about.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use weft_api::{Kind, ObjectKey, Spec};
use weft_model::WorkloadRef;

use super::{Workload, objects::Objects};
use crate::{Named, Resource, store::Edit};

/// Workloads by label key and label value, in the order of their names.
type LabelIndex = HashMap<String, HashMap<String, Vec<Arc<Workload>>>>;

/// The workloads of one namespace by label, indexed when somebody asks.
#[derive(Debug, Default)]
struct Namespace {
    all: OnceLock<LabelIndex>,
    entries: OnceLock<LabelIndex>,
}

/// Every workload.
#[derive(Clone, Debug, Default)]
pub(crate) struct Workloads {
    pub(super) all: BTreeMap<WorkloadRef, Arc<Workload>>,
    /// By namespace and name, of those that claim an address; nearly always one.
    by_address: HashMap<IpAddr, Vec<Arc<Workload>>>,
    namespaces: BTreeMap<String, Arc<Namespace>>,
    /// Localities by node.
    nodes: Arc<BTreeMap<String, String>>,
    /// The workload table.
    rows: Arc<OnceLock<Named>>,
    /// An earlier one, most of which holds still.
    before: Named,
}

impl Workloads {
    /// Takes up edits of WorkloadEntries, pods and nodes; tells which workloads differ now.
    pub(super) fn advance(&mut self, objects: &Objects, edits: &[&Edit]) -> BTreeSet<WorkloadRef> {
        let mut asked: BTreeSet<WorkloadRef> = BTreeSet::new();
        let mut moved: BTreeSet<&str> = BTreeSet::new();
        for edit in edits {
            if edit.key.kind == Kind::Node.name() {
                let place = edit.new.as_ref().and_then(|object| match &object.spec {
                    Spec::Node(node) => Some(node.locality()),
                    _ => None,
                });
                let nodes = Arc::make_mut(&mut self.nodes);
                let old = match place.filter(|p| !p.is_empty()) {
                    Some(place) => {
                        let old = nodes.insert(edit.key.name.clone(), place.clone());
                        if old.as_ref() == Some(&place) {
                            continue;
                        }
                        old
                    }
                    None => nodes.remove(&edit.key.name),
                };
                if old.is_some() || edit.new.is_some() {
                    moved.insert(&edit.key.name);
                }
            } else {
                asked.insert(WorkloadRef::new(&edit.key.namespace, &edit.key.name));
            }
        }
        if !moved.is_empty() {
            let on_moved = objects
                .of(Kind::Pod)
                .filter(|object| matches!(&object.spec, Spec::Pod(pod) if moved.contains(&*pod.node_name)));
            asked.extend(on_moved.map(|object| WorkloadRef::new(&object.meta.namespace, &object.meta.name)));
        }
        asked.retain(|reference| self.refresh(objects, reference));
        for reference in &asked {
            self.namespaces.remove(&reference.namespace);
        }
        for reference in &asked {
            // An index for every namespace that has a workload, empty until it is used.
            self.namespaces.entry(reference.namespace.clone()).or_default();
        }
        if !asked.is_empty() {
            if let Some(rows) = self.rows.get() {
                self.before = rows.clone();
            }
            self.rows = Arc::default();
        }
        asked
    }

    /// Makes one workload anew; whether it differs. A pod wins over a WorkloadEntry of its name.
    fn refresh(&mut self, objects: &Objects, reference: &WorkloadRef) -> bool {
        let (namespace, name) = (&reference.namespace, &reference.name);
        let pod = objects.get(&ObjectKey::new(Kind::Pod, namespace, name)).and_then(|object| match &object.spec {
            Spec::Pod(pod) => {
                let place = self.nodes.get(&*pod.node_name).map_or("", String::as_str);
                Workload::of_pod(object, pod, place)
            }
            _ => None,
        });
        let entry = || {
            let object = objects.get(&ObjectKey::new(Kind::WorkloadEntry, namespace, name))?;
            match &object.spec {
                Spec::WorkloadEntry(spec) => Some(Workload::of_entry(object, spec)),
                _ => None,
            }
        };
        let new = pod.or_else(entry);
        let old = self.all.get(reference);
        if old.map(AsRef::as_ref) == new.as_ref() {
            return false;
        }
        for address in old.map(|w| w.addresses.clone()).unwrap_or_default() {
            if let Some(owners) = self.by_address.get_mut(&address) {
                owners.retain(|owner| owner.reference != *reference);
                if owners.is_empty() {
                    self.by_address.remove(&address);
                }
            }
        }
        match new {
            Some(workload) => {
                let workload = Arc::new(workload);
                for address in &workload.addresses {
                    let owners = self.by_address.entry(*address).or_insert_with(|| Vec::with_capacity(1));
                    let at = owners.partition_point(|owner| owner.reference < *reference);
                    owners.insert(at, Arc::clone(&workload));
                }
                self.all.insert(reference.clone(), workload);
            }
            None => {
                self.all.remove(reference);
            }
        }
        true
    }

    pub(super) fn at(&self, address: IpAddr) -> Option<&Arc<Workload>> {
        self.by_address.get(&address)?.first()
    }

    /// The workloads of a namespace, by name.
    fn within<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a Arc<Workload>> {
        let from = WorkloadRef::new(namespace, "");
        self.all.range(from..).take_while(move |(r, _)| r.namespace == namespace).map(|(_, workload)| workload)
    }

    /// The workloads of a namespace that carry every label of `selector`, by name; pods among them or not.
    pub(super) fn selected<'a>(
        &'a self,
        namespace: &'a str,
        selector: &'a BTreeMap<String, String>,
        entries_only: bool,
    ) -> impl Iterator<Item = &'a Arc<Workload>> {
        let index = self.namespaces.get(namespace).map(|cell| match entries_only {
            true => cell.entries.get_or_init(|| index(self.within(namespace).filter(|w| !w.is_pod()))),
            false => cell.all.get_or_init(|| index(self.within(namespace))),
        });
        let lists = selector.iter().map(|(key, value)| {
            index.and_then(|i| i.get(key)).and_then(|values| values.get(value)).map_or(&[][..], Vec::as_slice)
        });
        // The rarest label leaves the least to look through.
        let candidates = lists.min_by_key(|list| list.len()).unwrap_or_default();
        candidates.iter().filter(move |workload| workload.labels.carry(selector))
    }

    /// The workload table: the same for every proxy, and so made once.
    pub(super) fn rows(&self, make: impl Fn(&Workload) -> Resource) -> &Named {
        self.rows.get_or_init(|| {
            let rows = self.all.values().map(|workload| Arc::clone(workload.row(|| make(workload))));
            let (mut rows, _) = Named::collect(rows.collect(), None);
            rows.adopt(&self.before);
            rows
        })
    }
}

fn index<'a>(workloads: impl Iterator<Item = &'a Arc<Workload>>) -> LabelIndex {
    let mut index = LabelIndex::new();
    for workload in workloads {
        for (key, value) in workload.labels.iter() {
            let values = index.entry(key.to_owned()).or_default();
            values.entry(value.to_owned()).or_default().push(Arc::clone(workload));
        }
    }
    index
}
