use super::*;

#[test]
fn three_significant_digits() {
    for (value, text) in [
        (0.0, "0"),
        (12.44, "12.4"),
        (12.0, "12"),
        (0.5, "0.5"),
        (0.012_34, "0.0123"),
        (9.996, "10"),
        (999.6, "1,000"),
        (1234.0, "1,230"),
        (45_678.0, "45,700"),
        (1_234_567.0, "1.23 M"),
        (2.5e9, "2.5 G"),
        (0.000_2, "<0.001"),
        (-2.71234, "-2.71"),
        (f64::NAN, "–"),
        (f64::INFINITY, "–"),
    ] {
        assert_eq!(digits(value), text, "{value}");
    }
}

#[test]
fn units_are_always_there() {
    assert_eq!(rate(12.43, Counted::REQUESTS), "12.4 req/s");
    assert_eq!(rate(3.0, Counted::CONNECTIONS), "3 conn/s");
    assert_eq!(share(0.031), "3.1 %");
    assert_eq!(share(0.000_04), "<0.01 %");
    assert_eq!(millis(48.2), "48.2 ms");
    assert_eq!(millis(1250.0), "1.25 s");
    assert_eq!(millis(125_000.0), "2 min 5 s");
    assert_eq!(micros(320), "320 µs");
    assert_eq!(micros(48_000), "48 ms");
    assert_eq!(count(4812), "4,812");
    assert_eq!(maybe(None, share), "–");
}

#[test]
fn nearly_all_is_not_all() {
    assert_eq!(share(0.9999), "99.99 %");
    assert_eq!(share(0.999_99), "99.99 %");
    assert_eq!(share(1.0), "100 %");
    assert_eq!(share(0.998), "99.8 %");
}

#[test]
fn times_are_relative() {
    assert_eq!(ago(400.0), "now");
    assert_eq!(ago(12_900.0), "12 s ago");
    assert_eq!(ago(185_000.0), "3 min ago");
    assert_eq!(ago(-5.0), "now");
    assert_eq!(span(3_600_000.0), "1 h");
    assert_eq!(span(90_061_000.0), "1 d 1 h");
    assert_eq!(span(3_649.0 * 86_400_000.0), "9.9 y");
}

#[test]
fn names_are_shortened_in_their_middle() {
    assert_eq!(middle("order-service-v1", 16), "order-service-v1");
    assert_eq!(middle("inventory-service-v1", 12), "invent…ce-v1");
    assert_eq!(middle("übergrößenträger", 5), "üb…er");
    assert_eq!(middle("\u{202e}gnp.exe", 20), "\\u{202e}gnp.exe", "what turns it round is shown");
}

#[test]
fn differences_have_a_sign() {
    assert_eq!(signed(3.1), "+3.1");
    assert_eq!(signed(-3.1), "−3.1");
    assert_eq!(signed(0.0), "0");
    assert_eq!(plural(1, "finding", "findings"), "1 finding");
    assert_eq!(plural(0, "finding", "findings"), "0 findings");
}
