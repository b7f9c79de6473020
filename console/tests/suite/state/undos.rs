//! Edits of whole objects that can be taken back.

use weft_console::db::{MAX_UNDO_BYTES, MAX_UNDOS, State, UndoRecord};

use super::on_both;

fn undo(id: &str, owner: &str, at_ms: u64) -> UndoRecord {
    UndoRecord { id: id.into(), owner: owner.into(), at_ms, sealed: vec![0, 255, b'x'] }
}

#[tokio::test]
async fn an_undo_is_its_owners() {
    on_both(async |State { undos, .. }: State| {
        let hostile = "ada'; DROP TABLE undos; -- \u{202e} $1 ?";
        for (id, owner) in [("a", "ada"), ("b", "bo"), ("c", hostile)] {
            assert!(undos.keep(&undo(id, owner, 5)).await.unwrap());
        }
        assert_eq!(undos.get("a", "ada").await.unwrap(), Some(undo("a", "ada", 5)));
        assert_eq!(undos.get("c", hostile).await.unwrap(), Some(undo("c", hostile, 5)));
        assert_eq!(undos.get("a", "bo").await.unwrap(), None);
        assert_eq!(undos.get("d", "ada").await.unwrap(), None);
        assert!(undos.keep(&undo("a", "bo", 6)).await.unwrap_err().is_refused(), "an id is given once");

        undos.forget("b").await.unwrap();
        undos.forget("nobody's").await.unwrap();
        assert_eq!(undos.get("b", "bo").await.unwrap(), None);
        undos.delete_older(5).await.unwrap();
        assert!(undos.get("a", "ada").await.unwrap().is_some(), "at that time is not before it");
        undos.delete_older(6).await.unwrap();
        assert_eq!(undos.get("a", "ada").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn undos_are_bounded_by_number_and_bytes() {
    on_both(async |State { undos, .. }: State| {
        undos.keep(&undo("other", "bo", 0)).await.unwrap();
        for n in 0..=MAX_UNDOS {
            undos.keep(&undo(&format!("n{n}"), "ada", n as u64)).await.unwrap();
        }
        assert_eq!(undos.get("n0", "ada").await.unwrap(), None, "the oldest makes room");
        for known in ["n1", &format!("n{MAX_UNDOS}")] {
            assert!(undos.get(known, "ada").await.unwrap().is_some(), "{known}");
        }

        let large =
            |id: &str, owner: &str, at_ms, bytes| UndoRecord { sealed: vec![7; bytes], ..undo(id, owner, at_ms) };
        assert!(!undos.keep(&large("huge", "ada", 1000, MAX_UNDO_BYTES + 1)).await.unwrap());
        assert_eq!(undos.get("huge", "ada").await.unwrap(), None);
        assert!(undos.get("n1", "ada").await.unwrap().is_some(), "nothing makes room for what is not kept");
        let last = large("last", "ada", 1001, MAX_UNDO_BYTES);
        assert!(undos.keep(&last).await.unwrap());
        assert_eq!(undos.get("last", "ada").await.unwrap(), Some(last));
        assert_eq!(undos.get(&format!("n{MAX_UNDOS}"), "ada").await.unwrap(), None, "all of the bytes are taken");
        assert!(undos.get("other", "bo").await.unwrap().is_some(), "another's are their own");
        // All together have bytes for sixteen people who use all of theirs.
        for n in 0..16 {
            undos.keep(&large(&format!("p{n}"), &format!("person {n}"), 2000 + n, MAX_UNDO_BYTES)).await.unwrap();
        }
        assert_eq!(undos.get("last", "ada").await.unwrap(), None);
        assert!(undos.get("p0", "person 0").await.unwrap().is_some());
    })
    .await;
}
