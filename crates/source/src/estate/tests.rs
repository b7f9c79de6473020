use weft_api::{Kind, ObjectKey, code};

use super::*;

fn stdin(text: &str) -> Estate {
    read_paths(&[Input::Stdin], text.as_bytes()).unwrap()
}

const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata:\n  name: a\nspec:\n  ports:\n  - port: 80\n";

#[test]
fn broken_documents_leave_their_neighbours_alone() {
    let estate = stdin(&format!("{SERVICE}---\na: [\n---\n{}", SERVICE.replace("name: a", "name: b")));
    assert_eq!(estate.index.len(), 2);
    let finding = &estate.diagnostics[0];
    assert_eq!((finding.code.as_str(), finding.file.as_deref()), (code::UNREADABLE, Some("-")));
    assert!(matches!(finding.line, Some(9 | 10)), "{finding}");
}

#[test]
fn an_unknown_field_is_told_beside_a_wrong_one() {
    let estate = stdin(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: v}\nspec:\n  hosts: [a]\n  http: nope\n  htp: []\n",
    );
    let told: Vec<_> = estate.diagnostics.iter().map(|d| (d.code.as_str(), d.line, d.suggestion.as_deref())).collect();
    assert!(told.contains(&(code::UNKNOWN_FIELD, Some(7), Some("did you mean \"http\"?"))), "{told:?}");
    assert!(told.iter().any(|(code, line, _)| *code == code::MALFORMED && *line == Some(6)), "{told:?}");
}

#[test]
fn a_name_without_end_is_not_printed_whole() {
    let estate = stdin(&SERVICE.replace("name: a", &format!("name: {}", "x".repeat(10_000))));
    assert!(!estate.diagnostics.is_empty());
    assert!(estate.diagnostics.iter().all(|finding| finding.to_string().len() < 1000));
}

#[test]
fn fields_have_places() {
    let text = format!("# first\n{SERVICE}---\n{}", SERVICE.replace("name: a", "name: b").replace("port:", "prot:"));
    let estate = stdin(&text);
    let finding = estate.diagnostics.iter().find(|d| d.code == code::UNKNOWN_FIELD);
    // The port itself is then missing, which is an error of the object.
    assert!(finding.is_some() || estate.diagnostics.iter().any(|d| d.line == Some(16)));
    let place = estate.index.locate(&ObjectKey::new(Kind::Service, "default", "a"), "spec.ports[0].port").unwrap();
    assert_eq!((place.line, place.column), (8, 5));
    let place = estate.index.locate(&ObjectKey::new(Kind::Service, "default", "a"), "spec.selector.app").unwrap();
    assert_eq!(place.line, 6);
}

#[test]
fn lists_and_json() {
    let list = r#"{"apiVersion": "v1", "kind": "List", "items": [
  {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}},
  {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "v", "namespace": "x"},
   "spec": {"hosts": ["a"], "htttp": []}}]}"#;
    let estate = stdin(list);
    assert_eq!(estate.index.len(), 2);
    let finding = &estate.diagnostics[0];
    assert_eq!((finding.field.as_str(), finding.line), ("spec.htttp", Some(4)));
    assert_eq!(finding.suggestion.as_deref(), Some("did you mean \"http\"?"));
    let typed = "apiVersion: v1\nkind: ServiceList\nitems:\n- metadata: {name: a}\n  spec: {ports: [{port: 80}]}\n";
    assert_eq!(stdin(typed).index.len(), 1);
}

#[test]
fn the_first_of_two_definitions_wins() {
    let estate = stdin(&format!("{SERVICE}---\n{}", SERVICE.replace("80", "81")));
    let finding = &estate.diagnostics[0];
    assert_eq!((finding.code.as_str(), finding.line), (code::DUPLICATE_OBJECT, Some(12)));
    assert!(finding.message.contains("-:1"), "{}", finding.message);
}

#[test]
fn what_is_not_there_is_an_error() {
    let missing = Input::Path("/nonexistent/manifests".into());
    let error = read_paths(&[missing], io::empty()).unwrap_err().to_string();
    assert!(error.starts_with("cannot read /nonexistent/manifests: "), "{error}");
}

#[test]
fn mesh_networks_are_read_too() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  meshNetworks: |\n    networks: [\n";
    let finding = &stdin(text).diagnostics[0];
    assert_eq!(
        (finding.code.as_str(), finding.field.as_str(), finding.line),
        (code::UNREADABLE, "data.meshNetworks", Some(5))
    );
    let finding = &stdin(&text.replace("networks: [", "networks: 5")).diagnostics[0];
    assert_eq!((finding.code.as_str(), finding.field.as_str()), (code::MALFORMED, "data.meshNetworks.networks"));
}

#[test]
fn mesh_config_is_read_as_yaml() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: |\n    trustDomain: x.org\n    trustDomian: y\n";
    let estate = stdin(text);
    assert_eq!(estate.diagnostics[0].field, "data.mesh.trustDomian");
    assert_eq!(estate.diagnostics[0].line, Some(5));
    let object = estate.objects().next().unwrap();
    assert!(matches!(&object.spec, weft_api::Spec::MeshConfig(_)));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(1000))]

    /// However a manifest is mangled, reading and checking it end with findings and not with a panic.
    #[test]
    fn mangled_manifests(
        cuts in proptest::collection::vec((0usize..2000, 0usize..40, "[ -~\n]{0,12}|: |- |null|\\{|\\["), 1..6),
    ) {
        const WHOLE: &str = include_str!("../../testdata/everything.yaml");
        let mut text: Vec<char> = WHOLE.chars().collect();
        for (at, length, new) in cuts {
            let at = at % text.len();
            let end = (at + length).min(text.len());
            text.splice(at..end, new.chars());
        }
        let text: String = text.into_iter().collect();
        let estate = stdin(&text);
        for object in estate.objects() {
            object.validate();
        }
        for finding in &estate.diagnostics {
            proptest::prop_assert!(finding.line.is_some_and(|line| line as usize <= text.lines().count() + 1), "{finding}");
        }
    }
}

#[test]
fn every_kind_is_sound_as_it_stands() {
    let estate = stdin(include_str!("../../testdata/everything.yaml"));
    assert_eq!((estate.index.len(), estate.diagnostics.as_slice()), (14, &[][..]));
    for object in estate.objects() {
        assert_eq!(object.validate(), [], "{}", object.reference);
    }
}

#[test]
fn a_directory_without_manifests_is_not_a_sound_estate() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("notes.txt"), "nothing").unwrap();
    let error = read_paths(&[Input::Path(dir.path().to_owned())], std::io::empty()).unwrap_err();
    assert!(error.to_string().contains("no manifest below it"), "{error}");
}
