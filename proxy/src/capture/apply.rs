//! Putting rules in force through the system's programs. The only part that touches the system.

use std::{
    io::{self, Write},
    process::{Command, Stdio},
};

use super::{
    Backend, Settings,
    iptables::{self, ENTRIES, Family},
    nft,
};

/// Entries of earlier runs that are taken away at most; there is one, unless somebody else added more.
const MAX_STALE: usize = 16;

/// Why rules are not in force.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The program cannot be run.
    #[error("cannot run {0}: {1}")]
    Run(&'static str, #[source] io::Error),
    /// The program refused the rules.
    #[error("{0}: {1}")]
    Refused(&'static str, String),
    /// No way worked.
    #[error("{0}; {1}")]
    Both(Box<ApplyError>, Box<ApplyError>),
}

/// Puts the rules in force and gives the backend that took them.
pub fn rules(backend: Backend, settings: &Settings) -> Result<&'static str, ApplyError> {
    match backend {
        Backend::Nft => with_nft(settings),
        Backend::Iptables => with_iptables(settings),
        Backend::Auto => with_nft(settings).or_else(|nft| {
            tracing::info!(error = %nft, "nft does not work here, trying iptables");
            with_iptables(settings).map_err(|iptables| ApplyError::Both(Box::new(nft), Box::new(iptables)))
        }),
    }
}

fn with_nft(settings: &Settings) -> Result<&'static str, ApplyError> {
    feed("nft", &["-f", "-"], &nft::ruleset(settings))?;
    Ok("nft")
}

fn with_iptables(settings: &Settings) -> Result<&'static str, ApplyError> {
    let v6 = [("ip6tables", "ip6tables-restore", Family::V6)];
    let v4 = [("iptables", "iptables-restore", Family::V4)];
    for (program, restore, family) in v4.into_iter().chain(v6.into_iter().filter(|_| settings.ipv6)) {
        for (hook, chain) in ENTRIES {
            let stale = ["-t", "nat", "-D", hook, "-p", "tcp", "-j", chain];
            for _ in 0..MAX_STALE {
                // It fails when there is none left.
                if feed(program, &stale, "").is_err() {
                    break;
                }
            }
        }
        feed(restore, &["--noflush"], &iptables::restore(settings, family))?;
    }
    Ok("iptables")
}

/// Runs a program with this input.
fn feed(program: &'static str, args: &[&str], input: &str) -> Result<(), ApplyError> {
    let failed = |error| ApplyError::Run(program, error);
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(input.as_bytes()) {
            // A program that refuses may not read to the end; it says why.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(failed(error)),
            _ => {}
        }
    }
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&output.stderr);
    let why = why.trim().lines().take(3).collect::<Vec<_>>().join(" / ");
    Err(ApplyError::Refused(program, if why.is_empty() { output.status.to_string() } else { why }))
}

/// Whether this network namespace has IPv6: its loopback interface has an address of it.
pub fn has_ipv6() -> bool {
    std::fs::read_to_string("/proc/net/if_inet6").is_ok_and(|addresses| !addresses.trim().is_empty())
}
