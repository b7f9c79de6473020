//! Edits, audit, saved views.

use weft_console::db::{self, AuditAbout, AuditFilter, AuditRecord, Edit, State, ViewRecord};
use weft_model::{
    ObjectRef,
    audit::{Action, How},
};

use super::on_both;

/// Names that want to be more than names.
const HOSTILE: &str = "<script>alert(1)</script>'; DROP TABLE audit; -- \u{202e}gnirts\0 $1 ?";

fn orders() -> ObjectRef {
    ObjectRef {
        api_version: "networking.istio.io/v1".into(),
        kind: "VirtualService".into(),
        namespace: "shop".into(),
        name: "orders".into(),
    }
}

fn edit(id: &str, at_ms: u64) -> Edit {
    Edit {
        id: id.into(),
        at_ms,
        by: "ada".into(),
        object: orders(),
        route_index: 1,
        weights_before: vec![90, 10],
        weights_after: vec![50, 50],
        revision_before: "a".into(),
        revision_after: String::new(),
        undoes: None,
    }
}

#[tokio::test]
async fn edits_are_kept_and_undone_once() {
    on_both(async |State { edits, .. }: State| {
        edits.intend(&edit("e1", 5)).await.unwrap();
        assert_eq!(edits.get("e1").await.unwrap(), None, "what is only intended shows nowhere");
        edits.complete("e1", "b").await.unwrap();
        let made = Edit { revision_after: "b".into(), ..edit("e1", 5) };
        assert_eq!(edits.get("e1").await.unwrap(), Some(made.clone()));
        assert_eq!(edits.get("e2").await.unwrap(), None);
        edits.withdraw("e1").await.unwrap();
        assert!(edits.get("e1").await.unwrap().is_some(), "what was made stays");

        let undo = |id: &str, at_ms| Edit { undoes: Some("e1".into()), ..edit(id, at_ms) };
        edits.intend(&undo("e2", 10)).await.unwrap();
        assert!(!edits.undone("e1").await.unwrap());
        assert!(edits.intend(&undo("e3", 11)).await.unwrap_err().is_refused(), "somebody is at it");
        edits.withdraw("e2").await.unwrap();
        edits.intend(&undo("e3", 12)).await.unwrap();
        // A console that crashed between intention and deed is not in the way for ever.
        edits.intend(&undo("e4", 100_000)).await.unwrap();
        edits.complete("e4", "a").await.unwrap();
        assert!(edits.undone("e1").await.unwrap());
        assert!(edits.intend(&undo("e5", 900_000)).await.unwrap_err().is_refused(), "an edit is undone only once");
    })
    .await;
}

/// Each edit of these takes the one before back.
#[tokio::test]
async fn the_oldest_edits_make_room() {
    on_both(async |State { edits, .. }: State| {
        let edits = edits.keeping(3);
        for n in 1..=65 {
            let id = format!("e{n}");
            let undoes = (n > 1).then(|| format!("e{}", n - 1));
            edits.intend(&Edit { undoes, ..edit(&id, n) }).await.unwrap();
            edits.complete(&id, "r").await.unwrap();
        }
        assert_eq!(edits.get("e61").await.unwrap(), None);
        assert_eq!(edits.get("e62").await.unwrap().unwrap().undoes, None, "what it took back is gone");
        assert_eq!(edits.get("e63").await.unwrap().unwrap().undoes.as_deref(), Some("e62"));
        let left = edits.of_route(&orders(), 1, 100).await.unwrap();
        assert_eq!(left.iter().map(|edit| edit.at_ms).collect::<Vec<_>>(), [65, 64, 63, 62]);
    })
    .await;
}

#[tokio::test]
async fn a_routes_history_is_listed_newest_first() {
    on_both(async |State { edits, .. }: State| {
        for (id, at_ms) in [("e1", 1), ("e2", 2), ("e3", 3)] {
            edits.intend(&edit(id, at_ms)).await.unwrap();
            edits.complete(id, "r").await.unwrap();
        }
        edits.intend(&edit("intended", 4)).await.unwrap();
        let other = Edit { route_index: 0, ..edit("other", 5) };
        edits.intend(&other).await.unwrap();
        edits.complete("other", "r").await.unwrap();
        let ids = async |limit| -> Vec<String> {
            let elsewhere = ObjectRef { api_version: "networking.istio.io/v1beta1".into(), ..orders() };
            edits.of_route(&elsewhere, 1, limit).await.unwrap().into_iter().map(|edit| edit.id).collect()
        };
        assert_eq!(ids(10).await, ["e3", "e2", "e1"]);
        assert_eq!(ids(2).await, ["e3", "e2"]);
    })
    .await;
}

