//! Files that are not in force because something in them is wrong.

use std::sync::Arc;

use weft_api::Change;
use weft_mesh::{Settings, Store};
use weft_model::{Diagnostic, Severity};
use weft_source::{Input, read_paths};

use super::*;

/// What `weft lint` says about a directory.
fn linted(console: &Running) -> Vec<Diagnostic> {
    let read = read_paths(&[Input::Path(console.dir.path().join("config"))], std::io::empty()).unwrap();
    let mut store = Store::new(Settings::default());
    store.apply(read.objects().map(|object| Change::Put(Arc::clone(object))).collect());
    let mut found = read.diagnostics;
    found.extend(weft_lint::analyze(&store.snapshot(), &weft_lint::Options::default()));
    found
}

/// Whoever mends a file is told everything that is wrong with it at once, and the same by the console as by `weft lint`.
#[tokio::test]
async fn a_refused_file_has_as_many_errors_as_lint_says() {
    let console = Running::start(&[]).await;
    let route = |name: &str, host: &str| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: {name}, namespace: shop}}\n\
             spec: {{hosts: [a.example.org], http: [{{route: [{{destination: {{host: '{host}'}}}}]}}]}}\n---\n"
        )
    };
    let text = [
        route("nowhere", "nowhere"),
        route("long", &"a".repeat(300)).replace("a.example.org", "b.example.org"),
        route("spaced", "no host").replace("a.example.org", "c.example.org"),
        route("Bad_Name", "order-service"),
    ];
    std::fs::write(console.file("wrong.yaml"), text.concat()).unwrap();
    let (status, list) = until("the file is listed", async || {
        let list = console.json("/api/v1/config").await;
        let status = console.json("/api/v1/status").await;
        list["fileFindings"].get(0).is_some().then_some((status, list))
    })
    .await;
    let told = linted(&console);
    let errors = told.iter().filter(|finding| finding.severity == Severity::Error).count();
    assert_eq!(errors, 4, "one for each object: {told:#?}");
    assert_eq!(status["findings"][0], errors, "{list:#}");
    let found = list["fileFindings"].as_array().unwrap();
    let missing = found.iter().find(|finding| finding["code"] == "WEFT0102").unwrap_or_else(|| panic!("{found:#?}"));
    assert_eq!(missing["object"]["name"], "nowhere");
    assert!(missing["file"].as_str().unwrap().ends_with("wrong.yaml") && missing["line"] == 4, "{missing}");

    // What holds is not what the file says: nothing of it is in force.
    let kinds = list["rows"].as_array().unwrap().iter().filter(|row| row["object"]["kind"] == "VirtualService");
    assert_eq!(kinds.count(), 1, "{list:#}");
    std::fs::remove_file(console.file("wrong.yaml")).unwrap();
    until("nothing is told of it", async || {
        let status = console.json("/api/v1/status").await;
        (status["findings"][0] == 0).then_some(())
    })
    .await;
    console.stop().await;
}
