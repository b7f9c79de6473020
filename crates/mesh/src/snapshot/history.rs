//! What differs between a snapshot and those before it, in the words in which translations note what they read.

use std::{
    collections::{HashSet, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

/// How many snapshots back one can ask.
const DEPTH: usize = 64;
/// From so many differences on, everything counts as different.
const MANY: usize = 20_000;

/// Something that a translation can read from a snapshot. What is absent is read, too: it is named alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key<'a> {
    /// The list of all services.
    Services,
    /// The services of one host.
    ServiceHost(&'a str),
    /// The services that a namespace declares.
    ServicesIn(&'a str),
    /// One workload, by namespace and name.
    Workload(&'a str, &'a str),
    /// The workloads of a namespace.
    WorkloadsIn(&'a str),
    /// The WorkloadEntries of a namespace.
    EntriesIn(&'a str),
    /// The endpoint slices of a Service, by namespace and name.
    Slices(&'a str, &'a str),
    /// What VirtualServices are for and where they lead; not how.
    RouteHeads,
    /// One VirtualService, by namespace and name.
    VirtualService(&'a str, &'a str),
    /// The VirtualServices that list a host.
    RoutesOf(&'a str),
    /// The VirtualServices that are bound to gateways.
    GatewayRoutes,
    /// The VirtualServices that have TLS routes.
    TlsRoutes,
    /// The DestinationRules for a host.
    RulesOf(&'a str),
    /// Gateways.
    Gateways,
    /// The Sidecars of a namespace.
    SidecarsIn(&'a str),
    /// The PeerAuthentications of a namespace.
    PeerAuthenticationsIn(&'a str),
    /// The AuthorizationPolicies of a namespace.
    AuthorizationIn(&'a str),
    /// The Telemetries of a namespace.
    TelemetriesIn(&'a str),
    /// One Secret, by namespace and name.
    Secret(&'a str, &'a str),
}

/// Stands for a [`Key`]. Two keys may share one, which makes more look different than is.
pub(crate) type Mark = u64;

impl Key<'_> {
    pub(crate) fn mark(&self) -> Mark {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

/// What one snapshot changed.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    everything: bool,
    marks: HashSet<Mark>,
}

impl Changed {
    pub(super) fn touch(&mut self, key: Key<'_>) {
        if !self.everything {
            self.marks.insert(key.mark());
            if self.marks.len() > MANY {
                self.touch_everything();
            }
        }
    }

    pub(super) fn touch_everything(&mut self) {
        self.everything = true;
        self.marks.clear();
    }
}

/// The changes that led here, newest last. Snapshots of one store share its line.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    line: Arc<Line>,
    recent: VecDeque<Arc<Changed>>,
}

#[derive(Debug, Default)]
struct Line(#[allow(dead_code, reason = "not zero-sized, so that no two lines share an address")] u8);

/// What has changed since an earlier snapshot.
#[derive(Debug)]
pub(crate) enum Since {
    /// Whatever has one of these marks.
    Marks(HashSet<Mark>),
    /// Nobody knows: too much, too long ago, or another store.
    Unknown,
}

impl History {
    pub(super) fn then(&self, changed: Changed) -> Self {
        let mut next = self.clone();
        if next.recent.len() == DEPTH {
            next.recent.pop_front();
        }
        next.recent.push_back(Arc::new(changed));
        next
    }

    /// Whether both are of one store.
    pub(crate) fn is_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.line, &other.line)
    }

    /// What changed between the snapshot of `earlier` and generation `then`, and that of this history and generation
    /// `now`.
    pub(crate) fn since(&self, now: u64, earlier: &Self, then: u64) -> Since {
        let steps = now.checked_sub(then).and_then(|steps| usize::try_from(steps).ok());
        let known = steps.filter(|steps| *steps <= self.recent.len() && self.is_of(earlier));
        let Some(steps) = known else { return Since::Unknown };
        let mut marks = HashSet::new();
        for changed in self.recent.iter().rev().take(steps) {
            if changed.everything {
                return Since::Unknown;
            }
            marks.extend(&changed.marks);
        }
        Since::Marks(marks)
    }
}
