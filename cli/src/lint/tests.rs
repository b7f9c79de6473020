use std::{collections::BTreeSet, fs, path::Path};

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    lint: LintArgs,
}

fn args(arguments: &[&str]) -> LintArgs {
    Command::try_parse_from([&["lint"], arguments].concat()).unwrap().lint
}

fn stdin(text: &str) -> Findings {
    look(&args(&["-"]), text.as_bytes()).unwrap()
}

const BROKEN: &str = "apiVersion: v1
kind: Service
metadata: {name: returns}
spec: {ports: [{port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: returns
spec:
  hosts: [returns]
  http:
  - timeOut: 3s
    route:
    - destination:
        host: returns
        subset: v9
---
kind: [
";

#[test]
fn text_says_where_what_and_how_to_mend() {
    let mut out = Vec::new();
    report::text(&mut out, &stdin(BROKEN), false).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("-:13:5: error WEFT0003 (IST0106) VirtualService default/returns spec.http[0].timeOut\n    VirtualService has no field \"timeOut\"\n    → did you mean \"timeout\"?\n"), "{text}");
    assert!(text.contains("-:17:9: error WEFT0101 (IST0101, KIA1107) VirtualService default/returns spec.http[0].route[0].destination.subset\n"), "{text}");
    assert!(text.contains("error WEFT0001\n"), "{text}");
    assert!(text.ends_with("3 errors in 2 objects in 1 file.\n"), "{text}");
}

#[test]
fn json_has_its_shape() {
    let mut out = Vec::new();
    report::json(&mut out, &stdin(BROKEN)).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
    let finding = &json["diagnostics"][1];
    let keys: BTreeSet<_> = finding.as_object().unwrap().keys().map(String::as_str).collect();
    let expected =
        ["aliases", "code", "column", "field", "file", "line", "message", "object", "severity", "suggestion"];
    assert_eq!(keys, BTreeSet::from(expected));
    assert_eq!(finding["aliases"], serde_json::json!(["IST0101", "KIA1107"]));
    assert_eq!(finding["object"]["apiVersion"], "networking.istio.io/v1");
    assert_eq!((finding["line"].as_u64(), finding["column"].as_u64()), (Some(17), Some(9)));
    assert_eq!(finding["severity"], "error");
}

#[test]
fn exit_codes() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.yaml");
    let path = directory.path().to_str().unwrap();
    let exit = |arguments: &[&str]| format!("{:?}", run(args(arguments)).unwrap());
    let code = |code: u8| format!("{:?}", ExitCode::from(code));
    fs::write(&file, "apiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\nmetadata: {name: f}\n").unwrap();
    assert_eq!(exit(&[path]), code(0));
    assert_eq!(exit(&[path, "--fail-on", "warning"]), code(1));
    fs::write(&file, "a: [").unwrap();
    assert_eq!(exit(&[path]), code(1));
    assert_eq!(exit(&[path, "--fail-on", "never"]), code(0));
    assert_eq!(exit(&["/nonexistent/manifests"]), code(2));
}

#[test]
fn settings_come_from_the_root_namespace() {
    let map =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: mesh}\ndata: {mesh: 'trustDomian: a'}\n";
    let findings = look(&args(&["-", "--root-namespace", "mesh"]), map.as_bytes()).unwrap();
    assert_eq!(findings.diagnostics[0].field, "data.mesh.trustDomian");
}

/// What the customer's blocks speak of and do not hold themselves.
const AROUND: &str = "
apiVersion: v1
kind: Service
metadata: {name: order-service}
spec: {ports: [{name: http, port: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: inventory-service}
spec: {ports: [{name: http, port: 8080}]}
";

/// The blocks of a text that are manifests: from `apiVersion:` to the first line that is neither indented, nor a list, nor
/// a top-level field of an object.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        let field = ["apiVersion:", "kind:", "metadata:", "spec:", "---"].iter().any(|field| line.starts_with(field));
        if line.starts_with("apiVersion:") && !inside {
            blocks.push(String::new());
            inside = true;
        }
        inside &= field || line.starts_with(' ');
        if let (true, Some(block)) = (inside, blocks.last_mut()) {
            block.push_str(line);
            block.push('\n');
        }
    }
    blocks
}

#[test]
fn the_customers_manifests_are_sound() {
    let chapter = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/chapter.txt");
    let Ok(text) = fs::read_to_string(&chapter) else {
        let known = ["CI", "WEFT_WITHOUT_CHAPTER"].map(|name| std::env::var_os(name).is_some()) != [true, false];
        assert!(known, "{} must be there in CI", chapter.display());
        eprintln!("skipped: {} is not here", chapter.display());
        return;
    };
    let blocks = blocks(&text);
    assert!(blocks.len() >= 6, "{blocks:#?}");
    let rule = blocks.iter().find(|block| block.contains("kind: DestinationRule")).unwrap();
    // As it is written, whoever does not test gets 404: it is for a service that has no other callers.
    let left_out = |findings: &Findings| -> Vec<(String, String)> {
        let told = findings.diagnostics.iter();
        told.map(|told| (told.code.clone(), told.object.as_ref().map(|o| o.name.clone()).unwrap_or_default())).collect()
    };
    let expected = [(weft_lint::code::REQUESTS_LEFT_OUT.id.to_owned(), "inventory-fault-test".to_owned())];
    for block in &blocks {
        let subsets = if block.contains("subset:") { format!("---\n{rule}") } else { String::new() };
        let findings = stdin(&format!("{AROUND}---\n{block}{subsets}"));
        let own = if block.contains("name: inventory-fault-test") { &expected[..] } else { &[][..] };
        assert_eq!(left_out(&findings), own, "{block}\n{:#?}", findings.diagnostics);
    }
    let all = stdin(&format!("{AROUND}---\n{}", blocks.join("---\n")));
    assert_eq!(left_out(&all), expected, "{:#?}", all.diagnostics);
}
