//! Which entries are about what configures one workload, service, application or namespace.

use std::collections::BTreeSet;

use weft_model::{
    ObjectRef,
    audit::{Action, AuditEntry, Outside},
    config::ConfigRow,
    details::Subject,
};

use crate::{
    auth::Caller,
    config::View,
    db::{AuditAbout, MAX_NAMESPACES, MAX_OBJECTS},
    details::applies,
    http::ApiError,
};

/// What entries are to be about.
#[derive(Debug, Default)]
pub(super) struct About {
    /// Kind, namespace and name: an edit may name another version of the API than the object is written in.
    objects: BTreeSet<[String; 3]>,
    /// Where an object that is gone may have been about it.
    namespaces: BTreeSet<String>,
}

/// Things that changes are asked for at once: the database is asked about the namespace of each, and the mesh's root.
const MOST: usize = MAX_NAMESPACES - 1;

/// An entry of the audit and the change that it is about are seen so many milliseconds apart at most.
const TOGETHER_MS: u64 = 15_000;
/// Objects that are told to have changed outside of the console.
const MOST_OUTSIDE: usize = 20;

impl About {
    /// Reads `workloads/NAMESPACE/NAME` and its sisters; `None` when nothing is said. What is not there and what the
    /// caller may not see look the same: nothing is about it.
    pub(super) fn read(view: &View, caller: &Caller, text: &str) -> Result<Option<Self>, ApiError> {
        if text.is_empty() {
            return Ok(None);
        }
        let all = all_named(text).ok_or_else(|| {
            ApiError::bad_request(
                "about: that is nothing that changes can be about.",
                "Write workloads/NAMESPACE/NAME, services/NAMESPACE/NAME, apps/NAMESPACE/NAME or namespaces/NAME; up to \
                 eight of them with commas between them.",
            )
        })?;
        let mut about = Self::default();
        for (subject, namespace, name) in all.into_iter().filter(|(_, namespace, _)| caller.sees(namespace)) {
            about.objects.extend(applies::objects(view, subject, namespace, name).into_iter().map(key));
            about.namespaces.extend([namespace.to_owned(), view.snapshot.settings().root_namespace.clone()]);
        }
        Ok(Some(about))
    }

    /// The same as a question to the database, whose answer may have more in it; `None` where there are too many objects for
    /// that.
    pub(super) fn in_database(&self) -> Option<AuditAbout> {
        let fits = self.objects.len() <= MAX_OBJECTS && self.namespaces.len() <= MAX_NAMESPACES;
        fits.then(|| AuditAbout {
            objects: self.objects.iter().cloned().collect(),
            deleted_in: self.namespaces.iter().cloned().collect(),
        })
    }

    /// Those of `rows` that are about it and changed from `from_ms` on, newest first. What would have its entry before that
    /// time is left out.
    pub(super) fn changed(
        &self,
        rows: &[ConfigRow],
        sees: &dyn Fn(&str) -> bool,
        from_ms: u64,
        to_ms: u64,
    ) -> Vec<Outside> {
        let time = from_ms.saturating_add(TOGETHER_MS)..=to_ms;
        let about = |row: &&ConfigRow| self.objects.contains(&key(&row.object)) && sees(&row.object.namespace);
        let changed = rows.iter().filter(|row| row.changed_ms.is_some_and(|at| time.contains(&at))).filter(about);
        let mut all: Vec<Outside> =
            changed.filter_map(|row| Some(Outside { object: row.object.clone(), at_ms: row.changed_ms? })).collect();
        all.sort_by_key(|one| std::cmp::Reverse(one.at_ms));
        all
    }

    /// Whether an entry is about it. Whom an object concerned that is gone is not known any more, so each counts that
    /// could have: of a kind that decides, in its namespace or for the whole mesh.
    pub(super) fn covers(&self, entry: &AuditEntry) -> bool {
        entry.object.as_ref().is_some_and(|object| {
            let gone = || entry.action == Action::Delete && applies::decides(&object.kind);
            self.objects.contains(&key(object)) || (self.namespaces.contains(&object.namespace) && gone())
        })
    }
}

/// Takes out what `entries`, newest first, say was changed through the console, and, where they are not `all`, what may
/// have its entry among the older ones.
pub(super) fn outside(mut changed: Vec<Outside>, entries: &[AuditEntry], all: bool) -> Vec<Outside> {
    let oldest_ms = entries.last().map_or(0, |entry| entry.at_ms);
    let said = |one: &Outside| {
        let same = |object: &ObjectRef| key(object) == key(&one.object);
        entries.iter().any(|entry| {
            entry.at_ms.abs_diff(one.at_ms) <= TOGETHER_MS && entry.object.as_ref().is_some_and(same) && changes(entry)
        })
    };
    changed.retain(|one| !said(one) && (all || one.at_ms > oldest_ms.saturating_add(TOGETHER_MS)));
    changed.truncate(MOST_OUTSIDE);
    changed
}

/// Whether an entry says that something was done, rather than refused.
fn changes(entry: &AuditEntry) -> bool {
    !matches!(entry.action, Action::Denied | Action::SignInRefused)
}

fn key(object: &ObjectRef) -> [String; 3] {
    [&object.kind, &object.namespace, &object.name].map(Clone::clone)
}

