//! Pages of other programs that show one node of the graph (`GET /api/v1/meta`).

use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// What stands in a template for a part of what is shown.
pub const PLACES: [&str; 4] = ["{namespace}", "{workload}", "{app}", "{service}"];
/// Stand for the time that is shown, milliseconds since the Unix epoch.
pub const TIMES: [&str; 2] = ["{fromMs}", "{toMs}"];

/// A page of another program, such as a dashboard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct NodeLink {
    /// The program, such as `Grafana`.
    pub name: String,
    /// Its address by http or https, with `{namespace}`, `{workload}`, `{app}`, `{service}` (a full host name),
    /// `{fromMs}` and `{toMs}` where these go.
    pub template: String,
}

/// What an address is filled with; what is empty is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shown<'a> {
    /// Namespace.
    pub namespace: &'a str,
    /// Name of the workload.
    pub workload: &'a str,
    /// Name of the app.
    pub app: &'a str,
    /// Full host name of the service.
    pub service: &'a str,
    /// Begin of the time, milliseconds since the Unix epoch.
    pub from_ms: u64,
    /// Its end.
    pub to_ms: u64,
}

impl NodeLink {
    /// The address for what is shown; `None` where the template asks for what is not known of it. Values are
    /// percent-encoded: they stay within the part of the address that they stand in.
    pub fn address(&self, shown: &Shown<'_>) -> Option<String> {
        let mut address = self.template.clone();
        for (place, value) in PLACES.into_iter().zip([shown.namespace, shown.workload, shown.app, shown.service]) {
            if address.contains(place) {
                address = address.replace(place, &encoded(Some(value).filter(|value| !value.is_empty())?));
            }
        }
        for (place, value) in TIMES.into_iter().zip([shown.from_ms, shown.to_ms]) {
            address = address.replace(place, &value.to_string());
        }
        Some(address)
    }
}

fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(template: &str, shown: &Shown<'_>) -> Option<String> {
        NodeLink { name: "x".into(), template: template.into() }.address(shown)
    }

    #[test]
    fn an_address_is_filled_with_what_is_shown() {
        let shown = Shown { namespace: "shop", workload: "cart-v1", from_ms: 5, to_ms: 9, ..Shown::default() };
        let grafana = "https://grafana/d/x?var-namespace={namespace}&var-workload={workload}&from={fromMs}&to={toMs}";
        assert_eq!(
            address(grafana, &shown).as_deref(),
            Some("https://grafana/d/x?var-namespace=shop&var-workload=cart-v1&from=5&to=9")
        );
        let jaeger = "https://jaeger/search?service={workload}.{namespace}";
        assert_eq!(address(jaeger, &shown).as_deref(), Some("https://jaeger/search?service=cart-v1.shop"));
        assert_eq!(address("https://x/{service}", &shown), None, "it is no service");
    }

    #[test]
    fn a_value_stays_where_it_stands() {
        let shown = Shown { namespace: "{workload}", workload: "a/../b&c=d#e \"<\u{e4}", ..Shown::default() };
        assert_eq!(
            address("https://x/{namespace}?w={workload}", &shown).as_deref(),
            Some("https://x/%7Bworkload%7D?w=a%2F..%2Fb%26c%3Dd%23e%20%22%3C%C3%A4")
        );
    }
}
