use super::*;

/// Code, field, message and suggestion of the findings about Telemetries in a mesh with one workload and one provider.
fn of_telemetries(objects: &[(&str, &str, &str)], options: Options) -> Vec<(String, String, String, String)> {
    let mut text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: |\n    extensionProviders: [{name: collector, opentelemetry: {service: otel, port: 4318, http: {path: /v1/traces}}}]\n---\n\
        apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {name: cart, namespace: shop}\nspec: {address: 127.0.0.9, labels: {app: cart, tier: web}}\n".to_owned();
    for (namespace, name, spec) in objects {
        text += &format!(
            "---\napiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {spec}\n"
        );
    }
    let findings = lint(&text, options);
    findings.into_iter().map(|f| (f.code, f.field, f.message, f.suggestion.unwrap_or_default())).collect()
}

#[test]
fn telemetries_of_one_scope() {
    let share = "{tracing: [{randomSamplingPercentage: 5}]}";
    let app = "{selector: {matchLabels: {app: cart}}, tracing: [{randomSamplingPercentage: 5}]}";
    let tier = "{selector: {matchLabels: {tier: web}}, tracing: [{randomSamplingPercentage: 5}]}";
    // One of each scope is as it should be.
    let fine = [("istio-system", "mesh", share), ("shop", "all", share), ("shop", "cart", app), ("bank", "all", share)];
    assert_eq!(of_telemetries(&fine, Options::default()), []);

    let found = of_telemetries(&[("shop", "b", share), ("shop", "a", share)], Options::default());
    let [(code, field, message, _)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((code.as_str(), field.as_str()), (code::TELEMETRIES_OF_ONE_SCOPE.id, "spec"));
    assert_eq!(
        message,
        "Telemetry shop/a is for all of namespace shop too, and is the older one; this one is not applied"
    );
    let found = of_telemetries(&[("istio-system", "a", share), ("istio-system", "b", share)], Options::default());
    assert!(found.len() == 1 && found[0].2.contains("the whole mesh"), "{found:?}");

    let found = of_telemetries(&[("shop", "a", app), ("shop", "b", tier)], Options::default());
    let [(code, field, message, _)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((code.as_str(), field.as_str()), (code::TELEMETRIES_SELECT_ALIKE.id, "spec.selector.matchLabels"));
    assert!(message.starts_with("Telemetry shop/a selects the workload cart too"), "{message}");
}

#[test]
fn telemetries_that_mean_nobody() {
    let nobody = "{selector: {matchLabels: {app: crat}}, tracing: [{disableSpanReporting: true}]}";
    let found = of_telemetries(&[("shop", "t", nobody)], Options::default());
    let [(code, field, ..)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((code.as_str(), field.as_str()), (code::SELECTS_NOBODY.id, "spec.selector.matchLabels"));
    assert_eq!(of_telemetries(&[("shop", "t", nobody)], Options { assume_partial: true }), []);
    // In the root namespace a selector is for that namespace alone.
    let cart = nobody.replace("crat", "cart");
    let found = of_telemetries(&[("istio-system", "t", cart.as_str())], Options::default());
    assert!(found.len() == 1 && found[0].3.contains("put the Telemetry where the workloads are"), "{found:?}");
    // Manifests of a cluster hold no pods.
    let alone = format!(
        "apiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {{name: t, namespace: shop}}\nspec: {nobody}\n"
    );
    assert_eq!(lint(&alone, Options::default()), []);
}

#[test]
fn what_of_a_telemetry_has_no_effect() {
    let of = |spec: &str| {
        let found = of_telemetries(&[("shop", "t", spec)], Options::default());
        found.into_iter().map(|(code, field, _, suggestion)| (code, field, suggestion)).collect::<Vec<_>>()
    };
    let expect = |spec: &str, fields: &[&str]| {
        let found = of(spec);
        assert!(found.iter().all(|(code, ..)| code == code::FIELD_NOT_APPLIED.id), "{found:?}");
        assert_eq!(found.iter().map(|(_, field, _)| field.as_str()).collect::<Vec<_>>(), fields, "{spec}");
    };
    expect("{metrics: [{}], accessLogging: [{disabled: true}]}", &["spec.accessLogging", "spec.metrics"]);
    expect("{targetRefs: [{kind: Service, name: cart}]}", &["spec.targetRefs"]);
    expect(
        "{tracing: [{providers: [{name: collector}, {name: collector}], useRequestIdForTraceSampling: true, enableIstioTags: false}]}",
        &[
            "spec.tracing[0].enableIstioTags",
            "spec.tracing[0].providers[1]",
            "spec.tracing[0].useRequestIdForTraceSampling",
        ],
    );
    expect("{tracing: [{useRequestIdForTraceSampling: false, enableIstioTags: true}]}", &[]);
    expect(
        "{tracing: [{customTags: {a: {formatter: {value: '%PROTOCOL%'}}, b.c: {}, d: {header: {name: ':path'}}, e: {literal: {value: x}}}}]}",
        &[
            "spec.tracing[0].customTags[\"b.c\"]",
            "spec.tracing[0].customTags.a.formatter",
            "spec.tracing[0].customTags.d.header.name",
        ],
    );
    // A provider that is not there.
    let found = of("{tracing: [{providers: [{name: colector}]}]}");
    let field = "spec.tracing[0].providers[0].name".to_owned();
    assert_eq!(found, [(code::PROVIDER_NOT_FOUND.id.to_owned(), field, "did you mean \"collector\"?".to_owned())]);
}
