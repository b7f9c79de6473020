use weft_source::{Input, read_paths};

use super::*;

const OBJECTS: &str = include_str!("../../goldens/meaning.yaml");

/// `WEFT_BLESS=1` writes the golden anew.
#[test]
fn objects_are_told_in_sentences() {
    let estate = read_paths(&[Input::Stdin], OBJECTS.as_bytes()).unwrap();
    assert!(estate.diagnostics.is_empty(), "{:?}", estate.diagnostics);
    let mut said = String::new();
    for object in estate.objects() {
        said.push_str(&format!("{}\n", object.reference));
        of(object).iter().for_each(|sentence| said.push_str(&format!("  {sentence}\n")));
    }
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/goldens/meaning.txt");
    if std::env::var_os("WEFT_BLESS").is_some() {
        std::fs::write(golden, &said).unwrap();
    }
    assert_eq!(said, std::fs::read_to_string(golden).unwrap());
}

#[test]
fn long_objects_are_cut() {
    let routes = "  - route: [{destination: {host: a}}]\n    match: [{uri: {prefix: /a}}]\n".repeat(200);
    let text = format!(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: a, namespace: b}}\nspec:\n  hosts: [{}]\n  http:\n{routes}",
        "x".repeat(5000)
    );
    let estate = read_paths(&[Input::Stdin], text.as_bytes()).unwrap();
    let sentences = of(estate.objects().next().unwrap());
    assert_eq!(sentences.len(), MAX_SENTENCES + 1);
    assert!(sentences.iter().all(|sentence| sentence.len() < 400));
}
