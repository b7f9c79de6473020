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

fn outside(args: &[&str]) -> Result<()> {
    let output = Command::new(tool("ip", "iproute2")).args(args).output().context("cannot start ip")?;
    checked(&format!("ip {}", args.join(" ")), output).map(drop)
}

fn inside(sandbox: &Sandbox, args: &[&str]) -> Result<()> {
    let mut command = sandbox.command(&tool("ip", "iproute2"));
    command.args(args);
    sandbox.run(command).map(drop)
}
