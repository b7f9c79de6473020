use std::fs;

use super::*;
use crate::{ConfigStore, Input, read_paths};

const FILE: &str = "# first\napiVersion: v1\nkind: Service\nmetadata: {name: orders, namespace: shop}\nspec: {ports: [{port: 80}]}\n---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: orders, namespace: shop}\nspec:\n  hosts: [orders] # kept?\n  http:\n  - route: [{destination: {host: orders}}]\n\n---\n# last\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";

struct Fixture {
    directory: tempfile::TempDir,
    store: ConfigStore,
}

impl Fixture {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a.yaml"), FILE).unwrap();
        let store = ConfigStore::in_directory(directory.path().to_owned());
        Self { directory, store }
    }

    fn index(&self) -> Index {
        read_paths(&[Input::Path(self.directory.path().to_owned())], std::io::empty()).unwrap().index
    }

    fn text(&self) -> String {
        fs::read_to_string(self.directory.path().join("a.yaml")).unwrap()
    }

    fn document(&self) -> String {
        self.index().document(&key()).unwrap().text.to_owned()
    }
}

fn key() -> ObjectKey {
    ObjectKey::new(weft_api::Kind::VirtualService, "shop", "orders")
}

fn draft(text: &str) -> Arc<Draft> {
    Arc::new(Draft::read(text))
}

#[test]
fn an_update_leaves_the_neighbours_alone() {
    let fixture = Fixture::new();
    let old = fixture.document();
    let new = old.replace("hosts: [orders]", "hosts: [orders, carts]");
    let edit = WholeEdit::Update(key(), draft(&format!("{new}\n\n")), text_revision(&old));
    let preview = fixture.store.preview_whole(&fixture.index(), &edit).unwrap();
    assert!(preview.diff.contains("+  hosts: [orders, carts] # kept?\n"), "{}", preview.diff);
    let applied = fixture.store.apply_whole(&fixture.index(), &edit).unwrap();
    assert_eq!(fixture.text(), FILE.replace("hosts: [orders]", "hosts: [orders, carts]"));
    let again = fixture.store.apply_whole(&fixture.index(), &edit);
    assert!(matches!(&again, Err(StoreError::Stale(stale)) if stale.theirs.as_deref() == Some(&*new)), "{again:?}");
    fixture.store.undo(&applied.undo).unwrap();
    assert_eq!(fixture.text(), FILE);
    let renamed = WholeEdit::Update(key(), draft(&old.replace("name: orders", "name: b")), text_revision(&old));
    assert!(matches!(fixture.store.apply_whole(&fixture.index(), &renamed), Err(StoreError::Renamed { .. })));
    let two = WholeEdit::Update(key(), draft(&format!("{old}\n---\n{old}")), text_revision(&old));
    assert!(matches!(fixture.store.apply_whole(&fixture.index(), &two), Err(StoreError::Broken { .. })));
    assert_eq!(fixture.text(), FILE);
}

#[test]
fn a_deletion_takes_the_document_alone() {
    let fixture = Fixture::new();
    let edit = WholeEdit::Delete(key(), text_revision(&fixture.document()));
    let applied = fixture.store.apply_whole(&fixture.index(), &edit).unwrap();
    assert_eq!(
        fixture.text(),
        "# first\napiVersion: v1\nkind: Service\nmetadata: {name: orders, namespace: shop}\nspec: {ports: [{port: 80}]}\n---\n# last\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"
    );
    fixture.store.undo(&applied.undo).unwrap();
    assert_eq!(fixture.text(), FILE);
}

#[test]
fn a_new_object_gets_a_file_of_its_own() {
    let fixture = Fixture::new();
    let text = "# mine\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: orders, namespace: shop}\nspec: {host: orders}\n";
    let applied = fixture.store.apply_whole(&fixture.index(), &WholeEdit::Create(draft(text))).unwrap();
    let path = fixture.directory.path().join("orders-destinationrule.yaml");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    let again = fixture.store.apply_whole(&fixture.index(), &WholeEdit::Create(draft(text)));
    assert!(matches!(again, Err(StoreError::Exists(_))), "{again:?}");
    // A file that somebody touched is not taken away.
    fs::write(&path, format!("{text}# more\n")).unwrap();
    assert!(matches!(fixture.store.undo(&applied.undo), Err(StoreError::Conflict { .. })));
    fs::write(&path, text).unwrap();
    fixture.store.undo(&applied.undo).unwrap();
    assert!(!path.exists());
    // The only document of its file takes the file along, and undo brings it back.
    let applied = fixture.store.apply_whole(&fixture.index(), &WholeEdit::Create(draft(text))).unwrap();
    let key = applied.after.unwrap().key();
    let index = fixture.index();
    let revision = text_revision(index.document(&key).unwrap().text);
    let deleted = fixture.store.apply_whole(&index, &WholeEdit::Delete(key, revision)).unwrap();
    assert!(!path.exists());
    fixture.store.undo(&deleted.undo).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}