#[tokio::test]
async fn what_an_edit_of_an_object_did_is_found_by_its_id() {
    on_both(async |State { edits, .. }: State| {
        for (id, made) in
            [("e1.0", true), ("e1.10000", true), ("e1.1", false), ("e11.0", true), ("e1", true), ("E1.0", true)]
        {
            edits.intend(&edit(id, 1)).await.unwrap();
            if made {
                edits.complete(id, "r").await.unwrap();
            }
        }
        let found = edits.of_object("e1.").await.unwrap();
        assert_eq!(found.iter().map(|edit| edit.id.as_str()).collect::<Vec<_>>(), ["e1.0", "e1.10000"]);
    })
    .await;
}

fn record(at_ms: u64, who: &str, action: Action, object: Option<ObjectRef>) -> AuditRecord {
    AuditRecord {
        at_ms,
        who: who.into(),
        how: How::Session,
        address: who.starts_with('b').then(|| [10, 0, 0, 2].into()),
        action,
        object,
        diff: "-a\n+b".into(),
        detail: "90/10 → 50/50".into(),
    }
}

#[tokio::test]
async fn the_audit_is_filtered_and_paged() {
    on_both(async |State { audit, .. }: State| {
        let billing = ObjectRef { namespace: "billing".into(), name: HOSTILE.into(), ..orders() };
        for (at_ms, who, action, object) in [
            (10, "ada", Action::SignIn, None),
            (20, "ada", Action::Weights, Some(orders())),
            (30, "bob", Action::Update, Some(billing.clone())),
            (40, HOSTILE, Action::Denied, Some(orders())),
            (50, "ada", Action::Undo, Some(orders())),
        ] {
            audit.record(&record(at_ms, who, action, object)).await.unwrap();
        }
        let times = async |filter: AuditFilter| -> Vec<u64> {
            audit.list(&filter, None, 100).await.unwrap().into_iter().map(|entry| entry.at_ms).collect()
        };
        let any = AuditFilter::default;
        assert_eq!(times(any()).await, [50, 40, 30, 20, 10]);
        assert_eq!(times(AuditFilter { who: Some("ada".into()), ..any() }).await, [50, 20, 10]);
        let bobs = Some(std::net::Ipv4Addr::new(10, 0, 0, 2).to_ipv6_mapped().into());
        assert_eq!(times(AuditFilter { address: bobs, ..any() }).await, [30], "an IPv4 address in its other form");
        assert_eq!(times(AuditFilter { namespace: Some("billing".into()), ..any() }).await, [30]);
        assert_eq!(times(AuditFilter { action: Some(Action::Weights), ..any() }).await, [20]);
        assert_eq!(times(AuditFilter { kind: Some("VirtualService".into()), ..any() }).await, [50, 40, 30, 20]);
        assert_eq!(times(AuditFilter { name: Some("orders".into()), ..any() }).await, [50, 40, 20]);
        assert_eq!(times(AuditFilter { from_ms: Some(20), to_ms: Some(40), ..any() }).await, [40, 30, 20]);
        assert_eq!(times(AuditFilter { who: Some("nobody".into()), ..any() }).await, [0; 0]);

        let first = audit.list(&any(), None, 2).await.unwrap();
        let second = audit.list(&any(), Some(first[1].id), 2).await.unwrap();
        assert_eq!(second.iter().map(|entry| entry.at_ms).collect::<Vec<_>>(), [30, 20]);
        let harmless = HOSTILE.replace('\0', "\u{fffd}");
        assert_eq!(second[0].object.as_ref().unwrap().name, harmless, "Postgres has no NUL in texts");
        assert_eq!((second[0].how, second[0].diff.as_str()), (How::Session, "-a\n+b"));
        assert_eq!(audit.list(&any(), None, 1_000_000).await.unwrap().len(), 5);

        let about = |objects: &[&ObjectRef], deleted_in: &[&str]| {
            let key = |object: &&ObjectRef| [&object.kind, &object.namespace, &object.name].map(Clone::clone);
            let objects = objects.iter().map(key).collect();
            Some(AuditAbout { objects, deleted_in: deleted_in.iter().map(|name| (*name).to_owned()).collect() })
        };
        assert_eq!(times(AuditFilter { about: about(&[&orders()], &[]), ..any() }).await, [50, 40, 20]);
        assert_eq!(times(AuditFilter { about: about(&[&orders(), &billing], &[]), ..any() }).await, [50, 40, 30, 20]);
        assert_eq!(times(AuditFilter { about: about(&[], &["billing"]), ..any() }).await, [0; 0], "it was no deletion");
        let adas = AuditFilter { who: Some("ada".into()), about: about(&[&orders()], &[]), ..any() };
        assert_eq!(times(adas).await, [50, 20]);
        audit.record(&record(60, "ada", Action::Delete, Some(billing.clone()))).await.unwrap();
        assert_eq!(times(AuditFilter { about: about(&[], &["edge", "billing"]), ..any() }).await, [60]);
        let edge = ObjectRef { namespace: "edge".into(), ..billing.clone() };
        audit.record(&record(61, "ada", Action::Delete, Some(edge))).await.unwrap();
        let mut all = vec!["nowhere"; db::MAX_NAMESPACES];
        (all[0], all[db::MAX_NAMESPACES - 1]) = ("billing", "edge");
        assert_eq!(times(AuditFilter { about: about(&[], &all), ..any() }).await, [61, 60]);
        assert_eq!(times(AuditFilter { about: about(&[&orders()], &all), ..any() }).await, [61, 60, 50, 40, 20]);
        let many = vec![&billing; db::MAX_OBJECTS];
        assert_eq!(times(AuditFilter { about: about(&many, &[]), ..any() }).await, [60, 30]);

        // Whoever is refused may have asked for any name, also for one that no index takes and nothing packs.
        let mut seed = 1_u32;
        let mut letter = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b'a' + u8::try_from(seed >> 24).unwrap() % 26)
        };
        let mut long = || -> String { (0..5_000).map(|_| letter()).collect() };
        let endless = ObjectRef { api_version: long(), kind: long(), namespace: long(), name: long() };
        audit.record(&record(70, "eve", Action::Denied, Some(endless.clone()))).await.unwrap();
        let kept = audit.list(&any(), None, 1).await.unwrap().remove(0).object.unwrap();
        assert!(kept.name.starts_with(&endless.name[..500]) && kept.name.len() < 600, "{}", kept.name);
    })
    .await;
}

