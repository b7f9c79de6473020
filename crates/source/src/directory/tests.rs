use std::{fs, time::Duration};

use weft_api::{Kind, code};

use super::*;

fn service(name: &str, port: u16) -> String {
    format!("apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\nspec:\n  ports:\n  - port: {port}\n")
}

fn open(directory: &Path) -> (DirectorySource, Batch) {
    DirectorySource::open(directory, DirectoryOptions::default()).unwrap()
}

/// The next batch that satisfies a condition; whatever comes before must not be wrong, only incomplete.
async fn until(source: &mut DirectorySource, mut done: impl FnMut(&Batch) -> bool) -> Batch {
    tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            let batch = source.next().await;
            if done(&batch) {
                return batch;
            }
        }
    })
    .await
    .expect("the change was noticed")
}

fn names(index: &Index) -> Vec<&str> {
    index.objects().map(|object| object.meta.name.as_str()).collect()
}

#[tokio::test]
async fn files_come_change_and_go() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("sub")).unwrap();
    fs::write(directory.path().join("a.yaml"), service("a", 80)).unwrap();
    fs::write(directory.path().join("sub/b.yml"), service("b", 80)).unwrap();
    fs::write(directory.path().join(".hidden.yaml"), service("hidden", 80)).unwrap();
    fs::write(directory.path().join("notes.txt"), "no manifest").unwrap();
    let (mut source, first) = open(directory.path());
    assert_eq!(first.changes.len(), 2);
    assert!(first.diagnostics.is_empty(), "{:?}", first.diagnostics);

    // A new file in a new directory.
    fs::create_dir(directory.path().join("new")).unwrap();
    fs::write(directory.path().join("new/c.yaml"), service("c", 80)).unwrap();
    let batch = until(&mut source, |batch| names(&batch.index).contains(&"c")).await;
    assert_eq!(names(&batch.index), ["a", "b", "c"]);

    // As editors save: write beside, rename over.
    fs::write(directory.path().join("a.yaml~"), service("a", 81)).unwrap();
    fs::rename(directory.path().join("a.yaml~"), directory.path().join("a.yaml")).unwrap();
    let batch = until(&mut source, |batch| !batch.changes.is_empty()).await;
    assert!(matches!(&batch.changes[..], [Change::Put(object)] if object.meta.name == "a"), "{:?}", batch.changes);

    // Renaming a file moves the place and changes nothing else.
    fs::rename(directory.path().join("a.yaml"), directory.path().join("z.yaml")).unwrap();
    let key = ObjectKey::new(Kind::Service, "default", "a");
    let batch = until(&mut source, |b| b.index.locate(&key, "").is_some_and(|l| l.file.ends_with("z.yaml"))).await;
    assert!(batch.changes.is_empty(), "{:?}", batch.changes);

    fs::remove_file(directory.path().join("sub/b.yml")).unwrap();
    let batch = until(&mut source, |batch| !batch.changes.is_empty()).await;
    assert!(matches!(&batch.changes[..], [Change::Delete(key)] if key.name == "b"), "{:?}", batch.changes);
}

#[tokio::test]
async fn a_broken_file_keeps_its_last_good_version() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.yaml");
    let two = format!("{}---\n{}", service("a", 80), service("b", 80));
    fs::write(&path, &two).unwrap();
    let (mut source, _) = open(directory.path());

    // One document is broken, the other changed: neither is taken.
    fs::write(&path, format!("{}---\nkind: [\n", service("a", 99))).unwrap();
    let batch = until(&mut source, |batch| !batch.diagnostics.is_empty()).await;
    assert!(batch.changes.is_empty());
    assert_eq!(names(&batch.index), ["a", "b"]);
    assert_eq!(names(&batch.refused), ["a"], "what can be read of it can be looked at");
    let finding = &batch.diagnostics[0];
    assert_eq!((finding.code.as_str(), finding.line.is_some()), (code::UNREADABLE, true));
    assert_eq!(finding.file.as_deref(), Some(path.to_str().unwrap()));

    // An editor that empties the file before it writes.
    fs::write(&path, "").unwrap();
    let batch = until(&mut source, |b| b.diagnostics.first().is_some_and(|d| d.message.contains("empty"))).await;
    assert!(batch.changes.is_empty());

    // What makes no sense is refused as a cluster would.
    fs::write(&path, service("a", 80).replace("port: 80", "port: 0")).unwrap();
    let batch = until(&mut source, |b| b.diagnostics.first().is_some_and(|d| d.code == code::INVALID)).await;
    assert!(batch.changes.is_empty());

    fs::write(&path, two.replace("80", "81")).unwrap();
    let batch = until(&mut source, |batch| batch.diagnostics.is_empty()).await;
    assert_eq!(batch.changes.len(), 2);
}

#[tokio::test]
async fn the_first_definition_by_path_wins_until_it_goes() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.yaml"), service("a", 80)).unwrap();
    fs::write(directory.path().join("b.yaml"), service("a", 81)).unwrap();
    let (mut source, first) = open(directory.path());
    assert_eq!(first.changes.len(), 1);
    assert_eq!(first.diagnostics[0].code, code::DUPLICATE_OBJECT);
    assert!(first.diagnostics[0].file.as_deref().unwrap().ends_with("b.yaml"));
    fs::remove_file(directory.path().join("a.yaml")).unwrap();
    let batch = until(&mut source, |batch| batch.diagnostics.is_empty()).await;
    assert!(matches!(&batch.changes[..], [Change::Put(_)]), "{:?}", batch.changes);
}

#[tokio::test]
async fn a_directory_that_is_away_takes_nothing_along() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("manifests");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("a.yaml"), service("a", 80)).unwrap();
    let (mut source, _) = open(&directory);
    fs::rename(&directory, parent.path().join("elsewhere")).unwrap();
    let batch = until(&mut source, |batch| !batch.diagnostics.is_empty()).await;
    assert!(batch.changes.is_empty());
    assert_eq!(batch.index.len(), 1);
    fs::rename(parent.path().join("elsewhere"), &directory).unwrap();
    let batch = until(&mut source, |batch| batch.diagnostics.is_empty()).await;
    assert!(batch.changes.is_empty());
}

#[tokio::test]
async fn loops_of_links_end() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("sub")).unwrap();
    fs::write(directory.path().join("sub/a.yaml"), service("a", 80)).unwrap();
    std::os::unix::fs::symlink(directory.path(), directory.path().join("sub/up")).unwrap();
    let (_, first) = open(directory.path());
    assert_eq!((first.changes.len(), first.diagnostics.len()), (1, 0));
}

#[test]
fn what_is_no_directory_is_an_error_with_a_remedy() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.yaml");
    fs::write(&file, "").unwrap();
    let error = |path: &Path| DirectorySource::open(path, DirectoryOptions::default()).unwrap_err().to_string();
    assert!(error(&file).contains("is not a directory"));
    assert!(error(&directory.path().join("none")).contains("does not exist"));
}

#[test]
fn the_log_tells_what_of_a_file_is_in_force() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.yaml");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write("apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80}], prots: []}\n");
    let (mut source, batch) = DirectorySource::open(dir.path(), DirectoryOptions::default()).unwrap();
    assert_eq!(batch.diagnostics.len(), 1, "{:?}", batch.diagnostics);
    let in_force = |source: &DirectorySource| source.files.values().next().unwrap().in_force();
    assert_eq!(in_force(&source), "the file, without what is told here");
    write("kind: [\n");
    let found = scan::scan(&source.root).unwrap();
    source.take(found, &HashSet::from([PathBuf::from("a.yaml")]));
    assert_eq!(in_force(&source), "its last good version");
}
