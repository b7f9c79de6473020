use super::*;

fn asked(filter: &TraceFilter) -> String {
    let asked = search(filter, None).unwrap();
    asked.text.strip_suffix(TOLD).unwrap().to_owned()
}

fn tagged(key: &str, value: &str) -> TraceFilter {
    TraceFilter { tags: vec![(key.to_owned(), value.to_owned())], ..TraceFilter::default() }
}

/// What a literal means, read as Go's `strconv.Unquote` reads it, and what follows it.
fn unquoted(text: &str) -> (String, &str) {
    let mut meant = String::new();
    let mut rest = text.strip_prefix('"').expect("a literal begins with a quote").chars();
    loop {
        match rest.next().expect("a literal ends") {
            '"' => return (meant, rest.as_str()),
            '\\' => match rest.next().unwrap() {
                c @ ('"' | '\\') => meant.push(c),
                digits @ ('u' | 'U') => {
                    let (code, left) = rest.as_str().split_at(if digits == 'u' { 4 } else { 8 });
                    meant.push(char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap());
                    rest = left.chars();
                }
                other => panic!("no escape: {other}"),
            },
            c => {
                assert!(!c.is_control(), "{c:?} ends a literal or is refused");
                meant.push(c);
            }
        }
    }
}

#[test]
fn a_search_is_said_in_traceql() {
    assert_eq!(asked(&TraceFilter::default()), "{}");
    let filter = TraceFilter {
        operation: Some("GET /cart".into()),
        errors: true,
        min_us: Some(1500),
        max_us: Some(2_000_000),
        ..tagged("http.method", "GET")
    };
    let told = asked(&filter);
    assert_eq!(
        told,
        "{ traceDuration >= 1500us && traceDuration <= 2000000us && status = error && name = \"GET /cart\" && \
         .http.method = \"GET\" }"
    );
    let service = Service { name: "cart.shop".into(), namespace: None };
    assert_eq!(spans_of(&service).unwrap(), "{ resource.service.name = \"cart.shop\" }");
    let service = Service { name: "cart".into(), namespace: Some("shop".into()) };
    let of = search(&TraceFilter { namespaces: Some(vec!["shop".into()]), ..TraceFilter::default() }, Some(&service));
    assert!(of.unwrap().text.starts_with(
        "{ resource.service.name = \"cart\" && (resource.k8s.namespace.name = \"shop\" || resource.service.namespace = \
         \"shop\") } | select("
    ));
}

#[test]
fn whose_a_span_is_is_asked_of_its_process() {
    for name in WHOSE {
        assert!(TOLD.contains(&format!("resource.{name}")), "{name}");
        assert_eq!(asked(&tagged(name, "shop")), format!("{{ resource.{name} = \"shop\" }}"));
    }
}

#[test]
fn a_value_may_be_of_another_type() {
    assert_eq!(asked(&tagged("code", "503")), "{ (.code = \"503\" || .code = 503) }");
    assert_eq!(asked(&tagged("hit", "true")), "{ (.hit = \"true\" || .hit = true) }");
    assert_eq!(asked(&tagged("load", "-0.5")), "{ (.load = \"-0.5\" || .load = -0.5) }");
    for text in ["007", "1e9", "5s", "1.", ".5", "--1", "nil", "99999999999999999999", "1.2.3", "0x10", "+1"] {
        assert_eq!(asked(&tagged("a", text)), format!("{{ .a = \"{text}\" }}"));
    }
}

#[test]
fn nothing_that_is_typed_gets_out_of_its_quotes() {
    let hostile = [
        r#"" || true || .a = ""#,
        r#"\" || true || .a = \""#,
        r"\",
        r#"\\""#,
        "line\nbreak\r\ttab",
        "nul\0byte\u{feff}",
        "`} | select(span:id) //",
        "/* */ } { ",
        "\u{202e}gnirts \u{1f600} é",
        "\u{2028}\u{85}",
    ];
    for text in hostile {
        let told = asked(&tagged("a", text));
        let (meant, rest) = unquoted(told.strip_prefix("{ .a = ").unwrap());
        assert_eq!((meant.as_str(), rest), (text, " }"));
        let told = asked(&TraceFilter { operation: Some(text.to_owned()), ..TraceFilter::default() });
        assert_eq!(unquoted(told.strip_prefix("{ name = ").unwrap()), (text.to_owned(), " }"));
        let service = Service { name: text.to_owned(), namespace: None };
        let of = spans_of(&service).unwrap();
        assert_eq!(unquoted(of.strip_prefix("{ resource.service.name = ").unwrap()), (text.to_owned(), " }"));
        // A name has fewer escapes; what they do not reach is refused.
        match search(&tagged(text, "v"), None) {
            Ok(asked) => {
                let (meant, rest) = unquoted(asked.text.strip_prefix("{ .").unwrap());
                assert_eq!(meant, text);
                assert!(rest.starts_with(" = \"v\" } | select("), "{rest}");
            }
            Err(why) => assert!(why.contains("U+"), "{text:?}: {why}"),
        }
    }
    assert!(search(&tagged("a\nb", "v"), None).unwrap_err().contains("U+000A"));
    assert_eq!(asked(&tagged("span.a", "v")), "{ .\"span.a\" = \"v\" }", "an attribute, not a scope");
    assert_eq!(asked(&tagged("a-b", "v")), "{ .\"a-b\" = \"v\" }");
}

#[test]
fn namespaces_are_asked_for_where_they_are_plain_and_fit() {
    let names = |names: Vec<String>| TraceFilter { namespaces: Some(names), ..TraceFilter::default() };
    let some = search(&names(vec!["shop".into(), "bank-2".into()]), None).unwrap();
    assert!(some.text.contains("resource.service.name =~ \".*[.](shop|bank-2)\"") && !some.namespaces_left_out);
    for left_out in [names(vec!["shop".into(), ".*".into()]), names((0..200).map(|n| format!("team-{n}")).collect())] {
        let left_out = search(&left_out, None).unwrap();
        assert!(left_out.text.starts_with("{} | select(") && left_out.namespaces_left_out);
    }
    let long = search(&tagged("a", &"x".repeat(1000)), None).unwrap_err();
    assert!(long.contains("1000 are possible"), "{long}");
}