#[tokio::test]
async fn the_audit_and_its_entries_are_bounded() {
    on_both(async |state: State| {
        let audit = state.audit.keeping(100);
        for at_ms in 0..300 {
            audit.record(&record(at_ms, "ada", Action::Update, Some(orders()))).await.unwrap();
        }
        // However many strangers are refused, what people changed stays.
        for at_ms in 0..320 {
            audit.record(&record(at_ms, "", Action::SignInRefused, None)).await.unwrap();
        }
        let refused = AuditFilter { action: Some(Action::SignInRefused), ..AuditFilter::default() };
        let refused = audit.list(&refused, None, 200).await.unwrap().len();
        assert!((10..=74).contains(&refused), "{refused}");
        audit.record(&record(299, "ada", Action::Update, Some(orders()))).await.unwrap();
        let kept = AuditFilter { action: Some(Action::Update), ..AuditFilter::default() };
        assert!(audit.list(&kept, None, 200).await.unwrap().len() >= 85);
        let held = audit.count().await.unwrap();
        assert!((95..=164).contains(&held), "{held}");
        let newest = audit.list(&AuditFilter::default(), None, 1).await.unwrap();
        assert_eq!(newest[0].at_ms, 299);

        let long = AuditRecord { diff: "ä".repeat(100_000), ..record(300, &"w".repeat(10_000), Action::Update, None) };
        audit.record(&long).await.unwrap();
        let kept = audit.list(&AuditFilter::default(), None, 1).await.unwrap().remove(0);
        assert!(kept.diff.len() < 66_000 && kept.diff.ends_with("cut: 200000 bytes in all"), "{}", kept.diff.len());
        assert!(kept.who.len() < 5_000);
    })
    .await;
}

#[tokio::test]
async fn views_are_saved_shared_and_bounded() {
    let view = |owner: &str, name: &str, id: &str, shared| ViewRecord {
        id: id.into(),
        owner: owner.into(),
        name: name.into(),
        location: format!("/graph?find={HOSTILE}").replace('\0', ""),
        shared,
        created_ms: 7,
    };
    on_both(async |State { views, .. }: State| {
        let first = view("ada", "night", "v1", false);
        assert_eq!(views.save(&first).await.unwrap(), Some(first.clone()));
        let again = views.save(&ViewRecord { location: "/graph".into(), ..view("ada", "night", "v2", true) }).await;
        let again = again.unwrap().unwrap();
        assert_eq!((again.id.as_str(), again.location.as_str(), again.shared), ("v1", "/graph", true));
        views.save(&view("bob", "mine", "v3", false)).await.unwrap();
        let ids = async |owner: &str| -> Vec<String> {
            views.list(owner).await.unwrap().into_iter().map(|view| view.id).collect()
        };
        assert_eq!(ids("bob").await, ["v3", "v1"], "one's own come first, then what others share");
        assert_eq!(ids("ada").await, ["v1"]);

        assert_eq!(views.delete("v1", "bob", false).await.unwrap(), None, "it is not bob's");
        assert!(views.delete("v3", "root", true).await.unwrap().is_some(), "an administrator may");
        assert_eq!(views.delete("v1", "ada", false).await.unwrap(), Some(again));
        assert_eq!(views.delete("v1", "ada", false).await.unwrap(), None);

        for n in 0..100 {
            let saved = views.save(&view("eve", &format!("n{n}"), &format!("e{n}"), false)).await.unwrap();
            assert!(saved.is_some(), "{n}");
        }
        assert_eq!(views.save(&view("eve", "one more", "e100", false)).await.unwrap(), None);
        assert!(views.save(&view("eve", "n5", "e101", true)).await.unwrap().is_some(), "a name is given anew");
    })
    .await;
}
