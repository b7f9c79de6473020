use super::*;

const GOOD: &str = "# why\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: orders\n  namespace: shop\nspec:\n  hosts: [orders]\n  http:\n  - timeOut: 5s\n    route:\n    - destination: {host: orders}\n";

/// Message, line and column of each finding.
fn found(text: &str) -> Vec<(String, u32, u32)> {
    let findings = Draft::read(text).findings();
    findings.into_iter().map(|f| (f.message, f.line.unwrap_or_default(), f.column.unwrap_or_default())).collect()
}

#[test]
fn a_sound_draft_with_a_slip() {
    let draft = Draft::read(GOOD);
    assert_eq!(draft.object().unwrap().reference.to_string(), "VirtualService shop/orders");
    let [finding] = draft.findings().try_into().unwrap();
    assert_eq!((finding.line, finding.column, finding.file), (Some(10), Some(5), None));
    assert_eq!(finding.suggestion.as_deref(), Some("did you mean \"timeout\"?"));
    assert_eq!(draft.locate("spec.http[0].route[0].weight"), (12, 7));
}

#[test]
fn hostile_texts_are_refused_with_a_place() {
    let first = |text: &str| found(text).into_iter().next().unwrap();
    assert_eq!(first("a: 1\nb: \0"), ("a NUL byte stands here, which YAML does not have: delete it".to_owned(), 2, 1));
    assert!(first(&"x".repeat(MAX_DRAFT_BYTES + 1)).0.contains("1 MiB"));
    assert_eq!(first("kind: A\n\tname: b").1, 2);
    assert!(first("a: 1\na: 2").0.contains("twice"));
    assert!(first("").0.contains("no object"));
    let second = first(&format!("{GOOD}---\n{GOOD}"));
    assert_eq!(
        second,
        ("this is a list: save one object at a time".replace("this is a list", "a second document begins here"), 14, 1)
    );
    let bomb = (1..12).fold("a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, n| {
        let alias = format!("*a{}", n - 1);
        format!("{text}a{n}: &a{n} [{}]\n", [alias.as_str(); 9].join(","))
    });
    assert!(first(&bomb).0.contains("values"), "{:?}", first(&bomb));
    assert!(Draft::read(&bomb).object().is_none());
}