fn all_named(text: &str) -> Option<Vec<(Subject, &str, &str)>> {
    let all: Vec<_> = text.split(',').map(named).collect::<Option<_>>()?;
    (all.len() <= MOST).then_some(all)
}

fn named(text: &str) -> Option<(Subject, &str, &str)> {
    let (slug, place) = text.split_once('/')?;
    let subject = Subject::ALL.into_iter().find(|subject| subject.slug() == slug)?;
    let (namespace, name) = if subject == Subject::Namespace { (place, place) } else { place.split_once('/')? };
    (!namespace.is_empty() && !name.is_empty() && !name.contains('/')).then_some((subject, namespace, name))
}

#[cfg(test)]
mod tests {
    use weft_model::audit::How;

    use super::*;

    fn object(kind: &str, namespace: &str, name: &str) -> ObjectRef {
        ObjectRef { kind: kind.into(), namespace: namespace.into(), name: name.into(), ..ObjectRef::default() }
    }

    fn entry(action: Action, object: Option<ObjectRef>) -> AuditEntry {
        AuditEntry {
            id: 1,
            at_ms: 1,
            who: "ada".into(),
            how: How::Local,
            address: None,
            action,
            object,
            diff: String::new(),
            detail: String::new(),
        }
    }

    #[test]
    fn what_nobody_changed_through_the_console_is_told() {
        let payment = object("PeerAuthentication", "shop", "payment");
        let row = |object: ObjectRef, changed_ms| ConfigRow { object, changed_ms, ..ConfigRow::default() };
        let about = About { objects: [key(&payment)].into(), ..About::default() };
        let rows =
            [row(payment.clone(), Some(100_000)), row(object("PeerAuthentication", "shop", "other"), Some(100_000))];
        let changed = |from_ms, to_ms| about.changed(&rows, &|_| true, from_ms, to_ms);
        let told = vec![Outside { object: payment.clone(), at_ms: 100_000 }];
        assert_eq!(changed(50_000, 200_000), told);
        assert!(changed(100_001, 200_000).is_empty() && changed(0, 99_999).is_empty(), "not in that time");
        assert!(about.changed(&rows, &|_| false, 0, 200_000).is_empty(), "not for whoever sees nothing there");
        assert!(about.changed(&[row(payment.clone(), None)], &|_| true, 0, 200_000).is_empty(), "not known when");
        let entry = |action, at_ms| AuditEntry { at_ms, ..entry(action, Some(payment.clone())) };
        assert_eq!(outside(told.clone(), &[], true), told);
        assert!(outside(told.clone(), &[entry(Action::Update, 98_000)], true).is_empty(), "the console did it");
        assert_eq!(outside(told.clone(), &[entry(Action::Update, 60_000)], true), told, "that was another time");
        assert_eq!(outside(told.clone(), &[entry(Action::Denied, 99_000)], true), told, "that was refused");
        assert!(outside(told, &[entry(Action::Update, 150_000)], false).is_empty(), "older entries may say so");
    }

    #[test]
    fn what_it_is_about_is_named_as_in_addresses() {
        assert_eq!(named("workloads/shop/cart-v1"), Some((Subject::Workload, "shop", "cart-v1")));
        assert_eq!(named("services/shop/cart"), Some((Subject::Service, "shop", "cart")));
        assert_eq!(named("namespaces/shop"), Some((Subject::Namespace, "shop", "shop")));
        for bad in ["shop/cart", "workloads", "workloads/shop", "workloads//x", "apps/shop/", "namespaces/a/b"] {
            assert_eq!(named(bad), None, "{bad}");
        }
        let both = all_named("workloads/shop/bff,services/bank/cart");
        assert_eq!(both, Some(vec![(Subject::Workload, "shop", "bff"), (Subject::Service, "bank", "cart")]));
        assert_eq!(all_named("workloads/shop/bff,cart"), None);
        assert_eq!(all_named(&["namespaces/shop"; 9].join(",")), None, "they are too many");
    }

    #[test]
    fn the_database_is_asked_about_all_namespaces_at_once() {
        let namespaces = |most: usize| (0..most).map(|nth| format!("n{nth}")).collect::<BTreeSet<_>>();
        for most in [3, MOST + 1] {
            let about = About { namespaces: namespaces(most), ..About::default() };
            let asked = about.in_database().map(|asked| asked.deleted_in);
            assert_eq!(asked, Some(namespaces(most).into_iter().collect()), "{most}");
        }
    }

    #[test]
    fn an_object_that_is_gone_counts_where_it_could_have_held() {
        let about = About {
            objects: [key(&object("VirtualService", "edge", "cart"))].into(),
            namespaces: ["shop".to_owned(), "istio-system".to_owned()].into(),
        };
        let covers = |action, kind: &str, namespace: &str, name: &str| {
            about.covers(&entry(action, Some(object(kind, namespace, name))))
        };
        assert!(covers(Action::Weights, "VirtualService", "edge", "cart"), "it applies");
        assert!(!covers(Action::Update, "VirtualService", "shop", "other"), "it is there, and applies to others");
        assert!(covers(Action::Delete, "AuthorizationPolicy", "istio-system", "deny"));
        assert!(!covers(Action::Delete, "AuthorizationPolicy", "bank", "deny"));
        assert!(!covers(Action::Delete, "ConfigMap", "shop", "x"));
        assert!(!about.covers(&entry(Action::SignIn, None)));
    }
}
