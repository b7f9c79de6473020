//! The same rules for `iptables-restore` and `ip6tables-restore`, in chains of our own.

use std::fmt::{Display, Write};

use super::settings::{Settings, Targets};

/// Address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// `iptables`.
    V4,
    /// `ip6tables`.
    V6,
}

impl Family {
    fn loopback(self) -> &'static str {
        match self {
            Self::V4 => "127.0.0.1/32",
            Self::V6 => "::1/128",
        }
    }

    fn bypass(self) -> &'static str {
        match self {
            Self::V4 => "127.0.0.6/32",
            Self::V6 => "::6/128",
        }
    }
}

/// Rules that lead into our chains: table's chain, ours.
pub const ENTRIES: [(&str, &str); 2] = [("PREROUTING", "WEFT_INBOUND"), ("OUTPUT", "WEFT_OUTBOUND")];

/// The text for `iptables-restore --noflush`, which empties our chains and fills them anew. The entries are appended, so
/// those of an earlier run must be gone.
pub fn restore(settings: &Settings, family: Family) -> String {
    let mut text = String::from("*nat\n");
    for (_, chain) in ENTRIES {
        // Writing to a String does not fail.
        let _ = writeln!(text, ":{chain} - [0:0]");
    }
    let mut rules = |chain: &str, rules: Vec<String>| {
        for rule in rules {
            let _ = writeln!(text, "-A {chain} {rule}");
        }
    };
    rules("WEFT_INBOUND", inbound(settings, family));
    rules("WEFT_OUTBOUND", outbound(settings, family));
    for (hook, chain) in ENTRIES {
        rules(hook, vec![format!("-p tcp -j {chain}")]);
    }
    text.push_str("COMMIT\n");
    text
}

fn ports<T: Display>(ports: impl IntoIterator<Item = T>, verdict: &str) -> Vec<String> {
    ports.into_iter().map(|port| format!("-p tcp --dport {port} {verdict}")).collect()
}

fn inbound(settings: &Settings, family: Family) -> Vec<String> {
    let mut rules: Vec<String> =
        settings.exclude_interfaces.iter().map(|name| format!("-i {name} -j RETURN")).collect();
    for name in &settings.virtual_interfaces {
        rules.extend(to_proxy(settings, family).into_iter().map(|rule| format!("-i {name} {rule}")));
        rules.push(format!("-i {name} -j RETURN"));
    }
    let redirect = redirect(settings.inbound_port);
    match &settings.inbound {
        Targets::All => {
            rules.extend(ports(&settings.inbound_exclude, "-j RETURN"));
            rules.push(format!("-p tcp {redirect}"));
        }
        Targets::Some(list) => rules.extend(ports(list, &redirect)),
    }
    rules
}

fn redirect(port: u16) -> String {
    format!("-j REDIRECT --to-ports {port}")
}

fn outbound(settings: &Settings, family: Family) -> Vec<String> {
    let mut rules: Vec<String> =
        settings.exclude_interfaces.iter().map(|name| format!("-o {name} -j RETURN")).collect();
    rules.extend(ports(&settings.outbound_exclude_ports, "-j RETURN"));
    rules.push(format!("-s {} -o lo -j RETURN", family.bypass()));
    let owners: Vec<String> = settings
        .uids
        .iter()
        .map(|id| format!("--uid-owner {id}"))
        .chain(settings.gids.iter().map(|id| format!("--gid-owner {id}")))
        .collect();
    let (loopback, redirect) = (family.loopback(), redirect(settings.inbound_port));
    for owner in &owners {
        // The proxy's own connections to ports that are left alone reach the application straight.
        for port in &settings.inbound_exclude {
            rules.push(format!("-o lo -p tcp --dport {port} -m owner {owner} -j RETURN"));
        }
        rules.push(format!("-o lo ! -d {loopback} -p tcp -m owner {owner} {redirect}"));
        rules.push(format!("-m owner {owner} -j RETURN"));
    }
    // What is left on loopback is the application's talk with itself.
    rules.push("-o lo -j RETURN".to_owned());
    rules.push(format!("-d {loopback} -j RETURN"));
    let v4 = family == Family::V4;
    rules.extend(Settings::of_family(&settings.outbound_exclude, v4).iter().map(|r| format!("-d {r} -j RETURN")));
    rules.extend(to_proxy(settings, family));
    rules
}

fn to_proxy(settings: &Settings, family: Family) -> Vec<String> {
    let redirect = redirect(settings.outbound_port);
    let mut rules = ports(&settings.outbound_ports, &redirect);
    match &settings.outbound {
        Targets::All => rules.push(format!("-p tcp {redirect}")),
        Targets::Some(ranges) => {
            let ranges = Settings::of_family(ranges, family == Family::V4);
            rules.extend(ranges.iter().map(|range| format!("-d {range} -p tcp {redirect}")));
        }
    }
    rules
}
