//! The rules for `nft`: one table, replaced as a whole, so that running it again changes nothing.

use std::fmt::{Display, Write};

use super::settings::{Range, Settings, Targets};

/// The ruleset. In order, for connections of the pod: what is left alone, the proxy's own (which come in again when
/// they go to the pod itself), the pod's talk with itself, and then the rest.
pub fn ruleset(settings: &Settings) -> String {
    let mut text = String::from("add table inet weft\ndelete table inet weft\ntable inet weft {\n");
    chain(&mut text, "inbound", "prerouting", "dstnat", &inbound(settings));
    chain(&mut text, "outbound", "output", "-100", &outbound(settings));
    text.push_str("}\n");
    text
}

fn chain(text: &mut String, name: &str, hook: &str, priority: &str, rules: &[String]) {
    // Writing to a String does not fail.
    let _ = writeln!(text, "\tchain {name} {{\n\t\ttype nat hook {hook} priority {priority}; policy accept;");
    for rule in rules {
        let _ = writeln!(text, "\t\t{rule}");
    }
    text.push_str("\t}\n");
}

/// `{ a, b }`.
fn set<T: Display>(values: impl IntoIterator<Item = T>) -> String {
    let values: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
    format!("{{ {} }}", values.join(", "))
}

/// An interface by name; nft writes a wildcard `*`.
fn interface(name: &str) -> String {
    format!("\"{}\"", name.replace('+', "*"))
}

/// nft wants to know that there are ports before it changes one.
fn redirect(port: u16) -> String {
    format!("meta l4proto tcp redirect to :{port}")
}

fn inbound(settings: &Settings) -> Vec<String> {
    let mut rules = vec!["meta l4proto != tcp return".to_owned()];
    rules.extend(settings.exclude_interfaces.iter().map(|name| format!("iifname {} return", interface(name))));
    for name in &settings.virtual_interfaces {
        let from = format!("iifname {} ", interface(name));
        rules.extend(to_proxy(settings).into_iter().map(|rule| from.clone() + &rule));
        rules.push(from + "return");
    }
    let redirect = redirect(settings.inbound_port);
    match &settings.inbound {
        Targets::All => {
            if !settings.inbound_exclude.is_empty() {
                rules.push(format!("tcp dport {} return", set(&settings.inbound_exclude)));
            }
            rules.push(redirect);
        }
        Targets::Some(ports) if ports.is_empty() => {}
        Targets::Some(ports) => rules.push(format!("tcp dport {} {redirect}", set(ports))),
    }
    rules
}

fn outbound(settings: &Settings) -> Vec<String> {
    let mut rules = vec!["meta l4proto != tcp return".to_owned()];
    rules.extend(settings.exclude_interfaces.iter().map(|name| format!("oifname {} return", interface(name))));
    if !settings.outbound_exclude_ports.is_empty() {
        rules.push(format!("tcp dport {} return", set(&settings.outbound_exclude_ports)));
    }
    rules.push("oifname \"lo\" ip saddr 127.0.0.6 return".to_owned());
    rules.push("oifname \"lo\" ip6 saddr ::6 return".to_owned());
    let redirect = redirect(settings.inbound_port);
    let except = match settings.inbound_exclude.is_empty() {
        true => String::new(),
        false => format!("tcp dport != {} ", set(&settings.inbound_exclude)),
    };
    let mut strangers = String::new();
    let mut own = Vec::new();
    for (key, ids) in [("skuid", &settings.uids), ("skgid", &settings.gids)] {
        if ids.is_empty() {
            continue;
        }
        for elsewhere in ["ip daddr != 127.0.0.1", "ip6 daddr != ::1"] {
            rules.push(format!("oifname \"lo\" {elsewhere} {except}meta {key} {} {redirect}", set(ids)));
        }
        let _ = write!(strangers, "meta {key} != {} ", set(ids));
        own.push(format!("meta {key} {} return", set(ids)));
    }
    rules.push(format!("oifname \"lo\" {strangers}return"));
    rules.extend(own);
    rules.push("ip daddr 127.0.0.1 return".to_owned());
    rules.push("ip6 daddr ::1 return".to_owned());
    rules.extend(of_ranges(&settings.outbound_exclude, "return"));
    rules.extend(to_proxy(settings));
    rules
}

/// What is redirected as going out.
fn to_proxy(settings: &Settings) -> Vec<String> {
    let redirect = redirect(settings.outbound_port);
    let mut rules = Vec::new();
    if !settings.outbound_ports.is_empty() {
        rules.push(format!("tcp dport {} {redirect}", set(&settings.outbound_ports)));
    }
    match &settings.outbound {
        Targets::All => rules.push(redirect),
        Targets::Some(ranges) => rules.extend(of_ranges(ranges, &redirect)),
    }
    rules
}

fn of_ranges(ranges: &[Range], verdict: &str) -> Vec<String> {
    let one = |key: &str, v4| {
        let ranges = Settings::of_family(ranges, v4);
        // One rule for each: overlapping ranges cannot stand in one set.
        ranges.into_iter().map(|range| format!("{key} daddr {range} {verdict}")).collect::<Vec<_>>()
    };
    [one("ip", true), one("ip6", false)].concat()
}
