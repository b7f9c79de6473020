//! Command line of `weft-proxy capture`.

use std::collections::BTreeSet;

use clap::Parser;
use weft_model::ports;
use weft_runtime::{StartupError, log::LogArgs};

use super::settings::{InvalidSettings, Settings, Targets, cidrs, interfaces, ports as port_list};

/// Which program puts rules in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Backend {
    /// nft, or iptables where that does not work.
    Auto,
    /// `nft`, one table `inet weft`.
    Nft,
    /// `iptables-restore` and `ip6tables-restore`, chains `WEFT_…` of the nat table.
    Iptables,
}

/// Redirects a pod's TCP connections to its proxy.
#[derive(Clone, Debug, Parser)]
#[command(name = "weft-proxy capture", version)]
pub struct Flags {
    /// Port of the proxy that connections of the pod go to.
    #[arg(short = 'p', long = "envoy-port", default_value_t = ports::PROXY_OUTBOUND)]
    pub outbound_port: u16,
    /// Port of the proxy that connections to the pod go to.
    #[arg(short = 'z', long = "inbound-capture-port", default_value_t = ports::PROXY_INBOUND)]
    pub inbound_port: u16,
    /// User ids of the proxy, whose connections are left alone.
    #[arg(short = 'u', long = "proxy-uid", default_value = "1337", value_delimiter = ',')]
    pub uids: Vec<u32>,
    /// Group ids of the proxy.
    #[arg(short = 'g', long = "proxy-gid", default_value = "1337", value_delimiter = ',')]
    pub gids: Vec<u32>,
    /// Only REDIRECT.
    #[arg(short = 'm', long = "istio-inbound-interception-mode", default_value = "REDIRECT")]
    pub mode: String,
    /// Ports of the pod whose connections are redirected: `*`, a list, or nothing.
    #[arg(short = 'b', long = "istio-inbound-ports", default_value = "*")]
    pub inbound: String,
    /// Ports of the pod that are left alone where all are redirected.
    #[arg(short = 'd', long = "istio-local-exclude-ports", default_value = "15090,15021,15020")]
    pub inbound_exclude: String,
    /// Ranges of addresses whose connections are redirected: `*`, a list, or nothing.
    #[arg(short = 'i', long = "istio-service-cidr", default_value = "*")]
    pub outbound: String,
    /// Ranges that are left alone.
    #[arg(short = 'x', long = "istio-service-exclude-cidr", default_value = "")]
    pub outbound_exclude: String,
    /// Destination ports that are left alone.
    #[arg(short = 'o', long = "istio-local-outbound-ports-exclude", default_value = "")]
    pub outbound_exclude_ports: String,
    /// Destination ports that are redirected whatever the address.
    #[arg(short = 'q', long = "istio-outbound-ports", default_value = "")]
    pub outbound_ports: String,
    /// Interfaces that are left alone.
    #[arg(short = 'c', long = "istio-exclude-interfaces", default_value = "")]
    pub exclude_interfaces: String,
    /// Interfaces of virtual machines in the pod: what comes in there goes out.
    #[arg(short = 'k', long = "kube-virt-interfaces", default_value = "")]
    pub virtual_interfaces: String,
    /// Print the rules and change nothing.
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// What puts rules in force.
    #[arg(long, value_enum, default_value_t = Backend::Auto)]
    pub backend: Backend,
    /// Logging.
    #[command(flatten)]
    pub log: LogArgs,
}

impl Flags {
    /// The flags, checked.
    pub fn settings(&self, ipv6: bool) -> Result<Settings, StartupError> {
        let said = |flag: &'static str| {
            move |error: InvalidSettings| StartupError::new(format!("cannot use {flag}"), error, "see `--help`")
        };
        if self.mode != "REDIRECT" {
            return Err(StartupError::new(
                format!("cannot use -m {:?}", self.mode),
                "only REDIRECT is supported",
                "leave it out, or annotate the pod with sidecar.istio.io/interceptionMode: REDIRECT",
            ));
        }
        let inbound = match self.inbound.trim() {
            "*" => Targets::All,
            list => Targets::Some(port_list(list).map_err(said("-b"))?),
        };
        let outbound = match self.outbound.trim() {
            "*" => Targets::All,
            list => Targets::Some(cidrs(list).map_err(said("-i"))?),
        };
        let mut excluded: BTreeSet<u16> = port_list(&self.outbound_exclude_ports).map_err(said("-o"))?;
        // Name resolution is left alone, over TCP as over UDP.
        excluded.insert(53);
        Ok(Settings {
            outbound_port: self.outbound_port,
            inbound_port: self.inbound_port,
            uids: self.uids.clone(),
            gids: self.gids.clone(),
            inbound,
            inbound_exclude: port_list(&self.inbound_exclude).map_err(said("-d"))?,
            outbound,
            outbound_exclude: cidrs(&self.outbound_exclude).map_err(said("-x"))?,
            outbound_exclude_ports: excluded,
            outbound_ports: port_list(&self.outbound_ports).map_err(said("-q"))?,
            exclude_interfaces: interfaces(&self.exclude_interfaces).map_err(said("-c"))?,
            virtual_interfaces: interfaces(&self.virtual_interfaces).map_err(said("-k"))?,
            ipv6,
        })
    }
}
