//! `weft-proxy capture`: redirects a pod's TCP connections to the proxy. Runs as the pod's init container, as root with
//! NET_ADMIN and NET_RAW; flags are named as those of `istio-iptables`. What to do is decided and written without
//! touching the system; [`apply`] alone does.

pub mod apply;
mod flags;
mod iptables;
mod loopback;
mod nft;
mod settings;

pub use flags::{Backend, Flags};
pub use settings::{InvalidSettings, Settings};

use weft_runtime::StartupError;

/// Puts the rules in force, or with `--dry-run` prints them.
pub fn run(flags: &Flags) -> anyhow::Result<()> {
    let settings = flags.settings(apply::has_ipv6())?;
    if flags.dry_run {
        print!("{}", text(flags.backend, &settings));
        return Ok(());
    }
    let backend = apply::rules(flags.backend, &settings).map_err(|error| {
        StartupError::new(
            "cannot redirect connections to the proxy",
            error,
            "run it as root with the capabilities NET_ADMIN and NET_RAW, on a kernel with nf_tables or iptables' nat table",
        )
    })?;
    tracing::info!(backend, ipv6 = settings.ipv6, "connections are redirected to the proxy");
    if settings.ipv6
        && let Err(error) = loopback::add_bypass_address()
    {
        tracing::warn!(%error, "cannot add ::6 to the loopback interface: applications are not reached over IPv6");
    }
    Ok(())
}

/// The rules as the backend's program reads them; `auto` means nft.
pub fn text(backend: Backend, settings: &Settings) -> String {
    match backend {
        Backend::Auto | Backend::Nft => nft::ruleset(settings),
        Backend::Iptables => {
            let v6 = if settings.ipv6 { iptables::restore(settings, iptables::Family::V6) } else { String::new() };
            iptables::restore(settings, iptables::Family::V4) + &v6
        }
    }
}

#[cfg(test)]
mod tests;
