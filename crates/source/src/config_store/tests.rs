use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::{Value, json};
use weft_api::Kind;

use super::*;
use crate::{Input, read_paths};

const FILE: &str = "# keep me\napiVersion: v1\nkind: Service\nmetadata: {name: orders}\nspec: {ports: [{port: 80}]}\n---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: orders\nspec:\n  hosts: [orders]\n  http:\n  - route:\n    - destination: {host: orders, subset: v1}\n      weight: 90 # most\n    - destination: {host: orders, subset: v2}\n      weight: 10\n---\n# last\n";

struct Fixture {
    directory: tempfile::TempDir,
    index: Index,
    key: ObjectKey,
}

impl Fixture {
    fn new(text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a.yaml"), text).unwrap();
        let estate = read_paths(&[Input::Path(directory.path().to_owned())], io::empty()).unwrap();
        Self { directory, index: estate.index, key: ObjectKey::new(Kind::VirtualService, "default", "orders") }
    }

    fn text(&self) -> String {
        fs::read_to_string(self.directory.path().join("a.yaml")).unwrap()
    }
}

fn weights(v1: (Value, u32), v2: (Value, u32)) -> Vec<FieldEdit> {
    [(0, v1), (1, v2)]
        .into_iter()
        .map(|(index, (old, new))| FieldEdit {
            field: format!("spec.http[0].route[{index}].weight"),
            old: (!old.is_null()).then_some(old),
            new: json!(new),
        })
        .collect()
}

#[test]
fn edit_and_undo() {
    let fixture = Fixture::new(FILE);
    let path = fixture.directory.path().join("a.yaml");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let store = ConfigStore::new();
    let read = store.read(&fixture.index, &fixture.key).unwrap();
    assert_eq!(read.first_line, 7);
    assert!(read.text.starts_with("apiVersion: networking") && read.text.ends_with("weight: 10"), "{}", read.text);
    let edits = weights((json!(90), 50), (json!(10), 50));
    let preview = store.preview(&fixture.index, &fixture.key, &read.revision, &edits).unwrap();
    assert!(preview.diff.contains("-      weight: 90 # most\n+      weight: 50 # most\n"), "{}", preview.diff);
    assert_eq!(fixture.text(), FILE);
    assert_ne!(preview.before.content, preview.after.content);

    let applied = store.apply(&fixture.index, &fixture.key, &read.revision, &edits).unwrap();
    assert_eq!(fixture.text(), FILE.replace("weight: 90", "weight: 50").replace("weight: 10", "weight: 50"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    // The same edit again starts from bytes that are gone.
    let again = store.apply(&fixture.index, &fixture.key, &read.revision, &edits);
    assert!(matches!(again, Err(StoreError::Conflict { .. })), "{again:?}");

    store.undo(&applied.undo).unwrap();
    assert_eq!(fixture.text(), FILE);
    assert!(matches!(store.undo(&applied.undo), Err(StoreError::Conflict { .. })));
    assert_eq!(fs::read_dir(fixture.directory.path()).unwrap().count(), 1, "no temporary files stay behind");
}

#[test]
fn absent_weights_are_put_in() {
    let text = FILE.replace("      weight: 90 # most\n", "").replace("\n      weight: 10", "");
    let fixture = Fixture::new(&text);
    let store = ConfigStore::new();
    let revision = store.read(&fixture.index, &fixture.key);
    // Two destinations without weights are no valid object, so it cannot be read for an edit.
    assert!(matches!(revision, Err(StoreError::Broken { .. })), "{revision:?}");
    let fixture = Fixture::new(&FILE.replace("\n      weight: 10", ""));
    let revision = store.read(&fixture.index, &fixture.key).unwrap().revision;
    let edits = weights((json!(90), 70), (Value::Null, 30));
    store.apply(&fixture.index, &fixture.key, &revision, &edits).unwrap();
    assert_eq!(fixture.text(), FILE.replace("weight: 90", "weight: 70").replace("weight: 10", "weight: 30"));
}

#[test]
fn edits_that_are_refused() {
    let fixture = Fixture::new(FILE);
    let store = ConfigStore::new();
    let revision = store.read(&fixture.index, &fixture.key).unwrap().revision;
    let apply = |edits: &[FieldEdit]| store.apply(&fixture.index, &fixture.key, &revision, edits).unwrap_err();
    assert!(matches!(apply(&weights((json!(80), 50), (json!(10), 50))), StoreError::Patch(PatchError::Changed { .. })));
    assert!(matches!(apply(&weights((json!(90), 0), (json!(10), 0))), StoreError::Invalid(_)));
    let wrong = FieldEdit { field: "spec.http[0].route[0].weight".into(), old: Some(json!(90)), new: json!("many") };
    assert!(matches!(apply(&[wrong]), StoreError::Invalid(_)));
    let missing = ObjectKey::new(Kind::VirtualService, "default", "nobody");
    assert!(matches!(store.read(&fixture.index, &missing), Err(StoreError::NotFound(_))));
    assert_eq!(fixture.text(), FILE);
    fs::write(fixture.directory.path().join("a.yaml"), "a: [").unwrap();
    assert!(matches!(store.read(&fixture.index, &fixture.key), Err(StoreError::Broken { .. })));
}

#[test]
fn links_stay_links() {
    let fixture = Fixture::new(FILE);
    let link = fixture.directory.path().join("link.yaml");
    let real = fixture.directory.path().join("real");
    fs::rename(fixture.directory.path().join("a.yaml"), &real).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let index = read_paths(&[Input::Path(link.clone())], io::empty()).unwrap().index;
    let store = ConfigStore::new();
    let revision = store.read(&index, &fixture.key).unwrap().revision;
    store.apply(&index, &fixture.key, &revision, &weights((json!(90), 1), (json!(10), 99))).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read_to_string(&real).unwrap().contains("weight: 99"));
}
