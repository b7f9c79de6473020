use clap::Parser;

use super::*;

fn settings(args: &[&str], ipv6: bool) -> Settings {
    Flags::try_parse_from(["capture"].iter().chain(args)).unwrap().settings(ipv6).unwrap()
}

/// Compares with the file; `WEFT_GOLDEN=write` writes it.
fn golden(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/capture/golden").join(name);
    if std::env::var_os("WEFT_GOLDEN").is_some_and(|what| what == "write") {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{name} differs; look at it and run again with WEFT_GOLDEN=write");
}

/// Every flag in use.
const EVERYTHING: [&str; 24] = [
    "-p",
    "15101",
    "-z",
    "15106",
    "-u",
    "1337,0",
    "-g",
    "1338",
    "-m",
    "REDIRECT",
    "-i",
    "10.0.0.0/8,fd00::/8",
    "-x",
    "10.1.0.0/16,10.1.2.3,fd00:1::/32",
    "-o",
    "3306,6379",
    "-q",
    "9090",
    "-c",
    "eth1,veth+",
    "-k",
    "tap0",
    "-d",
    "15020",
];

#[test]
fn rules_for_nft() {
    golden("default.nft", &text(Backend::Nft, &settings(&[], true)));
    golden("everything.nft", &text(Backend::Nft, &settings(&EVERYTHING, true)));
    golden("some-ports.nft", &text(Backend::Nft, &settings(&["-b", "80, 8080", "-i", ""], true)));
}

#[test]
fn rules_for_iptables() {
    golden("default.iptables", &text(Backend::Iptables, &settings(&[], true)));
    golden("everything.iptables", &text(Backend::Iptables, &settings(&EVERYTHING, true)));
    golden("some-ports.iptables", &text(Backend::Iptables, &settings(&["-b", "80, 8080", "-i", ""], false)));
}

#[test]
fn bad_values_name_their_flag() {
    for (args, flag) in [
        (["-b", "http"], "-b"),
        (["-d", "0"], "-d"),
        (["-i", "10.0.0.0/33"], "-i"),
        (["-x", "example.com"], "-x"),
        (["-o", "70000"], "-o"),
        (["-c", "eth0; reboot"], "-c"),
        (["-k", "a-name-that-is-too-long"], "-k"),
        (["-m", "TPROXY"], "-m"),
    ] {
        let flags = Flags::try_parse_from(["capture"].into_iter().chain(args)).unwrap();
        let error = flags.settings(true).unwrap_err().to_string();
        assert!(error.contains(flag), "{error}");
    }
}
