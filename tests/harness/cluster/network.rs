//! The link between the machine and the node, so that tests reach the API server, Services and pods directly.

use std::process::Command;

use anyhow::{Context, Result};

use super::{
    address::Addresses,
    sandbox::{Sandbox, checked},
};
use crate::process::tool;

/// Makes the link and the routes on both ends. It goes with the sandbox.
pub fn connect(addresses: Addresses, sandbox: &Sandbox) -> Result<()> {
    let (link, node) = (addresses.link(), addresses.node().to_string());
    let pid = sandbox.pid().to_string();
    outside(&["link", "add", &link, "type", "veth", "peer", "name", "eth0", "netns", &pid])?;
    outside(&["addr", "add", &format!("{}/30", addresses.host()), "dev", &link])?;
    outside(&["addr", "add", &format!("{}/126", addresses.host_v6()), "dev", &link, "nodad"])?;
    outside(&["link", "set", &link, "up"])?;
    inside(sandbox, &["addr", "add", &format!("{node}/30"), "dev", "eth0"])?;
    inside(sandbox, &["addr", "add", &format!("{}/126", addresses.node_v6()), "dev", "eth0", "nodad"])?;
    inside(sandbox, &["link", "set", "eth0", "up"])?;
    inside(sandbox, &["route", "add", "default", "via", &addresses.host().to_string()])?;
    inside(sandbox, &["-6", "route", "add", "default", "via", &addresses.host_v6().to_string()])?;
    let node_v6 = addresses.node_v6().to_string();
    for [v4, v6] in [addresses.pods(), addresses.services()] {
        outside(&["route", "add", &v4, "via", &node])?;
        outside(&["-6", "route", "add", &v6, "via", &node_v6])?;
    }
    Ok(())
}

/// Removes a link that a cluster left behind, when there is one.
pub fn disconnect(addresses: Addresses) {
    drop(outside(&["link", "del", &addresses.link()]));
}

/// Makes a machine's network namespace, its link to the node, and the routes: its default one, and ours to it.
pub fn connect_machine(addresses: Addresses, number: u8, sandbox: &Sandbox) -> Result<()> {
    let (name, link) = (machine(number), format!("machine{number}"));
    let (gateway, own) = (addresses.machine_gateway(number).to_string(), addresses.machine(number).to_string());
    inside(sandbox, &["netns", "add", &name])?;
    inside(sandbox, &["link", "add", &link, "type", "veth", "peer", "name", "eth0", "netns", &name])?;
    inside(sandbox, &["addr", "add", &format!("{gateway}/30"), "dev", &link])?;
    inside(sandbox, &["link", "set", &link, "up"])?;
    inside(sandbox, &["-n", &name, "link", "set", "lo", "up"])?;
    inside(sandbox, &["-n", &name, "addr", "add", &format!("{own}/30"), "dev", "eth0"])?;
    inside(sandbox, &["-n", &name, "link", "set", "eth0", "up"])?;
    inside(sandbox, &["-n", &name, "route", "add", "default", "via", &gateway])?;
    outside(&["route", "add", &own, "via", &addresses.node().to_string()])
}

/// Removes a machine's network.
pub fn disconnect_machine(addresses: Addresses, number: u8, sandbox: &Sandbox) {
    drop(outside(&["route", "del", &addresses.machine(number).to_string()]));
    drop(inside(sandbox, &["netns", "del", &machine(number)]));
}

/// Name of a machine's network namespace.
pub fn machine(number: u8) -> String {
    format!("machine-{number}")
}

fn outside(args: &[&str]) -> Result<()> {
    let output = Command::new(tool("ip", "iproute2")).args(args).output().context("cannot start ip")?;
    checked(&format!("ip {}", args.join(" ")), output).map(drop)
}

fn inside(sandbox: &Sandbox, args: &[&str]) -> Result<()> {
    let mut command = sandbox.command(&tool("ip", "iproute2"));
    command.args(args);
    sandbox.run(command).map(drop)
}
